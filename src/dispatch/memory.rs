//! What a script has said is kept, and given again.

use serde_json::Value;

use super::shared::Shared;
use super::{Counters, Script, Task};
use crate::answers::{Refused, keep, row_of};
use crate::bridge::ffi::{Change, Step, Verdict};
use crate::facts::Facts;
use crate::hook_points::HOOK_POINTS;
use crate::keys::texts;
use crate::log::{log, shows_debug};
use crate::memory::{Key, MOST_BYTES, Memory, size};
use crate::messages;

impl Script {
    pub fn memory(&self) -> &Memory {
        &self.shared.memory
    }

    /// What it has said of an event that was like this one, for which Kea would wait.
    pub fn recall(&self, point: usize, facts: &Facts) -> Option<Verdict> {
        let shared = &self.shared;
        if !shared.memory.is_used() || !HOOK_POINTS[point].keeps_answers() {
            return None;
        }
        let verdict = shared.memory.recall(&shared.memory_key(point, facts)?)?;
        Counters::add(&shared.counters.kept);
        if shows_debug() {
            let args = [shared.name(), HOOK_POINTS[point].name.into(), texts(facts).join(", "), shown(&verdict)];
            log(messages::VERDICT, &args);
        }
        Some(verdict)
    }
}

impl Shared {
    fn memory_key(&self, point: usize, facts: &Facts) -> Option<Key> {
        Key::new(point, facts, &self.config.keep.by, self.config.style())
    }

    /// Keeps what a script has said of an event, for as long as `keep_for` says, if all of it `is_good`.
    pub fn keep_answer(&self, task: &Task, keep_for: &Value, verdict: &mut Verdict, is_good: bool) {
        let refuse = |reason| {
            let said = format!("\"{}\": {keep_for}", keep::NAME);
            self.refuse(task.point, &Refused { key: Some(keep::NAME), said, reason });
        };
        let time = match keep::time(keep_for) {
            Ok(_) if !task.row().keeps_answers() => {
                return refuse("has no effect at this hook point: it has where a packet is asked about".into());
            }
            Ok(time) => time,
            Err(reason) => return refuse(reason),
        };
        if !is_good || self.memory.limit() == 0 {
            return;
        }
        let Some(key) = task.facts().and_then(|facts| self.memory_key(task.point, facts)) else { return };
        let size = size(&key, verdict);
        if size > MOST_BYTES {
            let most = format!("{MOST_BYTES} at most are kept: answer without it");
            return refuse(format!("takes {size} bytes, with what it is about; {most}"));
        }
        self.memory.keep(key.shrunk(), verdict, time, task.asked_at);
    }
}

/// An answer that is given again, for who looks for it.
fn shown(verdict: &Verdict) -> String {
    let next = match verdict.step {
        Step::Drop => "drop",
        Step::Skip => "skip",
        _ => "continue",
    };
    let named = |change: &Change| Some(format!("\"{}\": {}", row_of(change.key)?.name, change.said));
    let changes: Vec<_> = verdict.changes.iter().filter_map(named).collect();
    format!("kept, {next} {}", changes.join(", ")).trim_end().into()
}
