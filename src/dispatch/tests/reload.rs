//! A reload: what the handler of before has left goes on, and what comes after waits for it.

use super::*;

/// Lets the handler go as a reload does, and starts the next.
fn reload(bench: &mut Bench, points: &[&str], lanes: usize) {
    let mut left = bench.stop();
    bench.start(points, lanes, json!({}), &mut left);
}

#[test]
fn what_is_at_work_goes_on_and_its_clients_wait() {
    let mut bench = Bench::new(&[TOLD], 2);
    let (held, other) = (bench.hold("a"), bench.hold("b"));
    bench.post_all(["a", "c"]);
    reload(&mut bench, &[TOLD], 2);
    assert_eq!(bench.said(messages::LEFT), ["2 2 2"]);
    let line = bench.fake.line();
    assert_eq!(line.who(), "c", "it was queued, and is nobody's");
    assert!(![held.lane, other.lane].contains(&line.lane));
    bench.post("a");
    bench.fake.answer(&line);
    let line = bench.hold("d");
    bench.fake.answer_all([&line, &held, &other]);
    assert_eq!(bench.one_by_one(2), [format!("a {TOLD}"), format!("a {TOLD}")]);
    bench.ends_with(0, 0, false);
}

#[test]
fn the_lanes_of_before_end_after_what_they_were_sent() {
    let mut bench = Bench::ahead(8, 1);
    let held = bench.hold("a");
    bench.post_all(["b", "c"]);
    bench.fake.answer(&held);
    let lines = bench.fake.lines(2);
    reload(&mut bench, &[TOLD], 1);
    bench.fake.answer_all(&lines);
    assert_eq!(bench.fake.end(lines[0].lane), 0);
}

#[test]
fn events_that_were_sent_ahead_are_answered_where_they_are() {
    let mut bench = Bench::ahead(8, 1);
    let held = bench.hold("h");
    bench.post_all(["a", "b", "c"]);
    bench.fake.answer(&held);
    let lines = bench.fake.lines(3);
    reload(&mut bench, &[TOLD], 1);
    bench.post("a");
    bench.fake.answer_all(&lines);
    let line = bench.fake.line();
    assert_eq!(line.who(), "a");
    assert_ne!(line.lane, lines[0].lane);
    bench.fake.answer(&line);
    bench.ends_with(0, 0, false);
}

#[test]
fn the_time_of_each_begins_with_the_answer_to_the_one_before() {
    let mut bench = Bench::ahead(8, 2);
    let held = bench.hold("h");
    bench.hold("i");
    bench.post("a");
    bench.event_within(SHORT, TOLD, "b");
    bench.fake.answer(&held);
    let lines = bench.fake.lines(2);
    reload(&mut bench, &[TOLD], 2);
    // As much time goes by on a new lane.
    bench.event_within(SHORT, TOLD, "c");
    bench.until(|bench| bench.counts() == [1, 1]);
    let since = Instant::now();
    bench.fake.answer(&lines[0]);
    bench.until(|bench| bench.counts() == [2, 2]);
    assert!(since.elapsed() >= Duration::from_millis(SHORT));
}

#[test]
fn events_keep_their_order_over_two_reloads() {
    let mut bench = Bench::new(&[TOLD], 2);
    let held = bench.hold("a");
    bench.post("a");
    reload(&mut bench, &[TOLD], 2);
    bench.post("ab");
    reload(&mut bench, &[TOLD], 2);
    bench.post("b");
    let other = bench.hold("c");
    bench.fake.answer_all([&other, &held]);
    assert_eq!(bench.one_by_one(3), ["a", "ab", "b"].map(|clients| format!("{clients} {TOLD}")));
    bench.ends_with(0, 0, false);
}

/// An event of this client is at work on a lane of before a reload, and another waits for it.
fn reloaded(milliseconds: u64) -> (Bench, Line) {
    let mut bench = Bench::new(&[TOLD], 1);
    bench.event_within(milliseconds, TOLD, "a");
    let line = bench.fake.line();
    reload(&mut bench, &[TOLD], 1);
    bench.post("a");
    (bench, line)
}

#[test]
fn one_that_dies_after_a_reload_loses_nothing() {
    let (mut bench, line) = reloaded(60_000);
    bench.fake.close(line.lane);
    assert_eq!(bench.one_by_one(2), [format!("a {TOLD}"), format!("a {TOLD}")]);
    bench.ends_with(0, 0, true);
}

#[test]
fn what_is_no_answer_is_none_after_a_reload() {
    for text in ["nonsense\n", "{\"seq\":1000}\n"] {
        let (mut bench, line) = reloaded(60_000);
        bench.fake.say(line.lane, text);
        assert_eq!(bench.one_by_one(1), [format!("a {TOLD}")]);
        bench.ends_with(1, 0, true);
        assert!(bench.said(messages::EVENT_FAILED)[0].contains("answer"));
    }
}

#[test]
fn those_behind_wait_for_a_late_answer_after_a_reload() {
    let (mut bench, line) = reloaded(SHORT);
    bench.until(|bench| bench.counts() == [1, 1]);
    bench.fake.has_no_more();
    bench.fake.answer(&line);
    assert_eq!(bench.one_by_one(1), [format!("a {TOLD}")]);
    bench.ends_with(1, 1, false);
}

#[test]
fn those_behind_wait_a_second_for_an_answer_that_never_comes_after_a_reload() {
    let since = Instant::now();
    let (mut bench, _line) = reloaded(SHORT);
    assert_eq!(bench.one_by_one(1), [format!("a {TOLD}")]);
    assert!(since.elapsed() >= Duration::from_millis(SHORT + 1000));
    bench.ends_with(1, 1, true);
}

#[test]
fn a_parked_packets_event_is_only_told_after_a_reload() {
    let mut bench = Bench::new(&[PARK], 1);
    let at_work = bench.park("a");
    let held = bench.fake.line();
    let queued = bench.park("b");
    reload(&mut bench, &[PARK], 1);
    bench.fake.answer(&held);
    let line = bench.fake.line();
    assert_eq!((line.who(), line.event.wait), ("b".into(), false));
    bench.fake.answer(&line);
    bench.ends_with(0, 0, false);
    assert!(at_work.is_forgotten() && queued.is_forgotten(), "Kea has let them go");
}

#[test]
fn a_configuration_that_is_refused_leaves_all_to_the_next() {
    let mut bench = Bench::new(&[TOLD], 1);
    let held = bench.hold("a");
    bench.post("a");
    let mut left = bench.stop();
    bench.hide_socket();
    assert!(bench.start_with(0, &[TOLD], 1, json!({}), &mut left).is_err());
    bench.show_socket();
    bench.start(&[TOLD], 1, json!({}), &mut left);
    bench.fake.answer(&held);
    assert_eq!(bench.one_by_one(1), [format!("a {TOLD}")]);
    bench.ends_with(0, 0, false);
}

#[test]
fn it_is_only_for_the_same_script() {
    let mut bench = Bench::new(&[TOLD], 1);
    bench.hold("a");
    bench.post_all(["b", "c"]);
    let left = bench.stop().unwrap();
    assert!(left.is_of(&config(&bench.socket(), &[WAIT], 3, json!({}))));
    assert!(!left.is_of(&config(&bench.directory.join("other"), &[TOLD], 1, json!({}))));
    left.abandon();
    let said = bench.said(messages::EVENT_LOST);
    assert!(said.len() == 1 && said[0].contains("2 events are in memory alone"), "{said:?}");
}
