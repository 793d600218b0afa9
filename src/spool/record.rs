//! A record: an event in a segment, and the one byte of it that changes.

use std::fmt;

use crate::ids::Seq;

/// Records begin at multiples of it.
pub const UNIT: usize = 64;
const UNIT_BITS: u32 = 17;
/// A segment is no longer: 8 MiB.
pub const SEGMENT: usize = UNIT << UNIT_BITS;

/// A byte that is in no UTF-8, so that no text looks like it, and the version.
const MAGIC: [u8; 4] = [0xff, b'E', b'v', 1];
/// Magic, length of the text, id, CRC-32 of these two and the text, state, three zeros.
pub const HEADER: usize = 24;
const LENGTH_AT: usize = 4;
const ID_AT: usize = 8;
const CRC_AT: usize = 16;
pub const STATE_AT: usize = 20;

/// Numbers up to here are exact in every JSON.
const LAST_ID: Seq = (1 << 53) - 1;

/// Where a record is: its segment's number, and its unit in there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place(u64);

impl Place {
    pub fn new(segment: u32, at: usize) -> Place {
        Place(u64::from(segment) << UNIT_BITS | (at / UNIT) as u64)
    }

    pub fn of(number: u64) -> Place {
        Place(number)
    }

    pub fn number(self) -> u64 {
        self.0
    }

    pub fn segment(self) -> u32 {
        (self.0 >> UNIT_BITS) as u32
    }

    pub fn at(self) -> usize {
        (self.0 & ((1 << UNIT_BITS) - 1)) as usize * UNIT
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{:010}+{}", self.segment(), self.at())
    }
}

/// How far an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Pending,
    /// A handler has had it so often: three stands for more, too.
    Sent(u32),
    Done,
    GivenUp,
}

impl State {
    pub fn byte(self) -> u8 {
        match self {
            State::Pending => b'0',
            State::Sent(times) => b'0' + times.clamp(1, 3) as u8,
            State::Done => b'D',
            State::GivenUp => b'G',
        }
    }

    /// A byte that means nothing has been damaged: such an event may not have been handled.
    fn of(byte: u8) -> State {
        match byte {
            b'1'..=b'3' => State::Sent(u32::from(byte - b'0')),
            b'D' => State::Done,
            b'G' => State::GivenUp,
            _ => State::Pending,
        }
    }

    pub fn is_over(self) -> bool {
        matches!(self, State::Done | State::GivenUp)
    }
}

/// A whole record.
#[derive(Debug, PartialEq)]
pub struct Record<'a> {
    pub id: Seq,
    pub state: State,
    pub text: &'a str,
}

/// What is at a unit.
#[derive(Debug, PartialEq)]
pub enum Found<'a> {
    /// Behind it, the next one may begin.
    Record(Record<'a>, usize),
    /// Nothing has been written here.
    Nothing,
    /// No record, or not a whole one.
    Damage,
    /// The bytes end within it.
    Cut,
}

/// Writes the bytes of a new record into `buffer`, with the zeros behind it.
pub fn encode(id: Seq, text: &str, buffer: &mut Vec<u8>) {
    let length = (text.len() as u32).to_le_bytes();
    let id = id.to_le_bytes();
    buffer.clear();
    buffer.extend_from_slice(&MAGIC);
    buffer.extend_from_slice(&length);
    buffer.extend_from_slice(&id);
    buffer.extend_from_slice(&checksum(&length, &id, text.as_bytes()).to_le_bytes());
    buffer.extend_from_slice(&[State::Pending.byte(), 0, 0, 0]);
    buffer.extend_from_slice(text.as_bytes());
    buffer.resize(buffer.len().next_multiple_of(UNIT), 0);
}

/// How many bytes a record of this text takes.
pub fn size(text: &str) -> usize {
    (HEADER + text.len()).next_multiple_of(UNIT)
}

fn checksum(length: &[u8], id: &[u8], text: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    [length, id, text].into_iter().for_each(|bytes| hasher.update(bytes));
    hasher.finalize()
}

/// What begins at `at` in the bytes of a segment.
pub fn decode(bytes: &[u8], at: usize) -> Found<'_> {
    let rest = bytes.get(at..).unwrap_or_default();
    if rest.iter().take(UNIT).all(|byte| *byte == 0) {
        return Found::Nothing;
    }
    let Some((header, _)) = rest.split_at_checked(HEADER) else { return Found::Cut };
    let length = number(&header[LENGTH_AT..ID_AT]) as usize;
    if header[..LENGTH_AT] != MAGIC || HEADER + length > SEGMENT {
        return Found::Damage;
    }
    let Some(text) = rest.get(HEADER..HEADER + length) else { return Found::Cut };
    let id = number(&header[ID_AT..CRC_AT]);
    let sum = checksum(&header[LENGTH_AT..ID_AT], &header[ID_AT..CRC_AT], text);
    match std::str::from_utf8(text) {
        Ok(text) if number(&header[CRC_AT..STATE_AT]) == u64::from(sum) && id <= LAST_ID => {
            let end = at + (HEADER + length).next_multiple_of(UNIT);
            Found::Record(Record { id, state: State::of(header[STATE_AT]), text }, end)
        }
        _ => Found::Damage,
    }
}

/// Whether the header of a record with this id is here.
pub fn is_header_of(header: &[u8; HEADER], id: Seq) -> bool {
    header[..LENGTH_AT] == MAGIC && number(&header[ID_AT..CRC_AT]) == id
}

pub fn state_in(header: &[u8; HEADER]) -> State {
    State::of(header[STATE_AT])
}

/// How long the whole record is of which this is the header.
pub fn size_in(header: &[u8; HEADER]) -> usize {
    HEADER + number(&header[LENGTH_AT..ID_AT]) as usize
}

/// Little-endian.
fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}
