//! Whose turn it is: events that share a key go one after the other, in the order in which they came; all
//! others are free to go at once.
//!
//! Pure bookkeeping, without threads or time. An event is *queued* behind others, then *ready*, then *running*
//! until [`Order::done`]. Ready events that Kea waits for (*urgent*) go before those that it does not wait for. Of these,
//! where there are too many, the *passing* ones are dropped before the *lasting* ones.

mod queues;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hash;

use queues::Queues;

/// The number of an event; a smaller one came earlier.
pub type Seq = u64;

/// What becomes of an event where there are too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// It goes first, and is never dropped.
    Urgent,
    /// It is dropped only if no event is passing.
    Lasting,
    /// It is dropped first.
    Passing,
}

/// Events by turn. `E` is whatever the owner wants back when an event's turn has come.
pub struct Order<K, E> {
    entries: BTreeMap<Seq, Entry<K, E>>,
    queues: Queues<K>,
    /// Ready events: the urgent ones, and the others.
    urgent: BTreeSet<Seq>,
    ready: BTreeSet<Seq>,
    /// Events that are not running and may be dropped, by their class.
    passing: BTreeSet<Seq>,
    lasting: BTreeSet<Seq>,
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
    /// Adds an event behind all that share a key with it. `seq` is greater than all before.
    pub fn push(&mut self, seq: Seq, keys: Vec<K>, class: Class, event: E) {
        self.add(seq, keys, class, Some(event));
    }

    /// Adds an event that somebody else handles; those behind it wait for its [`Order::done`].
    pub fn push_foreign(&mut self, seq: Seq, keys: Vec<K>) {
        self.add(seq, keys, Class::Lasting, None);
    }

    fn add(&mut self, seq: Seq, mut keys: Vec<K>, class: Class, event: Option<E>) {
        keys.sort_unstable();
        keys.dedup();
        let blocked_by = keys.iter().filter(|key| !self.queues.join(key, seq)).count();
        let ahead = match class {
            Class::Urgent => keys.iter().filter_map(|key| self.queues.before(key, seq)).collect(),
            Class::Lasting | Class::Passing => Vec::new(),
        };
        self.entries.insert(seq, Entry { event, keys, class, blocked_by });
        self.await_turn(seq);
        self.hurry(ahead);
    }

    /// Makes these events urgent, which stand before an urgent one, and whatever they have to wait for. What stands before
    /// an urgent event is urgent already, so each event hurries those before it once at most in its life.
    fn hurry(&mut self, mut ahead: Vec<Seq>) {
        while let Some(seq) = ahead.pop() {
            let Some(entry) = self.entries.get_mut(&seq) else { continue };
            let class = std::mem::replace(&mut entry.class, Class::Urgent);
            if class == Class::Urgent {
                continue;
            }
            ahead.extend(entry.keys.iter().filter_map(|key| self.queues.before(key, seq)));
            if let Some(set) = self.may_be_dropped(class) {
                set.remove(&seq);
            }
            if self.ready.remove(&seq) {
                self.urgent.insert(seq);
            }
        }
    }

    /// An event is not running: it may be dropped, unless it is urgent, and is ready if nothing stands before it.
    fn await_turn(&mut self, seq: Seq) {
        if let Some(Entry { event: Some(_), class, .. }) = self.entries.get(&seq) {
            let class = *class;
            if let Some(set) = self.may_be_dropped(class) {
                set.insert(seq);
            }
            self.make_ready(seq);
        }
    }

    fn make_ready(&mut self, seq: Seq) {
        if let Some(Entry { event: Some(_), blocked_by: 0, class, .. }) = self.entries.get(&seq) {
            let ready = if *class == Class::Urgent { &mut self.urgent } else { &mut self.ready };
            ready.insert(seq);
        }
    }

    /// Where the events of this class are that are not running.
    fn may_be_dropped(&mut self, class: Class) -> Option<&mut BTreeSet<Seq>> {
        match class {
            Class::Urgent => None,
            Class::Lasting => Some(&mut self.lasting),
            Class::Passing => Some(&mut self.passing),
        }
    }

    /// Takes the next ready event; it is running from now on.
    pub fn take_next(&mut self) -> Option<(Seq, E)> {
        self.take_urgent(|_| true).or_else(|| self.take_ready(|_| true))
    }

    /// The same, but only if it is urgent and `wanted`.
    pub fn take_urgent(&mut self, wanted: impl Fn(&E) -> bool) -> Option<(Seq, E)> {
        let is_wanted = |seq: &&Seq| self.entries.get(seq).and_then(|entry| entry.event.as_ref()).is_some_and(&wanted);
        let seq = *self.urgent.iter().find(is_wanted)?;
        self.take(seq)
    }

    /// How many events are ready that are not urgent.
    pub fn ready(&self) -> usize {
        self.ready.len()
    }

    /// Takes the next of these, but only if it is `wanted`.
    pub fn take_ready(&mut self, wanted: impl Fn(&E) -> bool) -> Option<(Seq, E)> {
        let seq = *self.ready.first()?;
        self.entries.get(&seq)?.event.as_ref().filter(|event| wanted(event))?;
        self.take(seq)
    }

    /// Takes an event that stands right behind this one, and behind no other that is not `mine`, if it is `wanted`: whoever
    /// has those handles it after them.
    pub fn take_behind(
        &mut self,
        seq: Seq,
        mine: impl Fn(Seq) -> bool,
        wanted: impl Fn(&E) -> bool,
    ) -> Option<(Seq, E)> {
        let keys = &self.entries.get(&seq)?.keys;
        let mut behind = keys.iter().filter_map(|key| self.queues.after(key, seq));
        let seq = behind.find(|&seq| {
            let Some(entry) = self.entries.get(&seq) else { return false };
            let is_mine = |key| self.queues.before(key, seq).is_none_or(&mine);
            entry.event.as_ref().is_some_and(&wanted) && entry.keys.iter().all(is_mine)
        })?;
        self.take(seq)
    }

    fn take(&mut self, seq: Seq) -> Option<(Seq, E)> {
        let entry = self.entries.get_mut(&seq)?;
        let (event, class) = (entry.event.take()?, entry.class);
        self.leave_sets(seq, class);
        Some((seq, event))
    }

    /// An event is running, or gone.
    fn leave_sets(&mut self, seq: Seq, class: Class) {
        if let Some(set) = self.may_be_dropped(class) {
            set.remove(&seq);
        }
        let ready = if class == Class::Urgent { &mut self.urgent } else { &mut self.ready };
        ready.remove(&seq);
    }

    /// Gives back a running or foreign event that was not finished; its keys stay held, and it keeps its turn.
    pub fn give_back(&mut self, seq: Seq, event: E) {
        if let Some(entry) = self.entries.get_mut(&seq) {
            entry.event = Some(event);
            self.await_turn(seq);
        }
    }

    /// Ends a running event: those behind it move up.
    pub fn done(&mut self, seq: Seq) {
        self.remove(seq);
    }

    /// Takes back an event that is not running yet.
    pub fn cancel(&mut self, seq: Seq) -> Option<E> {
        self.entries.get(&seq)?.event.as_ref()?;
        self.remove(seq)
    }

    /// Takes back an event that is neither running nor urgent: the oldest passing one, else the oldest lasting one.
    pub fn cancel_oldest(&mut self) -> Option<E> {
        let seq = *self.passing.first().or_else(|| self.lasting.first())?;
        self.remove(seq)
    }

    /// Takes back all events that are not running, the oldest first.
    pub fn cancel_all(&mut self) -> Vec<(Seq, E)> {
        let queued = |(seq, entry): (&Seq, &Entry<K, E>)| entry.event.is_some().then_some(*seq);
        // From the last to the first: each is then at the end of its queues, where leaving costs nothing.
        let queued: Vec<Seq> = self.entries.iter().rev().filter_map(queued).collect();
        let mut removed: Vec<_> = queued.into_iter().filter_map(|seq| Some((seq, self.remove(seq)?))).collect();
        removed.reverse();
        removed
    }

    fn remove(&mut self, seq: Seq) -> Option<E> {
        let entry = self.entries.remove(&seq)?;
        self.leave_sets(seq, entry.class);
        for key in &entry.keys {
            if let Some(first) = self.queues.leave(key, seq) {
                self.unblock(first);
            }
        }
        entry.event
    }

    fn unblock(&mut self, seq: Seq) {
        if let Some(entry) = self.entries.get_mut(&seq) {
            entry.blocked_by -= 1;
            self.make_ready(seq);
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
