//! What packet threads and the worker share: the events by turn and the free lanes.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use once_cell::sync::OnceCell;

use super::calls::Calls;
use super::counters::Counters;
use super::state::{Parked, Queued, State, Takes};
use super::task::Task;
use crate::answers::UnknownClasses;
use crate::bridge::ffi::Verdict;
use crate::config::Config;
use crate::ids;
use crate::lane::Lane;
use crate::memory::Memory;
use crate::order::{Class, Turn};
use crate::spool::Spool;
use crate::variables::Server;
use crate::wait::Watch;

/// From a daemon's time-out to its end, as the runner gives a script between SIGTERM and SIGKILL.
pub const GRACE: Duration = Duration::from_secs(1);

/// Events beyond `queue-limit` that may wait for a worker that has idle lanes to give.
const MOST_BEHIND: usize = 1000;

/// The number of calls in the worker's watch; all others are of lanes and runners.
pub const CALLS: u64 = 0;

pub struct Shared {
    pub config: Config,
    pub server: Server,
    pub counters: Counters,
    pub unknown_classes: UnknownClasses,
    pub memory: Memory,
    state: Mutex<State>,
    /// What the worker waits for.
    pub watch: Arc<Watch>,
    pub calls: Calls,
    /// There is none before Kea's main loop has begun to turn, nor without the parameter.
    pub spool: OnceCell<Arc<Spool>>,
}

impl Shared {
    pub fn new(config: Config, server: &Server) -> io::Result<Shared> {
        let watch = Arc::new(Watch::new()?);
        let calls = Calls::new(&watch, CALLS)?;
        Ok(Shared {
            memory: Memory::new(config.keep.limit),
            config,
            server: server.clone(),
            counters: Counters::default(),
            unknown_classes: UnknownClasses::default(),
            state: Mutex::default(),
            watch,
            calls,
            spool: OnceCell::new(),
        })
    }

    /// The same events under another configuration, whose answers may be others.
    pub fn renewed(self, config: Config, server: &Server) -> Shared {
        let (counters, unknown_classes) = (Counters::default(), UnknownClasses::default());
        let memory = Memory::new(config.keep.limit);
        Shared { config, server: server.clone(), counters, unknown_classes, memory, ..self }
    }

    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues an event that Kea does not wait for, and that is in memory alone.
    pub fn post(&self, mut task: Task) {
        let (keys, class, lease) = (task.keys(&self.config), task.class(), self.coalesces(&task));
        let mut state = self.lock();
        task.seq = ids::next();
        let turn = state.order.push(keys, class, Queued::Here(Box::new(task)));
        state.in_memory += 1;
        let displaced = self.displace(&mut state, lease, turn);
        self.make_room(&mut state);
        drop(state);
        self.forget(displaced);
        self.calls.call();
    }

    /// A flood of packets costs no event of a lease: clients send packets again.
    pub fn make_room(&self, state: &mut State) {
        let limit = self.limit(state);
        while state.in_memory > limit {
            let Some(turn) = state.order.cancel_oldest() else { break };
            state.newest.forget(turn);
            state.in_memory -= 1;
            state.dropped += 1;
            Counters::add(&self.counters.dropped);
        }
    }

    /// Of events in memory. While lanes are idle, the worker has yet to fill them.
    pub fn limit(&self, state: &State) -> usize {
        let is_behind = state.order.ready() > 0 && state.idle.len() > self.kept(state);
        self.config.queue_limit + if is_behind { MOST_BEHIND } else { 0 }
    }

    /// Queues an event for which a packet is parked.
    pub fn park(&self, task: Task, until: Instant, then: Box<dyn FnOnce(Verdict) + Send>) {
        let (keys, mut task) = (task.keys(&self.config), task.parked(until));
        let mut state = self.lock();
        task.seq = ids::next();
        let turn = state.order.push(keys, Class::Urgent, Queued::Here(Box::new(task)));
        state.parked.insert(turn, Parked { until, then });
        drop(state);
        // Its time-out may be the next.
        self.calls.wake();
    }

    /// Gives idle lanes to the events that threads of Kea's wait for; whether one is left whose turn has come.
    pub fn grant(&self, state: &mut State) -> bool {
        while !state.idle.is_empty() && !state.stopping {
            let has_more = state.idle.len() > self.kept(state);
            let is_workers = |queued: &_| state.worker_takes.may_take(queued) && self.may_go(queued, has_more);
            match state.order.next_urgent(|queued| queued.is_waiting() || is_workers(queued)) {
                Some((turn, queued)) if queued.is_waiting() => state.grant(turn),
                // The worker's: it goes before those that threads wait for behind it.
                Some(_) => return true,
                None => break,
            }
        }
        state.worker_takes == Takes::All && state.order.ready() > 0 && state.idle.len() > self.kept(state)
    }

    /// The next event for the worker, with those that its lane is sent ahead.
    pub fn next(&self, state: &mut State) -> Option<(Lane, VecDeque<Box<Task>>)> {
        self.grant(state);
        if state.idle.is_empty() || state.stopping {
            return None;
        }
        let (takes, has_more) = (state.worker_takes, state.idle.len() > self.kept(state));
        let (turn, queued) = match has_more && takes == Takes::All {
            true => state.order.take_next(),
            false => state.order.take_urgent(|queued| takes.may_take(queued) && self.may_go(queued, has_more)),
        }?;
        let task = self.task(state, turn, queued)?;
        let lane = state.idle.pop()?;
        let ahead = if takes == Takes::All { lane.ahead } else { 0 };
        let events = self.with_those_ahead(state, task, ahead);
        Some((lane, events))
    }

    /// A lane that has nothing to do, for the worker.
    pub fn take_idle(&self) -> Option<Lane> {
        let mut state = self.lock();
        self.grant(&mut state);
        if state.idle.len() > self.kept(&state) { state.idle.pop() } else { None }
    }

    /// The last lane is kept for those that a thread of Kea's waits for, if others could take it.
    fn kept(&self, state: &State) -> usize {
        usize::from(state.live.len() > 1 && self.config.ways.differ())
    }

    fn may_go(&self, queued: &Queued, has_more: bool) -> bool {
        has_more || !self.config.ways.yes || !queued.is_parked()
    }

    /// The event whose turn has come.
    fn task(&self, state: &mut State, turn: Turn, queued: Queued) -> Option<Box<Task>> {
        match queued {
            Queued::Waiting { .. } => None,
            Queued::Here(mut task) => {
                state.in_memory -= usize::from(task.parked_until.is_none());
                task.turn = turn;
                Some(task)
            }
            Queued::Spooled(spooled) => {
                let unique = self.spool.get().map_or(0, |spool| spool.id());
                Some(Box::new(Task::of_spool(turn, spooled, unique, &self.config)))
            }
        }
    }

    /// An event, and those that its lane is sent ahead: all that stand behind it alone, and the lane's share of the others
    /// that are ready. What a handler has died over goes alone: it may take others with it. While any is put off, none is sent
    /// behind another: the handler may put that one off, and do this one.
    fn with_those_ahead(&self, state: &mut State, task: Box<Task>, ahead: usize) -> VecDeque<Box<Task>> {
        let wanted = |queued: &Queued| !queued.is_waiting() && !queued.is_parked() && queued.deaths() == 0;
        let ahead = if task.deaths > 0 { 0 } else { ahead };
        let mut events = VecDeque::from([task]);
        let may_stand_behind = state.put_off == 0;
        let (mut share, mut looked_behind) = ((state.order.ready() / (state.idle.len() + 1)).min(ahead), 0);
        while events.len() <= ahead {
            let next = match events.get(looked_behind).filter(|_| may_stand_behind) {
                Some(task) => {
                    let mine = |turn| events.iter().any(|mine| mine.turn == turn);
                    let behind = state.order.take_behind(task.turn, mine, wanted);
                    looked_behind += usize::from(behind.is_none());
                    behind
                }
                None if share == 0 => break,
                None => {
                    share -= 1;
                    state.order.take_ready(wanted)
                }
            };
            if let Some((turn, queued)) = next {
                events.extend(self.task(state, turn, queued));
            }
        }
        events
    }

    /// An event is over: those behind it move up, and its lane is free. Last of all that is done for it.
    pub fn free(&self, turn: Turn, lane: Option<Lane>) {
        let mut state = self.lock();
        state.over(turn);
        let granted = state.waiting.remove(&turn).and_then(|waiting| waiting.lane);
        for lane in lane.into_iter().chain(granted) {
            if state.live.contains(&lane.id) {
                state.idle.push(lane);
            }
        }
        let is_worker_wanted = self.grant(&mut state);
        drop(state);
        if is_worker_wanted {
            self.calls.wake();
        }
    }

    /// A lane has nothing to do.
    pub fn is_idle(&self, lane: Lane) {
        let mut state = self.lock();
        if state.live.contains(&lane.id) {
            state.idle.push(lane);
        }
        self.grant(&mut state);
    }

    /// An event that was not finished gets another try, in the same turn.
    pub fn give_back(&self, turn: Turn, queued: Queued) {
        let mut state = self.lock();
        state.in_memory += usize::from(queued.is_in_memory());
        state.order.give_back(turn, queued);
        let is_worker_wanted = self.grant(&mut state);
        drop(state);
        if is_worker_wanted {
            self.calls.wake();
        }
    }

    /// The runner, a daemon or a connection is to be made again, for this reason.
    pub fn lost(&self, reason: &str) {
        Counters::add(&self.counters.restarts);
        self.counters.note_error(reason);
    }
}

/// How long a handler may be late before it is given up.
pub fn grace(lane: &Lane) -> Option<Instant> {
    (!lane.keeps_time).then(|| Instant::now() + GRACE)
}
