//! Lanes that break, and answers that are none.

use super::*;

/// What a handler does with an event.
type Deed = fn(&mut Fake, &Line);

/// Each, and what the log says.
const DEEDS: [(Deed, &str); 14] = [
    (|fake, line| fake.close(line.lane), "no answer: connection closed"),
    (|fake, line| fake.say_no_more(line.lane), "no answer: connection closed"),
    (|fake, line| said_and_closed(fake, line), "no answer: connection closed"),
    (|fake, line| fake.say(line.lane, "nonsense\n"), "bad answer: \"nonsense\": the connection is for answers"),
    (|fake, line| fake.say(line.lane, b"\0\x01\xff\n"), "bad answer: \"\\x00\\x01\\xff\": the"),
    (|fake, line| fake.say(line.lane, "\n"), "bad answer: \"\": the connection"),
    (|fake, line| fake.say(line.lane, "{\n"), "bad answer: EOF"),
    (|fake, line| fake.say(line.lane, "{\"seq\":-1}\n"), "`-1`, expected a whole number that is not negative"),
    (|fake, line| fake.say(line.lane, "{\"next\":\"continue\"}\n"), "bad answer: missing field `seq`"),
    (
        |fake, line| fake.say(line.lane, format!("{{\"seq\":{},\"next\":\"explode\"}}\n", line.event.seq)),
        "bad answer: unknown",
    ),
    (|fake, line| fake.say(line.lane, format!("{{\"seq\":{}}}\n", line.event.seq + 1000)), "it answers event"),
    (|fake, line| fake.say(line.lane, "x".repeat(5 * 1024 * 1024)), "more than 262144 bytes in a line"),
    (|fake, line| fake.say(line.lane, many_keys(line)), "more than 100 keys"),
    (|fake, line| fake.say(line.lane, format!("{{\"seq\":{0},\"seq\":{0}}}\n", line.event.seq)), "duplicate field"),
];

fn said_and_closed(fake: &mut Fake, line: &Line) {
    fake.say(line.lane, "{\"seq\":");
    fake.close(line.lane);
}

/// A hundred and one keys, and a lot more behind them that takes no time to read.
fn many_keys(line: &Line) -> String {
    let keys: String = (0..101).map(|number| format!(",\"{number}\":0")).collect();
    format!("{{\"seq\":{}{keys}{}}}\n", line.event.seq, ",\"0\":0".repeat(40_000))
}

/// Hands over an event, has the handler do that, and returns what Kea is to do. It fails at once, and the next one of the
/// same client has another lane.
fn fails(bench: &mut Bench, point: &str, deed: Deed, text: &str) -> Step {
    let failed = bench.event(point, "a");
    let line = bench.fake.line();
    deed(&mut bench.fake, &line);
    let step = failed.step();
    let after = bench.ask("a");
    let next = bench.fake.line();
    assert_ne!(next.lane, line.lane, "{text}");
    bench.fake.answer(&next);
    go_on([after]);
    bench.ends_with(1, 0, true);
    let said = bench.said(messages::EVENT_FAILED).join("; ");
    assert!(said.starts_with(point) && said.contains(text), "{said}");
    step
}

#[test]
fn what_kea_waits_for_fails_at_once_by_on_failure() {
    for (on_failure, steps) in [
        ("continue", [Step::Continue, Step::Continue]),
        ("skip", [Step::Drop, Step::Continue]),
        ("drop", [Step::Drop, Step::Drop]),
    ] {
        for (point, step) in [WAIT, PARK].into_iter().zip(steps) {
            for (deed, text) in DEEDS {
                let mut bench = Bench::with(&[WAIT, PARK], 2, json!({"on-failure": on_failure}));
                assert_eq!(fails(&mut bench, point, deed, text), step, "{point}, {on_failure}: {text}");
            }
        }
    }
}

#[test]
fn what_nobody_waits_for_fails_by_what_is_no_answer() {
    for (deed, text) in DEEDS.into_iter().filter(|(_, text)| !text.starts_with("no answer")) {
        let mut bench = Bench::with(&[TOLD], 2, json!({"on-failure": "drop"}));
        let line = bench.hold("a");
        bench.post("a");
        deed(&mut bench.fake, &line);
        let next = bench.fake.line();
        assert_ne!((next.lane, next.event.seq), (line.lane, line.event.seq), "{text}");
        bench.fake.answer(&next);
        bench.ends_with(1, 0, true);
        let said = bench.said(messages::EVENT_FAILED).join("; ");
        assert!(said.contains(text) && said.ends_with("has not waited"), "{said}");
    }
}

#[test]
fn another_lane_is_made() {
    let mut bench = Bench::new(&[WAIT], 1);
    for lane in 1..3 {
        let asked = bench.ask("a");
        let line = bench.fake.line();
        bench.fake.close(line.lane);
        go_on([asked]);
        assert_eq!(bench.fake.take(), lane);
    }
    let asked = bench.ask("a");
    let line = bench.fake.line();
    bench.fake.answer(&line);
    go_on([asked]);
    bench.ends_with(2, 0, true);
}

#[test]
fn one_that_says_too_much_is_not_taken_at_its_word_again() {
    let mut bench = Bench::with(&[WAIT], 1, json!({"answers": true, "on-failure": "continue"}));
    let asked = bench.ask("a");
    let line = bench.fake.line();
    let both = answer(&line, json!({})) + &answer(&line, json!({"next": "drop"}));
    bench.fake.say(line.lane, both);
    go_on([asked]);
    assert_eq!(bench.ask("b").step(), Step::Continue, "the second answer is none to this event");
    assert_eq!(bench.fake.line().who(), "b");
    let lane = bench.fake.take();
    let asked = bench.ask("c");
    let line = bench.fake.line();
    assert_eq!((line.who(), line.lane), ("c".into(), lane));
    bench.fake.answer(&line);
    go_on([asked]);
    bench.ends_with(1, 0, true);
}

#[test]
fn one_that_speaks_unasked_is_closed() {
    for text in ["{\"seq\":1}\n", "no line's end"] {
        let mut bench = Bench::new(&[WAIT], 1);
        bench.fake.say(0, text);
        assert_eq!(bench.fake.end(0), 0);
        bench.fake.take();
        assert!(bench.said(messages::LANE_LOST)[0].contains("spoken unasked"));
        let asked = bench.ask("a");
        let line = bench.fake.line();
        bench.fake.answer(&line);
        go_on([asked]);
        bench.ends_with(0, 0, true);
    }
}

#[test]
fn one_that_is_closed_while_idle_costs_nothing() {
    for point in [WAIT, PARK, TOLD] {
        let mut bench = Bench::new(&[point], 1);
        bench.fake.close(0);
        let waiting = bench.event(point, "a");
        bench.fake.take();
        let line = bench.fake.line();
        bench.fake.answer(&line);
        bench.ends_with(0, 0, true);
        assert!(point == TOLD || waiting.step() == Step::Continue);
    }
}

#[test]
fn one_that_says_no_hello_is_no_lane() {
    for hello in [json!({"hello": 2}), json!({"hi": 1}), json!("hello")] {
        let mut bench = Bench::idle();
        bench.fake.hello = hello.clone();
        let refusal = bench.start_with(1, &[WAIT], 1, json!({}), &mut None).unwrap_err();
        assert!(refusal.contains("says no hello"), "{hello}: {refusal}");
    }
}

#[test]
fn an_answer_may_come_in_pieces() {
    let mut bench = Bench::new(&[WAIT, PARK, TOLD], 4);
    let (asked, parked) = (bench.ask("a"), bench.park("b"));
    bench.post("c");
    let lines = bench.fake.lines(3);
    for line in &lines {
        bench.fake.say(line.lane, "{\"seq\":");
        bench.fake.say(line.lane, format!("{}}}", line.event.seq));
    }
    lines.iter().for_each(|line| bench.fake.say(line.lane, "\n"));
    go_on([asked, parked]);
    bench.ends_with(0, 0, false);
}

#[test]
fn an_answer_counts_though_the_lane_is_closed_behind_it() {
    for point in [WAIT, PARK, TOLD] {
        let parameters = json!({"answers": true, "on-failure": "continue"});
        let mut bench = Bench::with(&[WAIT, PARK, TOLD], 2, parameters);
        let waiting = bench.event(point, "a");
        let line = bench.fake.line();
        bench.fake.answer_with(&line, if point == TOLD { json!({}) } else { json!({"next": "drop"}) });
        bench.fake.close(line.lane);
        assert!(point == TOLD || waiting.step() == Step::Drop);
        bench.until(|bench| !bench.said(messages::LANE_LOST).is_empty());
        bench.ends_with(0, 0, true);
    }
}

#[test]
fn what_kea_waits_for_waits_for_the_hello_of_the_next_lane() {
    for point in [WAIT, PARK] {
        let mut bench = Bench::new(&[point], 1);
        bench.fake.close(0);
        let lane = bench.fake.accept();
        let waiting = bench.event(point, "a");
        bench.until(|bench| bench.script().pending() == 1);
        assert!(waiting.is_waiting());
        bench.fake.greet(lane);
        let line = bench.fake.line();
        bench.fake.answer(&line);
        go_on([waiting]);
        bench.ends_with(0, 0, true);
    }
}
