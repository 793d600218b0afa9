//! Events of earlier handlers that are still being handled, since a reload: by a runner or a server that goes on
//! without the handler that it had them from.

use std::net::Shutdown;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::again::deaths;
use super::process::Runner;
use super::shared::{GRACE, Shared};
use super::task::Task;
use crate::config::Mode;
use crate::lane::{Failed, Lane};
use crate::order::Seq;
use crate::verdict::{Failure, FailureKind};

/// A connection to a runner of ours that goes on without us. The runners of earlier handlers stand before those of
/// later ones.
pub struct Connection {
    pub lane: Lane,
    pub events: Vec<(Seq, Task)>,
    /// The runner has these events, and begins when this is shut down, or closed by the end of Kea: it knows nothing
    /// of those that earlier runners are still handling.
    pub held: Option<UnixStream>,
    /// When we stop waiting, as in [`super::courier::Busy`].
    pub until: Option<Instant>,
    /// Who looks after the daemon on this lane.
    pub runner: Option<Arc<Runner>>,
    /// The runner has not been told yet what has become of `events`.
    pub is_news: bool,
}

/// After which the runner is told again what it could not be told.
const AGAIN: Duration = Duration::from_millis(10);

/// The events of earlier handlers that are still being handled.
#[derive(Default)]
pub struct Heritage {
    pub connections: Vec<Connection>,
    /// What the next runner's rest goes over, and the other end of it. The runners of these connections hold the first
    /// too: if we end, with Kea, that rest does not begin before they have ended.
    pub next_rest: Option<(UnixStream, UnixStream)>,
}

impl Heritage {
    /// When to stop waiting for the first of them, or to try again to tell its runner.
    pub fn deadline(&self) -> Option<Instant> {
        let again = self.connections.iter().any(|one| one.is_news).then(|| Instant::now() + AGAIN);
        self.connections.iter().filter_map(|connection| connection.until).chain(again).min()
    }

    /// Takes the answers that have come.
    pub fn advance(&mut self, shared: &Shared) {
        for connection in &mut self.connections {
            while !connection.events.is_empty() {
                match connection.lane.advance() {
                    Ok(Some(answer)) => connection.settle(&answer, shared),
                    Ok(None) => break,
                    Err(failed) => connection.handler_is_lost(&failed, shared),
                }
            }
        }
        self.look_back(shared);
    }

    /// Stops waiting for those whose time is over.
    pub fn look_at_the_clock(&mut self, shared: &Shared) {
        let now = Instant::now();
        let is_over = |one: &&mut Connection| one.until.is_some_and(|until| until <= now);
        self.connections.iter_mut().filter(is_over).for_each(|one| one.time_is_over(shared));
        self.look_back(shared);
    }

    /// Has the latest runner hold the way to the next one's rest.
    pub fn hold_next_rest(&mut self, latest: Option<&Runner>, deadline: Instant) {
        let Some(latest) = latest.filter(|_| !self.connections.is_empty()) else { return };
        // It fails where no descriptor is left: then the next rest does not wait if we end.
        self.next_rest = self.next_rest.take().or_else(|| UnixStream::pair().ok());
        self.next_rest.iter().for_each(|(ours, _)| latest.let_hold(ours.as_fd(), deadline));
    }

    /// Tells the runners what is new, and forgets what is finished.
    fn look_back(&mut self, shared: &Shared) {
        self.connections.iter_mut().for_each(|one| one.tell_runner(Instant::now()));
        self.connections.retain(|one| !one.events.is_empty() || one.is_news);
        // Nobody reads what they say now: it would wake us again and again.
        let finished = self.connections.iter().filter(|one| one.events.is_empty());
        finished.for_each(|one| shared.watch.forget(&one.lane));
        self.next_rest = self.next_rest.take().filter(|_| !self.connections.is_empty());
        release(&mut self.connections);
    }
}

impl Connection {
    /// How many events have gone with their runner, which is told until `deadline` what has not.
    pub fn lost(&mut self, deadline: Instant) -> usize {
        let lost = loop {
            match self.lane.advance() {
                Ok(Some(answer)) => drop(self.answered(&answer)),
                Ok(None) => break 0,
                Err(_) => break self.unfinished().count(),
            }
        };
        self.tell_runner(deadline);
        lost
    }

    /// The event that this is the answer to; it is not pending any more.
    fn answered(&mut self, answer: &[u8]) -> Option<(Seq, Task)> {
        let AnswerSeq { seq } = serde_json::from_slice(answer).ok()?;
        let at = self.events.iter().position(|(ours, _)| *ours == seq)?;
        let event = self.events.remove(at);
        self.until = self.until.and(self.events.first()).map(|(_, next)| Instant::now() + next.timeout);
        self.is_news = true;
        Some(event)
    }

    /// What the daemon has still to answer, if that has changed; the next has its whole time. Answers may come faster than
    /// the runner hears of them.
    pub fn tell_runner(&mut self, deadline: Instant) {
        let is_news = std::mem::take(&mut self.is_news);
        if let Some(runner) = self.runner.as_ref().filter(|_| is_news) {
            let times: Vec<Duration> = self.events.iter().map(|(_, task)| task.timeout).collect();
            self.is_news = !runner.let_daemon_go(self.lane.id, &times, None, deadline);
        }
    }

    fn settle(&mut self, answer: &[u8], shared: &Shared) {
        let event = self.answered(answer);
        match event.map(|(seq, task)| shared.settle(seq, &task, answer, None)) {
            Some(Ok(())) => {}
            Some(Err(_)) => self.give_up(shared),
            None => self.fail(shared, |_| Failure::new(FailureKind::Answer, "what came over its lane is no answer")),
        }
    }

    /// The old handler is gone: what it has not finished is ours to do.
    fn handler_is_lost(&mut self, failed: &Failed, shared: &Shared) {
        // The runner that a daemon has had is there.
        match shared.config.mode {
            Mode::Exec => shared.say_runner_lost(&failed.to_string()),
            Mode::Daemon | Mode::Socket => shared.say_lane_lost(self.lane.id, &failed.to_string(), false),
        }
        shared.go_again(self.unfinished(), deaths(failed, shared.config.mode));
    }

    /// The first event has failed; its lane gets some more time, and is given up after that.
    fn time_is_over(&mut self, shared: &Shared) {
        match self.events.first_mut() {
            Some((seq, task)) if !task.is_abandoned => {
                shared.end(*seq, task, Err(task.timed_out(shared.config.mode)));
                *task = task.abandoned();
                self.until = Some(Instant::now() + GRACE);
            }
            _ => self.fail(shared, |task| task.timed_out(shared.config.mode)),
        }
    }

    /// The first event has failed, and nothing more is expected of the old handler.
    fn fail(&mut self, shared: &Shared, why: impl FnOnce(&Task) -> Failure) {
        if !self.events.is_empty() {
            let (seq, task) = self.events.remove(0);
            match task.is_abandoned {
                true => shared.done(seq, None),
                false => shared.fail(seq, &task, why(&task)),
            }
        }
        self.give_up(shared);
    }

    /// Nothing more is expected of the old handler: its events are ours to do.
    fn give_up(&mut self, shared: &Shared) {
        if let Some(runner) = &self.runner {
            runner.stop_daemon(self.lane.id);
        }
        shared.go_again(self.unfinished(), 1);
    }

    fn unfinished(&mut self) -> impl Iterator<Item = (Seq, Task)> {
        self.is_news = true;
        self.events.drain(..)
    }
}

/// Lets a runner begin with its rest once those before it have finished.
pub fn release(connections: &mut [Connection]) {
    if let Some(held) = connections.first_mut().and_then(|first| first.held.take()) {
        // It fails only where the runner is gone, and that is noticed.
        let _ = held.shutdown(Shutdown::Write);
    }
}

#[derive(Deserialize)]
struct AnswerSeq {
    seq: Seq,
}
