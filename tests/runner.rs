//! The program `kea-runscript run` as the hook library uses it: over real sockets, out of our hands.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, IoSlice, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use kea_hook_runscript::event::{End, Event, Hello, Variables, line};
use kea_hook_runscript::verdict::{Answer, Next};
use nix::fcntl::OFlag;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SigHandler, SigSet, Signal, kill, signal};
use nix::sys::socket::{AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType, sendmsg, socketpair};
use nix::unistd::{Pid, pipe2};

/// A runner that is run in surroundings as bad as Kea's.
struct Runner {
    control: OwnedFd,
    errors: File,
}

impl Runner {
    fn start(script: &Path, arguments: &[&str]) -> Runner {
        let (control, theirs) =
            socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC).unwrap();
        let (errors, their_errors) = pipe2(OFlag::O_CLOEXEC).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_kea-runscript"));
        command
            .args(["run", "--"])
            .arg(script)
            .args(arguments)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("KEA_A", "env");
        command.stdin(theirs).stdout(Stdio::null()).stderr(their_errors);
        // SAFETY: system calls only.
        unsafe { command.pre_exec(as_kea_would) };
        assert!(command.status().unwrap().success(), "the first process leaves at once");
        Runner { control, errors: File::from(errors) }
    }

    fn hand_over(&self, kind: u8, socket: UnixStream) {
        let rights = [socket.as_raw_fd()];
        let rights = [ControlMessage::ScmRights(&rights)];
        sendmsg::<()>(self.control.as_raw_fd(), &[IoSlice::new(&[kind])], &rights, MsgFlags::empty(), None).unwrap();
    }

    fn lane(&self) -> Lane {
        let (ours, theirs) = UnixStream::pair().unwrap();
        self.hand_over(b'L', theirs);
        let mut lane = Lane(BufReader::new(ours));
        lane.write(&Hello { hello: 1, server: "kea-dhcp4".into(), version: "3.0.4".into() });
        let hello: Hello = serde_json::from_str(&lane.line().unwrap()).unwrap();
        assert_eq!((hello.hello, hello.version.as_str()), (1, env!("CARGO_PKG_VERSION")));
        lane
    }

    /// Hands over these events, whole; answers can be read from what is returned.
    fn rest(&self, events: &[Event]) -> Lane {
        let (ours, theirs) = UnixStream::pair().unwrap();
        self.hand_over(b'R', theirs);
        let mut lane = Lane(BufReader::new(ours));
        events.iter().for_each(|event| lane.write(event));
        lane.write(&End { end: events.len() });
        lane.0.get_ref().shutdown(std::net::Shutdown::Write).unwrap();
        lane
    }

    /// Gives it nothing more to do, waits for its end, and returns what it has said on standard error.
    fn end(self) -> String {
        let Runner { control, mut errors } = self;
        drop(control);
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

struct Lane(BufReader<UnixStream>);

impl Lane {
    fn write(&mut self, value: &impl serde::Serialize) {
        self.0.get_mut().write_all(&line(value).unwrap()).unwrap();
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        (self.0.read_line(&mut line).unwrap() > 0).then_some(line)
    }

    fn answer(&mut self) -> Option<Answer> {
        self.line().map(|line| serde_json::from_str(&line).unwrap())
    }

    fn run(&mut self, event: &Event) -> Answer {
        self.write(event);
        let answer = self.answer().unwrap();
        assert_eq!(answer.seq, event.seq);
        answer
    }

    /// What the script writes if `hook` is its first argument.
    fn output(&mut self, hook: &str) -> String {
        let answer = self.run(&Event { hook: hook.into(), ..event(1, "") });
        assert_eq!((answer.next, &answer.failure), (Some(Next::Continue), &None), "{answer:?}");
        answer.log.into_iter().map(|line| line.text + "\n").collect()
    }
}

fn event(seq: u64, keys: &str) -> Event {
    let keys = keys.split_whitespace().map(String::from).collect();
    let vars = Variables(vec![("KEA_A".into(), "event".into()), ("SEQ".into(), seq.to_string())]);
    Event { seq, hook: "pkt4_receive".into(), wait: false, time: 1.5, timeout: 60_000, keys, vars }
}

/// A directory with a shell script in it, gone with the test.
struct Bench(PathBuf);

impl Bench {
    fn shell(body: &str) -> Bench {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("kea-runner-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let bench = Bench(std::env::temp_dir().join(name));
        fs::create_dir(&bench.0).unwrap();
        fs::write(bench.file("script"), format!("#!/bin/sh\ncd \"${{0%/*}}\"\n{body}\n")).unwrap();
        fs::set_permissions(bench.file("script"), fs::Permissions::from_mode(0o755)).unwrap();
        bench
    }

    fn start(&self) -> Runner {
        Runner::start(&self.file("script"), &[])
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn touch(&self, name: &str) {
        fs::write(self.file(name), "").unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.file(name)).unwrap_or_default()
    }

    fn files(&self) -> usize {
        fs::read_dir(&self.0).unwrap().count()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[track_caller]
fn wait_until(mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(Instant::now() < deadline, "in vain");
        std::thread::yield_now();
    }
}

/// A line of /proc/PID/status, numbers in it apart.
fn field(status: &str, name: &str) -> String {
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {name} in {status}"))
        .replace("\\x09", " ")
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

fn number(status: &str, name: &str) -> i32 {
    field(status, name).split(' ').next().unwrap().parse().unwrap()
}

fn status(pid: i32) -> String {
    fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default()
}

/// Zombies too.
fn children(pid: i32) -> usize {
    let processes = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    processes.filter(|process| status(*process).contains(&format!("\nPPid:\t{pid}\n"))).count()
}

/// The pid of a runner whose script tells its parent's.
fn pid_of(lane: &mut Lane) -> i32 {
    lane.output("").trim().parse().unwrap()
}

#[test]
fn the_environment_is_the_runners_and_the_events_and_nothing_else() {
    let runner = Runner::start(Path::new("/usr/bin/env"), &[]);
    assert_eq!(runner.lane().output("-0"), "PATH=/usr/bin:/bin\\x00KEA_A=event\\x00SEQ=1\\x00\n");
    assert_eq!(runner.end(), "");
}

#[test]
fn a_script_has_three_descriptors() {
    let runner = Runner::start(Path::new("/bin/ls"), &["-l"]);
    let _another = runner.lane();
    let listing = runner.lane().output("/proc/self/fd");
    let targets: Vec<&str> = listing.lines().filter_map(|line| line.split(" -> ").nth(1)).collect();
    assert_eq!(targets.len(), 4, "{listing}");
    assert_eq!(targets[0], "/dev/null");
    assert!(targets[1].starts_with("pipe:") && targets[2].starts_with("pipe:"), "{listing}");
    assert!(targets[3].starts_with("/proc/"), "ls itself reads a directory: {listing}");
}

#[test]
fn a_script_has_clean_signals_limits_and_a_group_of_its_own() {
    let runner = Runner::start(Path::new("/bin/cat"), &["/proc/self/limits"]);
    let said = runner.lane().output("/proc/self/status");
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
    wait_until(|| status(pids[0]).is_empty() || field(&status(pids[0]), "State").starts_with('Z'));
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
    let expected = ["too late", "exit status 3"].map(|text| format!("kea-runscript: {}: {text}\n", script.display()));
    assert_eq!(runner.end(), expected.concat());
}

#[test]
fn lanes_run_side_by_side() {
    let bench = Bench::shell("touch run.$SEQ; while [ ! -e go ]; do sleep 0.2; done");
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
fn a_rest_without_its_end_never_begins() {
    let bench = Bench::shell("echo said");
    let runner = bench.start();
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    runner.hand_over(b'R', theirs);
    ours.write_all(&line(&event(1, "a")).unwrap()).unwrap();
    drop(ours);
    assert_eq!(runner.end(), "");
}

#[test]
fn the_rest_is_worked_off_when_kea_is_gone() {
    let bench = Bench::shell("echo $SEQ >> order; echo said");
    let runner = bench.start();
    let lane = runner.lane();
    let events: Vec<Event> = (1..=200).map(|seq| event(seq, &format!("{} {}", seq % 7, seq % 2))).collect();
    drop(runner.rest(&events));
    drop(lane);
    let said = runner.end();
    assert_eq!(said.matches(": said\n").count(), 200);
    assert_eq!(
        bench.read("order").lines().map(|seq| seq.parse().unwrap()).collect::<Vec<u64>>(),
        (1..=200).collect::<Vec<u64>>()
    );
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
    let output = Command::new(env!("CARGO_BIN_EXE_kea-runscript"))
        .args(["run", "--", "/bin/true"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("standard input is not the hook library's socket"), "{said}");
}
