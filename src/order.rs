//! Whose turn it is: events that share a key go one after the other, in the order in which they came; all
//! others are free to go at once.
//!
//! Pure bookkeeping, without threads or time. An event is *queued* behind others, then *ready*, then *running*
//! until [`Order::done`]. Ready events that Kea waits for (*urgent*) go before those that it does not wait for. Of these,
//! where there are too many, the *passing* ones are dropped before the *lasting* ones, but none that is *kept*.

mod queues;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hash;

use queues::Queues;

/// An event's place among the others; a smaller one came earlier.
pub type Turn = u64;

/// What becomes of an event where there are too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// It goes first, and is never dropped.
    Urgent,
    /// It is never dropped.
    Kept,
    /// It is dropped only if no event is passing.
    Lasting,
    /// It is dropped first.
    Passing,
}

/// Events by turn. `E` is whatever the owner wants back when an event's turn has come.
pub struct Order<K, E> {
    next: Turn,
    entries: BTreeMap<Turn, Entry<K, E>>,
    queues: Queues<K>,
    /// Ready events: the urgent ones, and the others.
    urgent: BTreeSet<Turn>,
    ready: BTreeSet<Turn>,
    /// Events that are not running and may be dropped, by their class.
    passing: BTreeSet<Turn>,
    lasting: BTreeSet<Turn>,
}

struct Entry<K, E> {
    /// `None` while the event is running, here or elsewhere.
    event: Option<E>,
    keys: Vec<K>,
    class: Class,
    /// How many of its keys are held by earlier events.
    blocked_by: usize,
}

impl<K, E> Default for Order<K, E> {
    fn default() -> Self {
        Order {
            next: 0,
            entries: BTreeMap::new(),
            queues: Queues::default(),
            urgent: BTreeSet::new(),
            ready: BTreeSet::new(),
            passing: BTreeSet::new(),
            lasting: BTreeSet::new(),
        }
    }
}

impl<K: Ord + Hash + Clone, E> Order<K, E> {
    /// Adds an event behind all that share a key with it.
    pub fn push(&mut self, keys: Vec<K>, class: Class, event: E) -> Turn {
        self.add(keys, class, Some(event))
    }

    /// Adds an event that is running, or not ready to be taken: those behind it wait for its [`Order::done`], or
    /// [`Order::give_back`].
    pub fn push_running(&mut self, keys: Vec<K>, class: Class) -> Turn {
        self.add(keys, class, None)
    }

    fn add(&mut self, mut keys: Vec<K>, class: Class, event: Option<E>) -> Turn {
        let turn = self.next;
        self.next += 1;
        keys.sort_unstable();
        keys.dedup();
        let blocked_by = keys.iter().filter(|key| !self.queues.join(key, turn)).count();
        let ahead = match class {
            Class::Urgent => keys.iter().filter_map(|key| self.queues.before(key, turn)).collect(),
            _ => Vec::new(),
        };
        self.entries.insert(turn, Entry { event, keys, class, blocked_by });
        self.await_turn(turn);
        self.hurry(ahead);
        turn
    }

    /// Makes these events urgent, which stand before an urgent one, and whatever they have to wait for. What stands before
    /// an urgent event is urgent already, so each event hurries those before it once at most in its life.
    fn hurry(&mut self, mut ahead: Vec<Turn>) {
        while let Some(turn) = ahead.pop() {
            let Some(entry) = self.entries.get_mut(&turn) else { continue };
            let class = std::mem::replace(&mut entry.class, Class::Urgent);
            if class == Class::Urgent {
                continue;
            }
            ahead.extend(entry.keys.iter().filter_map(|key| self.queues.before(key, turn)));
            if let Some(set) = self.may_be_dropped(class) {
                set.remove(&turn);
            }
            if self.ready.remove(&turn) {
                self.urgent.insert(turn);
            }
        }
    }

    /// An event is not running: it may be dropped, unless it is urgent, and is ready if nothing stands before it.
    fn await_turn(&mut self, turn: Turn) {
        if let Some(Entry { event: Some(_), class, .. }) = self.entries.get(&turn) {
            let class = *class;
            if let Some(set) = self.may_be_dropped(class) {
                set.insert(turn);
            }
            self.make_ready(turn);
        }
    }

    fn make_ready(&mut self, turn: Turn) {
        if let Some(Entry { event: Some(_), blocked_by: 0, class, .. }) = self.entries.get(&turn) {
            let ready = if *class == Class::Urgent { &mut self.urgent } else { &mut self.ready };
            ready.insert(turn);
        }
    }

    /// Where the events of this class are that are not running.
    fn may_be_dropped(&mut self, class: Class) -> Option<&mut BTreeSet<Turn>> {
        match class {
            Class::Urgent | Class::Kept => None,
            Class::Lasting => Some(&mut self.lasting),
            Class::Passing => Some(&mut self.passing),
        }
    }

    /// Takes the next ready event; it is running from now on.
    pub fn take_next(&mut self) -> Option<(Turn, E)> {
        self.take_urgent(|_| true).or_else(|| self.take_ready(|_| true))
    }

    /// The same, but only if it is urgent and `wanted`.
    pub fn take_urgent(&mut self, wanted: impl Fn(&E) -> bool) -> Option<(Turn, E)> {
        let turn = self.next_urgent(wanted)?.0;
        self.take(turn)
    }

    /// Which one that would be.
    pub fn next_urgent(&self, wanted: impl Fn(&E) -> bool) -> Option<(Turn, &E)> {
        let event = |turn: &Turn| Some((*turn, self.entries.get(turn)?.event.as_ref()?));
        self.urgent.iter().filter_map(event).find(|(_, event)| wanted(event))
    }

    /// How many events are ready that are not urgent.
    pub fn ready(&self) -> usize {
        self.ready.len()
    }

    /// Takes the next of these, but only if it is `wanted`.
    pub fn take_ready(&mut self, wanted: impl Fn(&E) -> bool) -> Option<(Turn, E)> {
        let turn = *self.ready.first()?;
        self.entries.get(&turn)?.event.as_ref().filter(|event| wanted(event))?;
        self.take(turn)
    }

    /// Takes an event that stands right behind this one, and behind no other that is not `mine`, if it is `wanted`: whoever
    /// has those handles it after them.
    pub fn take_behind(
        &mut self,
        turn: Turn,
        mine: impl Fn(Turn) -> bool,
        wanted: impl Fn(&E) -> bool,
    ) -> Option<(Turn, E)> {
        let keys = &self.entries.get(&turn)?.keys;
        let mut behind = keys.iter().filter_map(|key| self.queues.after(key, turn));
        let turn = behind.find(|&turn| {
            let Some(entry) = self.entries.get(&turn) else { return false };
            let is_mine = |key| self.queues.before(key, turn).is_none_or(&mine);
            entry.event.as_ref().is_some_and(&wanted) && entry.keys.iter().all(is_mine)
        })?;
        self.take(turn)
    }

    /// Takes this very event, if it is not running: it is running from now on, ready or not.
    pub fn take(&mut self, turn: Turn) -> Option<(Turn, E)> {
        let entry = self.entries.get_mut(&turn)?;
        let (event, class) = (entry.event.take()?, entry.class);
        self.leave_sets(turn, class);
        Some((turn, event))
    }

    /// An event is running, or gone.
    fn leave_sets(&mut self, turn: Turn, class: Class) {
        if let Some(set) = self.may_be_dropped(class) {
            set.remove(&turn);
        }
        let ready = if class == Class::Urgent { &mut self.urgent } else { &mut self.ready };
        ready.remove(&turn);
    }

    /// A running event is of another class, unless it is urgent by now.
    pub fn set_class(&mut self, turn: Turn, class: Class) {
        if let Some(entry) = self.entries.get_mut(&turn).filter(|entry| entry.class != Class::Urgent) {
            entry.class = class;
        }
    }

    /// Gives back a running event that was not finished; its keys stay held, and it keeps its turn.
    pub fn give_back(&mut self, turn: Turn, event: E) {
        if let Some(entry) = self.entries.get_mut(&turn) {
            entry.event = Some(event);
            self.await_turn(turn);
        }
    }

    /// Ends an event, running or not: those behind it move up.
    pub fn done(&mut self, turn: Turn) {
        self.remove(turn);
    }

    /// Ends an event that is neither running nor urgent: the oldest passing one, else the oldest lasting one.
    pub fn cancel_oldest(&mut self) -> Option<Turn> {
        let turn = *self.passing.first().or_else(|| self.lasting.first())?;
        self.remove(turn);
        Some(turn)
    }

    /// All events that are not running, in the order in which they came.
    pub fn waiting_mut(&mut self) -> impl Iterator<Item = &mut E> {
        self.entries.values_mut().filter_map(|entry| entry.event.as_mut())
    }

    fn remove(&mut self, turn: Turn) -> Option<E> {
        let entry = self.entries.remove(&turn)?;
        self.leave_sets(turn, entry.class);
        for key in &entry.keys {
            if let Some(first) = self.queues.leave(key, turn) {
                self.unblock(first);
            }
        }
        entry.event
    }

    fn unblock(&mut self, turn: Turn) {
        if let Some(entry) = self.entries.get_mut(&turn) {
            entry.blocked_by -= 1;
            self.make_ready(turn);
        }
    }

    /// The oldest event that is not running.
    pub fn oldest(&self) -> Option<&E> {
        self.entries.values().find_map(|entry| entry.event.as_ref())
    }

    /// How many events are running, here or elsewhere.
    pub fn running(&self) -> usize {
        self.entries.values().filter(|entry| entry.event.is_none()).count()
    }

    /// All unfinished events, running ones too.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}
