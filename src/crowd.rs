//! No client crowds out others: of Kea's threads that wait for scripts, and of the packets that are parked for them, each
//! client has some at most, where a packet can be dropped and nothing else is lost.

use std::sync::{Arc, Mutex, PoisonError};

use crate::facts::Facts;
use crate::keys::{Key, client4, client6};

/// How many packets may wait that are alike: one at work, and one behind it.
const LIMIT: usize = 2;

/// Kea's names of messages that a client does not repeat, or that Kea does not answer: such a packet is lost for good.
const SAID_ONCE: [&[u8]; 4] = [b"DHCPRELEASE", b"DHCPDECLINE", b"RELEASE", b"DECLINE"];

/// What packets have in common that are alike. Where a packet has come from is part of that, lest somebody elsewhere
/// crowds a client out with packets in its name.
#[derive(Hash)]
struct Sender<'a> {
    point: usize,
    /// `None`: it does not say who it is, as all others that do not.
    client: Option<&'a [u8]>,
    message: &'a [u8],
    interface: &'a [u8],
    relay: Option<Relay>,
    /// How the relay calls the client's port.
    port: Option<&'a [u8]>,
}

/// The relay that is nearest to the client.
#[derive(Hash)]
enum Relay {
    V4 { giaddr: u32 },
    V6 { link_address: [u8; 16], peer_address: [u8; 16] },
}

/// DHCPv4's Relay Agent Information (RFC 3046) and DHCPv6's Interface-Id (RFC 8415, 21.18).
const AGENT_INFORMATION: u16 = 82;
const INTERFACE_ID: u16 = 18;

/// What a packet shares with those that are like it; `None` if it is never dropped.
pub fn key(point: usize, facts: &Facts) -> Option<Key> {
    let packet4 = facts.query4.as_ref().or(facts.response4.as_ref()).map(|packet| Sender {
        point,
        client: client4(facts, packet),
        message: facts.bytes(packet.name).unwrap_or_default(),
        interface: facts.bytes(packet.interface).unwrap_or_default(),
        relay: (packet.giaddr != 0).then_some(Relay::V4 { giaddr: packet.giaddr }),
        port: facts.option(packet.options, AGENT_INFORMATION),
    });
    let packet6 = facts.query6.as_ref().or(facts.response6.as_ref()).map(|packet| {
        let nearest = facts.relays(packet.relays).last();
        Sender {
            point,
            client: client6(facts, packet),
            message: facts.bytes(packet.name).unwrap_or_default(),
            interface: facts.bytes(packet.interface).unwrap_or_default(),
            relay: nearest
                .map(|relay| Relay::V6 { link_address: relay.link_address, peer_address: relay.peer_address }),
            port: nearest.and_then(|relay| facts.option(relay.options, INTERFACE_ID)),
        }
    });
    let sender = packet4.or(packet6)?;
    (!SAID_ONCE.contains(&sender.message)).then(|| Key::of(&sender))
}

/// The packets that wait for scripts: no more than Kea has threads, and room for parked ones.
#[derive(Default)]
pub struct Crowd(Mutex<Vec<Key>>);

impl Crowd {
    /// A place among those that wait; `None` if this packet is one too many.
    pub fn enter(self: &Arc<Self>, key: Key) -> Option<Place> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.iter().filter(|&&other| other == key).count() >= LIMIT {
            return None;
        }
        waiting.push(key);
        Some(Place { crowd: Arc::clone(self), key })
    }
}

/// It is free again when this is dropped.
pub struct Place {
    crowd: Arc<Crowd>,
    key: Key,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut waiting = self.crowd.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = waiting.iter().position(|&key| key == self.key) {
            waiting.swap_remove(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_that_are_alike_may_wait_and_others_beside_them() {
        let crowd = Arc::new(Crowd::default());
        let [ours, others] = [1, 2].map(|sender| Key::of(&sender));
        let first = crowd.enter(ours);
        let second = crowd.enter(ours);
        assert!(first.is_some() && second.is_some());
        assert!(crowd.enter(ours).is_none());
        assert!(crowd.enter(others).is_some());
        drop(first);
        assert!(crowd.enter(ours).is_some());
        drop(second);
        assert!(crowd.0.lock().unwrap().is_empty());
    }
}
