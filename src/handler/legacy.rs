//! What a handler leaves at `unload`, and what the next one makes of it after a reload.
//!
//! The runner goes on without us: it finishes what is on its lanes, and works off the rest that we write to it. We
//! keep our ends of the connections, so that the next handler hears when an event is over and holds back, until then,
//! those that share a key with it.

use std::io::{self, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::again::deaths;
use super::courier::{Busy, Courier};
use super::process::Runner;
use super::shared::{GRACE, HERITAGE, Queued, Shared};
use super::task::Task;
use crate::config::{Config, Mode};
use crate::event::{self, End};
use crate::lane::{Failed, Lane};
use crate::log::{log, log_repeating};
use crate::messages;
use crate::order::Seq;
use crate::verdict::{Failure, FailureKind};

/// How long the runner may take to read the rest.
const PATIENCE: Duration = Duration::from_secs(5);
/// Zero would mean for ever.
const SHORTEST: Duration = Duration::from_millis(1);

/// What is unfinished at `unload`.
#[derive(Default)]
pub struct Legacy {
    script: PathBuf,
    args: Vec<String>,
    connections: Vec<Connection>,
    /// Events that could not be handed over: there is no runner, or it does not listen.
    kept: Vec<Task>,
}

/// A connection to a runner of ours that goes on without us. The runners of earlier handlers stand before those of
/// later ones.
struct Connection {
    lane: Lane,
    events: Vec<Foreign>,
    /// The runner has these events, and begins when this is shut down, or closed by the end of Kea: it knows nothing
    /// of those that earlier runners are still handling.
    held: Option<UnixStream>,
    /// When we stop waiting, as in [`Busy`].
    until: Option<Instant>,
    /// Who looks after the daemon on this lane.
    runner: Option<Arc<Runner>>,
}

struct Foreign {
    /// Its number among our events.
    seq: Seq,
    /// Its number in the line that the runner was sent.
    line_seq: Seq,
    task: Task,
}

impl Foreign {
    fn of(seq: Seq, task: Task) -> Self {
        Foreign { seq, line_seq: seq, task }
    }
}

impl Legacy {
    pub fn is_of(&self, config: &Config) -> bool {
        self.script == config.script && self.args == config.args
    }

    /// The script is not configured any more: its runners go on alone.
    pub fn abandon(mut self) {
        let lost: usize = self.connections.iter_mut().map(Connection::lost).sum::<usize>() + self.kept.len();
        if lost > 0 {
            let text = format!("{lost} events have no runner, and the script is not configured any more");
            log(messages::EVENT_LOST, &[self.script.display().to_string(), "reload".into(), text]);
        }
    }
}

#[derive(Deserialize)]
struct AnswerSeq {
    seq: Seq,
}

impl Courier {
    /// Ends the handler: all that is unfinished goes on in the runner, or is kept for the next handler.
    pub(super) fn leave(self) -> Legacy {
        let queued = self.shared.lock().order.cancel_all();
        let posted = |(seq, queued)| match queued {
            Queued::Posted(task) => Some((seq, task)),
            Queued::Parked(task) => Some((seq, task.told())),
            Queued::Waiting => None,
        };
        let queued: Vec<(Seq, Task)> = queued.into_iter().filter_map(posted).collect();
        let Config { mode, script, args, .. } = self.shared.config.clone();
        let mut legacy = Legacy { script, args, connections: self.heritage.connections, kept: vec![] };
        let (count, running) = (queued.len(), self.busy.values().map(|busy| busy.events.len()).sum::<usize>());
        let runner = self.lanes.leave(&self.busy).map(Arc::new);
        match runner.as_ref().map(|runner| hand_over(runner, &queued, &self.shared)) {
            Some(Ok(rest)) => {
                if count + running > 0 {
                    log(messages::HANDED_OVER, &[self.shared.name(), count.to_string(), running.to_string()]);
                }
                let events = queued.into_iter().map(|(seq, task)| Foreign::of(seq, task)).collect();
                let rest =
                    rest.map(|(lane, held)| Connection { lane, events, held: Some(held), until: None, runner: None });
                legacy.connections.extend(rest);
            }
            Some(Err(_)) | None => {
                if count > 0 {
                    log(messages::KEPT, &[self.shared.name(), count.to_string()]);
                }
                legacy.kept = queued.into_iter().map(|(_, task)| task).collect();
            }
        }
        let deadline = Instant::now() + PATIENCE;
        let stays = |Busy { mut lane, events, until }| {
            // There may be no next handler, for whom the runner would wait in vain. An error shows as a broken lane.
            let _ = lane.hang_up(deadline);
            let until = until.filter(|_| mode != Mode::Exec);
            let runner = runner.clone().filter(|_| mode == Mode::Daemon);
            let events = events.into_iter().map(|(seq, task)| Foreign::of(seq, task.told())).collect();
            Connection { lane, events, held: None, until, runner }
        };
        legacy.connections.extend(self.busy.into_values().map(stays));
        release(&mut legacy.connections);
        legacy
    }

    /// Makes the events of an earlier handler ours: they come before all of our own.
    pub fn take_over(&mut self, legacy: Legacy) {
        let mut connections = legacy.connections;
        let mut events: Vec<&mut Foreign> = connections.iter_mut().flat_map(|one| &mut one.events).collect();
        events.sort_by_key(|event| event.seq);
        if !events.is_empty() {
            log(messages::TAKEN_OVER, &[self.shared.name(), events.len().to_string()]);
        }
        let mut state = self.shared.lock();
        for event in events {
            event.seq = state.new_seq();
            state.order.push_foreign(event.seq, event.task.keys.clone());
        }
        for task in legacy.kept {
            state.post(task);
        }
        self.shared.assign(&mut state);
        drop(state);
        for connection in &connections {
            // It fails for want of memory alone: then the end of the connection's events goes unnoticed.
            let _ = connection.lane.watch_as(&self.shared.watch, HERITAGE);
        }
        self.heritage = Heritage { connections };
        // What has come before we watched.
        self.heritage.advance(&self.shared);
    }
}

/// Writes the queued events to the runner. It will not begin, and if the end is missing never will, before the second
/// of the two returned is shut down.
fn hand_over(runner: &Runner, queued: &[(Seq, Task)], shared: &Shared) -> io::Result<Option<(Lane, UnixStream)>> {
    if queued.is_empty() {
        return Ok(None);
    }
    let mut stream = runner.open(b'R', 0)?;
    let until = Instant::now() + PATIENCE;
    let mut line = String::new();
    for (seq, task) in queued {
        stream.set_write_timeout(Some(until.saturating_duration_since(Instant::now()).max(SHORTEST)))?;
        let deadline = Instant::now() + task.timeout;
        line.clear();
        task.line(*seq, &shared.config, &shared.server, deadline, &mut line);
        stream.write_all(line.as_bytes())?;
    }
    stream.write_all(event::line(&End { end: queued.len() })?.as_bytes())?;
    let held = stream.try_clone()?;
    Ok(Some((Lane::new(0, stream), held)))
}

/// Lets a runner begin with its rest once those before it have finished.
fn release(connections: &mut [Connection]) {
    if let Some(held) = connections.first_mut().and_then(|first| first.held.take()) {
        // It fails only where the runner is gone, and that is noticed.
        let _ = held.shutdown(Shutdown::Write);
    }
}

/// The events of earlier handlers that are still being handled.
#[derive(Default)]
pub struct Heritage {
    connections: Vec<Connection>,
}

impl Heritage {
    /// When to stop waiting for the first of them.
    pub fn deadline(&self) -> Option<Instant> {
        self.connections.iter().filter_map(|connection| connection.until).min()
    }

    /// Takes the answers that have come.
    pub(super) fn advance(&mut self, shared: &Shared) {
        for connection in &mut self.connections {
            loop {
                match connection.lane.advance() {
                    Ok(Some(answer)) => connection.settle(&answer, shared),
                    Ok(None) => break,
                    Err(failed) => {
                        connection.handler_is_lost(&failed, shared);
                        break;
                    }
                }
            }
        }
        self.forget_finished();
    }

    /// Stops waiting for those whose time is over.
    pub(super) fn look_at_the_clock(&mut self, shared: &Shared) {
        let now = Instant::now();
        if self.deadline().is_some_and(|deadline| deadline <= now) {
            let is_over = |one: &&mut Connection| one.until.is_some_and(|until| until <= now);
            self.connections.iter_mut().filter(is_over).for_each(|one| one.time_is_over(shared));
            self.forget_finished();
        }
    }

    fn forget_finished(&mut self) {
        self.connections.retain(|connection| !connection.events.is_empty());
        release(&mut self.connections);
    }
}

impl Connection {
    /// How many events have gone with their runner.
    fn lost(&mut self) -> usize {
        loop {
            match self.lane.advance() {
                Ok(Some(answer)) => drop(self.answered(&answer)),
                Ok(None) => return 0,
                Err(_) => return self.events.len(),
            }
        }
    }

    /// The event that this is the answer to; it is not pending any more.
    fn answered(&mut self, answer: &[u8]) -> Option<Foreign> {
        let AnswerSeq { seq } = serde_json::from_slice(answer).ok()?;
        let at = self.events.iter().position(|event| event.line_seq == seq)?;
        let event = self.events.remove(at);
        self.until = self.until.and(self.events.first()).map(|next| Instant::now() + next.task.timeout);
        self.tell_runner();
        Some(event)
    }

    /// What the daemon has still to answer; the next has its whole time.
    fn tell_runner(&self) {
        if let Some(runner) = &self.runner {
            let times: Vec<Duration> = self.events.iter().map(|event| event.task.timeout).collect();
            runner.let_daemon_go(self.lane.id, &times, None);
        }
    }

    fn settle(&mut self, answer: &[u8], shared: &Shared) {
        let event = self.answered(answer);
        match event.map(|event| shared.settle(event.seq, event.line_seq, &event.task, answer, None)) {
            Some(Ok(())) => {}
            Some(Err(_)) => self.give_up(shared),
            None => self.fail(shared, |_| Failure::new(FailureKind::Answer, "what came over its lane is no answer")),
        }
    }

    /// The old handler is gone: what it has not finished is ours to do.
    fn handler_is_lost(&mut self, failed: &Failed, shared: &Shared) {
        if self.events.is_empty() {
            return;
        }
        log_repeating(messages::HANDLER_LOST, &shared.name(), &[shared.name(), failed.to_string()]);
        shared.go_again(self.unfinished(), deaths(failed, shared.config.mode));
        self.tell_runner();
    }

    /// The first event has failed; its lane gets some more time, and is given up after that.
    fn time_is_over(&mut self, shared: &Shared) {
        match self.events.first_mut() {
            Some(Foreign { seq, task, .. }) if !task.is_abandoned => {
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
            let Foreign { seq, task, .. } = self.events.remove(0);
            match task.is_abandoned {
                true => shared.done(seq, None),
                false => shared.fail(seq, &task, why(&task)),
            }
        }
        self.give_up(shared);
    }

    /// Nothing more is expected of the old handler: its events are ours to do.
    fn give_up(&mut self, shared: &Shared) {
        if let Some(runner) = self.runner.take() {
            runner.stop_daemon(self.lane.id);
        }
        shared.go_again(self.unfinished(), 1);
    }

    fn unfinished(&mut self) -> impl Iterator<Item = (Seq, Task)> {
        self.events.drain(..).map(|Foreign { seq, task, .. }| (seq, task))
    }
}
