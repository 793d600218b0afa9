//! Who gets a lane.

use super::*;

#[test]
fn a_thread_that_waits_gets_a_lane_and_its_verdict() {
    let mut bench = Bench::with(&[WAIT], 1, json!({"answers": true, "on-failure": "continue"}));
    let asked = bench.ask("a");
    let line = bench.fake.line();
    assert_eq!((line.who(), &*line.event.hook, line.event.wait), ("a".into(), WAIT, true));
    bench.fake.answer_with(&line, json!({"next": "drop"}));
    assert_eq!(asked.step(), Step::Drop);
    bench.ends_with(0, 0, false);
}

#[test]
fn as_many_threads_as_lanes_are_served_at_once() {
    let mut bench = Bench::new(&[WAIT], 3);
    let asked = ["a", "b", "c"].map(|client| bench.ask(client));
    let lines = bench.fake.lines(3);
    assert_eq!(lines.iter().map(|line| line.lane).sum::<usize>(), 1 + 2, "each on its own");
    let last = bench.ask_behind(3, "d");
    bench.fake.has_no_more();
    bench.fake.answer(&lines[1]);
    let line = bench.fake.line();
    assert_eq!((line.who(), line.lane), ("d".into(), lines[1].lane));
    bench.fake.answer_all([&lines[0], &lines[2], &line]);
    go_on(asked.into_iter().chain([last]));
}

#[test]
fn what_nobody_waits_for_leaves_a_lane_to_threads() {
    let mut bench = Bench::new(&[WAIT, TOLD], 2);
    let told = bench.hold("a");
    bench.post("b");
    let asked = bench.ask("c");
    let line = bench.fake.line();
    assert_eq!(line.who(), "c", "b has no lane yet");
    bench.fake.answer(&line);
    go_on([asked]);
    bench.fake.has_no_more();
    bench.fake.answer(&told);
    let line = bench.fake.line();
    assert_eq!(line.who(), "b");
    bench.fake.answer(&line);
    bench.ends_with(0, 0, false);
}

#[test]
fn what_a_thread_has_to_wait_for_may_have_its_lane() {
    let mut bench = Bench::new(&[WAIT, TOLD], 2);
    let told = bench.hold("a");
    bench.post("b");
    let asked = bench.ask_behind(2, "b");
    let before = bench.fake.line();
    assert_eq!((before.who(), before.event.wait), ("b".into(), false));
    bench.fake.answer(&before);
    let line = bench.fake.line();
    assert_eq!((line.who(), line.event.wait), ("b".into(), true));
    bench.fake.answer_all([&told, &line]);
    go_on([asked]);
}

#[test]
fn parked_packets_leave_a_lane_to_threads() {
    let mut bench = Bench::new(&[WAIT, PARK], 2);
    let parked = ["a", "b"].map(|client| bench.park(client));
    let first = bench.fake.line();
    assert_eq!(first.who(), "a");
    let asked = bench.ask("c");
    let line = bench.fake.line();
    assert_eq!(line.who(), "c", "b has no lane yet");
    bench.fake.answer(&line);
    go_on([asked]);
    bench.fake.answer(&first);
    let line = bench.fake.line();
    assert_eq!(line.who(), "b");
    bench.fake.answer(&line);
    go_on(parked);
}

#[test]
fn what_nobody_waits_for_leaves_a_lane_to_parked_packets() {
    let mut bench = Bench::new(&[PARK, TOLD], 2);
    bench.hold("a");
    bench.post("b");
    let parked = bench.park("c");
    let line = bench.fake.line();
    assert_eq!(line.who(), "c", "b has no lane yet");
    bench.fake.answer(&line);
    go_on([parked]);
}

#[test]
fn where_nobody_ever_waits_no_lane_is_kept() {
    let mut bench = Bench::new(&[TOLD], 2);
    bench.hold("a");
    bench.hold("b");
}

#[test]
fn the_only_lane_of_a_server_that_takes_no_more_is_for_all() {
    let mut bench = Bench::idle();
    bench.start_with(1, &[WAIT, TOLD], 2, json!({}), &mut None).unwrap();
    let line = bench.hold("a");
    let asked = bench.ask_behind(1, "b");
    bench.fake.answer(&line);
    let line = bench.fake.line();
    assert_eq!(line.who(), "b");
    bench.fake.answer(&line);
    go_on([asked]);
}
