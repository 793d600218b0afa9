//! The one thread of a script inside Kea: sends events that no thread of Kea's waits for, hears their answers and late ones,
//! sees to the lanes and the spool. Its state outlives a reload.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::lanes::Lanes;
use super::reading::Elsewhere;
use super::retry::broken;
use super::shared::{CALLS, Shared, grace};
use super::state::Queued;
use super::task::Task;
use crate::config::Config;
use crate::guard::guarded;
use crate::lane::{Failed, Lane};
use crate::log::log;
use crate::messages;
use crate::order::Turn;
use crate::variables::Server;
use crate::wait::For;

/// A lane at work.
pub struct Busy {
    pub lane: Lane,
    /// The handler answers them in this order; those behind the first have been sent ahead.
    pub events: VecDeque<Box<Task>>,
    /// When we stop waiting for the first's answer. `None`: the handler answers in time, and we wait for as long as it lives.
    pub until: Option<Instant>,
}

pub struct Worker {
    pub(super) shared: Arc<Shared>,
    pub(super) lanes: Lanes,
    /// By lane.
    pub(super) busy: HashMap<u64, Busy>,
    /// Events that are not to be tried before then.
    pub(super) put_off: BTreeMap<(Instant, Turn), Queued>,
    pub(super) elsewhere: Vec<Elsewhere>,
    /// Events over which a runner may have died, until nothing else is at work.
    pub(super) suspects: VecDeque<Box<Task>>,
    /// Numbers in the watch that have yet to be seen to.
    happened: Vec<u64>,
    nap_until: Option<Instant>,
    /// When to read on in the spool, if that was not possible.
    pub(super) read_again: Option<Instant>,
}

impl Worker {
    pub fn new(config: Config, server: &Server) -> io::Result<Self> {
        let shared = Arc::new(Shared::new(config, server)?);
        Ok(Worker {
            lanes: Lanes::new(Arc::clone(&shared)),
            shared,
            busy: HashMap::new(),
            put_off: BTreeMap::new(),
            elsewhere: Vec::new(),
            suspects: VecDeque::new(),
            happened: Vec::new(),
            nap_until: None,
            read_again: None,
        })
    }

    /// Works until `stopping`.
    pub fn run(mut self) -> Self {
        let lanes: Vec<u64> = self.busy.keys().copied().collect();
        lanes.into_iter().for_each(|lane| self.look_at(lane));
        while guarded("worker", true, || self.round()) {}
        self
    }

    /// Ends a load: lanes that are at work finish that, and what is queued stays.
    pub fn rest(&mut self) {
        let waits = |task: &mut Box<Task>| (task.wait, task.parked_until) = (false, None);
        self.suspects.iter_mut().for_each(waits);
        let mut guard = self.shared.lock();
        let state = &mut *guard;
        let (all, running) = (state.order.len(), state.in_flight());
        state.parked.clear();
        for queued in state.order.waiting_mut() {
            if let Queued::Here(task) = queued {
                state.in_memory += usize::from(task.parked_until.is_some());
                waits(task);
            }
        }
        let in_memory = state.in_memory;
        drop(guard);
        for busy in self.busy.values_mut() {
            busy.events.iter_mut().for_each(waits);
            // It is looked at when the next load begins to work.
            busy.lane.watch(For::HangUp);
        }
        if all > 0 {
            let counts = [all - running, in_memory, running].map(|count| count.to_string());
            let [queued, in_memory, running] = counts;
            log(messages::LEFT, &[self.shared.name(), queued, in_memory, running]);
        }
        self.lanes.retire(&self.busy);
    }

    /// Goes on with another configuration.
    pub fn renewed(self, config: Config, server: &Server) -> io::Result<Self> {
        let Worker { shared, lanes, busy, put_off, elsewhere, suspects, .. } = self;
        let retired = lanes.into_retired();
        // Kea has unloaded us, and nobody else has it.
        let shared = Arc::into_inner(shared).ok_or_else(|| io::Error::other("the last load has not ended"))?;
        let shared = Arc::new(shared.renewed(config, server));
        let lanes = Lanes::after(Arc::clone(&shared), retired);
        let (happened, nap_until, read_again) = (Vec::new(), None, None);
        Ok(Worker { shared, lanes, busy, put_off, elsewhere, suspects, happened, nap_until, read_again })
    }

    /// Whether there is nothing to go on with.
    pub fn is_finished(&self) -> bool {
        let state = self.shared.lock();
        state.order.is_empty() && state.unread.is_none() && self.busy.is_empty()
    }

    /// What is unfinished, in memory alone, when nobody will go on.
    pub fn unfinished(&self) -> usize {
        self.shared.lock().in_memory
    }

    /// Does what there is to do, and sleeps until there is more; false when it is time to stop.
    fn round(&mut self) -> bool {
        let (shared, mut nap_until, mut stopping) = (Arc::clone(&self.shared), self.nap_until, false);
        let may_rest = shared.calls.attend(&mut nap_until, || {
            stopping = self.take_what_is_left();
            if !stopping {
                std::mem::take(&mut self.happened).into_iter().for_each(|number| self.see_to(number));
                self.look_at_the_clock();
                self.see_to_the_spool();
                self.send_all();
            }
        });
        if !stopping {
            // An error here is want of memory: there is nothing to do but to try again.
            self.nap_until = nap_until;
            let deadline = if may_rest { self.deadline() } else { Some(Instant::now()) };
            self.happened = shared.watch.wait(deadline).unwrap_or_default();
        }
        !stopping
    }

    /// Something has happened to what has this number in the watch.
    fn see_to(&mut self, number: u64) {
        match number {
            CALLS => {}
            number if self.lanes.is_runner(number) => self.lanes.hear_runners(),
            lane => self.look_at(lane),
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let parked = self.shared.lock().parked.values().map(|parked| parked.until).min();
        let busy = self.busy.values().filter_map(|busy| busy.until);
        let put_off = self.put_off.first_key_value().map(|((due, _), _)| *due);
        let others =
            [parked, self.nap_until, self.lanes.deadline(), put_off, self.look_elsewhere_at(), self.read_again];
        busy.chain(others.into_iter().flatten()).min()
    }

    /// Takes on what packet threads have left; true when it is time to stop.
    fn take_what_is_left(&mut self) -> bool {
        let mut state = self.shared.lock();
        let (late, broken) = (std::mem::take(&mut state.late), std::mem::take(&mut state.broken));
        let dropped = std::mem::take(&mut state.dropped);
        let all_dropped = self.shared.counters.dropped.load(Ordering::Relaxed);
        let stopping = state.stopping;
        drop(state);
        if dropped > 0 {
            self.shared.say_dropped(all_dropped - dropped + 1, dropped);
        }
        late.into_iter().for_each(|busy| self.keep(busy));
        broken.into_iter().for_each(|(lane, reason)| self.lanes.lost(lane, &reason));
        stopping
    }

    fn look_at(&mut self, lane: u64) {
        match self.busy.remove(&lane) {
            Some(busy) => self.advance(busy),
            None => self.lanes.look_at(lane),
        }
    }

    /// Sends and receives on a lane what is possible now.
    fn advance(&mut self, mut busy: Busy) {
        loop {
            match busy.lane.advance() {
                Ok(None) => return self.keep(busy),
                Ok(Some(line)) => match self.answered(busy, &line) {
                    Some(others) => busy = others,
                    None => return,
                },
                Err(failed) => return self.broke(busy, &failed),
            }
        }
    }

    /// The lane with the events behind the one that this answers, if there are any.
    fn answered(&mut self, mut busy: Busy, line: &[u8]) -> Option<Busy> {
        let task = busy.events.pop_front()?;
        let answer = self.shared.read(&task, line);
        let reason = answer.as_ref().err().map(|failure| failure.text.clone());
        busy.until = busy.events.front().filter(|_| !busy.lane.keeps_time).map(|next| Instant::now() + next.timeout);
        let (lane, behind) = match (&reason, busy.events.is_empty()) {
            (Some(reason), _) => {
                self.lanes.lost(busy.lane.id, reason);
                self.go_again(busy.events, 1);
                (None, None)
            }
            (None, true) => (self.lanes.free(busy.lane), None),
            (None, false) => (None, Some(busy)),
        };
        match answer {
            Ok(answer) if answer.again.is_some() && !task.is_abandoned => {
                self.defer(task, &answer);
                lane.into_iter().for_each(|lane| self.shared.is_idle(lane));
            }
            answer => drop(self.shared.finish(&task, answer, lane)),
        }
        behind
    }

    pub(super) fn keep(&mut self, mut busy: Busy) {
        let what = if busy.lane.is_sending() { For::Both } else { For::Input };
        busy.lane.watch(what);
        self.busy.insert(busy.lane.id, busy);
    }

    fn look_at_the_clock(&mut self) {
        let now = Instant::now();
        let is_over = |(lane, busy): (&u64, &Busy)| busy.until.is_some_and(|until| until <= now).then_some(*lane);
        let over: Vec<u64> = self.busy.iter().filter_map(is_over).collect();
        for lane in over {
            if let Some(busy) = self.busy.remove(&lane) {
                self.time_is_over(busy);
            }
        }
        self.look_at_what_is_put_off();
        self.lanes.look_at_the_clock();
        // Last: there may be no handler to be had since.
        self.end_overdue();
    }

    /// The event has failed; its lane gets some more time, and is given up after that.
    fn time_is_over(&mut self, mut busy: Busy) {
        let Some(task) = busy.events.pop_front() else { return };
        let mode = self.lanes.mode(busy.lane.id);
        if task.is_abandoned {
            self.lanes.lost(busy.lane.id, "no answer after the time-out");
            self.shared.finish(&task, Err(task.timed_out(mode)), None);
            return self.go_again(busy.events, 1);
        }
        self.shared.give_up_waiting(&task, task.timed_out(mode));
        busy.events.push_front(Box::new(task.abandoned()));
        busy.until = grace(&busy.lane);
        self.keep(busy);
    }

    pub(super) fn broke(&mut self, mut busy: Busy, failed: &Failed) {
        let mode = self.lanes.mode(busy.lane.id);
        self.lanes.lost(busy.lane.id, &failed.to_string());
        // Whoever has died over an event before may have died over it again.
        let is_first = busy.events.front().is_some_and(|task| task.deaths == 0);
        let deaths = self.deaths(failed, mode, is_first);
        let may_go_again = |task: &Task| task.is_abandoned || task.goes_again(failed, mode);
        match busy.events.pop_front() {
            Some(task) if may_go_again(&task) => busy.events.push_front(task),
            Some(task) => drop(self.shared.finish(&task, Err(broken(failed)), None)),
            None => {}
        }
        self.go_again(busy.events, deaths);
    }

    /// Parked packets go on when their time is over, even if their events' turn has not come.
    fn end_overdue(&mut self) {
        let mut state = self.shared.lock();
        if state.parked.is_empty() {
            return;
        }
        let (mut overdue, down) = (state.overdue(), state.down.clone());
        drop(state);
        let now = Instant::now();
        let is_overdue = |task: &Task| task.parked_until.is_some_and(|until| down.is_some() || until <= now);
        let (over, suspects) = std::mem::take(&mut self.suspects).into_iter().partition(|task| is_overdue(task));
        self.suspects = suspects;
        overdue.extend(over.into_iter().map(|task| *task));
        for task in overdue {
            self.shared.finish(&task, Err(task.failure(down.clone())), None);
        }
    }
}
