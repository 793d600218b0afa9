//! Events whose handler has died over them: who is given them again, and how often.

use std::sync::mpsc::Sender;

use super::*;

#[test]
fn what_nobody_waits_for_is_handled_again_in_its_turn() {
    let mut bench = Bench::new(&[TOLD], 2);
    let line = bench.hold("a");
    bench.post_all(["a", "b"]);
    let other = bench.fake.line();
    assert_eq!(other.who(), "b");
    bench.fake.close(line.lane);
    bench.until(|bench| !bench.said(messages::LANE_LOST).is_empty());
    bench.fake.answer(&other);
    let again = bench.fake.line();
    assert_eq!((again.event.seq, again.lane), (line.event.seq, other.lane));
    bench.fake.answer(&again);
    assert_eq!(bench.one_by_one(1), [format!("a {TOLD}")]);
    bench.ends_with(0, 0, true);
}

#[test]
fn it_is_given_up_after_three_deaths() {
    let reads: [fn(&mut Fake) -> usize; 3] = [
        |fake| fake.line().lane,
        Fake::unread,
        |fake| {
            let lane = fake.unread();
            fake.read_bytes(lane, 10);
            lane
        },
    ];
    for read in reads {
        let mut bench = Bench::new(&[TOLD], 4);
        bench.post("a");
        for death in 1..=3 {
            let lane = read(&mut bench.fake);
            if death == 1 {
                bench.post("a");
            }
            assert_eq!(bench.said(messages::EVENT_LOST), [""; 0]);
            bench.fake.close(lane);
        }
        assert_eq!(bench.one_by_one(1), [format!("a {TOLD}")], "the one behind it");
        bench.ends_with(1, 0, true);
        let said = bench.said(messages::EVENT_LOST);
        assert_eq!(said, [format!("{TOLD} the server hung up 3 times over this event")]);
    }
}

#[test]
fn the_only_lane_is_made_anew_each_time() {
    let mut bench = Bench::ahead(8, 1);
    let line = bench.hold("a");
    bench.fake.close(line.lane);
    for _ in 2..=3 {
        bench.fake.take();
        let again = bench.fake.line();
        assert_eq!(again.event.seq, line.event.seq);
        bench.fake.close(again.lane);
    }
    bench.fake.take();
    bench.post("b");
    assert_eq!(bench.one_by_one(1), [format!("b {TOLD}")]);
    bench.ends_with(1, 0, true);
}

/// Hands over an event that Kea waits for; its deaths end with this verdict.
fn dies(on_failure: &str, point: &str, deaths: usize, die: impl Fn(&mut Fake)) -> Step {
    let mut bench = Bench::with(&[WAIT, PARK], 4, json!({"on-failure": on_failure}));
    let waiting = bench.event(point, "a");
    (0..deaths).for_each(|_| die(&mut bench.fake));
    let step = waiting.step();
    bench.ends_with(1, 0, true);
    bench.fake.has_no_more();
    step
}

#[test]
fn what_kea_waits_for_fails_at_once_once_it_was_read() {
    for point in [WAIT, PARK] {
        let step = dies("drop", point, 1, |fake| {
            let line = fake.line();
            fake.close(line.lane);
        });
        assert_eq!(step, Step::Drop);
    }
}

#[test]
fn what_kea_waits_for_has_three_lanes_if_it_is_not_read_to_its_end() {
    for point in [WAIT, PARK] {
        for bytes in [0, 10] {
            let step = dies("drop", point, 3, |fake| {
                let lane = fake.unread();
                fake.read_bytes(lane, bytes);
                fake.close(lane);
            });
            assert_eq!(step, Step::Drop);
        }
    }
}

#[test]
fn what_kea_waits_for_is_answered_by_the_next_lane_if_it_was_not_read() {
    for point in [WAIT, PARK] {
        let mut bench = Bench::with(&[WAIT, PARK], 3, json!({"answers": true, "on-failure": "continue"}));
        let waiting = bench.event(point, "a");
        let lane = bench.fake.unread();
        bench.fake.close(lane);
        let line = bench.fake.line();
        assert_ne!(line.lane, lane);
        bench.fake.answer_with(&line, json!({"next": "drop"}));
        assert_eq!(waiting.step(), Step::Drop);
        bench.ends_with(0, 0, true);
    }
}

#[test]
fn the_next_lane_has_what_is_left_of_the_time() {
    let mut bench = Bench::new(&[WAIT], 2);
    let asked = bench.ask("a");
    let lane = bench.fake.unread();
    assert_eq!(bench.event_within(30, WAIT, "a").step(), Step::Continue);
    bench.fake.close(lane);
    let line = bench.fake.line();
    assert!((1..=60_000 - 30).contains(&line.event.timeout), "{}", line.event.timeout);
    bench.fake.answer(&line);
    go_on([asked]);
}

/// Keeps the worker from seeing to lanes, until what is returned is dropped.
fn worker_is_busy(bench: &mut Bench) -> Sender<()> {
    let (gate, shut) = channel::<()>();
    let (sender, busy) = channel();
    let task = bench.task(PARK, "p");
    let then = move |_| {
        sender.send(()).unwrap();
        let _ = shut.recv();
    };
    bench.script().park(task, Box::new(then));
    let line = bench.fake.line();
    bench.fake.answer(&line);
    busy.recv_timeout(PATIENCE).unwrap();
    gate
}

#[test]
fn lanes_that_were_closed_before_count_for_nothing() {
    let mut bench = Bench::new(&[WAIT, PARK], 6);
    let gate = worker_is_busy(&mut bench);
    bench.fake.close_all();
    let asked = bench.ask("a");
    // All of them are free for it: nobody else has seen that they are closed.
    bench.until(|bench| bench.script().pending() == 2);
    drop(gate);
    bench.fake.take();
    let line = bench.fake.line();
    assert_eq!(line.who(), "a");
    bench.fake.answer(&line);
    go_on([asked]);
    bench.ends_with(0, 0, true);
}
