//! Whom we trust with a program that Kea's user runs: root, Kea's user, and nobody else on the way to it.
//!
//! Looked at is what the kernel meets when it looks the path up: each directory from `/` on, each symbolic link with the
//! directory that holds it and all that its target leads through, and the program. Modes say who may write: an ACL shows in
//! the bits of the group (acl(5), the mask). On a mount that is read-only nobody can change a directory.
//!
//! Between a look and the start a path may be changed, but only by those whom the look has found able to: root and Kea's
//! user, and whom a warning names. Not covered: who had the file open for writing before its mode was mended; another,
//! writable mount of a directory whose mount here is read-only; and what the program runs and reads in its turn, its
//! interpreter, libraries and files.

use std::ffi::OsString;
use std::fmt::Display;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use nix::sys::statvfs::{FsFlags, statvfs};
use nix::unistd::Uid;

use crate::text::printable;

const BY_OTHERS: u32 = 0o022;
const BY_GROUP: u32 = 0o020;
/// Nobody but its owner and that of the directory may rename or remove what is in there.
const STICKY: u32 = 0o1000;

/// As many as Linux follows (path_resolution(7)).
const MOST_LINKS: usize = 40;

/// What is found at the end of a way.
#[derive(Clone, Copy, PartialEq)]
enum Goal {
    Program,
    Directory,
    /// Who listens there is another question.
    Socket,
}

/// A reason not to trust, as what is said of the program.
enum Doubt {
    Refusal(String),
    /// A refusal to those who are strict.
    Warning(String),
}

/// One of the ways to look at a program: why it must not be run, else warnings.
pub type Trust = fn(&Path) -> Result<Vec<String>, String>;

/// The way of [`program`], by whether it is strict.
pub fn program_by(strict: bool) -> Trust {
    if strict { |path| program(path, true) } else { |path| program(path, false) }
}

/// Strictly, in a sandbox of systemd's: that a mount is read-only there says nothing of what others may do outside.
pub fn in_a_sandbox(path: &Path) -> Result<Vec<String>, String> {
    look(path, Goal::Program, &[], true, |_| false)
}

/// Why a program must not be run; else the warnings. `strict` makes refusals of these.
///
/// A way that does not lead to its end has no reason here: the start fails, and says why.
pub fn program(path: &Path, strict: bool) -> Result<Vec<String>, String> {
    look(path, Goal::Program, &[], strict, is_read_only)
}

/// The same for a directory of programs.
pub fn directory(path: &Path, strict: bool) -> Result<Vec<String>, String> {
    look(path, Goal::Directory, &[], strict, is_read_only)
}

/// The same for the way to a socket on which this user listens, who may own directories there.
pub fn socket(path: &Path, listener: u32, strict: bool) -> Result<Vec<String>, String> {
    look(path, Goal::Socket, &[listener], strict, is_read_only)
}

/// `is_safe` says of a place that nobody can change it.
fn look(
    path: &Path,
    goal: Goal,
    friends: &[u32],
    strict: bool,
    is_safe: fn(&Path) -> bool,
) -> Result<Vec<String>, String> {
    let mut trusted = vec![0, Uid::effective().as_raw()];
    trusted.extend(friends);
    // Whoever owns it can replace all. In a user namespace that may be root, under the number of nobody.
    trusted.extend(fs::metadata("/").map(|root| root.uid()));
    let mut doubts = Vec::new();
    let end = walk(path, |place, metadata, is_end| {
        let found = match is_end {
            true if goal == Goal::Socket => vec![],
            true if goal == Goal::Program => of_program(place, metadata, &trusted, is_safe),
            _ => of_place(place, metadata, is_end, &trusted, is_safe),
        };
        doubts.extend(found);
    });
    // The kernel can go where we could not look: on a path that is too long in one piece, for one.
    if let Some(error) = end.err().filter(|_| path.metadata().is_ok()) {
        return Err(format!("cannot be looked at, on the way to it: {error}; give another path"));
    }
    let mut warnings = Vec::new();
    for doubt in doubts {
        match doubt {
            Doubt::Refusal(reason) => return Err(reason),
            Doubt::Warning(reason) if strict => return Err(reason),
            Doubt::Warning(reason) => warnings.push(reason),
        }
    }
    Ok(warnings)
}

/// Shows what a look-up of `path` meets, with its place, as long as it finds something; and whether that is the end.
fn walk(path: &Path, mut meet: impl FnMut(&Path, &Metadata, bool)) -> io::Result<()> {
    let mut here = PathBuf::from("/");
    // The next one last.
    let mut names = names(&std::path::absolute(path)?);
    let mut links = 0;
    meet(&here, &here.symlink_metadata()?, names.is_empty());
    while let Some(name) = names.pop() {
        if name == ".." {
            here.pop();
            continue;
        }
        let place = here.join(name);
        let metadata = place.symlink_metadata()?;
        meet(&place, &metadata, names.is_empty() && !metadata.is_symlink());
        if !metadata.is_symlink() {
            here = place;
            continue;
        }
        links += 1;
        if links > MOST_LINKS {
            return Err(Errno::ELOOP.into());
        }
        let target = fs::read_link(&place)?;
        if target.is_absolute() {
            here = PathBuf::from("/");
        }
        names.extend(self::names(&target));
    }
    Ok(())
}

/// The names that a path is made of, the last one first.
fn names(path: &Path) -> Vec<OsString> {
    let name = |component: Component| match component {
        Component::Normal(_) | Component::ParentDir => Some(component.as_os_str().to_owned()),
        _ => None,
    };
    path.components().rev().filter_map(name).collect()
}

fn of_program(place: &Path, program: &Metadata, trusted: &[u32], is_safe: fn(&Path) -> bool) -> Vec<Doubt> {
    let mode = program.mode() & 0o7777;
    let writable = (mode & BY_OTHERS != 0).then(|| {
        Doubt::Refusal(format!(
            "may be written by others than its owner (mode {mode:o}), who could make Kea run anything; chmod go-w it"
        ))
    });
    let foreign = foreign("", program, trusted, "it").filter(|_| !is_safe(place));
    writable.into_iter().chain(foreign).collect()
}

/// Of a directory or a link on the way, or at its end.
fn of_place(
    place: &Path,
    metadata: &Metadata,
    is_end: bool,
    trusted: &[u32],
    is_safe: fn(&Path) -> bool,
) -> Vec<Doubt> {
    let mut name = String::new();
    printable(place.as_os_str().as_bytes(), &mut name);
    let subject = match is_end {
        true => String::new(),
        false if metadata.is_symlink() => format!("is reached by the link {name}, which "),
        false => format!("is below {name}, which "),
    };
    let mode = metadata.mode() & 0o7777;
    let writable = match mode & BY_OTHERS {
        _ if metadata.is_symlink() || mode & STICKY != 0 => None,
        0 => None,
        BY_GROUP => Some(Doubt::Warning(format!(
            "{subject}may be written by a group (mode {mode:o}, group {}): its members could put another in its place; \
             chmod g-w {name}",
            metadata.gid()
        ))),
        _ => Some(Doubt::Refusal(format!(
            "{subject}may be written by everybody (mode {mode:o}): anybody could put another in its place; \
             chmod o-w {name}"
        ))),
    };
    let doubts: Vec<_> = writable.into_iter().chain(foreign(&subject, metadata, trusted, &name)).collect();
    if doubts.is_empty() || is_safe(place) { vec![] } else { doubts }
}

fn foreign(subject: &str, metadata: &Metadata, trusted: &[u32], name: impl Display) -> Option<Doubt> {
    let owner = metadata.uid();
    (!trusted.contains(&owner)).then(|| {
        Doubt::Warning(format!(
            "{subject}belongs to user {owner}, neither root nor Kea's user, who could put another in its place; \
             chown root {name}"
        ))
    })
}

/// Whether nobody can change the place. Of a link, the directory that holds it counts.
fn is_read_only(place: &Path) -> bool {
    let place = place.parent().filter(|_| place.is_symlink()).unwrap_or(place);
    statvfs(place).is_ok_and(|mount| mount.flags().contains(FsFlags::ST_RDONLY))
}

#[cfg(test)]
mod tests;
