//! Events that get another try: their lane has broken, or their handler has asked for it.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Counters;
use super::reading::READ_AGAIN;
use super::shared::Shared;
use super::state::Queued;
use super::task::Task;
use super::worker::Worker;
use crate::config::Mode;
use crate::lane::Failed;
use crate::log::log_repeating;
use crate::messages;
use crate::spool::{State, is_passing};
use crate::verdict::{Answer, Failure, FailureKind};

/// An event whose handling has killed the handler this often is given up.
pub const ATTEMPTS: u32 = 3;

/// The first and the longest pause before an event is tried again.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

impl Worker {
    /// The next lanes get these events, over each of which so many handlers may have died.
    pub fn go_again(&mut self, events: impl IntoIterator<Item = Box<Task>>, deaths: u32) {
        for mut task in events {
            (task.deaths, task.tries) = (task.deaths + deaths, task.tries + deaths);
            self.give_back(task);
        }
    }

    /// How many handlers may have died over an event whose lane has broken so, one or none. Those that have been put off over
    /// earlier deaths are not to blame for this one, and maybe for none; but if this one has died before, it may be alike.
    pub fn deaths(&mut self, failed: &Failed, mode: Mode, is_first: bool) -> u32 {
        let count = deaths(failed, mode);
        if count > 0 && is_first {
            self.put_off.values_mut().for_each(Queued::is_cleared);
        }
        count
    }

    /// The handler has died with an event that no thread of Kea's waits for: the next one gets it, in the same turn.
    fn give_back(&mut self, task: Box<Task>) {
        let shared = &self.shared;
        // A runner marks an event before it answers.
        if task.is_abandoned || shared.is_over_in_spool(&task) {
            shared.finish_in_spool(&task);
            return shared.free(task.turn, None);
        }
        if task.deaths >= ATTEMPTS {
            return self.give_up(task);
        }
        let pause = if task.deaths > 1 { pause(task.deaths - 1) } else { Duration::ZERO };
        match pause.is_zero() || task.parked_until.is_some() {
            true => shared.give_back(task.turn, queued(task)),
            false => self.put_off(task, pause),
        }
    }

    /// Too many handlers have died over an event.
    fn give_up(&mut self, task: Box<Task>) {
        let (shared, failure) = (Arc::clone(&self.shared), deadly(self.shared.config.mode));
        if task.wait {
            shared.finish(&task, Err(failure), None);
            return;
        }
        let is_kept = match shared.give_up_in_spool(&task) {
            Some(Err(error)) if is_passing(&error) => return self.put_off(task, READ_AGAIN),
            put_aside => put_aside.is_some_and(|put_aside| put_aside.is_ok()),
        };
        let (name, hook_point) = (shared.name(), task.row().name);
        shared.counters.note_error(&failure.text);
        let message = match is_kept {
            true => {
                Counters::add(&shared.counters.given_up);
                messages::GIVEN_UP
            }
            false => messages::EVENT_LOST,
        };
        Counters::add(&shared.counters.failures);
        log_repeating(message, &name, &[hook_point], &[name.clone(), hook_point.into(), failure.text]);
        shared.free(task.turn, None);
    }

    /// The handler of an event wants to have it again, after so many seconds; zero leaves that to us.
    pub fn defer(&mut self, mut task: Box<Task>, answer: &Answer) {
        let seconds = answer.again.unwrap_or_default();
        let shared = &self.shared;
        Counters::add(&shared.counters.deferred);
        task.tries += 1;
        task.deaths = 0;
        let pause = if seconds > 0.0 { Duration::from_secs_f64(seconds) } else { pause(task.tries) };
        shared.mark_in_spool(&task, State::Pending);
        let (name, hook_point) = (shared.name(), task.row().name);
        let args =
            [name.clone(), hook_point.into(), format!("{:.1}", pause.as_secs_f64()), (task.tries + 1).to_string()];
        log_repeating(messages::DEFERRED, &name, &[hook_point], &args);
        self.put_off(task, pause);
    }

    /// What shares a key with an event that is put off waits for it; no lane does.
    pub fn put_off(&mut self, task: Box<Task>, pause: Duration) {
        let (turn, queued) = (task.turn, queued(task));
        {
            let mut state = self.shared.lock();
            state.put_off += 1;
            state.in_memory += usize::from(queued.is_in_memory());
        }
        self.put_off.insert((Instant::now() + pause, turn), queued);
    }

    /// Drops events in memory beyond `queue-limit`: where nothing queued could make room, what has been put off does. Whether
    /// the log has to be told of any.
    pub fn make_room(&mut self) -> bool {
        let shared = Arc::clone(&self.shared);
        let mut state = shared.lock();
        shared.make_room(&mut state);
        let too_many = state.in_memory.saturating_sub(shared.limit(&state));
        let in_memory = self.put_off.iter().filter(|(_, queued)| queued.is_in_memory()).map(|(at, _)| *at);
        let over: Vec<_> = in_memory.take(too_many).collect();
        state.put_off -= over.len();
        state.in_memory -= over.len();
        state.dropped += over.len() as u64;
        let is_to_tell = state.dropped > 0;
        drop(state);
        for at in over {
            self.put_off.remove(&at);
            Counters::add(&shared.counters.dropped);
            shared.free(at.1, None);
        }
        is_to_tell
    }

    /// Gives back what has been put off until now.
    pub fn look_at_what_is_put_off(&mut self) {
        let now = Instant::now();
        while self.put_off.first_key_value().is_some_and(|((due, _), _)| *due <= now) {
            if let Some(((_, turn), queued)) = self.put_off.pop_first() {
                {
                    let mut state = self.shared.lock();
                    state.put_off -= 1;
                    state.in_memory -= usize::from(queued.is_in_memory());
                }
                self.shared.give_back(turn, queued);
            }
        }
    }
}

/// Doubled from try to try.
fn pause(tries: u32) -> Duration {
    PAUSES.0.saturating_mul(1 << tries.saturating_sub(1).min(6)).min(PAUSES.1)
}

fn queued(task: Box<Task>) -> Queued {
    task.spooled().map_or_else(|| Queued::Here(task), Queued::Spooled)
}

impl Queued {
    /// A handler has died without this event.
    fn is_cleared(&mut self) {
        match self {
            Queued::Waiting { .. } => {}
            Queued::Here(task) => task.deaths = task.deaths.min(1),
            Queued::Spooled(spooled) => spooled.deaths = spooled.deaths.min(1),
        }
    }
}

impl Shared {
    /// Gives an event back that has not been sent.
    pub fn take_back(&self, task: Box<Task>) {
        self.give_back(task.turn, queued(task));
    }
}

impl Task {
    /// Whether another lane shall have it after this failure. What Kea waits for fails at once with the daemon that has
    /// it; the runner is ours, and has only died beside its script.
    pub fn goes_again(&self, failed: &Failed, mode: Mode) -> bool {
        match failed {
            Failed::Gone { unread, .. } => *unread || !self.wait || mode == Mode::Exec,
            Failed::TimedOut | Failed::TooLong(_) => false,
        }
    }
}

/// How many handlers may have died over an event whose lane has broken so: one or none. One that has read a part of the
/// line leaves as much unread as one that has not looked at it, but for the runner, which has died beside it then.
pub fn deaths(failed: &Failed, mode: Mode) -> u32 {
    u32::from(match failed {
        Failed::Gone { unread, .. } if mode == Mode::Exec => !unread,
        Failed::Gone { error, .. } => error.kind() != io::ErrorKind::BrokenPipe,
        Failed::TimedOut | Failed::TooLong(_) => false,
    })
}

/// What becomes of an event whose lane has broken so.
pub fn broken(failed: &Failed) -> Failure {
    match failed {
        Failed::TooLong(_) => Failure::new(FailureKind::Answer, failed.to_string()),
        _ => Failure::new(FailureKind::Gone, format!("no answer: {failed}")),
    }
}

/// Too many handlers have died over an event.
pub fn deadly(mode: Mode) -> Failure {
    let what = match mode {
        Mode::Exec => "the runner died",
        Mode::Daemon => "the daemon died",
        Mode::Socket => "the server hung up",
    };
    Failure::new(FailureKind::Gone, format!("{what} {ATTEMPTS} times over this event"))
}
