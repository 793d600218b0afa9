//! The segments that are there, and what in each is not over yet.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::SLICE;
use super::directory::open_segment;
use super::record::{Found, Record, SEGMENT, UNIT, decode};
use crate::ids::Seq;

pub struct Segments {
    directory: PathBuf,
    all: BTreeMap<u32, Segment>,
    /// The one that was needed last besides those of which we hold the file.
    recent: Option<(u32, Arc<File>)>,
}

struct Segment {
    /// Events that are not over, as far as they are known.
    unfinished: usize,
    /// Nothing more will be appended, and all its events are known.
    is_whole: bool,
    /// It was there before us, and its events are counted as they are read.
    is_old: bool,
    bytes: u64,
    /// While it is appended to.
    file: Option<Arc<File>>,
}

impl Segments {
    pub fn new(directory: &Path, old: &[u32]) -> Segments {
        let segment = |number: &u32| {
            let bytes =
                fs::symlink_metadata(super::directory::segment(directory, *number)).map_or(0, |about| about.len());
            (*number, Segment { unfinished: 0, is_whole: false, is_old: true, bytes, file: None })
        };
        Segments { directory: directory.into(), all: old.iter().map(segment).collect(), recent: None }
    }

    /// A new one, which will be appended to.
    pub fn add(&mut self, number: u32, file: &Arc<File>) {
        let file = Some(Arc::clone(file));
        self.all.insert(number, Segment { unfinished: 0, is_whole: false, is_old: false, bytes: 0, file });
    }

    pub fn bytes(&self) -> u64 {
        self.all.values().map(|segment| segment.bytes).sum()
    }

    pub fn unfinished(&self) -> usize {
        self.all.values().map(|segment| segment.unfinished).sum()
    }

    /// The greatest id: ids grow from record to record, but for those of events that were put aside and taken back.
    pub fn last_id(&mut self) -> Seq {
        let numbers: Vec<u32> = self.all.keys().rev().copied().collect();
        let last = |number| {
            let bytes = slice(&*self.file(number).ok()?, 0, SEGMENT).ok()?;
            let mut last = None;
            walk(&bytes, true, |_, record| last = last.max(Some(record.id)));
            last
        };
        numbers.into_iter().find_map(last).unwrap_or(0)
    }

    /// The first one behind `number`.
    pub fn after(&self, number: u32) -> Option<u32> {
        self.all.range(number + 1..).next().map(|(next, _)| *next)
    }

    /// So many events more of a segment are known, which are not over.
    pub fn found(&mut self, number: u32, unfinished: usize) {
        if let Some(segment) = self.all.get_mut(&number).filter(|segment| segment.is_old) {
            segment.unfinished += unfinished;
        }
    }

    pub fn file(&mut self, number: u32) -> io::Result<Arc<File>> {
        if let Some(file) = self.all.get(&number).and_then(|segment| segment.file.as_ref()) {
            return Ok(Arc::clone(file));
        }
        if let Some((_, file)) = self.recent.as_ref().filter(|(recent, _)| *recent == number) {
            return Ok(Arc::clone(file));
        }
        let file = Arc::new(open_segment(&self.directory, number)?);
        self.recent = Some((number, Arc::clone(&file)));
        Ok(file)
    }

    pub fn appended(&mut self, number: u32, bytes: u64) {
        if let Some(segment) = self.all.get_mut(&number) {
            segment.unfinished += 1;
            segment.bytes = bytes;
        }
    }

    /// An event is over: the segment, if it was the last there.
    pub fn finished(&mut self, number: u32) -> Option<u32> {
        let segment = self.all.get_mut(&number)?;
        segment.unfinished = segment.unfinished.saturating_sub(1);
        self.forget_if_over(number)
    }

    /// All of its events are known; the segment, if they are over.
    pub fn is_whole(&mut self, number: u32) -> Option<u32> {
        let segment = self.all.get_mut(&number)?;
        (segment.is_whole, segment.file) = (true, None);
        self.forget_if_over(number)
    }

    fn forget_if_over(&mut self, number: u32) -> Option<u32> {
        let segment = self.all.get(&number)?;
        if !segment.is_whole || segment.unfinished > 0 {
            return None;
        }
        self.all.remove(&number);
        self.recent = self.recent.take().filter(|(recent, _)| *recent != number);
        Some(number)
    }
}

/// What is there, up to so many bytes.
fn slice(file: &File, at: usize, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    let mut filled = 0;
    while filled < length {
        match file.read_at(&mut bytes[filled..], (at + filled) as u64)? {
            0 => break,
            count => filled += count,
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

/// Tells `found` of each whole record in one look at a segment, from `from` on and before `end`; where to go on, and how many
/// places hold no whole record.
pub fn look(file: &File, from: usize, end: usize, found: &mut dyn FnMut(usize, Record)) -> io::Result<(usize, usize)> {
    let left = end.saturating_sub(from);
    // A record may be longer than a slice.
    for length in [SLICE, SEGMENT] {
        let bytes = slice(file, from, length.min(left))?;
        let is_all = bytes.len() == left || bytes.len() < length;
        let (to, damaged) = walk(&bytes, is_all, |at, record| found(from + at, record));
        if is_all {
            return Ok((end, damaged));
        }
        if to > 0 {
            return Ok((from + to, damaged));
        }
    }
    Ok((end, 1))
}

/// Tells `found` of each whole record; where it stops, and how many places hold no whole record. A record that the bytes end
/// within is one of these if they are all there are.
fn walk(bytes: &[u8], is_all: bool, mut found: impl FnMut(usize, Record)) -> (usize, usize) {
    let (mut at, mut damaged, mut in_damage) = (0, 0, false);
    while at < bytes.len() {
        let what = decode(bytes, at);
        let is_damage = matches!(what, Found::Damage | Found::Cut);
        match what {
            Found::Cut if !is_all => break,
            Found::Record(record, next) => {
                found(at, record);
                at = next;
            }
            _ => at += UNIT,
        }
        damaged += usize::from(is_damage && !in_damage);
        in_damage = is_damage;
    }
    (at, damaged)
}
