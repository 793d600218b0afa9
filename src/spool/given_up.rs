//! Events that are put aside: records like those of a segment, in a file of their own. The state byte of one that was taken
//! back says that it is over here, and the file goes with the last of them.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;

use super::Unspooled;
use super::directory::{create, open};
use super::record::{STATE_AT, State, UNIT, encode};
use super::segments::look;
use crate::ids::Seq;

pub const NAME: &str = "given-up.v1";

pub struct GivenUp {
    path: PathBuf,
    /// The worker adds, and a thread of Kea's takes.
    lock: Mutex<()>,
}

/// What has become of the events that were put aside.
#[derive(Debug, Default)]
pub struct Taken {
    pub events: usize,
    /// Why the others stay, if there are others.
    pub refused: Option<Unspooled>,
}

impl GivenUp {
    pub fn new(directory: &Path) -> GivenUp {
        GivenUp { path: directory.join(NAME), lock: Mutex::default() }
    }

    pub fn add(&self, id: Seq, text: &str) -> io::Result<()> {
        let _lock = self.lock.lock();
        let mut file = create(&self.path, false)?;
        let end = file.seek(SeekFrom::End(0))?;
        let mut bytes = Vec::new();
        encode(id, text, &mut bytes);
        // What an earlier write has left of a record ends at a unit.
        file.seek(SeekFrom::Start(end.next_multiple_of(UNIT as u64)))?;
        file.write_all(&bytes)
    }

    /// Offers each to `take`, the oldest first, until it refuses one. An event is forgotten here only when it has been taken:
    /// if this process is killed in between, there are two of it, which does no harm.
    pub fn take(&self, mut take: impl FnMut(Seq, &str) -> Result<(), Unspooled>) -> Taken {
        let _lock = self.lock.lock();
        let mut taken = Taken::default();
        let looked = self.each(|file, at, id, text| {
            if taken.refused.is_some() {
                return;
            }
            let forget = |()| file.write_all_at(&[State::Done.byte()], (at + STATE_AT) as u64).map_err(Unspooled::Io);
            match take(id, text).and_then(forget) {
                Ok(()) => taken.events += 1,
                Err(why) => taken.refused = Some(why),
            }
        });
        match looked {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => taken.refused = Some(Unspooled::Io(error)),
            // If that fails, they are all marked.
            Ok(()) if taken.refused.is_none() => _ = fs::remove_file(&self.path),
            Ok(()) => {}
        }
        taken
    }

    /// Tells `found` of each that has not been taken, and where it is.
    fn each(&self, mut found: impl FnMut(&File, usize, Seq, &str)) -> io::Result<()> {
        let file = open(&self.path)?;
        let end = file.metadata()?.len() as usize;
        let mut at = 0;
        while at < end {
            let mut tell = |at, record: super::Record| {
                if !record.state.is_over() {
                    found(&file, at, record.id, record.text);
                }
            };
            (at, _) = look(&file, at, end, &mut tell)?;
        }
        Ok(())
    }
}
