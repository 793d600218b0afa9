//! The runner as a process: starting it, opening lanes to it, hearing what it has to say.

use std::fmt::Display;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use super::programs::{explain, find, find_tools, warn};
use super::without_signals;
use crate::config::{Config, Mode, TOOLS_PATH};
use crate::control::{self, Order, Report, THE_RUNNER};
use crate::lane;
use crate::spool::Spool;
use crate::syscall;
use crate::trust;

/// Our end of the runner's control socket: it lives until this is closed and its work is done.
pub struct Runner {
    /// Its own among what is watched beside lanes.
    pub number: u64,
    /// As messages name it.
    name: String,
    control: OwnedFd,
    /// Why it does not serve, as it has said itself.
    refusal: OnceLock<String>,
    /// It has been told where the spool is.
    marks_in: OnceLock<()>,
}

/// How long it may have too much to read.
const PATIENCE: Duration = Duration::from_secs(1);
/// Of a thread that only waits.
const STACK: usize = 64 * 1024;

impl Runner {
    /// Starts a runner for this script.
    pub fn start(config: &Config, server: &str, deadline: Instant) -> Result<Runner, String> {
        let path = find(config)?;
        let name = match &config.runner {
            Some(path) => format!("parameter \"runner\": \"{}\"", path.display()),
            None => path.display().to_string(),
        };
        let failed = |what: &str, error: &dyn Display| format!("{name}: {what}: {error}");
        // A missing one is explained below.
        warn(&path, trust::program(&path, config.strict).map_err(|reason| format!("{name}: {reason}"))?);
        let tools = config.answers.then(|| find_tools(&path, config)).transpose()?;
        let (ours, theirs) =
            control::pair().map_err(|error| format!("{name}: {}", syscall::failed("socketpair", error)))?;
        // Nothing is written to standard output. There may be no /dev/null.
        let output = theirs.try_clone().map_err(|error| format!("{name}: {}", syscall::failed("fcntl", error)))?;
        let child = command(&path, tools.as_deref(), config)
            .stdin(theirs)
            .stdout(output)
            .spawn()
            .map_err(|error| failed("cannot be started", &explain(&path, server, error)))?;
        see_off(child, deadline).map_err(|reason| format!("{name}: {reason}"))?;
        let (refusal, marks_in) = (OnceLock::new(), OnceLock::new());
        Ok(Runner { number: lane::new_id(), name, control: ours, refusal, marks_in })
    }

    /// Why it does not serve: as it has said itself, or because of `error`.
    pub fn silent(&self, error: &dyn Display) -> String {
        match self.refusal.get() {
            Some(refusal) => self.refused(refusal),
            None => self.refused(&format!("does not answer: {error}; is it a kea-runscript-runner of this version?")),
        }
    }

    /// Its words for that, of one lane.
    pub fn refused(&self, refusal: &str) -> String {
        format!("{}: {refusal}", self.name)
    }

    /// Whether it has said that it does not serve.
    pub fn has_refused(&self) -> bool {
        self.refusal.get().is_some()
    }

    /// Has it serve a lane of this number. With `ours` it can hear a daemon out that goes on without us.
    pub fn open(&self, lane: u64, theirs: &UnixStream, ours: Option<&UnixStream>, deadline: Instant) -> io::Result<()> {
        let with: Vec<_> = [Some(theirs), ours].into_iter().flatten().map(AsFd::as_fd).collect();
        self.order(&Order::Lane(lane), &with, deadline)
    }

    /// Has the daemon of a lane stopped, if it is still there.
    pub fn stop_daemon(&self, lane: u64) {
        // If that fails, the runner stops it when the time-out is over.
        let _ = self.order(&Order::Stop(lane), &[], Instant::now());
    }

    /// The daemon of a lane has nothing to answer: it ends soon after it is hung up.
    pub fn let_go(&self, lane: u64) {
        // The same.
        let _ = self.order(&Order::LetGo(lane), &[], Instant::now());
    }

    /// Has it mark there what it has done, and hold the lock that says that it is at work, once.
    pub fn tell_of_spool(&self, spool: &Spool) {
        self.marks_in.get_or_init(|| {
            // If that fails, it does not live, or has no descriptor left: we mark as well.
            let _ =
                self.order(&Order::Spool(spool.path().into()), &[spool.at_work().as_fd()], Instant::now() + PATIENCE);
        });
    }

    fn order(&self, order: &Order, with: &[BorrowedFd], deadline: Instant) -> io::Result<()> {
        control::order(&self.control, order, with, deadline)
    }

    /// What it has to say by now, and whether it has ended.
    pub fn reports(&self) -> (Vec<Report>, bool) {
        let (reports, has_ended) = control::reports(&self.control);
        let of_itself = |report: &Report| report.lane == THE_RUNNER && report.refusal.is_some();
        let (own, of_lanes) = reports.into_iter().partition::<Vec<_>, _>(of_itself);
        own.into_iter().filter_map(|report| report.refusal).for_each(|refusal| drop(self.refusal.set(refusal)));
        (of_lanes, has_ended)
    }
}

fn command(path: &Path, tools: Option<&Path>, config: &Config) -> Command {
    let mut command = Command::new(path);
    command.arg("run");
    if config.mode == Mode::Daemon {
        command.arg("--daemon").arg("--timeout").arg(config.longest_timeout().as_millis().to_string());
    }
    for capability in &config.keep_capabilities {
        command.arg("--keep-capability").arg(capability.to_string());
    }
    if config.strict {
        command.arg("--strict");
    }
    command.arg("--").arg(&config.script).args(&config.args).env_clear();
    command.envs(tools.map(|path| (TOOLS_PATH, path)));
    command.envs(config.env.iter().map(|(name, value)| (name, value)));
    command
}

impl AsFd for Runner {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.control.as_fd()
    }
}

/// Waits for the end of the runner's first process, which detaches the runner itself and leaves at once. Where Kea is
/// process 1, that is the runner itself: its end is waited for in a thread, however long it goes on, or it would be a zombie
/// of Kea's. Kea's own SIGCHLD handler may be faster and leave nothing to wait for, which is an error that says the same.
fn see_off(mut child: Child, deadline: Instant) -> Result<(), String> {
    if is_process_1() {
        let thread = thread::Builder::new().name("runner's end".into()).stack_size(STACK);
        let waiting = without_signals(|| thread.spawn(move || child.wait()));
        return waiting.map(drop).map_err(|error| syscall::failed("clone3", error));
    }
    while let Ok(None) = child.try_wait() {
        if Instant::now() > deadline {
            let _ = child.kill();
            let _ = child.wait();
            return Err("does not detach itself: a wrapper of it must end with exec".into());
        }
        thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

/// Whether Kea is process 1, as in a container: orphans are its children, and its end is theirs.
pub fn is_process_1() -> bool {
    std::process::id() == 1
}
