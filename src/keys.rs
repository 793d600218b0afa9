//! What an event is about: its client and every lease that it names. Events that share a key are handled in order.

use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::LazyLock;

use crate::bridge::ffi::{HwAddr, Lease, Packet4, Packet6};
use crate::facts::Facts;
use crate::text::{self, colons};

/// DHCPv4's client identifier (RFC 2132, 9.14) and DHCPv6's (RFC 8415, 21.2).
pub const CLIENT_ID4: u16 = 61;
pub const CLIENT_ID6: u16 = 1;

/// `Lease::Type` in Kea's lease.h.
pub const TYPE_PD: u8 = 2;
pub const TYPE_V4: u8 = 3;

/// A client or a lease. A client is its DUID, else its client identifier, else its hardware address; failing all, it is
/// the transaction. A lease is its address or prefix.
#[derive(PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Subject<'a> {
    Client(&'a [u8]),
    Transaction(u32),
    Address { bytes: [u8; 16], is_v4: bool, prefix_len: Option<u8> },
}

/// What stands for a subject where events take turns. Two of them may share one by an improbable chance, which makes
/// their events wait for each other, and nothing worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(u64);

impl Key {
    /// What all events share.
    pub const COMMON: Key = Key(0);

    /// No client can choose what its key will be.
    pub fn of(subject: &impl Hash) -> Key {
        static CHANCE: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        Key(CHANCE.hash_one(subject))
    }
}

/// The keys of an event, for taking turns.
pub fn keys(facts: &Facts) -> Vec<Key> {
    // A packet, its answer and a lease with its owner.
    let mut keys = Vec::with_capacity(4);
    each_subject(facts, |subject| keys.push(Key::of(&subject)));
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// The same as texts, for a handler.
pub fn texts(facts: &Facts) -> Vec<String> {
    let mut texts = Vec::with_capacity(4);
    each_subject(facts, |subject| texts.push(subject.text()));
    texts.sort_unstable();
    texts.dedup();
    texts
}

/// A lease's owner counts as a client too, for an expiry knows no other.
fn each_subject<'a>(facts: &'a Facts, mut add: impl FnMut(Subject<'a>)) {
    for packet in facts.query4.iter().chain(&facts.response4) {
        add(client4(facts, packet).map_or(Subject::Transaction(packet.transaction_id), Subject::Client));
    }
    for packet in facts.query6.iter().chain(&facts.response6) {
        add(client6(facts, packet).map_or(Subject::Transaction(packet.transaction_id), Subject::Client));
    }
    for lease in facts.lease.iter().chain(&facts.old_lease).chain(&facts.committed).chain(&facts.deleted) {
        client(facts, facts.bytes(lease.client), &lease.hwaddr).map(Subject::Client).into_iter().for_each(&mut add);
        let prefix_len = (lease.kind == TYPE_PD).then_some(lease.prefix_len);
        add(Subject::Address { bytes: lease.address, is_v4: lease.kind == TYPE_V4, prefix_len });
    }
}

/// Whose packet it is, if it says so.
pub fn client4<'a>(facts: &'a Facts, packet: &Packet4) -> Option<&'a [u8]> {
    client(facts, facts.option(packet.options, CLIENT_ID4), &packet.hwaddr)
}

pub fn client6<'a>(facts: &'a Facts, packet: &Packet6) -> Option<&'a [u8]> {
    client(facts, facts.option(packet.options, CLIENT_ID6), &packet.hwaddr)
}

fn client<'a>(facts: &'a Facts, id: Option<&'a [u8]>, hwaddr: &HwAddr) -> Option<&'a [u8]> {
    let says_something = |bytes: &&[u8]| !bytes.is_empty();
    id.filter(says_something).or_else(|| facts.bytes(hwaddr.bytes).filter(says_something))
}

impl Subject<'_> {
    fn text(&self) -> String {
        let mut out = String::new();
        match *self {
            Subject::Client(bytes) => colons(bytes, &mut out),
            Subject::Transaction(id) => out = format!("transaction {id}"),
            Subject::Address { bytes, is_v4, prefix_len } => write_address(bytes, is_v4, prefix_len, &mut out),
        }
        out
    }
}

/// `192.0.2.1`, `2001:db8::1`, `2001:db8:1::/56`.
pub fn address_or_prefix(lease: &Lease, out: &mut String) {
    let prefix_len = (lease.kind == TYPE_PD).then_some(lease.prefix_len);
    write_address(lease.address, lease.kind == TYPE_V4, prefix_len, out);
}

/// The lease's address, of either family, as text.
pub fn address(lease: &Lease, out: &mut String) {
    write_address(lease.address, lease.kind == TYPE_V4, None, out);
}

fn write_address(bytes: [u8; 16], is_v4: bool, prefix_len: Option<u8>, out: &mut String) {
    match bytes {
        [a, b, c, d, ..] if is_v4 => text::ipv4([a, b, c, d], out),
        _ => text::ipv6(bytes, out),
    }
    if let Some(len) = prefix_len {
        out.push('/');
        text::number(len, out);
    }
}
