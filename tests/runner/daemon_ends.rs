//! How daemons end, and what goes on after their end.

use std::fs;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::bench::{Bench, wait_until};
use crate::daemon::{LONG, daemon, is_gone, pid, texts};
use crate::library::event;
use crate::process::{children, number, status};

#[test]
fn an_order_to_stop_is_followed_at_once() {
    let bench = Bench::shell("trap '' TERM; echo $$ > pid; while :; do sleep 1; done");
    let runner = bench.start_daemon(LONG);
    let (mut lane, other) = (runner.open(1), runner.open(2));
    let pid = pid(&bench, "pid");
    runner.stop(3);
    for lane in [1, 2] {
        runner.stop(lane);
    }
    assert_eq!(lane.all(), "");
    wait_until(|| is_gone(pid));
    assert_eq!(runner.reports(), []);
    drop(other);
    assert_eq!(runner.end(), "");
}

#[test]
fn a_daemon_can_be_stopped_when_its_lane_is_closed() {
    let bench = Bench::shell("echo $$ > pid; exec sleep 600");
    let runner = bench.start_daemon(LONG);
    let lane = runner.open(1);
    pid(&bench, "pid");
    drop(lane);
    runner.stop(1);
    assert_eq!(runner.end(), "");
}

#[test]
fn a_daemon_may_finish_its_event() {
    let bench = daemon("touch started; while [ ! -e go ]; do sleep 0.01; done; touch finished");
    let runner = bench.start_daemon(LONG);
    let mut lane = runner.daemon(1);
    lane.write(&event(17, ""));
    wait_until(|| bench.file("started").exists());
    lane.hang_up();
    bench.touch("go");
    assert_eq!(lane.answer().unwrap().seq, 17);
    assert!(bench.file("finished").exists());
    assert_eq!(lane.all(), "");
    assert_eq!(runner.end(), "");
}

#[test]
fn a_daemon_that_does_not_leave_is_stopped() {
    let bench = Bench::shell("echo $$ > pid; exec sleep 600");
    let runner = bench.start_daemon(100);
    let lane = runner.open(1);
    let pid = pid(&bench, "pid");
    drop(lane);
    wait_until(|| is_gone(pid));
    assert_eq!(runner.end(), "");
}

#[test]
fn a_daemon_that_has_nothing_to_answer_is_stopped_soon() {
    let bench = Bench::shell("echo $$ > pid; exec sleep 600");
    for is_told_first in [true, false] {
        let runner = bench.start_daemon(LONG);
        let lane = runner.open(1);
        let pid = pid(&bench, "pid");
        if is_told_first {
            runner.let_go(1);
            drop(lane);
        } else {
            drop(lane);
            runner.let_go(1);
        }
        wait_until(|| is_gone(pid));
        assert_eq!(runner.end(), "");
        fs::remove_file(bench.file("pid")).unwrap();
    }
}

#[test]
fn a_flood_neither_blocks_the_daemon_nor_fills_the_memory() {
    const LINES: u64 = 30_000;
    let bench = daemon("echo $PPID > runner; [ $seq = 1 ] || yes \"$(printf '%0900d' 0)\" | head -n 30000 >&2");
    let runner = bench.start_daemon(LONG);
    let mut lane = runner.daemon(5);
    lane.run(&event(1, ""));
    let size = || number(&status(pid(&bench, "runner")), "VmRSS");
    let before = size();
    // Nobody reads the reports meanwhile.
    lane.run(&event(2, ""));
    assert!(size() < before + 4 * 1024);
    lane.hang_up();
    assert_eq!(lane.all(), "");
    let said = texts(&runner);
    let count = |text: &str| match text.split_once(" more lines of output left out") {
        Some((count, "")) => count.parse::<u64>().unwrap(),
        _ => 1,
    };
    let reported: u64 = said.iter().map(|(_, text)| count(text)).sum();
    assert!(said.len() < 1000, "{} lines", said.len());
    drop(lane);
    // The runner alone knows of those that its last report had no room for.
    let rest: u64 = runner.end().lines().map(|line| count(line.rsplit(": ").next().unwrap())).sum();
    assert_eq!(reported + rest, LINES);
}

#[test]
fn what_a_daemon_has_left_running_does_not_hide_its_end() {
    let bench = daemon("sleep 600 & echo $! > pid; exit 5");
    let runner = bench.start_daemon(LONG);
    let mut lane = runner.daemon(5);
    lane.write(&event(1, ""));
    assert_eq!(lane.all(), "");
    assert_eq!(texts(&runner), [(5, "ended with exit status 5".into())]);
    let pid = pid(&bench, "pid");
    assert!(!is_gone(pid), "it may live on");
    kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
}

#[test]
fn daemons_die_with_the_runner() {
    let bench = Bench::shell("echo $$ $PPID > pids.new; mv pids.new pids; exec sleep 600");
    let runner = bench.start_daemon(LONG);
    let lane = runner.open(1);
    wait_until(|| bench.file("pids").exists());
    let pids: Vec<i32> = bench.read("pids").split_whitespace().map(|pid| pid.parse().unwrap()).collect();
    kill(Pid::from_raw(pids[1]), Signal::SIGKILL).unwrap();
    wait_until(|| is_gone(pids[0]));
    drop(lane);
}

#[test]
fn many_ends_leave_nothing_behind() {
    let bench = daemon("echo $PPID > parent.new; mv parent.new parent; exit 0");
    let runner = bench.start_daemon(LONG);
    let run = |times: u64| {
        for number in 0..times {
            let mut lane = runner.daemon(number);
            lane.write(&event(1, ""));
            assert_eq!(lane.all(), "");
            assert_eq!(texts(&runner), [(number, "ended with exit status 0".into())]);
        }
        let pid = pid(&bench, "parent");
        // The first one, and those that hear the library and what daemons leave running.
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
    let lane = runner.open(1);
    let pid = pid(&bench, "parent");
    let _unread = runner.leave();
    drop(lane);
    wait_until(|| is_gone(pid));
}

#[test]
fn a_connection_that_cannot_be_taken_is_said() {
    let bench = Bench::shell(&format!("{PARENT}; while read -r line; do :; done"));
    let runner = bench.start_daemon(LONG);
    let lane = runner.open(1);
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
    drop((lane, lanes));
    assert_eq!(runner.end(), "");
}
