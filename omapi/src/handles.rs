//! The handles of one connection: numbers that stand for objects. dhcpd counts them from 1; here nobody can guess them, so
//! that a recorded update or deletion means nothing on another connection.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, Hash, RandomState};

/// So many objects a connection; of those before, the first are forgotten.
const MOST: usize = 16 * 1024;
/// Rounds of the cipher below: with four it is no weaker than its function (Luby and Rackoff).
const ROUNDS: u32 = 4;

/// Objects by handle, and handles by object.
pub struct Handles<T> {
    objects: HashMap<u32, T>,
    handles: HashMap<T, u32>,
    order: VecDeque<u32>,
    given: u32,
    secret: RandomState,
}

impl<T: Clone + Eq + Hash> Handles<T> {
    pub fn new() -> Handles<T> {
        Handles {
            objects: HashMap::new(),
            handles: HashMap::new(),
            order: VecDeque::new(),
            given: 0,
            secret: RandomState::new(),
        }
    }

    /// What the handle stands for.
    pub fn get(&self, handle: u32) -> Option<&T> {
        self.objects.get(&handle)
    }

    /// The object's handle, a new one if it has none.
    pub fn of(&mut self, object: &T) -> u32 {
        if let Some(&handle) = self.handles.get(object) {
            return handle;
        }
        if self.order.len() == MOST {
            self.forget_first();
        }
        let handle = self.next();
        self.objects.insert(handle, object.clone());
        self.handles.insert(object.clone(), handle);
        self.order.push_back(handle);
        handle
    }

    /// From now on the handle stands for another object.
    pub fn change(&mut self, handle: u32, object: T) {
        if let Some(old) = self.objects.insert(handle, object.clone()) {
            self.handles.remove(&old);
            self.handles.insert(object, handle);
        }
    }

    fn forget_first(&mut self) {
        if let Some(object) = self.order.pop_front().and_then(|first| self.objects.remove(&first)) {
            self.handles.remove(&object);
        }
    }

    /// A number that this connection has not had. 0 means no object.
    fn next(&mut self) -> u32 {
        loop {
            self.given = self.given.wrapping_add(1);
            match self.permuted(self.given) {
                0 => {}
                handle => return handle,
            }
        }
    }

    /// A permutation of all numbers of 32 bits (a Feistel cipher): none comes twice.
    fn permuted(&self, number: u32) -> u32 {
        let (mut left, mut right) = (number >> 16, number & 0xffff);
        for round in 0..ROUNDS {
            let mixed = self.secret.hash_one((round, right)) as u32 & 0xffff;
            (left, right) = (right, left ^ mixed);
        }
        left << 16 | right
    }
}

impl<T: Clone + Eq + Hash> Default for Handles<T> {
    fn default() -> Handles<T> {
        Handles::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_handle_comes_twice_and_the_first_are_forgotten() {
        let mut handles = Handles::new();
        let first = handles.of(&0);
        let all: HashSet<u32> = (0..100_000).map(|object| handles.of(&object)).collect();
        assert_eq!(all.len(), 100_000);
        assert!(!all.contains(&0) && handles.objects.len() == MOST && handles.handles.len() == MOST);
        assert_eq!(handles.get(first), None);
        let last = handles.of(&99_999);
        assert_eq!(handles.of(&99_999), last);
        assert_eq!(handles.get(last), Some(&99_999));
    }

    #[test]
    fn handles_of_two_connections_have_nothing_in_common() {
        let [mut one, mut other] = [Handles::new(), Handles::new()];
        let same = (0..1000).filter(|object| one.of(object) == other.of(object)).count();
        assert_eq!(same, 0);
    }

    #[test]
    fn a_handle_may_come_to_stand_for_another_object() {
        let mut handles = Handles::new();
        let handle = handles.of(&"new");
        handles.change(handle, "made");
        assert_eq!(handles.of(&"made"), handle);
        assert_eq!(handles.get(handle), Some(&"made"));
        assert_ne!(handles.of(&"new"), handle);
    }
}
