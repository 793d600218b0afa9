//! Hosts: Kea's reservations.

use std::hash::{BuildHasher, RandomState};
use std::net::Ipv4Addr;
use std::time::{SystemTime, UNIX_EPOCH};

use kea_hook_runscript::text::hex_digits;

use super::group::parsed;
use super::{Found, Search, hardware_type, search};
use crate::bridge::{Bridge, Turn};
use crate::frame::Attributes;
use crate::hosts;
use crate::log;
use crate::reservation::{ETHERNET, GLOBAL, Identifier, Reservation};
use crate::result::{
    BAD_PARSE, EXISTS, FAILURE, Failure, INVALID_ARGUMENT, NOT_FOUND, NOT_IMPLEMENTED, UNKNOWN_ATTRIBUTE,
};

/// So long an address Kea (its `HWAddr`) and a client identifier can be.
const HARDWARE_BYTES: usize = 20;
const CLIENT_BYTES: usize = 255;

/// In dhcpd's order. It does not find a host by its address; we do.
const SEARCHES: [Search<Reservation>; 4] = [
    Search { attribute: "dhcp-client-identifier", alone: false, find: by_client },
    Search { attribute: "hardware-address", alone: false, find: by_hardware },
    Search { attribute: "ip-address", alone: true, find: by_address },
    Search { attribute: "name", alone: false, find: by_name },
];

/// Finds a host.
pub fn find(bridge: &Bridge, first: Option<Reservation>, by: &Attributes) -> Result<Found<Reservation>, Failure> {
    search(bridge, first, by, &SEARCHES, |one, other| {
        one.identifier() == other.identifier() && one.subnet() == other.subnet()
    })
}

fn by_client(bridge: &Bridge, _: &Attributes, value: &[u8]) -> Result<Option<Reservation>, Failure> {
    first(bridge, &Identifier::new(Identifier::CLIENT, value), CLIENT_BYTES)
}

fn by_hardware(bridge: &Bridge, by: &Attributes, value: &[u8]) -> Result<Option<Reservation>, Failure> {
    let kind = hardware_type(by)?;
    let found = first(bridge, &Identifier::new(Identifier::HARDWARE, value), HARDWARE_BYTES)?;
    Ok(found.filter(|host| host.hardware_type() == kind))
}

fn first(bridge: &Bridge, identifier: &Identifier, most: usize) -> Result<Option<Reservation>, Failure> {
    if identifier.bytes.len() > most {
        return Ok(None);
    }
    Ok(hosts::by_identifier(&bridge.kea, identifier)?.into_iter().next())
}

fn by_address(bridge: &Bridge, _: &Attributes, value: &[u8]) -> Result<Option<Reservation>, Failure> {
    match <[u8; 4]>::try_from(value) {
        Ok(address) => Ok(hosts::by_address(&bridge.kea, address.into())?),
        Err(_) => Ok(None),
    }
}

fn by_name(bridge: &Bridge, _: &Attributes, value: &[u8]) -> Result<Option<Reservation>, Failure> {
    match std::str::from_utf8(value) {
        Ok(name) => Ok(bridge.names.find(&bridge.kea, name)?),
        Err(_) => Ok(None),
    }
}

/// The host that a handle stands for. It may have gone to another subnet.
pub fn fetch(bridge: &Bridge, identifier: &Identifier, name: &str) -> Result<Option<Reservation>, Failure> {
    Ok(hosts::by_identifier(&bridge.kea, identifier)?.into_iter().find(|host| self::name(host) == name))
}

/// A host's name: a client of ours has given it, or Kea; else its identifier stands for it, as dhcpd has none without.
pub fn name(host: &Reservation) -> String {
    host.name().map(String::from).unwrap_or_else(|| {
        let mut out = String::from("nh");
        hex_digits(&host.identifier().map(|identifier| identifier.bytes).unwrap_or_default(), &mut out);
        out
    })
}

/// Its attributes, in dhcpd's order.
pub fn show(host: &Reservation, out: &mut Attributes) {
    if let Some(address) = host.address() {
        out.put("ip-address", address.octets());
    }
    let identifier = host.identifier();
    let of_kind = |kind: &str| identifier.as_ref().filter(|identifier| identifier.kind == kind);
    if let Some(client) = of_kind(Identifier::CLIENT) {
        out.put("dhcp-client-identifier", &*client.bytes);
    }
    out.put("name", name(host));
    if let Some(hardware) = of_kind(Identifier::HARDWARE) {
        out.put("hardware-address", &*hardware.bytes);
        out.put_number("hardware-type", host.hardware_type().into());
    }
}

/// What a host shall be.
struct Draft<'a> {
    bridge: &'a Bridge,
    name: Option<String>,
    identifier: Option<Identifier>,
    hardware_type: u8,
    address: Option<Ipv4Addr>,
    group: Option<String>,
    template: String,
    statements: String,
}

type Setter = fn(&mut Draft, &[u8]) -> Result<(), Failure>;

/// What can be set, and how.
const ATTRIBUTES: [(&str, Setter); 8] = [
    ("name", set_name),
    ("group", set_group),
    ("hardware-address", |draft, value| set_identifier(draft, Identifier::HARDWARE, value, HARDWARE_BYTES)),
    ("hardware-type", set_hardware_type),
    ("dhcp-client-identifier", |draft, value| set_identifier(draft, Identifier::CLIENT, value, CLIENT_BYTES)),
    ("ip-address", set_address),
    ("statements", set_statements),
    // dhcpd takes it, too, and does nothing with it.
    ("known", |_, _| Ok(())),
];

fn set_name(draft: &mut Draft, value: &[u8]) -> Result<(), Failure> {
    if draft.name.is_some() {
        return Err(EXISTS.into());
    }
    draft.name = Some(text(value)?);
    Ok(())
}

/// As in dhcpd, a group takes the place of the statements that the host had.
fn set_group(draft: &mut Draft, value: &[u8]) -> Result<(), Failure> {
    let group = text(value)?;
    draft.template = draft.bridge.group(&group).ok_or(NOT_FOUND)?;
    draft.statements.clear();
    draft.group = Some(group);
    Ok(())
}

fn set_identifier(draft: &mut Draft, kind: &str, value: &[u8], most: usize) -> Result<(), Failure> {
    match &draft.identifier {
        Some(identifier) if identifier.kind == kind => Err(EXISTS.into()),
        Some(_) => {
            log::warn("a reservation has one identifier: give hardware-address or dhcp-client-identifier, not both");
            Err(NOT_IMPLEMENTED.into())
        }
        None if value.is_empty() || value.len() > most => Err(INVALID_ARGUMENT.into()),
        None => {
            draft.identifier = Some(Identifier::new(kind, value));
            Ok(())
        }
    }
}

fn set_hardware_type(draft: &mut Draft, value: &[u8]) -> Result<(), Failure> {
    draft.hardware_type = super::number(value)?.try_into().map_err(|_| INVALID_ARGUMENT)?;
    Ok(())
}

fn set_address(draft: &mut Draft, value: &[u8]) -> Result<(), Failure> {
    draft.address = match value {
        [] => None,
        value => Some(<[u8; 4]>::try_from(value).map_err(|_| INVALID_ARGUMENT)?.into()),
    };
    Ok(())
}

fn set_statements(draft: &mut Draft, value: &[u8]) -> Result<(), Failure> {
    if !draft.statements.is_empty() {
        return Err(EXISTS.into());
    }
    draft.statements = parsed(value)?;
    Ok(())
}

/// Changes a host, or makes one: all that is wanted, or nothing.
pub fn update(bridge: &Bridge, old: Option<Reservation>, changes: &Attributes) -> Result<Reservation, Failure> {
    let mut turn = bridge.turn()?;
    let mut draft = Draft::of(bridge, old.as_ref());
    for (name, value) in changes.distinct() {
        let (_, set) = ATTRIBUTES.iter().find(|(known, _)| known.as_bytes() == name).ok_or(UNKNOWN_ATTRIBUTE)?;
        set(&mut draft, value)?;
    }
    let host = draft.finish(old.as_ref())?;
    write(bridge, &mut turn, old.as_ref(), &host)?;
    bridge.names.remember(&host);
    Ok(host)
}

impl Draft<'_> {
    fn of<'a>(bridge: &'a Bridge, old: Option<&Reservation>) -> Draft<'a> {
        Draft {
            bridge,
            name: old.map(name),
            identifier: old.and_then(Reservation::identifier),
            hardware_type: old.map_or(ETHERNET, Reservation::hardware_type),
            address: old.and_then(Reservation::address),
            group: old.and_then(|old| old.group().map(String::from)),
            template: old.map(|old| old.template().to_string()).unwrap_or_default(),
            statements: old.map(|old| old.statements().to_string()).unwrap_or_default(),
        }
    }

    fn finish(self, old: Option<&Reservation>) -> Result<Reservation, Failure> {
        let identifier = self.identifier.ok_or(INVALID_ARGUMENT)?;
        let name = self.name.unwrap_or_else(|| made_up("nh"));
        let mut host = old.cloned().unwrap_or_default();
        host.set_identifier(&identifier);
        host.set_hardware_type(self.hardware_type);
        host.set("name", Some(&name));
        host.set("group", self.group.as_deref());
        host.set_place(subnet(self.bridge, self.address)?, self.address);
        host.render(&self.template, &self.statements).map_err(|what| {
            log::warn(format_args!("statements refused: {what}"));
            BAD_PARSE
        })?;
        Ok(host)
    }
}

/// Where an address belongs; without one, to all subnets.
fn subnet(bridge: &Bridge, address: Option<Ipv4Addr>) -> Result<u32, Failure> {
    let Some(address) = address else { return Ok(GLOBAL) };
    match bridge.network()?.subnet(address) {
        Some(subnet) => Ok(subnet.id),
        None => {
            log::warn(format_args!("a host at {address} is refused: no subnet of Kea's has that address"));
            Err(FAILURE.into())
        }
    }
}

fn write(bridge: &Bridge, turn: &mut Turn, old: Option<&Reservation>, host: &Reservation) -> Result<(), Failure> {
    let Some(old) = old else {
        refuse_double(bridge, host)?;
        bridge.writer()?.add(host)?;
        log::info(format_args!("added host {}", shown(host)));
        return Ok(());
    };
    if old.address() != host.address() {
        refuse_double_address(bridge, host)?;
    }
    if old.subnet() != host.subnet() {
        bridge.move_host(turn, old, host)?;
    } else if !bridge.writer()?.update(host)? {
        return Err(NOT_FOUND.into());
    }
    log::info(format_args!("changed host {}", shown(host)));
    Ok(())
}

/// dhcpd has one host of a name. Kea has one of an identifier and one of an address in each subnet.
fn refuse_double(bridge: &Bridge, host: &Reservation) -> Result<(), Failure> {
    let identifier = host.identifier().ok_or(INVALID_ARGUMENT)?;
    let is_there = bridge.names.find(&bridge.kea, &name(host))?.is_some()
        || hosts::by_identifier(&bridge.kea, &identifier)?.iter().any(|other| other.subnet() == host.subnet());
    if is_there { Err(EXISTS.into()) } else { refuse_double_address(bridge, host) }
}

fn refuse_double_address(bridge: &Bridge, host: &Reservation) -> Result<(), Failure> {
    let Some(address) = host.address() else { return Ok(()) };
    match hosts::by_address(&bridge.kea, address)? {
        Some(other) if other.identifier() != host.identifier() => {
            log::warn(format_args!("a host at {address} is refused: {} has that address", shown(&other)));
            Err(EXISTS.into())
        }
        _ => Ok(()),
    }
}

/// Deletes a host.
pub fn delete(bridge: &Bridge, host: &Reservation) -> Result<(), Failure> {
    let _turn = bridge.turn()?;
    let identifier = host.identifier().ok_or(NOT_FOUND)?;
    if !bridge.writer()?.delete(host.subnet(), &identifier)? {
        return Err(NOT_FOUND.into());
    }
    log::info(format_args!("deleted host {}", shown(host)));
    Ok(())
}

fn shown(host: &Reservation) -> String {
    log::shown(name(host).as_bytes())
}

/// A name or a group's: text without control characters.
pub fn text(value: &[u8]) -> Result<String, Failure> {
    match std::str::from_utf8(value) {
        Ok(text) if !text.is_empty() && !text.chars().any(char::is_control) => Ok(text.into()),
        _ => Err(INVALID_ARGUMENT.into()),
    }
}

/// A name for what has none, as dhcpd makes one of the time and a number.
pub fn made_up(prefix: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    format!("{prefix}{now:08x}{:012x}", RandomState::new().hash_one(now) & 0xffff_ffff_ffff)
}
