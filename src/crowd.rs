//! Where packets arrive, no client crowds out others: while Kea's threads wait for scripts, each client has some of them at most.

use std::sync::{Mutex, PoisonError};

use crate::facts::Facts;
use crate::keys::{Key, client4, client6};

/// How many packets may wait that are alike: one at work, and one behind it.
const LIMIT: usize = 2;

/// Kea's names of messages that a client does not repeat, or that Kea does not answer: such a packet is lost for good.
const SAID_ONCE: [&[u8]; 4] = [b"DHCPRELEASE", b"DHCPDECLINE", b"RELEASE", b"DECLINE"];

/// What packets have in common that are alike. Where a packet has come from is part of that, lest somebody on another
/// network crowds a client out with packets in its name.
#[derive(Hash)]
struct Sender<'a> {
    point: usize,
    /// `None`: it does not say who it is, as all others that do not.
    client: Option<&'a [u8]>,
    message: &'a [u8],
    interface: &'a [u8],
    relay: Option<Relay>,
}

/// The relay that is nearest to the client.
#[derive(Hash)]
enum Relay {
    V4 { giaddr: u32 },
    V6 { link_address: [u8; 16], peer_address: [u8; 16] },
}

/// What a packet shares with those that are like it; `None` if it is never dropped.
pub fn key(point: usize, facts: &Facts) -> Option<Key> {
    let query4 = facts.query4.as_ref().map(|packet| Sender {
        point,
        client: client4(facts, packet),
        message: facts.bytes(packet.name).unwrap_or_default(),
        interface: facts.bytes(packet.interface).unwrap_or_default(),
        relay: (packet.giaddr != 0).then_some(Relay::V4 { giaddr: packet.giaddr }),
    });
    let query6 = facts.query6.as_ref().map(|packet| Sender {
        point,
        client: client6(facts, packet),
        message: facts.bytes(packet.name).unwrap_or_default(),
        interface: facts.bytes(packet.interface).unwrap_or_default(),
        relay: facts
            .relays(packet.relays)
            .last()
            .map(|relay| Relay::V6 { link_address: relay.link_address, peer_address: relay.peer_address }),
    });
    let sender = query4.or(query6)?;
    (!SAID_ONCE.contains(&sender.message)).then(|| Key::of(&sender))
}

/// The packets for which threads of Kea's wait: no more than Kea has threads.
#[derive(Default)]
pub struct Crowd(Mutex<Vec<Key>>);

impl Crowd {
    /// A place among those that wait; `None` if this packet is one too many.
    pub fn enter(&self, key: Key) -> Option<Place<'_>> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.iter().filter(|&&other| other == key).count() >= LIMIT {
            return None;
        }
        waiting.push(key);
        Some(Place { crowd: self, key })
    }
}

/// It is free again when this is dropped.
pub struct Place<'a> {
    crowd: &'a Crowd,
    key: Key,
}

impl Drop for Place<'_> {
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
        let crowd = Crowd::default();
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
