//! A spool in the eyes of somebody who is neither the server nor its runner: read beside them, with no lock taken and nothing
//! made; or discarded when nobody uses it.
//!
//! Each file is looked up in the open directory, whatever stands at its path meanwhile: root may read what Kea's user owns.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, Flock, FlockArg, OFlag, openat};
use nix::sys::stat::{Mode, fstat, fstatat};
use nix::unistd::{UnlinkatFlags, unlinkat};

use super::directory::{AT_WORK, ID, LOCK, parse_id, segment_name, sort_out};
use super::given_up;
use super::record::Record;
use super::segments::look;
use crate::text::{GLIMPSE, excerpt};

/// After which a record that was just being written is whole.
const SOON: Duration = Duration::from_millis(10);
/// A link is followed nowhere, and a pipe is not waited for.
const READ: OFlag = OFlag::O_RDONLY.union(OFlag::O_NOFOLLOW).union(OFlag::O_NONBLOCK).union(OFlag::O_CLOEXEC);
/// Of whichever version.
const DEAD_LETTERS: &str = "given-up.";

/// Which events of a spool.
#[derive(Clone, Copy, PartialEq)]
pub enum Which {
    /// Those that are not over.
    Pending,
    GivenUp,
}

pub struct Reader {
    path: PathBuf,
    directory: OwnedFd,
    /// Whose files are in there, and nobody else's.
    owner: u32,
}

/// Takes an event, with the name of its file.
pub type Take<'a> = &'a mut dyn FnMut(&str, Record) -> io::Result<()>;
/// Hears what is wrong with a file.
pub type Complain<'a> = &'a mut dyn FnMut(&Path, &str);

impl Reader {
    pub fn open(path: &Path) -> Result<Reader, String> {
        Reader::open_at(nix::fcntl::AT_FDCWD, path, path.into())
    }

    fn open_at(directory: impl std::os::fd::AsFd, name: &Path, path: PathBuf) -> Result<Reader, String> {
        let opened = openat(directory, name, READ | OFlag::O_DIRECTORY, Mode::empty());
        let directory = opened.map_err(|error| match error {
            Errno::ENOTDIR | Errno::ELOOP => "it is no directory (a symbolic link is none either)".into(),
            error => explain(&error.into()),
        })?;
        let owner = fstat(&directory).map_err(|error| explain(&error.into()))?.st_uid;
        Ok(Reader { path, directory, owner })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether a script's events are in this very directory.
    pub fn is_spool(&self) -> io::Result<bool> {
        let (names, _) = self.names()?;
        let (segments, others) = sort_out(names.iter().cloned());
        let is_sign = |name: &String| name == LOCK || name == ID || name.starts_with(DEAD_LETTERS);
        Ok(!segments.is_empty() || !others.is_empty() || names.iter().any(is_sign))
    }

    /// The directories in here, in the order of their names, but for those of another owner.
    pub fn directories(&self, complain: Complain) -> io::Result<Vec<Reader>> {
        let (mut names, unreadable) = self.names()?;
        names.sort_unstable();
        let mut found = Vec::new();
        for name in names {
            let path = self.path.join(&name);
            let Ok(about) = fstatat(&self.directory, name.as_str(), AtFlags::AT_SYMLINK_NOFOLLOW) else { continue };
            match about.st_mode & libc::S_IFMT {
                libc::S_IFLNK => complain(&path, "it is a symbolic link, and left out"),
                libc::S_IFDIR if about.st_uid != self.owner => complain(&path, FOREIGN),
                libc::S_IFDIR => match Reader::open_at(&self.directory, Path::new(&name), path.clone()) {
                    Ok(reader) => found.push(reader),
                    Err(why) => complain(&path, &why),
                },
                _ => {}
            }
        }
        if unreadable > 0 {
            complain(&self.path, &format!("{unreadable} names in it are no UTF-8, and left out"));
        }
        Ok(found)
    }

    /// What makes the numbers of its events unique.
    pub fn id(&self) -> Result<u64, String> {
        let mut text = String::new();
        let file = self.file(ID)?;
        let _ = file.take(64).read_to_string(&mut text);
        parse_id(&text).ok_or_else(|| "it holds no id".into())
    }

    /// Shows all events of a kind, those that wait the longest first; what their files take on the disk, in bytes.
    pub fn each(&self, which: Which, take: Take, complain: Complain) -> io::Result<u64> {
        let mut bytes = 0;
        for name in self.files(which, complain)? {
            bytes += self.each_of(&name, take, complain)?;
        }
        Ok(bytes)
    }

    /// Removes all events of a kind; how many these were.
    pub fn discard(&self, which: Which, complain: Complain) -> Result<usize, String> {
        let _lock = self.lock()?;
        let (mut count, failed) = (0, |error: io::Error| explain(&error));
        for name in self.files(which, complain).map_err(failed)? {
            let mut here = 0;
            let mut take = |_: &str, _: Record| {
                here += 1;
                Ok(())
            };
            self.each_of(&name, &mut take, complain).map_err(failed)?;
            match unlinkat(&self.directory, name.as_str(), UnlinkatFlags::NoRemoveDir) {
                Ok(()) => count += here,
                Err(error) => complain(&self.path.join(&name), &explain(&error.into())),
            }
        }
        Ok(count)
    }

    /// Keeps servers away, if none is there, nor a runner of one that has gone.
    fn lock(&self) -> Result<Flock<File>, String> {
        let lock = self.file(LOCK).map_err(|why| format!("its file \"{LOCK}\", which every spool has: {why}"))?;
        let lock = Flock::lock(lock, FlockArg::LockExclusiveNonblock).map_err(|(_, error)| match error {
            Errno::EAGAIN => {
                "a server uses it: stop the server first, or have it reload this library without the script".into()
            }
            error => format!("it cannot be locked: {}", error.desc()),
        })?;
        let (names, _) = self.names().map_err(|error| explain(&error))?;
        for name in names.iter().filter(|name| name.starts_with(AT_WORK)) {
            let file = self.file(name).map_err(|why| format!("\"{}\": {why}", excerpt(name, GLIMPSE)))?;
            if Flock::lock(file, FlockArg::LockSharedNonblock).is_err() {
                return Err("a runner is still at work on events of it: wait until its programs have ended".into());
            }
        }
        Ok(lock)
    }

    /// The files that hold these events, in their order.
    fn files(&self, which: Which, complain: Complain) -> io::Result<Vec<String>> {
        let (names, _) = self.names()?;
        let (ours, others) = match which {
            Which::Pending => {
                let (numbers, others) = sort_out(names.into_iter());
                (numbers.into_iter().map(segment_name).collect(), others)
            }
            Which::GivenUp => {
                let all = names.into_iter().filter(|name| name.starts_with(DEAD_LETTERS));
                all.partition(|name| name == given_up::NAME)
            }
        };
        others
            .iter()
            .for_each(|name| complain(&self.path.join(name), "another version has written it: it is left out"));
        Ok(ours)
    }

    /// Shows the events of a file; what that takes on the disk.
    fn each_of(&self, name: &str, take: Take, complain: Complain) -> io::Result<u64> {
        let mut say = |what: &str| complain(&self.path.join(name), what);
        let file = match self.file(name) {
            Ok(file) => file,
            Err(why) => {
                // All of its events are over meanwhile.
                if self.is_there(name) {
                    say(&why);
                }
                return Ok(0);
            }
        };
        let (mut shown, mut result) = (0, Ok(()));
        let mut show = |at, record: Record| {
            if at >= shown && result.is_ok() {
                shown = at + 1;
                if !record.state.is_over() {
                    result = take(name, record);
                }
            }
            result.is_ok()
        };
        let mut damaged = walk(&file, &mut show);
        if damaged.as_ref().is_ok_and(|damaged| *damaged > 0) {
            thread::sleep(SOON);
            damaged = walk(&file, &mut show);
        }
        match damaged {
            Ok(0) => {}
            Ok(places) => say(&format!("damaged records are left out: {places}")),
            Err(error) => say(&explain(&error)),
        }
        result?;
        Ok(file.metadata().map_or(0, |about| about.blocks() * 512))
    }

    fn is_there(&self, name: &str) -> bool {
        fstatat(&self.directory, name, AtFlags::AT_SYMLINK_NOFOLLOW).is_ok()
    }

    fn file(&self, name: &str) -> Result<File, String> {
        let opened = openat(&self.directory, name, READ, Mode::empty()).map_err(|error| explain(&error.into()))?;
        let file = File::from(opened);
        match file.metadata() {
            Err(error) => Err(explain(&error)),
            Ok(about) if !about.is_file() => Err("it is no file".into()),
            Ok(about) if about.uid() != self.owner => Err(FOREIGN.into()),
            Ok(_) => Ok(file),
        }
    }

    /// What is in the directory; and how many names no text of ours can be.
    fn names(&self) -> io::Result<(Vec<String>, usize)> {
        let (mut names, mut others) = (Vec::new(), 0);
        for entry in Dir::openat(&self.directory, ".", READ | OFlag::O_DIRECTORY, Mode::empty())?.iter() {
            match entry?.file_name().to_str() {
                Ok("." | "..") => {}
                Ok(name) => names.push(name.into()),
                Err(_) => others += 1,
            }
        }
        Ok((names, others))
    }
}

const FOREIGN: &str = "it belongs to another user than the directory that it is in, and is left out";

/// Shows each whole record of a file, as long as that is wanted; how many places hold none.
fn walk(file: &File, show: &mut dyn FnMut(usize, Record) -> bool) -> io::Result<usize> {
    let length = file.metadata()?.len() as usize;
    let (mut at, mut damaged, mut goes_on) = (0, 0, true);
    while at < length && goes_on {
        let looked = look(file, at, length, &mut |at, record| goes_on = show(at, record))?;
        at = looked.0;
        damaged += looked.1;
    }
    Ok(damaged)
}

fn explain(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::PermissionDenied => format!("{error}: be root, or Kea's user"),
        _ if error.raw_os_error() == Some(Errno::ELOOP as i32) => "it is a symbolic link, and left out".into(),
        _ => error.to_string(),
    }
}
