//! The daemons: each lane has a process of its own of the same program. The library talks to them itself; we start them, hear
//! their standard error, and see to their end.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::Scope;
use std::time::{Duration, Instant};

use nix::sys::eventfd::EventFd;

use super::executable::Executable;
use super::hearing::Hearing;
use super::marking::Marking;
use super::output::Stream;
use super::reports::Reports;
use super::run::LONG;
use super::sys::Child;
use super::{daemon, spawn_in};
use crate::event::Variables;
use crate::verdict::{Failure, Level};
use crate::wait;

pub struct Daemons {
    program: Arc<Executable>,
    reports: Reports,
    marking: Arc<Marking>,
    patience: Duration,
    /// Those that have not ended.
    by_lane: Mutex<HashMap<u64, Weak<Handle>>>,
}

/// How a daemon's thread is told what shall become of the daemon.
pub struct Handle {
    news: EventFd,
    told: Mutex<Told>,
}

/// What a daemon's thread has been told.
#[derive(Clone, Copy, Default)]
pub struct Told {
    /// The daemon shall be stopped now.
    pub stop: bool,
    /// Since when it has nothing to answer.
    pub let_go: Option<Instant>,
    /// It is for us to read what it answers.
    pub library_is_gone: bool,
}

impl Handle {
    fn new() -> io::Result<Handle> {
        Ok(Handle { news: wait::calls()?, told: Mutex::default() })
    }

    fn tell(&self, change: impl FnOnce(&mut Told)) {
        change(&mut self.lock());
        // It can only fail when it has been woken 2^64 times.
        let _ = self.news.write(1);
    }

    /// All so far; what comes from now on can be waited for.
    pub fn told(&self) -> Told {
        let _ = self.news.read();
        *self.lock()
    }

    fn lock(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsFd for Handle {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.news.as_fd()
    }
}

impl Daemons {
    /// `patience`: how long a daemon may go on when its lane has been hung up.
    pub fn new(program: Arc<Executable>, reports: Reports, marking: Arc<Marking>, patience: Duration) -> Daemons {
        Daemons { program, reports, marking, patience: patience.min(LONG), by_lane: Mutex::default() }
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

    /// Begins to hear what a daemon answers without the library.
    pub fn hear(&self, lane: u64, library_end: UnixStream) -> Hearing<'_> {
        Hearing::begin(lane, library_end, self.path(), &self.marking)
    }

    /// Gives a lane a daemon, whose thread keeps the duplicate of the library's end.
    pub fn take<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        lane: u64,
        socket: Arc<UnixStream>,
        library_end: Option<UnixStream>,
    ) -> io::Result<()> {
        let handle = Arc::new(Handle::new()?);
        self.enter(lane, &handle);
        spawn_in(scope, "daemon", move || daemon::serve(self, lane, &socket, library_end, &handle))
    }

    fn enter(&self, lane: u64, handle: &Arc<Handle>) {
        let mut by_lane = self.lock();
        by_lane.retain(|_, daemon| daemon.strong_count() > 0);
        by_lane.insert(lane, Arc::downgrade(handle));
    }

    /// Stops a lane's daemon now.
    pub fn stop(&self, lane: u64) {
        self.tell(lane, |told| told.stop = true);
    }

    /// A lane's daemon has nothing to answer.
    pub fn let_go(&self, lane: u64) {
        self.tell(lane, |told| told.let_go = Some(Instant::now()));
    }

    /// Nobody else reads what the daemons answer now.
    pub fn library_is_gone(&self) {
        let daemons: Vec<_> = self.lock().values().filter_map(Weak::upgrade).collect();
        daemons.iter().for_each(|daemon| daemon.tell(|told| told.library_is_gone = true));
    }

    fn tell(&self, lane: u64, change: impl FnOnce(&mut Told)) {
        let daemon = self.lock().get(&lane).and_then(Weak::upgrade);
        if let Some(daemon) = daemon {
            daemon.tell(change);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Weak<Handle>>> {
        self.by_lane.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a daemon on `socket`; also returns its standard error.
    pub fn start(&self, socket: &UnixStream) -> Result<(Child, Stream), Failure> {
        let (errors, its_errors) = Stream::new(Level::Warn).map_err(|error| self.program.refusal(error))?;
        let standard = [socket.as_fd(), socket.as_fd(), its_errors.as_fd()];
        let none = Variables::default();
        let (environment, _) = self.program.environment(&none);
        Ok((self.program.start(None, &environment, standard)?, errors))
    }
}
