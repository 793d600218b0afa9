//! What Kea knows at a hook point, as our own copy: it outlives the callout.

use std::cell::Cell;

use crate::bridge::ABSENT;
use crate::bridge::ffi::{
    self, Ddns, HostIdentifier, Ia, Lease, LookedUpBy, OptionFact, Packet4, Packet6, Relay, Span, Subnet,
};
use crate::leases::Changed;
use crate::wire::{Item, held};

/// The owned twin of [`ffi::Facts`].
#[derive(Debug, Default)]
pub struct Facts {
    bytes: Vec<u8>,
    names: Vec<Span>,
    options: Vec<OptionFact>,
    relays: Vec<Relay>,
    pub query4: Option<Packet4>,
    pub response4: Option<Packet4>,
    pub query6: Option<Packet6>,
    pub response6: Option<Packet6>,
    pub subnet: Option<Subnet>,
    pub lease: Option<Lease>,
    pub old_lease: Option<Lease>,
    pub committed: Vec<Lease>,
    pub deleted: Vec<Lease>,
    pub others: Vec<Lease>,
    pub looked_up_by: Option<LookedUpBy>,
    pub ia: Option<Ia>,
    pub ddns: Option<Ddns>,
    pub host_identifier: Option<HostIdentifier>,
    pub offer_lifetime: Option<u32>,
    pub fake_allocation: bool,
    pub remove_lease: bool,
    pub is_skipped: bool,
    pub is_reserved: bool,
    /// Of a lease event.
    pub changed: Option<Changed>,
}

thread_local! {
    /// The memory of facts that nobody has kept, for the next ones.
    static SPARE: Cell<Lists> = Cell::default();
}

type Lists = (Vec<u8>, Vec<Span>, Vec<OptionFact>, Vec<Relay>);

/// No more than that is spared.
const SPARED_BYTES: usize = 64 * 1024;

fn refilled<T: Copy>(mut list: Vec<T>, with: &[T]) -> Vec<T> {
    list.clear();
    list.extend_from_slice(with);
    list
}

impl From<&ffi::Facts<'_>> for Facts {
    fn from(facts: &ffi::Facts) -> Self {
        let (bytes, names, options, relays) = SPARE.take();
        Facts {
            bytes: refilled(bytes, facts.bytes),
            names: refilled(names, facts.names),
            options: refilled(options, facts.options),
            relays: refilled(relays, facts.relays),
            query4: facts.query4.first().copied(),
            response4: facts.response4.first().copied(),
            query6: facts.query6.first().copied(),
            response6: facts.response6.first().copied(),
            subnet: facts.subnet.first().copied(),
            lease: facts.lease.first().copied(),
            old_lease: facts.old_lease.first().copied(),
            committed: facts.committed.to_vec(),
            deleted: facts.deleted.to_vec(),
            others: facts.others.to_vec(),
            looked_up_by: facts.looked_up_by.first().copied(),
            ia: facts.ia.first().copied(),
            ddns: facts.ddns.first().copied(),
            host_identifier: facts.host_identifier.first().copied(),
            offer_lifetime: facts.offer_lifetime.first().copied(),
            fake_allocation: facts.fake_allocation,
            remove_lease: facts.remove_lease,
            is_skipped: facts.is_skipped,
            is_reserved: facts.is_reserved,
            changed: None,
        }
    }
}

impl Facts {
    /// Nobody wants them any more.
    pub fn spare(self) {
        if self.bytes.capacity() <= SPARED_BYTES {
            SPARE.set((self.bytes, self.names, self.options, self.relays));
        }
    }

    /// Of a lease event without a lease.
    pub fn of_change(changed: Changed) -> Facts {
        Facts { changed: Some(changed), ..Facts::default() }
    }

    /// The bytes of a fact; `None` where it does not exist.
    pub fn bytes(&self, span: Span) -> Option<&[u8]> {
        part(&self.bytes, span)
    }

    /// The bytes of each name of a list.
    pub fn names(&self, span: Span) -> impl Iterator<Item = &[u8]> {
        part(&self.names, span).unwrap_or_default().iter().filter_map(|name| self.bytes(*name))
    }

    pub fn options(&self, span: Span) -> &[OptionFact] {
        part(&self.options, span).unwrap_or_default()
    }

    /// The packet's own options among them, by code.
    pub fn items(&self, options: Span) -> Vec<Item<'_>> {
        held(&self.bytes, self.options(options))
    }

    pub fn relays(&self, span: Span) -> &[Relay] {
        part(&self.relays, span).unwrap_or_default()
    }

    /// The data of a packet's first option of this code.
    pub fn option(&self, options: Span, code: u16) -> Option<&[u8]> {
        let option = self.options(options).iter().find(|option| option.depth == 0 && option.code == code)?;
        self.bytes(option.data)
    }
}

/// What a span means.
pub fn part<T>(all: &[T], span: Span) -> Option<&[T]> {
    if span.start == ABSENT {
        return None;
    }
    let start = span.start as usize;
    all.get(start..start.checked_add(span.len as usize)?)
}
