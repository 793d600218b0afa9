//! What was put aside comes back when somebody asks for that.

use super::*;
use crate::retry::retry;

/// The command's result and text.
fn told(bench: &Bench, arguments: Value) -> (i32, String) {
    let arguments = if arguments.is_null() { String::new() } else { arguments.to_string() };
    let answer = retry([&**bench.script()], &arguments);
    (answer.0, answer.1.replace(&bench.socket().display().to_string(), "IT"))
}

#[test]
fn what_was_put_aside_is_handled_again_when_somebody_asks() {
    let mut bench = Bench::idle();
    let spool = bench.directory.join("spool");
    bench.start(&[TOLD], 4, json!({"spool": spool}), &mut None);
    bench.script().open_spool().unwrap();
    assert_eq!(told(&bench, json!(null)), (3, "no event was put aside".into()));
    let first = bench.hold("a");
    bench.fake.close(first.lane);
    for _ in 2..=3 {
        let line = bench.fake.line();
        bench.fake.close(line.lane);
    }
    bench.until(|bench| bench.script().pending() == 0);
    assert_eq!(bench.said(messages::GIVEN_UP).len(), 1);
    assert_eq!(told(&bench, json!({"script": bench.socket()})), (0, "1 event of IT is handled again".into()));
    let again = bench.fake.line();
    assert_eq!((again.event.seq, again.who()), (first.event.seq, "a".into()));
    let attempt = |line: &Line| {
        let mut variables = line.event.vars.iter();
        variables.find(|(name, _)| *name == "KEA_EVENT_ATTEMPT").map(|(_, value)| value.to_owned())
    };
    assert_eq!(attempt(&again).as_deref(), Some("1"));
    bench.fake.answer(&again);
    bench.until(|bench| bench.script().pending() == 0);
    assert_eq!(told(&bench, json!({})), (3, "no event was put aside".into()));
    bench.ends_with(1, 0, true);
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let bench = Bench::new(&[TOLD], 1);
    let refused = |arguments, reason| {
        let (result, text) = told(&bench, arguments);
        assert!(result == 1 && text.contains(reason), "{text}");
    };
    refused(json!(null), "there is no spool");
    refused(json!({"script": bench.socket()}), "there is no spool");
    refused(json!({"script": "/no/script"}), "there is no script \"/no/script\"");
    for arguments in [json!({"scripts": "x"}), json!({"script": 7}), json!([]), json!("IT")] {
        refused(arguments, "the arguments are wrong");
    }
}
