//! What commands that Kea passes on to us have in common.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::config::undo_keas_escapes;

/// Kea's results of commands (its `CONTROL_RESULT_*`).
pub const SUCCESS: i32 = 0;
pub const ERROR: i32 = 1;
pub const EMPTY: i32 = 3;

/// A command's arguments: JSON text, or empty. `None` if they are none of this command's.
pub fn read<T: Default + DeserializeOwned>(arguments: &str) -> Option<T> {
    if arguments.is_empty() {
        return Some(T::default());
    }
    let mut value: Value = serde_json::from_str(arguments).ok()?;
    undo_keas_escapes(&mut value);
    serde_json::from_value(value).ok()
}
