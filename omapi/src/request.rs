//! What a message asks for.

use crate::frame::{Frame, operation};
use crate::log;
use crate::objects::{KINDS, Kind};

/// Of which type of objects it speaks, if it says.
pub fn kind(frame: &Frame) -> Option<Kind> {
    let name = frame.message.get("type")?;
    KINDS.iter().find(|(known, _)| known.as_bytes() == name).map(|(_, kind)| *kind)
}

/// Of what it speaks, for a log.
pub fn named(frame: &Frame) -> String {
    let attribute = |name| frame.object.get(name).map(log::shown);
    let kind = frame.message.get("type").map_or("an unknown handle".into(), log::shown);
    match (attribute("name"), attribute("algorithm")) {
        (Some(name), Some(algorithm)) => format!("{kind} {name} with {algorithm}"),
        (Some(name), None) => format!("{kind} {name}"),
        (None, _) => kind,
    }
}

/// What a change is, for a log.
pub fn verb(frame: &Frame) -> &'static str {
    match frame.operation {
        operation::DELETE => "a deletion",
        operation::OPEN => "an open with create or update",
        _ => "an update",
    }
}

/// Whether a message could change something.
pub fn is_change(frame: &Frame) -> bool {
    let is_set = |name| frame.message.get(name).is_some_and(|value| value.iter().any(|byte| *byte != 0));
    match frame.operation {
        operation::UPDATE | operation::DELETE => true,
        operation::OPEN => is_set("create") || is_set("update"),
        _ => false,
    }
}
