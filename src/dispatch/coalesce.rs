//! Parameter `coalesce`: of the events of a lease that wait for their turn, the newest alone is kept.

use foldhash::HashMap;

use super::counters::Counters;
use super::shared::Shared;
use super::state::{Queued, State};
use super::task::{Spooled, Task};
use crate::keys::Key;
use crate::order::Turn;
use crate::spool;

/// The newest unfinished event of each lease.
#[derive(Default)]
pub struct Newest {
    turns: HashMap<Key, Turn>,
    leases: HashMap<Turn, Key>,
}

impl Newest {
    /// The one that is not the newest, of this and the one before.
    fn put(&mut self, lease: Key, turn: Turn) -> Option<Turn> {
        self.leases.insert(turn, lease);
        let newest = self.turns.entry(lease).or_insert(turn);
        let older = turn.min(*newest);
        *newest = turn.max(*newest);
        (older != *newest).then_some(older)
    }

    /// This event is over.
    pub fn forget(&mut self, turn: Turn) {
        let Some(lease) = self.leases.remove(&turn) else { return };
        if self.turns.get(&lease) == Some(&turn) {
            self.turns.remove(&lease);
        }
    }
}

impl Shared {
    /// The lease whose older events this one makes needless.
    pub fn coalesces(&self, task: &Task) -> Option<Key> {
        if self.config.coalesce && task.row().is_of_leases() { task.lease() } else { None }
    }

    /// An event of this lease is queued: the one before is over, unless it is being handled, or waits for another try. Its place
    /// in the spool is for [`Shared::forget`].
    pub fn displace(&self, state: &mut State, lease: Option<Key>, turn: Turn) -> Option<Spooled> {
        let older = state.newest.put(lease?, turn)?;
        let (_, queued) = state.order.take(older)?;
        state.in_memory -= usize::from(queued.is_in_memory());
        if state.replaying.contains(&older) {
            // The script hears of the lease by this one: no replay ends before.
            state.replaying.insert(turn);
        }
        state.over(older);
        Counters::add(&self.counters.coalesced);
        match queued {
            Queued::Spooled(spooled) => Some(spooled),
            Queued::Here(_) | Queued::Waiting { .. } => None,
        }
    }

    /// The spool need not keep it any more.
    pub fn forget(&self, displaced: Option<Spooled>) {
        if let (Some(Spooled { place, seq, .. }), Some(spool)) = (displaced, self.spool.get()) {
            // At worst the event is handled after the next start.
            let _ = spool.finish(place, seq, spool::State::Done);
        }
    }
}
