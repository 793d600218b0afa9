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

use super::programs::{explain, find, warn};
use super::without_signals;
use crate::config::{Config, Mode};
use crate::control::{self, Order, Report, THE_RUNNER};
use crate::lane::Lane;
use crate::syscall;
use crate::trust;

/// The variable that tells a script where the runner is, for its `answer`.
const OWN_PATH: &str = "KEA_RUNSCRIPT";
/// Our end of the runner's control socket: it lives until this is closed and its work is done.
pub struct Runner {
    /// As messages name it.
    name: String,
    control: OwnedFd,
    /// Why it does not serve, as it has said itself.
    refusal: OnceLock<String>,
}

/// Of a thread that only waits.
const STACK: usize = 64 * 1024;

impl Runner {
    /// Starts a runner for this script.
    pub fn start(config: &Config, deadline: Instant) -> Result<Runner, String> {
        let path = find(config)?;
        let name = match &config.runner {
            Some(path) => format!("parameter \"runner\": \"{}\"", path.display()),
            None => path.display().to_string(),
        };
        let failed = |what: &str, error: &dyn Display| format!("{name}: {what}: {error}");
        // A missing one is explained below.
        warn(&path, trust::program(&path, config.strict).map_err(|reason| format!("{name}: {reason}"))?);
        let (ours, theirs) =
            control::pair().map_err(|error| format!("{name}: {}", syscall::failed("socketpair", error)))?;
        // Nothing is written to standard output. There may be no /dev/null.
        let output = theirs.try_clone().map_err(|error| format!("{name}: {}", syscall::failed("fcntl", error)))?;
        let child = command(&path, config)
            .stdin(theirs)
            .stdout(output)
            .spawn()
            .map_err(|error| failed("cannot be started", &explain(&path, error)))?;
        see_off(child, deadline).map_err(|reason| format!("{name}: {reason}"))?;
        Ok(Runner { name, control: ours, refusal: OnceLock::new() })
    }

    /// Why it does not serve: as it has said itself, or because of `error`.
    pub fn silent(&self, error: &dyn Display) -> String {
        match self.refusal.get() {
            Some(refusal) => self.refused(refusal),
            None => self.refused(&format!("does not answer: {error}; is it a kea-runscript?")),
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

    /// Has it serve a lane of this number.
    pub fn open(&self, lane: u64, theirs: &UnixStream, deadline: Instant) -> io::Result<()> {
        self.order(&Order::Lane(lane), &[theirs.as_fd()], deadline)
    }

    /// Has the runner read the rest from here; returns where its answers come. Others may hold the other end of `theirs`:
    /// that we are gone shows on a connection of the answers' own.
    pub fn give_rest(&self, theirs: UnixStream, deadline: Instant) -> io::Result<UnixStream> {
        let (answers, its_answers) = UnixStream::pair()?;
        self.order(&Order::Rest, &[theirs.as_fd(), its_answers.as_fd()], deadline)?;
        Ok(answers)
    }

    /// Has the daemon of a lane stopped, if it is still there.
    pub fn stop_daemon(&self, lane: u64) {
        // If that fails, the runner stops it when the time-out is over.
        let _ = self.order(&Order::Stop(lane), &[], Instant::now());
    }

    /// Has the daemon of a lane end when it has answered its events, for each of which it has the time given here, from
    /// the answer before. With `ours` the runner can see to that without us: it reads what comes when we are gone.
    ///
    /// Whether it has been told by `deadline`.
    pub fn let_daemon_go(&self, lane: u64, times: &[Duration], ours: Option<&Lane>, deadline: Instant) -> bool {
        let times = times.iter().map(|time| time.as_millis() as u64).collect();
        let with: Vec<_> = ours.map(Lane::as_fd).into_iter().collect();
        let told = self.order(&Order::LetGo { lane, times }, &with, deadline);
        // Any other error is the runner's end.
        !told.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Has the runner hold this for as long as it lives.
    pub fn let_hold(&self, descriptor: BorrowedFd, deadline: Instant) {
        // If that fails, it does not live, or does not listen: it cannot be waited for.
        let _ = self.order(&Order::Hold, &[descriptor], deadline);
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

fn command(path: &Path, config: &Config) -> Command {
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
    command.envs(config.answers.then_some((OWN_PATH, path)));
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

#[cfg(test)]
mod tests {
    use super::*;

    fn runner() -> (Runner, OwnedFd) {
        let (control, theirs) = control::pair().unwrap();
        (Runner { name: "runner".into(), control, refusal: OnceLock::new() }, theirs)
    }

    /// Tells it of so many lanes; of how many it has been told by the deadline.
    fn tell(runner: &Runner, lanes: u64, deadline: Instant) -> usize {
        let times = [Duration::from_secs(1); 33];
        (0..lanes).filter(|lane| runner.let_daemon_go(*lane, &times, None, deadline)).count()
    }

    #[test]
    fn a_runner_that_does_not_listen_yet_hears_of_all_lanes() {
        let (runner, theirs) = runner();
        let told = tell(&runner, 1000, Instant::now());
        assert!(told < 256, "it has to wait at all: {told}");
        thread::scope(|scope| {
            let rest = scope.spawn(|| tell(&runner, 256, Instant::now() + Duration::from_secs(60)));
            (0..told + 256).for_each(|_| assert!(control::next_order(&theirs).unwrap().unwrap().0.is_ok()));
            assert_eq!(rest.join().unwrap(), 256);
        });
    }

    #[test]
    fn a_runner_that_has_ended_is_not_waited_for() {
        let (runner, theirs) = runner();
        drop(theirs);
        assert_eq!(tell(&runner, 1, Instant::now() + Duration::from_secs(60)), 1);
    }
}
