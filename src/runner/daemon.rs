//! The daemon: a program of which each lane has a copy of its own. The library talks to the copies themselves; we
//! start them, hear their standard error, and see to their end.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::thread::Scope;
use std::time::{Duration, Instant};

use nix::sys::eventfd::EventFd;

use super::afterwards::Afterwards;
use super::executable::Executable;
use super::output::Stream;
use super::reports::Reports;
use super::run::{GRACE, LONG};
use super::sys::Child;
use super::turns::Turns;
use super::{copy, spawn_in};
use crate::event::Variables;
use crate::verdict::{Failure, Level};
use crate::wait;

pub struct Daemon {
    program: Executable,
    reports: Reports,
    patience: Duration,
    /// The copies that lanes have, by lane.
    copies: Mutex<Vec<(u64, Weak<Leash>)>>,
    afterwards: Afterwards,
}

/// How a copy's thread is told what shall become of the copy.
pub struct Leash {
    news: EventFd,
    is_given_up: AtomicBool,
    patience: Mutex<Patience>,
    /// How the copy has ended, in words.
    end: OnceLock<String>,
}

/// For how long a copy may go on when its lane has been hung up, and since when we know that.
struct Patience {
    since: Instant,
    time: Duration,
}

impl Leash {
    /// The copy shall be stopped now.
    pub fn give_up(&self) {
        self.is_given_up.store(true, Ordering::Release);
        self.wake();
    }

    pub fn is_given_up(&self) -> bool {
        let _ = self.news.read();
        self.is_given_up.load(Ordering::Acquire)
    }

    /// When the copy is stopped whose lane was hung up then.
    pub fn leave_by(&self, hung_up: Instant) -> Instant {
        let patience = self.patience.lock().unwrap_or_else(PoisonError::into_inner);
        hung_up.max(patience.since) + patience.time
    }

    /// For how long the copy may go on, from now, or from when its lane is hung up.
    pub fn set_patience(&self, time: Duration) {
        let patience = Patience { since: Instant::now(), time: time.min(LONG) };
        *self.patience.lock().unwrap_or_else(PoisonError::into_inner) = patience;
        self.wake();
    }

    pub fn has_ended(&self, how: String) {
        let _ = self.end.set(how);
    }

    /// How the copy has ended, if it has.
    pub fn end(&self) -> Option<&str> {
        self.end.get().map(String::as_str)
    }

    fn wake(&self) {
        // It can only fail when it has been woken 2^64 times.
        let _ = self.news.write(1);
    }
}

impl AsFd for Leash {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.news.as_fd()
    }
}

impl Daemon {
    /// `patience`: how long a copy may go on when its lane has been hung up.
    pub fn new(program: Executable, reports: Reports, patience: Duration) -> Daemon {
        let patience = patience.min(LONG);
        Daemon { program, reports, patience, copies: Mutex::default(), afterwards: Afterwards::default() }
    }

    pub fn path(&self) -> &Path {
        self.program.path()
    }

    pub fn reports(&self) -> &Reports {
        &self.reports
    }

    pub fn leash(&self) -> io::Result<Arc<Leash>> {
        let news = wait::calls()?;
        let patience = Mutex::new(Patience { since: Instant::now(), time: self.patience });
        Ok(Arc::new(Leash { news, is_given_up: AtomicBool::new(false), patience, end: OnceLock::new() }))
    }

    /// Gives a lane a copy, which may be at work until its end: we do not see what it is told.
    pub fn take<'scope, E: Send>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        turns: &'scope Turns<E>,
        lane: u64,
        socket: Arc<UnixStream>,
    ) -> io::Result<()> {
        let mut place = turns.lane(Arc::clone(&socket));
        place.reading();
        let leash = self.leash()?;
        self.enter(lane, &leash);
        let body = move || {
            copy::serve(self, lane, &socket, &leash);
            drop(place);
        };
        spawn_in(scope, "copy", body).map(drop)
    }

    fn enter(&self, lane: u64, leash: &Arc<Leash>) {
        let mut copies = self.copies.lock().unwrap_or_else(PoisonError::into_inner);
        copies.retain(|(_, copy)| copy.strong_count() > 0);
        copies.push((lane, Arc::downgrade(leash)));
    }

    /// Stops a lane's copy now.
    pub fn give_up(&self, lane: u64) {
        self.afterwards.forget(lane);
        self.copy(lane).iter().for_each(|leash| leash.give_up());
    }

    /// Lets a lane's copy answer what it has when its lane has been hung up: `times` has an entry for each event. The
    /// library sees to each of them; if it does not, because it is not loaded just now, the copy has all the time at once.
    pub fn let_go(&self, lane: u64, times: Vec<Duration>, library_end: Option<OwnedFd>) {
        let leash = self.copy(lane);
        if let Some(leash) = &leash {
            leash.set_patience(times.iter().fold(GRACE, |all, time| all.saturating_add(*time)));
        }
        self.afterwards.expect(lane, times, library_end, leash);
    }

    /// The library is gone: we see to each answer in its place.
    pub fn hear_out<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>) {
        self.afterwards.begin(scope, self.path());
    }

    fn copy(&self, lane: u64) -> Option<Arc<Leash>> {
        let copies = self.copies.lock().unwrap_or_else(PoisonError::into_inner);
        copies.iter().find(|(other, _)| *other == lane)?.1.upgrade()
    }

    /// Starts a copy on `socket`; also returns its standard error.
    pub fn start(&self, socket: &UnixStream) -> Result<(Child, Stream), Failure> {
        let (errors, copys_errors): (Stream, OwnedFd) =
            Stream::new(Level::Warn).map_err(|error| self.program.refusal(error))?;
        let standard = [socket.as_fd(), socket.as_fd(), copys_errors.as_fd()];
        let none = Variables::default();
        let (environment, _) = self.program.environment(&none);
        Ok((self.program.start(None, &environment, standard)?, errors))
    }
}
