//! What an answer means: for Kea, for the log, for the counters.

use std::sync::atomic::Ordering;

use super::shared::Shared;
use super::{Counters, Task};
use crate::answers::{Refused, changes, row_of};
use crate::bridge::ffi::{Change, Step, Verdict};
use crate::guard::guarded;
use crate::hook_points::HOOK_POINTS;
use crate::lane::Lane;
use crate::log::{log, log_repeating};
use crate::messages;
use crate::order::Seq;
use crate::text::printable;
use crate::verdict::{Answer, Failure, FailureKind, Level, LogLine, Next, Wishes};

/// Bytes of a refused value that the log shows.
const SHOWN: usize = 300;

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
    pub fn conclude(&self, task: &Task, answer: Result<Vec<u8>, Failure>) -> Verdict {
        let failure = match answer.and_then(|line| self.read(task.point, &line)) {
            Ok(Answer { next: Some(next), failure: None, wishes, .. }) => return self.verdict(task, next, wishes),
            Ok(Answer { failure: Some(failure), .. }) | Err(failure) => failure,
            Ok(_) => Failure::new(FailureKind::Answer, "an answer without \"next\""),
        };
        let step = if task.wait { task.row().step(self.config.on_failure) } else { Step::Continue };
        self.failed(task, &failure, step);
        Verdict { step, changes: vec![] }
    }

    /// Reads an answer, and passes its log lines on.
    fn read(&self, point: usize, line: &[u8]) -> Result<Answer, Failure> {
        let answer: Answer = serde_json::from_slice(line)
            .map_err(|error| Failure::new(FailureKind::Answer, format!("bad answer: {error}")))?;
        answer.log.iter().for_each(|line| self.pass_on(point, line));
        Ok(answer)
    }

    /// What Kea can do of what a script wants; the rest is refused.
    fn verdict(&self, task: &Task, next: Next, wishes: Wishes) -> Verdict {
        let row = task.row();
        let step = row.step(next);
        if !task.answers(&self.config) {
            return Verdict { step, changes: vec![] };
        }
        if next != Next::Continue && step == Step::Continue {
            let said = format!("\"next\": \"{}\"", next.name());
            let reason = "has no effect at this hook point: Kea goes on".into();
            self.refuse(task.point, &Refused { key: Some("next"), said, reason });
        }
        if step != Step::Continue || wishes.0.is_empty() {
            return Verdict { step, changes: vec![] };
        }
        let (changes, refused) = changes(row, wishes.0);
        refused.iter().for_each(|refused| self.refuse(task.point, refused));
        Verdict { step, changes }
    }

    /// Kea refuses what we have taken.
    pub fn refuse_change(&self, point: usize, change: &Change, reason: &str) {
        let key = row_of(change.key).map(|row| row.name);
        let said = format!("\"{}\": {}", key.unwrap_or_default(), change.said);
        self.refuse(point, &Refused { key, said, reason: reason.into() });
    }

    /// Says and counts that part of an answer is not applied.
    fn refuse(&self, point: usize, refused: &Refused) {
        Counters::add(&self.counters.refused);
        let hook_point = HOOK_POINTS[point].name;
        // An unknown key may be another one each time.
        let kind = format!("{}, {hook_point}, {}", self.name(), refused.key.unwrap_or("unknown key"));
        let args = [self.name(), hook_point.into(), shown(&refused.said), shown(&refused.reason)];
        log_repeating(messages::ANSWER_REFUSED, &kind, &args);
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

/// For a line of the log: short, and nothing in it that a terminal would obey.
fn shown(text: &str) -> String {
    let mut shown = String::new();
    let end = (0..=SHOWN.min(text.len())).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
    printable(&text.as_bytes()[..end], &mut shown);
    if end < text.len() {
        shown.push_str("...");
    }
    shown
}
