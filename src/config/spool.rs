//! Where events are kept that Kea does not wait for.

use std::ffi::OsString;
use std::hash::Hasher;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::Kea;
use super::read::{Refusal, Section};
use crate::spool::check;

/// In MiB.
const LIMIT_BOUNDS: (u64, u64) = (16, 1 << 20);
/// In seconds: up to a year.
const MAX_AGE_BOUNDS: (u64, u64) = (1, 31_536_000);
/// In milliseconds.
const SYNC_BOUNDS: (u64, u64) = (0, 60_000);
const MIB: u64 = 1 << 20;
/// In Kea's data directory.
const DEFAULT: &str = "runscript";

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Spool {
    /// The script's own; `None` for memory alone.
    pub directory: Option<PathBuf>,
    /// In bytes.
    pub limit: u64,
    /// After which an event is too old.
    pub max_age: Option<Duration>,
    /// How often the disk shall have all.
    pub sync: Option<Duration>,
}

pub fn spool(section: &Section, kea: Kea, script: &Path, number: usize) -> Result<Spool, Refusal> {
    let named = named(section)?;
    let (base, is_named) = match named {
        Some(base) => (base, true),
        None => (Some(kea.data_directory.join(DEFAULT)).filter(|_| kea.data_directory.is_absolute()), false),
    };
    let directory = base.map(|base| base.join(own(kea, script, number)));
    if let Some(directory) = directory.as_ref().filter(|_| is_named) {
        try_out(directory).map_err(|reason| section.refuse("spool", &reason))?;
    }
    Ok(Spool {
        directory,
        limit: section.bounded("spool-limit", LIMIT_BOUNDS, "MiB")?.unwrap_or(1024) * MIB,
        max_age: section.bounded("spool-max-age", MAX_AGE_BOUNDS, "seconds")?.map(Duration::from_secs),
        sync: section
            .bounded("spool-sync", SYNC_BOUNDS, "milliseconds")?
            .filter(|pause| *pause > 0)
            .map(Duration::from_millis),
    })
}

/// What the parameter says, if it is there: a directory or none.
fn named(section: &Section) -> Result<Option<Option<PathBuf>>, Refusal> {
    match section.get("spool") {
        None => Ok(None),
        Some(Value::Bool(false)) => Ok(Some(None)),
        Some(Value::String(path)) if path.is_empty() => Ok(Some(None)),
        Some(Value::String(_)) => match PathBuf::from(section.text("spool")?) {
            path if path.is_absolute() => Ok(Some(Some(path))),
            _ => Err(section.refuse("spool", "give an absolute path, one that begins with /")),
        },
        Some(_) => Err(section.refuse("spool", "give the absolute path of a directory, or false")),
    }
}

/// The name of a script's directory: two servers, and two scripts of one name, have their own.
fn own(kea: Kea, script: &Path, number: usize) -> OsString {
    let mut hasher = crc32fast::Hasher::new();
    hasher.write(script.as_os_str().as_bytes());
    let mut name = OsString::from(kea.server.name());
    name.push("-");
    name.push(script.file_name().unwrap_or_default());
    name.push(format!("-{:08x}", hasher.finalize()));
    if number > 1 {
        name.push(format!("-{number}"));
    }
    name
}

/// Whether it can be used, without touching it: `kea-dhcp4 -T` asks beside a running server.
fn try_out(directory: &Path) -> Result<(), String> {
    let base = directory.parent().unwrap_or(directory);
    let parent = base.parent().unwrap_or(base);
    if !base.exists() && !parent.is_dir() {
        return Err(format!("\"{}\" does not exist: make it, or name another", parent.display()));
    }
    let Some(there) = [directory, base, parent].into_iter().find(|path| path.symlink_metadata().is_ok()) else {
        return Ok(());
    };
    if !there.is_dir() && there != directory {
        return Err(format!("\"{}\" is not a directory: remove it, or name another", there.display()));
    }
    if there == directory {
        check(there).map_err(|reason| format!("\"{}\" {reason}", there.display()))?;
    }
    nix::unistd::eaccess(there, nix::unistd::AccessFlags::W_OK)
        .map_err(|error| format!("\"{}\": {}: let Kea's user write there", there.display(), error.desc()))
}
