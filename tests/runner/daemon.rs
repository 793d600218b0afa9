//! `kea-runscript run --daemon`: the copies, which we talk to ourselves, and what is reported of them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use kea_hook_runscript::event::Event;
use kea_hook_runscript::verdict::{FailureKind, Level, Next};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::bench::{Bench, wait_until};
use crate::library::{Runner, event};
use crate::process::{children, field, number, status};

/// More than any test takes.
const LONG: u64 = 600_000;

/// A daemon that greets, runs `body` for each event with its number in `$seq`, and answers then.
fn daemon(body: &str) -> Bench {
    Bench::shell(&format!(
        "while read -r line; do\n\
         seq=${{line#*\\\"seq\\\":}}; seq=${{seq%%,*}}\n\
         case $line in *'\"hello\"'*) echo '{{\"hello\":1}}'; continue;; esac\n\
         {body}\n\
         echo \"{{\\\"seq\\\":$seq,\\\"next\\\":\\\"skip\\\"}}\"\n\
         done"
    ))
}

fn texts(runner: &Runner) -> Vec<(u64, String)> {
    runner.reports().into_iter().map(|(lane, line)| (lane, line.text)).collect()
}

fn pid(bench: &Bench, name: &str) -> i32 {
    let mut said = String::new();
    wait_until(|| {
        said = bench.read(name);
        said.ends_with('\n')
    });
    said.trim().parse().unwrap()
}

fn is_gone(pid: i32) -> bool {
    let status = status(pid);
    status.is_empty() || field(&status, "State").starts_with('Z')
}

#[test]
fn a_copy_is_told_all_events_of_its_lane() {
    let bench = daemon("echo $$ >> pids");
    let runner = bench.start_daemon(LONG);
    let mut lanes: Vec<_> = (1..=32).map(|lane| runner.copy(lane)).collect();
    for round in 1..=3 {
        lanes.iter_mut().for_each(|lane| lane.write(&event(round, "a")));
        for lane in &mut lanes {
            let answer = lane.answer().unwrap();
            assert_eq!((answer.seq, answer.next), (round, Some(Next::Skip)));
        }
    }
    assert_eq!(bench.read("pids").lines().count(), 96);
    assert_eq!(bench.read("pids").lines().collect::<BTreeSet<_>>().len(), 32);
    lanes.clear();
    assert_eq!(runner.reports(), []);
    assert_eq!(runner.end(), "");
}

#[test]
fn a_copy_has_the_runners_environment_alone() {
    let runner = Runner::start_daemon(Path::new("/usr/bin/env"), &["-0"], LONG);
    let said = runner.open(b'L', 1).all();
    assert_eq!(
        said.split_terminator('\0').collect::<BTreeSet<_>>(),
        BTreeSet::from(["KEA_A=env", "PATH=/usr/bin:/bin"])
    );
}

#[test]
fn a_copy_has_its_own_arguments_alone() {
    let code = "tr '\\0' '|' < /proc/$$/cmdline; echo; pwd";
    let runner = Runner::start_daemon(Path::new("/bin/sh"), &["-c", code, "two words", "--three", ""], LONG);
    let cwd = std::env::current_dir().unwrap();
    let expected = format!("sh|-c|{code}|two words|--three||\n{}\n", cwd.display());
    assert_eq!(runner.open(b'L', 1).all(), expected);
}

#[test]
fn a_copy_has_its_socket_twice_and_a_pipe() {
    let runner = Runner::start_daemon(Path::new("/bin/ls"), &["-l", "/proc/self/fd"], LONG);
    let _another = runner.open(b'L', 1);
    let listing = runner.open(b'L', 2).all();
    let targets: Vec<&str> = listing.lines().filter_map(|line| line.split(" -> ").nth(1)).collect();
    assert_eq!(targets.len(), 4, "{listing}");
    assert!(targets[0].starts_with("socket:") && targets[1] == targets[0], "{listing}");
    assert!(targets[2].starts_with("pipe:") && targets[3].starts_with("/proc/"), "{listing}");
}

#[test]
fn a_copy_has_clean_signals_limits_and_a_group_of_its_own() {
    let files = ["/proc/self/status", "/proc/self/limits"];
    let runner = Runner::start_daemon(Path::new("/bin/cat"), &files, LONG);
    let said = runner.open(b'L', 1).all();
    assert_eq!(field(&said, "SigBlk"), "0000000000000000");
    assert_eq!(field(&said, "SigIgn"), "0000000000000000");
    assert_eq!(field(&said, "NSpgid"), field(&said, "Pid"));
    let limit = said.lines().find(|line| line.starts_with("Max open files")).unwrap();
    assert_eq!(limit.split_whitespace().nth(3), Some("256"));
}

#[test]
fn standard_error_is_reported_with_the_lane() {
    let bench = daemon("printf 'event %s\\nno\\033end' $seq >&2");
    let runner = bench.start_daemon(LONG);
    for (lane, seq) in [(5, 1), (1 << 40, 2)] {
        let mut copy = runner.copy(lane);
        copy.run(&event(seq, ""));
        copy.hang_up();
        assert_eq!(copy.all(), "");
        let lines = [format!("event {seq}"), "no\\x1bend".into()];
        let reports = runner.reports();
        assert!(reports.iter().all(|(_, line)| line.level == Level::Warn));
        let said: Vec<(u64, String)> = reports.into_iter().map(|(lane, line)| (lane, line.text)).collect();
        assert_eq!(said, lines.map(|text| (lane, text)));
    }
}

#[test]
fn standard_error_is_reported_while_the_copy_lives() {
    let bench = daemon("echo event $seq >&2");
    let runner = bench.start_daemon(LONG);
    let mut copy = runner.copy(5);
    for seq in 1..=3 {
        copy.run(&event(seq, ""));
        let mut said = Vec::new();
        wait_until(|| {
            said.extend(texts(&runner));
            !said.is_empty()
        });
        assert_eq!(said, [(5, format!("event {seq}"))]);
    }
}

#[test]
fn the_reason_is_there_before_the_end_is_seen() {
    for (body, reason) in [
        ("exit 3", "ended with exit status 3"),
        ("exit 0", "ended with exit status 0"),
        ("ulimit -c 0; kill -SEGV $$", "killed by SIGSEGV"),
    ] {
        let bench = daemon(&format!("echo last words >&2; {body}"));
        let runner = bench.start_daemon(LONG);
        let mut copy = runner.copy(7);
        copy.write(&event(1, ""));
        assert_eq!(copy.all(), "");
        assert_eq!(texts(&runner), [(7, "last words".into()), (7, reason.into())]);
    }
}

#[test]
fn an_end_after_hanging_up_is_said_if_it_is_no_success() {
    let bench = Bench::shell("cat; exit 4");
    let runner = bench.start_daemon(LONG);
    let mut copy = runner.open(b'L', 7);
    copy.hang_up();
    assert_eq!(copy.all(), "");
    assert_eq!(texts(&runner), [(7, "ended with exit status 4".into())]);
    drop(copy);
    assert_eq!(runner.end(), "");
}

#[test]
fn a_refusal_is_reported() {
    let refusal = |bench: &Bench| {
        let runner = bench.start_daemon(LONG);
        assert_eq!(runner.open(b'L', 9).all(), "");
        let reports = runner.reports();
        assert_eq!(reports.len(), 1, "{reports:?}");
        assert_eq!((reports[0].0, reports[0].1.level), (9, Level::Error));
        let prefix = format!("cannot start {}: ", bench.file("script").display());
        reports[0].1.text.strip_prefix(&prefix).unwrap().to_string()
    };
    let bench = Bench::shell("exit 0");
    let chmod = |mode| {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
        fs::set_permissions(bench.file("script"), mode).unwrap();
    };
    chmod(0o644);
    assert_eq!(refusal(&bench), "it is not executable: chmod +x");
    chmod(0o777);
    assert!(refusal(&bench).starts_with("it may be written by others than its owner (mode 777)"));
    fs::remove_file(bench.file("script")).unwrap();
    assert_eq!(refusal(&bench), "it is gone: put it back or correct `script`");
}

#[test]
fn a_copy_that_is_given_up_is_stopped_at_once() {
    let bench = Bench::shell("trap '' TERM; echo $$ > pid; while :; do sleep 1; done");
    let runner = bench.start_daemon(LONG);
    let (mut copy, other) = (runner.open(b'L', 1), runner.open(b'L', 2));
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
    let copy = runner.open(b'L', 1);
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
    let copy = runner.open(b'L', 1);
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
    let copy = runner.open(b'L', 1);
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
        wait_until(|| number(&status(pid), "Threads") == 2 && children(pid) == 0);
        fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
    };
    assert_eq!(run(5), run(100));
}
