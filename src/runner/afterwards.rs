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
use super::{complain, report, spawn_in};
use crate::config::Mode;
use crate::lane::{Failed, Lane};
use crate::text::unreadable;
use crate::verdict::Answer;

/// The lanes on which there is something to answer.
#[derive(Default)]
pub struct Afterwards(Mutex<Vec<Unanswered>>);

struct Unanswered {
    lane: u64,
    /// For each event, how long its answer may take, from the one before; for the first from `since`.
    times: VecDeque<Duration>,
    since: Instant,
    /// None if there was no descriptor left for it.
    library_end: Option<Lane>,
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
        match lanes.iter_mut().find(|one| one.lane == lane) {
            Some(one) => (one.times, one.since) = (times, since),
            None => {
                let library_end = library_end.map(|library_end| Lane::new(lane, library_end.into()));
                lanes.push(Unanswered { lane, times, since, library_end, leash });
            }
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
        let Some(library_end) = self.library_end.take() else {
            let (path, count) = (path.display(), self.times.len());
            return complain(format_args!(
                "{path}: {count} events may be lost: no answer can be read: is RLIMIT_NOFILE too low?"
            ));
        };
        // It is for us now to say when its time is over.
        self.leash.iter().for_each(|leash| leash.set_patience(LONG));
        let heard = self.read_answers(library_end, path);
        self.leash.iter().for_each(|leash| if heard.is_ok() { leash.set_patience(GRACE) } else { leash.give_up() });
        if let Err(reason) = heard {
            let events = if self.times.len() == 1 { "event is" } else { "events are" };
            complain(format_args!("{}: {} {events} lost: {reason}", path.display(), self.times.len()));
        }
    }

    /// Each answer has the time of its event, and the grace that the library would give it. What it says is said here.
    fn read_answers(&mut self, mut library_end: Lane, path: &Path) -> Result<(), String> {
        // What is there already is read in any case.
        let mut due = self.times.front().map(|time| (self.since + *time).max(Instant::now()));
        let (mut before, mut is_whole) = (None, false);
        while let Some(until) = due {
            let line = library_end.receive(until + GRACE).map_err(|failed| self.reason(&failed))?;
            match understood(&line, before) {
                Ok(answer) => {
                    report(path, &answer);
                    before = Some(answer.seq);
                }
                Err(reason) if is_whole => return Err(format!("{reason}; it is stopped")),
                // The library may have read the beginning of the first.
                Err(_) => {}
            }
            is_whole = true;
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

/// The answer in a line, which is to another event than the one before.
fn understood(line: &[u8], before: Option<u64>) -> Result<Answer, String> {
    let answer: Answer = serde_json::from_slice(line)
        .map_err(|error| format!("bad answer: {}", unreadable(&error, line, Mode::Daemon.only_answers())))?;
    match before == Some(answer.seq) {
        true => Err(format!("bad answer: event {} is answered twice", answer.seq)),
        false => Ok(answer),
    }
}
