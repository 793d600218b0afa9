//! Hosts: Kea's reservations.

use super::draft::Draft;
use super::{Found, Search, hardware_type, search};
use crate::bridge::{Bridge, Turn};
use crate::frame::Attributes;
use crate::hosts::{self, Known};
use crate::log;
use crate::reservation::{Identifier, Reservation};
use crate::result::{EXISTS, Failure, INVALID_ARGUMENT, NOT_FOUND};

/// So long an address can be (Kea's `HWAddr`), and a client identifier, of which databases keep and Kea 2.2 reads no more.
pub const HARDWARE_BYTES: usize = 20;
pub const CLIENT_BYTES: usize = 128;

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
    std::str::from_utf8(value).map_or(Ok(None), |name| by_any_name(bridge, name))
}

fn by_any_name(bridge: &Bridge, name: &str) -> Result<Option<Reservation>, Failure> {
    match bridge.names.find(&bridge.kea, name)? {
        Some(host) => Ok(Some(host)),
        None => by_shown_identifier(bridge, name),
    }
}

fn by_shown_identifier(bridge: &Bridge, name: &str) -> Result<Option<Reservation>, Failure> {
    let digits = name.strip_prefix(hosts::NAMELESS).unwrap_or_default();
    if digits.is_empty() || digits.len() > 2 * CLIENT_BYTES {
        return Ok(None);
    }
    for kind in Identifier::KINDS {
        let Some(identifier) = Identifier::read(kind, digits) else { return Ok(None) };
        let found = hosts::by_identifier(&bridge.kea, &identifier)?;
        if let Some(host) = found.into_iter().find(|host| hosts::name(host) == name) {
            return Ok(Some(host));
        }
    }
    Ok(None)
}

/// The host that a handle stands for. One that was moved, but by that handle, is another: as one in another subnet could be.
pub fn fetch(bridge: &Bridge, known: &Known) -> Result<Option<Reservation>, Failure> {
    let found = hosts::by_identifier(&bridge.kea, &known.identifier)?;
    Ok(found.into_iter().find(|host| Known::of(host) == *known))
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
    out.put("name", hosts::name(host));
    if let Some(hardware) = of_kind(Identifier::HARDWARE) {
        out.put("hardware-address", &*hardware.bytes);
        out.put_number("hardware-type", host.hardware_type().into());
    }
}

/// Changes a host, or makes one: all that is wanted, or nothing.
pub fn update(
    bridge: &Bridge,
    turn: &mut Turn,
    old: Option<Reservation>,
    changes: &Attributes,
) -> Result<Reservation, Failure> {
    let mut draft = Draft::of(bridge, old.as_ref());
    changes.distinct().try_for_each(|(name, value)| draft.set(name, value))?;
    let host = draft.finish(old.as_ref())?;
    write(bridge, turn, old.as_ref(), &host)?;
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
        let identifier = host.identifier().ok_or(INVALID_ARGUMENT)?;
        refuse_double_identifier(bridge, host, &identifier)?;
        bridge.move_host(turn, old, host)?;
    } else if !bridge.writer()?.update(host)? {
        return Err(NOT_FOUND.into());
    }
    Ok(())
}

/// dhcpd has one host of a name. Kea has one of an identifier and one of an address in each subnet.
fn refuse_double(bridge: &Bridge, host: &Reservation) -> Result<(), Failure> {
    let identifier = host.identifier().ok_or(INVALID_ARGUMENT)?;
    if by_any_name(bridge, &hosts::name(host))?.is_some() {
        return Err(EXISTS.into());
    }
    refuse_double_identifier(bridge, host, &identifier)?;
    refuse_double_address(bridge, host)
}

fn refuse_double_identifier(bridge: &Bridge, host: &Reservation, identifier: &Identifier) -> Result<(), Failure> {
    let there = hosts::by_identifier(&bridge.kea, identifier)?;
    if there.iter().any(|other| other.subnet() == host.subnet()) { Err(EXISTS.into()) } else { Ok(()) }
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
pub fn delete(bridge: &Bridge, _: &Turn, host: &Reservation) -> Result<(), Failure> {
    let identifier = host.identifier().ok_or(NOT_FOUND)?;
    if !bridge.writer()?.delete(host.subnet(), &identifier)? {
        return Err(NOT_FOUND.into());
    }
    Ok(())
}

fn shown(host: &Reservation) -> String {
    log::shown(hosts::name(host).as_bytes())
}
