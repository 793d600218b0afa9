//! Marks in the library's spool: an event that is over says so in its record before anybody is told, and does not come again,
//! whatever becomes of the library.

use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::errno::Errno;

use super::complain;
use crate::ids::Seq;
use crate::spool::{Marks, Place, State};
use crate::syscall::failed;
use crate::verdict::{Level, LogLine};

/// Where to mark; nowhere before the library has said so.
#[derive(Default)]
pub struct Marking {
    spool: Mutex<Spool>,
    /// The last mark could not be made.
    has_failed: AtomicBool,
}

#[derive(Default)]
struct Spool {
    marks: Option<Arc<Marks>>,
    /// They say that we are at work: they are open until our end.
    locks: Vec<OwnedFd>,
}

impl Marking {
    /// From now on in this directory.
    pub fn begin(&self, directory: PathBuf, lock: Option<OwnedFd>) {
        if lock.is_none() {
            complain(failed("the lock of the spool", Errno::EMFILE));
        }
        let mut spool = self.lock();
        spool.marks = Some(Arc::new(Marks::new(directory)));
        spool.locks.extend(lock);
    }

    /// The event of this number, whose record is there, is over; a line for the log if the mark is the first that fails.
    pub fn done_at(&self, place: Place, seq: Seq) -> Option<LogLine> {
        self.mark(|marks| marks.mark(place, seq, State::Done))
    }

    /// The same of an event whose record has to be found, if it has one.
    pub fn done(&self, seq: Seq) -> Option<LogLine> {
        self.mark(|marks| match marks.find(seq)? {
            Some(place) => marks.mark(place, seq, State::Done),
            None => Ok(()),
        })
    }

    fn mark(&self, mark: impl FnOnce(&Marks) -> io::Result<()>) -> Option<LogLine> {
        let marks = self.lock().marks.clone()?;
        match mark(&marks) {
            Ok(()) => {
                self.has_failed.store(false, Ordering::Relaxed);
                None
            }
            Err(_) if self.has_failed.swap(true, Ordering::Relaxed) => None,
            Err(error) => Some(LogLine::new(Level::Warn, format!("its mark: {error}"))),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Spool> {
        self.spool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
