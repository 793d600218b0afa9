//! Who stands behind whom.

use std::collections::{HashMap, VecDeque};

use super::Seq;

/// For each key, all unfinished events that name it, the oldest first: that one holds the key.
#[derive(Default)]
pub struct Queues(HashMap<String, VecDeque<Seq>>);

impl Queues {
    /// Joins the end of a key's queue, which holds smaller numbers only; whether that is its head too.
    pub fn join(&mut self, key: &str, seq: Seq) -> bool {
        let queue = self.0.entry(key.into()).or_default();
        debug_assert!(queue.back().is_none_or(|&last| last < seq));
        queue.push_back(seq);
        queue.len() == 1
    }

    /// Who stands right before `seq`.
    pub fn before(&self, key: &str, seq: Seq) -> Option<Seq> {
        let queue = self.0.get(key)?;
        let at = queue.partition_point(|&other| other < seq);
        queue.get(at.checked_sub(1)?).copied()
    }

    /// Leaves a key's queue, from wherever in it; returns the new head if it was the old one.
    pub fn leave(&mut self, key: &str, seq: Seq) -> Option<Seq> {
        let queue = self.0.get_mut(key)?;
        let at = queue.binary_search(&seq).ok()?;
        queue.remove(at);
        if queue.is_empty() {
            self.0.remove(key);
            return None;
        }
        (at == 0).then(|| queue[0])
    }

    #[cfg(test)]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
