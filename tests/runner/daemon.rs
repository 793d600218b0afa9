//! `kea-runscript-runner run --daemon`: the daemons, which we talk to ourselves, and what is reported of them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use kea_hook_runscript::verdict::{Level, Next};

use crate::bench::{Bench, wait_until};
use crate::library::{Runner, event};
use crate::process::{field, status};

/// More than any test takes.
pub const LONG: u64 = 600_000;

/// A daemon that greets, runs `body` for each event with its number in `$seq`, and answers then.
pub fn daemon(body: &str) -> Bench {
    Bench::shell(&format!(
        "while read -r line; do\n\
         seq=${{line#*\\\"seq\\\":}}; seq=${{seq%%,*}}\n\
         case $line in *'\"hello\"'*) echo '{{\"hello\":1}}'; continue;; esac\n\
         {body}\n\
         echo \"{{\\\"seq\\\":$seq,\\\"next\\\":\\\"skip\\\"}}\"\n\
         done"
    ))
}

pub fn texts(runner: &Runner) -> Vec<(u64, String)> {
    runner.reports().into_iter().map(|(lane, line)| (lane, line.text)).collect()
}

pub fn pid(bench: &Bench, name: &str) -> i32 {
    let mut said = String::new();
    wait_until(|| {
        said = bench.read(name);
        said.ends_with('\n')
    });
    said.trim().parse().unwrap()
}

pub fn is_gone(pid: i32) -> bool {
    let status = status(pid);
    status.is_empty() || field(&status, "State").starts_with('Z')
}

#[test]
fn a_daemon_is_told_all_events_of_its_lane() {
    let bench = daemon("echo $$ >> pids");
    let runner = bench.start_daemon(LONG);
    let mut lanes: Vec<_> = (1..=32).map(|lane| runner.daemon(lane)).collect();
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
fn a_daemon_has_the_runners_environment_alone() {
    let runner = Runner::start_daemon(Path::new("/usr/bin/env"), &["-0"], LONG);
    let said = runner.open(1).all();
    assert_eq!(
        said.split_terminator('\0').collect::<BTreeSet<_>>(),
        BTreeSet::from(["KEA_QUERY4_TYPE=env", "PATH=/usr/bin:/bin"])
    );
}

#[test]
fn a_daemon_has_its_own_arguments_alone() {
    let code = "tr '\\0' '|' < /proc/$$/cmdline; echo; pwd";
    let runner = Runner::start_daemon(Path::new("/bin/sh"), &["-c", code, "two words", "--three", ""], LONG);
    let cwd = std::env::current_dir().unwrap();
    let expected = format!("sh|-c|{code}|two words|--three||\n{}\n", cwd.display());
    assert_eq!(runner.open(1).all(), expected);
}

#[test]
fn a_daemon_has_its_socket_twice_and_a_pipe() {
    let runner = Runner::start_daemon(Path::new("/bin/ls"), &["-l", "/proc/self/fd"], LONG);
    let _another = runner.open(1);
    let listing = runner.open(2).all();
    let targets: Vec<&str> = listing.lines().filter_map(|line| line.split(" -> ").nth(1)).collect();
    assert_eq!(targets.len(), 4, "{listing}");
    assert!(targets[0].starts_with("socket:") && targets[1] == targets[0], "{listing}");
    assert!(targets[2].starts_with("pipe:") && targets[3].starts_with("/proc/"), "{listing}");
}

#[test]
fn a_daemon_has_clean_signals_limits_and_a_group_of_its_own() {
    let files = ["/proc/self/status", "/proc/self/limits"];
    let runner = Runner::start_daemon(Path::new("/bin/cat"), &files, LONG);
    let said = runner.open(1).all();
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
    for (number, seq) in [(5, 1), (1 << 40, 2)] {
        let mut lane = runner.daemon(number);
        lane.run(&event(seq, ""));
        lane.hang_up();
        assert_eq!(lane.all(), "");
        let lines = [format!("event {seq}"), "no\\x1bend".into()];
        let reports = runner.reports();
        assert!(reports.iter().all(|(_, line)| line.level == Level::Warn));
        let said: Vec<(u64, String)> = reports.into_iter().map(|(lane, line)| (lane, line.text)).collect();
        assert_eq!(said, lines.map(|text| (number, text)));
    }
}

#[test]
fn standard_error_is_reported_while_the_daemon_lives() {
    let bench = daemon("echo event $seq >&2");
    let runner = bench.start_daemon(LONG);
    let mut lane = runner.daemon(5);
    for seq in 1..=3 {
        lane.run(&event(seq, ""));
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
        let mut lane = runner.daemon(7);
        lane.write(&event(1, ""));
        assert_eq!(lane.all(), "");
        assert_eq!(texts(&runner), [(7, "last words".into()), (7, reason.into())]);
    }
}

#[test]
fn an_end_after_hanging_up_is_said_if_it_is_no_success() {
    let bench = Bench::shell("cat; exit 4");
    let runner = bench.start_daemon(LONG);
    let mut lane = runner.open(7);
    lane.hang_up();
    assert_eq!(lane.all(), "");
    assert_eq!(texts(&runner), [(7, "ended with exit status 4".into())]);
    drop(lane);
    assert_eq!(runner.end(), "");
}

#[test]
fn a_refusal_is_reported() {
    let refusal = |bench: &Bench| {
        let runner = bench.start_daemon(LONG);
        assert_eq!(runner.open(9).all(), "");
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
