//! Events in the spool: how they get there, and what is said of them there.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;

use super::Counters;
use super::shared::Shared;
use super::state::Queued;
use super::task::{Spooled, Task};
use super::without_signals;
use crate::ids::{self, Seq};
use crate::log::{log, log_repeating};
use crate::messages;
use crate::order::{Class, Turn};
use crate::spool::{Opened, Place, Spool, State, Unspooled};
use crate::verdict::{Failure, FailureKind};

/// So many events have a place in the queue; those beyond stay in the spool until there is room.
pub const MOST: usize = if cfg!(test) { 8 } else { 100_000 };
impl Shared {
    /// Queues an event that Kea does not wait for: it is in the spool when this returns, if there is one.
    pub fn tell(&self, task: Task) {
        match self.spool.get() {
            None => self.post(task),
            Some(spool) => self.append(spool, task),
        }
    }

    fn append(&self, spool: &Spool, task: Task) {
        let keys = task.keys(&self.config);
        let body = task.body(&self.config, &self.server);
        let mut writer = match spool.writer() {
            Ok(writer) => writer,
            Err(why) => return self.unspooled(task, None, &why),
        };
        // Its number and its turn come before those of whoever is next to append, or goes on without the spool meanwhile.
        let (seq, turn) = {
            let mut state = self.lock();
            let is_room = state.unread.is_none() && state.order.len() < MOST;
            if !is_room && state.unread.is_none() {
                state.unread = Some(writer.tail());
            }
            (ids::next(), is_room.then(|| state.order.push_running(keys, Class::Kept)))
        };
        let time = task.time();
        match (writer.append(seq, &body), turn) {
            (Ok(place), Some(turn)) => {
                let event = Spooled { seq, place, time, point: task.point as u16, tries: 0, deaths: 0 };
                let displaced = {
                    let mut state = self.lock();
                    state.order.give_back(turn, Queued::Spooled(event));
                    self.displace(&mut state, self.coalesces(&task), turn)
                };
                drop(writer);
                self.forget(displaced);
                self.counters.has_room();
                self.calls.call();
            }
            // The worker reads it when there is room.
            (Ok(_), None) => self.counters.has_room(),
            (Err(why), turn) => {
                drop(writer);
                self.unspooled(task, turn.map(|turn| (turn, seq)), &why);
            }
        }
    }

    /// An event that is in memory alone, although there is a spool.
    fn unspooled(&self, mut task: Task, turn: Option<(Turn, Seq)>, why: &Unspooled) {
        Counters::add(&self.counters.unspooled);
        if self.counters.is_full() {
            log(messages::SPOOL_FULL, &[self.name(), why.to_string()]);
        }
        let Some((turn, seq)) = turn else { return self.post(task) };
        let mut state = self.lock();
        state.order.set_class(turn, task.class());
        task.seq = seq;
        state.order.give_back(turn, Queued::Here(Box::new(task)));
        state.in_memory += 1;
        self.make_room(&mut state);
        drop(state);
        self.calls.call();
    }

    /// Opens the spool, if the configuration names one: from now on nothing is lost.
    pub fn open_spool(&self) -> Result<(), String> {
        let (Some(path), None) = (&self.config.spool.directory, self.spool.get()) else { return Ok(()) };
        // Events of before may be there from when Kea did not wait. For ends of leases and commands it never waits.
        if !self.config.ways.no && !self.config.hears_of_leases() && !path.exists() {
            return Ok(());
        }
        let Opened { spool, first, last_id, others, warnings, bytes } = Spool::open(path, self.config.spool.limit)?;
        ids::is_taken(last_id);
        super::programs::warn(path, warnings);
        others.into_iter().for_each(|other| self.say_damaged(path, &other, "another version has written it"));
        {
            let mut state = self.lock();
            (state.unread, state.from_before) = (first, bytes);
        }
        // Nobody else has opened it meanwhile: this is for Kea's main thread alone.
        let _ = self.spool.set(Arc::new(spool));
        self.calls.wake();
        Ok(())
    }

    pub fn say_damaged(&self, path: &std::path::Path, what: &str, why: &str) {
        log(messages::SPOOL_DAMAGED, &[self.name(), path.join(what).display().to_string(), why.into()]);
    }

    /// The spool cannot be used.
    pub fn go_without_spool(&self, reason: &str) {
        log(messages::SPOOL_OFF, &[self.name(), reason.into()]);
    }

    /// Has the spool written through to the disk, in a thread that ends with the load.
    pub fn keep_synced(&self) -> Option<Sender<()>> {
        let (spool, pause) = (Arc::clone(self.spool.get()?), self.config.spool.sync?);
        let (end, ended) = channel();
        let name = self.name();
        let body = move || {
            while ended.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                if let Err(error) = spool.sync() {
                    log_repeating(messages::SPOOL_NOT_SYNCED, &name, &[], &[name.clone(), error.to_string()]);
                }
            }
        };
        // Without a thread, nothing is written through: as by default.
        without_signals(|| thread::Builder::new().name("spool".into()).spawn(body)).ok()?;
        Some(end)
    }

    pub fn is_too_old(&self, task: &Task) -> bool {
        let is_older = |most| task.time().elapsed().is_ok_and(|age| age > most);
        task.place().is_some() && self.config.spool.max_age.is_some_and(is_older)
    }

    pub fn drop_old(&self, task: &Task) {
        Counters::add(&self.counters.dropped);
        let (name, hook_point) = (self.name(), task.row().name);
        log_repeating(messages::TOO_OLD, &name, &[hook_point], &[name.clone(), hook_point.into()]);
        self.finish_in_spool(task);
        self.free(task.turn, None);
    }

    /// Says how far an event is; nothing of one that is in memory alone.
    pub fn mark_in_spool(&self, task: &Task, state: State) {
        self.in_spool(task, |spool, place| spool.mark(place, task.seq, state));
    }

    /// Appends what it has kept of an event to `out`.
    pub fn read_from_spool(&self, place: Place, seq: Seq, out: &mut String) -> io::Result<()> {
        self.spool.get().ok_or(io::ErrorKind::NotFound)?.text(place, seq, out)
    }

    /// An event whose record cannot be read: a disk, or somebody else, has damaged it.
    pub fn is_lost_in_spool(&self, task: &Task) {
        let failure = Failure::new(FailureKind::Start, "its record in the spool is damaged");
        self.finish(task, Err(failure), None);
    }

    pub fn finish_in_spool(&self, task: &Task) {
        self.in_spool(task, |spool, place| spool.finish(place, task.seq, State::Done));
    }

    /// Puts it aside; nothing of one that is in memory alone.
    pub fn give_up_in_spool(&self, task: &Task) -> Option<io::Result<()>> {
        self.in_spool(task, |spool, place| spool.give_up(place, task.seq))
    }

    /// Whether a runner has marked it.
    pub fn is_over_in_spool(&self, task: &Task) -> bool {
        let state = self.in_spool(task, |spool, place| spool.state(place, task.seq));
        state.is_some_and(|state| state.is_ok_and(State::is_over))
    }

    fn in_spool<T>(&self, task: &Task, body: impl FnOnce(&Spool, Place) -> io::Result<T>) -> Option<io::Result<T>> {
        let (spool, place) = (&**self.spool.get()?, task.place()?);
        let done = body(spool, place);
        if let Err(error) = &done {
            let args = [self.name(), place.to_string(), error.to_string()];
            log_repeating(messages::SPOOL_DAMAGED, &self.name(), &[], &args);
        }
        Some(done)
    }
}
