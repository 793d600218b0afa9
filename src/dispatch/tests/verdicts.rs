//! What an answer comes to: for Kea, for the log, for the counters.

use super::*;

/// The verdict on an answer of these keys, how many events have failed, and how much of their answers was refused.
fn verdict(point: &str, parameters: Value, keys: Value) -> (Verdict, u64, u64) {
    let mut bench = Bench::with(&[point], 1, parameters);
    let asked = bench.event(point, "a");
    let line = bench.fake.line();
    bench.fake.answer_with(&line, keys);
    let verdict = asked.verdict();
    let counters = bench.script().counters();
    let [failures, refused] = [&counters.failures, &counters.refused].map(|counter| counter.load(Ordering::Relaxed));
    assert_eq!(counters.events.load(Ordering::Relaxed), 1);
    (verdict, failures, refused)
}

/// A hook point, and what Kea is told there for skip and for drop; scripts are waited for.
const STEPS: [(&str, Step, Step); 8] = [
    ("buffer6_receive", Step::Continue, Step::Drop),
    ("pkt6_receive", Step::Drop, Step::Drop),
    ("subnet6_select", Step::Skip, Step::Drop),
    ("lease6_select", Step::Skip, Step::Skip),
    ("ddns6_update", Step::Continue, Step::Continue),
    ("lease6_release", Step::Skip, Step::Drop),
    ("buffer6_send", Step::Drop, Step::Drop),
    ("lease6_expire", Step::Skip, Step::Continue),
];

#[test]
fn an_answer_says_how_kea_goes_on() {
    for (point, skip, drop) in STEPS {
        for (next, step) in [("continue", Step::Continue), ("skip", skip), ("drop", drop)] {
            let parameters = json!({"answers": true, "on-failure": "drop"});
            let (verdict, failures, refused) = verdict(point, parameters, json!({"next": next}));
            let has_no_effect = next != "continue" && step == Step::Continue;
            assert_eq!((verdict.step, failures, refused), (step, 0, u64::from(has_no_effect)), "{point}: {next}");
        }
    }
}

#[test]
fn on_failure_says_how_kea_goes_on_after_a_failure() {
    for (point, skip, drop) in STEPS {
        for (on_failure, step) in [("continue", Step::Continue), ("skip", skip), ("drop", drop)] {
            for answers in [false, true] {
                let failure = json!({"failure": {"kind": "exit", "text": "no database"}, "hostname": "a"});
                let parameters = json!({"answers": answers, "on-failure": on_failure});
                let (verdict, failures, refused) = verdict(point, parameters, failure);
                assert_eq!((verdict.step, failures, refused), (step, 1, 0), "{point}: {on_failure}");
                assert!(verdict.changes.is_empty());
            }
        }
    }
}

#[test]
fn what_kea_shall_change_is_in_the_verdict() {
    let parameters = json!({"answers": true, "on-failure": "continue"});
    let keys = json!({"client-classes": ["a", "b"], "boot-file-name": "x", "unheard-of": 1});
    let (verdict, failures, refused) = verdict(WAIT, parameters, keys);
    let said: Vec<_> = verdict.changes.iter().map(|change| String::from_utf8_lossy(&change.data)).collect();
    assert_eq!((verdict.step, failures, refused), (Step::Continue, 0, 2));
    assert_eq!(said, ["a", "b"]);
}

#[test]
fn nothing_is_changed_for_what_does_not_go_on() {
    let parameters = json!({"answers": true, "on-failure": "continue"});
    let (verdict, ..) = verdict(WAIT, parameters, json!({"client-classes": ["a"], "next": "drop"}));
    assert_eq!((verdict.step, verdict.changes.len()), (Step::Drop, 0));
}

#[test]
fn what_nobody_asks_for_is_refused() {
    for keys in [json!({"next": "drop"}), json!({"client-classes": ["a"]})] {
        let (verdict, failures, refused) = verdict(WAIT, json!({}), keys);
        assert_eq!((verdict.step, verdict.changes.len(), failures, refused), (Step::Continue, 0, 0, 1));
    }
}

#[test]
fn what_nobody_waits_for_is_refused() {
    let mut bench = Bench::with(&[WAIT, TOLD], 1, json!({"answers": true, "on-failure": "drop"}));
    let line = bench.hold("a");
    assert!(!line.event.answers);
    bench.fake.answer_with(&line, json!({"next": "drop"}));
    bench.until(|bench| bench.script().counters().refused.load(Ordering::Relaxed) == 1);
    bench.until(|bench| bench.said(messages::ANSWER_REFUSED).len() == 1);
    assert!(bench.said(messages::ANSWER_REFUSED)[0].contains("Kea does not wait here"));
    bench.ends_with(0, 0, false);
}

#[test]
fn a_parked_packet_has_the_verdict_of_its_answer() {
    let mut bench = Bench::with(&[PARK], 1, json!({"answers": true, "on-failure": "continue"}));
    let parked = bench.park("a");
    let line = bench.fake.line();
    assert!(parked.is_waiting() && line.event.answers && line.event.wait);
    bench.fake.answer_with(&line, json!({"next": "drop"}));
    assert_eq!(parked.step(), Step::Drop);
}

#[test]
fn a_failure_is_logged_with_its_text() {
    let mut bench = Bench::with(&[WAIT], 1, json!({"on-failure": "drop"}));
    let asked = bench.ask("a");
    let line = bench.fake.line();
    let log = json!([{"level": "info", "text": "a word"}, {"level": "warn", "text": "a cry"}]);
    let failure = json!({"kind": "exit", "text": "no database"});
    bench.fake.answer_with(&line, json!({"log": log, "failure": failure}));
    assert_eq!(asked.step(), Step::Drop);
    assert_eq!(bench.said(messages::OUTPUT), [format!("{WAIT} a word")]);
    assert_eq!(bench.said(messages::ERROR_OUTPUT), [format!("{WAIT} a cry")]);
    assert_eq!(bench.said(messages::EVENT_FAILED), [format!("{WAIT} no database goes on with: drop")]);
}
