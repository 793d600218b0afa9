//! Whose turn it is, of events that Kea waits for and others.

use super::*;

const ALL: [&str; 3] = [WAIT, PARK, TOLD];

#[test]
fn events_of_one_client_come_one_after_the_other() {
    let mut bench = Bench::new(&ALL, 4);
    let first = bench.hold("a");
    let asked = bench.ask_behind(1, "a");
    let parked = bench.park("a");
    bench.post("a");
    let second = bench.ask_behind(4, "a");
    // There are lanes enough: it is their turn that has not come.
    let other = bench.hold("b");
    bench.fake.answer(&other);
    bench.fake.answer(&first);
    let order = [WAIT, PARK, TOLD, WAIT].map(|point| format!("a {point}"));
    assert_eq!(bench.one_by_one(4), order);
    go_on([asked, second, parked]);
    bench.ends_with(0, 0, false);
}

#[test]
fn an_event_of_two_clients_waits_for_both() {
    let mut bench = Bench::new(&[TOLD], 3);
    let (a, b) = (bench.hold("a"), bench.hold("b"));
    bench.post("ab");
    bench.post("a");
    bench.fake.answer(&a);
    let other = bench.hold("c");
    bench.fake.answer_all([&b, &other]);
    assert_eq!(bench.one_by_one(2), ["ab", "a"].map(|clients| format!("{clients} {TOLD}")));
}

/// Two lanes at work, one of them on an event of a waiting thread's, which is returned.
fn at_work(points: &[&str]) -> (Bench, Waiting, Line) {
    let mut bench = Bench::new(points, 2);
    bench.hold("h");
    let asked = bench.ask("i");
    let line = bench.fake.line();
    (bench, asked, line)
}

#[test]
fn what_kea_waits_for_goes_first() {
    let (mut bench, first, line) = at_work(&ALL);
    bench.post("a");
    let asked = bench.ask_behind(3, "b");
    let parked = bench.park("c");
    bench.fake.answer(&line);
    // The last lane is for threads, then for all that Kea waits for: a has to wait.
    assert_eq!(bench.one_by_one(1), [format!("b {WAIT}")]);
    go_on([first, asked]);
    bench.fake.has_no_more();
    assert!(parked.is_waiting());
}

#[test]
fn what_stands_before_what_kea_waits_for_goes_first_too() {
    let (mut bench, first, line) = at_work(&[WAIT, TOLD]);
    bench.post_all(["a", "b", "bc"]);
    let asked = bench.ask_behind(5, "c");
    bench.fake.answer(&line);
    let order = [format!("b {TOLD}"), format!("bc {TOLD}"), format!("c {WAIT}")];
    assert_eq!(bench.one_by_one(3), order);
    go_on([first, asked]);
    assert_eq!(bench.script().pending(), 2, "h and a");
}

#[test]
fn a_parked_packet_goes_before_what_nobody_waits_for() {
    let mut bench = Bench::new(&[PARK, TOLD], 2);
    let held = bench.hold("h");
    let other = bench.park("i");
    let line = bench.fake.line();
    bench.post("a");
    let parked = bench.park("b");
    bench.fake.answer(&held);
    assert_eq!(bench.one_by_one(1), [format!("b {PARK}")]);
    bench.fake.answer(&line);
    assert_eq!(bench.one_by_one(1), [format!("a {TOLD}")]);
    go_on([other, parked]);
}

#[test]
fn with_one_lane_all_events_come_in_order() {
    let mut bench = Bench::new(&[WAIT, TOLD], 1);
    let held = bench.hold("h");
    bench.post_all(["a", "b"]);
    let asked = bench.ask_behind(3, "c");
    bench.post("d");
    bench.fake.answer(&held);
    let order = [("a", TOLD), ("b", TOLD), ("c", WAIT), ("d", TOLD)];
    assert_eq!(bench.one_by_one(4), order.map(|(client, point)| format!("{client} {point}")));
    go_on([asked]);
}

#[test]
fn threads_that_wait_are_served_in_order() {
    let mut bench = Bench::new(&[WAIT], 1);
    let held = bench.ask("h");
    let line = bench.fake.line();
    let asked = ["a", "b", "c"].into_iter().zip(1..).map(|(client, before)| bench.ask_behind(before, client));
    let asked: Vec<_> = asked.chain([held]).collect();
    bench.fake.answer(&line);
    assert_eq!(bench.one_by_one(3), ["a", "b", "c"].map(|client| format!("{client} {WAIT}")));
    go_on(asked);
}
