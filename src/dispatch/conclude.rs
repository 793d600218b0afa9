//! What an answer means: for Kea, for the log, for the counters.

use serde_json::Value;

use super::shared::Shared;
use super::state::Parked;
use super::{Counters, Task};
use crate::answers::{self, Refused, changes, keep, row_of};
use crate::bridge::ffi::{Change, Severity, Step, Verdict};
use crate::guard::guarded;
use crate::hook_points::HOOK_POINTS;
use crate::lane::Lane;
use crate::log::{log, log_repeating, log_repeating_at, log_repeating_times, shows_debug};
use crate::messages;
use crate::text::unreadable;
use crate::verdict::{Answer, Failure, FailureKind, Level, LogLine, Next, Wishes};

impl Shared {
    /// An event is over: says and counts what its answer means, lets the spool forget it, has a parked packet go on, and frees
    /// its lane and, last of all, its turn.
    pub fn finish(&self, task: &Task, answer: Result<Answer, Failure>, lane: Option<Lane>) -> Verdict {
        let mut verdict = Verdict::of(Step::Continue);
        // What Kea has given up was concluded then: the answer is only late.
        if !task.is_abandoned {
            verdict = guarded("answer", Verdict::of(self.on_failure(task)), || self.conclude(task, answer));
        }
        self.finish_in_spool(task);
        if task.parked_until.is_some() {
            self.resume(task, std::mem::replace(&mut verdict, Verdict::of(Step::Continue)));
        }
        self.free(task.turn, lane);
        verdict
    }

    /// The time of an event is over, and its lane is not free yet: concludes it, and has a parked packet go on.
    pub fn give_up_waiting(&self, task: &Task, failure: Failure) {
        let verdict = guarded("answer", Verdict::of(self.on_failure(task)), || self.conclude(task, Err(failure)));
        self.resume(task, verdict);
    }

    fn resume(&self, task: &Task, verdict: Verdict) {
        let parked = task.parked_until.and_then(|_| self.lock().parked.remove(&task.turn));
        if let Some(Parked { then, .. }) = parked {
            then(verdict);
        }
    }

    /// Reads the answer to an event, which must repeat its number, and passes its log lines on.
    pub fn read(&self, task: &Task, line: &[u8]) -> Result<Answer, Failure> {
        let bad = |text: String| Failure::new(FailureKind::Answer, text);
        // Whatever goes wrong with an answer, the turn ends: others wait for it.
        guarded("answer", Err(bad("a defect of this library".into())), || {
            let answer: Answer = serde_json::from_slice(line).map_err(|error| {
                bad(format!("bad answer: {}", unreadable(&error, line, self.config.mode.only_answers())))
            })?;
            if answer.seq != task.seq {
                return Err(bad(format!("it answers event {} instead of {}", answer.seq, task.seq)));
            }
            if task.wait && answer.again.is_some() {
                return Err(bad(
                    "\"again\" where Kea waits: only an event that it does not wait for can be tried later".into(),
                ));
            }
            answer.log.iter().for_each(|line| self.pass_on(task.point, line));
            Ok(answer)
        })
    }

    /// What Kea shall do after this answer.
    pub fn conclude(&self, task: &Task, answer: Result<Answer, Failure>) -> Verdict {
        if task.wait && shows_debug() {
            self.show_verdict(task, &answer);
        }
        let failure = match answer {
            Ok(Answer { failure: None, next, wishes, .. }) => {
                self.counters.answered(task.since.elapsed());
                return self.verdict(task, next.unwrap_or_default(), wishes);
            }
            Ok(Answer { failure: Some(failure), .. }) | Err(failure) => failure,
        };
        let step = self.on_failure(task);
        self.failed(task, &failure, step);
        if task.wait && task.row().is_of_leases() && failure.kind.is_untold() {
            // What has become of a lease is not asked once more.
            self.tell(task.clone().told());
        }
        Verdict::of(step)
    }

    /// Says what has been said of an event, for who looks for it.
    fn show_verdict(&self, task: &Task, answer: &Result<Answer, Failure>) {
        let said = match answer {
            Ok(Answer { failure: Some(failure), .. }) | Err(failure) => format!("no verdict: {}", failure.text),
            Ok(Answer { next, wishes, .. }) if wishes.0.is_empty() => next.unwrap_or_default().name().into(),
            Ok(Answer { next, wishes, .. }) => {
                let keys = serde_json::to_string(wishes).unwrap_or_default();
                format!("{} {keys}", next.unwrap_or_default().name())
            }
        };
        log(messages::VERDICT, &[self.name(), task.row().name.into(), task.subjects(), said]);
    }

    fn on_failure(&self, task: &Task) -> Step {
        if task.wait { task.row().step(self.config.on_failure) } else { Step::Continue }
    }

    /// What Kea can do of what a script wants; the rest is refused.
    fn verdict(&self, task: &Task, next: Next, mut wishes: Wishes) -> Verdict {
        if !task.answers(&self.config) {
            if next != Next::Continue || !wishes.0.is_empty() {
                self.refuse(task.point, &unasked(task, next, &wishes));
            }
            return Verdict::of(Step::Continue);
        }
        let keep_for = keep::take(&mut wishes);
        let (mut verdict, is_good) = self.possible(task, next, wishes);
        if let Some(time) = keep_for {
            self.keep_answer(task, &time, &mut verdict, is_good);
        }
        verdict
    }

    /// The same where it is asked for; and whether that is all.
    fn possible(&self, task: &Task, next: Next, wishes: Wishes) -> (Verdict, bool) {
        let row = task.row();
        let step = row.step(next);
        let has_effect = next == Next::Continue || step != Step::Continue;
        if !has_effect {
            let said = format!("\"next\": \"{}\"", next.name());
            let reason = "has no effect at this hook point: Kea goes on".into();
            self.refuse(task.point, &Refused { key: Some("next"), said, reason });
        }
        if step != Step::Continue || wishes.0.is_empty() {
            return (Verdict::of(step), has_effect);
        }
        let (changes, refused) = changes(row, wishes.0);
        refused.iter().for_each(|refused| self.refuse(task.point, refused));
        (Verdict { step, changes, ticket: 0 }, has_effect && refused.is_empty())
    }

    /// Kea refuses what we have taken.
    pub fn refuse_change(&self, point: usize, change: &Change, reason: &str) {
        if change.kept != 0 {
            self.memory.remove(change.kept);
        }
        let key = row_of(change.key).map(|row| row.name);
        let said = format!("\"{}\": {}", key.unwrap_or_default(), change.said);
        self.refuse(point, &Refused { key, said, reason: reason.into() });
    }

    /// Says of a class that Kea has no definition of it, once.
    pub fn unknown_class(&self, point: usize, name: &str) {
        if self.unknown_classes.is_news(name) {
            log(messages::CLASS_UNKNOWN, &[self.name(), HOOK_POINTS[point].name.into(), Value::from(name).to_string()]);
        }
    }

    /// Says and counts that part of an answer is not applied.
    pub fn refuse(&self, point: usize, refused: &Refused) {
        Counters::add(&self.counters.refused);
        let hook_point = HOOK_POINTS[point].name;
        // An unknown key may be another one each time.
        let kind = [hook_point, refused.key.unwrap_or("unknown key")];
        let args = [self.name(), hook_point.into(), refused.said.clone(), refused.reason.clone()];
        log_repeating(messages::ANSWER_REFUSED, &self.name(), &kind, &args);
    }

    fn pass_on(&self, point: usize, line: &LogLine) {
        let row = match line.level {
            Level::Debug | Level::Info => messages::OUTPUT,
            Level::Warn | Level::Error => messages::ERROR_OUTPUT,
        };
        let hook_point = HOOK_POINTS[point].name;
        line.write(row, &self.name(), &[hook_point], &[self.name(), hook_point.into(), line.text.clone()]);
    }

    fn failed(&self, task: &Task, failure: &Failure, step: Step) {
        Counters::add(&self.counters.failures);
        if failure.kind == FailureKind::Timeout {
            Counters::add(&self.counters.timeouts);
        }
        let kea = match step {
            _ if !task.wait => "has not waited",
            Step::Drop => "goes on with: drop",
            Step::Skip => "goes on with: skip",
            _ => "goes on with: continue",
        };
        let kind = [task.row().name, failure.kind.name()];
        let args = [self.name(), task.row().name.into(), failure.text.clone(), kea.into()];
        self.counters.note_error(&failure.text);
        log_repeating(messages::EVENT_FAILED, &self.name(), &kind, &args);
    }

    pub fn say_runner_lost(&self, reason: &str) {
        log_repeating(messages::HANDLER_LOST, &self.name(), &[], &[self.name(), reason.into()]);
    }

    /// Somebody may have told the daemon on it to end.
    pub fn say_lane_lost(&self, id: u64, reason: &str, told_to_end: bool) {
        let (severity, what): (_, &[_]) = match told_to_end {
            true => (Severity::Info, &["told to end"]),
            false => (messages::LANE_LOST.severity, &[]),
        };
        let args = [self.name(), id.to_string(), reason.into()];
        log_repeating_at(messages::LANE_LOST, severity, &self.name(), what, &args);
    }

    /// Says that so many events were dropped, the first of which was this one's number.
    pub fn say_dropped(&self, first: u64, events: u64) {
        log_repeating_times(messages::EVENT_DROPPED, &self.name(), &[self.name(), first.to_string()], events);
    }

    /// The script's path, as messages name it.
    pub fn name(&self) -> String {
        self.config.script.display().to_string()
    }
}

/// A daemon has answered where nobody asks.
fn unasked(task: &Task, next: Next, wishes: &Wishes) -> Refused {
    let keys = wishes.0.iter().map(|(key, _)| format!("\"{key}\""));
    let said = (next != Next::Continue).then(|| format!("\"next\": \"{}\"", next.name())).into_iter().chain(keys);
    let reason = match task.wait {
        true => "the parameter \"answers\" is off: set it to true, and name \"on-failure\"",
        false => "Kea does not wait here: set \"wait\" to true",
    };
    let key = match (next, wishes.0.first()) {
        (Next::Continue, Some((name, _))) => answers::keys().find(|known| known == name),
        _ => Some("next"),
    };
    Refused { key, said: said.collect::<Vec<_>>().join(", "), reason: reason.into() }
}

impl Verdict {
    fn of(step: Step) -> Verdict {
        Verdict { step, changes: vec![], ticket: 0 }
    }
}
