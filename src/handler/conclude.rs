//! What an answer means: for Kea, for the log, for the counters.

use std::sync::atomic::Ordering;

use super::shared::Shared;
use super::{Counters, Task};
use crate::bridge::ffi::Step;
use crate::guard::guarded;
use crate::hook_points::HOOK_POINTS;
use crate::lane::Lane;
use crate::log::{log, log_repeating};
use crate::messages;
use crate::order::Seq;
use crate::verdict::{Answer, Failure, FailureKind, Level, LogLine, Next};

impl Shared {
    /// The end of an event that Kea does not wait for, or no longer does.
    pub fn settle(&self, seq: Seq, task: &Task, answer: Vec<u8>, lane: Option<Lane>) {
        // Whatever goes wrong with an answer, the turn ends: others wait for it.
        guarded("answer", (), || match task.is_abandoned {
            // Concluded when Kea gave up: it is only late.
            true => drop(self.read(task.point, &answer)),
            false => drop(self.conclude(task, Ok(answer))),
        });
        self.done(seq, lane);
    }

    /// What Kea shall do after this answer.
    pub fn conclude(&self, task: &Task, answer: Result<Vec<u8>, Failure>) -> Step {
        let failure = match answer.map(|line| self.read(task.point, &line)) {
            Ok((Some(next), None)) => return task.row().step(next),
            Ok((_, Some(failure))) | Err(failure) => failure,
            Ok((None, None)) => Failure { kind: FailureKind::Signal, text: "an answer without \"next\"".into() },
        };
        let step = if task.wait { task.row().step(self.config.on_failure) } else { Step::Continue };
        self.failed(task, &failure, step);
        step
    }

    /// Reads an answer, and passes its log lines on.
    fn read(&self, point: usize, line: &[u8]) -> (Option<Next>, Option<Failure>) {
        match serde_json::from_slice::<Answer>(line) {
            Ok(answer) => {
                answer.log.iter().for_each(|line| self.pass_on(point, line));
                (answer.next, answer.failure)
            }
            Err(error) => (None, Some(Failure { kind: FailureKind::Signal, text: format!("bad answer: {error}") })),
        }
    }

    fn pass_on(&self, point: usize, line: &LogLine) {
        let row = match line.level {
            Level::Debug | Level::Info => messages::OUTPUT,
            Level::Warn | Level::Error => messages::ERROR_OUTPUT,
        };
        log(row, &[self.name(), HOOK_POINTS[point].name.into(), line.text.clone()]);
    }

    fn failed(&self, task: &Task, failure: &Failure, step: Step) {
        Counters::add(&self.counters.failures);
        if failure.kind == FailureKind::Timeout {
            Counters::add(&self.counters.timeouts);
        }
        let goes_on = match step {
            _ if !task.wait => "has not waited",
            Step::Drop => "drop",
            Step::Skip => "skip",
            _ => "continue",
        };
        let kind = format!("{}, {}, {:?}", self.name(), task.row().name, failure.kind);
        let args = [self.name(), task.row().name.into(), failure.text.clone(), goes_on.into()];
        log_repeating(messages::EVENT_FAILED, &kind, &args);
    }

    pub fn dropped(&self) {
        Counters::add(&self.counters.dropped);
        let args = [self.name(), self.counters.dropped.load(Ordering::Relaxed).to_string()];
        log_repeating(messages::EVENT_DROPPED, &self.name(), &args);
    }

    /// The script's path, as messages name it.
    pub fn name(&self) -> String {
        self.config.script.display().to_string()
    }
}
