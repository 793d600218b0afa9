//! Who reads the lines, and where that is: a program that is started, or a socket.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::read::{Refusal, Section};
use super::{Kea, Mode};

/// The program that makes answers of words.
pub const TOOLS: &str = "kea-runscript";
/// The variable that tells a script where that is.
pub const TOOLS_PATH: &str = "KEA_RUNSCRIPT";

/// What says how something is started, which does not go with `socket`.
const OF_A_PROGRAM: [&str; 7] = ["script", "name", "mode", "args", "env", "keep-capabilities", "runner"];

/// Who reads the lines, and where that is.
pub fn handler(section: &Section, kea: Kea) -> Result<(Mode, PathBuf), Refusal> {
    if let Some(socket) = section.has("socket") {
        if let Some(key) = OF_A_PROGRAM.iter().find_map(|&key| section.has(key)) {
            return Err(section.refuse(key, "with \"socket\" nothing is started: leave one of the two out"));
        }
        return Ok((Mode::Socket, socket_path(section, socket)?));
    }
    let mode = mode(section)?;
    let missing = || section.missing("script", "the absolute path of the program to run, or a \"socket\"");
    let script = program(section, section.alias("script", "name")?, kea)?.ok_or_else(missing)?;
    Ok((mode, script))
}

/// Of a program.
pub fn mode(section: &Section) -> Result<Mode, Refusal> {
    match section.get("mode").map(Value::as_str) {
        None | Some(Some("exec")) => Ok(Mode::Exec),
        Some(Some("daemon")) => Ok(Mode::Daemon),
        Some(_) => Err(section.refuse("mode", "give \"exec\" or \"daemon\"")),
    }
}

/// What a `sockaddr_un` has room for (unix(7)), without the NUL at its end.
const SOCKET_PATH_BYTES: usize = 107;

pub fn socket_path(section: &Section, key: &str) -> Result<PathBuf, Refusal> {
    let path = absolute(section, key)?;
    match path.as_os_str().len() <= SOCKET_PATH_BYTES {
        true => Ok(path),
        false => {
            Err(section.refuse(key, &format!("is longer than the {SOCKET_PATH_BYTES} bytes that the kernel allows")))
        }
    }
}

/// A path that says where it begins.
pub fn absolute(section: &Section, key: &str) -> Result<PathBuf, Refusal> {
    let path = PathBuf::from(section.text(key)?);
    let is_absolute = path.is_absolute();
    is_absolute.then_some(path).ok_or_else(|| section.refuse(key, "give an absolute path, one that begins with /"))
}

/// The path of a program. Kea's directory for them may be left out, and may be the only one.
pub fn program(section: &Section, key: Option<&str>, kea: Kea) -> Result<Option<PathBuf>, Refusal> {
    let Some(key) = key else { return Ok(None) };
    let name = section.text(key)?;
    let directory = kea.scripts_directory;
    let path = match name.contains('/') {
        false if directory.is_absolute() => directory.join(name),
        _ => PathBuf::from(name),
    };
    match path.parent() {
        _ if !path.is_absolute() => Err(section.refuse(key, "give an absolute path, one that begins with /")),
        Some(parent) if parent == directory || !kea.scripts_only_there => Ok(Some(path)),
        _ if !directory.is_absolute() => {
            Err(section.refuse(key, "no directory is allowed: KEA_HOOK_SCRIPTS_PATH of Kea's service names none"))
        }
        _ => Err(section.refuse(key, &elsewhere(directory))),
    }
}

fn elsewhere(directory: &Path) -> String {
    format!(
        "is not in {0}, the only directory from which Kea lets hook libraries run programs: move it to {0}, or set the \
         environment variable KEA_HOOK_SCRIPTS_PATH of Kea's service to its directory",
        directory.display()
    )
}
