//! Which events of a script are marked, and when they are to come again.

use std::os::fd::AsFd;
use std::thread;

use nix::sys::signal::{SigSet, Signal, raise};

use super::*;
use crate::spool::{Place, Spool, State};
use crate::verdict::{Level, LogLine, Next};

/// A spool in the directory of a bench, with events that are numbered from 1.
pub struct Spooled {
    pub spool: Spool,
    places: Vec<Place>,
}

impl Spooled {
    pub fn new(bench: &Bench, events: u64) -> Spooled {
        let spool = Spool::open(&bench.directory.join("spool"), 1 << 30).unwrap().spool;
        let append = |seq| {
            let place = spool.writer().unwrap().append(seq, "text").unwrap();
            // As the library does before it sends the event.
            spool.mark(place, seq, State::Sent(1)).unwrap();
            place
        };
        let places = (1..=events).map(append).collect();
        Spooled { spool, places }
    }

    /// Where it is marked.
    pub fn marking(&self) -> Arc<Marking> {
        let marking = Arc::<Marking>::default();
        marking.begin(self.spool.path().into(), Some(self.spool.at_work().as_fd().try_clone_to_owned().unwrap()));
        marking
    }

    /// The event of this number, as the library sends it: it does not wait.
    pub fn event(&self, seq: u64) -> Event {
        let at = Some(self.places[seq as usize - 1].number());
        Event { seq, at, wait: false, ..event(10_000, &[]) }
    }

    /// Numbers of the events that are marked as done.
    pub fn done(&self) -> Vec<u64> {
        let is_done = |(place, seq): &(&Place, u64)| self.spool.state(**place, *seq).unwrap() == State::Done;
        self.places.iter().zip(1..).filter(is_done).map(|(_, seq)| seq).collect()
    }
}

/// The answer to one event of a script, and whether it was marked.
fn outcome(body: &str, change: impl FnOnce(&mut Event)) -> (Answer, bool) {
    let bench = Bench::shell(body);
    handled(&bench, change)
}

fn handled(bench: &Bench, change: impl FnOnce(&mut Event)) -> (Answer, bool) {
    let spooled = Spooled::new(bench, 2);
    let mut event = spooled.event(2);
    change(&mut event);
    let answer = load(&bench.script(), &[], spooled.marking()).handle(&event, Instant::now());
    let done = spooled.done();
    assert!(done.is_empty() || done == [2]);
    (answer, !done.is_empty())
}

/// Does something where this process seems to have been told to end: the signal waits for this thread alone.
pub fn told_to_end<T: Send>(body: impl FnOnce() -> T + Send) -> T {
    let body = || {
        SigSet::all().thread_set_mask().unwrap();
        raise(Signal::SIGTERM).unwrap();
        body()
    };
    thread::scope(|scope| scope.spawn(body).join().unwrap())
}

#[test]
fn whatever_settles_an_event_marks_it() {
    for body in ["exit 0", "exit 3", "exit 143", "ulimit -c 0; kill -SEGV $$", "kill -TERM $$", "exec sleep 60"] {
        let (answer, is_marked) = outcome(body, |event| event.timeout = 1000);
        assert_eq!((is_marked, answer.again), (true, None), "{body}: {answer:?}");
        assert!(answer.next.is_some() != answer.failure.is_some(), "{body}: {answer:?}");
    }
    let (answer, is_marked) = outcome("exit 0", |event| event.timeout = 0);
    assert_eq!((is_marked, answer.failure.unwrap().kind), (true, FailureKind::Timeout));
    let (answer, is_marked) = handled(&Bench::new(), |_| {});
    assert_eq!((is_marked, answer.failure.unwrap().kind), (true, FailureKind::Start));
}

#[test]
fn the_mark_is_there_before_the_answer() {
    let bench = Bench::shell("exit 0");
    let spooled = Spooled::new(&bench, 50);
    let script = load(&bench.script(), &[], spooled.marking());
    let runner = Runner { handler: Handler::Script(script), marking: Arc::default() };
    thread::scope(|scope| {
        let mut lane = Peer::lane(scope, &runner);
        for seq in 1..=50 {
            lane.send(&spooled.event(seq));
            assert_eq!(lane.answer().unwrap().seq, seq);
            assert_eq!(spooled.done(), (1..=seq).collect::<Vec<_>>());
        }
    });
}

#[test]
fn status_75_is_try_later_where_kea_does_not_wait() {
    let (answer, is_marked) = outcome("echo said; exit 75", |_| {});
    assert_eq!((texts(&answer), is_marked), (vec!["said"], false));
    assert_eq!((answer.again, answer.next, answer.failure), (Some(0.0), None, None));
    let (answer, is_marked) = outcome("exit 75", |event| event.wait = true);
    assert_eq!((texts(&answer), is_marked), (vec!["exit status 75"], true));
    assert_eq!((answer.again, answer.next), (None, Some(Next::Continue)));
    let (answer, _) = outcome("exit 75", |event| (event.wait, event.answers) = (true, true));
    assert_failure(&answer, FailureKind::Exit, "exit status 75");
}

#[test]
fn once_we_are_told_to_end_only_success_counts() {
    for body in ["echo said; exit 3", "echo said; exit 143", "echo said; kill -TERM $$", "echo said; exec sleep 60"] {
        let (answer, is_marked) = told_to_end(|| outcome(body, |event| event.timeout = 1000));
        assert_eq!((is_marked, answer.again, answer.next), (false, Some(0.0), None), "{body}: {answer:?}");
        assert_eq!((texts(&answer)[0], &answer.failure), ("said", &None));
        let (answer, is_marked) = told_to_end(|| {
            let in_time = |event: &mut Event| (event.wait, event.timeout) = (true, 1000);
            outcome(body, in_time)
        });
        assert_eq!((is_marked, answer.again), (false, None));
        assert!(answer.next.is_some() != answer.failure.is_some(), "{body}: {answer:?}");
    }
    let (answer, is_marked) = told_to_end(|| outcome("exit 0", |_| {}));
    assert_eq!((is_marked, answer.again, answer.next), (true, None, Some(Next::Continue)));
}

#[test]
fn lines_that_are_unread_when_the_library_ends_are_handled_and_marked() {
    let bench =
        Bench::shell("[ -e \"$0.go\" ] || { touch \"$0.started\"; while [ ! -e \"$0.go\" ]; do sleep 0.01; done; }");
    let spooled = Spooled::new(&bench, 40);
    let script = load(&bench.script(), &[], spooled.marking());
    let runner = Runner { handler: Handler::Script(script), marking: Arc::default() };
    thread::scope(|scope| {
        let mut lane = Peer::lane(scope, &runner);
        (1..=40).for_each(|seq| lane.send(&spooled.event(seq)));
        lane.write("{\"seq\":41,");
        assert!(until(|| bench.directory.join("script.started").exists()));
        drop(lane);
        fs::write(bench.directory.join("script.go"), "").unwrap();
    });
    assert_eq!(spooled.done(), (1..=40).collect::<Vec<_>>());
}

#[test]
fn an_answer_that_is_unread_when_the_library_ends_costs_no_line() {
    let bench = Bench::shell("exit 0");
    let spooled = Spooled::new(&bench, 3);
    let script = load(&bench.script(), &[], spooled.marking());
    let runner = Runner { handler: Handler::Script(script), marking: Arc::default() };
    thread::scope(|scope| {
        let mut lane = Peer::lane(scope, &runner);
        (1..=3).for_each(|seq| lane.send(&spooled.event(seq)));
        assert!(until(|| !spooled.done().is_empty()));
    });
    assert_eq!(spooled.done(), [1, 2, 3]);
}

#[test]
fn nothing_is_marked_that_the_library_has_not_asked_for() {
    let bench = Bench::shell("exit 0");
    let spooled = Spooled::new(&bench, 1);
    let without_an_order = bench.load().handle(&spooled.event(1), Instant::now());
    let without_a_place = Event { at: None, ..spooled.event(1) };
    let without_a_place = load(&bench.script(), &[], spooled.marking()).handle(&without_a_place, Instant::now());
    for answer in [without_an_order, without_a_place] {
        assert_eq!((answer.next, &*answer.log), (Some(Next::Continue), &[][..]));
    }
    assert!(spooled.done().is_empty());
}

#[test]
fn marks_that_cannot_be_made_are_said_once_and_do_no_harm() {
    let bench = Bench::shell("exit 0");
    let spooled = Spooled::new(&bench, 2);
    let script = load(&bench.script(), &[], spooled.marking());
    let said = |event: Event| {
        let answer = script.handle(&event, Instant::now());
        assert_eq!(answer.next, Some(Next::Continue));
        answer.log
    };
    let gone = |seq| Event { seq, ..spooled.event(1) };
    let line = LogLine::new(Level::Warn, "its mark: its record is there no more");
    assert_eq!(
        [said(gone(7)), said(gone(8)), said(spooled.event(2)), said(gone(9))],
        [vec![line.clone()], vec![], vec![], vec![line]]
    );
    assert_eq!(said(Event { at: Some(u64::MAX), ..spooled.event(1) }), []);
    assert_eq!(spooled.done(), [2]);
}

#[test]
fn the_latest_directory_counts_and_all_locks_are_held() {
    let (one, other) = (Bench::shell("exit 0"), Bench::shell("exit 0"));
    let (first, second) = (Spooled::new(&one, 1), Spooled::new(&other, 1));
    let runner = Runner { handler: Handler::Script(one.load()), marking: first.marking() };
    let (control, _library) = crate::control::pair().unwrap();
    let lock = |spooled: &Spooled| spooled.spool.at_work().as_fd().try_clone_to_owned().unwrap();
    thread::scope(|scope| {
        let order = crate::control::Order::Spool(second.spool.path().into());
        runner.heed(scope, &control, order, vec![lock(&second)]);
    });
    let done = [&first, &second].map(|spooled| {
        assert_eq!(runner.marking.done(1), None);
        spooled.done()
    });
    assert_eq!(done, [vec![], vec![1]]);
    for (bench, spooled) in [(&one, first), (&other, second)] {
        drop(spooled);
        let next = Spooled::new(bench, 0);
        assert!(next.spool.others_at_work());
    }
    drop(runner);
    for bench in [&one, &other] {
        // Tests beside us may be starting programs, which hold copies for a moment.
        let next = Spooled::new(bench, 0);
        assert!(until(|| !next.spool.others_at_work()));
    }
}
