//! The runner: our process outside Kea, a program of its own (`kea-runscript-runner`), small because it stays. It runs one
//! script per event, or a daemon for each lane. It executes what it was sent, and marks it, also when the library is gone; it
//! has no queue.
//!
//! As a service ([`serve`]), systemd starts it, and Kea connects. Else the library starts it, and this is about that.
//!
//! Whom it trusts: whoever started it. The script, its arguments and what it inherits are fixed on the command
//! line and in the environment, which the hook library took from Kea's configuration. The one path that comes over a socket is
//! the spool's, from the library itself, and all that is written there is one byte of a record. A line says when the script
//! runs and with which variables, no more: the hook point and the variables' names
//! have to be those of our own tables, whoever has written the line. Parts of the values were
//! chosen by strangers on the network: a value never becomes a path, an argument or a name, and no shell of ours
//! sees it. The script is not trusted to end, to be quiet, or to close what it has opened.

mod answer;
mod capabilities;
mod daemon;
mod daemons;
mod environment;
mod executable;
#[cfg(any(test, fuzzing))]
#[allow(clippy::expect_used)]
pub mod fuzzing;
mod hearing;
mod lane;
mod leftovers;
mod marking;
mod orphans;
mod output;
mod refusal;
mod reports;
mod run;
mod script;
pub mod serve;
#[allow(unsafe_code)]
mod sys;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::fmt::Display;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, Scope};
use std::time::{Duration, Instant};

use caps::Capability;
use libc::PIPE_BUF;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags};
use nix::sys::socket::{SockType, getsockopt, sockopt};

use self::daemons::Daemons;
use self::environment::Environment;
use self::executable::Executable;
use self::leftovers::Leftovers;
use self::marking::Marking;
use self::orphans::Orphans;
use self::reports::Reports;
use self::script::Script;
use crate::control::{self, Order, THE_RUNNER};
use crate::event::line;
use crate::syscall::failed;
use crate::text::{LOG_TEXT_BYTES, excerpt};
use crate::trust;
use crate::verdict::{ANSWER_BYTES, Answer, Failure, FailureKind, LogLine, RUNNER_LINE_BYTES};
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
    refuse_to_serve(&error);
    ExitCode::FAILURE
}

/// Tells the library why, or whoever else has started this.
pub fn refuse_to_serve(reason: &dyn Display) {
    let control = io::stdin();
    if !is_librarys(&control) || control::refuse(&control, THE_RUNNER, reason).is_err() {
        complain(reason);
    }
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
    let program = Executable::new(script.clone(), args, Environment::inherited(), trust::program_by(strict))?;
    let marking = Arc::<Marking>::default();
    let handler = match patience {
        None => Handler::Script(Script::new(program, Arc::clone(&leftovers), Arc::clone(&marking))?),
        Some(patience) => {
            let reports = Reports::new(control, Arc::clone(&leftovers), script.clone())?;
            Handler::Daemons(Daemons::new(Arc::new(program), reports, Arc::clone(&marking), patience))
        }
    };
    let runner = Runner { handler, marking };
    orphans.reap_during(|| runner.serve(control)).map_err(io::Error::other)?;
    complain_of(&script, &leftovers.take_lines());
    Ok(())
}

/// One program, and where it is marked what that has done.
struct Runner {
    handler: Handler,
    marking: Arc<Marking>,
}

enum Handler {
    Script(Script),
    Daemons(Daemons),
}

impl Runner {
    /// Takes lanes from `control` until its end, then waits until each has come to its own.
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
            if let Handler::Daemons(daemons) = &self.handler {
                daemons.library_is_gone();
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
                Some(socket) => self.take(scope, control, lane, socket.into(), with.next().map(UnixStream::from)),
                None => refuse(control, lane, &failed("a connection", Errno::EMFILE)),
            },
            (Order::Stop(lane), Handler::Daemons(daemons)) => daemons.stop(lane),
            (Order::LetGo(lane), Handler::Daemons(daemons)) => daemons.let_go(lane),
            (Order::Stop(_) | Order::LetGo(_), Handler::Script(_)) => {}
            (Order::Spool(directory), _) => self.marking.begin(directory, with.next()),
        }
    }

    fn take<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        control: &impl AsFd,
        lane: u64,
        socket: UnixStream,
        library_end: Option<UnixStream>,
    ) {
        // Held here too until the library has been told why it is closed again.
        let stream = Arc::new(socket);
        let its = Arc::clone(&stream);
        let taken = match &self.handler {
            Handler::Script(script) => spawn_in(scope, "lane", move || lane::serve(script, &its)),
            Handler::Daemons(daemons) => daemons.take(scope, lane, its, library_end),
        };
        if let Err(error) = taken {
            refuse(control, lane, &error);
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
    line(&Answer { seq: answer.seq, failure, log: answer.log.clone(), ..Answer::default() })
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
fn spawn_in<'scope>(
    scope: &'scope Scope<'scope, '_>,
    name: &str,
    body: impl FnOnce() + Send + 'scope,
) -> io::Result<()> {
    const STACK: usize = 256 * 1024;
    let thread = thread::Builder::new().name(name.into()).stack_size(STACK).spawn_scoped(scope, body);
    thread.map(drop).map_err(|error| io::Error::other(failed("clone3", error)))
}

/// Says something on standard error, which is Kea's. There is nobody to tell if that fails.
fn complain(text: impl Display) {
    const NAME: &str = "kea-runscript-runner: ";
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
