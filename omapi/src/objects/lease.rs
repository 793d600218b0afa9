//! Leases: Kea's, and the free addresses of its pools, which dhcpd has as leases, too.

use std::net::Ipv4Addr;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::host::{CLIENT_BYTES, HARDWARE_BYTES};
use super::{Found, Object, Search, hardware_type, number, search};
use crate::bridge::{Bridge, Turn};
use crate::frame::Attributes;
use crate::handles::Handles;
use crate::hosts::NAME_BYTES;
use crate::reservation::{ETHERNET, Identifier, Reservation};
use crate::result::{Failure, INVALID_ARGUMENT, MULTIPLE, NO_PERMISSION, NOT_IMPLEMENTED, UNKNOWN_ATTRIBUTE};

/// dhcpd's states of a lease.
const FREE: u32 = 1;
const ACTIVE: u32 = 2;
const EXPIRED: u32 = 3;
const RELEASED: u32 = 4;
const ABANDONED: u32 = 5;
const LAST: u32 = 7;
/// Kea's states of a lease, as far as they have a counterpart.
const ASSIGNED: u64 = 0;
const DECLINED: u64 = 1;

/// Kea takes client identifiers from here on.
const FEWEST_CLIENT_BYTES: usize = 2;

/// An address, and Kea's lease of it, if any.
#[derive(Clone, Debug)]
pub struct Lease {
    pub address: Ipv4Addr,
    subnet: u32,
    pool: Option<usize>,
    /// As Kea tells it.
    lease: Option<Value>,
}

/// In dhcpd's order. It does not find a lease by a name; we do.
const SEARCHES: [Search<Lease>; 4] = [
    Search { attribute: "ip-address", alone: false, find: by_address },
    Search { attribute: "dhcp-client-identifier", alone: false, find: by_client },
    Search { attribute: "hardware-address", alone: false, find: by_hardware },
    Search { attribute: "client-hostname", alone: true, find: by_hostname },
];

/// Finds a lease.
pub fn find(bridge: &Bridge, first: Option<Lease>, by: &Attributes) -> Result<Found<Lease>, Failure> {
    search(bridge, first, by, &SEARCHES, |one, other| one.address == other.address)
}

fn by_address(bridge: &Bridge, _: &Attributes, value: &[u8]) -> Result<Option<Lease>, Failure> {
    <[u8; 4]>::try_from(value).map_or(Ok(None), |address| fetch(bridge, address.into()))
}

/// The lease of an address; `None` if there is none, and no pool has it.
pub fn fetch(bridge: &Bridge, address: Ipv4Addr) -> Result<Option<Lease>, Failure> {
    let lease = bridge.kea.command("lease4-get", json!({"ip-address": address.to_string()}))?;
    Ok(Lease::new(bridge, address, lease)?.filter(|lease| lease.lease.is_some() || lease.pool.is_some()))
}

fn by_client(bridge: &Bridge, _: &Attributes, value: &[u8]) -> Result<Option<Lease>, Failure> {
    if !(FEWEST_CLIENT_BYTES..=CLIENT_BYTES).contains(&value.len()) {
        return Ok(None);
    }
    by(bridge, "lease4-get-by-client-id", json!({"client-id": Identifier::new(Identifier::CLIENT, value).text()}))
}

fn by_hardware(bridge: &Bridge, others: &Attributes, value: &[u8]) -> Result<Option<Lease>, Failure> {
    if hardware_type(others)? != ETHERNET || value.len() > HARDWARE_BYTES {
        return Ok(None);
    }
    by(bridge, "lease4-get-by-hw-address", json!({"hw-address": Identifier::new(Identifier::HARDWARE, value).text()}))
}

fn by_hostname(bridge: &Bridge, _: &Attributes, value: &[u8]) -> Result<Option<Lease>, Failure> {
    match std::str::from_utf8(value) {
        // Kea's are ASCII, and MySQL refuses to compare others.
        Ok(name) if name.len() > NAME_BYTES || !name.is_ascii() => Ok(None),
        Ok(name) => by(bridge, "lease4-get-by-hostname", json!({"hostname": name.to_lowercase()})),
        Err(_) => Ok(None),
    }
}

fn by(bridge: &Bridge, command: &str, arguments: Value) -> Result<Option<Lease>, Failure> {
    let answer = bridge.kea.command(command, arguments)?;
    let leases = answer.as_ref().and_then(|answer| answer["leases"].as_array()).map(Vec::as_slice).unwrap_or_default();
    let Some(lease) = chosen(leases)? else { return Ok(None) };
    let address = lease["ip-address"].as_str().and_then(|text| text.parse().ok());
    address.map_or(Ok(None), |address| Lease::new(bridge, address, Some(lease.clone())))
}

/// The one that is in use, or else the one that was. dhcpd serves no request that means several.
fn chosen(leases: &[Value]) -> Result<Option<&Value>, Failure> {
    let in_use: Vec<&Value> = leases.iter().filter(|lease| state(lease) == ACTIVE).collect();
    match (&*in_use, leases) {
        ([one], _) => Ok(Some(one)),
        ([], [one]) => Ok(Some(one)),
        ([], []) => Ok(None),
        _ => Err(MULTIPLE.into()),
    }
}

/// dhcpd's state of a lease of Kea's. Of one that has run out, Kea may take a while to notice.
fn state(lease: &Value) -> u32 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    match lease["state"].as_u64() {
        Some(ASSIGNED) if ends(lease) > now => ACTIVE,
        Some(DECLINED) => ABANDONED,
        _ => FREE,
    }
}

fn ends(lease: &Value) -> u64 {
    start(lease).saturating_add(lease["valid-lft"].as_u64().unwrap_or(0))
}

/// When the client was heard last: Kea knows no other beginning.
fn start(lease: &Value) -> u64 {
    lease["cltt"].as_u64().unwrap_or(0)
}

impl Lease {
    fn new(bridge: &Bridge, address: Ipv4Addr, lease: Option<Value>) -> Result<Option<Lease>, Failure> {
        let network = bridge.network(Some(address))?;
        let subnet = network.subnet(address);
        let id = lease.as_ref().and_then(|lease| lease["subnet-id"].as_u64()).and_then(|id| id.try_into().ok());
        let Some(id) = id.or(subnet.map(|subnet| subnet.id)) else { return Ok(None) };
        Ok(Some(Lease { address, subnet: id, pool: subnet.and_then(|subnet| subnet.pool(address)), lease }))
    }

    /// Its attributes, in dhcpd's order.
    pub fn show(&self, handles: &mut Handles<Object>, out: &mut Attributes) {
        let free = json!({});
        let lease = self.lease.as_ref().unwrap_or(&free);
        let text = |name: &str| lease[name].as_str().filter(|text| !text.is_empty());
        let state = state(lease);
        out.put_number("state", state);
        out.put("ip-address", self.address.octets());
        if let Some(client) = identifier(lease, Identifier::CLIENT) {
            out.put("dhcp-client-identifier", client);
        }
        if let Some(name) = text("hostname").filter(|_| state != FREE) {
            out.put("client-hostname", name);
        }
        out.put_number("subnet", handles.of(&Object::Subnet(self.subnet)));
        if let Some(pool) = self.pool {
            out.put_number("pool", handles.of(&Object::Pool(self.subnet, pool)));
        }
        if let Some(hardware) = identifier(lease, Identifier::HARDWARE) {
            out.put("hardware-address", hardware);
            out.put_number("hardware-type", ETHERNET.into());
        }
        let time = |time: u64| u32::try_from(time).unwrap_or(u32::MAX);
        out.put_number("ends", time(ends(lease)));
        out.put_number("starts", time(start(lease)));
        ["tstp", "tsfp", "atsfp"].iter().for_each(|name| out.put_number(name, 0));
        out.put_number("cltt", time(start(lease)));
        out.put("flags", [0]);
    }

    fn delete(&mut self, bridge: &Bridge) -> Result<bool, Failure> {
        let was_there = self.lease.take().is_some();
        if was_there {
            bridge.kea.command("lease4-del", json!({"ip-address": self.address.to_string()}))?;
        }
        Ok(was_there)
    }

    /// Keeps when the client was heard, and changes how long the lease holds.
    fn end(&mut self, bridge: &Bridge, end: u32) -> Result<bool, Failure> {
        let Some(lease) = &mut self.lease else { return Ok(false) };
        let start = start(lease);
        let lifetime = u64::from(end).saturating_sub(start);
        let (valid, expire) = (json!(lifetime), json!(start + lifetime));
        let mut wanted = json!({"valid-lft": valid, "expire": expire});
        for name in [
            "ip-address",
            "subnet-id",
            "hw-address",
            "client-id",
            "hostname",
            "fqdn-fwd",
            "fqdn-rev",
            "user-context",
            "state",
        ] {
            if !lease[name].is_null() {
                wanted[name] = lease[name].clone();
            }
        }
        bridge.kea.command("lease4-update", wanted)?;
        lease["valid-lft"] = valid;
        Ok(true)
    }
}

fn identifier(lease: &Value, kind: &str) -> Option<Vec<u8>> {
    let text = lease[kind].as_str().filter(|text| !text.is_empty())?;
    let mut host = Reservation::default();
    host.0.insert(kind.into(), text.into());
    host.identifier().map(|identifier| identifier.bytes)
}

/// What is to become of a lease.
#[derive(Default)]
struct Change {
    is_freed: bool,
    end: Option<u32>,
}

type Setter = fn(&Lease, &mut Change, &[u8]) -> Result<(), Failure>;

/// What can be set, and how. dhcpd takes some attributes and does nothing with them.
const ATTRIBUTES: [(&str, Setter); 14] = [
    ("state", set_state),
    ("ends", |_, change, value| number(value).map(|end| change.end = Some(end))),
    ("flags", |_, _, value| if value.iter().all(|byte| *byte == 0) { Ok(()) } else { Err(NO_PERMISSION.into()) }),
    ("ip-address", |_, _, _| Err(NO_PERMISSION.into())),
    ("pool", |_, _, _| Err(NO_PERMISSION.into())),
    ("starts", |_, _, _| Err(NO_PERMISSION.into())),
    ("subnet", |_, _, _| Err(INVALID_ARGUMENT.into())),
    ("dhcp-client-identifier", |_, _, _| Ok(())),
    ("hostname", |_, _, _| Ok(())),
    ("client-hostname", |_, _, _| Ok(())),
    ("host", |_, _, _| Ok(())),
    ("billing-class", |_, _, _| Ok(())),
    ("hardware-address", |_, _, _| Ok(())),
    ("hardware-type", |_, _, _| Ok(())),
];

fn set_state(lease: &Lease, change: &mut Change, value: &[u8]) -> Result<(), Failure> {
    let now = lease.lease.as_ref().map_or(FREE, state);
    match number(value)? {
        // Expired and released ones are free in the next moment, in dhcpd, too.
        FREE | EXPIRED | RELEASED => change.is_freed = true,
        wanted if wanted == now => {}
        ACTIVE | ABANDONED..=LAST => return Err(NOT_IMPLEMENTED.into()),
        _ => return Err(INVALID_ARGUMENT.into()),
    }
    Ok(())
}

/// Changes a lease: all that is wanted, or nothing. Whether there was anything to change.
pub fn update(bridge: &Bridge, _: &Turn, mut lease: Lease, changes: &Attributes) -> Result<(Lease, bool), Failure> {
    let mut change = Change::default();
    for (name, value) in changes.distinct() {
        let (_, set) = ATTRIBUTES.iter().find(|(known, _)| known.as_bytes() == name).ok_or(UNKNOWN_ATTRIBUTE)?;
        set(&lease, &mut change, value)?;
    }
    let is_other = match change {
        Change { is_freed: true, .. } => lease.delete(bridge)?,
        Change { end: Some(end), .. } => lease.end(bridge, end)?,
        Change { end: None, .. } => false,
    };
    Ok((lease, is_other))
}
