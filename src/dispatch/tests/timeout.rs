//! Events whose time is over.

use super::*;

#[test]
fn kea_waits_no_longer_than_the_time_out() {
    for (on_failure, step) in [("continue", Step::Continue), ("drop", Step::Drop)] {
        let mut bench = Bench::with(&[WAIT, PARK], 3, json!({"on-failure": on_failure}));
        let (asked, parked) = (bench.event_within(SHORT, WAIT, "a"), bench.event_within(SHORT, PARK, "b"));
        let lines = bench.fake.lines(2);
        assert!(lines.iter().all(|line| line.event.timeout <= SHORT));
        assert_eq!((asked.step(), parked.step()), (step, step));
        bench.until(|bench| bench.counts() == [2, 2]);
        let said = bench.said(messages::EVENT_FAILED);
        assert!(said.iter().all(|text| text.contains("no answer within 200 ms")), "{said:?}");
        assert!(said.iter().all(|text| text.ends_with(on_failure)), "{said:?}");
    }
}

#[test]
fn time_in_the_queue_counts_where_kea_waits() {
    let mut bench = Bench::new(&[WAIT, PARK], 2);
    let held = [bench.ask("h"), bench.ask_behind(1, "i")];
    let lines = bench.fake.lines(2);
    let (asked, parked) = (bench.event_within(30, WAIT, "a"), bench.event_within(30, PARK, "b"));
    go_on([asked, parked]);
    bench.fake.answer_all(&lines);
    go_on(held);
    bench.ends_with(2, 2, false);
    bench.fake.has_no_more();
    let said = bench.said(messages::EVENT_FAILED);
    assert!(said.len() == 2 && said.iter().all(|text| text.contains("its turn did not come within 30 ms")), "{said:?}");
}

#[test]
fn the_line_says_what_is_left() {
    for point in [WAIT, PARK] {
        let mut bench = Bench::new(&[WAIT, PARK], 1);
        let held = bench.ask("h");
        let line = bench.fake.line();
        let waiting = bench.event(point, "a");
        bench.until(|bench| bench.script().pending() == 2);
        go_on([bench.event_within(30, WAIT, "b")]);
        bench.fake.answer(&line);
        let line = bench.fake.line();
        assert!((1..=60_000 - 30).contains(&line.event.timeout), "{}", line.event.timeout);
        bench.fake.answer(&line);
        go_on([held, waiting]);
    }
}

#[test]
fn time_in_the_queue_is_not_given_again_on_a_lane() {
    let mut bench = Bench::new(&[WAIT], 2);
    let _held = bench.ask("h");
    let line = bench.fake.line();
    let waiting = bench.event_within(400, WAIT, "h");
    let longer = bench.event_within(650, WAIT, "i");
    go_on([bench.event_within(300, WAIT, "h")]);
    bench.fake.answer(&line);
    go_on([longer]);
    assert!(!waiting.is_waiting());
}

#[test]
fn time_in_the_queue_does_not_count_where_kea_does_not_wait() {
    let mut bench = Bench::new(&[WAIT, TOLD], 1);
    let held = bench.hold("h");
    bench.event_within(50, TOLD, "a");
    assert_eq!(bench.event_within(60, WAIT, "b").step(), Step::Continue);
    let since = Instant::now();
    bench.fake.answer(&held);
    let line = bench.fake.line();
    assert_eq!((line.who(), line.event.timeout), ("a".into(), 50));
    bench.until(|bench| bench.said(messages::EVENT_FAILED).len() == 2);
    assert!(since.elapsed() >= Duration::from_millis(50));
    assert_eq!(bench.counts(), [2, 2]);
    let said = &bench.said(messages::EVENT_FAILED)[1];
    assert!(said.contains("no answer within 50 ms") && said.ends_with("has not waited"), "{said}");
}

#[test]
fn a_parked_packet_goes_on_once() {
    let mut bench = Bench::new(&[PARK], 1);
    let parked = bench.event_within(SHORT, PARK, "a");
    let line = bench.fake.line();
    assert_eq!(parked.step(), Step::Continue);
    bench.fake.answer(&line);
    bench.ends_with(1, 1, false);
    assert!(parked.is_forgotten(), "nobody has another verdict for it");
}

#[test]
fn without_a_handler_kea_does_not_wait_and_the_rest_does() {
    let mut bench = Bench::idle();
    bench.hide_socket();
    bench.start_with(0, &[WAIT, PARK, TOLD], 1, json!({"required": false}), &mut None).unwrap();
    bench.post("a");
    let (asked, parked) = (bench.ask("b"), bench.park("c"));
    go_on([asked, parked]);
    bench.until(|bench| bench.counts() == [2, 0]);
    let (said, why) = (bench.said(messages::EVENT_FAILED), bench.script().down().unwrap());
    assert!(said.iter().all(|text| text.contains(&why) && why.contains("No such file")), "{said:?} {why}");
    bench.show_socket();
    bench.fake.take();
    let line = bench.fake.line();
    assert_eq!(line.who(), "a");
    assert_eq!(bench.script().down(), None);
    bench.fake.answer(&line);
    bench.ends_with(2, 0, false);
}

#[test]
fn a_parked_packet_goes_on_as_soon_as_no_handler_can_be_had() {
    let mut bench = Bench::new(&[PARK], 1);
    // Pauses grow: the second last of 0.4 s, the last of 0.8 s.
    for lane in 0..2 {
        bench.fake.close(lane);
        assert_eq!(bench.fake.take(), lane + 1);
    }
    bench.hide_socket();
    bench.fake.close(2);
    let parked = bench.park("a");
    bench.until(|bench| bench.script().down().is_some());
    let since = Instant::now();
    assert_eq!(parked.step(), Step::Continue);
    assert!(since.elapsed() < Duration::from_millis(500), "{:?}", since.elapsed());
}
