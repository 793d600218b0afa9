//! What clients speak of: how it is found, shown, changed and deleted.

mod draft;
mod group;
mod host;
mod item;
mod lease;

use crate::bridge::{Bridge, Turn};
use crate::frame::Attributes;
use crate::handles::Handles;
use crate::reservation::ETHERNET;
use crate::result::{Failure, INVALID_ARGUMENT, KEY_CONFLICT, NO_PERMISSION, NOT_FOUND, NOT_IMPLEMENTED};

pub use item::{Item, Object};

/// Types of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Key,
    Lease,
    Host,
    Group,
    Control,
    /// Found by a name that nothing has.
    Nameless,
    /// dhcpd can only show it.
    Shown,
    Unsearchable,
}

/// As clients call them.
pub const KINDS: [(&str, Kind); 16] = [
    ("authenticator", Kind::Key),
    ("lease", Kind::Lease),
    ("host", Kind::Host),
    ("group", Kind::Group),
    ("control", Kind::Control),
    ("failover-state", Kind::Nameless),
    ("class", Kind::Nameless),
    ("subclass", Kind::Nameless),
    ("subnet", Kind::Shown),
    ("pool", Kind::Shown),
    ("shared-network", Kind::Shown),
    ("connection", Kind::Unsearchable),
    ("generic", Kind::Unsearchable),
    ("listener", Kind::Unsearchable),
    ("message", Kind::Unsearchable),
    ("protocol", Kind::Unsearchable),
];

/// What a search has brought.
#[derive(Debug)]
pub enum Found<T> {
    One(T),
    Nothing,
    /// Nothing that one could search by was given.
    NoKeys,
}

/// Finds an object by attributes.
pub fn find(bridge: &Bridge, kind: Kind, handles: &Handles<Object>, by: &Attributes) -> Result<Found<Item>, Failure> {
    let first = match by.get("handle") {
        None => None,
        Some(handle) => match handles.get(number(handle)?) {
            None => return Ok(Found::Nothing),
            Some(object) if object.kind() != kind => return Err(INVALID_ARGUMENT.into()),
            Some(object) => fetch(bridge, object)?,
        },
    };
    match kind {
        Kind::Key => Ok(find_key(bridge, by)),
        Kind::Lease => Ok(lease::find(bridge, first.and_then(Item::lease), by)?.map(Item::Lease)),
        Kind::Host => Ok(host::find(bridge, first.and_then(Item::host), by)?.map(Item::Host)),
        Kind::Group => group::find(bridge, first.and_then(Item::group), by).map(|found| found.map(Item::Group)),
        Kind::Control => Ok(Found::One(Item::Other(Object::Control))),
        Kind::Nameless if by.get("name").is_some() => Ok(Found::Nothing),
        Kind::Nameless | Kind::Shown => Ok(Found::NoKeys),
        Kind::Unsearchable => Err(Failure::new(NOT_IMPLEMENTED, "unsearchable object type")),
    }
}

fn find_key(bridge: &Bridge, by: &Attributes) -> Found<Item> {
    if by.is_empty() && !bridge.keys.is_empty() {
        return Found::NoKeys;
    }
    let (name, algorithm) = (by.get("name").unwrap_or_default(), by.get("algorithm").unwrap_or_default());
    match bridge.keys.iter().position(|key| key.is(name, algorithm)) {
        Some(place) => Found::One(Item::Other(Object::Key(place))),
        None => Found::Nothing,
    }
}

/// Searches by an attribute's value; the other attributes may say more of it.
type Finder<T> = fn(&Bridge, &Attributes, &[u8]) -> Result<Option<T>, Failure>;

/// A way to search: by an attribute, and how.
struct Search<T> {
    attribute: &'static str,
    /// Not asked when something was found before.
    alone: bool,
    find: Finder<T>,
}

/// Searches by each attribute that is given; all have to find the same.
fn search<T>(
    bridge: &Bridge,
    first: Option<T>,
    by: &Attributes,
    ways: &[Search<T>],
    is_same: fn(&T, &T) -> bool,
) -> Result<Found<T>, Failure> {
    let mut found = first;
    for way in ways {
        let Some(value) = by.get(way.attribute).filter(|_| !(way.alone && found.is_some())) else { continue };
        match ((way.find)(bridge, by, value)?, &found) {
            // dhcpd compares with nothing, too, where it looks for a name.
            (None, Some(_)) if way.attribute == "name" => return Err(KEY_CONFLICT.into()),
            (None, _) => return Ok(Found::Nothing),
            (Some(new), Some(old)) if !is_same(&new, old) => return Err(KEY_CONFLICT.into()),
            (Some(new), _) => found = Some(new),
        }
    }
    Ok(found.map_or(Found::NoKeys, Found::One))
}

/// What a handle stands for, as it is now; `None` if it is gone.
pub fn fetch(bridge: &Bridge, object: &Object) -> Result<Option<Item>, Failure> {
    match object {
        Object::Lease(address) => Ok(lease::fetch(bridge, *address)?.map(Item::Lease)),
        Object::Host(known) => Ok(host::fetch(bridge, known)?.map(Item::Host)),
        Object::Group(name) => Ok(bridge.group(name).map(|_| Item::Group(name.clone()))),
        other => Ok(Some(Item::Other(other.clone()))),
    }
}

/// A host or a group that has nothing yet; `None` where a client cannot make one.
pub fn blank(bridge: &Bridge, kind: Kind, serial: u32) -> Option<Item> {
    match kind {
        Kind::Host => Some(Item::Other(Object::NewHost(serial))),
        Kind::Group if bridge.has_groups() => Some(Item::Other(Object::NewGroup(serial))),
        _ => None,
    }
}

/// Changes an object. What it is then, and whether that is something else than before.
pub fn update(bridge: &Bridge, turn: &mut Turn, item: Item, changes: &Attributes) -> Result<(Item, bool), Failure> {
    if changes.is_empty() {
        return Err(INVALID_ARGUMENT.into());
    }
    match item {
        Item::Lease(lease) => {
            lease::update(bridge, turn, lease, changes).map(|(lease, is_other)| (Item::Lease(lease), is_other))
        }
        Item::Host(host) => Ok((Item::Host(host::update(bridge, turn, Some(host), changes)?), true)),
        Item::Other(Object::NewHost(_)) => Ok((Item::Host(host::update(bridge, turn, None, changes)?), true)),
        Item::Group(name) => group::update(bridge, turn, Some(name), changes),
        Item::Other(Object::NewGroup(_)) => group::update(bridge, turn, None, changes),
        Item::Other(Object::Control) => control(bridge, changes).map(|()| (Item::Other(Object::Control), true)),
        Item::Other(Object::Key(_)) => Err(NO_PERMISSION.into()),
        Item::Other(_) => Err(crate::result::UNKNOWN_ATTRIBUTE.into()),
    }
}

/// The state of dhcpd's that means its end.
const SHUTDOWN: u32 = 2;

fn control(bridge: &Bridge, changes: &Attributes) -> Result<(), Failure> {
    for (name, value) in changes.distinct() {
        match (name, number(value)) {
            (b"state", Ok(SHUTDOWN)) if bridge.allow_shutdown => {}
            (b"state", Ok(SHUTDOWN)) => return Err(Failure::new(NO_PERMISSION, "shutdown is not allowed here")),
            (b"state", _) => return Err(INVALID_ARGUMENT.into()),
            _ => return Err(NOT_FOUND.into()),
        }
    }
    bridge.shut_down()
}

/// Deletes an object.
pub fn delete(bridge: &Bridge, turn: &Turn, item: &Item) -> Result<(), Failure> {
    match item {
        Item::Host(host) => host::delete(bridge, turn, host),
        Item::Group(name) => bridge.delete_group(turn, name),
        Item::Other(Object::NewHost(_) | Object::NewGroup(_)) => Ok(()),
        Item::Other(Object::Control) => Err(NO_PERMISSION.into()),
        Item::Lease(_) | Item::Other(_) => Err(NOT_IMPLEMENTED.into()),
    }
}

impl<T> Found<T> {
    fn map<U>(self, with: impl FnOnce(T) -> U) -> Found<U> {
        match self {
            Found::One(one) => Found::One(with(one)),
            Found::Nothing => Found::Nothing,
            Found::NoKeys => Found::NoKeys,
        }
    }
}

/// A number of 32 bits.
pub fn number(value: &[u8]) -> Result<u32, Failure> {
    value.try_into().map(u32::from_be_bytes).map_err(|_| INVALID_ARGUMENT.into())
}

/// What a client says of a hardware address's type; Ethernet if it says nothing.
fn hardware_type(by: &Attributes) -> Result<u8, Failure> {
    match by.get("hardware-type") {
        Some(value) => number(value)?.try_into().map_err(|_| INVALID_ARGUMENT.into()),
        None => Ok(ETHERNET),
    }
}
