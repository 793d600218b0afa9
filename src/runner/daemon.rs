//! The daemon: a program of which each lane has a copy of its own. The library talks to the copies themselves; we
//! start them, hear their standard error, and see to their end.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
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
use super::{complain, copy, spawn_in};
use crate::event::Variables;
use crate::verdict::{Failure, Level};

pub struct Daemon {
    program: Executable,
    reports: Reports,
    patience: Duration,
    /// The copies that lanes have, by lane.
    copies: Mutex<Vec<(u64, Weak<Leash>)>>,
}

/// How a copy's thread is told what shall become of the copy.
pub struct Leash {
    news: EventFd,
    is_given_up: AtomicBool,
    patience: Mutex<Duration>,
    /// The library's end of the lane, as long as the copy may have something to say.
    theirs: Mutex<Option<OwnedFd>>,
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

    /// For how long the copy may go on when its lane has been hung up.
    pub fn patience(&self) -> Duration {
        *self.patience.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn keep(&self, theirs: OwnedFd) {
        *self.theirs.lock().unwrap_or_else(PoisonError::into_inner) = Some(theirs);
    }

    pub fn set_patience(&self, patience: Duration) {
        *self.patience.lock().unwrap_or_else(PoisonError::into_inner) = patience.min(LONG);
        self.wake();
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
        Daemon { program, reports, patience: patience.min(LONG), copies: Mutex::default() }
    }

    pub fn path(&self) -> &Path {
        self.program.path()
    }

    pub fn reports(&self) -> &Reports {
        &self.reports
    }

    pub fn leash(&self) -> io::Result<Arc<Leash>> {
        let news = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
        let patience = Mutex::new(self.patience);
        Ok(Arc::new(Leash { news, is_given_up: AtomicBool::new(false), patience, theirs: Mutex::default() }))
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
        self.tell(lane, Leash::give_up);
    }

    /// Lets a lane's copy go on for so long when its lane has been hung up, with the library's end open.
    pub fn let_go(&self, lane: u64, patience: Duration, theirs: Option<OwnedFd>) {
        self.tell(lane, |leash| {
            theirs.into_iter().for_each(|theirs| leash.keep(theirs));
            leash.set_patience(patience);
        });
    }

    /// The library is gone: what the copies still answer is read in its place, lest they wait for a reader.
    pub fn hear_out<'scope>(&self, scope: &'scope Scope<'scope, '_>) {
        let copies = self.copies.lock().unwrap_or_else(PoisonError::into_inner);
        for leash in copies.iter().filter_map(|(_, copy)| copy.upgrade()) {
            let theirs = leash.theirs.lock().unwrap_or_else(PoisonError::into_inner).take();
            // It ends with the copy, or before, at an error.
            let ear = theirs.map(|theirs| move || drop(io::copy(&mut File::from(theirs), &mut io::sink())));
            if let Some(Err(error)) = ear.map(|ear| spawn_in(scope, "ear", ear)) {
                complain(format_args!("what a daemon still answers cannot be read: {error}"));
            }
        }
    }

    fn tell(&self, lane: u64, what: impl FnOnce(&Leash)) {
        let copies = self.copies.lock().unwrap_or_else(PoisonError::into_inner);
        let of_lane = copies.iter().find(|(other, _)| *other == lane);
        if let Some(copy) = of_lane.and_then(|(_, copy)| copy.upgrade()) {
            what(&copy);
        }
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
