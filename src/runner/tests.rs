//! Runs of real scripts, as a lane orders them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::leftovers::Leftovers;
use super::script::Script;
use crate::event::{Event, Variables};
use crate::verdict::{Answer, FailureKind, Next};

/// A directory with one script in it, gone with the test.
struct Bench {
    directory: PathBuf,
}

impl Bench {
    fn new() -> Bench {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("kea-runscript-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let directory = std::env::temp_dir().join(name);
        fs::create_dir(&directory).unwrap();
        Bench { directory }
    }

    fn with(text: impl AsRef<[u8]>) -> Bench {
        let bench = Bench::new();
        fs::write(bench.script(), text).unwrap();
        bench.chmod(0o755);
        bench
    }

    fn shell(body: &str) -> Bench {
        Bench::with(format!("#!/bin/sh\n{body}\n"))
    }

    fn script(&self) -> PathBuf {
        self.directory.join("script")
    }

    fn chmod(&self, mode: u32) {
        fs::set_permissions(self.script(), fs::Permissions::from_mode(mode)).unwrap();
    }

    fn load(&self) -> Script {
        load(&self.script(), &[])
    }

    fn answer(&self) -> Answer {
        self.load().handle(&event(10_000, &[]), Instant::now())
    }

    fn answer_within(&self, timeout: u64) -> Answer {
        self.load().handle(&event(timeout, &[]), Instant::now())
    }

    /// Why the script does not start.
    #[track_caller]
    fn refusal(&self) -> String {
        let failure = self.answer().failure.unwrap();
        assert_eq!(failure.kind, FailureKind::Start);
        let prefix = format!("cannot start {}: ", self.script().display());
        failure.text.strip_prefix(&prefix).unwrap_or_else(|| panic!("{}", failure.text)).into()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn load(script: &Path, arguments: &[&str]) -> Script {
    let arguments = arguments.iter().map(Into::into).collect();
    Script::new(script.into(), arguments, Leftovers::new().unwrap()).unwrap()
}

fn event(timeout: u64, variables: &[(&str, &str)]) -> Event {
    let vars = variables.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    let hook = "lease4_renew".into();
    Event { seq: 17, hook, wait: true, time: 1.5, timeout, keys: vec![], vars: Variables(vars) }
}

fn texts(answer: &Answer) -> Vec<&str> {
    answer.log.iter().map(|line| line.text.as_str()).collect()
}

#[track_caller]
fn assert_failure(answer: &Answer, kind: FailureKind, text: &str) {
    let failure = answer.failure.as_ref().unwrap();
    assert_eq!((failure.kind, failure.text.as_str()), (kind, text));
    assert_eq!(answer.next, None);
}

#[test]
fn exit_zero_is_continue() {
    let answer = Bench::shell("exit 0").answer();
    assert_eq!(answer, Answer { seq: 17, next: Some(Next::Continue), failure: None, log: vec![] });
}

#[test]
fn any_other_status_is_said() {
    let answer = Bench::shell("exit 3").answer();
    assert_eq!(answer.next, Some(Next::Continue));
    assert_eq!(texts(&answer), ["exit status 3"]);
}

#[test]
fn a_signal_is_a_failure() {
    let answer = Bench::shell("ulimit -c 0; echo last words; kill -SEGV $$").answer();
    assert_failure(&answer, FailureKind::Signal, "killed by SIGSEGV");
    assert_eq!(texts(&answer), ["last words"]);
    let answer = Bench::shell("kill -40 $$").answer();
    assert_failure(&answer, FailureKind::Signal, "killed by signal 40");
}

#[test]
fn the_arguments_are_the_files_name_the_hook_point_and_the_configured_ones() {
    let script = load(Path::new("/bin/sh"), &["two words", "--three", ""]);
    // A shell takes its first argument for a file.
    let bench = Bench::new();
    let file = bench.directory.join("lease4_renew");
    fs::write(&file, "tr '\\0' '|' < /proc/$$/cmdline").unwrap();
    let mut event = event(10_000, &[("PATH", "/usr/bin:/bin")]);
    event.hook = file.to_str().unwrap().into();
    let answer = script.handle(&event, Instant::now());
    assert_eq!(texts(&answer), [format!("sh|{}|two words|--three||", file.display())]);
}

#[test]
fn output_is_logged_by_stream() {
    let answer = Bench::shell("echo to stdout; echo to stderr >&2; printf 'no\\033end'; cat").answer();
    let mut log: Vec<String> = answer.log.iter().map(|line| format!("{:?}: {}", line.level, line.text)).collect();
    log.sort();
    assert_eq!(log, ["Info: no\\x1bend", "Info: to stdout", "Warn: to stderr"]);
}

#[test]
fn endless_output_ends_by_the_time_out() {
    let answer = Bench::shell("exec yes").answer_within(300);
    assert_failure(&answer, FailureKind::Timeout, "no end within 300 ms; stopped with SIGTERM");
    assert_eq!(answer.log.len(), 101);
    assert!(answer.log[100].text.ends_with(" more lines of output left out"));
}

#[test]
fn time_out_asks_first() {
    let started = Instant::now();
    let answer = Bench::shell("trap 'echo cleaning up; exit 0' TERM; sleep 60 & wait").answer_within(100);
    assert_failure(&answer, FailureKind::Timeout, "no end within 100 ms; stopped with SIGTERM");
    assert_eq!(texts(&answer), ["cleaning up"]);
    assert!(started.elapsed() < Duration::from_millis(1000));
}

#[test]
fn then_time_out_forces() {
    let started = Instant::now();
    let answer = Bench::shell("trap '' TERM; while :; do sleep 1; done").answer_within(100);
    assert_failure(&answer, FailureKind::Timeout, "no end within 100 ms; stopped with SIGKILL");
    assert!(started.elapsed() >= Duration::from_millis(1100));
    assert!(started.elapsed() < Duration::from_millis(3000));
}

#[test]
fn the_scripts_children_have_the_grace_too() {
    let bench = Bench::shell("sh -c 'trap \"sleep 0.3; echo child is done; exit\" TERM; sleep 60 & wait' & wait");
    let answer = bench.answer_within(200);
    assert_failure(&answer, FailureKind::Timeout, "no end within 200 ms; stopped with SIGTERM");
    assert_eq!(texts(&answer), ["child is done"]);
}

#[test]
fn time_out_leaves_nobody_of_the_group() {
    let bench = Bench::shell("sh -c 'trap \"\" TERM; echo $$; while :; do sleep 60; done' & wait");
    let answer = bench.answer_within(300);
    let child = PathBuf::from("/proc").join(texts(&answer)[0]);
    // Killed, but reaped by init, in its own time.
    let gone = || !fs::read_to_string(child.join("stat")).is_ok_and(|stat| !stat.contains(") Z"));
    assert!(until(gone));
}

#[test]
fn no_time_left_means_not_started() {
    let bench = Bench::shell("touch \"$0.ran\"");
    assert_failure(&bench.answer_within(0), FailureKind::Timeout, "not started: no time was left");
    assert_eq!(fs::read_dir(&bench.directory).unwrap().count(), 1);
}

#[test]
fn the_longest_time_out_is_no_trouble() {
    assert_eq!(Bench::shell("exit 0").answer_within(u64::MAX).next, Some(Next::Continue));
}

#[test]
fn what_is_left_running_lives_and_is_heard() {
    let bench = Bench::shell(
        "echo before\n\
         { while [ ! -e \"$0.go\" ]; do sleep 0.01; done; echo behind; echo again; touch \"$0.done\"; } &\n\
         echo after",
    );
    let leftovers = Leftovers::new().unwrap();
    let script = Script::new(bench.script(), vec![], Arc::clone(&leftovers)).unwrap();
    let event = event(10_000, &[("PATH", "/usr/bin:/bin")]);
    let answer = script.handle(&event, Instant::now());
    assert_eq!(texts(&answer), ["before", "after"]);
    fs::write(bench.directory.join("script.go"), "").unwrap();
    assert!(until(|| bench.directory.join("script.done").exists()));
    let mut heard = Vec::new();
    assert!(until(|| {
        heard.extend(leftovers.take_lines());
        heard.len() == 2
    }));
    assert_eq!(heard[0].text, "left running: behind");
}

/// Whether `condition` comes true in time.
fn until(mut condition: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !condition() {
        if Instant::now() > deadline {
            return false;
        }
        std::thread::yield_now();
    }
    true
}

#[test]
fn refusals_name_the_remedy() {
    let bench = Bench::new();
    assert_eq!(bench.refusal(), "it is gone: put it back or correct `script`");
    assert_eq!(
        Bench::with("#!/no/such/shell -e\n").refusal(),
        "the interpreter in its first line (/no/such/shell -e) is missing: install it or correct the line"
    );
    assert!(Bench::with("#!/bin/sh\r\n").refusal().starts_with("its first line ends with a carriage return"));
    assert!(Bench::with("echo hello\n").refusal().starts_with("it has no `#!` line"));
    assert_eq!(Bench::with("").refusal(), "it is empty");
    let bench = Bench::shell("exit 0");
    bench.chmod(0o644);
    assert_eq!(bench.refusal(), "it is not executable: chmod +x");
    let bench = Bench::new();
    fs::create_dir(bench.script()).unwrap();
    assert_eq!(bench.refusal(), "it is a directory, not a program");
    let bench = Bench::new();
    std::os::unix::fs::symlink("/no/such/file", bench.script()).unwrap();
    assert_eq!(bench.refusal(), "it is a symbolic link to a file that is gone");
}

#[test]
fn a_script_that_is_being_written_is_tried_again() {
    let bench = Bench::shell("exit 0");
    let writer = fs::File::options().append(true).open(bench.script()).unwrap();
    assert!(bench.refusal().starts_with("it is open for writing"));
    let answer = std::thread::scope(|scope| {
        let run = scope.spawn(|| bench.answer());
        drop(writer);
        run.join().unwrap()
    });
    assert_eq!(answer.next, Some(Next::Continue));
}

#[test]
fn too_large_a_value_is_named() {
    let bench = Bench::shell("exit 0");
    let value = "x".repeat(128 * 1024);
    let event = event(10_000, &[("KEA_SMALL", "1"), ("KEA_LARGE", &value)]);
    let failure = bench.load().handle(&event, Instant::now()).failure.unwrap();
    assert_eq!(failure.kind, FailureKind::Start);
    assert!(failure.text.contains("largest is KEA_LARGE with 131082"), "{}", failure.text);
}

#[test]
fn a_variable_that_cannot_be_is_left_out_and_named() {
    let event = event(10_000, &[("KEA_A", "1"), ("KEA_B", "a\0b")]);
    let answer = Bench::shell("echo $KEA_A${KEA_B-unset}").load().handle(&event, Instant::now());
    assert_eq!(texts(&answer), ["variable \"KEA_B\" left out: no environment can hold it", "1unset"]);
}
