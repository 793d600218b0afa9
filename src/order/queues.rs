//! Who stands behind whom.

use std::collections::VecDeque;
use std::hash::Hash;

use foldhash::{HashMap, HashMapExt};

use super::Turn;

/// For each key, all unfinished events that name it, the oldest first: that one holds the key.
pub struct Queues<K>(HashMap<K, VecDeque<Turn>>);

impl<K> Default for Queues<K> {
    fn default() -> Self {
        Queues(HashMap::new())
    }
}

impl<K: Hash + Eq + Clone> Queues<K> {
    /// Joins the end of a key's queue, which holds smaller numbers only; whether that is its head too.
    pub fn join(&mut self, key: &K, turn: Turn) -> bool {
        let queue = self.0.entry(key.clone()).or_default();
        debug_assert!(queue.back().is_none_or(|&last| last < turn));
        queue.push_back(turn);
        queue.len() == 1
    }

    /// Who stands right before `turn`.
    pub fn before(&self, key: &K, turn: Turn) -> Option<Turn> {
        let queue = self.0.get(key)?;
        let at = queue.partition_point(|&other| other < turn);
        queue.get(at.checked_sub(1)?).copied()
    }

    /// Who stands right behind `turn`.
    pub fn after(&self, key: &K, turn: Turn) -> Option<Turn> {
        let queue = self.0.get(key)?;
        let at = queue.partition_point(|&other| other <= turn);
        queue.get(at).copied()
    }

    /// Leaves a key's queue, from wherever in it; returns the new head if it was the old one.
    pub fn leave(&mut self, key: &K, turn: Turn) -> Option<Turn> {
        let queue = self.0.get_mut(key)?;
        let at = queue.binary_search(&turn).ok()?;
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
