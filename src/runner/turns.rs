//! Whose turn it is, lanes and the rest together.
//!
//! The other side of a lane knows the order and sends nothing before its turn, so a lane's event goes at once. It
//! is entered here all the same, because an event of the rest that shares a key with it has to wait for it.

use std::collections::BTreeMap;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use nix::poll::{PollTimeout, poll};

use crate::order::{Class, Order, Seq};
use crate::wait::readable;

/// `E` is an event of the rest.
pub struct Turns<E> {
    state: Mutex<State<E>>,
    moved: Condvar,
}

struct State<E> {
    /// To it, events of lanes are foreign.
    order: Order<String, E>,
    /// Our own count, in the order of arrival.
    last: Seq,
    /// Events of the rest that nobody has taken yet.
    rest: usize,
    /// Events of the rest that are being handled.
    at_work: usize,
    lanes: BTreeMap<u64, Lane>,
    last_lane: u64,
    most_lanes: usize,
}

struct Lane {
    stream: Arc<UnixStream>,
    at: At,
}

#[derive(Clone, Copy, PartialEq)]
enum At {
    /// Waiting for the first byte of a line.
    Idle,
    Reading,
    Running(Seq),
}

impl<E> Default for Turns<E> {
    fn default() -> Self {
        let (order, lanes) = (Order::default(), BTreeMap::new());
        let state = State { order, last: 0, rest: 0, at_work: 0, lanes, last_lane: 0, most_lanes: 0 };
        Turns { state: Mutex::new(state), moved: Condvar::new() }
    }
}

impl<E> Turns<E> {
    /// Enters a lane; it leaves when its `Place` is dropped.
    pub fn lane(&self, stream: Arc<UnixStream>) -> Place<'_, E> {
        let mut state = self.state();
        state.last_lane += 1;
        let number = state.last_lane;
        state.lanes.insert(number, Lane { stream, at: At::Idle });
        state.most_lanes = state.most_lanes.max(state.lanes.len());
        Place { turns: self, number }
    }

    /// How many lanes there have been at once.
    pub fn most_lanes(&self) -> usize {
        self.state().most_lanes
    }

    /// Adds events behind all that the lanes have been given before now, even if a lane has not read it yet.
    pub fn add_rest(&self, events: impl IntoIterator<Item = (Vec<String>, E)>) {
        let state = self.state();
        let reading = |state: &mut State<E>| state.lanes.values().any(Lane::is_reading);
        let mut state = self.moved.wait_while(state, reading).unwrap_or_else(PoisonError::into_inner);
        for (keys, event) in events {
            let seq = state.next_seq();
            state.rest += 1;
            state.order.push(seq, keys, Class::Lasting, event);
        }
        self.moved.notify_all();
    }

    /// Takes the next event of the rest, waits for its turn if need be; `None` when all have been taken.
    pub fn next(&self) -> Option<(Seq, E)> {
        let mut state = self.state();
        while state.rest > 0 {
            if let Some(next) = state.take_next() {
                if state.rest == 0 {
                    self.moved.notify_all();
                }
                return Some(next);
            }
            state = self.moved.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        None
    }

    /// An event that `next` gave has been handled.
    pub fn done(&self, seq: Seq) {
        let mut state = self.state();
        state.order.done(seq);
        state.at_work -= 1;
        self.moved.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State<E>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<E> State<E> {
    fn next_seq(&mut self) -> Seq {
        self.last += 1;
        self.last
    }

    fn take_next(&mut self) -> Option<(Seq, E)> {
        if !self.has_room() {
            return None;
        }
        let next = self.order.take_next()?;
        self.rest -= 1;
        self.at_work += 1;
        Some(next)
    }

    /// Whether one more event may be worked on: lanes and the rest together are no more than the lanes have been.
    fn has_room(&self) -> bool {
        let running = self.lanes.values().filter(|lane| matches!(lane.at, At::Running(_))).count();
        running + self.at_work < self.most_lanes.max(1)
    }
}

impl Lane {
    fn is_reading(&self) -> bool {
        match self.at {
            At::Idle => has_bytes(&self.stream),
            At::Reading => true,
            At::Running(_) => false,
        }
    }
}

/// Whether there is something to read; the end of a stream is something.
fn has_bytes(stream: &UnixStream) -> bool {
    poll(&mut [readable(stream.as_fd())], PollTimeout::ZERO) != Ok(0)
}

/// A lane's part in the order.
pub struct Place<'a, E> {
    turns: &'a Turns<E>,
    number: u64,
}

impl<E> Place<'_, E> {
    /// A line has begun.
    pub fn reading(&mut self) {
        self.go_to(|_| At::Reading);
    }

    /// The line was an event with these keys; it runs now.
    pub fn running(&mut self, keys: Vec<String>) {
        self.go_to(|state| {
            let seq = state.next_seq();
            state.order.push_foreign(seq, keys);
            At::Running(seq)
        });
    }

    /// The line has been dealt with.
    pub fn idle(&mut self) {
        self.go_to(|_| At::Idle);
    }

    fn go_to(&mut self, next: impl FnOnce(&mut State<E>) -> At) {
        let mut state = self.turns.state();
        let at = next(&mut state);
        let before = state.lanes.get_mut(&self.number).map(|lane| std::mem::replace(&mut lane.at, at));
        if let Some(At::Running(seq)) = before {
            state.order.done(seq);
        }
        self.turns.moved.notify_all();
    }
}

impl<E> Drop for Place<'_, E> {
    fn drop(&mut self) {
        self.idle();
        self.turns.state().lanes.remove(&self.number);
        self.turns.moved.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::mpsc::{TryRecvError, channel};
    use std::thread;

    use super::*;

    fn keys(names: &str) -> Vec<String> {
        names.split_whitespace().map(String::from).collect()
    }

    fn lane(turns: &Turns<u32>) -> (UnixStream, Place<'_, u32>) {
        let (peer, stream) = UnixStream::pair().unwrap();
        (peer, turns.lane(Arc::new(stream)))
    }

    #[test]
    fn the_rest_waits_for_a_lane_that_has_its_key() {
        let turns = Turns::default();
        let (_peer, mut place) = lane(&turns);
        let _another = lane(&turns);
        place.running(keys("a"));
        turns.add_rest([(keys("a"), 1), (keys("b"), 2)]);
        let (second, event) = turns.next().unwrap();
        assert_eq!(event, 2);
        thread::scope(|scope| {
            let (taken, takes) = channel();
            let turns = &turns;
            scope.spawn(move || taken.send(turns.next().unwrap()));
            turns.done(second);
            assert_eq!(takes.try_recv(), Err(TryRecvError::Empty));
            place.idle();
            assert_eq!(takes.recv().unwrap().1, 1);
        });
        assert!(turns.next().is_none());
    }

    #[test]
    fn a_lane_does_not_wait_for_the_rest() {
        let turns = Turns::default();
        turns.add_rest([(keys("a"), 1), (keys("a"), 2)]);
        let (first, _) = turns.next().unwrap();
        let (_peer, mut place) = lane(&turns);
        place.running(keys("a"));
        place.idle();
        turns.done(first);
        assert_eq!(turns.next().unwrap().1, 2);
    }

    #[test]
    fn what_a_lane_has_not_read_yet_comes_before_the_rest() {
        let turns = Turns::default();
        let (mut peer, mut place) = lane(&turns);
        peer.write_all(b"{").unwrap();
        thread::scope(|scope| {
            let rest = scope.spawn(|| {
                turns.add_rest([(keys("a"), 1)]);
                turns.next()
            });
            place.reading();
            assert!(!rest.is_finished());
            place.running(keys("a"));
            assert!(!rest.is_finished());
            place.idle();
            // The byte is still there, and the lane would read on.
            drop(place);
            assert_eq!(rest.join().unwrap().unwrap().1, 1);
        });
    }

    #[test]
    fn lanes_and_the_rest_together_are_no_more_than_the_lanes() {
        let turns = Turns::default();
        let (_peer, mut place) = lane(&turns);
        place.running(keys("a"));
        turns.add_rest([(keys("b"), 1)]);
        thread::scope(|scope| {
            let (taken, takes) = channel();
            let turns = &turns;
            scope.spawn(move || taken.send(turns.next().unwrap().1));
            assert_eq!(takes.try_recv(), Err(TryRecvError::Empty));
            place.idle();
            assert_eq!(takes.recv().unwrap(), 1);
        });
    }

    #[test]
    fn a_lane_that_ends_holds_nobody_up() {
        let turns = Turns::default();
        let (peer, mut place) = lane(&turns);
        place.running(keys("a"));
        drop((peer, place));
        turns.add_rest([(keys("a"), 1)]);
        assert_eq!(turns.next().unwrap().1, 1);
        assert_eq!(turns.most_lanes(), 1);
    }
}
