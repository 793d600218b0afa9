//! Where events are appended: the last segment, by one thread at a time.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use parking_lot::MutexGuard;

use super::record::{Place, SEGMENT, encode, size};
use super::{SLICE, Spool};
use crate::ids::Seq;

/// So long may an append keep others waiting: then the disk stands still, and they go on without it.
const PATIENCE: Duration = Duration::from_millis(100);

/// Why an event is not in the spool.
#[derive(Debug)]
pub enum Unspooled {
    /// The limit is reached, or the disk is full.
    Full,
    /// Others have been waiting for the disk, for longer than they may.
    Stuck,
    /// No segment could hold it.
    TooLong,
    Io(io::Error),
}

impl std::fmt::Display for Unspooled {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        match self {
            Unspooled::Full => f.write_str("spool-limit is reached, or its disk is full"),
            Unspooled::Stuck => f.write_str("its disk does not answer"),
            Unspooled::TooLong => write!(f, "an event has more than {SEGMENT} bytes"),
            Unspooled::Io(error) => error.fmt(f),
        }
    }
}

/// Where the next record goes.
pub(super) struct Head {
    pub number: u32,
    pub file: Arc<File>,
    pub tail: usize,
    /// The next segment, made beforehand: no packet's thread makes a file.
    pub spare: Option<File>,
    /// A record is one write.
    buffer: Vec<u8>,
}

impl Head {
    pub fn new(number: u32, file: Arc<File>) -> Head {
        Head { number, file, tail: 0, spare: None, buffer: Vec::new() }
    }
}

impl Spool {
    /// For appending an event, one thread at a time.
    pub fn writer(&self) -> Result<Writer<'_>, Unspooled> {
        self.head().map(|head| Writer { spool: self, head }).ok_or(Unspooled::Stuck)
    }

    /// Where the next record goes; `None` while the disk keeps the one who appends.
    pub(super) fn head(&self) -> Option<MutexGuard<'_, Head>> {
        let patience = if self.is_stuck.load(Ordering::Relaxed) { Duration::ZERO } else { PATIENCE };
        let head = self.head.try_lock_for(patience);
        if head.is_none() {
            self.is_stuck.store(true, Ordering::Relaxed);
        }
        head
    }

    /// Makes the next segment beforehand: for a thread that has time.
    pub fn prepare(&self) {
        let half_full = |head: &MutexGuard<Head>| head.spare.is_none() && head.tail >= SEGMENT / 2;
        let Some(next) = self.head().filter(half_full).map(|head| head.number + 1) else { return };
        let Ok(file) = self.directory.new_segment(next) else { return };
        match self.head() {
            Some(mut head) => head.spare = Some(file),
            None => self.directory.remove_segment(next),
        }
    }

    fn rotate(&self, head: &mut Head) -> Result<(), Unspooled> {
        if self.segments.lock().bytes() + SEGMENT as u64 > self.limit {
            return Err(Unspooled::Full);
        }
        let number = head.number + 1;
        let file = match head.spare.take() {
            Some(spare) => spare,
            None => self.directory.new_segment(number).map_err(unspooled)?,
        };
        head.file = Arc::new(file);
        let before = std::mem::replace(&mut head.number, number);
        head.tail = 0;
        let over = {
            let mut segments = self.segments.lock();
            segments.add(number, &head.file);
            segments.is_whole(before)
        };
        self.remove(over);
        Ok(())
    }
}

/// Who appends: until it is dropped, nobody else does.
pub struct Writer<'a> {
    spool: &'a Spool,
    head: MutexGuard<'a, Head>,
}

impl Writer<'_> {
    /// Appends an event. When this returns, no end of this process loses the event.
    pub fn append(&mut self, id: Seq, text: &str) -> Result<Place, Unspooled> {
        let (spool, head) = (self.spool, &mut *self.head);
        let length = size(text);
        if length > SEGMENT {
            return Err(Unspooled::TooLong);
        }
        if head.tail + length > SEGMENT {
            spool.rotate(head)?;
        }
        encode(id, text, &mut head.buffer);
        // What is written in part is written over by the next.
        match head.file.write_at(&head.buffer, head.tail as u64) {
            Ok(written) if written == length => {}
            Ok(_) => return Err(Unspooled::Full),
            Err(error) => return Err(unspooled(error)),
        }
        head.buffer.clear();
        head.buffer.shrink_to(SLICE);
        let place = Place::new(head.number, head.tail);
        head.tail += length;
        spool.segments.lock().appended(place.segment(), head.tail as u64);
        Ok(place)
    }

    /// Where the next record will be.
    pub fn tail(&self) -> Place {
        Place::new(self.head.number, self.head.tail)
    }
}

impl Drop for Writer<'_> {
    fn drop(&mut self) {
        self.spool.is_stuck.store(false, Ordering::Relaxed);
    }
}

fn unspooled(error: io::Error) -> Unspooled {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Unspooled::Full,
        _ => Unspooled::Io(error),
    }
}
