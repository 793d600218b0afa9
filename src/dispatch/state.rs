//! What [`Shared`](super::shared::Shared) guards: events by turn, lanes, and who waits for what.

use std::collections::BTreeMap;
use std::thread::Thread;
use std::time::{Duration, Instant};

use foldhash::{HashMap, HashSet};

use super::coalesce::Newest;
use super::task::{Spooled, Task};
use super::worker::Busy;
use crate::bridge::ffi::Verdict;
use crate::keys::Key;
use crate::lane::Lane;
use crate::order::{Order, Turn};
use crate::spool::Place;

#[derive(Default)]
pub struct State {
    pub order: Order<Key, Queued>,
    pub idle: Vec<Lane>,
    /// Lanes that are worth something, free or not.
    pub live: HashSet<u64>,
    /// Threads of Kea's that wait for their event's turn.
    pub waiting: HashMap<Turn, Waiting>,
    /// What packet threads leave to the worker: lanes whose answer is late, and lanes that have broken, with the reason.
    pub late: Vec<Busy>,
    pub broken: Vec<(u64, String)>,
    /// Events that are in memory alone, not running, and not waited for.
    pub in_memory: usize,
    /// Events that were dropped for want of room, of which the log has not been told.
    pub dropped: u64,
    /// Events that are not to be tried before some time, and count as running for whatever is behind them.
    pub put_off: usize,
    /// Events of replays.
    pub replaying: HashSet<Turn>,
    pub newest: Newest,
    /// Events of parked packets.
    pub parked: BTreeMap<Turn, Parked>,
    /// Where the spool has events that are not in `order` yet.
    pub unread: Option<Place>,
    /// What the spool had on the disk when it was opened, as long as none of that was found to be unfinished.
    pub from_before: u64,
    pub worker_takes: Takes,
    /// Why there is no handler; `None` while there is one, or is about to be.
    pub down: Option<String>,
    pub stopping: bool,
}

impl State {
    /// A thread of Kea's gets its lane.
    pub fn grant(&mut self, turn: Turn) {
        let Some(waiting) = self.waiting.get_mut(&turn) else { return };
        if self.order.take(turn).is_some() {
            waiting.lane = self.idle.pop();
            waiting.wake();
        }
    }

    /// An event is over: those behind it move up.
    pub fn over(&mut self, turn: Turn) {
        self.order.done(turn);
        self.replaying.remove(&turn);
        self.newest.forget(turn);
    }

    /// Events that are being handled.
    pub fn in_flight(&self) -> usize {
        self.order.running() - self.put_off
    }

    /// How long ago the oldest event has happened that waits for its turn.
    pub fn oldest(&self) -> Option<Duration> {
        self.order.oldest().map(|queued| match queued {
            Queued::Waiting { since } => since.elapsed(),
            Queued::Here(task) => task.since.elapsed(),
            Queued::Spooled(spooled) => spooled.time.elapsed().unwrap_or_default(),
        })
    }

    /// Takes back the events of parked packets whose time is over while their turn has not come; all of them if there
    /// is no handler.
    pub fn overdue(&mut self) -> Vec<Task> {
        let (now, down) = (Instant::now(), self.down.is_some());
        let over: Vec<Turn> =
            self.parked.iter().filter(|(_, one)| down || one.until <= now).map(|(turn, _)| *turn).collect();
        let queued = |turn| match self.order.take(turn) {
            Some((_, Queued::Here(mut task))) => {
                task.turn = turn;
                Some(*task)
            }
            _ => None,
        };
        over.into_iter().filter_map(queued).collect()
    }
}

/// What stands in the queue.
pub enum Queued {
    /// Kea waits: the event itself is in the hands of a packet's thread.
    Waiting {
        since: Instant,
    },
    /// Nobody waits, or a parked packet does.
    Here(Box<Task>),
    Spooled(Spooled),
}

impl Queued {
    pub fn is_waiting(&self) -> bool {
        matches!(self, Queued::Waiting { .. })
    }

    pub fn is_parked(&self) -> bool {
        matches!(self, Queued::Here(task) if task.parked_until.is_some())
    }

    /// Over how many tries a handler may have died.
    pub fn deaths(&self) -> u32 {
        match self {
            Queued::Waiting { .. } => 0,
            Queued::Here(task) => task.deaths,
            Queued::Spooled(spooled) => spooled.deaths.into(),
        }
    }

    /// In memory alone, and not waited for.
    pub fn is_in_memory(&self) -> bool {
        matches!(self, Queued::Here(task) if task.parked_until.is_none())
    }
}

/// What the worker takes of the queue for now. An event over which a runner may have died is to be handled alone, but for what
/// Kea waits for, and what stands before that.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Takes {
    #[default]
    All,
    Urgent,
    Nothing,
}

impl Takes {
    pub fn may_take(self, queued: &Queued) -> bool {
        match self {
            Takes::All => true,
            Takes::Urgent => queued.deaths() == 0,
            Takes::Nothing => false,
        }
    }
}

/// A thread that sleeps until its lane is there.
pub struct Waiting {
    thread: Thread,
    pub lane: Option<Lane>,
}

impl Waiting {
    /// This very thread.
    pub fn here() -> Waiting {
        Waiting { thread: std::thread::current(), lane: None }
    }

    pub fn wake(&self) {
        self.thread.unpark();
    }
}

/// A packet that is parked until its event has been concluded.
pub struct Parked {
    pub until: Instant,
    pub then: Box<dyn FnOnce(Verdict) + Send>,
}
