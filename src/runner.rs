//! The runner: a small process outside Kea that runs one script per event, or a daemon that is told the events.
//!
//! Whom it trusts: whoever started it. The script, its arguments and what it inherits are fixed on the command
//! line and in the environment, which the hook library took from Kea's configuration; no path ever comes over a
//! socket. A line says when the script runs and with which variables, no more: the hook point and the variables' names
//! have to be those of our own tables, whoever has written the line. Parts of the values were
//! chosen by strangers on the network: a value never becomes a path, an argument or a name, and no shell of ours
//! sees it. The script is not trusted to end, to be quiet, or to close what it has opened.

mod afterwards;
mod answer;
mod capabilities;
mod conversation;
mod copy;
mod daemon;
mod environment;
mod executable;
#[cfg(any(test, fuzzing))]
#[allow(clippy::expect_used)]
pub mod fuzzing;
mod lane;
mod leftovers;
mod orphans;
mod output;
mod refusal;
mod reports;
mod rest;
mod run;
mod script;
#[allow(unsafe_code)]
mod sys;
#[cfg(test)]
mod tests;
mod turns;

use std::ffi::OsString;
use std::fmt::Display;
use std::io::{self, Write};
use std::os::fd::{AsFd, IntoRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

use caps::Capability;
use libc::PIPE_BUF;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags};
use nix::sys::socket::{SockType, getsockopt, sockopt};

use self::daemon::Daemon;
use self::executable::Executable;
use self::leftovers::Leftovers;
use self::orphans::Orphans;
use self::reports::Reports;
use self::script::Script;
use self::turns::Turns;
use crate::control::{self, Order, THE_RUNNER};
use crate::event::line;
use crate::syscall::failed;
use crate::text::{LOG_TEXT_BYTES, excerpt};
use crate::verdict::{ANSWER_BYTES, Answer, Failure, FailureKind, LogLine, RUNNER_LINE_BYTES, Wishes};
use crate::wait::wait_for;

/// Runs a script, or a daemon if there is `patience` with it, for the library, which is behind standard input; without the
/// capabilities that are Kea's own, but for these. The library is told what keeps us from that, and logs it.
pub fn main(
    kept: &[Capability],
    patience: Option<Duration>,
    script: PathBuf,
    args: Vec<OsString>,
    strict: bool,
) -> ExitCode {
    let control = io::stdin();
    let Err(error) = capabilities::give_up(kept).and_then(|()| run(&control, patience, script, args, strict)) else {
        return ExitCode::SUCCESS;
    };
    if !is_librarys(&control) || control::refuse(&control, THE_RUNNER, &error).is_err() {
        complain(error);
    }
    ExitCode::FAILURE
}

fn is_librarys(control: &impl AsFd) -> bool {
    getsockopt(control, sockopt::SockType) == Ok(SockType::SeqPacket)
}

fn run(
    control: &(impl AsFd + Sync),
    patience: Option<Duration>,
    script: PathBuf,
    args: Vec<OsString>,
    strict: bool,
) -> io::Result<()> {
    if !is_librarys(control) {
        return Err(io::Error::other(
            "run: standard input is not the hook library's socket, only the library starts this",
        ));
    }
    sys::close_inherited();
    sys::own_signals().map_err(|error| io::Error::other(failed("rt_sigprocmask", error)))?;
    sys::detach().map_err(io::Error::other)?;
    let orphans = Orphans::adopt().map_err(io::Error::other)?;
    let leftovers = Leftovers::new()?;
    let program = Executable::new(script.clone(), args, strict)?;
    let handler = match patience {
        None => Handler::Script(Script::new(program, Arc::clone(&leftovers))?),
        Some(patience) => {
            let reports = Reports::new(control, Arc::clone(&leftovers), script.clone())?;
            Handler::Daemon(Daemon::new(program, reports, patience))
        }
    };
    let runner = Runner { handler, turns: Turns::default() };
    orphans.reap_during(|| runner.serve(control)).map_err(io::Error::other)?;
    complain_of(&script, &leftovers.take_lines());
    Ok(())
}

/// One program, and the events that wait for it.
struct Runner {
    handler: Handler,
    turns: Turns<rest::Work>,
}

enum Handler {
    Script(Script),
    Daemon(Daemon),
}

impl Handler {
    fn path(&self) -> &Path {
        match self {
            Handler::Script(script) => script.path(),
            Handler::Daemon(daemon) => daemon.path(),
        }
    }
}

impl Runner {
    /// Takes connections from `control` until its end, then waits until each has come to its own.
    fn serve(&self, control: &impl AsFd) {
        thread::scope(|scope| {
            loop {
                match control::next_order(control) {
                    Ok(Some((Ok(order), with))) => self.heed(scope, control, order, with),
                    Ok(Some((Err(error), _))) => complain(format_args!("not an order of the library's: {error}")),
                    Ok(None) => break,
                    // The library has left reports of ours unread; what it has said before is still to come.
                    Err(Errno::ECONNRESET) => {}
                    Err(error) => {
                        complain(format_args!("no more connections can be taken: {}", error.desc()));
                        break;
                    }
                }
            }
            if let Handler::Daemon(daemon) = &self.handler {
                daemon.hear_out(scope);
            }
        });
    }

    fn heed<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        control: &impl AsFd,
        order: Order,
        with: Vec<OwnedFd>,
    ) {
        let mut with = with.into_iter();
        match (order, &self.handler) {
            (Order::Lane(lane), _) => match with.next() {
                Some(socket) => self.take(scope, control, lane, UnixStream::from(socket)),
                None => refuse(control, lane, &failed("a connection", Errno::EMFILE)),
            },
            (Order::Stop(lane), Handler::Daemon(daemon)) => daemon.give_up(lane),
            (Order::LetGo { lane, times }, Handler::Daemon(daemon)) => {
                daemon.let_go(lane, times.into_iter().map(Duration::from_millis).collect(), with.next());
            }
            (Order::Stop(_) | Order::LetGo { .. }, Handler::Script(_)) => {}
            // Without a way for the answers the library hears by the end of the connection that the rest is its own.
            (Order::Rest, _) => {
                if let (Some(events), Some(answers)) = (with.next(), with.next()) {
                    self.take_rest(scope, UnixStream::from(events), UnixStream::from(answers));
                }
            }
            (Order::Hold, _) => {
                // Our end closes it.
                if let Some(held) = with.next() {
                    let _ = held.into_raw_fd();
                }
            }
        }
    }

    fn take<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        control: &impl AsFd,
        lane: u64,
        socket: UnixStream,
    ) {
        // Held here too until the library has been told why it is closed again.
        let stream = Arc::new(socket);
        let taken = match &self.handler {
            Handler::Script(script) => {
                let (stream, place) = (Arc::clone(&stream), self.turns.lane(Arc::clone(&stream)));
                spawn_in(scope, "lane", move || lane::serve(script, stream, place)).map(drop)
            }
            Handler::Daemon(daemon) => daemon.take(scope, &self.turns, lane, Arc::clone(&stream)),
        };
        if let Err(error) = taken {
            refuse(control, lane, &error);
        }
    }

    fn take_rest<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>, events: UnixStream, answers: UnixStream) {
        if let Err(error) = spawn_in(scope, "rest", move || rest::work_off(self, events, answers)) {
            complain(format_args!("a connection is closed again: {error}"));
        }
    }
}

/// A lane cannot be served, for this reason.
fn refuse(control: &impl AsFd, lane: u64, reason: &dyn Display) {
    if control::refuse(control, lane, reason).is_err() {
        complain(format_args!("a connection is closed again: {reason}"));
    }
}

/// The line of an answer; if that is longer than the library takes, a failure's. JSON has longer ways to write a number.
fn line_of(answer: &Answer) -> serde_json::Result<String> {
    let whole = line(answer)?;
    if whole.len() <= RUNNER_LINE_BYTES {
        return Ok(whole);
    }
    let text = format!("its answer takes {} bytes: it may have no more than {ANSWER_BYTES}", whole.len());
    let failure = Some(Failure::new(FailureKind::Answer, text));
    line(&Answer { seq: answer.seq, next: None, failure, log: answer.log.clone(), wishes: Wishes::default() })
}

/// Says on standard error what nobody is there to be told.
fn report(path: &Path, answer: &Answer) {
    complain_of(path, &answer.log);
    if let Some(failure) = &answer.failure {
        let text = excerpt(&failure.text, LOG_TEXT_BYTES);
        complain(format_args!("{}: an event has failed: {text}", path.display()));
    }
}

fn complain_of(path: &Path, lines: &[LogLine]) {
    let text = |line: &LogLine| excerpt(&line.text, LOG_TEXT_BYTES);
    lines.iter().for_each(|line| complain(format_args!("{}: {}", path.display(), text(line))));
}

/// A thread of ours; 256 of them are cheap.
fn spawn_in<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    name: &str,
    body: impl FnOnce() -> T + Send + 'scope,
) -> io::Result<ScopedJoinHandle<'scope, T>> {
    const STACK: usize = 256 * 1024;
    let thread = thread::Builder::new().name(name.into()).stack_size(STACK).spawn_scoped(scope, body);
    thread.map_err(|error| io::Error::other(failed("clone3", error)))
}

/// Says something on standard error, which is Kea's. There is nobody to tell if that fails.
pub fn complain(text: impl Display) {
    const NAME: &str = "kea-runscript: ";
    // What a pipe has room for when it says that it has some.
    let text = excerpt(text.to_string(), PIPE_BUF - NAME.len() - 1);
    let mut errors = io::stderr().lock();
    if has_room(&errors) {
        let _ = errors.write_all(format!("{NAME}{text}\n").as_bytes());
    }
}

/// Whether a write does not wait for ever. It may be a pipe that nobody reads any more: it gets some time, but once.
fn has_room(errors: &impl AsFd) -> bool {
    const PATIENCE: Duration = Duration::from_secs(1);
    static IS_STUCK: AtomicBool = AtomicBool::new(false);
    let patience = if IS_STUCK.load(Ordering::Relaxed) { Duration::ZERO } else { PATIENCE };
    let mut fds = [PollFd::new(errors.as_fd(), PollFlags::POLLOUT)];
    let _ = wait_for(&mut fds, Some(Instant::now() + patience));
    let has_room = fds[0].any() != Some(false);
    IS_STUCK.store(!has_room, Ordering::Relaxed);
    has_room
}
