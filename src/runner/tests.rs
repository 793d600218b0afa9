//! What the tests of this folder share, and the tests of whole runs.

mod hearing;
pub mod marks;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::Scope;
use std::time::{Duration, Instant};

use nix::unistd::mkdtemp;

use super::daemons::Daemons;
use super::environment::Environment;
use super::executable::Executable;
use super::leftovers::Leftovers;
use super::marking::Marking;
use super::reports::Reports;
use super::script::Script;
use super::{Handler, Runner, lane};
use crate::event::{Event, line};
use crate::trust;
use crate::verdict::{Answer, FailureKind};

/// A directory with one script in it, gone with the test.
pub struct Bench {
    pub directory: PathBuf,
}

impl Bench {
    pub fn new() -> Bench {
        Bench { directory: mkdtemp(&std::env::temp_dir().join("kea-runscript-XXXXXX")).unwrap() }
    }

    pub fn with(text: impl AsRef<[u8]>) -> Bench {
        let bench = Bench::new();
        fs::write(bench.script(), text).unwrap();
        bench.chmod(0o755);
        bench
    }

    pub fn shell(body: &str) -> Bench {
        Bench::with(format!("#!/bin/sh\nPATH=/usr/bin:/bin\n{body}\n"))
    }

    pub fn script(&self) -> PathBuf {
        self.directory.join("script")
    }

    pub fn chmod(&self, mode: u32) {
        fs::set_permissions(self.script(), fs::Permissions::from_mode(mode)).unwrap();
    }

    pub fn load(&self) -> Script {
        load(&self.script(), &[], Arc::default())
    }

    pub fn runner(&self) -> Runner {
        Runner { handler: Handler::Script(self.load()), marking: Arc::default() }
    }

    /// Daemons of it, and the library's end of the control socket.
    pub fn daemons(&self) -> (Daemons, OwnedFd) {
        self.daemons_with(Arc::default(), Duration::from_secs(600))
    }

    pub fn daemons_with(&self, marking: Arc<Marking>, patience: Duration) -> (Daemons, OwnedFd) {
        let (control, peer) = crate::control::pair().unwrap();
        let reports = Reports::new(&control, Leftovers::new().unwrap(), self.script()).unwrap();
        let program =
            Executable::new(self.script(), vec![], Environment::inherited(), trust::program_by(false)).unwrap();
        (Daemons::new(Arc::new(program), reports, marking, patience), peer)
    }

    pub fn files(&self) -> usize {
        fs::read_dir(&self.directory).unwrap().count()
    }

    pub fn answer(&self) -> Answer {
        self.answer_within(10_000)
    }

    /// The answer of a script whose own words count.
    pub fn answer_of_its_own(&self) -> Answer {
        self.answer_of_its_own_within(10_000)
    }

    pub fn answer_of_its_own_within(&self, timeout: u64) -> Answer {
        let event = Event { answers: true, ..event(timeout, &[]) };
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
pub struct Peer(BufReader<UnixStream>);

impl Peer {
    /// A lane of `runner` on which nothing has been said yet.
    pub fn bare_lane<'scope>(scope: &'scope Scope<'scope, '_>, runner: &'scope Runner) -> Peer {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let Handler::Script(script) = &runner.handler else { panic!("a daemon's lane is not ours") };
        scope.spawn(move || lane::serve(script, &theirs));
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

fn load(script: &Path, arguments: &[&str], marking: Arc<Marking>) -> Script {
    let arguments = arguments.iter().map(Into::into).collect();
    let program =
        Executable::new(script.into(), arguments, Environment::inherited(), trust::program_by(false)).unwrap();
    Script::new(program, Leftovers::new().unwrap(), marking).unwrap()
}

pub fn event(timeout: u64, variables: &[(&str, &str)]) -> Event {
    event_of("lease4_renew", timeout, variables)
}

pub fn event_of(hook: &str, timeout: u64, variables: &[(&str, &str)]) -> Event {
    let vars = [("KEA_HOOK_POINT", hook)].iter().chain(variables).copied().collect();
    let hook = hook.to_owned().into();
    Event { seq: 17, hook, wait: true, answers: false, time: 1.5, timeout, at: None, keys: vec![], vars }
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
    let bench = Bench::shell("tr '\\0' '|' < /proc/$$/cmdline");
    let script = load(&bench.script(), &["two words", "--three", ""], Arc::default());
    let answer = script.handle(&event(10_000, &[]), Instant::now());
    // The kernel puts the interpreter before a script's path, which stands for its name.
    assert_eq!(texts(&answer), [format!("/bin/sh|{}|lease4_renew|two words|--three||", bench.script().display())]);
}

#[test]
fn a_hook_point_that_is_none_starts_nothing() {
    let bench = Bench::shell("touch \"$0.ran\"");
    for (hook, shown) in
        [("-c", "-c"), ("", ""), ("lease4_renew\0x", "lease4_renew\\x00x"), ("/etc/passwd", "/etc/passwd")]
    {
        let answer = bench.load().handle(&event_of(hook, 10_000, &[]), Instant::now());
        let version = env!("CARGO_PKG_VERSION");
        let text = format!("not started: \"{shown}\" is no hook point that this runner knows, version {version}");
        assert_failure(&answer, FailureKind::Start, &text);
    }
    assert_eq!(bench.files(), 1);
}

#[test]
fn an_event_that_names_two_hook_points_starts_nothing() {
    let bench = Bench::shell("touch \"$0.ran\"");
    for vars in [&[][..], &[("KEA_HOOK_POINT", "pkt4_receive")], &[("KEA_HOOK_POINT", "")]] {
        let event = Event { vars: vars.iter().copied().collect(), ..event(10_000, &[]) };
        let text = "not started: the event is of lease4_renew, and its KEA_HOOK_POINT does not say so";
        assert_failure(&bench.load().handle(&event, Instant::now()), FailureKind::Start, text);
    }
    assert_eq!(bench.files(), 1);
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
    let program = Executable::new(bench.script(), vec![], Environment::inherited(), trust::program_by(false)).unwrap();
    let script = Script::new(program, Arc::clone(&leftovers), Arc::default()).unwrap();
    let event = event(10_000, &[]);
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
    let variables = [("KEA_QUERY4_TYPE", "1"), ("KEA_QUERY4_HWADDR", "a\0b"), ("LD_PRELOAD", "/tmp/evil.so")];
    let event = event(10_000, &variables);
    let said = "echo $KEA_QUERY4_TYPE${KEA_QUERY4_HWADDR-unset}${LD_PRELOAD-unset}";
    let answer = Bench::shell(said).load().handle(&event, Instant::now());
    let expected = [
        "variable \"KEA_QUERY4_HWADDR\" left out: no environment can hold it",
        "variable \"LD_PRELOAD\" left out: no variable has this name",
        "1unsetunset",
    ];
    assert_eq!(texts(&answer), expected);
}
