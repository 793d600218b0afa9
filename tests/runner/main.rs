//! The program `kea-runscript-runner` as the hook library uses it: over real sockets, out of our hands.

mod bench;
mod daemon;
mod daemon_ends;
mod library;
mod process;
mod spool;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use kea_hook_runscript::control;
use kea_hook_runscript::event::Event;
use kea_hook_runscript::verdict::{Level, LogLine, Next};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use bench::{Bench, wait_until};
use library::{Lane, event};
use process::{children, field, number, status};

/// The pid of a runner whose script tells its parent's.
fn pid_of(lane: &mut Lane) -> i32 {
    lane.output().trim().parse().unwrap()
}

#[test]
fn the_environment_is_the_runners_and_the_events_and_nothing_else() {
    let bench = Bench::shell("cat /proc/$$/environ");
    let runner = bench.start();
    let environment =
        "PATH=/usr/bin:/bin|KEA_HOOK_POINT=pkt4_receive|KEA_QUERY4_TYPE=event|KEA_QUERY4_TRANSACTION_ID=1|";
    assert_eq!(runner.lane().output(), environment.replace('|', "\\x00") + "\n");
    assert_eq!(runner.end(), "");
}

#[test]
fn a_script_has_three_descriptors() {
    let bench = Bench::shell("exec ls -l /proc/self/fd");
    let runner = bench.start();
    let _another = runner.lane();
    let listing = runner.lane().output();
    let targets: Vec<&str> = listing.lines().filter_map(|line| line.split(" -> ").nth(1)).collect();
    assert_eq!(targets.len(), 4, "{listing}");
    assert_eq!(targets[0], "/dev/null");
    assert!(targets[1].starts_with("pipe:") && targets[2].starts_with("pipe:"), "{listing}");
    assert!(targets[3].starts_with("/proc/"), "ls itself reads a directory: {listing}");
}

#[test]
fn a_script_has_clean_signals_limits_and_a_group_of_its_own() {
    let bench = Bench::shell("exec cat /proc/self/status /proc/self/limits");
    let runner = bench.start();
    let said = runner.lane().output();
    assert_eq!(field(&said, "SigBlk"), "0000000000000000");
    assert_eq!(field(&said, "SigIgn"), "0000000000000000");
    assert_eq!(field(&said, "NSpgid"), field(&said, "Pid"));
    let limit = said.lines().find(|line| line.starts_with("Max open files")).unwrap();
    assert_eq!(limit.split_whitespace().nth(3), Some("256"));
}

#[test]
fn the_runner_is_nobodys_child_and_deaf_to_signals() {
    let bench = Bench::shell("echo $PPID");
    let runner = bench.start();
    let mut lane = runner.lane();
    let pid = pid_of(&mut lane);
    let seen = status(pid);
    assert_ne!(number(&seen, "PPid"), std::process::id() as i32);
    assert_eq!(number(&seen, "NSsid"), pid);
    assert!(!Path::new(&format!("/proc/{pid}/fd/77")).exists());
    let command_line = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap();
    assert!(command_line.ends_with(&format!("run\0--\0{}\0", bench.file("script").display())), "{command_line:?}");
    for deaf_to in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGPIPE] {
        kill(Pid::from_raw(pid), deaf_to).unwrap();
        assert_eq!(pid_of(&mut lane), pid);
    }
    drop(lane);
    assert_eq!(runner.end(), "");
}

#[test]
fn scripts_die_with_the_runner() {
    let bench = Bench::shell("echo $$ $PPID > pids.new; mv pids.new pids; sleep 600");
    let runner = bench.start();
    let mut lane = runner.lane();
    lane.write(&event(1, "a"));
    wait_until(|| bench.file("pids").exists());
    let pids: Vec<i32> = bench.read("pids").split_whitespace().map(|pid| pid.parse().unwrap()).collect();
    kill(Pid::from_raw(pids[1]), Signal::SIGKILL).unwrap();
    wait_until(|| {
        let script = status(pids[0]);
        script.is_empty() || field(&script, "State").starts_with('Z')
    });
    assert_eq!(lane.answer(), None);
}

#[test]
fn what_kea_no_longer_hears_goes_to_standard_error() {
    let bench = Bench::shell("touch started; while [ ! -e go ]; do sleep 0.01; done; echo too late; exit 3");
    let runner = bench.start();
    let mut lane = runner.lane();
    lane.write(&event(1, ""));
    wait_until(|| bench.file("started").exists());
    drop(lane);
    bench.touch("go");
    let script = bench.file("script");
    let expected =
        ["too late", "exit status 3"].map(|text| format!("kea-runscript-runner: {}: {text}\n", script.display()));
    assert_eq!(runner.end(), expected.concat());
}

#[test]
fn lanes_run_side_by_side() {
    let bench = Bench::shell("touch run.$KEA_QUERY4_TRANSACTION_ID; while [ ! -e go ]; do sleep 0.2; done");
    let runner = bench.start();
    let mut lanes: Vec<Lane> = (0..256).map(|_| runner.lane()).collect();
    for (seq, lane) in (1..).zip(&mut lanes) {
        lane.write(&event(seq, "same key"));
    }
    wait_until(|| bench.files() == 1 + 256);
    bench.touch("go");
    for lane in &mut lanes {
        assert_eq!(lane.answer().unwrap().next, Some(Next::Continue));
    }
    drop(lanes);
    assert_eq!(runner.end(), "");
}

#[test]
fn each_event_has_the_exit_status_of_its_own_script() {
    let bench = Bench::shell("exit $KEA_QUERY4_TRANSACTION_ID");
    let runner = bench.start();
    let mut lanes: Vec<Lane> = (0..8).map(|_| runner.lane()).collect();
    for first in (1..200).step_by(lanes.len()) {
        for (seq, lane) in (first..).zip(&mut lanes) {
            lane.write(&Event { wait: true, ..event(seq, "") });
        }
        for (seq, lane) in (first..).zip(&mut lanes) {
            assert_eq!(lane.answer().unwrap().log, [LogLine::repeating(Level::Warn, format!("exit status {seq}"))]);
        }
    }
}

#[test]
fn thousands_of_runs_leave_nothing_behind() {
    let bench = Bench::shell("echo $PPID");
    let runner = bench.start();
    let mut lanes: Vec<Lane> = (0..4).map(|_| runner.lane()).collect();
    let pid = pid_of(&mut lanes[0]);
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count();
    let mut run = |times: u64| {
        std::thread::scope(|scope| {
            for lane in &mut lanes {
                scope.spawn(move || (0..times).for_each(|seq| drop(lane.run(&event(seq, "a b")))));
            }
        });
        // What a run has opened may be closed a moment after its answer.
        wait_until(|| fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count() == descriptors);
        let seen = status(pid);
        (number(&seen, "Threads"), number(&seen, "VmRSS"))
    };
    let (threads, kib) = run(125);
    let (threads_then, kib_then) = run(1125);
    assert_eq!(threads, threads_then);
    assert!(kib_then < kib + 1024, "{kib} KiB, then {kib_then} KiB");
    wait_until(|| children(pid) == 0);
}

#[test]
fn only_the_library_starts_it() {
    let output = Command::new(env!("CARGO_BIN_EXE_kea-runscript-runner"))
        .args(["run", "--", "/bin/true"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("standard input is not the hook library's socket"), "{said}");
}

#[test]
fn the_library_hears_of_a_command_line_that_is_wrong() {
    let (control, theirs) = control::pair().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_kea-runscript-runner"));
    let status = command.args(["run", "--of-a-later-version", "--", "/bin/true"]).stdin(theirs).status().unwrap();
    assert_eq!(status.code(), Some(2));
    let said = control::reports(&control).0.remove(0).refusal.unwrap();
    assert!(said.contains("its command line is wrong: invalid option '--of-a-later-version'"), "{said}");
}
