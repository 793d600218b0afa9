//! What commands that Kea passes on to us have in common.

use std::ops::RangeInclusive;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::config::undo_keas_escapes;

/// Kea's results of commands (its `CONTROL_RESULT_*`).
pub const SUCCESS: i32 = 0;
pub const ERROR: i32 = 1;
pub const EMPTY: i32 = 3;

/// How long what names a client may be (Kea's duid.h and hwaddr.h).
pub const DUID_BYTES: RangeInclusive<usize> = 3..=130;
pub const CLIENT_ID_BYTES: RangeInclusive<usize> = 2..=255;
pub const HWADDR_BYTES: RangeInclusive<usize> = 1..=20;

/// A command's arguments: JSON text, or empty. `None` if they are none of this command's.
pub fn read<T: Default + DeserializeOwned>(arguments: &str) -> Option<T> {
    if arguments.is_empty() {
        return Some(T::default());
    }
    let mut value: Value = serde_json::from_str(arguments).ok()?;
    undo_keas_escapes(&mut value);
    serde_json::from_value(value).ok()
}

/// Of `01:02:03`; `None` if these are none, or not so many.
pub fn bytes(text: &str, count: RangeInclusive<usize>) -> Option<Vec<u8>> {
    let byte = |digits: &str| u8::from_str_radix(digits, 16).ok().filter(|_| digits.len() == 2);
    text.split(':').map(byte).collect::<Option<Vec<u8>>>().filter(|bytes| count.contains(&bytes.len()))
}
