//! How copies of a daemon end, and what goes on after their end.

use std::collections::BTreeSet;
use std::fs;

use kea_hook_runscript::event::Event;
use kea_hook_runscript::verdict::{FailureKind, Next};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::bench::{Bench, wait_until};
use crate::daemon::{LONG, daemon, is_gone, pid, texts};
use crate::library::event;
use crate::process::{children, number, status};

#[test]
fn a_copy_that_is_given_up_is_stopped_at_once() {
    let bench = Bench::shell("trap '' TERM; echo $$ > pid; while :; do sleep 1; done");
    let runner = bench.start_daemon(LONG);
    let (mut copy, other) = (runner.open(1), runner.open(2));
    let pid = pid(&bench, "pid");
    runner.give_up(3);
    for lane in [1, 2] {
        runner.give_up(lane);
    }
    assert_eq!(copy.all(), "");
    wait_until(|| is_gone(pid));
    assert_eq!(runner.reports(), []);
    drop(other);
    assert_eq!(runner.end(), "");
}

#[test]
fn a_copy_can_be_given_up_when_its_lane_is_closed() {
    let bench = Bench::shell("echo $$ > pid; exec sleep 600");
    let runner = bench.start_daemon(LONG);
    let copy = runner.open(1);
    pid(&bench, "pid");
    drop(copy);
    runner.give_up(1);
    assert_eq!(runner.end(), "");
}

#[test]
fn a_copy_may_finish_its_event() {
    let bench = daemon("touch started; while [ ! -e go ]; do sleep 0.01; done; touch finished");
    let runner = bench.start_daemon(LONG);
    let mut copy = runner.copy(1);
    copy.write(&event(17, ""));
    wait_until(|| bench.file("started").exists());
    copy.hang_up();
    bench.touch("go");
    assert_eq!(copy.answer().unwrap().seq, 17);
    assert!(bench.file("finished").exists());
    assert_eq!(copy.all(), "");
    assert_eq!(runner.end(), "");
}

#[test]
fn a_copy_that_does_not_leave_is_stopped() {
    let bench = Bench::shell("echo $$ > pid; exec sleep 600");
    let runner = bench.start_daemon(100);
    let copy = runner.open(1);
    let pid = pid(&bench, "pid");
    drop(copy);
    assert_eq!(runner.end(), "");
    assert!(is_gone(pid));
}

#[test]
fn a_flood_neither_blocks_the_copy_nor_fills_the_memory() {
    const LINES: u64 = 30_000;
    let bench = daemon("echo $PPID > runner; [ $seq = 1 ] || yes \"$(printf '%0900d' 0)\" | head -n 30000 >&2");
    let runner = bench.start_daemon(LONG);
    let mut copy = runner.copy(5);
    copy.run(&event(1, ""));
    let size = || number(&status(pid(&bench, "runner")), "VmRSS");
    let before = size();
    // Nobody reads the reports meanwhile.
    copy.run(&event(2, ""));
    assert!(size() < before + 4 * 1024);
    copy.hang_up();
    assert_eq!(copy.all(), "");
    let said = texts(&runner);
    let count = |text: &str| match text.split_once(" more lines of output left out") {
        Some((count, "")) => count.parse::<u64>().unwrap(),
        _ => 1,
    };
    let reported: u64 = said.iter().map(|(_, text)| count(text)).sum();
    assert!(said.len() < 1000, "{} lines", said.len());
    drop(copy);
    // The runner alone knows of those that its last report had no room for.
    let rest: u64 = runner.end().lines().map(|line| count(line.rsplit(": ").next().unwrap())).sum();
    assert_eq!(reported + rest, LINES);
}

#[test]
fn what_a_copy_has_left_running_does_not_hide_its_end() {
    let bench = daemon("sleep 600 & echo $! > pid; exit 5");
    let runner = bench.start_daemon(LONG);
    let mut copy = runner.copy(5);
    copy.write(&event(1, ""));
    assert_eq!(copy.all(), "");
    assert_eq!(texts(&runner), [(5, "ended with exit status 5".into())]);
    let pid = pid(&bench, "pid");
    assert!(!is_gone(pid), "it may live on");
    kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
}

#[test]
fn copies_die_with_the_runner() {
    let bench = Bench::shell("echo $$ $PPID > pids.new; mv pids.new pids; exec sleep 600");
    let runner = bench.start_daemon(LONG);
    let copy = runner.open(1);
    wait_until(|| bench.file("pids").exists());
    let pids: Vec<i32> = bench.read("pids").split_whitespace().map(|pid| pid.parse().unwrap()).collect();
    kill(Pid::from_raw(pids[1]), Signal::SIGKILL).unwrap();
    wait_until(|| is_gone(pids[0]));
    drop(copy);
}

#[test]
fn the_rest_begins_when_all_copies_have_ended() {
    let bench = daemon(
        "echo \"$seq $line\" >> told; case $seq in 1) touch started; while [ ! -e go ]; do sleep 0.01; done;; esac\n\
         echo $seq >> order",
    );
    let runner = bench.start_daemon(LONG);
    let (mut copy, idle) = (runner.copy(1), runner.copy(2));
    copy.write(&event(1, "a"));
    wait_until(|| bench.file("started").exists());
    let events: Vec<Event> = (2..=60).map(|seq| event(seq, &format!("{} {}", seq % 7, seq % 2))).collect();
    let mut rest = runner.rest(&events);
    copy.hang_up();
    idle.hang_up();
    bench.touch("go");
    let answers: Vec<_> = std::iter::from_fn(|| rest.answer()).collect();
    assert!(answers.iter().all(|answer| answer.next == Some(Next::Skip)));
    assert_eq!(answers.iter().map(|answer| answer.seq).collect::<BTreeSet<_>>(), (2..=60).collect());
    assert_eq!(copy.answer().unwrap().seq, 1);
    let order: Vec<u64> = bench.read("order").lines().map(|seq| seq.parse().unwrap()).collect();
    assert_eq!((order[0], order.len()), (1, 60));
    for key in ["0", "1", "2", "3", "4", "5", "6"] {
        let has_key = |seq: &&u64| events.iter().any(|event| event.seq == **seq && event.keys.iter().any(|k| k == key));
        assert!(order.iter().filter(has_key).is_sorted(), "{key}: {order:?}");
    }
    assert!(bench.read("told").contains("\"keys\":[\"2\",\"0\"]"));
    drop((copy, idle));
    assert_eq!(runner.end(), "");
}

#[test]
fn the_rest_is_worked_off_when_kea_is_gone() {
    let bench = daemon("[ $seq = 0 ] || while [ ! -e gone ]; do sleep 0.01; done; echo $seq >> order; echo said >&2");
    let runner = bench.start_daemon(LONG);
    let mut copy = runner.copy(1);
    let events: Vec<Event> = (1..=20).map(|seq| event(seq, "a")).collect();
    drop(runner.rest(&events));
    copy.run(&event(0, "a"));
    copy.hang_up();
    assert_eq!(copy.all(), "");
    bench.touch("gone");
    runner.end();
    let order: Vec<String> = (0..=20).map(|seq: u32| seq.to_string()).collect();
    assert_eq!(bench.read("order").lines().collect::<Vec<_>>(), order, "a report that is unread does no harm");
}

#[test]
fn what_fails_of_the_rest_when_kea_is_gone_is_said() {
    let bench = daemon("while [ ! -e gone ]; do sleep 0.01; done; [ $seq != 2 ] || exit 3; echo $seq >> order");
    let runner = bench.start_daemon(LONG);
    let mut copy = runner.copy(1);
    drop(runner.rest(&[event(1, "a"), event(2, "a"), event(3, "a")]));
    copy.hang_up();
    assert_eq!(copy.all(), "");
    bench.touch("gone");
    let said = runner.end();
    let script = bench.file("script");
    let failed = format!(
        "kea-runscript: {}: an event has failed: ended with exit status 3, before it answered\n",
        script.display()
    );
    assert!(said.contains(&failed) && said.matches("has failed").count() == 1, "{said}");
    assert_eq!(bench.read("order"), "1\n3\n");
}

#[test]
fn what_is_said_of_the_rest_is_so_many_lines_of_printable_text() {
    let words = "printf '{\"seq\":%s,%s}\\n' $seq \"$(cat words.$seq)\"; continue";
    let bench = daemon(&format!("while [ ! -e gone ]; do sleep 0.01; done; {words}"));
    let line = r#"{"level":"info","text":"hm"}"#;
    fs::write(bench.file("words.1"), format!(r#""log":[{}]"#, vec![line; 5000].join(","))).unwrap();
    let hostile = format!("a\u{202e}b\u{2028}c {}", "x".repeat(100_000));
    fs::write(bench.file("words.2"), format!(r#""failure":{{"kind":"exit","text":"{hostile}"}}"#)).unwrap();
    let runner = bench.start_daemon(LONG);
    let copy = runner.copy(1);
    drop(runner.rest(&[event(1, "a"), event(2, "a")]));
    copy.hang_up();
    bench.touch("gone");
    let said = runner.end();
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 102, "{said}");
    assert!(lines[99].ends_with(": hm") && lines[100].ends_with(": 4900 more lines of output left out"));
    let (_, text) = lines[101].split_once(" has failed: ").unwrap();
    assert!(text.starts_with(r"a\xe2\x80\xaeb\xe2\x80\xa8c xxx") && text.ends_with("xxx..."), "{text}");
    assert_eq!(text.len(), 1000);
}

#[test]
fn a_bad_daemon_fails_the_rest_and_does_not_hold_it_up() {
    let bench = daemon("case $seq in 2) exit 3;; 4) echo nonsense;; 6) sleep 600;; 8) seq=7;; esac");
    let runner = bench.start_daemon(LONG);
    let events: Vec<Event> =
        (1..=9).map(|seq| Event { timeout: if seq == 6 { 300 } else { LONG }, ..event(seq, "a") }).collect();
    let mut rest = runner.rest(&events);
    let answers: Vec<_> = std::iter::from_fn(|| rest.answer()).collect();
    let failures: Vec<_> =
        answers.into_iter().map(|answer| (answer.seq, answer.failure.map(|failure| failure.kind))).collect();
    let (gone, bad, late) = (FailureKind::Gone, FailureKind::Answer, FailureKind::Timeout);
    let expected = [None, Some(gone), None, Some(bad), None, Some(late), None, Some(bad), None];
    assert_eq!(failures, (1..=9).zip(expected).collect::<Vec<_>>());
    assert_eq!(texts(&runner), [(0, "ended with exit status 3".into())]);
    assert_eq!(runner.end(), "");
}

#[test]
fn many_ends_leave_nothing_behind() {
    let bench = daemon("echo $PPID > parent.new; mv parent.new parent; exit 0");
    let runner = bench.start_daemon(LONG);
    let run = |times: u64| {
        for lane in 0..times {
            let mut copy = runner.copy(lane);
            copy.write(&event(1, ""));
            assert_eq!(copy.all(), "");
            assert_eq!(texts(&runner), [(lane, "ended with exit status 0".into())]);
        }
        let pid = pid(&bench, "parent");
        // The first one, and those that hear the library and what copies leave running.
        wait_until(|| number(&status(pid), "Threads") == 3 && children(pid) == 0);
        fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
    };
    assert_eq!(run(5), run(100));
}

/// What a daemon does first, for those who need its runner's pid.
const PARENT: &str = "echo $PPID > parent.new; mv parent.new parent";

#[test]
fn standard_error_that_nobody_reads_holds_nothing_up() {
    let flood = "n=0; while [ $n -lt 200 ]; do printf '%01000d\\n' $n >&2; n=$((n + 1)); done";
    let bench = Bench::shell(&format!("{PARENT}; while read -r line; do :; done; {flood}"));
    let runner = bench.start_daemon(LONG);
    let copy = runner.open(1);
    let pid = pid(&bench, "parent");
    let _unread = runner.leave();
    drop(copy);
    wait_until(|| is_gone(pid));
}

#[test]
fn a_connection_that_cannot_be_taken_is_said() {
    let bench = Bench::shell(&format!("{PARENT}; while read -r line; do :; done"));
    let runner = bench.start_daemon(LONG);
    let copy = runner.open(1);
    let limit = libc::rlimit { rlim_cur: 3, rlim_max: 4096 };
    // SAFETY: it reads `limit` alone.
    let done =
        unsafe { libc::prlimit(pid(&bench, "parent"), libc::RLIMIT_NOFILE, &raw const limit, std::ptr::null_mut()) };
    assert_eq!(done, 0);
    let lanes = [runner.open(2), runner.open(3)];
    let mut refusals = Vec::new();
    wait_until(|| {
        refusals.extend(runner.refusals());
        refusals.len() == lanes.len()
    });
    assert_eq!(refusals.iter().map(|(lane, _)| *lane).collect::<Vec<_>>(), [2, 3]);
    assert!(refusals.iter().all(|(_, why)| why.contains("too many open files")), "{refusals:?}");
    drop((copy, lanes));
    assert_eq!(runner.end(), "");
}
