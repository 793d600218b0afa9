//! What is sent before the events in front of it are answered.

use super::*;

/// The events that are on a lane, in their order.
fn ahead(bench: &mut Bench, count: usize) -> (String, Vec<Line>) {
    let lines: Vec<_> = (0..count).map(|_| bench.fake.line()).collect();
    assert!(lines.iter().all(|line| line.lane == lines[0].lane));
    bench.fake.has_no_more();
    (lines.iter().map(|line| line.who() + " ").collect(), lines)
}

/// Answers an event that is held, with all of these queued behind it: they may go at once then.
fn release(bench: &mut Bench, held: &Line, queued: &[&str]) {
    queued.iter().for_each(|clients| bench.post(clients));
    bench.fake.answer(held);
}

#[test]
fn as_many_as_the_hello_says_and_one() {
    let mut bench = Bench::ahead(3, 1);
    let held = bench.hold("h");
    release(&mut bench, &held, &["a", "b", "a", "b", "c", "a"]);
    let (sent, lines) = ahead(&mut bench, 4);
    assert_eq!(sent, "a b a b ");
    bench.fake.answer_all(&lines[..3]);
    bench.until(|bench| bench.script().pending() == 3);
    bench.fake.has_no_more();
    bench.fake.answer(&lines[3]);
    assert_eq!(ahead(&mut bench, 2).0, "c a ");
}

#[test]
fn none_if_the_hello_says_nothing() {
    let mut bench = Bench::new(&[TOLD], 1);
    let held = bench.hold("h");
    release(&mut bench, &held, &["a", "a"]);
    let (_, lines) = ahead(&mut bench, 1);
    bench.fake.answer(&lines[0]);
    assert_eq!(ahead(&mut bench, 1).0, "a ");
}

#[test]
fn never_more_than_thirty_two() {
    let mut bench = Bench::ahead(1_000_000, 1);
    let held = bench.hold("h");
    release(&mut bench, &held, &["a"; 40]);
    ahead(&mut bench, 33);
}

#[test]
fn none_where_kea_may_wait() {
    for points in [[TOLD, WAIT], [TOLD, PARK]] {
        let mut bench = Bench::idle();
        bench.fake.hello = json!({"hello": 1, "ahead": 8});
        bench.start(&points, 1, json!({}), &mut None);
        let held = bench.hold("h");
        release(&mut bench, &held, &["a", "a"]);
        ahead(&mut bench, 1);
    }
}

#[test]
fn none_behind_another_while_any_is_put_off() {
    // One lane alone would wait for what is put off.
    let mut bench = Bench::ahead(8, 2);
    let line = bench.hold("h");
    bench.fake.answer_with(&line, json!({"again": 3600}));
    let (held, _other) = (bench.hold("i"), bench.hold("j"));
    release(&mut bench, &held, &["a", "a", "b"]);
    assert_eq!(ahead(&mut bench, 2).0, "a b ");
}

#[test]
fn no_more_than_64_kibibytes() {
    let mut bench = Bench::ahead(8, 1);
    let held = bench.hold("h");
    // Of each line twice as many are the option's value.
    for _ in 0..5 {
        bench.hand_over(bench.task_of(TOLD, facts("a", 20 * 1024)));
    }
    bench.fake.answer(&held);
    let (_, lines) = ahead(&mut bench, 2);
    bench.fake.answer_all(&lines);
    ahead(&mut bench, 2);
}

/// Two lanes, the first of which takes events ahead, and the two events that they are at work on.
fn two_lanes() -> (Bench, [Line; 2]) {
    let mut bench = Bench::idle();
    bench.fake.hello = json!({"hello": 1, "ahead": 8});
    let mut left = None;
    bench.start_with(1, &[TOLD], 2, json!({}), &mut left).unwrap();
    bench.fake.hello = json!({"hello": 1});
    let first = bench.hold("h");
    bench.fake.take();
    let second = bench.hold("i");
    (bench, [first, second])
}

#[test]
fn what_stands_behind_another_lanes_event_waits_for_it() {
    let (mut bench, [first, second]) = two_lanes();
    release(&mut bench, &second, &["b"]);
    let other = bench.fake.line();
    assert_eq!((other.who(), other.lane), ("b".into(), second.lane));
    release(&mut bench, &first, &["a", "ab", "a"]);
    let (sent, lines) = ahead(&mut bench, 1);
    assert_eq!(sent, "a ");
    bench.fake.answer(&lines[0]);
    bench.fake.answer(&other);
    let both = bench.fake.line();
    assert_eq!(both.who(), "ab");
    bench.fake.answer(&both);
    assert_eq!(bench.fake.line().who(), "a");
}

#[test]
fn what_stands_behind_events_of_the_lane_alone_goes_with_them() {
    let mut bench = Bench::ahead(8, 1);
    let held = bench.hold("h");
    release(&mut bench, &held, &["a", "b", "ab", "bc", "c"]);
    assert_eq!(ahead(&mut bench, 5).0, "a b ab bc c ");
}

#[test]
fn each_idle_lane_has_its_share() {
    let mut bench = Bench::ahead(8, 2);
    let held = bench.hold("ab");
    // Both become ready at once, when this is over and the other lane is idle.
    release(&mut bench, &held, &["a", "b"]);
    let lines = bench.fake.lines(2);
    assert_ne!(lines[0].lane, lines[1].lane);
}

#[test]
fn what_a_handler_has_died_with_goes_alone() {
    let mut bench = Bench::ahead(8, 2);
    let (held, other) = (bench.hold("h"), bench.hold("i"));
    release(&mut bench, &held, &["a", "a", "b"]);
    let (sent, lines) = ahead(&mut bench, 3);
    assert_eq!(sent, "a a b ");
    bench.fake.close(lines[0].lane);
    bench.until(|bench| !bench.said(messages::LANE_LOST).is_empty());
    release(&mut bench, &other, &["c"]);
    for client in ["a ", "a ", "b ", "c "] {
        let (sent, lines) = ahead(&mut bench, 1);
        assert_eq!(sent, client);
        bench.fake.answer(&lines[0]);
    }
    bench.ends_with(0, 0, true);
}

#[test]
fn what_a_handler_has_died_with_goes_behind_no_other() {
    let mut bench = Bench::ahead(8, 2);
    let (held, other) = (bench.hold("a"), bench.hold("i"));
    release(&mut bench, &other, &["a", "b"]);
    let (sent, lines) = ahead(&mut bench, 1);
    assert_eq!(sent, "b ");
    bench.fake.close(lines[0].lane);
    bench.until(|bench| !bench.said(messages::LANE_LOST).is_empty());
    bench.fake.answer(&held);
    for client in ["a ", "b "] {
        let (sent, lines) = ahead(&mut bench, 1);
        assert_eq!(sent, client);
        bench.fake.answer(&lines[0]);
    }
    bench.ends_with(0, 0, true);
}

#[test]
fn the_time_of_each_begins_with_the_answer_to_the_one_before() {
    let (mut bench, [first, second]) = two_lanes();
    bench.post("a");
    bench.event_within(SHORT, TOLD, "a");
    bench.fake.answer(&first);
    let (_, lines) = ahead(&mut bench, 2);
    // On the other lane as much time goes by.
    bench.event_within(SHORT, TOLD, "c");
    bench.fake.answer(&second);
    bench.until(|bench| bench.counts() == [1, 1]);
    let since = Instant::now();
    bench.fake.answer(&lines[0]);
    bench.until(|bench| bench.counts() == [2, 2]);
    assert!(since.elapsed() >= Duration::from_millis(SHORT));
}

#[test]
fn one_that_fails_fails_alone() {
    let texts = |line: &Line| {
        let other = format!("{{\"seq\":{}}}\n", line.event.seq + 1000);
        ["nonsense\n".into(), other, "x".repeat(5 * 1024 * 1024)]
    };
    for at in 0..3 {
        let mut bench = Bench::ahead(8, 2);
        let (held, other) = (bench.hold("h"), bench.hold("i"));
        release(&mut bench, &held, &["a", "a", "a"]);
        let (_, lines) = ahead(&mut bench, 3);
        bench.fake.answer(&lines[0]);
        bench.fake.say(lines[1].lane, &texts(&lines[1])[at]);
        bench.until(|bench| !bench.said(messages::LANE_LOST).is_empty());
        bench.fake.answer(&other);
        let again = bench.fake.line();
        assert_eq!((again.event.seq, again.lane), (lines[2].event.seq, other.lane));
        bench.fake.answer(&again);
        bench.ends_with(1, 0, true);
    }
}

#[test]
fn an_answer_too_many_is_none_to_the_next() {
    let mut bench = Bench::ahead(8, 2);
    let (held, other) = (bench.hold("h"), bench.hold("i"));
    release(&mut bench, &held, &["a", "a", "a"]);
    let (_, lines) = ahead(&mut bench, 3);
    bench.fake.answer_all([&lines[0], &lines[0]]);
    bench.until(|bench| !bench.said(messages::LANE_LOST).is_empty());
    bench.fake.answer(&other);
    let again = bench.fake.line();
    assert_eq!((again.event.seq, again.lane), (lines[2].event.seq, other.lane), "the second has failed");
    bench.fake.answer(&again);
    bench.ends_with(1, 0, true);
}
