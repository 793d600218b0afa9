//! The directory of `--state`: groups, what is to be done again after a crash, and a lock. Each file is replaced whole.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, File};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};
use nix::unistd::geteuid;
use serde_json::{Value, json};

use crate::reservation::{Identifier, Reservation};

const GROUPS: &str = "groups";
const REDO: &str = "redo";
const LOCK: &str = "lock";
const MODE: u32 = 0o600;
const ROOT: u32 = 0;
const FOR_OTHERS: u32 = 0o022;

/// A change that takes more than one command of Kea's.
#[derive(Clone, Debug, PartialEq)]
pub enum Redo {
    /// A group's statements are to be in all its hosts.
    Group(String),
    /// A host goes to another subnet: it is added there, and deleted here.
    Move { from: u32, identifier: Identifier, host: Reservation },
}

/// What is kept on disk.
pub struct State {
    directory: PathBuf,
    groups: BTreeMap<String, String>,
    redo: Option<Redo>,
    _lock: Flock<File>,
}

impl State {
    /// Opens the directory, which is made if it is missing.
    ///
    /// # Errors
    /// If it cannot be used, or another kea-omapi uses it.
    pub fn open(directory: &Path) -> io::Result<State> {
        make(directory)?;
        let lock = File::options().create(true).append(true).mode(MODE).open(directory.join(LOCK))?;
        let lock = Flock::lock(lock, FlockArg::LockExclusiveNonblock)
            .map_err(|_| io::Error::other("another kea-omapi uses it: each needs a directory of its own"))?;
        let groups = read(&directory.join(GROUPS), |value| serde_json::from_value(value).ok())?.unwrap_or_default();
        let redo = read(&directory.join(REDO), Redo::read)?;
        Ok(State { directory: directory.into(), groups, redo, _lock: lock })
    }

    /// A group's statements.
    pub fn group(&self, name: &str) -> Option<&str> {
        self.groups.get(name).map(String::as_str)
    }

    pub fn has_groups(&self) -> bool {
        !self.groups.is_empty()
    }

    /// What a crash has left unfinished.
    pub fn redo(&self) -> Option<&Redo> {
        self.redo.as_ref()
    }

    /// Makes a group, or takes it away. Those of its hosts are another matter.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn set_group(&mut self, name: &str, statements: Option<&str>) -> io::Result<()> {
        let mut groups = self.groups.clone();
        match statements {
            Some(statements) => groups.insert(name.into(), statements.into()),
            None => groups.remove(name),
        };
        self.write(GROUPS, &json!(groups))?;
        self.groups = groups;
        Ok(())
    }

    /// Writes down what is begun, or that it is done.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn set_redo(&mut self, redo: Option<Redo>) -> io::Result<()> {
        self.write(REDO, &redo.as_ref().map_or(Value::Null, Redo::value))?;
        self.redo = redo;
        Ok(())
    }

    /// Old or new, whenever the power fails.
    fn write(&self, name: &str, value: &Value) -> io::Result<()> {
        let path = self.directory.join(name);
        let new = path.with_extension("new");
        let mut file = File::options().create(true).write(true).truncate(true).mode(MODE).open(&new)?;
        file.write_all(value.to_string().as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&new, &path)?;
        File::open(&self.directory)?.sync_all()
    }
}

/// Makes the directory if it is missing. Who could write there could have changes served again.
fn make(directory: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => io::Error::other("is no directory"),
        _ => error,
    })?;
    let status = std::fs::metadata(directory)?;
    if ![ROOT, geteuid().as_raw()].contains(&status.uid()) {
        return Err(io::Error::other("belongs to another user: give it to the user of kea-omapi"));
    }
    if status.mode() & FOR_OTHERS != 0 {
        return Err(io::Error::other("others may write to it: chmod 0700"));
    }
    Ok(())
}

/// What a file says; `None` if there is no file, or it says `null`.
fn read<T>(path: &Path, meaning: impl Fn(Value) -> Option<T>) -> io::Result<Option<T>> {
    let wrong = |what: &str| {
        io::Error::other(format!("{}: {what}: it was changed by someone else; restore or remove it", path.display()))
    };
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    match serde_json::from_slice(&bytes).map_err(|error| wrong(&error.to_string()))? {
        Value::Null => Ok(None),
        value => meaning(value).map(Some).ok_or_else(|| wrong("is none of kea-omapi's")),
    }
}

impl Redo {
    fn value(&self) -> Value {
        match self {
            Redo::Group(name) => json!({"group": name}),
            Redo::Move { from, identifier, host } => {
                json!({"from": from, "kind": identifier.kind, "bytes": identifier.bytes, "host": host.0})
            }
        }
    }

    fn read(value: Value) -> Option<Redo> {
        if let Some(name) = value["group"].as_str() {
            return Some(Redo::Group(name.into()));
        }
        Some(Redo::Move {
            from: value["from"].as_u64()?.try_into().ok()?,
            identifier: Identifier {
                kind: value["kind"].as_str()?.into(),
                bytes: serde_json::from_value(value["bytes"].clone()).ok()?,
            },
            host: Reservation(value["host"].as_object()?.clone()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn what_was_written_is_there_again() {
        let directory = std::env::temp_dir().join(format!("kea-omapi-state-{}", std::process::id()));
        let host = Reservation(json!({"subnet-id": 2}).as_object().unwrap().clone());
        let redo = Redo::Move { from: 1, identifier: Identifier::new("hw-address", &[1, 2]), host };
        let mut state = State::open(&directory).unwrap();
        assert!(State::open(&directory).err().unwrap().to_string().contains("another"));
        state.set_group("lab", Some("option routers 192.0.2.1;")).unwrap();
        state.set_group("old", Some("")).unwrap();
        state.set_group("old", None).unwrap();
        state.set_redo(Some(redo.clone())).unwrap();
        drop(state);
        let mut state = State::open(&directory).unwrap();
        assert_eq!((state.group("lab"), state.group("old")), (Some("option routers 192.0.2.1;"), None));
        assert_eq!(state.redo(), Some(&redo));
        state.set_redo(Some(Redo::Group("lab".into()))).unwrap();
        drop(state);
        let mut state = State::open(&directory).unwrap();
        assert_eq!(state.redo(), Some(&Redo::Group("lab".into())));
        state.set_redo(None).unwrap();
        drop(state);
        assert_eq!(State::open(&directory).unwrap().redo(), None);
        for (file, text) in [(GROUPS, "no json"), (GROUPS, "[]"), (REDO, r#"{"foo": 1}"#)] {
            let good = std::fs::read(directory.join(file)).unwrap();
            std::fs::write(directory.join(file), text).unwrap();
            assert!(State::open(&directory).err().unwrap().to_string().contains("restore"), "{text}");
            std::fs::write(directory.join(file), good).unwrap();
        }
        set_permissions(&directory, Permissions::from_mode(0o720)).unwrap();
        assert!(State::open(&directory).err().unwrap().to_string().contains("chmod"));
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
