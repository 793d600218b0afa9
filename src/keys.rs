//! What an event is about: its client and every lease that it names. Events that share a key are handled in order.

use std::hash::{BuildHasher, Hash, RandomState};
use std::net::IpAddr;
use std::sync::LazyLock;

use crate::bridge::ffi::{HwAddr, Lease, Packet4, Packet6};
use crate::facts::Facts;
use crate::text::{self, colons};

/// DHCPv4's client identifier (RFC 2132, 9.14) and DHCPv6's (RFC 8415, 21.2).
pub const CLIENT_ID4: u16 = 61;
pub const CLIENT_ID6: u16 = 1;

/// What the text of a transaction begins with.
const TRANSACTION: &str = "transaction ";

/// `Lease::Type` in Kea's lease.h.
pub const TYPE_PD: u8 = 2;
pub const TYPE_V4: u8 = 3;

/// A client or a lease. A client is its DUID, else its client identifier, else its hardware address; failing all, it is
/// the transaction. A lease is its address or prefix.
#[derive(Debug, PartialEq, Hash)]
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
    /// The text for that.
    pub const COMMON_TEXT: &str = "";

    /// No client can choose what its key will be, not even one that sees for whom others wait.
    pub fn of(subject: &impl Hash) -> Key {
        static CHANCE: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        Key(CHANCE.hash_one(subject))
    }

    fn of_subject(subject: &Subject) -> Key {
        static CHANCE: LazyLock<foldhash::quality::RandomState> = LazyLock::new(Default::default);
        Key(CHANCE.hash_one(subject))
    }

    /// The key of the subject with this text, which the spool has kept; what is no subject's text has a key of its own.
    pub fn of_text(text: &str) -> Key {
        if text == Key::COMMON_TEXT {
            return Key::COMMON;
        }
        let client: Option<Vec<u8>> = text.split(':').map(byte).collect();
        match client {
            Some(client) => Key::of_subject(&Subject::Client(&client)),
            None => Key::of_subject(&other(text).unwrap_or(Subject::Client(text.as_bytes()))),
        }
    }
}

/// A byte of a client's text.
fn byte(digits: &str) -> Option<u8> {
    u8::from_str_radix(digits, 16).ok().filter(|_| digits.len() == 2)
}

/// What is no client. An address of eight groups of two digits, of which the Internet has none, is taken for one.
fn other(text: &str) -> Option<Subject<'static>> {
    if let Some(id) = text.strip_prefix(TRANSACTION) {
        return id.parse().ok().map(Subject::Transaction);
    }
    let (address, prefix_len) = match text.split_once('/') {
        Some((address, len)) => (address, Some(len.parse().ok()?)),
        None => (text, None),
    };
    Some(match address.parse().ok()? {
        IpAddr::V4(address) => {
            let mut bytes = [0; 16];
            bytes[..4].copy_from_slice(&address.octets());
            Subject::Address { bytes, is_v4: true, prefix_len }
        }
        IpAddr::V6(address) => Subject::Address { bytes: address.octets(), is_v4: false, prefix_len },
    })
}

/// The keys of an event, for taking turns.
pub fn keys(facts: &Facts) -> Vec<Key> {
    // A packet, its answer and a lease with its owner.
    let mut keys = Vec::with_capacity(4);
    each_subject(facts, |subject| keys.push(Key::of_subject(&subject)));
    keys
}

/// Whom the event is about, as texts, for a handler.
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
        add(of_lease(lease));
    }
}

fn of_lease(lease: &Lease) -> Subject<'static> {
    let prefix_len = (lease.kind == TYPE_PD).then_some(lease.prefix_len);
    Subject::Address { bytes: lease.address, is_v4: lease.kind == TYPE_V4, prefix_len }
}

/// The key of a lease.
pub fn lease_key(lease: &Lease) -> Key {
    Key::of_subject(&of_lease(lease))
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
            Subject::Transaction(id) => out = format!("{TRANSACTION}{id}"),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_has_the_key_of_its_text() {
        let mut v4 = [0; 16];
        v4[..4].copy_from_slice(&[192, 0, 2, 1]);
        let mut v6 = [0; 16];
        v6[..4].copy_from_slice(&[0x20, 1, 0xd, 0xb8]);
        for subject in [
            Subject::Client(&[0, 3, 0xff]),
            Subject::Client(&[7]),
            Subject::Transaction(0),
            Subject::Transaction(u32::MAX),
            Subject::Address { bytes: v4, is_v4: true, prefix_len: None },
            Subject::Address { bytes: v6, is_v4: false, prefix_len: None },
            Subject::Address { bytes: v6, is_v4: false, prefix_len: Some(56) },
            Subject::Address { bytes: [0xff; 16], is_v4: false, prefix_len: None },
        ] {
            assert_eq!(Key::of_text(&subject.text()), Key::of_subject(&subject), "{subject:?}");
        }
        assert_eq!(Key::of_text(Key::COMMON_TEXT), Key::COMMON);
        assert_ne!(Key::of_text("nonsense"), Key::of_text("other nonsense"));
    }
}
