//! Who stands behind whom.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

use super::Seq;

/// For each key, all unfinished events that name it, the oldest first: that one holds the key.
pub struct Queues<K>(HashMap<K, VecDeque<Seq>>);

impl<K> Default for Queues<K> {
    fn default() -> Self {
        Queues(HashMap::new())
    }
}

impl<K: Hash + Eq + Clone> Queues<K> {
    /// Joins the end of a key's queue, which holds smaller numbers only; whether that is its head too.
    pub fn join(&mut self, key: &K, seq: Seq) -> bool {
        let queue = self.0.entry(key.clone()).or_default();
        debug_assert!(queue.back().is_none_or(|&last| last < seq));
        queue.push_back(seq);
        queue.len() == 1
    }

    /// Who stands right before `seq`.
    pub fn before(&self, key: &K, seq: Seq) -> Option<Seq> {
        let queue = self.0.get(key)?;
        let at = queue.partition_point(|&other| other < seq);
        queue.get(at.checked_sub(1)?).copied()
    }

    /// Who stands right behind `seq`.
    pub fn after(&self, key: &K, seq: Seq) -> Option<Seq> {
        let queue = self.0.get(key)?;
        let at = queue.partition_point(|&other| other <= seq);
        queue.get(at).copied()
    }

    /// Leaves a key's queue, from wherever in it; returns the new head if it was the old one.
    pub fn leave(&mut self, key: &K, seq: Seq) -> Option<Seq> {
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
