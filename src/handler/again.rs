//! Events whose lane has broken: whether another lane gets them, and how often.

use std::io;

use super::Counters;
use super::shared::{Queued, Shared};
use super::task::Task;
use crate::config::Mode;
use crate::lane::Failed;
use crate::log::log_repeating;
use crate::messages;
use crate::order::Seq;
use crate::verdict::{Failure, FailureKind};

/// An event whose handling has killed the handler this often is given up.
pub const ATTEMPTS: u32 = 3;

impl Shared {
    /// The next lanes get these events, over each of which so many handlers may have died.
    pub fn go_again(&self, events: impl IntoIterator<Item = (Seq, Task)>, deaths: u32) {
        for (seq, mut task) in events {
            task.deaths += deaths;
            self.give_back(seq, task);
        }
    }

    /// The handler has died over an event that no thread of Kea's waits for: the next one gets it, in the same turn.
    fn give_back(&self, seq: Seq, task: Task) {
        if task.is_abandoned {
            return self.done(seq, None);
        }
        if task.deaths >= ATTEMPTS {
            let failure = deadly(self.config.mode);
            if task.wait {
                return self.fail(seq, &task, failure);
            }
            Counters::add(&self.counters.failures);
            let (name, hook_point) = (self.name(), task.row().name);
            self.counters.note_error(&failure.text);
            log_repeating(messages::EVENT_LOST, &name, &[hook_point], &[name.clone(), hook_point.into(), failure.text]);
            return self.done(seq, None);
        }
        let mut state = self.lock();
        match task.parked_until {
            Some(_) => state.order.give_back(seq, Queued::Parked(task)),
            None => {
                state.order.give_back(seq, Queued::Posted(task));
                state.pending += 1;
            }
        }
        self.assign(&mut state);
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
