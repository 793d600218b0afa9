//! What `kea-runscript-runner serve` reads: of a program that Kea reaches over a socket, all that Kea may not choose.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::unistd::User;
use serde_json::Value;

use super::handler::{absolute, mode, socket_path};
use super::read::{Refusal, Section};
use super::{CONCURRENCY_BOUNDS, Mode, TIMEOUT_BOUNDS, cpus};
use crate::trust;

/// Where `serve NAME` finds the file.
pub const DIRECTORY: &str = "/etc/kea-runscript";
/// Where it listens, unless systemd does or the file says otherwise.
pub const SOCKETS: &str = "/run/kea-runscript";

/// More than anybody writes there.
const FILE_BYTES: u64 = 1 << 20;

/// A parameter of the file.
pub struct Key {
    pub name: &'static str,
    pub kind: &'static str,
    pub default: &'static str,
    pub doc: &'static str,
}

const fn key(name: &'static str, kind: &'static str, default: &'static str, doc: &'static str) -> Key {
    Key { name, kind, default, doc }
}

#[rustfmt::skip]
pub const KEYS: &[Key] = &[
    key("script", "string", "-", "Absolute path of the program to run. Required. Only root may be able to change the program, or a directory above it."),
    key("mode", "`exec` or `daemon`", "`exec`", "As in Kea's configuration."),
    key("args", "list of strings", "`[]`", "As in Kea's configuration."),
    key("env", "map of strings", "`{}`", "As in Kea's configuration; `KEA_RUNSCRIPT` is there besides. What systemd sets for the service (`Environment=`) reaches no program."),
    key("concurrency", "1 to 256", "number of CPUs", "How many events are worked on at once, for each Kea that connects. If Kea's `concurrency` is greater, this value counts. The service accepts twice this number of connections."),
    key("timeout", "milliseconds, 1 to 3600000", "3600000", "No run takes longer, whatever Kea's `timeout` is."),
    key("kea-user", "string", "`_kea`", "The user whom Kea runs as. A connection of anybody else but root is refused."),
    key("socket", "string", "`/run/kea-runscript/NAME.sock`", "Absolute path of the socket. Used only without systemd's socket unit. With `--config`, NAME is the file's name without `.json`."),
];

/// One program, and who may have it run.
#[derive(Debug, PartialEq)]
pub struct Service {
    pub script: PathBuf,
    pub mode: Mode,
    pub args: Vec<String>,
    pub env: Vec<(String, String)>,
    pub concurrency: usize,
    pub timeout: Duration,
    pub kea_user: Kea,
    pub socket: PathBuf,
}

/// Kea's user and its first group.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Kea {
    pub uid: u32,
    pub gid: u32,
}

impl Service {
    /// The file of this name.
    pub fn file(name: &str) -> Result<PathBuf, String> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        match !name.is_empty() && name.chars().all(is_plain) && !name.starts_with('.') {
            true => Ok(Path::new(DIRECTORY).join(format!("{name}.json"))),
            false => {
                Err(format!("serve {name:?}: give a name of letters, digits, \"-\", \"_\" and \".\", or --config FILE"))
            }
        }
    }

    pub fn read(file: &Path) -> Result<Service, String> {
        let refused = |reason: String| format!("{}: {reason}", file.display());
        trust::in_a_sandbox(file).map_err(refused)?;
        let length = fs::metadata(file).map_err(|error| refused(error.to_string()))?.len();
        if length > FILE_BYTES {
            return Err(refused(format!("has {length} bytes, more than {FILE_BYTES}")));
        }
        let text = fs::read_to_string(file).map_err(|error| refused(error.to_string()))?;
        let value: Value = serde_json::from_str(&text).map_err(|error| refused(format!("is not JSON: {error}")))?;
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        service(&value, &name).map_err(|refusal| refused(refusal.to_string()))
    }
}

pub(super) fn service(value: &Value, name: &str) -> Result<Service, Refusal> {
    let section = Section::new("", value)?;
    let names: Vec<_> = KEYS.iter().map(|key| key.name).collect();
    section.only(&names, "the parameters")?;
    let missing = || section.missing("script", "the absolute path of the program to run");
    let timeout = section.bounded("timeout", TIMEOUT_BOUNDS, "milliseconds")?.unwrap_or(TIMEOUT_BOUNDS.1);
    Ok(Service {
        script: absolute(&section, section.has("script").ok_or_else(missing)?)?,
        mode: mode(&section)?,
        args: section.strings("args")?,
        env: section.string_map("env")?,
        concurrency: section.bounded("concurrency", CONCURRENCY_BOUNDS, "lanes")?.map_or_else(cpus, |n| n as usize),
        timeout: Duration::from_millis(timeout),
        kea_user: kea_user(&section)?,
        socket: match section.has("socket") {
            Some(key) => socket_path(&section, key)?,
            None => Path::new(SOCKETS).join(format!("{name}.sock")),
        },
    })
}

fn kea_user(section: &Section) -> Result<Kea, Refusal> {
    let name = match section.has("kea-user") {
        Some(key) => section.text(key)?,
        None => "_kea",
    };
    match User::from_name(name) {
        Ok(Some(user)) => Ok(Kea { uid: user.uid.as_raw(), gid: user.gid.as_raw() }),
        _ => Err(section.refuse_value("kea-user", name, "is no user here: give the name of the one whom Kea runs as")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(value: &Value) -> Result<Service, String> {
        service(value, "mine").map_err(|refusal| refusal.to_string())
    }

    #[test]
    fn the_least_is_a_program() {
        let service = read(&json!({"script": "/a/b.sh", "kea-user": "root"})).unwrap();
        let hour = Duration::from_secs(3600);
        assert_eq!((service.mode, service.timeout, service.kea_user), (Mode::Exec, hour, Kea { uid: 0, gid: 0 }));
        assert_eq!((service.script, service.socket), ("/a/b.sh".into(), "/run/kea-runscript/mine.sock".into()));
    }

    #[test]
    fn refusals_name_parameter_value_and_remedy() {
        let known = "script, mode, args, env, concurrency, timeout, kea-user, socket";
        for (more, reason) in [
            (
                json!({"script": "b.sh"}),
                "parameter \"script\": \"b.sh\": give an absolute path, one that begins with /",
            ),
            (json!({"wait": true}), &format!("parameter \"wait\": true: is unknown; the parameters are: {known}")),
            (json!({"mode": "socket"}), "parameter \"mode\": \"socket\": give \"exec\" or \"daemon\""),
            (json!({"concurrency": 0}), "parameter \"concurrency\": 0: give a whole number of lanes from 1 to 256"),
            (
                json!({"timeout": "1"}),
                "parameter \"timeout\": \"1\": give a whole number of milliseconds from 1 to 3600000",
            ),
            (json!({"env": {"SECRET": 7}}), "parameter \"env.SECRET\": give a string"),
            (json!({"socket": "s"}), "parameter \"socket\": \"s\": give an absolute path, one that begins with /"),
            (
                json!({"kea-user": "nobody-of-this-name"}),
                "parameter \"kea-user\": \"nobody-of-this-name\" is no user here: give the name of the one whom Kea runs as",
            ),
        ] {
            let mut value = json!({"script": "/a", "kea-user": "root"});
            value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            assert_eq!(read(&value).unwrap_err(), reason);
        }
        assert_eq!(
            read(&json!({})).unwrap_err(),
            "parameter \"script\" is missing: give the absolute path of the program to run"
        );
    }

    #[test]
    fn a_name_is_no_path() {
        assert_eq!(Service::file("a.b-c_1").unwrap(), Path::new("/etc/kea-runscript/a.b-c_1.json"));
        for name in ["", "../a", "a/b", ".a", "a b", "ä"] {
            assert!(Service::file(name).unwrap_err().contains("give a name of letters"), "{name}");
        }
    }
}
