//! What packet threads and the courier share: the events by turn and the free lanes.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::io;
use std::sync::mpsc::Receiver;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Counters;
use super::courier::Parcel;
use super::errands::Errands;
use super::inbox::Inbox;
use super::task::Task;
use crate::answers::UnknownClasses;
use crate::bridge::ffi::Verdict;
use crate::config::{Config, Mode};
use crate::ids;
use crate::keys::Key;
use crate::lane::Lane;
use crate::order::{Class, Order, Seq};
use crate::variables::Server;
use crate::wait::Watch;

/// From a daemon's time-out to its end, as the runner gives a script between SIGTERM and SIGKILL.
pub const GRACE: Duration = Duration::from_secs(1);

/// Numbers in the courier's watch.
pub const WAKE: u64 = 0;
pub const RUNNER: u64 = 1;
pub const HERITAGE: u64 = 2;

/// What the inbox may hold: with more in it, the courier is busy elsewhere, and others empty it.
const INBOX_LIMIT: usize = 1000;

pub struct Shared {
    pub config: Config,
    pub server: Server,
    pub counters: Counters,
    pub unknown_classes: UnknownClasses,
    inbox: Inbox,
    state: Mutex<State>,
    /// A waiting event has been granted a lane, or will never be.
    pub granted: Condvar,
    /// What the courier waits for: the numbers of lanes, and those above.
    pub watch: Watch,
    pub errands: Errands,
}

pub struct State {
    /// The end of the inbox.
    posted: Receiver<Task>,
    pub order: Order<Key, Queued>,
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
    Waiting {
        since: Instant,
    },
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
        let watch = Watch::new()?;
        let errands = Errands::new(&watch, WAKE)?;
        let (inbox, posted) = Inbox::new();
        Ok(Shared {
            config,
            server: server.clone(),
            counters: Counters::default(),
            unknown_classes: UnknownClasses::default(),
            inbox,
            state: Mutex::new(State::new(posted)),
            granted: Condvar::new(),
            watch,
            errands,
        })
    }

    /// The state, the inbox emptied into it.
    pub fn lock(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        // Others may be putting more in all the while.
        for _ in 0..self.inbox.len() {
            let Some(task) = self.inbox.take(&state.posted) else { break };
            state.post(task);
            if state.pending > self.config.queue_limit {
                self.make_room(&mut state);
            }
        }
        state
    }

    /// A flood of packets costs no event of a lease: clients send packets again.
    fn make_room(&self, state: &mut State) {
        // Nobody may have looked since whether lanes are idle.
        self.assign(state);
        if state.pending > self.config.queue_limit && state.order.cancel_oldest().is_some() {
            state.pending -= 1;
            state.dropped += 1;
            Counters::add(&self.counters.dropped);
        }
    }

    /// Queues an event that Kea does not wait for.
    pub fn post(&self, task: Task) {
        if self.inbox.put(task) > INBOX_LIMIT {
            self.assign(&mut self.lock());
        }
        self.errands.call();
    }

    /// Gives idle lanes to the events whose turn it is. The last lane is kept for those that a thread of Kea's waits
    /// for, if others could take it.
    pub fn assign(&self, state: &mut State) {
        let ways = self.config.ways;
        let kept = usize::from(state.live.len() > 1 && ways.differ());
        let may_have_the_last = |queued: &Queued| !ways.yes || !matches!(queued, Queued::Parked(_));
        let mut for_courier = false;
        while !state.idle.is_empty() && !state.stopping {
            let next = match state.idle.len() > kept {
                true => state.order.take_next(),
                false => state.order.take_urgent(may_have_the_last),
            };
            let Some((seq, queued)) = next else { break };
            let Some(lane) = state.idle.pop() else { break };
            match queued {
                Queued::Waiting { .. } => {
                    state.granted.insert(seq, lane);
                    if state.sleepers > 0 {
                        self.granted.notify_all();
                    }
                }
                Queued::Posted(task) | Queued::Parked(task) => {
                    let events = state.with_those_ahead(seq, task, lane.ahead);
                    state.parcels.push(Parcel::Events { lane, events });
                    for_courier = true;
                }
            }
        }
        if for_courier {
            self.errands.wake();
        }
    }

    /// Queues an event for which a packet is parked.
    pub fn park(&self, task: Task, until: Instant, then: Box<dyn FnOnce(Verdict) + Send>) {
        let mut state = self.lock();
        let seq = ids::next();
        state.parked.insert(seq, Parked { until, then });
        let task = task.parked(until);
        state.order.push(seq, task.keys.clone(), Class::Urgent, Queued::Parked(task));
        self.assign(&mut state);
        drop(state);
        // Its time-out may be the next.
        self.errands.wake();
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
        self.errands.wake();
    }

    /// The runner, a daemon or a connection is to be made again, for this reason.
    pub fn lost(&self, reason: &str) {
        Counters::add(&self.counters.restarts);
        self.counters.note_error(reason);
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

    /// An event, and those that its lane is sent ahead: all that stand behind it alone, and the lane's share of the others
    /// that are ready. What a handler has died over goes alone: it may take others with it.
    fn with_those_ahead(&mut self, seq: Seq, task: Task, ahead: usize) -> VecDeque<(Seq, Task)> {
        let wanted = |queued: &Queued| matches!(queued, Queued::Posted(task) if task.deaths == 0);
        let ahead = if task.deaths > 0 { 0 } else { ahead };
        self.pending -= usize::from(task.parked_until.is_none());
        let mut events = VecDeque::from([(seq, task)]);
        let (mut share, mut looked_behind) = ((self.order.ready() / (self.idle.len() + 1)).min(ahead), 0);
        while events.len() <= ahead {
            let next = match events.get(looked_behind) {
                Some((seq, _)) => {
                    let mine = |seq| events.iter().any(|(mine, _)| *mine == seq);
                    let behind = self.order.take_behind(*seq, mine, wanted);
                    looked_behind += usize::from(behind.is_none());
                    behind
                }
                None if share == 0 => break,
                None => {
                    share -= 1;
                    self.order.take_ready(wanted)
                }
            };
            if let Some((seq, Queued::Posted(task))) = next {
                self.pending -= 1;
                events.push_back((seq, task));
            }
        }
        events
    }

    /// When the oldest event has happened that waits for its turn.
    pub fn oldest(&self) -> Option<Instant> {
        self.order.oldest().map(|queued| match queued {
            Queued::Waiting { since } => *since,
            Queued::Posted(task) | Queued::Parked(task) => task.since,
        })
    }

    /// Queues an event that Kea does not wait for.
    pub fn post(&mut self, task: Task) {
        let seq = ids::next();
        let class = if task.passes() { Class::Passing } else { Class::Lasting };
        self.order.push(seq, task.keys.clone(), class, Queued::Posted(task));
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
