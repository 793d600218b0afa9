//! Events in the spool: they are there before their callout returns, and until they are over.

use std::fs;
use std::path::PathBuf;

use super::*;

/// A bench whose events are kept, and what its server is told of each: the id, the try, and whom it is about.
fn spooling(lanes: usize, parameters: Value) -> Bench {
    let mut bench = Bench::idle();
    open(&mut bench, lanes, parameters);
    bench
}

fn open(bench: &mut Bench, lanes: usize, mut parameters: Value) {
    parameters["spool"] = json!(bench.directory.join("spool"));
    bench.start(&[TOLD], lanes, parameters, &mut None);
    bench.script().open_spool().unwrap();
}

/// Kea ends, and starts again.
fn restart(bench: &mut Bench, lanes: usize) {
    bench.stop().unwrap().abandon();
    bench.fake.close_all();
    open(bench, lanes, json!({}));
}

fn said(line: &Line) -> (String, String) {
    let var = |wanted: &str| line.event.vars.iter().find(|(name, _)| *name == wanted).unwrap().1.to_owned();
    (var("KEA_EVENT_ID"), var("KEA_EVENT_ATTEMPT"))
}

fn segments(bench: &Bench) -> Vec<PathBuf> {
    let own = fs::read_dir(bench.directory.join("spool")).unwrap().next().unwrap().unwrap().path();
    let names = fs::read_dir(own).unwrap().map(|entry| entry.unwrap().path());
    let mut segments: Vec<_> = names.filter(|path| path.extension().is_some_and(|end| end == "v1")).collect();
    segments.sort();
    segments
}

#[test]
fn what_is_pending_goes_on_at_the_next_start_in_its_order() {
    let mut bench = spooling(1, json!({}));
    let held = bench.hold("a");
    bench.post_all(["ab", "c", "b"]);
    assert_eq!((bench.script().spooled(), bench.script().pending()), (4, 4));
    restart(&mut bench, 1);
    let again = bench.fake.line();
    let (id, attempt) = said(&again);
    assert_eq!((&id, &*attempt), (&said(&held).0, "2"));
    assert_eq!((again.event.seq, again.event.time, again.who()), (held.event.seq, held.event.time, "a".into()));
    bench.fake.answer(&again);
    let rest: Vec<Line> = (0..3)
        .map(|_| {
            let line = bench.fake.line();
            bench.fake.answer(&line);
            line
        })
        .collect();
    assert_eq!(rest.iter().map(Line::who).collect::<Vec<_>>(), ["ab", "c", "b"]);
    assert!(rest.iter().all(|line| said(line).1 == "1"));
    bench.ends_with(0, 0, false);
    assert!(segments(&bench).is_empty(), "nothing is left of what is over");
}

#[test]
fn what_is_over_does_not_come_again() {
    let mut bench = spooling(1, json!({}));
    let held = bench.hold("a");
    bench.post("b");
    bench.fake.answer(&held);
    let line = bench.fake.line();
    restart(&mut bench, 1);
    assert_eq!(bench.one_by_one(1), [format!("b {TOLD}")]);
    bench.ends_with(0, 0, false);
    drop(line);
}

#[test]
fn more_than_the_queue_takes_stay_in_the_spool_and_in_order() {
    let mut bench = spooling(1, json!({}));
    let held = bench.hold("h");
    let clients: Vec<String> = (0..50).map(|n| char::from(b'a' + n % 7).to_string()).collect();
    clients.iter().for_each(|client| bench.post(client));
    assert_eq!(bench.script().spooled(), 51);
    bench.fake.answer(&held);
    assert_eq!(bench.one_by_one(50), clients.iter().map(|client| format!("{client} {TOLD}")).collect::<Vec<_>>());
    bench.post("z");
    assert_eq!(bench.one_by_one(1), [format!("z {TOLD}")]);
    bench.ends_with(0, 0, false);
}

#[test]
fn a_backlog_of_before_comes_before_what_is_new() {
    let mut bench = spooling(1, json!({}));
    bench.hold("h");
    (0..30).for_each(|_| bench.post("a"));
    restart(&mut bench, 1);
    let held = bench.fake.line();
    bench.post("a");
    bench.fake.answer(&held);
    let all: Vec<u64> = (0..31)
        .map(|_| {
            let line = bench.fake.line();
            bench.fake.answer(&line);
            line.event.seq
        })
        .collect();
    assert!(all.is_sorted(), "{all:?}");
    bench.ends_with(0, 0, false);
}

#[test]
fn an_event_that_is_to_be_tried_later_holds_its_keys_and_no_lane() {
    let mut bench = spooling(2, json!({}));
    let (held, other) = (bench.hold("a"), bench.hold("b"));
    bench.post("a");
    bench.fake.answer_with(&held, json!({"again": 0.2}));
    let line = bench.hold("c");
    bench.fake.answer_all([&line, &other]);
    let again = bench.fake.line();
    assert_eq!((said(&again), again.who()), ((said(&held).0, "2".into()), "a".into()));
    bench.fake.answer(&again);
    assert_eq!(bench.one_by_one(1), [format!("a {TOLD}")]);
    assert_eq!(bench.script().counters().deferred.load(Ordering::Relaxed), 1);
    bench.ends_with(0, 0, false);
}

#[test]
fn a_spool_that_is_full_costs_no_event() {
    let mut bench = spooling(1, json!({"spool-limit": 16}));
    let held = bench.hold("h");
    for _ in 0..200 {
        bench.hand_over(bench.task_of(TOLD, facts("a", 60_000)));
    }
    let unspooled = bench.script().counters().unspooled.load(Ordering::Relaxed);
    assert!((1..200).contains(&unspooled), "{unspooled}");
    assert_eq!(bench.said(messages::SPOOL_FULL).len(), 1);
    bench.fake.answer(&held);
    assert_eq!(bench.one_by_one(200), vec![format!("a {TOLD}"); 200]);
    bench.ends_with(0, 0, false);
}

#[test]
fn damage_costs_what_it_touches_and_is_said_once() {
    let mut bench = spooling(1, json!({}));
    bench.hold("a");
    bench.post_all(["b", "c"]);
    bench.stop().unwrap().abandon();
    bench.fake.close_all();
    let segment = segments(&bench).remove(0);
    let mut bytes = fs::read(&segment).unwrap();
    let b = bytes.windows(9).position(|bytes| bytes == b"\"\",\"62\"],").unwrap();
    bytes[b + 5] = b'3';
    fs::write(&segment, bytes).unwrap();
    open(&mut bench, 1, json!({}));
    assert_eq!(bench.one_by_one(2), ["a", "c"].map(|client| format!("{client} {TOLD}")));
    assert_eq!(bench.said(messages::SPOOL_DAMAGED).len(), 1);
    bench.ends_with(0, 0, false);
}

#[test]
fn what_is_too_old_is_dropped() {
    let mut bench = spooling(1, json!({}));
    bench.hold("a");
    bench.post("b");
    bench.stop().unwrap().abandon();
    bench.fake.close_all();
    std::thread::sleep(Duration::from_millis(1100));
    open(&mut bench, 1, json!({"spool-max-age": 1}));
    bench.post("c");
    assert_eq!(bench.one_by_one(1), [format!("c {TOLD}")]);
    bench.until(|bench| bench.script().pending() == 0);
    assert_eq!(bench.script().counters().dropped.load(Ordering::Relaxed), 2);
}

#[test]
fn a_spool_that_another_server_uses_is_not_opened() {
    let bench = spooling(1, json!({}));
    let mut other = Bench::idle();
    other.directory = bench.directory.clone();
    let config =
        config(&bench.socket(), &[TOLD], 1, json!({"required": false, "spool": bench.directory.join("spool")}));
    let mut fake_is_taken = bench;
    let script = std::thread::scope(|scope| {
        let starting = scope.spawn(|| Script::start(config, &server(), &mut None).unwrap());
        fake_is_taken.fake.take();
        starting.join().unwrap()
    });
    let refused = script.open_spool().unwrap_err();
    assert!(refused.contains("another server uses it"), "{refused}");
    script.stop();
}
