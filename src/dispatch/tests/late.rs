//! Answers that come after their event's time-out, or never.

use super::*;

/// An event of this kind that is timing out, and what the handler was sent.
fn timed_out(bench: &mut Bench, point: &str, client: &str) -> Line {
    let before = bench.counts()[1];
    let waiting = bench.event_within(SHORT, point, client);
    let line = bench.fake.line();
    bench.until(|bench| bench.counts()[1] > before);
    assert!(point == TOLD || waiting.step() == Step::Continue);
    line
}

#[test]
fn a_late_answer_ends_its_turn_and_says_no_more() {
    for point in [WAIT, PARK, TOLD] {
        let mut bench = Bench::with(&[WAIT, PARK, TOLD], 1, json!({"answers": true, "on-failure": "continue"}));
        let line = timed_out(&mut bench, point, "a");
        bench.fake.answer_with(&line, json!({"next": "drop", "log": [{"level": "info", "text": "done"}]}));
        let asked = bench.ask("b");
        let line = bench.fake.line();
        assert_eq!((line.who(), line.lane), ("b".into(), 0));
        bench.fake.answer(&line);
        go_on([asked]);
        bench.ends_with(1, 1, false);
        assert_eq!(bench.said(messages::OUTPUT), [format!("{point} done")]);
    }
}

#[test]
fn half_an_answer_is_late_too() {
    for point in [WAIT, PARK, TOLD] {
        let mut bench = Bench::new(&[WAIT, PARK, TOLD], 1);
        let waiting = bench.event_within(SHORT, point, "a");
        let line = bench.fake.line();
        bench.fake.say(line.lane, "{\"seq\":");
        bench.until(|bench| bench.counts() == [1, 1]);
        assert!(point == TOLD || waiting.step() == Step::Continue);
        bench.fake.say(line.lane, format!("{}}}\n", line.event.seq));
        bench.post("b");
        assert_eq!(bench.one_by_one(1), [format!("b {TOLD}")]);
        bench.ends_with(1, 1, false);
    }
}

#[test]
fn those_behind_wait_for_the_late_answer() {
    for point in [WAIT, PARK, TOLD] {
        let mut bench = Bench::new(&[WAIT, PARK, TOLD], 3);
        let late = timed_out(&mut bench, point, "a");
        let asked = bench.ask_behind(1, "a");
        let other = bench.ask("b");
        let line = bench.fake.line();
        assert_eq!(line.who(), "b", "a lane is free, but it is not a's turn");
        bench.fake.answer(&line);
        go_on([other]);
        bench.fake.has_no_more();
        bench.fake.answer(&late);
        let line = bench.fake.line();
        assert_eq!(line.who(), "a");
        bench.fake.answer(&line);
        go_on([asked]);
        bench.ends_with(1, 1, false);
    }
}

#[test]
fn what_is_no_answer_is_none_when_it_is_late() {
    for point in [WAIT, PARK, TOLD] {
        let mut bench = Bench::new(&[WAIT, PARK, TOLD], 2);
        let late = timed_out(&mut bench, point, "a");
        bench.fake.say(late.lane, "nonsense\n");
        let asked = bench.ask("a");
        let line = bench.fake.line();
        assert_ne!(line.lane, late.lane);
        bench.fake.answer(&line);
        go_on([asked]);
        bench.ends_with(1, 1, true);
    }
}

#[test]
fn one_that_dies_late_has_failed_once() {
    for point in [WAIT, PARK, TOLD] {
        let mut bench = Bench::new(&[WAIT, PARK, TOLD], 2);
        let late = timed_out(&mut bench, point, "a");
        bench.fake.close(late.lane);
        let asked = bench.ask("a");
        let line = bench.fake.line();
        assert_eq!((line.who(), line.event.wait), ("a".into(), true), "the first is not handled again");
        bench.fake.answer(&line);
        go_on([asked]);
        bench.ends_with(1, 1, true);
    }
}

#[test]
fn the_lane_of_an_answer_that_never_comes_is_closed_after_a_second() {
    let points = [WAIT, PARK, TOLD];
    let mut benches = points.map(|_| Bench::new(&points, 1));
    let since = Instant::now();
    let asked: Vec<_> = benches
        .iter_mut()
        .zip(points)
        .map(|(bench, point)| {
            timed_out(bench, point, "a");
            bench.ask_behind(1, "a")
        })
        .collect();
    for (bench, asked) in benches.iter_mut().zip(asked) {
        assert_eq!(bench.fake.end(0), 0);
        assert!(since.elapsed() >= Duration::from_secs(1));
        let lane = bench.fake.take();
        let line = bench.fake.line();
        assert_eq!((line.who(), line.lane), ("a".into(), lane));
        bench.fake.answer(&line);
        go_on([asked]);
        bench.ends_with(1, 1, true);
    }
}

/// Three events on one lane, the first of which has timed out, and another lane.
fn late_ahead() -> (Bench, Vec<Line>) {
    let mut bench = Bench::ahead(8, 2);
    let held = bench.hold("h");
    bench.event_within(SHORT, TOLD, "a");
    bench.post_all(["a", "a"]);
    bench.fake.answer(&held);
    let lines = bench.fake.lines(3);
    bench.until(|bench| bench.counts() == [1, 1]);
    (bench, lines)
}

#[test]
fn what_was_sent_ahead_goes_on_after_a_late_answer() {
    let (mut bench, lines) = late_ahead();
    bench.fake.answer_all(&lines);
    bench.ends_with(1, 1, false);
    bench.fake.has_no_more();
}

#[test]
fn what_was_sent_ahead_goes_to_another_lane_if_none_comes() {
    let (mut bench, lines) = late_ahead();
    assert_eq!(bench.fake.end(lines[0].lane), 0);
    for old in &lines[1..] {
        let line = bench.fake.line();
        assert_eq!(line.event.seq, old.event.seq);
        assert_ne!(line.lane, old.lane);
        bench.fake.has_no_more();
        bench.fake.answer(&line);
    }
    bench.ends_with(1, 1, true);
}
