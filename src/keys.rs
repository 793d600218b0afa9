//! What an event is about: its client and every lease that it names. Events that share a key are handled in order.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::bridge::ffi::{HwAddr, Lease};
use crate::facts::Facts;
use crate::text::colons;

/// DHCPv4's client identifier (RFC 2132, 9.14) and DHCPv6's (RFC 8415, 21.2).
pub const CLIENT_ID4: u16 = 61;
pub const CLIENT_ID6: u16 = 1;

/// `Lease::Type` in Kea's lease.h.
pub const TYPE_PD: u8 = 2;
pub const TYPE_V4: u8 = 3;

/// A client is its DUID, else its client identifier, else its hardware address; failing all, it is the transaction.
/// A lease is its address or prefix, and its owner counts as a client too, for an expiry knows no other.
pub fn keys(facts: &Facts) -> Vec<String> {
    let mut keys = Vec::new();
    let packets4 = facts.query4.iter().chain(&facts.response4);
    for packet in packets4 {
        let known = client(facts, facts.option(packet.options, CLIENT_ID4), &packet.hwaddr);
        keys.push(known.unwrap_or_else(|| transaction(packet.transaction_id)));
    }
    let packets6 = facts.query6.iter().chain(&facts.response6);
    for packet in packets6 {
        let known = client(facts, facts.option(packet.options, CLIENT_ID6), &packet.hwaddr);
        keys.push(known.unwrap_or_else(|| transaction(packet.transaction_id)));
    }
    for lease in facts.lease.iter().chain(&facts.old_lease).chain(&facts.committed).chain(&facts.deleted) {
        keys.extend(client(facts, facts.bytes(lease.client), &lease.hwaddr));
        keys.push(address_or_prefix(lease));
    }
    keys.sort_unstable();
    keys.dedup();
    keys
}

fn client(facts: &Facts, id: Option<&[u8]>, hwaddr: &HwAddr) -> Option<String> {
    let bytes = id.or_else(|| facts.bytes(hwaddr.bytes)).filter(|bytes| !bytes.is_empty())?;
    let mut key = String::with_capacity(3 * bytes.len());
    colons(bytes, &mut key);
    Some(key)
}

fn transaction(id: u32) -> String {
    format!("transaction {id}")
}

/// `192.0.2.1`, `2001:db8::1`, `2001:db8:1::/56`.
pub fn address_or_prefix(lease: &Lease) -> String {
    match lease.kind {
        TYPE_PD => format!("{}/{}", address(lease), lease.prefix_len),
        _ => address(lease),
    }
}

/// The lease's address, of either family, as text.
pub fn address(lease: &Lease) -> String {
    match lease.kind {
        TYPE_V4 => {
            let [a, b, c, d, ..] = lease.address;
            Ipv4Addr::new(a, b, c, d).to_string()
        }
        _ => Ipv6Addr::from(lease.address).to_string(),
    }
}
