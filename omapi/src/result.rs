//! What a status says: dhcpd's results (ISC's `result.h`, and dhcpd's own from 0x60000 on), and how a request fails.

use crate::kea;

pub const SUCCESS: u32 = 0;
pub const NO_PERMISSION: u32 = 6;
pub const EXISTS: u32 = 18;
pub const NOT_FOUND: u32 = 23;
pub const FAILURE: u32 = 25;
pub const NOT_IMPLEMENTED: u32 = 27;
pub const NOT_CONNECTED: u32 = 40;
pub const INVALID_ARGUMENT: u32 = 0x60003;
pub const MULTIPLE: u32 = 0x60006;
pub const KEY_CONFLICT: u32 = 0x60007;
pub const BAD_PARSE: u32 = 0x60008;
pub const NO_KEYS: u32 = 0x60009;
pub const INVALID_KEY: u32 = 0x6000b;
pub const UNKNOWN_ATTRIBUTE: u32 = 0x60020;

/// As omshell calls them.
const WORDS: [(u32, &str); 13] = [
    (NO_PERMISSION, "permission denied"),
    (EXISTS, "already exists"),
    (NOT_FOUND, "not found"),
    (FAILURE, "failure"),
    (NOT_IMPLEMENTED, "not implemented"),
    (NOT_CONNECTED, "socket is not connected"),
    (INVALID_ARGUMENT, "invalid argument"),
    (MULTIPLE, "more than one object matches key"),
    (KEY_CONFLICT, "key conflict"),
    (BAD_PARSE, "parse error(s) occurred"),
    (NO_KEYS, "no key specified"),
    (INVALID_KEY, "invalid key"),
    (UNKNOWN_ATTRIBUTE, "unknown attribute"),
];

/// Why a request is not served: its result, and a text of its own where the operation's does not say enough. Texts are
/// ours, never a client's or Kea's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    pub result: u32,
    pub text: Option<&'static str>,
    /// Whether something may have been changed nevertheless.
    pub is_half_done: bool,
}

impl Failure {
    /// With a text, whatever the operation says.
    pub fn new(result: u32, text: &'static str) -> Failure {
        Failure { text: Some(text), ..result.into() }
    }

    /// Something may have been changed.
    pub fn half_done(self) -> Failure {
        Failure { is_half_done: true, ..self }
    }

    /// Whether Kea does not answer.
    pub fn is_away(self) -> bool {
        self.result == NOT_CONNECTED
    }

    /// Its result as omshell calls it.
    pub fn word(self) -> &'static str {
        WORDS.iter().find(|(result, _)| *result == self.result).map_or("", |(_, word)| word)
    }

    /// With the text of the operation, unless it has one.
    pub fn or_text(self, text: &'static str) -> Failure {
        Failure { text: self.text.or(Some(text)), ..self }
    }
}

impl From<u32> for Failure {
    fn from(result: u32) -> Failure {
        Failure { result, text: None, is_half_done: false }
    }
}

impl From<kea::Error> for Failure {
    fn from(error: kea::Error) -> Failure {
        match error {
            kea::Error::Away => Failure::new(NOT_CONNECTED, "Kea does not answer"),
            kea::Error::Silent => Failure::from(kea::Error::Away).half_done(),
            kea::Error::Unsupported => Failure::new(NOT_IMPLEMENTED, "Kea lacks a hook library for this"),
            kea::Error::Refused => FAILURE.into(),
        }
    }
}
