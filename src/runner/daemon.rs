//! The daemon: a program of which each lane has a copy of its own. The library talks to the copies themselves; we
//! start them, hear their standard error, and see to their end.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::Scope;
use std::time::Duration;

use nix::sys::eventfd::{EfdFlags, EventFd};

use super::executable::Executable;
use super::output::Stream;
use super::reports::Reports;
use super::run::LONG;
use super::sys::Child;
use super::turns::Turns;
use super::{copy, spawn_in};
use crate::event::Variables;
use crate::verdict::{Failure, Level};

pub struct Daemon {
    program: Executable,
    environment: Vec<CString>,
    reports: Reports,
    patience: Duration,
    /// The copies that lanes have, by lane.
    copies: Mutex<Vec<(u64, Weak<EventFd>)>>,
}

impl Daemon {
    /// `patience`: how long a copy may go on when its lane has been hung up.
    pub fn new(program: Executable, reports: Reports, patience: Duration) -> Daemon {
        let (environment, _) = program.environment(&Variables::default());
        Daemon { program, environment, reports, patience: patience.min(LONG), copies: Mutex::default() }
    }

    pub fn path(&self) -> &Path {
        self.program.path()
    }

    pub fn reports(&self) -> &Reports {
        &self.reports
    }

    pub fn patience(&self) -> Duration {
        self.patience
    }

    /// Gives a lane a copy, which may be at work until its end: we do not see what it is told.
    pub fn take<'scope, E: Send>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        turns: &'scope Turns<E>,
        lane: u64,
        socket: UnixStream,
    ) -> io::Result<()> {
        let socket = Arc::new(socket);
        let mut place = turns.lane(Arc::clone(&socket));
        place.reading();
        let give_up = signal()?;
        self.enter(lane, &give_up);
        let body = move || {
            copy::serve(self, lane, &socket, &give_up);
            drop(place);
        };
        spawn_in(scope, "copy", body).map(drop)
    }

    fn enter(&self, lane: u64, give_up: &Arc<EventFd>) {
        let mut copies = self.copies.lock().unwrap_or_else(PoisonError::into_inner);
        copies.retain(|(_, copy)| copy.strong_count() > 0);
        copies.push((lane, Arc::downgrade(give_up)));
    }

    /// Stops a lane's copy now.
    pub fn give_up(&self, lane: u64) {
        let copies = self.copies.lock().unwrap_or_else(PoisonError::into_inner);
        let of_lane = copies.iter().filter(|(other, _)| *other == lane);
        of_lane.filter_map(|(_, copy)| copy.upgrade()).for_each(|copy| raise(&copy));
    }

    /// Starts a copy on `socket`; also returns its standard error.
    pub fn start(&self, socket: &UnixStream) -> Result<(Child, Stream), Failure> {
        let (errors, copys_errors): (Stream, OwnedFd) =
            Stream::new(Level::Warn).map_err(|error| self.program.refusal(error))?;
        let standard = [socket.as_fd(), socket.as_fd(), copys_errors.as_fd()];
        Ok((self.program.start(None, &self.environment, standard)?, errors))
    }
}

/// What a copy's thread waits for besides.
pub fn signal() -> io::Result<Arc<EventFd>> {
    Ok(Arc::new(EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?))
}

pub fn raise(signal: &EventFd) {
    // It can only fail when it has been raised 2^64 times.
    let _ = signal.write(1);
}
