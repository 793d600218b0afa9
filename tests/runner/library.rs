//! The hook library's side: a runner, its lanes, and what is written to them.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use kea_hook_runscript::control::{self, Order, Report};
use kea_hook_runscript::event::{Event, Hello, line};
use kea_hook_runscript::spool::Spool;
use kea_hook_runscript::verdict::{Answer, LogLine, Next};
use nix::fcntl::OFlag;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SigHandler, SigSet, Signal, signal};
use nix::unistd::pipe2;

/// A runner that is run in surroundings as bad as Kea's.
pub struct Runner {
    control: OwnedFd,
    errors: File,
    is_daemon: bool,
}

impl Runner {
    pub fn start(script: &Path, arguments: &[&str]) -> Runner {
        Runner::start_with(&[], script, arguments)
    }

    pub fn start_daemon(program: &Path, arguments: &[&str], patience: u64) -> Runner {
        Runner::start_with(&["--daemon", "--timeout", &patience.to_string()], program, arguments)
    }

    fn start_with(options: &[&str], script: &Path, arguments: &[&str]) -> Runner {
        let (control, theirs) = control::pair().unwrap();
        let (errors, their_errors) = pipe2(OFlag::O_CLOEXEC).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_kea-runscript-runner"));
        command
            .arg("run")
            .args(options)
            .arg("--")
            .arg(script)
            .args(arguments)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("KEA_QUERY4_TYPE", "env");
        command.stdin(theirs).stdout(Stdio::null()).stderr(their_errors);
        // SAFETY: system calls only.
        unsafe { command.pre_exec(as_kea_would) };
        assert!(command.status().unwrap().success(), "the first process leaves at once");
        Runner { control, errors: File::from(errors), is_daemon: options.contains(&"--daemon") }
    }

    /// A new lane.
    pub fn open(&self, lane: u64) -> Lane {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let with = [theirs.as_fd(), ours.as_fd()];
        self.order(Order::Lane(lane), if self.is_daemon { &with } else { &with[..1] });
        Lane(BufReader::new(ours), Close::ByUs)
    }

    pub fn stop(&self, lane: u64) {
        self.order(Order::Stop(lane), &[]);
    }

    pub fn let_go(&self, lane: u64) {
        self.order(Order::LetGo(lane), &[]);
    }

    pub fn spool(&self, spool: &Spool) {
        self.order(Order::Spool(spool.path().into()), &[spool.at_work().as_fd()]);
    }

    fn order(&self, order: Order, with: &[BorrowedFd]) {
        control::order(&self.control, &order, with, Instant::now() + Duration::from_secs(10)).unwrap();
    }

    /// What has been reported and not been read yet, line by line, with the lane.
    pub fn reports(&self) -> Vec<(u64, LogLine)> {
        let lines = |report: Report| report.log.into_iter().map(move |line| (report.lane, line));
        self.unread().into_iter().flat_map(lines).collect()
    }

    /// The same of lanes that it cannot serve, with the reason.
    pub fn refusals(&self) -> Vec<(u64, String)> {
        self.unread().into_iter().filter_map(|report| Some((report.lane, report.refusal?))).collect()
    }

    fn unread(&self) -> Vec<Report> {
        control::reports(&self.control).0
    }

    /// A lane to a daemon that greets with nothing but the version.
    pub fn daemon(&self, lane: u64) -> Lane {
        let mut lane = self.open(lane);
        lane.write(&Hello { hello: 1, server: "kea-dhcp4".into(), version: "3.0.4".into(), ..Hello::default() });
        assert_eq!(lane.line().as_deref(), Some("{\"hello\":1}\n"));
        lane
    }

    pub fn lane(&self) -> Lane {
        let mut lane = self.open(0);
        lane.write(&Hello { hello: 1, server: "kea-dhcp4".into(), version: "3.0.4".into(), ..Hello::default() });
        let hello: Hello = serde_json::from_str(&lane.line().unwrap()).unwrap();
        assert_eq!((hello.hello, hello.version.as_str()), (1, env!("CARGO_PKG_VERSION")));
        lane
    }

    /// Gives it nothing more to do; returns its standard error, which nobody reads.
    pub fn leave(self) -> File {
        self.errors
    }

    /// Ends without a word, as Kea does when it is killed, and waits for the runner's end; what that has said on standard error.
    pub fn die_with(self, lane: Lane, then: impl FnOnce()) -> String {
        lane.abandon();
        self.end_then(then)
    }

    /// Gives it nothing more to do, waits for its end, and returns what it has said on standard error.
    pub fn end(self) -> String {
        self.end_then(|| {})
    }

    fn end_then(self, then: impl FnOnce()) -> String {
        let Runner { control, mut errors, .. } = self;
        drop(control);
        then();
        let mut said = String::new();
        errors.read_to_string(&mut said).unwrap();
        said
    }
}

/// Ignored and blocked signals, a descriptor that should not be there, a low limit.
fn as_kea_would() -> io::Result<()> {
    for ignored in [Signal::SIGINT, Signal::SIGPIPE, Signal::SIGCHLD] {
        // SAFETY: no handler is involved.
        unsafe { signal(ignored, SigHandler::SigIgn) }?;
    }
    SigSet::all().thread_set_mask()?;
    // SAFETY: plain system calls on our own process.
    unsafe { libc::dup2(2, 77) };
    setrlimit(Resource::RLIMIT_NOFILE, 256, 4096)?;
    Ok(())
}

/// It is shut down before it is closed, as the library does it: the runner may hold a duplicate.
pub struct Lane(BufReader<UnixStream>, Close);

/// How it is closed.
#[derive(PartialEq)]
enum Close {
    ByUs,
    ByTheKernel,
}

impl Drop for Lane {
    fn drop(&mut self) {
        if self.1 == Close::ByUs {
            let _ = self.0.get_ref().shutdown(Shutdown::Write);
        }
    }
}

impl Lane {
    pub fn write(&mut self, value: &impl serde::Serialize) {
        self.0.get_mut().write_all(line(value).unwrap().as_bytes()).unwrap();
    }

    pub fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        (self.0.read_line(&mut line).unwrap() > 0).then_some(line)
    }

    /// All that comes until its end, which may be an error: the daemon has left something unread.
    pub fn all(&mut self) -> String {
        let mut bytes = Vec::new();
        let _ = self.0.read_to_end(&mut bytes);
        String::from_utf8(bytes).unwrap()
    }

    /// Closes it as the kernel does when we are killed.
    fn abandon(mut self) {
        self.1 = Close::ByTheKernel;
    }

    /// Says that nothing more will come.
    pub fn hang_up(&self) {
        self.0.get_ref().shutdown(Shutdown::Write).unwrap();
    }

    pub fn answer(&mut self) -> Option<Answer> {
        self.line().map(|line| serde_json::from_str(&line).unwrap())
    }

    pub fn run(&mut self, event: &Event) -> Answer {
        self.write(event);
        let answer = self.answer().unwrap();
        assert_eq!(answer.seq, event.seq);
        answer
    }

    /// What the script writes.
    pub fn output(&mut self) -> String {
        let answer = self.run(&event(1, ""));
        assert_eq!((answer.next, &answer.failure), (Some(Next::Continue), &None), "{answer:?}");
        answer.log.into_iter().map(|line| line.text + "\n").collect()
    }
}

pub fn event(seq: u64, keys: &str) -> Event {
    let keys = keys.split_whitespace().map(String::from).collect();
    let (hook, text) = ("pkt4_receive", seq.to_string());
    let vars = [("KEA_HOOK_POINT", hook), ("KEA_QUERY4_TYPE", "event"), ("KEA_QUERY4_TRANSACTION_ID", &*text)];
    let vars = vars.into_iter().collect();
    Event { seq, hook: hook.into(), wait: false, answers: false, time: 1.5, timeout: 60_000, at: None, keys, vars }
}
