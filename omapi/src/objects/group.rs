//! Groups: a name, and statements that are written into each host that names it.

use super::draft::{made_up, text};
use super::{Found, Item, Search, search};
use crate::bridge::{Bridge, Turn};
use crate::frame::Attributes;
use crate::result::{BAD_PARSE, EXISTS, Failure, INVALID_ARGUMENT, NOT_FOUND};
use crate::{log, statements};

/// dhcpd has no other way to find a group than its name.
const SEARCHES: [Search<String>; 1] = [Search { attribute: "name", alone: false, find: by_name }];

/// Finds a group.
pub fn find(bridge: &Bridge, first: Option<String>, by: &Attributes) -> Result<Found<String>, Failure> {
    search(bridge, first, by, &SEARCHES, |one, other| one == other)
}

fn by_name(bridge: &Bridge, _: &Attributes, value: &[u8]) -> Result<Option<String>, Failure> {
    Ok(std::str::from_utf8(value).ok().filter(|name| bridge.group(name).is_some()).map(String::from))
}

/// Makes a group. One that is there can be given statements if it has none, and nothing else, as in dhcpd.
pub fn update(
    bridge: &Bridge,
    turn: &mut Turn,
    old: Option<String>,
    changes: &Attributes,
) -> Result<(Item, bool), Failure> {
    let has_statements = old.as_deref().and_then(|name| bridge.group(name)).is_some_and(|text| !text.is_empty());
    let (mut name, mut wanted) = (old.clone(), None);
    for (attribute, value) in changes.distinct() {
        match attribute {
            b"name" if name.is_some() => return Err(EXISTS.into()),
            b"name" => name = Some(text(value)?),
            b"statements" if has_statements => return Err(EXISTS.into()),
            b"statements" => wanted = Some(parsed(value)?),
            _ => return Err(NOT_FOUND.into()),
        }
    }
    let wanted = match (wanted, &old) {
        (Some(wanted), _) => wanted,
        (None, Some(_)) => return Ok((Item::Group(name.unwrap_or_default()), false)),
        (None, None) => return Err(INVALID_ARGUMENT.into()),
    };
    let name = name.unwrap_or_else(|| made_up("ng"));
    if old.is_none() && bridge.group(&name).is_some() {
        return Err(EXISTS.into());
    }
    bridge.make_group(turn, &name, &wanted)?;
    Ok((Item::Group(name), true))
}

/// Statements as a client writes them, if they have a counterpart in Kea.
pub fn parsed(value: &[u8]) -> Result<String, Failure> {
    let understood = std::str::from_utf8(value)
        .map_err(|error| error.to_string())
        .and_then(|text| statements::parse(text).map(|_| text.to_string()));
    understood.map_err(|what| {
        log::warn(format_args!("statements refused: {what}"));
        BAD_PARSE.into()
    })
}
