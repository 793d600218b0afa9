//! Lanes that are lost, and handlers that cannot be had: what is said of them, and when they are made again.

use std::time::{Duration, Instant};

use super::super::state::Waiting;
use super::Lanes;
use crate::config::Mode;
use crate::log::log_repeating;
use crate::messages;
use crate::text::{GLIMPSE, excerpt};

/// Pauses before what has ended is started again: doubled each time, up to the last.
pub const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));
/// Kea may be kept waiting for a handler this long.
const BEARABLE_PAUSE: Duration = Duration::from_secs(2);

impl Lanes {
    /// Why a lane that nobody in here is at work on is lost: what its handler has said unasked, if anything.
    pub(super) fn last_words(&self, lane: u64) -> String {
        let mut state = self.shared.lock();
        let idle = state.idle.iter().position(|idle| idle.id == lane).map(|at| state.idle.swap_remove(at));
        drop(state);
        match idle.map(|mut lane| lane.advance()) {
            Some(Ok(Some(line))) => {
                let remedy = self.shared.config.mode.only_answers();
                format!("it has spoken unasked: \"{}\": {remedy}", excerpt(line, GLIMPSE))
            }
            Some(Ok(None)) => "it has spoken unasked".into(),
            _ => "the other side has closed it".into(),
        }
    }

    /// A lane is worth nothing any more, for this reason.
    pub fn lost(&mut self, id: u64, reason: &str) {
        if self.read_reports() {
            return self.runner_is_lost(reason);
        }
        let is_retired = self.retired.contains_key(&id);
        let Some(lane) = self.ready.remove(&id).or_else(|| self.retired.remove(&id)) else { return };
        lane.runner.iter().for_each(|runner| runner.stop_daemon(id));
        self.shared.lost(reason);
        // Kea may be about to be told the same.
        match lane.mode {
            Mode::Exec => self.shared.say_runner_lost(reason),
            Mode::Daemon | Mode::Socket => self.shared.say_lane_lost(id, reason, self.told_to_end.remove(&id)),
        }
        if is_retired {
            return;
        }
        let mut state = self.shared.lock();
        state.live.remove(&id);
        state.idle.retain(|lane| lane.id != id);
        drop(state);
        self.plan_retry(lane.since.elapsed());
    }

    /// A daemon on this lane is to be stopped.
    pub(super) fn give_up(&self, id: u64) {
        if let Some(runner) = &self.runner {
            runner.stop_daemon(id);
        }
    }

    pub(super) fn runner_is_lost(&mut self, reason: &str) {
        if self.runner.take().is_none() {
            return;
        }
        self.shared.lost(reason);
        self.shared.say_runner_lost(reason);
        self.ready.clear();
        self.told_to_end.clear();
        self.greeting.clear();
        let mut state = self.shared.lock();
        state.live.clear();
        state.idle.clear();
        drop(state);
        self.plan_retry(self.started.elapsed());
    }

    /// No handler can be had. Waiting events fail at once from now on, instead of holding Kea for nothing, unless there
    /// are other lanes; what Kea does not wait for stays queued.
    pub fn failed(&mut self, mut reason: String) {
        if !self.ready.is_empty() {
            let (some, all) = (self.ready.len(), self.wanted());
            reason.push_str(&format!("; {some} of {all} lanes are at work"));
            if self.shared.config.mode == Mode::Socket {
                reason.push_str(&format!(", and a server has to serve {all} at once"));
            }
        }
        self.shared.counters.note_error(&reason);
        log_repeating(messages::HANDLER_FAILED, &self.shared.name(), &[], &[self.shared.name(), reason.clone()]);
        self.plan_retry(Duration::ZERO);
        // Last: this is the reason that helps.
        self.wait_no_more(reason);
    }

    fn plan_retry(&mut self, lived: Duration) {
        if self.retry.is_none() {
            self.pause = if lived > PAUSES.1 { PAUSES.0 } else { (self.pause * 2).min(PAUSES.1) };
            self.retry = Some(Instant::now() + self.pause);
        }
        // Another lane's loss may have planned it when this one was still there.
        if self.retry.is_some_and(|retry| retry > Instant::now() + BEARABLE_PAUSE) {
            self.wait_no_more("it ends again and again".into());
        }
    }

    /// Whoever waits for a turn need not.
    fn wait_no_more(&self, reason: String) {
        if self.ready.is_empty() {
            let mut state = self.shared.lock();
            state.down = Some(reason);
            state.waiting.values().for_each(Waiting::wake);
        }
    }
}
