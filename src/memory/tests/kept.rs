//! What a memory keeps, and for how long.

use std::time::Duration;

use super::*;
use crate::bridge::ffi::{Change, Step};

const MINUTE: Duration = Duration::from_secs(60);

fn says(step: Step) -> Verdict {
    let change = Change {
        key: ffi::Key::ClientClasses,
        number: 0,
        data: b"known".to_vec(),
        script: 0,
        said: String::new(),
        when_sent: false,
        kept: 0,
    };
    Verdict { step, changes: vec![change], ticket: 0 }
}

fn number(n: u32) -> Key {
    Query { giaddr: n, ..query() }.key()
}

fn keep(memory: &Memory, n: u32, time: Duration) {
    memory.keep(number(n), &mut says(Step::Continue), time, memory.age());
}

fn knows(memory: &Memory, n: u32) -> bool {
    memory.recall(&number(n)).is_some()
}

#[test]
fn an_answer_holds_for_its_time() {
    let memory = Memory::new(10);
    assert!(!memory.is_used() && !knows(&memory, 1));
    keep(&memory, 1, MINUTE);
    keep(&memory, 2, Duration::ZERO);
    assert!(memory.is_used() && knows(&memory, 1) && !knows(&memory, 2) && !knows(&memory, 3));
    assert_eq!(memory.len(), 1);
}

#[test]
fn what_kea_refuses_goes() {
    let memory = Memory::new(10);
    keep(&memory, 1, MINUTE);
    keep(&memory, 2, MINUTE);
    let kept = memory.recall(&number(1)).unwrap().changes[0].kept;
    memory.remove(kept);
    assert!(!knows(&memory, 1) && knows(&memory, 2));
    // The first time, too.
    let mut said = says(Step::Continue);
    memory.keep(number(1), &mut said, MINUTE, memory.age());
    assert_eq!((said.changes[0].kept, kept), (number(1).hash(), number(1).hash()));
}

#[test]
fn what_was_asked_before_is_not_kept_afterwards() {
    let (memory, another) = (Memory::new(10), Memory::new(10));
    let asked = memory.age();
    assert_eq!(memory.forget(None), 0);
    memory.keep(number(1), &mut says(Step::Drop), MINUTE, asked);
    assert!(!knows(&memory, 1));
    memory.keep(number(1), &mut says(Step::Drop), MINUTE, another.age());
    assert!(!knows(&memory, 1));
    memory.keep(number(1), &mut says(Step::Drop), MINUTE, memory.age());
    assert!(knows(&memory, 1));
}

#[test]
fn one_client_is_forgotten_or_all() {
    let memory = Memory::new(10);
    let mine = [Client::HwAddress(vec![2, 0, 0, 0, 0, 1]), Client::Id(vec![1, 2])];
    for client in mine {
        (1..=3).for_each(|n| keep(&memory, n, MINUTE));
        keep(&memory, 4, Duration::ZERO);
        memory.keep(Query { hwaddr: &[9], ..with(61, None) }.key(), &mut says(Step::Drop), MINUTE, memory.age());
        assert_eq!(memory.forget(Some(&Client::Id(vec![1]))), 0);
        assert_eq!(memory.forget(Some(&Client::HwAddress(vec![1, 2]))), 0);
        assert_eq!(memory.forget(Some(&client)), 3);
        assert_eq!(memory.forget(None), 1);
        assert_eq!(memory.len(), 0);
    }
}

#[test]
fn a_flood_costs_nobody_who_came_back() {
    const LIMIT: u32 = 1000;
    let memory = Memory::new(LIMIT as usize);
    let known = 0..LIMIT / 2;
    // Others were there before them.
    (LIMIT..3 * LIMIT).for_each(|n| keep(&memory, n, MINUTE));
    known.clone().for_each(|n| {
        keep(&memory, n, MINUTE);
        assert!(knows(&memory, n));
    });
    (3 * LIMIT..100 * LIMIT).for_each(|n| keep(&memory, n, MINUTE));
    let left = known.clone().filter(|n| knows(&memory, *n)).count();
    assert_eq!(left, known.len());
    assert_eq!(memory.len(), LIMIT as usize);
}
