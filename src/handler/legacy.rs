//! What a handler leaves at `unload`, and what the next one makes of it after a reload.
//!
//! The runner goes on without us: it finishes what is on its lanes, and works off the rest that we write to it. We
//! keep our ends of the connections, so that the next handler hears when an event is over and holds back, until then,
//! those that share a key with it.

use std::io::{self, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use nix::poll::PollFd;
use serde::Deserialize;

use super::courier::{Busy, Courier};
use super::{Queued, Shared, Task};
use crate::lane::Lane;
use crate::log::log;
use crate::messages;
use crate::order::Seq;

/// How long the runner may take to read the rest.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is unfinished at `unload`.
#[derive(Default)]
pub struct Legacy {
    connections: Vec<Connection>,
    /// Events that could not be handed over, for there is no runner.
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

#[derive(Deserialize)]
struct AnswerSeq {
    seq: Seq,
}

impl Courier {
    /// Ends the handler: all that is unfinished goes on in the runner, or is kept for the next handler.
    pub(super) fn leave(self) -> Legacy {
        let queued = self.shared.lock().turns.cancel_all();
        let posted = |(seq, _, queued)| match queued {
            Queued::Posted(task) => Some((seq, task)),
            Queued::Waiting => None,
        };
        let queued: Vec<(Seq, Task)> = queued.into_iter().filter_map(posted).collect();
        let mut legacy = Legacy { connections: self.heritage.connections, kept: vec![] };
        let handed_over = if self.runner.is_some() { queued.len() } else { 0 };
        if handed_over + self.busy.len() > 0 {
            let args = [self.shared.name(), handed_over.to_string(), self.busy.len().to_string()];
            log(messages::HANDED_OVER, &args);
        }
        match self.runner {
            _ if queued.is_empty() => {}
            Some(runner) => match runner.open(b"R").and_then(|stream| write_rest(stream, queued, &self.shared)) {
                Ok(rest) => legacy.connections.push(rest),
                Err(error) => {
                    let text = format!("{handed_over} events could not be handed over: {error}");
                    log(messages::EVENT_LOST, &[self.shared.name(), "unload".into(), text]);
                }
            },
            None => {
                log(messages::KEPT, &[self.shared.name(), queued.len().to_string()]);
                legacy.kept = queued.into_iter().map(|(_, task)| task).collect();
            }
        }
        let deadline = Instant::now() + PATIENCE;
        let stays = |Busy { seq, mut lane, task }| {
            // There may be no next handler, for whom the runner would wait in vain. An error shows as a broken lane.
            let _ = lane.hang_up(deadline);
            Connection { lane, events: vec![Foreign::of(seq, task)], held: None }
        };
        legacy.connections.extend(self.busy.into_iter().map(stays));
        release(&mut legacy.connections);
        legacy
    }

    /// Makes the events of an earlier handler ours: they come before all of our own.
    pub fn take_over(&mut self, legacy: Legacy) {
        let mut state = self.shared.lock();
        let mut connections = legacy.connections;
        let mut events: Vec<&mut Foreign> = connections.iter_mut().flat_map(|one| &mut one.events).collect();
        events.sort_by_key(|event| event.seq);
        if !events.is_empty() {
            log(messages::TAKEN_OVER, &[self.shared.name(), events.len().to_string()]);
        }
        for event in events {
            event.seq = state.new_seq();
            state.turns.push_foreign(event.seq, event.task.keys.clone());
        }
        for task in legacy.kept {
            state.post(task);
        }
        self.shared.assign(&mut state);
        drop(state);
        self.heritage = Heritage { connections };
    }
}

fn write_rest(mut stream: UnixStream, queued: Vec<(Seq, Task)>, shared: &Shared) -> io::Result<Connection> {
    stream.set_write_timeout(Some(PATIENCE))?;
    for (seq, task) in &queued {
        let deadline = Instant::now() + task.timeout;
        stream.write_all(&task.line(*seq, &shared.config, &shared.server, deadline))?;
    }
    let held = Some(stream.try_clone()?);
    let events = queued.into_iter().map(|(seq, task)| Foreign::of(seq, task)).collect();
    Ok(Connection { lane: Lane::new(stream)?, events, held })
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
    pub fn poll_fds(&self) -> impl Iterator<Item = PollFd<'_>> {
        self.connections.iter().map(|connection| connection.lane.poll_fd())
    }

    /// Takes the answers that have come.
    pub(super) fn advance(&mut self, shared: &Shared) {
        for connection in &mut self.connections {
            loop {
                match connection.lane.advance() {
                    Ok(Some(answer)) => connection.finish(&answer, shared),
                    Ok(None) => break,
                    Err(error) => {
                        connection.give_back(&error, shared);
                        break;
                    }
                }
            }
        }
        self.connections.retain(|connection| !connection.events.is_empty());
        release(&mut self.connections);
    }
}

impl Connection {
    fn finish(&mut self, answer: &[u8], shared: &Shared) {
        let Ok(AnswerSeq { seq }) = serde_json::from_slice(answer) else { return };
        let Some(at) = self.events.iter().position(|event| event.line_seq == seq) else { return };
        let event = self.events.swap_remove(at);
        match event.task.is_abandoned {
            true => drop(shared.read(event.task.point, answer)),
            false => drop(shared.conclude(&event.task, Ok(answer.to_vec()))),
        }
        shared.done(event.seq, None);
    }

    /// The old runner is gone: what it has not finished is ours to do.
    fn give_back(&mut self, error: &io::Error, shared: &Shared) {
        if self.events.is_empty() {
            return;
        }
        let args = [shared.name(), error.to_string()];
        log(messages::HANDLER_LOST, &args);
        for event in self.events.drain(..) {
            match event.task.is_abandoned {
                true => shared.done(event.seq, None),
                false => {
                    let mut state = shared.lock();
                    state.give_back(event.seq, event.task);
                    shared.assign(&mut state);
                }
            }
        }
    }
}
