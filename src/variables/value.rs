//! How a fact becomes the text of a variable. Each function says whether the variable exists.

use std::fmt::{Display, Write};

use crate::bridge::ffi::Span;
use crate::facts::Facts;
use crate::text;

/// Where a row finds its fact.
#[derive(Clone, Copy)]
pub struct Of<'a> {
    pub facts: &'a Facts,
    pub debug: bool,
}

/// The value so far.
pub type Out<'a> = &'a mut String;

pub fn number(out: Out, value: impl Display) -> bool {
    let _ = write!(out, "{value}");
    true
}

/// `1` or `0`.
pub fn flag(out: Out, value: bool) -> bool {
    number(out, u8::from(value))
}

impl Of<'_> {
    /// Bytes through `write`; an absent fact has no variable.
    pub fn optional(self, out: Out, span: Span, write: fn(&[u8], &mut String)) -> bool {
        match self.facts.bytes(span) {
            Some(bytes) => {
                write(bytes, out);
                true
            }
            None => false,
        }
    }

    /// Bytes through `write`; an absent fact has an empty variable.
    pub fn or_empty(self, out: Out, span: Span, write: fn(&[u8], &mut String)) -> bool {
        write(self.facts.bytes(span).unwrap_or_default(), out);
        true
    }

    /// A client's bytes as text.
    pub fn text(self, out: Out, span: Span) -> bool {
        self.or_empty(out, span, text::printable)
    }

    /// Kea's own text, if `debug` asks for it.
    pub fn debug(self, out: Out, span: Span) -> bool {
        self.debug && self.optional(out, span, text::printable_lines)
    }

    /// Names that are each ended by a NUL, one a line.
    pub fn names(self, out: Out, span: Span) -> bool {
        let names = self.facts.bytes(span).unwrap_or_default().split(|&byte| byte == 0);
        for (i, name) in names.filter(|name| !name.is_empty()).enumerate() {
            if i > 0 {
                out.push('\n');
            }
            text::printable(name, out);
        }
        true
    }
}
