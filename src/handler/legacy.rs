//! What a handler leaves at `unload`, and what the next one makes of it after a reload.
//!
//! The runner goes on without us: it finishes what is on its lanes, and works off the rest that we write to it. We
//! keep our ends of the connections, so that the next handler hears when an event is over and holds back, until then,
//! those that share a key with it.

use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::courier::{Busy, Courier};
use super::heritage::{Connection, Heritage, release};
use super::process::{Runner, is_process_1};
use super::shared::{HERITAGE, Queued, Shared};
use super::task::Task;
use crate::config::{Config, Mode};
use crate::event::{self, End};
use crate::lane::Lane;
use crate::log::log;
use crate::messages;
use crate::order::Seq;
use crate::verdict::RUNNER_LINE_BYTES;

/// How long the runner may take to read what it is told, and then the rest.
const PATIENCE: Duration = Duration::from_secs(5);
/// Zero would mean for ever.
const SHORTEST: Duration = Duration::from_millis(1);

/// What is unfinished at `unload`.
#[derive(Default)]
pub struct Legacy {
    script: PathBuf,
    args: Vec<String>,
    heritage: Heritage,
    /// Events that could not be handed over: there is no runner, or it does not listen.
    kept: Vec<Task>,
}

impl Legacy {
    pub fn is_of(&self, config: &Config) -> bool {
        self.script == config.script && self.args == config.args
    }

    /// The script is not configured any more: its runners go on alone.
    pub fn abandon(mut self) {
        let deadline = Instant::now() + PATIENCE;
        let lost: usize =
            self.heritage.connections.iter_mut().map(|one| one.lost(deadline)).sum::<usize>() + self.kept.len();
        if lost > 0 {
            let text = format!("{lost} events have no runner, and the script is not configured any more");
            log(messages::EVENT_LOST, &[self.script.display().to_string(), "reload".into(), text]);
        }
    }

    /// The runner gets what was queued beside so many events that are being handled; if it takes them not, they are kept.
    fn add_queued(&mut self, queued: Vec<(Seq, Task)>, running: usize, runner: Option<&Runner>, shared: &Shared) {
        let count = queued.len();
        let handed_over = runner.map(|runner| hand_over(runner, &queued, shared, &mut self.heritage.next_rest));
        let Some(Ok(rest)) = handed_over else {
            if count > 0 {
                log(messages::KEPT, &[shared.name(), count.to_string()]);
            }
            self.kept = queued.into_iter().map(|(_, task)| task).collect();
            return;
        };
        if count + running > 0 {
            let message = if is_process_1() { messages::HANDED_OVER_IN_CONTAINER } else { messages::HANDED_OVER };
            log(message, &[shared.name(), count.to_string(), running.to_string()]);
        }
        if let Some((lane, held)) = rest {
            let rest = Connection { lane, events: queued, held: Some(held), until: None, runner: None, is_news: false };
            self.heritage.connections.push(rest);
        }
    }
}

impl Courier {
    /// Ends the handler: all that is unfinished goes on in the runner, or is kept for the next handler.
    pub(super) fn leave(self) -> Legacy {
        let queued = self.queued();
        let Config { mode, script, args, .. } = self.shared.config.clone();
        let mut legacy = Legacy { script, args, heritage: self.heritage, kept: vec![] };
        let deadline = Instant::now() + PATIENCE;
        legacy.heritage.connections.iter_mut().for_each(|one| one.tell_runner(deadline));
        let running = self.busy.values().map(|busy| busy.events.len()).sum();
        let runner = self.lanes.leave(&self.busy, deadline).map(Arc::new);
        legacy.add_queued(queued, running, runner.as_deref(), &self.shared);
        let hang_up_by = Instant::now() + PATIENCE;
        let stays = |Busy { mut lane, events, until }| {
            // There may be no next handler, for whom the runner would wait in vain. An error shows as a broken lane.
            let _ = lane.hang_up(hang_up_by);
            let until = until.filter(|_| mode != Mode::Exec);
            let runner = runner.clone().filter(|_| mode == Mode::Daemon);
            let events = events.into_iter().map(|(seq, task)| (seq, task.told())).collect();
            Connection { lane, events, held: None, until, runner, is_news: false }
        };
        legacy.heritage.connections.extend(self.busy.into_values().map(stays));
        release(&mut legacy.heritage.connections);
        legacy.heritage.hold_next_rest(runner.as_deref(), deadline);
        legacy
    }

    /// What no lane has taken.
    fn queued(&self) -> Vec<(Seq, Task)> {
        let posted = |(seq, queued)| match queued {
            Queued::Posted(task) => Some((seq, task)),
            Queued::Parked(task) => Some((seq, task.told())),
            Queued::Waiting { .. } => None,
        };
        let all = self.shared.lock().order.cancel_all();
        all.into_iter().filter_map(posted).collect()
    }

    /// Makes the events of an earlier handler ours: they come before all of our own.
    pub fn take_over(&mut self, legacy: Legacy) {
        let heritage = legacy.heritage;
        let mut events: Vec<&(Seq, Task)> = heritage.connections.iter().flat_map(|one| &one.events).collect();
        events.sort_by_key(|(seq, _)| *seq);
        if !events.is_empty() {
            log(messages::TAKEN_OVER, &[self.shared.name(), events.len().to_string()]);
        }
        let mut state = self.shared.lock();
        for (seq, task) in events {
            state.order.push_foreign(*seq, task.keys.clone());
        }
        for task in legacy.kept {
            state.post(task);
        }
        self.shared.assign(&mut state);
        drop(state);
        for connection in &heritage.connections {
            // It fails for want of memory alone: then the end of the connection's events goes unnoticed.
            let _ = connection.lane.watch_as(&self.shared.watch, HERITAGE);
        }
        self.heritage = heritage;
        // What has come before we watched.
        self.heritage.advance(&self.shared);
    }
}

/// Writes the queued events to the runner. It will not begin, and if the end is missing never will, before the second
/// of the two returned is shut down.
fn hand_over(
    runner: &Runner,
    queued: &[(Seq, Task)],
    shared: &Shared,
    next_rest: &mut Option<(UnixStream, UnixStream)>,
) -> io::Result<Option<(Lane, UnixStream)>> {
    if queued.is_empty() {
        return Ok(None);
    }
    let until = Instant::now() + PATIENCE;
    let (mut stream, theirs) = next_rest.take().map_or_else(UnixStream::pair, Ok)?;
    let answers = runner.give_rest(theirs, until)?;
    let mut line = String::new();
    for (seq, task) in queued {
        stream.set_write_timeout(Some(until.saturating_duration_since(Instant::now()).max(SHORTEST)))?;
        let deadline = Instant::now() + task.timeout;
        line.clear();
        task.line(*seq, task.deaths + 1, &shared.config, &shared.server, deadline, &mut line);
        stream.write_all(line.as_bytes())?;
    }
    stream.write_all(event::line(&End { end: queued.len() })?.as_bytes())?;
    Ok(Some((Lane::new(0, answers).up_to(RUNNER_LINE_BYTES), stream)))
}
