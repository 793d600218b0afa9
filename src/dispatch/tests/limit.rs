//! `queue-limit`: what is dropped when events come faster than they are handled.

use super::*;

fn dropped(bench: &Bench) -> u64 {
    bench.script().counters().dropped.load(Ordering::Relaxed)
}

#[test]
fn the_oldest_are_dropped() {
    let mut bench = Bench::with(&[TOLD], 1, json!({"queue-limit": 3}));
    let held = bench.hold("h");
    bench.post_all(["a", "b", "c", "d", "e"]);
    assert_eq!(dropped(&bench), 2);
    assert_eq!(bench.script().pending(), 1 + 3);
    bench.until(|bench| !bench.said(messages::EVENT_DROPPED).is_empty());
    bench.fake.answer(&held);
    assert_eq!(bench.one_by_one(3), ["c", "d", "e"].map(|client| format!("{client} {TOLD}")));
    bench.ends_with(0, 0, false);
}

#[test]
fn nothing_is_dropped_while_lanes_are_idle() {
    let mut bench = Bench::with(&[TOLD], 2, json!({"queue-limit": 1}));
    bench.post_all(["a", "b"]);
    bench.fake.lines(2);
    bench.post("c");
    assert_eq!(dropped(&bench), 0);
    bench.post("d");
    assert_eq!(dropped(&bench), 1);
}

#[test]
fn what_kea_waits_for_neither_counts_nor_is_dropped() {
    let mut bench = Bench::with(&[WAIT, PARK, TOLD], 1, json!({"queue-limit": 1}));
    let held = bench.hold("h");
    let asked: Vec<_> =
        ["a", "b"].into_iter().zip(1..).map(|(client, before)| bench.ask_behind(before, client)).collect();
    let parked = bench.park("c");
    bench.post("d");
    assert_eq!(dropped(&bench), 0);
    bench.post("e");
    assert_eq!(dropped(&bench), 1);
    bench.fake.answer(&held);
    let order = [("a", WAIT), ("b", WAIT), ("c", PARK), ("e", TOLD)];
    assert_eq!(bench.one_by_one(4), order.map(|(client, point)| format!("{client} {point}")));
    go_on(asked.into_iter().chain([parked]));
    bench.ends_with(0, 0, false);
}

#[test]
fn what_a_thread_has_to_wait_for_is_not_dropped() {
    let mut bench = Bench::with(&[WAIT, TOLD], 2, json!({"queue-limit": 2}));
    let held = bench.hold("h");
    let first = bench.ask("i");
    let line = bench.fake.line();
    bench.post("a");
    let asked = bench.ask_behind(3, "a");
    bench.post_all(["b", "c"]);
    assert_eq!(dropped(&bench), 1);
    bench.fake.answer_all([&held, &line]);
    let order = [("a", TOLD), ("a", WAIT), ("c", TOLD)];
    assert_eq!(bench.one_by_one(3), order.map(|(client, point)| format!("{client} {point}")));
    go_on([first, asked]);
    bench.ends_with(0, 0, false);
}

#[test]
fn what_was_behind_one_that_is_dropped_has_its_turn() {
    let mut bench = Bench::with(&[TOLD], 2, json!({"queue-limit": 2}));
    let (held, other) = (bench.hold("h"), bench.hold("i"));
    bench.post_all(["a", "a", "b"]);
    assert_eq!(dropped(&bench), 1);
    bench.fake.answer_all([&held, &other]);
    assert_eq!(bench.fake.lines(2).iter().map(Line::who).collect::<String>(), "ab");
}

#[test]
fn what_is_put_off_in_memory_counts_too() {
    let mut bench = Bench::with(&[TOLD], 2, json!({"queue-limit": 2}));
    for client in ["a", "b", "c", "d"] {
        let line = bench.hold(client);
        bench.fake.answer_with(&line, json!({"again": 3600}));
    }
    bench.until(|bench| dropped(bench) == 2);
    assert_eq!(bench.script().pending(), 2);
    let left = bench.stop().unwrap();
    assert_eq!(bench.said(messages::LEFT), ["2 2 0"]);
    left.abandon();
    assert!(bench.said(messages::EVENT_LOST)[0].contains("2 events"));
}
