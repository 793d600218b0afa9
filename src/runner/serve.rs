//! The runner as a service: `kea-runscript-runner serve`. Kea connects to a socket, and needs no right to start anything.
//!
//! Whom it trusts: root. Which program runs, with which arguments and environment, stands in a file of root's, and as whom
//! and with which capabilities in a unit of systemd's. A line can say that an event has happened, with the names of our own
//! tables and values that are bounded, and no more, even if a stranger has taken Kea over.

mod connections;
mod daemon;
mod handled;
mod listener;

use std::fmt::Display;
use std::io::{self, BufReader};
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, Scope};
use std::time::{Duration, Instant};

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::socket::{getsockopt, sockopt};
use sd_notify::NotifyState;

use self::connections::{Connection, Connections};
use self::daemon::Program;
use self::handled::{Handled, Recent};
use super::environment::Environment;
use super::executable::Executable;
use super::lane::{self, PATIENCE, Rules};
use super::leftovers::Leftovers;
use super::orphans::Orphans;
use super::script::{Script, WHEN_FIT};
use super::{complain, complain_of, spawn_in, sys};
use crate::config::service::Service;
use crate::config::{Mode, TOOLS, TOOLS_PATH};
use crate::event::{Event, Hello};
use crate::lane::MOST_AHEAD;
use crate::syscall::failed;
use crate::text::{GLIMPSE, excerpt};
use crate::trust;
use crate::verdict::{Answer, Failure, FailureKind, Next};
use crate::wait::{readable, wait_for};

/// How long no more is said of connections after one that was refused or closed.
const QUIET: Duration = Duration::from_secs(10);
/// A line has a megabyte of variables at most, and JSON doubles some of that.
const LINE_BYTES: u64 = 4 << 20;
/// So much is looked at for further events.
const BUFFER: usize = 64 * 1024;

/// Serves what this file says until it is told to end.
pub fn main(file: &Path) -> ExitCode {
    match serve(file) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            complain(reason);
            ExitCode::FAILURE
        }
    }
}

fn serve(file: &Path) -> Result<(), String> {
    let service = Service::read(file)?;
    let listener = listener::listen(&service)?;
    sys::own_signals().map_err(|error| failed("rt_sigprocmask", error))?;
    let orphans = Orphans::adopt()?;
    let said = |error: io::Error| error.to_string();
    let leftovers = Leftovers::new().map_err(said)?;
    let tools = std::env::current_exe().map(|runner| runner.with_file_name(TOOLS)).ok();
    let tools = tools.filter(|path| path.exists()).map(|path| (TOOLS_PATH.into(), path.into_os_string()));
    let env = service.env.iter().map(|(name, value)| (name.into(), value.into()));
    let environment = Environment::of(tools.into_iter().chain(env));
    let args = service.args.iter().map(Into::into).collect();
    let program = Executable::new(service.script.clone(), args, environment, trust::in_a_sandbox).map_err(said)?;
    let handler = match service.mode {
        Mode::Daemon => Handler::Daemons(Program::new(program, Arc::clone(&leftovers))),
        _ => Handler::Script(Script::new(program, Arc::clone(&leftovers), Arc::default()).map_err(said)?),
    };
    let connections = Connections::new().map_err(said)?;
    // Without systemd there is nobody to tell.
    let _ = sd_notify::notify(&[NotifyState::Ready]);
    let (handled, quiet_until) = (Handled::default(), Mutex::default());
    let server = Server { service, handler, connections, handled, quiet_until };
    orphans.reap_during(|| server.accept_until_the_end(&listener))?;
    complain_of(&server.service.script, &leftovers.take_lines());
    Ok(())
}

struct Server {
    service: Service,
    handler: Handler,
    connections: Connections,
    handled: Handled,
    quiet_until: Mutex<Option<Instant>>,
}

enum Handler {
    Script(Script),
    Daemons(Program),
}

impl Server {
    /// Takes connections until we are told to end, then waits until each has come to its own.
    fn accept_until_the_end(&self, listener: &UnixListener) {
        // It is not read: the signal goes on waiting, for others who ask.
        let ends = [Signal::SIGTERM, Signal::SIGINT].into_iter().collect::<SigSet>();
        let told = match SignalFd::with_flags(&ends, SfdFlags::SFD_CLOEXEC) {
            Ok(told) => told,
            Err(error) => return complain(failed("signalfd4", error)),
        };
        thread::scope(|scope| {
            loop {
                let mut fds = vec![readable(told.as_fd()), readable(self.connections.as_fd())];
                // Those of a Kea that was killed, or of before a reload, may be at work beside as many new ones.
                if self.connections.count() < 2 * self.service.concurrency {
                    fds.push(readable(listener.as_fd()));
                }
                let _ = wait_for(&mut fds, None);
                let [is_over, is_new] = [0, 2].map(|at| fds.get(at).is_some_and(|fd| fd.any() == Some(true)));
                self.connections.look();
                if is_over {
                    break;
                }
                if let Some(reason) = is_new.then(|| self.accept(scope, listener).err()).flatten() {
                    self.complain(&format_args!("a connection is closed again: {reason}"));
                }
            }
            self.connections.end();
        });
    }

    fn accept<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>, listener: &UnixListener) -> Result<(), String> {
        let stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => {
                // There may be no descriptor for it before another connection ends.
                thread::sleep(Duration::from_millis(100));
                return Err(failed("accept4", error));
            }
        };
        self.check_peer(&stream)?;
        let timed = stream.set_write_timeout(Some(PATIENCE)).and_then(|()| stream.set_read_timeout(Some(PATIENCE)));
        timed.map_err(|error| failed("setsockopt", error))?;
        let connection = self.connections.add(stream);
        let converse = move || {
            if let Err(error) = self.converse(&connection).or_else(lane::unless_kea_is_gone) {
                self.complain(&format_args!("a connection is closed: {error}"));
            }
        };
        spawn_in(scope, "lane", converse).map_err(|error| error.to_string())
    }

    fn check_peer(&self, stream: &UnixStream) -> Result<(), String> {
        let peer = getsockopt(stream, sockopt::PeerCredentials).map_err(|error| failed("getsockopt", error))?.uid();
        match [0, self.service.kea_user.uid].contains(&peer) {
            true => Ok(()),
            false => Err(format!("user {peer} is neither root nor `kea-user`")),
        }
    }

    /// All that an earlier connection of this Kea was sent is finished before this one is greeted: so order holds over Kea's
    /// end.
    fn converse(&self, connection: &Connection) -> io::Result<()> {
        let stream = &*connection.stream;
        let mut lines = BufReader::with_capacity(BUFFER, stream);
        let ahead = if let Handler::Daemons(_) = self.handler { MOST_AHEAD } else { 0 };
        let rules = ServiceRules { server: self, recent: Recent::new(ahead) };
        let greeted = lane::greeting(&rules, &mut lines);
        let Some(theirs) = greeted.map_err(|error| late(error, "no greeting has come"))? else { return Ok(()) };
        stream.set_read_timeout(None)?;
        connection.wait_for_those_before(&excerpt(&*theirs.server, GLIMPSE));
        let ended = match &self.handler {
            Handler::Script(script) => lane::converse(script, stream, &mut lines, &theirs, &rules),
            Handler::Daemons(program) => daemon::serve(program, stream, &mut lines, &theirs, &rules),
        };
        self.handled.add(&rules.recent);
        ended
    }

    /// Says what a stranger can have us say as often as he likes.
    fn complain(&self, text: &dyn Display) {
        let mut quiet_until = self.quiet_until.lock().unwrap_or_else(PoisonError::into_inner);
        if quiet_until.is_none_or(|until| until <= Instant::now()) {
            *quiet_until = Some(Instant::now() + QUIET);
            complain(text);
        }
    }
}

/// A read that has taken too long says so in other words.
fn late(error: io::Error, text: &str) -> io::Error {
    match error.kind() {
        io::ErrorKind::WouldBlock => io::Error::other(format!("{text} within {} s", PATIENCE.as_secs())),
        _ => error,
    }
}

/// What holds for the events of a connection.
struct ServiceRules<'a> {
    server: &'a Server,
    recent: Recent,
}

impl Rules for ServiceRules<'_> {
    fn hello(&self) -> Hello {
        // A script is not sent anything ahead: it may put off an event, and be slow while another lane is idle.
        Hello { lanes: self.server.service.concurrency, ..Hello::ours() }
    }

    fn most(&self) -> Duration {
        self.server.service.timeout
    }

    fn line_bytes(&self) -> u64 {
        LINE_BYTES
    }

    /// Kea's library sends again what is left; anybody else could leave us any number of events.
    fn ends_with_its_peer(&self) -> bool {
        true
    }

    fn answer_at_once(&self, event: &Event) -> Option<Answer> {
        let answer = Answer { seq: event.seq, ..Answer::default() };
        if self.server.handled.has(event) {
            return Some(Answer { next: Some(Next::Continue), ..answer });
        }
        self.server.connections.is_ending().then(|| match event.wait {
            true => {
                Answer { failure: Some(Failure::new(FailureKind::Gone, "not started: the service ends")), ..answer }
            }
            false => Answer { again: Some(WHEN_FIT), ..answer },
        })
    }

    fn is_answered(&self, event: &Event, answer: &Answer) {
        self.recent.note(event, answer);
    }
}
