//! What copies have still to answer when the library has let go of them: if it is gone itself, with Kea, we read the
//! answers in its place. A copy would not survive it if nobody did, or would wait for a reader.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::Scope;
use std::time::{Duration, Instant};

use super::daemon::Leash;
use super::run::{GRACE, LONG};
use super::{complain, complain_of_lost, spawn_in};
use crate::lane::{Failed, Lane};

/// The lanes on which there is something to answer.
#[derive(Default)]
pub struct Afterwards(Mutex<Vec<Unanswered>>);

struct Unanswered {
    lane: u64,
    /// For each event, how long its answer may take, from the one before; for the first from `since`.
    times: VecDeque<Duration>,
    since: Instant,
    library_end: Lane,
    /// The copy's, if that has not ended before the library has let go of it.
    leash: Option<Arc<Leash>>,
}

impl Afterwards {
    /// This is to be answered on a lane, of which the library's end comes once; nothing more if there are no `times`.
    pub fn expect(&self, lane: u64, times: Vec<Duration>, library_end: Option<OwnedFd>, leash: Option<Arc<Leash>>) {
        if times.is_empty() {
            return self.forget(lane);
        }
        let (mut lanes, times, since) = (self.lanes(), times.into(), Instant::now());
        if let Some(library_end) = library_end {
            let library_end = Lane::new(lane, library_end.into());
            lanes.push(Unanswered { lane, times, since, library_end, leash });
        } else if let Some(one) = lanes.iter_mut().find(|one| one.lane == lane) {
            (one.times, one.since) = (times, since);
        }
    }

    /// Nothing more is expected on a lane.
    pub fn forget(&self, lane: u64) {
        self.lanes().retain(|one| one.lane != lane);
    }

    /// The library is gone: hears each lane to its end.
    pub fn begin<'scope>(&self, scope: &'scope Scope<'scope, '_>, path: &'scope Path) {
        let lanes = std::mem::take(&mut *self.lanes());
        for one in lanes {
            if let Err(error) = spawn_in(scope, "hear", move || one.hear_out(path)) {
                complain(format_args!("{}: what it still answers cannot be read: {error}", path.display()));
            }
        }
    }

    fn lanes(&self) -> MutexGuard<'_, Vec<Unanswered>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Unanswered {
    /// Reads the answers; says how many events have none in the end, and sees to the copy's end.
    fn hear_out(mut self, path: &Path) {
        // It is for us now to say when its time is over.
        self.leash.iter().for_each(|leash| leash.set_patience(LONG));
        let heard = self.read_answers();
        self.leash.iter().for_each(|leash| if heard.is_ok() { leash.set_patience(GRACE) } else { leash.give_up() });
        if let Err(failed) = heard {
            complain_of_lost(path, self.times.len(), &self.reason(&failed));
        }
    }

    /// Each answer has the time of its event, and the grace that the library would give it.
    fn read_answers(&mut self) -> Result<(), Failed> {
        // What is there already is read in any case.
        let mut due = self.times.front().map(|time| (self.since + *time).max(Instant::now()));
        while let Some(until) = due {
            self.library_end.receive(until + GRACE)?;
            self.times.pop_front();
            due = self.times.front().map(|time| Instant::now() + *time);
        }
        Ok(())
    }

    fn reason(&self, failed: &Failed) -> String {
        match (failed, &self.leash) {
            (Failed::Gone { .. }, None) => "it has ended".into(),
            (Failed::Gone { .. }, Some(leash)) => leash.end().unwrap_or("it has closed its connection").into(),
            _ => format!("{failed}; it is stopped"),
        }
    }
}
