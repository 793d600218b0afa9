//! What holds of whatever comes from outside, however spoilt: a function for each way in, which panics if it does not.
//!
//! The targets of fuzz/ make the inputs. Tests call the same functions with those that were found.

mod facts;
mod options;
mod parameters;
#[cfg(test)]
mod tests;

use std::cell::Cell;

use crate::bridge::ffi::{Message, Span};
use crate::log;

pub use crate::dispatch::fuzzing::{Asked, answer};
pub use crate::runner::fuzzing::{event, message, printed};
pub use facts::line;
pub use options::{Packet, enterprises, held_otherwise, layers};
pub use parameters::{SECRET, parameters};

/// In a message, and the count of an answer's lines.
const TEXT_BYTES: usize = 1000;

thread_local! {
    static MESSAGES: Cell<usize> = const { Cell::new(0) };
}

/// From now on each message for Kea's log is looked at.
pub fn watch_log() {
    log::use_kea(look as *const () as usize, 0);
}

/// How many messages this thread has logged since the last call.
pub fn messages() -> usize {
    MESSAGES.take()
}

/// In place of Kea's logger.
#[allow(improper_ctypes_definitions)]
extern "C" fn look(message: &Message) {
    MESSAGES.set(MESSAGES.get() + 1);
    for text in message.args {
        assert!(text.chars().all(is_seen), "{}: {text:?}", message.id);
        assert!(text.len() <= TEXT_BYTES, "{}: {} bytes", message.id, text.len());
        let mut pairs = text.as_bytes().windows(2);
        assert!(!pairs.any(|pair| pair[0] == b'%' && pair[1].is_ascii_digit()), "{}: {text:?}", message.id);
    }
}

/// Whether a character takes a place of its own in a line, by the lists of the Unicode standard and not by those that the
/// library itself uses: no control, no separator of lines, nothing that steers the direction, no private or
/// non-character.
fn is_seen(c: char) -> bool {
    let is_none = matches!(c as u32 & 0xffff, 0xfffe | 0xffff);
    let is_hidden = matches!(c, '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{180e}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        | '\u{e000}'..='\u{f8ff}' | '\u{fdd0}'..='\u{fdef}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{10ffff}');
    !(c.is_control() || is_none || is_hidden && !matches!(c, '\u{e0100}'..='\u{e01ef}'))
}

/// The items of a list are each part of `whole`, in its order and apart from each other; each with as many bytes before it
/// as its code and length take.
#[track_caller]
fn assert_parts<'a>(whole: &[u8], items: impl IntoIterator<Item = &'a [u8]>, before: usize) {
    let mut from = whole.as_ptr() as usize;
    let end = from + whole.len();
    for item in items {
        let start = item.as_ptr() as usize;
        assert!(from + before <= start && start + item.len() <= end);
        from = start + item.len();
    }
}

/// Lays bytes out as the shim does.
pub fn put(all: &mut Vec<u8>, bytes: &[u8]) -> Span {
    let start = all.len() as u32;
    all.extend_from_slice(bytes);
    Span { start, len: bytes.len() as u32 }
}
