//! A script's environment: the runner's own, then the event's variables, which win.

use std::collections::HashSet;
use std::env;
use std::ffi::{CStr, CString, OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use crate::event::Variables;
use crate::variables;

/// What every script inherits.
pub struct Environment {
    inherited: Vec<(Vec<u8>, CString)>,
}

impl Environment {
    /// The environment that this process was started with.
    pub fn inherited() -> Environment {
        Environment::of(env::vars_os())
    }

    pub fn of(pairs: impl IntoIterator<Item = (OsString, OsString)>) -> Environment {
        let named = |(name, value): (OsString, OsString)| Some((name.as_bytes().to_vec(), entry(&name, &value)?));
        Environment { inherited: pairs.into_iter().filter_map(named).collect() }
    }

    /// The whole environment of one run, and what cannot be part of it: the event goes on without.
    pub fn with<'a>(&'a self, variables: &'a Variables) -> (Vec<&'a CStr>, Vec<LeftOut<'a>>) {
        let (mut names, mut entries, mut left_out) = (Names::default(), Vec::new(), Vec::new());
        for (name, entry) in variables.entries() {
            let checked = names
                .add(name)
                .and_then(|()| CStr::from_bytes_with_nul(entry.as_bytes()).map_err(|_| "no environment can hold it"));
            match checked {
                Ok(entry) => entries.push(entry),
                Err(reason) => left_out.push(LeftOut { name, reason }),
            }
        }
        let inherited = self.inherited.iter().filter(|(name, _)| !names.0.contains(&**name));
        let inherited = inherited.map(|(_, entry)| entry.as_c_str());
        (inherited.chain(entries).collect(), left_out)
    }
}

/// The names of an event's variables. One that is none of the tables' could steer the loader, a shell or the library's own
/// programs. It is left out, and the event goes on: a runner that is older than the library (`make install`, `runner`) shall
/// not stop service over a variable that is new. So is all but the first of one name, for some programs would take the first
/// and others the last.
#[derive(Default)]
pub struct Names<'a>(HashSet<&'a [u8]>);

impl<'a> Names<'a> {
    /// An error says why the variable is left out.
    pub fn add(&mut self, name: &'a str) -> Result<(), &'static str> {
        match name {
            _ if !variables::is_name(name) => Err("no variable has this name"),
            _ if !self.0.insert(name.as_bytes()) => Err("another before it has this name"),
            _ => Ok(()),
        }
    }
}

/// A variable that a script does not get.
#[derive(Debug, PartialEq)]
pub struct LeftOut<'a> {
    pub name: &'a str,
    pub reason: &'static str,
}

/// `name=value`; none where that would not mean this name and this value.
fn entry(name: &OsStr, value: &OsStr) -> Option<CString> {
    let entry = CString::new([name.as_bytes(), b"=", value.as_bytes()].concat()).ok()?;
    let is_name = !name.is_empty() && !name.as_bytes().contains(&b'=');
    is_name.then_some(entry)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> Variables {
        pairs.iter().copied().collect()
    }

    fn inherited(names: &[&str]) -> Environment {
        let one = |name: &&str| (name.as_bytes().to_vec(), entry(name.as_ref(), "env".as_ref()).unwrap());
        Environment { inherited: names.iter().map(one).collect() }
    }

    #[test]
    fn the_events_variables_win() {
        let environment = inherited(&["PATH", "KEA_QUERY4_TYPE"]);
        let variables = variables(&[("KEA_QUERY4_TYPE", "event"), ("KEA_QUERY4_HWADDR", "")]);
        let (entries, left_out) = environment.with(&variables);
        assert_eq!(entries, [c"PATH=env", c"KEA_QUERY4_TYPE=event", c"KEA_QUERY4_HWADDR="]);
        assert!(left_out.is_empty());
    }

    #[test]
    fn what_no_environment_can_hold_is_left_out() {
        let environment = inherited(&[]);
        let variables = variables(&[("KEA_QUERY4_TYPE", "a\0b"), ("KEA_QUERY4_INTERFACE", "a=b\n\u{e9}")]);
        let (entries, left_out) = environment.with(&variables);
        assert_eq!(entries, [CString::new("KEA_QUERY4_INTERFACE=a=b\n\u{e9}").unwrap().as_c_str()]);
        assert_eq!(left_out, [LeftOut { name: "KEA_QUERY4_TYPE", reason: "no environment can hold it" }]);
    }

    #[test]
    fn of_two_variables_with_one_name_the_first_counts() {
        let environment = inherited(&[]);
        let variables = variables(&[("KEA_QUERY4_TYPE", "a"), ("KEA_QUERY4_TYPE", "b"), ("KEA_QUERY4_TYPE", "a")]);
        let (entries, left_out) = environment.with(&variables);
        assert_eq!(entries, [c"KEA_QUERY4_TYPE=a"]);
        assert_eq!(
            left_out,
            [(); 2].map(|()| LeftOut { name: "KEA_QUERY4_TYPE", reason: "another before it has this name" })
        );
    }

    #[test]
    fn a_name_that_is_no_variables_is_left_out_and_hides_nothing() {
        let names = [
            "LD_PRELOAD",
            "PATH",
            "BASH_ENV",
            "KEA_RUNSCRIPT",
            "",
            "A=B",
            "KEA_QUERY4_TYPE\0",
            "kea_version",
            "SECRET",
        ];
        let environment = inherited(&["PATH", "KEA_RUNSCRIPT", "SECRET"]);
        let variables = names.iter().map(|name| (name, "event")).collect();
        let (entries, left_out) = environment.with(&variables);
        assert_eq!(entries, [c"PATH=env", c"KEA_RUNSCRIPT=env", c"SECRET=env"]);
        assert_eq!(left_out.iter().map(|one| one.name).collect::<Vec<_>>(), names);
    }
}
