//! What the tests of this folder share, and the tests of whole runs.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::Scope;
use std::time::{Duration, Instant};

use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};

use super::daemon::Daemon;
use super::executable::Executable;
use super::leftovers::Leftovers;
use super::reports::Reports;
use super::script::Script;
use super::turns::Turns;
use super::{Handler, Runner, lane};
use crate::event::{Event, line};
use crate::verdict::{Answer, FailureKind};

/// A directory with one script in it, gone with the test.
pub struct Bench {
    pub directory: PathBuf,
}

impl Bench {
    pub fn new() -> Bench {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("kea-runscript-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let directory = std::env::temp_dir().join(name);
        fs::create_dir(&directory).unwrap();
        Bench { directory }
    }

    pub fn with(text: impl AsRef<[u8]>) -> Bench {
        let bench = Bench::new();
        fs::write(bench.script(), text).unwrap();
        bench.chmod(0o755);
        bench
    }

    pub fn shell(body: &str) -> Bench {
        Bench::with(format!("#!/bin/sh\n{body}\n"))
    }

    pub fn script(&self) -> PathBuf {
        self.directory.join("script")
    }

    pub fn chmod(&self, mode: u32) {
        fs::set_permissions(self.script(), fs::Permissions::from_mode(mode)).unwrap();
    }

    pub fn load(&self) -> Script {
        load(&self.script(), &[])
    }

    pub fn runner(&self) -> Runner {
        Runner { handler: Handler::Script(self.load()), turns: Turns::default() }
    }

    /// A daemon, and the library's end of its control socket.
    pub fn daemon(&self) -> (Daemon, OwnedFd) {
        let (control, peer) =
            socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC).unwrap();
        let reports = Reports::new(&control, Leftovers::new().unwrap(), self.script()).unwrap();
        (Daemon::new(Executable::new(self.script(), vec![]).unwrap(), reports, Duration::from_secs(600)), peer)
    }

    pub fn answer(&self) -> Answer {
        self.answer_within(10_000)
    }

    /// The answer of a script whose own words count.
    pub fn answer_of_its_own(&self) -> Answer {
        self.answer_of_its_own_within(10_000)
    }

    pub fn answer_of_its_own_within(&self, timeout: u64) -> Answer {
        let event = Event { answers: true, ..event(timeout, &[("PATH", "/usr/bin:/bin")]) };
        self.load().handle(&event, Instant::now())
    }

    pub fn answer_within(&self, timeout: u64) -> Answer {
        self.load().handle(&event(timeout, &[]), Instant::now())
    }

    /// Why the script does not start.
    #[track_caller]
    pub fn refusal(&self) -> String {
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

/// Kea's end of a connection.
pub struct Peer(pub BufReader<UnixStream>);

impl Peer {
    /// A lane of `runner` on which nothing has been said yet.
    pub fn bare_lane<'scope>(scope: &'scope Scope<'scope, '_>, runner: &'scope Runner) -> Peer {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let stream = Arc::new(theirs);
        let place = runner.turns.lane(Arc::clone(&stream));
        let Handler::Script(script) = &runner.handler else { panic!("a daemon's lane is not ours") };
        scope.spawn(move || lane::serve(script, stream, place));
        Peer(BufReader::new(ours))
    }

    pub fn lane<'scope>(scope: &'scope Scope<'scope, '_>, runner: &'scope Runner) -> Peer {
        let mut peer = Peer::bare_lane(scope, runner);
        peer.write("{\"hello\":1}\n");
        assert!(peer.line().unwrap().starts_with("{\"hello\":1,"));
        peer
    }

    pub fn write(&mut self, line: impl AsRef<[u8]>) {
        self.0.get_mut().write_all(line.as_ref()).unwrap();
    }

    pub fn send(&mut self, value: &impl serde::Serialize) {
        self.write(line(value).unwrap());
    }

    pub fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        (self.0.read_line(&mut line).unwrap() > 0).then_some(line)
    }

    pub fn answer(&mut self) -> Option<Answer> {
        self.line().map(|line| serde_json::from_str(&line).unwrap())
    }
}

fn load(script: &Path, arguments: &[&str]) -> Script {
    let arguments = arguments.iter().map(Into::into).collect();
    Script::new(Executable::new(script.into(), arguments).unwrap(), Leftovers::new().unwrap()).unwrap()
}

pub fn event(timeout: u64, variables: &[(&str, &str)]) -> Event {
    let vars = variables.iter().copied().collect();
    let hook = "lease4_renew".into();
    Event { seq: 17, hook, wait: true, answers: false, time: 1.5, timeout, keys: vec![], vars }
}

pub fn texts(answer: &Answer) -> Vec<&str> {
    answer.log.iter().map(|line| line.text.as_str()).collect()
}

#[track_caller]
pub fn assert_failure(answer: &Answer, kind: FailureKind, text: &str) {
    let failure = answer.failure.as_ref().unwrap();
    assert_eq!((failure.kind, failure.text.as_str()), (kind, text));
    assert_eq!(answer.next, None);
}

/// Whether `condition` comes true in time.
pub fn until(mut condition: impl FnMut() -> bool) -> bool {
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
fn the_arguments_are_the_files_name_the_hook_point_and_the_configured_ones() {
    let script = load(Path::new("/bin/sh"), &["two words", "--three", ""]);
    // A shell takes its first argument for a file.
    let bench = Bench::new();
    let file = bench.directory.join("lease4_renew");
    fs::write(&file, "tr '\\0' '|' < /proc/$$/cmdline").unwrap();
    let mut event = event(10_000, &[("PATH", "/usr/bin:/bin")]);
    event.hook = file.to_str().unwrap().to_owned().into();
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
fn what_is_left_running_lives_and_is_heard() {
    let bench = Bench::shell(
        "echo before\n\
         { while [ ! -e \"$0.go\" ]; do sleep 0.01; done; echo behind; echo again; touch \"$0.done\"; } &\n\
         echo after",
    );
    let leftovers = Leftovers::new().unwrap();
    let script = Script::new(Executable::new(bench.script(), vec![]).unwrap(), Arc::clone(&leftovers)).unwrap();
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

#[test]
fn a_variable_that_cannot_be_is_left_out_and_named() {
    let event = event(10_000, &[("KEA_A", "1"), ("KEA_B", "a\0b")]);
    let answer = Bench::shell("echo $KEA_A${KEA_B-unset}").load().handle(&event, Instant::now());
    assert_eq!(texts(&answer), ["variable \"KEA_B\" left out: no environment can hold it", "1unset"]);
}
