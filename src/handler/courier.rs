//! The one thread of a handler: carries events that no thread of Kea's waits for, late answers, and what an earlier
//! load has left; sees to the lanes.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::again::{broken, deaths};
use super::heritage::Heritage;
use super::lanes::Lanes;
use super::shared::{HERITAGE, RUNNER, Shared, WAKE};
use super::task::Task;
use crate::config::Mode;
use crate::guard::guarded;
use crate::lane::{Failed, Lane};
use crate::order::Seq;
use crate::wait::For;

/// No event is sent ahead behind more than this: all has to be on its way when the handler is hung up.
const BYTES_AHEAD: usize = 64 * 1024;

/// What packet threads leave for the courier.
pub enum Parcel {
    /// Events whose turn has come, and their lane.
    Events { lane: Lane, events: VecDeque<(Seq, Task)> },
    /// Kea has stopped waiting, but the handler has not answered yet.
    Late(Busy),
    /// A lane has broken, for this reason.
    Broken { lane: u64, reason: String },
}

/// A lane at work.
pub struct Busy {
    pub lane: Lane,
    /// The handler answers them in this order; those behind the first have been sent ahead.
    pub events: VecDeque<(Seq, Task)>,
    /// When we stop waiting for the first's answer. `None`: the runner answers in time, and we wait for as long as it
    /// lives.
    pub until: Option<Instant>,
}

impl Busy {
    /// How long we would wait for each answer, from the one before; for the first from now.
    pub fn times(&self) -> Vec<Duration> {
        let first = self.until.map(|until| until.saturating_duration_since(Instant::now()));
        let behind = self.events.iter().skip(1).map(|(_, task)| task.timeout);
        first.into_iter().chain(behind).collect()
    }
}

pub struct Courier {
    pub(super) shared: Arc<Shared>,
    pub(super) lanes: Lanes,
    /// By lane.
    pub(super) busy: HashMap<u64, Busy>,
    pub(super) heritage: Heritage,
    /// Numbers in the watch that have yet to be seen to.
    happened: Vec<u64>,
    nap_until: Option<Instant>,
}

impl Courier {
    pub fn new(shared: Arc<Shared>) -> Self {
        let lanes = Lanes::new(Arc::clone(&shared));
        Courier {
            shared,
            lanes,
            busy: HashMap::new(),
            heritage: Heritage::default(),
            happened: Vec::new(),
            nap_until: None,
        }
    }

    /// Works until `stopping`, and returns with all that is unfinished.
    pub fn run(mut self) -> Self {
        while guarded("courier", true, || self.round()) {}
        self
    }

    /// Does what there is to do, and sleeps until there is more; false when it is time to stop.
    fn round(&mut self) -> bool {
        let (shared, mut nap_until, mut stopping) = (Arc::clone(&self.shared), self.nap_until, false);
        let may_rest = shared.errands.attend(&mut nap_until, || {
            stopping = self.unpack();
            if !stopping {
                std::mem::take(&mut self.happened).into_iter().for_each(|number| self.see_to(number));
                self.look_at_the_clock();
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
            WAKE => {}
            RUNNER => self.lanes.hear_runner(),
            HERITAGE => self.heritage.advance(&self.shared),
            lane => self.look_at(lane),
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let parked = self.shared.lock().parked.values().map(|parked| parked.until).min();
        let busy = self.busy.values().filter_map(|busy| busy.until);
        busy.chain(parked).chain(self.nap_until).chain(self.lanes.deadline()).chain(self.heritage.deadline()).min()
    }

    /// Takes on what packet threads have left; true when it is time to stop.
    fn unpack(&mut self) -> bool {
        let mut state = self.shared.lock();
        self.shared.assign(&mut state);
        let parcels = std::mem::take(&mut state.parcels);
        let dropped = std::mem::take(&mut state.dropped);
        let all_dropped = self.shared.counters.dropped.load(Ordering::Relaxed);
        let stopping = state.stopping;
        drop(state);
        if dropped > 0 {
            self.shared.say_dropped(all_dropped - dropped + 1, dropped);
        }
        for parcel in parcels {
            match parcel {
                Parcel::Events { lane, events } => self.send(lane, events),
                Parcel::Late(busy) => self.keep(busy),
                Parcel::Broken { lane, reason } => self.lanes.lost(lane, &reason),
            }
        }
        stopping
    }

    fn send(&mut self, mut lane: Lane, mut events: VecDeque<(Seq, Task)>) {
        let Shared { config, server, .. } = &*self.shared;
        let now = Instant::now();
        let deadline = |task: &Task| task.parked_until.unwrap_or(now + task.timeout);
        let runner_sees_to_it = |task: &Task| config.mode == Mode::Exec && task.parked_until.is_none();
        let until = events.front().filter(|(_, task)| !runner_sees_to_it(task)).map(|(_, task)| deadline(task));
        let mut lines = 0;
        let sent = lane.send(|out| {
            while let Some((seq, task)) = events.get(lines).filter(|_| out.len() < BYTES_AHEAD) {
                task.line(*seq, task.deaths + 1, config, server, deadline(task), out);
                lines += 1;
            }
        });
        self.shared.go_again(events.split_off(lines), 0);
        let busy = Busy { lane, events, until };
        match sent {
            Ok(()) => self.keep(busy),
            Err(failed) => self.broke(busy, &failed),
        }
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
    fn answered(&self, mut busy: Busy, line: &[u8]) -> Option<Busy> {
        let (seq, task) = busy.events.pop_front()?;
        let Some((_, next)) = busy.events.front() else {
            // What it is worth, its lane is told in there.
            let _ = self.shared.settle(seq, &task, line, Some(busy.lane));
            return None;
        };
        busy.until = Some(Instant::now() + next.timeout);
        let Err(reason) = self.shared.settle(seq, &task, line, None) else { return Some(busy) };
        self.shared.broken(busy.lane.id, &reason);
        self.shared.go_again(busy.events, 1);
        None
    }

    fn keep(&mut self, mut busy: Busy) {
        let what = if busy.lane.is_sending() { For::Both } else { For::Input };
        busy.lane.watch(&self.shared.watch, what);
        self.busy.insert(busy.lane.id, busy);
    }

    fn look_at_the_clock(&mut self) {
        let now = Instant::now();
        let is_over = |(lane, busy): (&u64, &Busy)| busy.until.is_some_and(|until| until <= now).then_some(*lane);
        let over: Vec<u64> = self.busy.iter().filter_map(is_over).collect();
        for lane in over {
            self.busy.remove(&lane).into_iter().for_each(|busy| self.time_is_over(busy));
        }
        self.heritage.look_at_the_clock(&self.shared);
        self.lanes.look_at_the_clock();
        // Last: there may be no handler to be had since.
        self.end_overdue();
    }

    /// The event has failed; its lane gets some more time, and is given up after that.
    fn time_is_over(&mut self, mut busy: Busy) {
        let Some((seq, task)) = busy.events.pop_front() else { return };
        if task.is_abandoned {
            self.lanes.lost(busy.lane.id, "no answer after the time-out");
            self.shared.done(seq, None);
            return self.shared.go_again(busy.events, 1);
        }
        self.shared.end(seq, &task, Err(task.timed_out(self.shared.config.mode)));
        busy.events.push_front((seq, task.abandoned()));
        busy.until = self.shared.grace();
        self.keep(busy);
    }

    fn broke(&mut self, mut busy: Busy, failed: &Failed) {
        self.lanes.lost(busy.lane.id, &failed.to_string());
        let mode = self.shared.config.mode;
        let may_go_again = |(_, task): &(Seq, Task)| task.is_abandoned || task.goes_again(failed, mode);
        if !busy.events.front().is_some_and(may_go_again) {
            let first = busy.events.pop_front();
            first.into_iter().for_each(|(seq, task)| self.shared.fail(seq, &task, broken(failed)));
        }
        self.shared.go_again(busy.events, deaths(failed, mode));
    }

    /// Parked packets go on when their time is over, even if their events' turn has not come.
    fn end_overdue(&mut self) {
        let mut state = self.shared.lock();
        if state.parked.is_empty() {
            return;
        }
        let overdue = state.overdue();
        let down = state.down.clone();
        if !overdue.is_empty() {
            self.shared.assign(&mut state);
        }
        drop(state);
        for (seq, task) in overdue {
            self.shared.end(seq, &task, Err(task.failure(down.clone())));
        }
    }
}
