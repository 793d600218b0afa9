//! Signed writes that were served: the protocol has no nonce, so whoever has recorded one could send it again. Their
//! signatures are remembered, in memory and, with `--state`, on disk, before they are carried out. What then changes nothing
//! is forgotten again: on disk a mark that comes a second time takes itself back.
//!
//! At least the last 65,536 are known, at most twice as many: there are two generations, and a full one takes the place of
//! the one before it.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Signatures of a generation.
const GENERATION: usize = 64 << 10;
/// Of a signature so many bytes are kept: all of hmac-md5's.
const KEPT: usize = 16;

const FILE: &str = "served";
const OLD_FILE: &str = "served.old";
const NEW_FILE: &str = "served.new";
const MODE: u32 = 0o600;

type Mark = [u8; KEPT];

/// What was served.
#[derive(Default)]
pub struct Served {
    new: HashSet<Mark>,
    old: HashSet<Mark>,
    /// Marks of the new generation, with those that were taken back.
    written: usize,
    disk: Option<Disk>,
}

struct Disk {
    directory: PathBuf,
    file: File,
}

impl Served {
    /// Reads what the directory knows, and goes on there.
    ///
    /// # Errors
    /// If the directory cannot be used.
    pub fn open(directory: &Path) -> io::Result<Served> {
        let file = open(directory)?;
        // A power cut may have left a part of a mark.
        file.set_len((file.metadata()?.len() / KEPT as u64) * KEPT as u64)?;
        let new = marks(&directory.join(FILE))?;
        let old = known(&marks(&directory.join(OLD_FILE))?);
        let disk = Disk { directory: directory.into(), file };
        Ok(Served { new: known(&new), old, written: new.len(), disk: Some(disk) })
    }

    /// Whether this signature is new. It is none from then on, also after a crash.
    ///
    /// # Errors
    /// If it cannot be written down.
    pub fn is_new(&mut self, signature: &[u8]) -> io::Result<bool> {
        let mark = mark(signature);
        if self.new.contains(&mark) || self.old.contains(&mark) {
            return Ok(false);
        }
        if self.new.len() >= GENERATION {
            self.turn()?;
        } else if self.written >= 2 * GENERATION {
            self.compact()?;
        }
        self.write(mark)?;
        if let Some(disk) = &self.disk {
            disk.file.sync_data()?;
        }
        self.new.insert(mark);
        Ok(true)
    }

    /// This signature is new again. After a crash of the machine it may not be.
    ///
    /// # Errors
    /// If that cannot be written down.
    pub fn forget(&mut self, signature: &[u8]) -> io::Result<()> {
        let mark = mark(signature);
        self.old.remove(&mark);
        if self.new.contains(&mark) {
            self.write(mark)?;
            self.new.remove(&mark);
        }
        Ok(())
    }

    fn write(&mut self, mark: Mark) -> io::Result<()> {
        if let Some(disk) = &mut self.disk {
            let length = disk.file.metadata()?.len();
            // A part of a mark would put all after it out of step.
            disk.file.write_all(&mark).inspect_err(|_| _ = disk.file.set_len(length))?;
        }
        self.written += 1;
        Ok(())
    }

    /// Leaves out what was taken back.
    fn compact(&mut self) -> io::Result<()> {
        if let Some(disk) = &mut self.disk {
            let new = disk.directory.join(NEW_FILE);
            let mut file = File::options().create(true).write(true).truncate(true).mode(MODE).open(&new)?;
            file.write_all(&self.new.iter().copied().collect::<Vec<Mark>>().concat())?;
            file.sync_all()?;
            std::fs::rename(&new, disk.directory.join(FILE))?;
            disk.file = open(&disk.directory)?;
            File::open(&disk.directory)?.sync_all()?;
        }
        self.written = self.new.len();
        Ok(())
    }

    fn turn(&mut self) -> io::Result<()> {
        if let Some(disk) = &mut self.disk {
            let path = disk.directory.join(FILE);
            match std::fs::rename(&path, disk.directory.join(OLD_FILE)) {
                // Renamed before, when no new file could be made.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                done => done?,
            }
            disk.file = open(&disk.directory)?;
            File::open(&disk.directory)?.sync_all()?;
        }
        self.old = std::mem::take(&mut self.new);
        self.written = 0;
        Ok(())
    }
}

fn open(directory: &Path) -> io::Result<File> {
    File::options().create(true).append(true).mode(MODE).open(directory.join(FILE))
}

fn mark(signature: &[u8]) -> Mark {
    let mut mark = [0; KEPT];
    let count = signature.len().min(KEPT);
    mark[..count].copy_from_slice(&signature[..count]);
    mark
}

/// Those that were not taken back.
fn known(marks: &[Mark]) -> HashSet<Mark> {
    let mut known = HashSet::new();
    for mark in marks {
        if !known.insert(*mark) {
            known.remove(mark);
        }
    }
    known
}

fn marks(path: &Path) -> io::Result<Vec<Mark>> {
    let mut bytes = Vec::new();
    match File::open(path) {
        Ok(file) => file.take((2 * GENERATION * KEPT) as u64).read_to_end(&mut bytes)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
        Err(error) => return Err(error),
    };
    Ok(bytes.chunks_exact(KEPT).filter_map(|mark| mark.try_into().ok()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_new_once_also_after_a_restart() {
        let directory = std::env::temp_dir().join(format!("kea-omapi-served-{}", std::process::id()));
        std::fs::create_dir(&directory).unwrap();
        let mut served = Served::open(&directory).unwrap();
        assert!(served.is_new(&[1; 32]).unwrap() && !served.is_new(&[1; 32]).unwrap());
        served = Served::open(&directory).unwrap();
        assert!(!served.is_new(&[1; 32]).unwrap() && served.is_new(&[2; 16]).unwrap());
        served.turn().unwrap();
        assert!(!served.is_new(&[2; 16]).unwrap() && served.is_new(&[3; 16]).unwrap());
        File::options().append(true).open(directory.join(FILE)).unwrap().write_all(&[9; 5]).unwrap();
        served = Served::open(&directory).unwrap();
        assert!((1..4).all(|n| !served.is_new(&[n; 16]).unwrap()));
        assert!(served.is_new(&[4; 16]).unwrap());
        assert!(!Served::open(&directory).unwrap().is_new(&[4; 16]).unwrap());
        std::fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn what_was_forgotten_is_new_again() {
        let directory = std::env::temp_dir().join(format!("kea-omapi-forgotten-{}", std::process::id()));
        std::fs::create_dir(&directory).unwrap();
        let mut served = Served::open(&directory).unwrap();
        for _ in 0..2 {
            assert!(served.is_new(&[1; 16]).unwrap() && served.is_new(&[2; 16]).unwrap());
            served.forget(&[1; 16]).unwrap();
            served.forget(&[1; 16]).unwrap();
            assert!(!served.is_new(&[2; 16]).unwrap());
            served = Served::open(&directory).unwrap();
            assert!(!served.is_new(&[2; 16]).unwrap());
            served.forget(&[2; 16]).unwrap();
        }
        served = Served::open(&directory).unwrap();
        assert!(served.is_new(&[1; 16]).unwrap() && !served.is_new(&[1; 16]).unwrap());
        served.compact().unwrap();
        assert!(served.is_new(&[3; 16]).unwrap());
        served = Served::open(&directory).unwrap();
        assert!(
            !served.is_new(&[1; 16]).unwrap() && served.is_new(&[2; 16]).unwrap() && !served.is_new(&[3; 16]).unwrap()
        );
        std::fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn the_memory_is_bounded() {
        let mut served = Served::default();
        let mark = |n: usize| [&n.to_be_bytes()[..], &[7; 8]].concat();
        assert!((0..3 * GENERATION).all(|n| served.is_new(&mark(n)).unwrap()));
        assert!((2 * GENERATION..3 * GENERATION).all(|n| !served.is_new(&mark(n)).unwrap()));
        assert!(served.new.len() + served.old.len() <= 2 * GENERATION);
        assert!(served.is_new(&mark(0)).unwrap());
        // What changes nothing takes no room, and drives nothing out.
        let mut served = Served::default();
        assert!(served.is_new(&mark(0)).unwrap());
        (1..3 * GENERATION).for_each(|n| {
            assert!(served.is_new(&mark(n)).unwrap());
            served.forget(&mark(n)).unwrap();
        });
        assert!(served.written <= 2 * GENERATION && !served.is_new(&mark(0)).unwrap());
    }
}
