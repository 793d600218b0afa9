//! The spool: events that Kea does not wait for, in files, from before their callout returns until they are over.
//!
//! A directory has numbered files, *segments*, that are appended to and never changed but for one byte a record, its state.
//! Whoever has an event's answer writes that byte: the library, or a runner; both may, which does no harm. A segment whose
//! events are all over is deleted. What is appended after a start goes to a new segment, so that nothing is written behind a
//! record that was torn. Files are written by plain pwrite(2): in a file mapped into memory a full disk would be SIGBUS.
//! Nothing is synced here: the spool survives what Kea's own lease file survives.
//!
//! What is read back is input like any other: Kea's user, or a disk, may have changed it.

mod directory;
mod given_up;
mod marks;
mod reader;
mod record;
mod segments;
#[cfg(test)]
mod tests;
mod writer;

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use nix::errno::Errno;
use parking_lot::Mutex;

use directory::Directory;
pub use directory::check;
use given_up::GivenUp;
pub use given_up::Taken;
pub use marks::Marks;
pub use reader::{Reader, Which};
pub use record::{Place, Record, State};
use record::{SEGMENT, size_in};
use segments::Segments;
use writer::Head;
pub use writer::Unspooled;

use crate::ids::Seq;

/// Of which size a look at a segment is.
const SLICE: usize = 256 * 1024;

pub struct Spool {
    directory: Directory,
    /// In bytes.
    limit: u64,
    /// The number of the first segment of ours.
    number: u32,
    at_work: File,
    head: Mutex<Head>,
    is_stuck: AtomicBool,
    segments: Mutex<Segments>,
    given_up: GivenUp,
    /// Segments before this one were written through after the last append.
    synced: AtomicU32,
}

/// What [`Spool::open`] has found.
pub struct Opened {
    pub spool: Spool,
    /// Where the events of before begin, if there are any.
    pub first: Option<Place>,
    /// The greatest id of them.
    pub last_id: Seq,
    /// Segments of other versions, which are left alone.
    pub others: Vec<String>,
    /// Whom we trust besides root and Kea's user.
    pub warnings: Vec<String>,
    /// What the segments of before take on the disk.
    pub bytes: u64,
}

impl Spool {
    /// Opens a directory, which is made if need be. Of the segments that are there only the last is looked into.
    pub fn open(path: &Path, limit: u64) -> Result<Opened, String> {
        let (directory, warnings) = Directory::open(path)?;
        let failed = |error: io::Error| format!("\"{}\": {error}", path.display());
        let (old, others) = directory.segments().map_err(failed)?;
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = u32::try_from(since.as_secs()).unwrap_or(u32::MAX);
        // Greater than all before, even those of a directory that was deleted.
        let last = directory.libraries().map_err(failed)?.into_iter().chain(old.last().copied()).max();
        let number = last.map_or(Some(now), |last| Some(now.max(last.checked_add(1)?)));
        let number = number.ok_or_else(|| {
            format!("\"{}\": a segment has the greatest number there is: move it away", path.display())
        })?;
        let file = Arc::new(directory.new_segment(number).map_err(failed)?);
        let at_work = directory.begin_work(number).map_err(failed)?;
        // Forgets those that have ended.
        directory.others_at_work(number);
        let mut segments = Segments::new(directory.path(), &old);
        let (bytes, last_id) = (segments.bytes(), segments.last_id());
        segments.add(number, &file);
        let head = Head::new(number, file);
        let first = old.first().map(|first| Place::new(*first, 0));
        let (head, segments, given_up) = (Mutex::new(head), Mutex::new(segments), GivenUp::new(path));
        let (is_stuck, synced) = (AtomicBool::new(false), AtomicU32::new(number));
        let spool = Spool { directory, limit, number, at_work, head, is_stuck, segments, given_up, synced };
        Ok(Opened { spool, first, last_id, others, warnings, bytes })
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Unique among servers and scripts.
    pub fn id(&self) -> u64 {
        self.directory.id()
    }

    /// What says that a runner of ours is at work as long as anybody holds it.
    pub fn at_work(&self) -> &File {
        &self.at_work
    }

    /// Whether a runner of an earlier library is at work, on events that are marked as sent.
    pub fn others_at_work(&self) -> bool {
        self.directory.others_at_work(self.number)
    }

    /// Reads on from a place, as much as one look shows: `found` is told each event that is not over. Also returns where to go
    /// on, which is the writer's tail if nothing more has been appended, and how many places hold no whole record. An error says
    /// that it cannot be read now.
    pub fn read(&self, from: Place, mut found: impl FnMut(Place, Record)) -> io::Result<(Place, usize)> {
        let number = from.segment();
        let tail = {
            let head = self.head().ok_or(ErrorKind::WouldBlock)?;
            (head.number == number).then_some(head.tail)
        };
        let file = self.segments.lock().file(number);
        let (mut end, mut unfinished) = (tail.unwrap_or_default(), 0);
        let mut tell = |at, record: Record| {
            if !record.state.is_over() {
                unfinished += 1;
                found(Place::new(number, at), record);
            }
        };
        let looked = file.and_then(|file| {
            if tail.is_none() {
                end = file.metadata()?.len().min(SEGMENT as u64) as usize;
            }
            segments::look(&file, from.at(), end, &mut tell)
        });
        let (at, damaged, is_known) = match looked {
            Ok((at, damaged)) => (at, damaged, true),
            Err(error) if is_passing(&error) => return Err(error),
            // All that it had was over.
            Err(error) if error.kind() == ErrorKind::NotFound => (end, 0, true),
            // What it has may be read at the next start.
            Err(_) => (end, 1, false),
        };
        let mut segments = self.segments.lock();
        segments.found(number, unfinished);
        if tail.is_some() || at < end {
            return Ok((Place::new(number, at), damaged));
        }
        let next = segments.after(number).unwrap_or(number);
        let over = if is_known { segments.is_whole(number) } else { None };
        drop(segments);
        self.remove(over);
        Ok((Place::new(next, 0), damaged))
    }

    /// Appends the text of an event to `out`.
    pub fn text(&self, place: Place, id: Seq, out: &mut String) -> io::Result<()> {
        let file = self.segments.lock().file(place.segment())?;
        let header = marks::read_header(&file, place, id)?;
        let mut bytes = vec![0; size_in(&header).min(SEGMENT)];
        file.read_exact_at(&mut bytes, place.at() as u64)?;
        match record::decode(&bytes, 0) {
            record::Found::Record(record, _) => out.push_str(record.text),
            _ => return Err(io::Error::new(ErrorKind::InvalidData, "its record is damaged")),
        }
        Ok(())
    }

    /// Says how far an event is.
    pub fn mark(&self, place: Place, id: Seq, state: State) -> io::Result<()> {
        let file = self.segments.lock().file(place.segment())?;
        marks::mark(&file, place, id, state)
    }

    /// How far an event is: a runner may have marked it.
    pub fn state(&self, place: Place, id: Seq) -> io::Result<State> {
        let file = self.segments.lock().file(place.segment())?;
        marks::state(&file, place, id)
    }

    /// An event is over, and will not be there at the next start.
    pub fn finish(&self, place: Place, id: Seq, state: State) -> io::Result<()> {
        let marked = self.mark(place, id, state);
        let over = self.segments.lock().finished(place.segment());
        self.remove(over);
        marked
    }

    /// Deletes a segment whose events are all over: without the lock, for the disk may stand still.
    fn remove(&self, over: Option<u32>) {
        over.into_iter().for_each(|over| self.directory.remove_segment(over));
    }

    /// Puts an event aside, which nobody shall handle before an administrator has asked for that.
    pub fn give_up(&self, place: Place, id: Seq) -> io::Result<()> {
        let mut text = String::new();
        self.text(place, id, &mut text)?;
        self.given_up.add(id, &text)?;
        self.finish(place, id, State::GivenUp)
    }

    /// Takes back what was put aside: it is for `take` to append it again.
    pub fn take_given_up(&self, take: impl FnMut(Seq, &str) -> Result<(), Unspooled>) -> Taken {
        self.given_up.take(take)
    }

    /// How many events are not over, as far as they have been read.
    pub fn unfinished(&self) -> usize {
        self.segments.lock().unfinished()
    }

    /// Has the disk take what has been appended (fdatasync(2)): for a thread that has time.
    pub fn sync(&self) -> io::Result<()> {
        let (number, file) = {
            let head = self.head.lock();
            (head.number, Arc::clone(&head.file))
        };
        for full in self.synced.load(Ordering::Relaxed)..number {
            // One that is gone has nothing to lose.
            let file = self.segments.lock().file(full);
            file.map_or(Ok(()), |file| file.sync_data())?;
        }
        file.sync_data()?;
        self.synced.store(number, Ordering::Relaxed);
        Ok(())
    }
}

/// Whether it says of a file only that there is want of something else, for now.
pub fn is_passing(error: &io::Error) -> bool {
    let want = [Errno::EMFILE, Errno::ENFILE, Errno::ENOMEM, Errno::EAGAIN];
    error.kind() == ErrorKind::Interrupted || want.iter().any(|errno| error.raw_os_error() == Some(*errno as i32))
}

impl Drop for Spool {
    /// What has nothing in it is not left behind.
    fn drop(&mut self) {
        let head = self.head.get_mut();
        let (number, spare) = (head.number, head.spare.take());
        spare.iter().for_each(|_| self.directory.remove_segment(number + 1));
        let over = self.segments.get_mut().is_whole(number);
        self.remove(over);
    }
}
