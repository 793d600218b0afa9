//! The one thread of a handler: carries events that Kea does not wait for, late answers, and what an earlier load
//! has left; starts the runner again when it has died.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags};

use super::legacy::Heritage;
use super::process::Runner;
use super::shared::Shared;
use super::task::Task;
use crate::guard::guarded;
use crate::lane::Lane;
use crate::log::{log, log_repeating};
use crate::messages;
use crate::order::Seq;
use crate::wait::{readable, wait_for};

/// Pauses before a runner is started again: doubled each time, up to the last.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));

/// Kea may be kept waiting for a runner this long.
const BEARABLE_PAUSE: Duration = Duration::from_secs(2);
/// How long a runner may take to be ready: at load, and later, when the courier has other things to do.
pub const PATIENCE_AT_LOAD: Duration = Duration::from_secs(10);
const PATIENCE: Duration = Duration::from_secs(2);

/// What packet threads leave for the courier.
pub enum Parcel {
    /// An event whose turn has come, on its lane.
    Event(Busy),
    /// Kea has stopped waiting, but the script has not ended yet.
    Late(Busy),
    /// A lane of the present runner has broken, for this reason.
    Broken(String),
}

/// An event on a lane.
pub struct Busy {
    pub seq: Seq,
    pub lane: Lane,
    pub task: Task,
}

pub struct Courier {
    pub(super) shared: Arc<Shared>,
    pub(super) runner: Option<Runner>,
    pub(super) busy: Vec<Busy>,
    pub(super) heritage: Heritage,
    /// When the runner was started.
    started: Instant,
    back_off: Duration,
    /// When to start the runner again.
    retry: Option<Instant>,
}

impl Courier {
    pub fn new(shared: Arc<Shared>) -> Self {
        Courier {
            shared,
            runner: None,
            busy: Vec::new(),
            heritage: Heritage::default(),
            started: Instant::now(),
            back_off: BACK_OFF.0,
            retry: None,
        }
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
        self.restart_if_due();
        self.advance();
        if let Err(error) = self.sleep() {
            self.runner_is_lost(&error.to_string());
        }
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
                Parcel::Event(busy) => self.send(busy),
                Parcel::Late(busy) => self.busy.push(busy),
                Parcel::Broken(reason) => self.runner_is_lost(&reason),
            }
        }
        stopping
    }

    fn send(&mut self, mut busy: Busy) {
        let deadline = Instant::now() + busy.task.timeout;
        busy.lane.start(busy.task.line(busy.seq, &self.shared.config, &self.shared.server, deadline));
        self.busy.push(busy);
    }

    /// Sends and receives on every lane what is possible now.
    fn advance(&mut self) {
        let mut at = 0;
        while at < self.busy.len() {
            match self.busy[at].lane.advance() {
                Ok(None) => at += 1,
                Ok(Some(answer)) => {
                    let busy = self.busy.remove(at);
                    self.shared.settle(busy.seq, &busy.task, answer, Some(busy.lane));
                }
                Err(error) => {
                    let mut busy = self.busy.remove(at);
                    self.lane_is_broken(&busy.lane, &error.to_string());
                    busy.task.deaths += 1;
                    self.shared.give_back(busy.seq, busy.task);
                }
            }
        }
        self.heritage.advance(&self.shared);
    }

    /// A lane breaks because its runner is gone; one of an earlier runner says nothing about this one.
    fn lane_is_broken(&mut self, lane: &Lane, reason: &str) {
        if lane.generation == self.shared.lock().generation {
            self.runner_is_lost(reason);
        }
    }

    fn sleep(&self) -> io::Result<()> {
        let mut fds = vec![readable(self.shared.wake.as_fd())];
        // Nothing ever comes on the control socket; that it hangs up is always reported.
        fds.extend(self.runner.as_ref().map(|runner| PollFd::new(runner.as_fd(), PollFlags::empty())));
        let runner_at = fds.len() - 1;
        fds.extend(self.busy.iter().map(|busy| busy.lane.poll_fd()));
        fds.extend(self.heritage.poll_fds());
        wait_for(&mut fds, self.retry)?;
        let runner_hung_up = runner_at > 0 && fds[runner_at].any().unwrap_or(false);
        let _ = self.shared.wake.read();
        match runner_hung_up {
            true => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it has ended")),
            false => Ok(()),
        }
    }

    /// Lets the runner be started again. What it was working on comes back as its lanes break.
    fn runner_is_lost(&mut self, reason: &str) {
        if self.runner.take().is_none() {
            return;
        }
        log_repeating(messages::HANDLER_LOST, &self.shared.name(), &[self.shared.name(), reason.into()]);
        self.shared.lock().forget_lanes();
        self.plan_restart();
        if self.back_off > BEARABLE_PAUSE {
            self.wait_no_more("the runner dies again and again".into());
        }
    }

    fn plan_restart(&mut self) {
        let lived_long = self.started.elapsed() > BACK_OFF.1;
        self.back_off = if lived_long { BACK_OFF.0 } else { (self.back_off * 2).min(BACK_OFF.1) };
        self.retry = Some(Instant::now() + self.back_off);
    }

    fn restart_if_due(&mut self) {
        if self.retry.is_none_or(|retry| retry > Instant::now()) {
            return;
        }
        match Runner::start(&self.shared.config, &self.shared.server, PATIENCE) {
            Ok((runner, lanes)) => self.runner_is_up(runner, lanes),
            Err(error) => self.runner_is_down(error),
        }
    }

    pub fn runner_is_up(&mut self, runner: Runner, lanes: Vec<Lane>) {
        log(messages::HANDLER_STARTED, &[self.shared.name(), lanes.len().to_string()]);
        self.runner = Some(runner);
        self.started = Instant::now();
        self.retry = None;
        let mut state = self.shared.lock();
        state.down = None;
        let generation = state.generation;
        state.idle = lanes.into_iter().map(|lane| lane.of(generation)).collect();
        self.shared.assign(&mut state);
    }

    /// Waiting events fail at once from now on, instead of holding Kea for nothing; the others stay queued.
    pub fn runner_is_down(&mut self, error: String) {
        log_repeating(messages::HANDLER_FAILED, &self.shared.name(), &[self.shared.name(), error.clone()]);
        self.wait_no_more(error);
        self.plan_restart();
    }

    fn wait_no_more(&self, reason: String) {
        self.shared.lock().down = Some(reason);
        self.shared.granted.notify_all();
    }
}
