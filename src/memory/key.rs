//! What an answer is about: all that has to be the same for it to be given again.
//!
//! A client chooses most of these bytes. Each part has its length before it or ends in itself, so that no two events have
//! one key by what stands where; and all of the key is compared, not its hash alone.

use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::LazyLock;

use crate::bridge::ffi::{HwAddr, Lease, Packet4, Packet6, Span};
use crate::facts::Facts;
use crate::hook_points::HOOK_POINTS;
use crate::keys::{CLIENT_ID4, CLIENT_ID6};
use crate::variables::{self, Style};
use crate::wire::{self, Item};

/// What tells clients, their relays, and what a client has booted so far from each other. DHCPv4: vendor class, client
/// identifier, user class, relay agent information, architecture.
const OPTIONS4: [u16; 5] = [60, CLIENT_ID4, 77, 82, 93];
/// DHCPv6: DUID, user class, vendor class, interface id, remote id, architecture.
const OPTIONS6: [u16; 6] = [CLIENT_ID6, 15, 16, 18, 37, 61];

/// DHCPv6's options of an address and of a prefix, within another (RFC 8415, 21.6 and 21.22), and where these stand there.
const IA_ADDRESS: (u16, std::ops::Range<usize>) = (5, 0..16);
const IA_PREFIX: (u16, std::ops::Range<usize>) = (26, 8..25);

/// Stands for the length of what is not there, and for the end of a list of options.
const NONE: u16 = u16::MAX;

#[derive(Debug)]
pub struct Key {
    /// Not 0. No client can choose it.
    hash: u64,
    bytes: Vec<u8>,
}

impl Key {
    /// The key of what happens at this hook point; `None` if it is nothing that an answer can be kept for: nobody says who
    /// he is. `keep_by`: names of variables that count too.
    pub fn new(point: usize, facts: &Facts, keep_by: &[String], style: Style) -> Option<Key> {
        static CHANCE: LazyLock<foldhash::quality::RandomState> = LazyLock::new(Default::default);
        let mut parts = Parts { facts, out: Vec::with_capacity(256) };
        let has_identity = match (&facts.query4, &facts.query6) {
            (Some(packet), _) => parts.query4(packet),
            (None, Some(packet)) => parts.query6(packet),
            (None, None) => false,
        };
        if !has_identity {
            return None;
        }
        parts.out.extend((point as u16).to_be_bytes());
        parts.event();
        if !keep_by.is_empty() {
            let mut text = String::new();
            variables::write_some(&mut text, &HOOK_POINTS[point], facts, style, keep_by);
            parts.bytes(Some(text.as_bytes()));
        }
        let bytes = parts.out;
        Some(Key { hash: CHANCE.hash_one(&bytes[..]).max(1), bytes })
    }

    pub fn hash(&self) -> u64 {
        self.hash
    }

    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Without room that it does not need.
    pub fn shrunk(mut self) -> Key {
        self.bytes.shrink_to_fit();
        self
    }

    pub fn is_of(&self, client: &Client) -> bool {
        let (address, rest) = first(&self.bytes);
        match client {
            Client::HwAddress(bytes) => address == Some(bytes),
            Client::Id(bytes) => first(rest).0 == Some(bytes),
        }
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Key) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

/// A client, as a command names it.
#[derive(Debug, PartialEq)]
pub enum Client {
    HwAddress(Vec<u8>),
    /// Its client identifier; in DHCPv6 its DUID.
    Id(Vec<u8>),
}

/// The first of the parts that have their length before them, and what follows.
fn first(bytes: &[u8]) -> (Option<&[u8]>, &[u8]) {
    let Some((length, rest)) = bytes.split_first_chunk() else { return (None, bytes) };
    match u16::from_be_bytes(*length) {
        NONE => (None, rest),
        length => rest.split_at_checked(length.into()).map_or((None, rest), |(part, rest)| (Some(part), rest)),
    }
}

struct Parts<'a> {
    facts: &'a Facts,
    out: Vec<u8>,
}

impl Parts<'_> {
    /// The client first, for [`Key::is_of`]; whether there is one.
    fn client(&mut self, hwaddr: &HwAddr, id: Option<&[u8]>) -> bool {
        let address = self.facts.bytes(hwaddr.bytes);
        self.bytes(address);
        self.bytes(id);
        self.out.extend(hwaddr.htype.to_be_bytes());
        address.into_iter().chain(id).any(|bytes| !bytes.is_empty())
    }

    fn query4(&mut self, packet: &Packet4) -> bool {
        let facts = self.facts;
        let has_identity = self.client(&packet.hwaddr, facts.option(packet.options, CLIENT_ID4));
        self.bytes(facts.bytes(packet.name));
        self.bytes(facts.bytes(packet.interface));
        self.out.extend(packet.giaddr.to_be_bytes());
        // Of DHCPv4 over DHCPv6, where there is no other relay: a client's IPv6 address, or its relay's.
        self.bytes(facts.bytes(packet.remote_address).filter(|address| address.len() == 16));
        self.held(packet.options, &OPTIONS4);
        self.came(wire::came4(facts.bytes(packet.wire).unwrap_or_default()), &OPTIONS4);
        has_identity
    }

    fn query6(&mut self, packet: &Packet6) -> bool {
        let facts = self.facts;
        let has_identity = self.client(&packet.hwaddr, facts.option(packet.options, CLIENT_ID6));
        self.bytes(facts.bytes(packet.name));
        self.bytes(facts.bytes(packet.interface));
        let relays = facts.relays(packet.relays);
        self.count(relays.len());
        for relay in relays {
            self.out.extend(relay.link_address);
            self.out.extend(relay.peer_address);
            self.held(relay.options, &OPTIONS6);
        }
        self.held(packet.options, &OPTIONS6);
        for layer in facts.bytes(packet.wire).into_iter().flat_map(wire::read6) {
            self.came(layer.read().iter().copied(), &OPTIONS6);
        }
        has_identity
    }

    /// What else the hook point is about. Those of one hook point have the same parts.
    fn event(&mut self) {
        let facts = self.facts;
        self.out.push(facts.fake_allocation.into());
        self.count(facts.subnet.iter().len());
        facts.subnet.iter().for_each(|subnet| self.out.extend(subnet.id.to_be_bytes()));
        self.leases(facts.lease.as_slice());
        self.leases(facts.old_lease.as_slice());
        self.leases(&facts.committed);
        self.leases(&facts.deleted);
        if let Some(ddns) = &facts.ddns {
            self.bytes(facts.bytes(ddns.hostname));
            self.out.extend([ddns.fwd_update, ddns.rev_update].map(u8::from));
        }
        if let Some(identifier) = &facts.host_identifier {
            self.out.extend(identifier.kind.to_be_bytes());
            self.bytes(facts.bytes(identifier.value));
        }
        if let Some(response) = &facts.response4 {
            self.bytes(facts.bytes(response.name));
            self.out.extend(response.yiaddr.to_be_bytes());
        }
        if let Some(response) = &facts.response6 {
            self.bytes(facts.bytes(response.name));
            self.given(response.options);
        }
    }

    fn leases(&mut self, leases: &[Lease]) {
        self.count(leases.len());
        for lease in leases {
            self.out.extend(lease.address);
            self.out.extend([lease.kind, lease.prefix_len]);
            self.out.extend(lease.iaid.to_be_bytes());
        }
    }

    /// The addresses and prefixes that an answer to a client names.
    fn given(&mut self, options: Span) {
        let facts = self.facts;
        for option in facts.options(options).iter().filter(|option| option.depth == 1) {
            for (code, place) in [IA_ADDRESS, IA_PREFIX] {
                if option.code == code {
                    self.option(code, facts.bytes(option.data).and_then(|data| data.get(place)));
                }
            }
        }
        self.out.extend(NONE.to_be_bytes());
    }

    /// Options as Kea has them now: another library may have changed them.
    fn held(&mut self, options: Span, codes: &[u16]) {
        let facts = self.facts;
        for option in facts.options(options).iter().filter(|option| option.depth == 0 && codes.contains(&option.code)) {
            self.option(option.code, facts.bytes(option.data));
        }
        self.out.extend(NONE.to_be_bytes());
    }

    /// The same as they came, which Kea's objects do not always tell.
    fn came<'i>(&mut self, items: impl Iterator<Item = Item<'i>>, codes: &[u16]) {
        for item in items.filter(|item| codes.contains(&item.code)) {
            self.option(item.code, Some(item.data));
        }
        self.out.extend(NONE.to_be_bytes());
    }

    fn option(&mut self, code: u16, data: Option<&[u8]>) {
        self.out.extend(code.to_be_bytes());
        self.bytes(data);
    }

    fn bytes(&mut self, bytes: Option<&[u8]>) {
        // What is longer makes a key that is too long to be kept.
        let length = bytes.map_or(NONE, |bytes| bytes.len().min(usize::from(NONE) - 1) as u16);
        self.out.extend(length.to_be_bytes());
        self.out.extend(bytes.unwrap_or_default());
    }

    fn count(&mut self, count: usize) {
        self.out.extend((count as u32).to_be_bytes());
    }
}
