//! Where a client is: on which link, and how packets get there. A lease keeps it as one short text in its user context,
//! where Kea keeps `ISC`: so it is there when the lease expires, after a restart, and on the partner of a high-availability
//! pair.

use std::net::{IpAddr, Ipv6Addr};

use serde_json::Value;

use crate::bridge::ffi::{Lease, Packet4, Packet6};
use crate::facts::Facts;

/// Its key in a lease's user context. lease_origin.cc has its twin.
pub const KEY: &str = "runscript";

/// Behind the origin, or alone: a reservation of an answer has given the lease.
const RESERVED: &str = "reserved";

/// What stands for what is not known.
const NONE: &str = "-";

/// The kernel's limit for an interface's name (IFNAMSIZ), without the NUL.
const LONGEST_INTERFACE: usize = 15;

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Origin {
    /// The server's interface at which the client, or its relay, is heard.
    pub interface: Option<String>,
    /// The client's link-local address, or the address of the relay nearest to the server. A DHCPv4 client without a
    /// relay has none.
    pub next_hop: Option<IpAddr>,
    /// Of the relay nearest to the client, in DHCPv6.
    pub relay: Option<Relay>,
}

/// A relay's link-address and peer-address (RFC 8415, 9).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Relay {
    pub link: Ipv6Addr,
    pub peer: Ipv6Addr,
}

impl Origin {
    /// Addresses as their bytes, none of what there is not.
    pub fn new(name: &[u8], next_hop: &[u8], link: &[u8], peer: &[u8]) -> Origin {
        let relay = || Some(Relay { link: address6(link)?, peer: address6(peer)? });
        let next_hop4 = || <[u8; 4]>::try_from(next_hop).ok().map(IpAddr::from);
        let next_hop = address6(next_hop).map(IpAddr::from).or_else(next_hop4);
        Origin { interface: interface(name), next_hop, relay: relay() }
    }

    /// From where the query came; `None` if there is no query.
    pub fn of_query(facts: &Facts) -> Option<Origin> {
        let name = |name| facts.bytes(name).unwrap_or_default();
        let of4 = |packet: &Packet4| {
            let relay = packet.giaddr.to_be_bytes();
            Origin::new(name(packet.interface), if packet.relayed { &relay } else { &[] }, &[], &[])
        };
        let of6 = |packet: &Packet6| {
            let relay = facts.relays(packet.relays).last();
            let (link, peer) = relay.map_or((&[][..], &[][..]), |relay| (&relay.link_address, &relay.peer_address));
            Origin::new(name(packet.interface), &packet.remote_address, link, peer)
        };
        facts.query4.as_ref().map(of4).or_else(|| facts.query6.as_ref().map(of6))
    }

    /// What is kept with a lease; `None` if nothing is. Whoever can write the lease database may have written it.
    pub fn of_lease(facts: &Facts, lease: &Lease) -> Option<Origin> {
        let context: Value = serde_json::from_slice(facts.bytes(lease.user_context)?).ok()?;
        Origin::read(context.get(KEY)?.as_str()?)
    }

    /// The text that is kept: the parts in order, separated by spaces.
    pub fn text(&self) -> String {
        let or_none = |part: Option<String>| part.unwrap_or_else(|| NONE.into());
        let mut text = or_none(self.interface.clone());
        text.push(' ');
        text.push_str(&or_none(self.next_hop.map(|address| address.to_string())));
        if let Some(Relay { link, peer }) = self.relay {
            text.push_str(&format!(" {link} {peer}"));
        }
        text
    }

    pub(super) fn read(text: &str) -> Option<Origin> {
        let text = text.strip_suffix(RESERVED).and_then(|text| text.strip_suffix(' ')).unwrap_or(text);
        let mut parts = text.split(' ');
        let interface = match parts.next()? {
            NONE => None,
            name => Some(interface(name.as_bytes())?),
        };
        let next_hop = match parts.next()? {
            NONE => None,
            address => Some(address.parse().ok()?),
        };
        let relay = match (parts.next(), parts.next()) {
            (None, _) => None,
            (Some(link), Some(peer)) => Some(Relay { link: link.parse().ok()?, peer: peer.parse().ok()? }),
            (Some(_), None) => return None,
        };
        parts.next().is_none().then_some(Origin { interface, next_hop, relay })
    }
}

fn address6(bytes: &[u8]) -> Option<Ipv6Addr> {
    <[u8; 16]>::try_from(bytes).ok().map(Ipv6Addr::from)
}

/// A name that needs no quoting anywhere.
fn interface(name: &[u8]) -> Option<String> {
    let is_plain = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'/' | b'\\' | b'"' | b'%');
    let fits = (1..=LONGEST_INTERFACE).contains(&name.len()) && name.iter().all(is_plain);
    fits.then(|| String::from_utf8_lossy(name).into_owned()).filter(|name| name != NONE)
}
