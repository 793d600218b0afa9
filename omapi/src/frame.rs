//! Frames: what OMAPI looks like on the wire. Numbers are big-endian.
//!
//! ```text
//! startup   version 4 | header size 4
//! message   authid 4 | signature's length 4 | operation 4 | handle 4 | tid 4 | rid 4
//!           message's attributes | object's attributes | signature
//! attributes (length 2 | name | length 4 | value)* | 0 2
//! ```
//!
//! The signature is of all between authid and itself.

use std::fmt;
use std::io::{self, Read};

/// The version and the header's size that dhcpd says.
pub const VERSION: u32 = 100;
pub const HEADER_BYTES: u32 = 24;

/// Bounds of what is read.
pub const VALUE_BYTES: usize = 64 << 10;
pub const MESSAGE_BYTES: usize = 1 << 20;
pub const ATTRIBUTES: usize = 256;

/// Operations by their numbers on the wire.
pub mod operation {
    pub const OPEN: u32 = 1;
    pub const REFRESH: u32 = 2;
    pub const UPDATE: u32 = 3;
    pub const NOTIFY: u32 = 4;
    pub const STATUS: u32 = 5;
    pub const DELETE: u32 = 6;
}

/// Attributes as they stand in a frame.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes(pub Vec<(Vec<u8>, Vec<u8>)>);

impl Attributes {
    /// The value of the last one of that name. One without bytes has none: that is how a client takes a value away.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        let last = self.0.iter().rev().find(|(given, _)| given == name.as_bytes());
        last.map(|(_, value)| &**value).filter(|value| !value.is_empty())
    }

    /// Each name once, where it came first, with its last value.
    pub fn distinct(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let is_first = |at: usize, name: &[u8]| self.0[..at].iter().all(|(before, _)| before != name);
        let last = |name: &[u8]| self.0.iter().rfind(|(given, _)| given == name);
        let firsts = self.0.iter().enumerate().filter(move |(at, (name, _))| is_first(*at, name));
        firsts.filter_map(move |(_, (name, _))| last(name)).map(|(name, value)| (&**name, &**value))
    }

    /// Whether there is no attribute at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Appends an attribute.
    pub fn put(&mut self, name: &str, value: impl Into<Vec<u8>>) {
        self.0.push((name.into(), value.into()));
    }

    /// Appends a number of 32 bits.
    pub fn put_number(&mut self, name: &str, value: u32) {
        self.put(name, value.to_be_bytes());
    }

    fn write(&self, out: &mut Vec<u8>) {
        for (name, value) in &self.0 {
            // Both fit: what is read is bounded, and what is answered is short.
            out.extend_from_slice(&u16::try_from(name.len()).unwrap_or(u16::MAX).to_be_bytes());
            out.extend_from_slice(name);
            out.extend_from_slice(&u32::try_from(value.len()).unwrap_or(u32::MAX).to_be_bytes());
            out.extend_from_slice(value);
        }
        out.extend_from_slice(&[0, 0]);
    }
}

/// One message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    pub authid: u32,
    pub operation: u32,
    pub handle: u32,
    /// The sender's number of this message, and that of the message which it answers.
    pub tid: u32,
    pub rid: u32,
    pub message: Attributes,
    pub object: Attributes,
    pub signature: Vec<u8>,
}

impl Frame {
    /// All that is signed, for a signature of so many bytes.
    pub fn signed(&self, signature_bytes: usize) -> Vec<u8> {
        let length = u32::try_from(signature_bytes).unwrap_or(u32::MAX);
        let mut out = Vec::new();
        for number in [length, self.operation, self.handle, self.tid, self.rid] {
            out.extend_from_slice(&number.to_be_bytes());
        }
        self.message.write(&mut out);
        self.object.write(&mut out);
        out
    }

    /// The whole frame.
    pub fn bytes(&self) -> Vec<u8> {
        [&self.authid.to_be_bytes()[..], &self.signed(self.signature.len()), &self.signature].concat()
    }
}

/// A frame as it was read, and the bytes that its signature is of.
#[derive(Debug)]
pub struct Received {
    pub frame: Frame,
    pub signed: Vec<u8>,
}

/// Why bytes are no frame.
#[derive(Debug)]
pub enum Broken {
    /// The client has hung up or is too slow.
    Read(io::Error),
    /// What is wrong with what it has said.
    Protocol(&'static str),
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Broken {
        Broken::Read(error)
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Broken::Read(error) => error.fmt(f),
            Broken::Protocol(what) => f.write_str(what),
        }
    }
}

/// What either side says first.
pub fn startup() -> [u8; 8] {
    let mut out = [0; 8];
    out[..4].copy_from_slice(&VERSION.to_be_bytes());
    out[4..].copy_from_slice(&HEADER_BYTES.to_be_bytes());
    out
}

/// Reads a client's startup.
///
/// # Errors
/// If it speaks another version, or its headers have another size. dhcpd takes longer ones, and skips what they have more: then
/// signed bytes mean something else where another size was said, which nobody signs.
pub fn read_startup(input: &mut impl Read) -> Result<(), Broken> {
    let mut reader = Reader { input, taken: Vec::new(), most: MESSAGE_BYTES };
    match (reader.number()?, reader.number()?) {
        (VERSION, HEADER_BYTES) => Ok(()),
        (VERSION, _) => Err(Broken::Protocol("startup: header size is not 24")),
        _ => Err(Broken::Protocol("startup: version is not 100")),
    }
}

/// Reads a message.
///
/// # Errors
/// If it ends too early, has more than `most` bytes, a value of more than 64 KiB, or more than 256 attributes in a list.
pub fn read(input: &mut impl Read, most: usize) -> Result<Received, Broken> {
    let mut reader = Reader { input, taken: Vec::new(), most };
    let mut frame = Frame { authid: reader.number()?, ..Frame::default() };
    reader.taken.clear();
    let length = reader.length()?;
    for field in [&mut frame.operation, &mut frame.handle, &mut frame.tid, &mut frame.rid] {
        *field = reader.number()?;
    }
    frame.message = reader.attributes()?;
    frame.object = reader.attributes()?;
    reader.most -= reader.taken.len();
    let signed = std::mem::take(&mut reader.taken);
    frame.signature = reader.take(length)?.to_vec();
    Ok(Received { frame, signed })
}

struct Reader<'a, R> {
    input: &'a mut R,
    taken: Vec<u8>,
    most: usize,
}

impl<R: Read> Reader<'_, R> {
    fn take(&mut self, count: usize) -> Result<&[u8], Broken> {
        let start = self.taken.len();
        if count > self.most.saturating_sub(start) {
            return Err(Broken::Protocol("the message is too long"));
        }
        self.taken.resize(start + count, 0);
        self.input.read_exact(&mut self.taken[start..])?;
        Ok(&self.taken[start..])
    }

    fn number(&mut self) -> Result<u32, Broken> {
        let mut bytes = [0; 4];
        bytes.copy_from_slice(self.take(4)?);
        Ok(u32::from_be_bytes(bytes))
    }

    /// Of a value or a signature.
    fn length(&mut self) -> Result<usize, Broken> {
        match self.number()? as usize {
            length @ ..=VALUE_BYTES => Ok(length),
            _ => Err(Broken::Protocol("a value of more than 64 KiB")),
        }
    }

    fn attributes(&mut self) -> Result<Attributes, Broken> {
        let mut all = Attributes::default();
        loop {
            let mut length = [0; 2];
            length.copy_from_slice(self.take(2)?);
            match u16::from_be_bytes(length) {
                0 => return Ok(all),
                _ if all.0.len() == ATTRIBUTES => return Err(Broken::Protocol("more than 256 attributes")),
                length => {
                    let name = self.take(length.into())?.to_vec();
                    let length = self.length()?;
                    all.0.push((name, self.take(length)?.to_vec()));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_hold_before_anything_is_kept() {
        let frame = |length: u32| [&[0; 24][..], &[0, 1, b'n'], &length.to_be_bytes()].concat();
        for (length, what) in [(65537, "64 KiB"), (u32::MAX, "64 KiB"), (65536, "fill whole buffer")] {
            let error = read(&mut &*frame(length), MESSAGE_BYTES).unwrap_err();
            assert!(error.to_string().contains(what), "{error}");
        }
        let mut many = vec![0; 24];
        (0..257).for_each(|_| many.extend_from_slice(&[0, 1, b'n', 0, 0, 0, 0]));
        assert!(read(&mut &*many, MESSAGE_BYTES).unwrap_err().to_string().contains("256 attributes"));
        let large = [&frame(4000)[..], &[0; 4000], &[0; 4]].concat();
        assert!(read(&mut &*large, MESSAGE_BYTES).is_ok());
        assert!(read(&mut &*large, 4000).unwrap_err().to_string().contains("too long"));
    }

    #[test]
    fn a_startup_has_our_version_and_our_header() {
        let startup = |version: u32, size: u32| [version.to_be_bytes(), size.to_be_bytes()].concat();
        assert!(read_startup(&mut &startup(100, 24)[..]).is_ok());
        for (version, size) in [(101, 24), (100, 20), (100, 28), (0, 0)] {
            assert!(read_startup(&mut &startup(version, size)[..]).is_err());
        }
    }

    #[test]
    fn a_name_that_comes_again_takes_the_last_value() {
        let pairs = [("a", "1"), ("b", "2"), ("a", "3")].map(|(name, value)| (name.into(), value.into()));
        let attributes = Attributes(pairs.to_vec());
        assert_eq!(attributes.get("a"), Some(&b"3"[..]));
        assert_eq!(attributes.distinct().collect::<Vec<_>>(), [(&b"a"[..], &b"3"[..]), (b"b", b"2")]);
    }
}
