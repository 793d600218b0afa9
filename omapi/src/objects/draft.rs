//! What a host shall be: dhcpd's attributes, one after the other, and the reservation that comes of them.

use std::hash::{BuildHasher, RandomState};
use std::net::Ipv4Addr;
use std::time::{SystemTime, UNIX_EPOCH};

use super::group::parsed;
use super::host::{CLIENT_BYTES, HARDWARE_BYTES};
use crate::bridge::Bridge;
use crate::hosts::{self, NAME_BYTES, NAMELESS};
use crate::log;
use crate::reservation::{ETHERNET, GLOBAL, Identifier, Reservation};
use crate::result::{
    BAD_PARSE, EXISTS, FAILURE, Failure, INVALID_ARGUMENT, NOT_FOUND, NOT_IMPLEMENTED, UNKNOWN_ATTRIBUTE,
};
use crate::statements::printable;

/// What a host shall be.
pub struct Draft<'a> {
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

impl Draft<'_> {
    /// Of a host that is there, or of none.
    pub fn of<'a>(bridge: &'a Bridge, old: Option<&Reservation>) -> Draft<'a> {
        Draft {
            bridge,
            name: old.map(hosts::name),
            identifier: old.and_then(Reservation::identifier),
            hardware_type: old.map_or(ETHERNET, Reservation::hardware_type),
            address: old.and_then(Reservation::address),
            group: old.and_then(|old| old.group().map(String::from)),
            template: old.map(|old| old.template().to_string()).unwrap_or_default(),
            statements: old.map(|old| old.statements().to_string()).unwrap_or_default(),
        }
    }

    /// Sets an attribute.
    ///
    /// # Errors
    /// dhcpd's: what is there already, what nobody knows, what does not parse.
    pub fn set(&mut self, name: &[u8], value: &[u8]) -> Result<(), Failure> {
        let (_, set) = ATTRIBUTES.iter().find(|(known, _)| known.as_bytes() == name).ok_or(UNKNOWN_ATTRIBUTE)?;
        set(self, value)
    }

    /// The reservation, with all of the old one that the draft does not speak of.
    ///
    /// # Errors
    /// If nothing identifies it, or no subnet has its address.
    pub fn finish(self, old: Option<&Reservation>) -> Result<Reservation, Failure> {
        let identifier = self.identifier.ok_or(INVALID_ARGUMENT)?;
        let name = self.name.unwrap_or_else(|| made_up(NAMELESS));
        let mut host = old.cloned().unwrap_or_default();
        host.set_identifier(&identifier);
        host.set_hardware_type(self.hardware_type);
        host.set_class();
        host.set("name", Some(&name));
        host.set("group", self.group.as_deref());
        let subnet = match old {
            // Others may have put it where its address alone would not.
            Some(old) if old.address() == self.address => old.subnet(),
            _ => subnet(self.bridge, self.address)?,
        };
        host.set_place(subnet, self.address);
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
    match bridge.network(Some(address))?.subnet(address) {
        Some(subnet) => Ok(subnet.id),
        None => {
            log::warn(format_args!("a host at {address} is refused: no subnet of Kea's has that address"));
            Err(FAILURE.into())
        }
    }
}

/// A name or a group's: text without control characters.
pub fn text(value: &[u8]) -> Result<String, Failure> {
    match printable(value) {
        Ok(text) if text.len() <= NAME_BYTES => Ok(text.into()),
        _ => Err(INVALID_ARGUMENT.into()),
    }
}

/// A name for what has none, as dhcpd makes one of the time and a number.
pub fn made_up(prefix: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    format!("{prefix}{now:08x}{:012x}", RandomState::new().hash_one(now) & 0xffff_ffff_ffff)
}
