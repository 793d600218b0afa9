//! A script's environment: the runner's own, then the event's variables, which win.

use std::env;
use std::ffi::{CString, OsStr};
use std::os::unix::ffi::OsStrExt;

use crate::event::Variables;

/// What every script inherits.
pub struct Environment {
    inherited: Vec<(Vec<u8>, CString)>,
}

impl Environment {
    /// The environment that this process was started with.
    pub fn inherited() -> Environment {
        let mut inherited = Vec::new();
        for (name, value) in env::vars_os() {
            if let Some(entry) = entry(&name, &value) {
                inherited.push((name.as_bytes().to_vec(), entry));
            }
        }
        Environment { inherited }
    }

    /// The whole environment of one run, and the names that cannot be part of any.
    pub fn with<'a>(&self, variables: &'a Variables) -> (Vec<CString>, Vec<&'a str>) {
        let Variables(variables) = variables;
        let own = |name: &[u8]| variables.iter().any(|(other, _)| other.as_bytes() == name);
        let inherited = self.inherited.iter().filter(|(name, _)| !own(name));
        let mut entries: Vec<CString> = inherited.map(|(_, entry)| entry.clone()).collect();
        let mut refused = Vec::new();
        for (name, value) in variables {
            match entry(name.as_ref(), value.as_ref()) {
                Some(entry) => entries.push(entry),
                None => refused.push(name.as_str()),
            }
        }
        (entries, refused)
    }
}

/// `name=value`; none where that would not mean this name and this value.
fn entry(name: &OsStr, value: &OsStr) -> Option<CString> {
    let name = name.as_bytes();
    if name.is_empty() || name.contains(&b'=') {
        return None;
    }
    CString::new([name, b"=", value.as_bytes()].concat()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> Variables {
        Variables(pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect())
    }

    #[test]
    fn the_events_variables_win() {
        let inherited = |name: &str, value: &str| (name.into(), entry(name.as_ref(), value.as_ref()).unwrap());
        let environment = Environment { inherited: vec![inherited("PATH", "/bin"), inherited("KEA_A", "env")] };
        let variables = variables(&[("KEA_A", "event"), ("KEA_B", "")]);
        let (entries, refused) = environment.with(&variables);
        assert_eq!(entries, [c"PATH=/bin", c"KEA_A=event", c"KEA_B="].map(CString::from));
        assert!(refused.is_empty());
    }

    #[test]
    fn what_no_environment_can_hold_is_refused() {
        let environment = Environment { inherited: vec![] };
        let variables = variables(&[("", "x"), ("A=B", "x"), ("NUL", "a\0b"), ("NUL\0", ""), ("KEA_A", "a=b\n\u{e9}")]);
        let (entries, refused) = environment.with(&variables);
        assert_eq!(entries, [CString::new("KEA_A=a=b\n\u{e9}").unwrap()]);
        assert_eq!(refused, ["", "A=B", "NUL", "NUL\0"]);
    }
}
