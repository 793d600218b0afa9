//! A script's environment: the runner's own, then the event's variables, which win.

use std::env;
use std::ffi::{CStr, CString, OsStr};
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
    pub fn with<'a>(&'a self, variables: &'a Variables) -> (Vec<&'a CStr>, Vec<&'a str>) {
        let own = |name: &[u8]| variables.iter().any(|(other, _)| other.as_bytes() == name);
        let inherited = self.inherited.iter().filter(|(name, _)| !own(name));
        let mut entries: Vec<&CStr> = inherited.map(|(_, entry)| entry.as_c_str()).collect();
        let mut refused = Vec::new();
        for (name, entry) in variables.entries() {
            match CStr::from_bytes_with_nul(entry.as_bytes()) {
                Ok(entry) if is_name(name.as_bytes()) => entries.push(entry),
                _ => refused.push(name),
            }
        }
        (entries, refused)
    }
}

/// `name=value`; none where that would not mean this name and this value.
fn entry(name: &OsStr, value: &OsStr) -> Option<CString> {
    let entry = CString::new([name.as_bytes(), b"=", value.as_bytes()].concat()).ok()?;
    is_name(name.as_bytes()).then_some(entry)
}

fn is_name(name: &[u8]) -> bool {
    !name.is_empty() && !name.contains(&b'=')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> Variables {
        pairs.iter().copied().collect()
    }

    #[test]
    fn the_events_variables_win() {
        let inherited = |name: &str, value: &str| (name.into(), entry(name.as_ref(), value.as_ref()).unwrap());
        let environment = Environment { inherited: vec![inherited("PATH", "/bin"), inherited("KEA_A", "env")] };
        let variables = variables(&[("KEA_A", "event"), ("KEA_B", "")]);
        let (entries, refused) = environment.with(&variables);
        assert_eq!(entries, [c"PATH=/bin", c"KEA_A=event", c"KEA_B="]);
        assert!(refused.is_empty());
    }

    #[test]
    fn what_no_environment_can_hold_is_refused() {
        let environment = Environment { inherited: vec![] };
        let variables = variables(&[("", "x"), ("A=B", "x"), ("NUL", "a\0b"), ("NUL\0", ""), ("KEA_A", "a=b\n\u{e9}")]);
        let (entries, refused) = environment.with(&variables);
        assert_eq!(entries, [CString::new("KEA_A=a=b\n\u{e9}").unwrap().as_c_str()]);
        assert_eq!(refused, ["", "A=B", "NUL", "NUL\0"]);
    }
}
