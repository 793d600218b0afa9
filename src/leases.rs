//! One event per lease and change, at the hook points `lease4_changed` and `lease6_changed`, which are ours: made from what
//! Kea says at its own.
//!
//! What a later event needs to know of from where a client was heard, and Kea forgets, is kept with the lease: see [`origin`].

pub mod origin;
#[cfg(test)]
mod tests;

use crate::bridge::ffi::{Lease, Source};
use crate::facts::Facts;
use crate::hook_points::{self, Server};
use origin::Origin;

/// What has happened to a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Add,
    Renew,
    /// Kea answers with the lease that the client has, and writes nothing (`cache-threshold`).
    Reused,
    Del(Reason),
    /// Nothing: the client has it.
    Replay,
    /// A replay of all leases begins, and ends.
    ReplayBegin,
    ReplayEnd,
}

/// Why a lease is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    Released,
    Expired,
    Declined,
    /// The client has another in its place.
    Replaced,
    /// By a command.
    Deleted,
    /// Kea has taken it away: it is reserved for another client, or outside all pools.
    Reclaimed,
}

impl Action {
    /// As in `KEA_ACTION`.
    pub fn name(self) -> &'static str {
        match self {
            Action::Add => "add",
            Action::Renew => "renew",
            Action::Reused => "reused",
            Action::Del(_) => "del",
            Action::Replay => "replay",
            Action::ReplayBegin => "replay-begin",
            Action::ReplayEnd => "replay-end",
        }
    }

    /// As in `KEA_REASON`.
    pub fn reason(self) -> Option<&'static str> {
        let Action::Del(reason) = self else { return None };
        Some(match reason {
            Reason::Released => "released",
            Reason::Expired => "expired",
            Reason::Declined => "declined",
            Reason::Replaced => "replaced",
            Reason::Deleted => "deleted",
            Reason::Reclaimed => "reclaimed",
        })
    }
}

/// What a lease event is about besides its lease.
#[derive(Debug, PartialEq)]
pub struct Changed {
    pub action: Action,
    /// Where the client is, as far as that is known.
    pub origin: Origin,
}

/// `Lease::STATE_*` in Kea's lease.h.
const STATE_DEFAULT: u32 = 0;
const STATE_DECLINED: u32 = 1;
const STATE_EXPIRED_RECLAIMED: u32 = 2;
const STATE_REGISTERED: u32 = 4;

/// The hook point where scripts hear of a server's leases.
pub fn hook_point(server: Server) -> Option<usize> {
    match server {
        Server::Dhcp4 => hook_points::find("lease4_changed"),
        Server::Dhcp6 => hook_points::find("lease6_changed"),
        Server::Any => None,
    }
}

/// What these facts of a lease come to; `None` where a script need not know.
pub fn changed(source: Source, facts: &Facts) -> Option<Changed> {
    let lease = facts.lease?;
    let action = action(source, facts, &lease)?;
    let before = || Origin::of_lease(facts, facts.old_lease.as_ref()?);
    let (kept, now) = (Origin::of_lease(facts, &lease).or_else(before), Origin::of_query(facts));
    // What is undone was done with what was known then.
    let origin = if matches!(action, Action::Del(_)) { kept.or(now) } else { now.or(kept) };
    Some(Changed { action, origin: origin.unwrap_or_default() })
}

fn action(source: Source, facts: &Facts, lease: &Lease) -> Option<Action> {
    let was_gone = facts.old_lease.is_some_and(|old| !is_held(&old));
    let old = facts.old_lease.filter(is_held);
    let is_held = is_held(lease);
    let gone = |reason| is_held.then_some(Action::Del(reason));
    match source {
        // A lease that no script has been told of keeps no origin: an offer that Kea has stored, or one from before.
        Source::Committed if is_held => {
            let is_known = old.is_some_and(|old| Origin::of_lease(facts, &old).is_some());
            Some(if is_known { Action::Renew } else { Action::Add })
        }
        // It has been told of before.
        Source::Committed | Source::Deleted if was_gone => None,
        Source::Committed => Some(Action::Del(reason_of_state(lease))),
        Source::Commanded if is_held => Some(if old.is_some() { Action::Renew } else { Action::Add }),
        Source::Commanded => old.map(|_| Action::Del(reason_of_state(lease))),
        Source::Reused => Some(Action::Reused),
        Source::Deleted => match reason_of_query(facts) {
            Reason::Replaced => gone(Reason::Replaced),
            // A released lease that is kept for its client is in the list as it is now.
            reason => Some(Action::Del(reason)),
        },
        Source::Removed => gone(Reason::Deleted),
        Source::Vanished => gone(Reason::Reclaimed),
        // What has been released or declined before is gone already.
        Source::Expired => gone(Reason::Expired),
        Source::Replayed => is_held.then_some(Action::Replay),
        _ => None,
    }
}

/// Whether a client has it. Before version 3.0 a released lease that Kea keeps for its client has but no lifetime.
fn is_held(lease: &Lease) -> bool {
    matches!(lease.state, STATE_DEFAULT | STATE_REGISTERED) && lease.valid_lft != 0
}

fn reason_of_state(lease: &Lease) -> Reason {
    match lease.state {
        STATE_DECLINED => Reason::Declined,
        STATE_EXPIRED_RECLAIMED => Reason::Expired,
        _ => Reason::Released,
    }
}

fn reason_of_query(facts: &Facts) -> Reason {
    let name = facts.query4.map(|packet| packet.name).or(facts.query6.map(|packet| packet.name));
    match name.and_then(|name| facts.bytes(name)) {
        Some(b"DHCPRELEASE" | b"RELEASE") => Reason::Released,
        Some(b"DHCPDECLINE" | b"DECLINE") => Reason::Declined,
        _ => Reason::Replaced,
    }
}
