//! What several scripts' verdicts on one event come to.

use crate::bridge::ffi::{Change, Step, Verdict};

pub const GO_ON: Verdict = Verdict { step: Step::Continue, changes: Vec::new(), ticket: 0 };

/// The severest step counts; changes are made in the scripts' order, whoever answered first.
#[derive(Debug)]
pub struct Merged {
    step: Step,
    changes: Vec<Change>,
}

impl Default for Merged {
    fn default() -> Self {
        Merged { step: Step::Continue, changes: Vec::new() }
    }
}

impl Merged {
    pub fn add(&mut self, script: usize, verdict: Verdict) {
        self.step = self.step.max(verdict.step);
        let its_own = |change| Change { script: script as u32, ..change };
        self.changes.extend(verdict.changes.into_iter().map(its_own));
    }

    pub fn step(&self) -> Step {
        self.step
    }

    /// Changes only if all let Kea go on.
    pub fn verdict(mut self, ticket: u64) -> Verdict {
        if self.step != Step::Continue {
            self.changes.clear();
        }
        self.changes.sort_by_key(|change| change.script);
        Verdict { step: self.step, changes: self.changes, ticket }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bridge::ffi::Key;

    fn says(step: Step, said: &[&str]) -> Verdict {
        let change = |said: &&str| Change {
            key: Key::ClientClasses,
            number: 0,
            data: Vec::new(),
            script: 0,
            said: said.to_string(),
            when_sent: false,
            kept: 0,
        };
        Verdict { step, changes: said.iter().map(change).collect(), ticket: 0 }
    }

    fn merged(verdicts: Vec<(usize, Verdict)>) -> (Step, Vec<String>) {
        let mut all = Merged::default();
        verdicts.into_iter().for_each(|(script, verdict)| all.add(script, verdict));
        let verdict = all.verdict(7);
        assert_eq!(verdict.ticket, 7);
        (verdict.step, verdict.changes.into_iter().map(|change| change.said).collect())
    }

    #[test]
    fn changes_stand_in_the_order_of_the_scripts() {
        let verdicts = vec![(2, says(Step::Continue, &["c", "d"])), (0, says(Step::Continue, &["a", "b"]))];
        assert_eq!(merged(verdicts), (Step::Continue, ["a", "b", "c", "d"].map(String::from).to_vec()));
    }

    #[test]
    fn the_severest_step_counts() {
        for verdicts in [
            vec![(0, says(Step::Drop, &[])), (1, says(Step::Continue, &["a"])), (2, says(Step::Skip, &[]))],
            vec![(1, says(Step::Continue, &["a"])), (0, says(Step::Drop, &[]))],
        ] {
            assert_eq!(merged(verdicts), (Step::Drop, vec![]));
        }
    }
}
