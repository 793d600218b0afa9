//! Whose turn it is: events that share a key go one after the other, in the order in which they came; all
//! others are free to go at once.
//!
//! Pure bookkeeping, without threads or time. An event is *queued* behind others, then *ready*, then *running*
//! until [`Order::done`]. Ready events that Kea waits for (*urgent*) go before those that it does not wait for.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

/// The number of an event; a smaller one came earlier.
pub type Seq = u64;

/// Events by turn. `E` is whatever the owner wants back when an event's turn has come.
pub struct Order<E> {
    entries: BTreeMap<Seq, Entry<E>>,
    /// For each key, all unfinished events that name it, the one whose turn it is first.
    lines: HashMap<String, VecDeque<Seq>>,
    urgent: BTreeSet<Seq>,
    ready: BTreeSet<Seq>,
}

struct Entry<E> {
    /// `None` while the event is running, here or elsewhere.
    event: Option<E>,
    keys: Vec<String>,
    urgent: bool,
    /// How many of its keys are held by earlier events.
    blocked_by: usize,
}

impl<E> Default for Order<E> {
    fn default() -> Self {
        Order { entries: BTreeMap::new(), lines: HashMap::new(), urgent: BTreeSet::new(), ready: BTreeSet::new() }
    }
}

impl<E> Order<E> {
    /// Adds an event behind all that share a key with it. `seq` has not been used before.
    pub fn push(&mut self, seq: Seq, keys: Vec<String>, urgent: bool, event: E) {
        self.add(seq, keys, urgent, Some(event));
    }

    /// Adds an event that somebody else handles; those behind it wait for its [`Order::done`].
    pub fn push_foreign(&mut self, seq: Seq, keys: Vec<String>) {
        self.add(seq, keys, false, None);
    }

    fn add(&mut self, seq: Seq, mut keys: Vec<String>, urgent: bool, event: Option<E>) {
        keys.sort_unstable();
        keys.dedup();
        if urgent {
            self.hurry(&keys);
        }
        let mut blocked_by = 0;
        for key in &keys {
            let line = self.lines.entry(key.clone()).or_default();
            blocked_by += usize::from(!line.is_empty());
            line.push_back(seq);
        }
        self.entries.insert(seq, Entry { event, keys, urgent, blocked_by });
        self.make_ready(seq);
    }

    /// Makes urgent whatever an urgent event with these keys will have to wait for. What stands before an urgent
    /// event is urgent already, so each event is looked at once at most in its life.
    fn hurry(&mut self, keys: &[String]) {
        let mut ahead: Vec<Seq> = keys.iter().filter_map(|key| self.lines.get(key)?.back().copied()).collect();
        while let Some(seq) = ahead.pop() {
            let Some(entry) = self.entries.get_mut(&seq) else { continue };
            if std::mem::replace(&mut entry.urgent, true) {
                continue;
            }
            if self.ready.remove(&seq) {
                self.urgent.insert(seq);
            }
            let before = |key| {
                let line: &VecDeque<Seq> = self.lines.get(key)?;
                line.get(line.partition_point(|&other| other < seq).checked_sub(1)?).copied()
            };
            ahead.extend(entry.keys.iter().filter_map(before));
        }
    }

    fn make_ready(&mut self, seq: Seq) {
        match self.entries.get(&seq) {
            Some(Entry { event: None, .. } | Entry { blocked_by: 1.., .. }) | None => {}
            Some(Entry { urgent: true, .. }) => drop(self.urgent.insert(seq)),
            Some(Entry { urgent: false, .. }) => drop(self.ready.insert(seq)),
        }
    }

    /// Takes the next ready event; it is running from now on.
    pub fn take_next(&mut self) -> Option<(Seq, E)> {
        self.take_urgent().or_else(|| {
            let seq = self.ready.pop_first()?;
            self.take(seq)
        })
    }

    /// The same, but only if it is urgent.
    pub fn take_urgent(&mut self) -> Option<(Seq, E)> {
        let seq = self.urgent.pop_first()?;
        self.take(seq)
    }

    fn take(&mut self, seq: Seq) -> Option<(Seq, E)> {
        let event = self.entries.get_mut(&seq)?.event.take()?;
        Some((seq, event))
    }

    /// Gives back a running or foreign event that was not finished; its keys stay held, and it keeps its turn.
    pub fn give_back(&mut self, seq: Seq, event: E) {
        if let Some(entry) = self.entries.get_mut(&seq) {
            entry.event = Some(event);
            self.make_ready(seq);
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

    /// Takes back the oldest event that is neither running nor urgent.
    pub fn cancel_oldest(&mut self) -> Option<(Seq, E)> {
        let oldest = |(seq, entry): (&Seq, &Entry<E>)| (!entry.urgent && entry.event.is_some()).then_some(*seq);
        let seq = self.entries.iter().find_map(oldest)?;
        self.remove(seq).map(|event| (seq, event))
    }

    /// Takes back all events that are not running, the oldest first, with their keys.
    pub fn cancel_all(&mut self) -> Vec<(Seq, Vec<String>, E)> {
        let queued = |(seq, entry): (&Seq, &Entry<E>)| entry.event.is_some().then(|| (*seq, entry.keys.clone()));
        let queued: Vec<_> = self.entries.iter().filter_map(queued).collect();
        // From the last to the first: each is then at the end of its lines, where leaving costs nothing.
        let removed = queued.into_iter().rev().filter_map(|(seq, keys)| Some((seq, keys, self.remove(seq)?)));
        let mut removed: Vec<_> = removed.collect();
        removed.reverse();
        removed
    }

    fn remove(&mut self, seq: Seq) -> Option<E> {
        let entry = self.entries.remove(&seq)?;
        self.urgent.remove(&seq);
        self.ready.remove(&seq);
        for key in &entry.keys {
            self.leave(key, seq);
        }
        entry.event
    }

    fn leave(&mut self, key: &str, seq: Seq) {
        let Some(line) = self.lines.get_mut(key) else { return };
        if line.front() != Some(&seq) {
            match line.back() == Some(&seq) {
                true => drop(line.pop_back()),
                false => line.retain(|&other| other != seq),
            }
            return;
        }
        line.pop_front();
        match line.front().copied() {
            Some(first) => self.unblock(first),
            None => drop(self.lines.remove(key)),
        }
    }

    fn unblock(&mut self, seq: Seq) {
        if let Some(entry) = self.entries.get_mut(&seq) {
            entry.blocked_by -= 1;
            self.make_ready(seq);
        }
    }

    /// All unfinished events, running ones too.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(names: &str) -> Vec<String> {
        names.split_whitespace().map(String::from).collect()
    }

    fn order(events: &[&str]) -> Order<usize> {
        let mut order = Order::default();
        for (i, names) in events.iter().enumerate() {
            order.push(i as Seq, keys(names), false, i);
        }
        order
    }

    fn all_ready(order: &mut Order<usize>) -> Vec<usize> {
        std::iter::from_fn(|| order.take_next()).map(|(_, event)| event).collect()
    }

    #[test]
    fn events_without_a_common_key_go_side_by_side() {
        assert_eq!(all_ready(&mut order(&["a", "b c", "d", ""])), [0, 1, 2, 3]);
    }

    #[test]
    fn an_event_waits_for_every_key() {
        let mut order = order(&["a", "b", "a b", "b"]);
        assert_eq!(all_ready(&mut order), [0, 1]);
        order.done(0);
        assert!(all_ready(&mut order).is_empty());
        order.done(1);
        assert_eq!(all_ready(&mut order), [2]);
        order.done(2);
        assert_eq!(all_ready(&mut order), [3]);
        order.done(3);
        assert!(order.is_empty());
        assert!(order.lines.is_empty());
    }

    #[test]
    fn a_key_named_twice_counts_once() {
        let mut order = order(&["a a", "a"]);
        assert_eq!(all_ready(&mut order), [0]);
        order.done(0);
        assert_eq!(all_ready(&mut order), [1]);
    }

    #[test]
    fn a_cancelled_event_lets_the_next_one_pass_but_not_overtake() {
        let mut order = order(&["a", "a", "a"]);
        assert_eq!(all_ready(&mut order), [0]);
        assert_eq!(order.cancel(1), Some(1));
        assert_eq!(order.cancel(0), None, "a running event cannot be taken back");
        assert!(all_ready(&mut order).is_empty());
        order.done(0);
        assert_eq!(all_ready(&mut order), [2]);
    }

    #[test]
    fn an_event_given_back_keeps_its_turn() {
        let mut order = order(&["a", "a"]);
        assert_eq!(order.take_next(), Some((0, 0)));
        order.give_back(0, 0);
        assert_eq!(all_ready(&mut order), [0]);
        order.done(0);
        assert_eq!(all_ready(&mut order), [1]);
    }

    #[test]
    fn a_foreign_event_holds_its_keys_until_it_is_done_or_given_back() {
        let mut order = Order::default();
        order.push_foreign(0, keys("a"));
        order.push_foreign(1, keys("a b"));
        order.push(2, keys("b"), false, 2);
        assert!(all_ready(&mut order).is_empty());
        order.give_back(1, 1);
        assert!(all_ready(&mut order).is_empty());
        order.done(0);
        assert_eq!(all_ready(&mut order), [1]);
        order.done(1);
        assert_eq!(all_ready(&mut order), [2]);
    }

    #[test]
    fn cancel_all_leaves_only_what_runs() {
        let mut order = order(&["a", "b", "a"]);
        assert_eq!(order.take_next(), Some((0, 0)));
        assert_eq!(order.cancel_all(), [(1, keys("b"), 1), (2, keys("a"), 2)]);
        assert_eq!(order.len(), 1);
        order.done(0);
        assert!(order.is_empty() && order.lines.is_empty());
    }

    #[test]
    fn an_urgent_event_goes_first_but_never_before_those_of_its_own_key() {
        let mut order = order(&["a", "b"]);
        order.push(2, keys("a"), true, 2);
        order.push(3, keys("c"), true, 3);
        assert_eq!(all_ready(&mut order), [0, 3, 1]);
        order.done(0);
        assert_eq!(all_ready(&mut order), [2]);
    }

    #[test]
    fn what_an_urgent_event_waits_for_is_urgent_too() {
        let mut order = order(&["x", "a", "a b", "y"]);
        order.push(4, keys("b"), true, 4);
        assert_eq!(all_ready(&mut order), [1, 0, 3]);
        order.push(5, keys("z"), false, 5);
        order.done(1);
        assert_eq!(all_ready(&mut order), [2, 5]);
    }

    #[test]
    fn a_long_line_costs_no_more_than_its_length() {
        let mut order = Order::default();
        for seq in 0..100_000 {
            order.push(seq, keys("client all"), false, seq);
        }
        order.push(100_000, keys("client all"), true, 100_000);
        assert_eq!(order.take_urgent(), Some((0, 0)));
        assert_eq!(order.cancel_all().len(), 100_000);
    }

    #[test]
    fn the_oldest_that_nobody_waits_for_is_dropped() {
        let mut order = order(&["a", "a", "a"]);
        order.push(3, keys("b"), true, 3);
        assert_eq!(order.take_next(), Some((3, 3)));
        assert_eq!(order.take_next(), Some((0, 0)));
        assert_eq!(order.cancel_oldest(), Some((1, 1)));
        order.done(0);
        assert_eq!(all_ready(&mut order), [2]);
        assert_eq!(order.cancel_oldest(), None);
    }
}
