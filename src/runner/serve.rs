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
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
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
use super::lane::{self, Gate};
use super::leftovers::Leftovers;
use super::orphans::Orphans;
use super::script::{Script, WHEN_FIT};
use super::{complain, complain_of, spawn_in, sys};
use crate::config::Mode;
use crate::config::service::Service;
use crate::event::{Event, Hello};
use crate::syscall::failed;
use crate::verdict::{Answer, Failure, FailureKind, Next};
use crate::wait::{readable, wait_for};

/// The variable that tells a script where the tools are, for `answer`.
const TOOLS: (&str, &str) = ("KEA_RUNSCRIPT", "kea-runscript");
/// How long no more is said of connections that are refused.
const QUIET: Duration = Duration::from_secs(60);

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
    let tools = std::env::current_exe().map(|runner| runner.with_file_name(TOOLS.1)).ok();
    let tools = tools.filter(|path| path.exists()).map(|path| (TOOLS.0.into(), path.into_os_string()));
    let env = service.env.iter().map(|(name, value)| (name.into(), value.into()));
    let environment = Environment::of(tools.into_iter().chain(env));
    let args = service.args.iter().map(Into::into).collect();
    let program = Executable::new(service.script.clone(), args, environment, true).map_err(said)?;
    let handler = match service.mode {
        Mode::Daemon => Handler::Daemons(Program::new(program, Arc::clone(&leftovers))),
        _ => Handler::Script(Script::new(program, Arc::clone(&leftovers), Arc::default()).map_err(said)?),
    };
    let connections = Connections::new().map_err(said)?;
    // Without systemd there is nobody to tell.
    let _ = sd_notify::notify(&[NotifyState::Ready]);
    let server = Server { service, handler, connections, handled: Handled::default() };
    orphans.reap_during(|| server.accept_until_the_end(&listener))?;
    complain_of(&server.service.script, &leftovers.take_lines());
    Ok(())
}

struct Server {
    service: Service,
    handler: Handler,
    connections: Connections,
    handled: Handled,
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
        let mut quiet_until = Instant::now();
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
                let refused = if is_new { self.accept(scope, listener).err() } else { None };
                if let Some(reason) = refused.filter(|_| Instant::now() >= quiet_until) {
                    complain(reason);
                    quiet_until = Instant::now() + QUIET;
                }
            }
            self.connections.end();
        });
    }

    fn accept<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>, listener: &UnixListener) -> Result<(), String> {
        let said = |error: &dyn Display| format!("a connection is closed again: {error}");
        let (stream, _) = match listener.accept() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            accepted => accepted.map_err(|error| said(&failed("accept4", error)))?,
        };
        self.check_peer(&stream).map_err(|reason| said(&reason))?;
        let connection = self.connections.add(stream);
        spawn_in(scope, "lane", move || self.converse(&connection)).map_err(|error| said(&error))
    }

    fn check_peer(&self, stream: &UnixStream) -> Result<(), String> {
        let peer = getsockopt(stream, sockopt::PeerCredentials).map_err(|error| failed("getsockopt", error))?.uid();
        match [0, self.service.kea_user.uid].contains(&peer) {
            true => Ok(()),
            false => Err(format!("user {peer} is neither root nor `kea-user`")),
        }
    }

    /// All that an earlier connection was sent is finished before this one is greeted: so order holds over Kea's end.
    fn converse(&self, connection: &Connection) {
        connection.wait_for_those_before();
        let door = Door { server: self, recent: Recent::default() };
        match &self.handler {
            Handler::Script(script) => lane::serve(script, &connection.stream, &door),
            Handler::Daemons(program) => daemon::serve(program, &connection.stream, &door),
        }
        self.handled.add(&door.recent);
    }
}

/// What a connection's events have to pass.
struct Door<'a> {
    server: &'a Server,
    recent: Recent,
}

impl Gate for Door<'_> {
    fn hello(&self) -> Hello {
        // A script is not sent anything ahead: it may put off an event, and be slow while another lane is idle.
        Hello { lanes: self.server.service.concurrency, ..Hello::ours() }
    }

    fn most(&self) -> Duration {
        self.server.service.timeout
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
