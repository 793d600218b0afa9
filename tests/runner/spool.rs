//! What is marked in the library's spool, and what is said, when the library is gone.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use kea_hook_runscript::event::Event;
use kea_hook_runscript::spool::{Place, Spool, State};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::bench::{Bench, wait_until};
use crate::daemon::{LONG, daemon, is_gone, pid};
use crate::library::event;

const WAIT: &str = "touch started; while [ ! -e go ]; do sleep 0.01; done";

/// A spool with so many events, numbered from 1.
struct Spooled {
    spool: Spool,
    places: Vec<Place>,
}

impl Spooled {
    fn new(bench: &Bench, events: u64) -> Spooled {
        let spool = open(&bench.file("spool"));
        let append = |seq| {
            let place = spool.writer().unwrap().append(seq, "text").unwrap();
            // As the library does before it sends the event.
            spool.mark(place, seq, State::Sent(1)).unwrap();
            place
        };
        let places = (1..=events).map(append).collect();
        Spooled { spool, places }
    }

    fn event(&self, seq: u64) -> Event {
        Event { at: Some(self.places[seq as usize - 1].number()), ..event(seq, "a") }
    }

    fn done(&self) -> Vec<u64> {
        let is_done = |(place, seq): &(&Place, u64)| self.spool.state(**place, *seq).unwrap() == State::Done;
        self.places.iter().zip(1..).filter(is_done).map(|(_, seq)| seq).collect()
    }
}

fn open(path: &Path) -> Spool {
    Spool::open(path, 1 << 30).unwrap().spool
}

#[test]
fn a_script_finishes_what_was_sent_and_it_is_marked() {
    let bench = Bench::shell(&format!("{WAIT}; echo said; [ $KEA_QUERY4_TRANSACTION_ID != 3 ] || exit 75"));
    let spooled = Spooled::new(&bench, 5);
    let runner = bench.start();
    runner.spool(&spooled.spool);
    let mut lanes = [runner.lane(), runner.lane()];
    (1..=4).for_each(|seq| lanes[seq as usize % 2].write(&spooled.event(seq)));
    wait_until(|| bench.file("started").exists());
    drop(lanes);
    bench.touch("go");
    let script = bench.file("script");
    assert_eq!(runner.end(), format!("kea-runscript-runner: {}: said\n", script.display()).repeat(4));
    assert_eq!(spooled.done(), [1, 2, 4]);
}

#[test]
fn a_stop_of_the_whole_unit_marks_success_alone() {
    let pids = "echo $$ > self.new; mv self.new self; echo $PPID > parent.new; mv parent.new parent";
    for (status, done) in [("0", vec![1]), ("1", vec![]), ("143", vec![])] {
        let bench = Bench::shell(&format!("trap 'exit {status}' TERM; {pids}; {WAIT}"));
        let spooled = Spooled::new(&bench, 1);
        let runner = bench.start();
        runner.spool(&spooled.spool);
        let mut lane = runner.lane();
        lane.write(&spooled.event(1));
        for name in ["parent", "self"] {
            kill(Pid::from_raw(pid(&bench, name)), Signal::SIGTERM).unwrap();
        }
        let answer = lane.answer().unwrap();
        assert_eq!((answer.again, spooled.done()), (done.is_empty().then_some(0.0), done), "{status}");
        drop(lane);
        assert_eq!(runner.end(), "");
    }
}

#[test]
fn a_script_that_a_stop_reaches_before_its_runner_is_not_marked() {
    let pids = "echo $$ > self.new; mv self.new self; echo $PPID > parent.new; mv parent.new parent";
    let bench = Bench::shell(&format!("{pids}; exec sleep 600"));
    let spooled = Spooled::new(&bench, 1);
    let runner = bench.start();
    runner.spool(&spooled.spool);
    let mut lane = runner.lane();
    lane.write(&spooled.event(1));
    let (parent, script) = (pid(&bench, "parent"), pid(&bench, "self"));
    kill(Pid::from_raw(script), Signal::SIGTERM).unwrap();
    wait_until(|| is_gone(script));
    // Nothing shows how far the runner is with that.
    thread::sleep(Duration::from_millis(30));
    kill(Pid::from_raw(parent), Signal::SIGTERM).unwrap();
    assert_eq!((lane.answer().unwrap().again, spooled.done()), (Some(0.0), vec![]));
}

#[test]
fn a_runner_is_at_work_until_its_end_and_what_a_script_leaves_running_is_not() {
    let bench = Bench::shell(&format!("sleep 600 & echo $! > pid; {WAIT}"));
    let spooled = Spooled::new(&bench, 1);
    let runner = bench.start();
    runner.spool(&spooled.spool);
    let mut lane = runner.lane();
    lane.write(&spooled.event(1));
    let left_running = Pid::from_raw(pid(&bench, "pid"));
    drop((lane, spooled));
    let next = open(&bench.file("spool"));
    assert!(next.others_at_work());
    bench.touch("go");
    assert_eq!(runner.end(), "");
    assert!(!next.others_at_work());
    kill(left_running, Signal::SIGKILL).unwrap();
}

#[test]
fn a_daemon_finishes_what_it_has_and_it_is_marked() {
    let bench = daemon(&format!("{WAIT}; [ $seq != 3 ] || {{ echo '{{\"seq\":3,\"again\":9}}'; continue; }}"));
    let spooled = Spooled::new(&bench, 5);
    let runner = bench.start_daemon(LONG);
    runner.spool(&spooled.spool);
    let mut lane = runner.daemon(1);
    (1..=4).for_each(|seq| lane.write(&spooled.event(seq)));
    wait_until(|| bench.file("started").exists());
    runner.die_with(lane, || bench.touch("go"));
    assert_eq!(spooled.done(), [1, 2, 4]);
}

#[test]
fn what_is_said_without_the_library_is_so_many_lines_of_printable_text() {
    let words = "printf '{\"seq\":%s,%s}\\n' $seq \"$(cat words.$seq)\"; continue";
    let bench = daemon(&format!("{WAIT}; {words}"));
    let line = r#"{"level":"info","text":"hm"}"#;
    fs::write(bench.file("words.1"), format!(r#""log":[{}]"#, vec![line; 5000].join(","))).unwrap();
    let hostile = format!("a\u{202e}b\u{2028}c {}", "x".repeat(100_000));
    fs::write(bench.file("words.2"), format!(r#""failure":{{"kind":"exit","text":"{hostile}"}}"#)).unwrap();
    let runner = bench.start_daemon(LONG);
    let mut lane = runner.daemon(1);
    [1, 2].into_iter().for_each(|seq| lane.write(&event(seq, "a")));
    wait_until(|| bench.file("started").exists());
    let said = runner.die_with(lane, || bench.touch("go"));
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 102, "{said}");
    assert!(lines[99].ends_with(": hm") && lines[100].ends_with(": 4900 more lines of output left out"));
    let (_, text) = lines[101].split_once(" has failed: ").unwrap();
    assert!(text.starts_with(r"a\xe2\x80\xaeb\xe2\x80\xa8c xxx") && text.ends_with("xxx..."), "{text}");
    assert_eq!(text.len(), 1000);
}

#[test]
fn a_daemon_that_is_not_to_be_heard_out_says_why() {
    let bench = daemon(&format!("{WAIT}; case $seq in 1) :;; 2) echo hm; exec sleep 600;; esac"));
    let runner = bench.start_daemon(LONG);
    let mut lane = runner.daemon(1);
    [1, 2].into_iter().for_each(|seq| lane.write(&event(seq, "a")));
    wait_until(|| bench.file("started").exists());
    let said = runner.die_with(lane, || bench.touch("go"));
    assert!(said.ends_with("print to standard error; nothing more of it counts\n"), "{said}");

    let bench = daemon(&format!("{WAIT}; exec sleep 600"));
    let runner = bench.start_daemon(100);
    let mut lane = runner.daemon(1);
    lane.write(&event(1, "a"));
    wait_until(|| bench.file("started").exists());
    let said = runner.die_with(lane, || bench.touch("go"));
    let script = bench.file("script");
    assert_eq!(said, format!("kea-runscript-runner: {}: no answer within 100 ms; it is stopped\n", script.display()));
}
