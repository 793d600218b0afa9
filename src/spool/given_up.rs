//! Events that are put aside: records like those of a segment, in a file of their own.

use std::fs;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::directory::{create, open};
use super::record::{Found, UNIT, decode, encode};
use crate::order::Seq;

const NAME: &str = "given-up.v1";

pub fn add(directory: &Path, id: Seq, text: &str) -> io::Result<()> {
    let mut file = create(&directory.join(NAME), false)?;
    let end = file.seek(SeekFrom::End(0))?;
    let mut bytes = Vec::new();
    encode(id, text, &mut bytes);
    // What an earlier write has left of a record ends at a unit.
    file.seek(SeekFrom::Start(end.next_multiple_of(UNIT as u64)))?;
    file.write_all(&bytes)
}

/// All of them, the oldest first.
pub fn list(directory: &Path) -> io::Result<Vec<(Seq, String)>> {
    let mut bytes = Vec::new();
    match open(&directory.join(NAME)) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(vec![]),
        file => file?.read_to_end(&mut bytes)?,
    };
    let (mut events, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        at = match decode(&bytes, at) {
            Found::Record(record, next) => {
                events.push((record.id, record.text.into()));
                next
            }
            _ => at + UNIT,
        };
    }
    Ok(events)
}

/// The same, and forgets them.
pub fn take(directory: &Path) -> io::Result<Vec<(Seq, String)>> {
    let events = list(directory)?;
    match fs::remove_file(directory.join(NAME)) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(events),
    }
}
