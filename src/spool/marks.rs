//! Marks: the byte that says how far an event is, written by whoever knows.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::directory::{open_segment, segments};
use super::record::{Found, HEADER, Place, STATE_AT, State, UNIT, decode, is_header_of, state_in};
use crate::ids::Seq;

/// A spool of another process: this is all that a runner needs.
pub struct Marks {
    directory: PathBuf,
}

impl Marks {
    pub fn new(directory: PathBuf) -> Marks {
        Marks { directory }
    }

    /// Says so of the event with this id, whose record is there.
    pub fn mark(&self, place: Place, id: Seq, state: State) -> io::Result<()> {
        mark(&open_segment(&self.directory, place.segment())?, place, id, state)
    }

    /// The place of an event that a handler has been sent: for a daemon's answers, which name ids alone.
    pub fn find(&self, id: Seq) -> io::Result<Option<Place>> {
        for segment in segments(&self.directory)?.0.into_iter().rev() {
            match find_sent(&self.directory, segment, id) {
                Ok(Some(at)) => return Ok(Some(Place::new(segment, at))),
                // Another server, or another runner, may have deleted it meanwhile.
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(None)
    }
}

fn find_sent(directory: &Path, segment: u32, id: Seq) -> io::Result<Option<usize>> {
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut open_segment(directory, segment)?, &mut bytes)?;
    let (mut at, mut last) = (0, None);
    while at < bytes.len() {
        at = match decode(&bytes, at) {
            Found::Record(record, next) => {
                // One that was put aside and taken back has another further on.
                let is_sent = record.id == id && matches!(record.state, State::Sent(_));
                last = if is_sent { Some(at) } else { last };
                next
            }
            _ => at + UNIT,
        };
    }
    Ok(last)
}

/// Marks a record in an open segment.
pub fn mark(file: &File, place: Place, id: Seq, state: State) -> io::Result<()> {
    read_header(file, place, id)?;
    file.write_all_at(&[state.byte()], (place.at() + STATE_AT) as u64)
}

/// How far an event is.
pub fn state(file: &File, place: Place, id: Seq) -> io::Result<State> {
    read_header(file, place, id).map(|header| state_in(&header))
}

pub fn read_header(file: &File, place: Place, id: Seq) -> io::Result<[u8; HEADER]> {
    let mut header = [0; HEADER];
    file.read_exact_at(&mut header, place.at() as u64)?;
    match is_header_of(&header, id) {
        true => Ok(header),
        false => Err(io::Error::new(ErrorKind::InvalidData, "its record is there no more")),
    }
}
