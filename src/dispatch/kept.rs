//! Events that are in memory alone, never dropped: those of replays, of which there are never more than the half of what may
//! be in memory, and those of Kea's own life.

use std::sync::Arc;

use super::counters::Counters;
use super::shared::Shared;
use super::state::{Queued, State};
use super::{Script, Task};
use crate::config::Point;
use crate::facts::Facts;
use crate::ids;
use crate::leases::{Action, Changed};
use crate::order::{Class, Turn};

impl Script {
    /// How many of its events of replays are not over.
    pub fn replaying(&self) -> usize {
        self.shared.lock().replaying.len()
    }

    /// How many more there may be.
    pub fn room_for_replayed(&self) -> usize {
        (self.config().queue_limit / 2).max(1).saturating_sub(self.replaying())
    }

    /// Whether there is something in the spool that has no turn yet: what happens now must not overtake that.
    pub fn has_unread(&self) -> bool {
        self.shared.lock().unread.is_some()
    }

    pub fn replay(&self, task: Task) {
        self.keep(task, |state, turn| _ = state.replaying.insert(turn));
    }

    /// Where a replay begins, or ends.
    pub fn replay_bound(&self, point: usize, action: Action) {
        if let Some(how) = self.config().points[point] {
            let facts = Facts::of_change(Changed { action, origin: Default::default() });
            self.replay(Task::new(point, how, Arc::new(facts)).told());
        }
    }

    /// Kea's own life, at one of our hook points.
    pub fn announce(&self, point: usize, how: Point) {
        self.keep(Task::new(point, how, Arc::default()).told(), |_, _| {});
    }

    fn keep(&self, task: Task, also: impl FnOnce(&mut State, Turn)) {
        Counters::add(&self.shared.counters.events);
        self.shared.keep(task, also);
    }
}

impl Shared {
    fn keep(&self, mut task: Task, also: impl FnOnce(&mut State, Turn)) {
        let (keys, lease) = (task.keys(&self.config), self.coalesces(&task));
        let mut state = self.lock();
        task.seq = ids::next();
        let turn = state.order.push(keys, Class::Kept, Queued::Here(Box::new(task)));
        state.in_memory += 1;
        also(&mut state, turn);
        let displaced = self.displace(&mut state, lease, turn);
        drop(state);
        self.forget(displaced);
        self.calls.call();
    }
}
