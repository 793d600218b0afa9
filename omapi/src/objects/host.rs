//! Hosts: Kea's reservations.

use kea_hook_runscript::text::hex_digits;

use super::draft::Draft;
use super::{Found, Search, hardware_type, search};
use crate::bridge::{Bridge, Turn};
use crate::frame::Attributes;
use crate::hosts;
use crate::log;
use crate::reservation::{Identifier, Reservation};
use crate::result::{EXISTS, Failure, INVALID_ARGUMENT, NOT_FOUND};

/// So long an address Kea (its `HWAddr`) and a client identifier can be.
pub const HARDWARE_BYTES: usize = 20;
pub const CLIENT_BYTES: usize = 255;

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

fn by_hardware(bridge: &Bridge, others: &Attributes, value: &[u8]) -> Result<Option<Reservation>, Failure> {
    let kind = hardware_type(others)?;
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

/// Changes a host, or makes one: all that is wanted, or nothing.
pub fn update(bridge: &Bridge, old: Option<Reservation>, changes: &Attributes) -> Result<Reservation, Failure> {
    let mut turn = bridge.turn()?;
    let mut draft = Draft::of(bridge, old.as_ref());
    changes.distinct().try_for_each(|(name, value)| draft.set(name, value))?;
    let host = draft.finish(old.as_ref())?;
    write(bridge, &mut turn, old.as_ref(), &host)?;
    bridge.names.remember(&host);
    Ok(host)
}

fn write(bridge: &Bridge, turn: &mut Turn, old: Option<&Reservation>, host: &Reservation) -> Result<(), Failure> {
    let Some(old) = old else {
        refuse_double(bridge, host)?;
        bridge.writer()?.add(host)?;
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
    Ok(())
}

fn shown(host: &Reservation) -> String {
    log::shown(name(host).as_bytes())
}
