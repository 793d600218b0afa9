//! What packet threads and the courier share: the events by turn and the free lanes.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::eventfd::{EfdFlags, EventFd};

use super::Counters;
use super::courier::Parcel;
use super::inbox::Inbox;
use super::task::{ATTEMPTS, Task};
use crate::bridge::ffi::Verdict;
use crate::config::{Config, Mode};
use crate::keys::Key;
use crate::lane::Lane;
use crate::log::log;
use crate::messages;
use crate::order::{Order, Seq};
use crate::variables::Server;
use crate::wait::{For, Watch};

/// From a daemon's time-out to its end, as the runner gives a script between SIGTERM and SIGKILL.
pub const GRACE: Duration = Duration::from_secs(1);

/// Numbers in the courier's watch.
pub const WAKE: u64 = 0;
pub const RUNNER: u64 = 1;
pub const HERITAGE: u64 = 2;

/// The courier sleeps until it is woken, which costs a packet's thread as much as all the rest. Where much is going on
/// it only naps: it looks by itself whether there is something in the inbox.
const ASLEEP: usize = 0;
const AWAKE: usize = 1;
const NAPPING: usize = 1 << (usize::BITS - 1);
const NAP: Duration = Duration::from_millis(1);

/// What the inbox may hold: with more in it, the courier is busy elsewhere, and others empty it.
const INBOX_LIMIT: usize = 1000;

pub struct Shared {
    pub config: Config,
    pub server: Server,
    pub counters: Counters,
    inbox: Inbox,
    state: Mutex<State>,
    /// A waiting event has been granted a lane, or will never be.
    pub granted: Condvar,
    /// What the courier waits for: the numbers of lanes, and those above.
    pub watch: Watch,
    /// Wakes the courier.
    wake: EventFd,
    /// What the courier is doing, and how often it has been called since.
    errands: AtomicUsize,
}

pub struct State {
    /// The end of the inbox.
    posted: Receiver<Task>,
    pub order: Order<Key, Queued>,
    last_seq: Seq,
    pub idle: Vec<Lane>,
    /// Lanes that are worth something, free or not.
    pub live: HashSet<u64>,
    /// Lanes for waiting events whose turn has come; their threads are about to take them.
    pub granted: HashMap<Seq, Lane>,
    /// Threads that sleep until they are granted a lane.
    pub sleepers: usize,
    /// What the courier shall take on.
    pub parcels: Vec<Parcel>,
    /// Posted events that are not running.
    pub pending: usize,
    /// How many events were dropped for want of room that the log has not been told of.
    pub dropped: u64,
    /// Events of parked packets.
    pub parked: BTreeMap<Seq, Parked>,
    /// Why there is no handler; `None` while there is one, or is about to be.
    pub down: Option<String>,
    pub stopping: bool,
}

/// What stands in the queue.
pub enum Queued {
    /// Kea waits: the event itself is in the hands of a packet's thread.
    Waiting,
    Posted(Task),
    /// Kea waits, but no thread of its.
    Parked(Task),
}

/// A packet that is parked until its event has been concluded.
pub struct Parked {
    pub until: Instant,
    pub then: Box<dyn FnOnce(Verdict) + Send>,
}

impl Shared {
    pub fn new(config: Config, server: &Server) -> io::Result<Shared> {
        let (watch, wake) = (Watch::new()?, EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?);
        watch.add(&wake, WAKE, For::Write)?;
        let (inbox, posted) = Inbox::new();
        Ok(Shared {
            config,
            server: server.clone(),
            counters: Counters::default(),
            inbox,
            state: Mutex::new(State::new(posted)),
            granted: Condvar::new(),
            watch,
            wake,
            errands: AtomicUsize::new(0),
        })
    }

    /// The state, the inbox emptied into it.
    pub fn lock(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(task) = self.inbox.take(&state.posted) {
            state.post(task);
            if state.pending > self.config.queue_limit && state.order.cancel_oldest().is_some() {
                state.pending -= 1;
                state.dropped += 1;
                Counters::add(&self.counters.dropped);
            }
        }
        state
    }

    /// Queues an event that Kea does not wait for.
    pub fn post(&self, task: Task) {
        if self.inbox.leave(task) > INBOX_LIMIT {
            self.assign(&mut self.lock());
        }
        self.call_courier(|doing| doing == ASLEEP);
    }

    /// Something has been done that cannot wait.
    pub fn wake_courier(&self) {
        self.call_courier(|doing| doing == ASLEEP || doing >= NAPPING);
    }

    /// It sees to whatever has been done by now before it rests again.
    fn call_courier(&self, has_to_be_woken: impl FnOnce(usize) -> bool) {
        if has_to_be_woken(self.errands.fetch_add(1, Ordering::AcqRel)) {
            // It fails only where the courier has been woken 2^64 times already.
            let _ = self.wake.write(1);
        }
    }

    /// Has the courier work until nobody calls it any more. It only naps then until `nap_until`, a while after the last
    /// call.
    pub fn until_all_is_done(&self, nap_until: &mut Option<Instant>, mut work: impl FnMut()) {
        let before = self.errands.swap(AWAKE, Ordering::AcqRel);
        let mut was_called = before != ASLEEP && before != NAPPING;
        loop {
            let seen = self.errands.load(Ordering::Acquire);
            work();
            let now = Instant::now();
            if was_called || seen != AWAKE {
                *nap_until = Some(now + NAP);
            }
            *nap_until = nap_until.filter(|until| *until > now);
            let rest = if nap_until.is_some() { NAPPING } else { ASLEEP };
            if self.errands.compare_exchange(seen, rest, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
                return;
            }
            was_called = false;
        }
    }

    /// Gives idle lanes to the events whose turn it is. The last lane is kept for those that a thread of Kea's waits
    /// for, if others could take it.
    pub fn assign(&self, state: &mut State) {
        let (waits, kept) = (self.config.blocks(), usize::from(state.live.len() > 1 && self.config.waits_sometimes()));
        let may_have_the_last = |queued: &Queued| !waits || !matches!(queued, Queued::Parked(_));
        let mut for_courier = false;
        while !state.idle.is_empty() && !state.stopping {
            let next = match state.idle.len() > kept {
                true => state.order.take_next(),
                false => state.order.take_urgent(may_have_the_last),
            };
            let Some((seq, queued)) = next else { break };
            let Some(lane) = state.idle.pop() else { break };
            match queued {
                Queued::Waiting => {
                    state.granted.insert(seq, lane);
                    if state.sleepers > 0 {
                        self.granted.notify_all();
                    }
                }
                Queued::Posted(task) | Queued::Parked(task) => {
                    state.pending -= usize::from(task.parked_until.is_none());
                    state.parcels.push(Parcel::Event { seq, lane, task });
                    for_courier = true;
                }
            }
        }
        if for_courier {
            self.wake_courier();
        }
    }

    /// Queues an event for which a packet is parked.
    pub fn park(&self, task: Task, until: Instant, then: Box<dyn FnOnce(Verdict) + Send>) {
        let mut state = self.lock();
        let seq = state.new_seq();
        state.parked.insert(seq, Parked { until, then });
        let task = task.parked(until);
        state.order.push(seq, task.keys.clone(), true, Queued::Parked(task));
        self.assign(&mut state);
        drop(state);
        // Its time-out may be the next.
        self.wake_courier();
    }

    /// An event is over: those behind it move up, and its lane is free.
    pub fn done(&self, seq: Seq, lane: Option<Lane>) {
        let mut state = self.lock();
        state.order.done(seq);
        let granted = state.granted.remove(&seq);
        for lane in lane.into_iter().chain(granted) {
            if state.live.contains(&lane.id) {
                state.idle.push(lane);
            }
        }
        self.assign(&mut state);
    }

    /// A lane has broken, or what came over it is no answer: it is never used again.
    pub fn broken(&self, lane: u64, reason: &str) {
        let mut state = self.lock();
        state.live.remove(&lane);
        state.parcels.push(Parcel::Broken { lane, reason: reason.into() });
        drop(state);
        self.wake_courier();
    }

    /// The handler has died over an event that no thread of Kea's waits for: the next one gets it, in the same turn.
    pub fn give_back(&self, seq: Seq, task: Task) {
        if task.is_abandoned {
            return self.done(seq, None);
        }
        if task.deaths >= ATTEMPTS {
            let failure = Task::deadly(self.config.mode);
            if task.wait {
                return self.fail(seq, &task, failure);
            }
            Counters::add(&self.counters.failures);
            log(messages::EVENT_LOST, &[self.name(), task.row().name.into(), failure.text]);
            return self.done(seq, None);
        }
        let mut state = self.lock();
        match task.parked_until {
            Some(_) => state.order.give_back(seq, Queued::Parked(task)),
            None => {
                state.order.give_back(seq, Queued::Posted(task));
                state.pending += 1;
            }
        }
        self.assign(&mut state);
    }

    /// How long a daemon may be late before it is given up. The runner sees to its scripts itself.
    pub fn grace(&self) -> Option<Instant> {
        (self.config.mode != Mode::Exec).then(|| Instant::now() + GRACE)
    }
}

impl State {
    fn new(posted: Receiver<Task>) -> State {
        State {
            posted,
            order: Order::default(),
            last_seq: 0,
            idle: Vec::new(),
            live: HashSet::new(),
            granted: HashMap::new(),
            sleepers: 0,
            parcels: Vec::new(),
            pending: 0,
            dropped: 0,
            parked: BTreeMap::new(),
            down: None,
            stopping: false,
        }
    }

    pub fn new_seq(&mut self) -> Seq {
        self.last_seq += 1;
        self.last_seq
    }

    /// Queues an event that Kea does not wait for.
    pub fn post(&mut self, task: Task) {
        let seq = self.new_seq();
        self.order.push(seq, task.keys.clone(), false, Queued::Posted(task));
        self.pending += 1;
    }

    /// Takes back the events of parked packets whose time is over while their turn has not come; all of them if there
    /// is no handler.
    pub fn overdue(&mut self) -> Vec<(Seq, Task)> {
        let (now, down) = (Instant::now(), self.down.is_some());
        let over: Vec<Seq> =
            self.parked.iter().filter(|(_, one)| down || one.until <= now).map(|(seq, _)| *seq).collect();
        let queued = |seq| match self.order.cancel(seq) {
            Some(Queued::Parked(task)) => Some((seq, task)),
            _ => None,
        };
        over.into_iter().filter_map(queued).collect()
    }
}
