//! The directory of a spool: whose it is, who is at work in it, which files it has.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::sys::statfs::{NFS_SUPER_MAGIC, statfs};
use nix::unistd::Uid;

use super::is_passing;
use crate::{ids, trust};

/// At the end of a segment's name.
const VERSION: &str = ".v1";
pub const AT_WORK: &str = "at-work.";
pub const LOCK: &str = "lock";
pub const ID: &str = "id";
const ID_DIGITS: usize = 16;
/// A server that was killed as it started a program has left a child, which holds the lock until it is that program.
const PATIENCE: Duration = Duration::from_secs(2);

pub struct Directory {
    path: PathBuf,
    /// Unique among servers and scripts.
    id: u64,
    /// No other server uses this directory as long as this is held.
    _lock: Flock<File>,
}

impl Directory {
    /// Makes it if need be. It has to be Kea's user's alone, and nobody else may be at work in it.
    pub fn open(path: &Path) -> Result<(Directory, Vec<String>), String> {
        let failed = |error: io::Error| format!("\"{}\": {}", path.display(), explain(&error));
        if let Some(parent) = path.parent() {
            make(parent).map_err(failed)?;
        }
        make(path).map_err(failed)?;
        check(path).map_err(|reason| format!("\"{}\" {reason}", path.display()))?;
        let warnings = trust::directory(path, false).map_err(|reason| format!("\"{}\": {reason}", path.display()))?;
        let lock = create(&path.join(LOCK), false).map_err(failed)?;
        let lock = lock_patiently(lock)
            .map_err(|reason| format!("\"{}\": {reason}: give each server a directory of its own", path.display()))?;
        let id = read_id(&path.join(ID)).map_err(failed)?;
        Ok((Directory { path: path.into(), id, _lock: lock }, warnings))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn id(&self) -> u64 {
        self.id
    }

    /// The numbers of the segments, the smallest first, and the names of other versions' segments, which stay as they are.
    pub fn segments(&self) -> io::Result<(Vec<u32>, Vec<String>)> {
        segments(&self.path)
    }

    pub fn new_segment(&self, number: u32) -> io::Result<File> {
        create(&segment(&self.path, number), true)
    }

    pub fn remove_segment(&self, number: u32) {
        // If that fails, its events are read once more at the next start, and are all done.
        let _ = fs::remove_file(segment(&self.path, number));
    }

    /// The lock that says that the library of this number, or a runner of its, is at work: as long as anybody has this file.
    pub fn begin_work(&self, number: u32) -> io::Result<File> {
        let file = create(&self.at_work(number), true)?;
        // Flock would unlock it for all when ours is closed.
        #[allow(deprecated)]
        nix::fcntl::flock(file.as_raw_fd(), FlockArg::LockExclusiveNonblock)?;
        Ok(file)
    }

    /// Whether a runner of an earlier library is at work; forgets those that are not any more.
    pub fn others_at_work(&self, own: u32) -> bool {
        let Ok(libraries) = self.libraries() else { return true };
        let others = libraries.into_iter().filter(|number| *number != own);
        others.filter(|number| self.is_at_work(*number)).count() > 0
    }

    /// The numbers of libraries that are at work, or were.
    pub fn libraries(&self) -> io::Result<Vec<u32>> {
        let number = |name: String| name.strip_prefix(AT_WORK)?.parse().ok();
        Ok(names(&self.path)?.into_iter().filter_map(number).collect())
    }

    fn is_at_work(&self, number: u32) -> bool {
        let file = match open(&self.at_work(number)) {
            Ok(file) => file,
            Err(error) => return is_passing(&error),
        };
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(_) => {
                let _ = fs::remove_file(self.at_work(number));
                false
            }
            // Also if it cannot be known.
            Err(_) => true,
        }
    }

    fn at_work(&self, number: u32) -> PathBuf {
        self.path.join(format!("{AT_WORK}{number:010}"))
    }
}

fn make(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// What is wrong with a directory that is there.
pub fn check(path: &Path) -> Result<(), String> {
    let about = fs::symlink_metadata(path).map_err(|error| format!(": {error}"))?;
    if !about.is_dir() {
        return Err("is not a directory (a symbolic link is none either): remove it, or name another".into());
    }
    if about.uid() != Uid::effective().as_raw() || about.mode() & 0o077 != 0 {
        return Err("must belong to Kea's user alone: chown it to that user, and chmod it to 0700".into());
    }
    match statfs(path) {
        Ok(about) if about.filesystem_type() == NFS_SUPER_MAGIC => {
            Err("is on NFS, where a lock may be lost: name one on a local disk".into())
        }
        _ => Ok(()),
    }
}

fn explain(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::PermissionDenied => {
            format!(
                "{error}: let Kea's user write there, and AppArmor's profile of Kea (see operation.md, Permissions on Debian)"
            )
        }
        ErrorKind::NotFound => format!("{error}: make its parent, or name another"),
        _ if error.raw_os_error() == Some(Errno::ELOOP as i32) => format!("{error}: it is a symbolic link"),
        _ => error.to_string(),
    }
}

fn lock_patiently(mut file: File) -> Result<Flock<File>, String> {
    let until = Instant::now() + PATIENCE;
    loop {
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => return Ok(lock),
            Err((_, Errno::EAGAIN)) if Instant::now() > until => return Err("another server uses it".into()),
            Err((again, Errno::EAGAIN)) => file = again,
            Err((_, error)) => return Err(format!("it cannot be locked: {}", error.desc())),
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// The random id, which is made with the directory. A file that holds none is replaced.
fn read_id(path: &Path) -> io::Result<u64> {
    let mut file = create(path, false)?;
    let mut text = String::new();
    let read = (&file).take(ID_DIGITS as u64 + 1).read_to_string(&mut text);
    if let Some(id) = read.ok().and_then(|_| parse_id(&text)) {
        return Ok(id);
    }
    let id = ids::random();
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(format!("{id:016x}").as_bytes())?;
    Ok(id)
}

/// What such a file holds.
pub fn parse_id(text: &str) -> Option<u64> {
    (text.len() == ID_DIGITS).then(|| u64::from_str_radix(text, 16).ok()).flatten()
}

/// Opens a file, which is made if need be, or has to be new.
pub fn create(path: &Path, is_new: bool) -> io::Result<File> {
    let mut options = options();
    if is_new {
        options.create_new(true)
    } else {
        options.create(true).truncate(false)
    };
    options.open(path)
}

/// Opens a file that is there, and is no link.
pub fn open(path: &Path) -> io::Result<File> {
    options().open(path)
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    // A pipe would be waited for.
    options.read(true).write(true).mode(0o600).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    options
}

pub fn open_segment(directory: &Path, number: u32) -> io::Result<File> {
    let file = open(&segment(directory, number))?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::other("it is no file")),
    }
}

pub fn segment(directory: &Path, number: u32) -> PathBuf {
    directory.join(segment_name(number))
}

pub fn segment_name(number: u32) -> String {
    format!("{number:010}{VERSION}")
}

/// See [`Directory::segments`].
pub fn segments(directory: &Path) -> io::Result<(Vec<u32>, Vec<String>)> {
    names(directory).map(|names| sort_out(names.into_iter()))
}

/// The same of the names in a directory.
pub fn sort_out(names: impl Iterator<Item = String>) -> (Vec<u32>, Vec<String>) {
    let (mut numbers, mut others) = (Vec::new(), Vec::new());
    for name in names {
        let Some((number, version)) = name.split_once('.') else { continue };
        let Some(number) = number.parse().ok().filter(|_| number.len() == 10) else { continue };
        match version {
            "v1" => numbers.push(number),
            _ => others.push(name),
        }
    }
    numbers.sort_unstable();
    (numbers, others)
}

fn names(directory: &Path) -> io::Result<Vec<String>> {
    let name = |entry: io::Result<fs::DirEntry>| entry.ok()?.file_name().into_string().ok();
    Ok(fs::read_dir(directory)?.filter_map(name).collect())
}
