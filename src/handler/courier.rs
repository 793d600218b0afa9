//! The one thread of a handler: carries events that no thread of Kea's waits for, late answers, and what an earlier
//! load has left; sees to the lanes.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Instant;

use nix::poll::PollFd;

use super::lanes::Lanes;
use super::legacy::Heritage;
use super::shared::Shared;
use super::task::{Task, broken};
use crate::config::Mode;
use crate::guard::guarded;
use crate::lane::{Failed, Lane};
use crate::order::Seq;
use crate::wait::{readable, wait_for};

/// What packet threads leave for the courier.
pub enum Parcel {
    /// An event whose turn has come, and its lane.
    Event { seq: Seq, lane: Lane, task: Task },
    /// Kea has stopped waiting, but the handler has not answered yet.
    Late(Busy),
    /// A lane has broken, for this reason.
    Broken { lane: u64, reason: String },
}

/// An event on a lane.
pub struct Busy {
    pub seq: Seq,
    pub lane: Lane,
    pub task: Task,
    /// When we stop waiting for its answer. `None`: the runner answers in time, and we wait for as long as it lives.
    pub until: Option<Instant>,
}

pub struct Courier {
    pub(super) shared: Arc<Shared>,
    pub(super) lanes: Lanes,
    pub(super) busy: Vec<Busy>,
    pub(super) heritage: Heritage,
}

impl Courier {
    pub fn new(shared: Arc<Shared>) -> Self {
        let lanes = Lanes::new(Arc::clone(&shared));
        Courier { shared, lanes, busy: Vec::new(), heritage: Heritage::default() }
    }

    /// Works until `stopping`, and returns with all that is unfinished.
    pub fn run(mut self) -> Self {
        while guarded("courier", true, || self.round()) {}
        self
    }

    /// Does what is to be done now, and sleeps until there is more; false when it is time to stop.
    fn round(&mut self) -> bool {
        if self.unpack() {
            return false;
        }
        self.lanes.advance();
        self.advance();
        self.heritage.advance(&self.shared);
        self.end_overdue();
        // An error here is want of memory: there is nothing to do but to try again.
        let _ = self.sleep();
        true
    }

    /// Takes on what packet threads have left; true when it is time to stop.
    fn unpack(&mut self) -> bool {
        let mut state = self.shared.lock();
        let parcels = std::mem::take(&mut state.parcels);
        let stopping = state.stopping;
        drop(state);
        for parcel in parcels {
            match parcel {
                Parcel::Event { seq, lane, task } => self.send(seq, lane, task),
                Parcel::Late(busy) => self.busy.push(busy),
                Parcel::Broken { lane, reason } => self.lanes.lost(lane, &reason),
            }
        }
        stopping
    }

    fn send(&mut self, seq: Seq, mut lane: Lane, task: Task) {
        let deadline = task.parked_until.unwrap_or_else(|| Instant::now() + task.timeout);
        lane.start(task.line(seq, &self.shared.config, &self.shared.server, deadline));
        let runner_sees_to_it = self.shared.config.mode == Mode::Exec && task.parked_until.is_none();
        let until = (!runner_sees_to_it).then_some(deadline);
        self.busy.push(Busy { seq, lane, task, until });
    }

    /// Sends and receives on every lane what is possible now.
    fn advance(&mut self) {
        for mut busy in std::mem::take(&mut self.busy) {
            match busy.lane.advance() {
                Ok(None) if busy.until.is_some_and(|until| until <= Instant::now()) => self.time_is_over(busy),
                Ok(None) => self.busy.push(busy),
                Ok(Some(line)) => self.shared.settle(busy.seq, busy.seq, &busy.task, &line, Some(busy.lane)),
                Err(failed) => self.broke(busy, &failed),
            }
        }
    }

    /// The event has failed; its lane gets some more time, and is given up after that.
    fn time_is_over(&mut self, mut busy: Busy) {
        if busy.task.is_abandoned {
            self.lanes.lost(busy.lane.id, "no answer after the time-out");
            return self.shared.done(busy.seq, None);
        }
        self.shared.end(busy.seq, &busy.task, Err(busy.task.timed_out()));
        busy.task = busy.task.abandoned();
        busy.until = self.shared.grace();
        self.busy.push(busy);
    }

    fn broke(&mut self, mut busy: Busy, failed: &Failed) {
        self.lanes.lost(busy.lane.id, &failed.to_string());
        if busy.task.is_abandoned || busy.task.goes_again(failed, self.shared.config.mode) {
            busy.task.deaths += failed.is_death();
            return self.shared.give_back(busy.seq, busy.task);
        }
        self.shared.fail(busy.seq, &busy.task, broken(failed));
    }

    /// Parked packets go on when their time is over, even if their events' turn has not come.
    fn end_overdue(&mut self) {
        let mut state = self.shared.lock();
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

    fn sleep(&self) -> io::Result<()> {
        let parked = self.shared.lock().parked.values().map(|parked| parked.until).min();
        let busy = self.busy.iter().filter_map(|busy| busy.until);
        let until = busy.chain(parked).chain(self.lanes.deadline()).chain(self.heritage.deadline()).min();
        let mut fds = vec![readable(self.shared.wake.as_fd())];
        fds.extend(self.lanes.poll_fds());
        fds.extend(self.busy.iter().map(|busy| busy.lane.poll_fd()));
        fds.extend(self.heritage.poll_fds());
        let mut fds: Vec<PollFd> = fds;
        wait_for(&mut fds, until)?;
        let _ = self.shared.wake.read();
        Ok(())
    }
}
