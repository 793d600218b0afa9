//! A script's side inside Kea: its events by turn, its lanes, the spool, and the one thread, the worker, that looks after what
//! no thread of Kea's waits for.
//!
//! A packet's thread that waits talks to its lane itself; everything else is the worker's. Both take turns by
//! [`crate::order`] under one lock, which is never held while anybody reads, writes or sleeps.

mod calls;
mod coalesce;
mod conclude;
mod counters;
#[cfg(any(test, fuzzing))]
#[allow(clippy::expect_used)]
pub mod fuzzing;
mod given_up;
mod kept;
mod lanes;
mod memory;
mod process;
mod programs;
mod reading;
mod retry;
#[cfg(test)]
mod roundtrip;
mod sending;
mod shared;
mod socket;
mod spooled;
mod state;
mod task;
#[cfg(test)]
mod tests;
mod waiting;
mod worker;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sys::signal::SigSet;
use once_cell::sync::OnceCell;

use crate::bridge::ffi::{Change, Verdict};
use crate::config::{Config, Mode};
use crate::facts::Facts;
use crate::hook_points::HOOK_POINTS;
use crate::keys::texts;
use crate::log::{log, log_repeating};
use crate::messages;
use crate::syscall::failed;
use crate::text::{LOG_TEXT_BYTES, excerpt};
use crate::variables::Server;
use counters::Counters;
use shared::Shared;
#[cfg(any(test, fuzzing))]
pub use task::Line;
pub use task::Task;
use worker::Worker;

/// A script between a load and its unload.
pub struct Script {
    shared: Arc<Shared>,
    /// Ends the thread that writes the spool through to the disk.
    sync: OnceCell<Sender<()>>,
    worker: JoinHandle<Worker>,
}

/// What makes a script the same over a reload.
#[derive(Clone, Debug, PartialEq)]
pub struct Identity(PathBuf, usize);

impl Identity {
    pub fn of(config: &Config) -> Identity {
        Identity(config.script.clone(), config.number)
    }
}

/// What an unload leaves of a script: all that is unfinished, and the lanes that are at work on some of it.
pub struct Left(Worker);

impl Left {
    /// Whether a script that is configured so goes on with it.
    pub fn is_of(&self, config: &Config) -> bool {
        let before = &self.0.shared.config;
        Identity::of(before) == Identity::of(config)
            // What is in memory alone can go anywhere.
            && (before.spool.directory == config.spool.directory || self.0.shared.spool.get().is_none())
    }

    /// The script is not configured any more. Its runner finishes what it has; the rest of the spool waits.
    pub fn abandon(self) {
        let (shared, lost) = (&self.0.shared, self.0.unfinished());
        if lost > 0 {
            let text = format!("{lost} events are in memory alone, and the script is not configured any more");
            log(messages::EVENT_LOST, &[shared.name(), "reload".into(), text]);
        }
    }
}

impl Script {
    /// Makes the lanes, and goes on with what the load before has left. Where that fails, it is left again.
    pub fn start(config: Config, server: &Server, left: &mut Option<Left>) -> Result<Script, String> {
        let worker = match left.take() {
            Some(Left(worker)) => worker.renewed(config, server),
            None => Worker::new(config, server),
        };
        let mut worker = worker.map_err(|error| error.to_string())?;
        if let Err(error) = start_lanes(&mut worker) {
            if worker.shared.config.required {
                worker.rest();
                *left = Some(Left(worker));
                return Err(error);
            }
            worker.lanes.failed(error);
        }
        let shared = Arc::clone(&worker.shared);
        let worker = without_signals(|| std::thread::Builder::new().name("runscript".into()).spawn(|| worker.run()))
            .map_err(|error| failed("clone3", error))?;
        let script = Script { shared, sync: OnceCell::new(), worker };
        script.keep_synced();
        Ok(script)
    }

    /// Its path, as messages name it.
    pub fn name(&self) -> String {
        self.shared.name()
    }

    /// Its server's name.
    pub fn server(&self) -> &str {
        &self.shared.server.name
    }

    pub fn config(&self) -> &Config {
        &self.shared.config
    }

    pub fn counters(&self) -> &Counters {
        &self.shared.counters
    }

    /// Events that are queued or being handled; of those that the spool has from before, one until they have been read.
    pub fn pending(&self) -> usize {
        let (queued, unread) = {
            let state = self.shared.lock();
            (state.order.len(), state.unread.is_some())
        };
        if unread { queued.max(self.spooled()).max(1) } else { queued }
    }

    /// Events that are being handled.
    pub fn in_flight(&self) -> usize {
        self.shared.lock().in_flight()
    }

    /// For how long the oldest event has waited for its turn.
    pub fn oldest(&self) -> Option<Duration> {
        self.shared.lock().oldest()
    }

    /// Lanes that are there, of `concurrency`.
    pub fn lanes(&self) -> usize {
        self.shared.lock().live.len()
    }

    /// How long answered events have taken, from when they happened.
    pub fn latency(&self) -> serde_json::Value {
        self.shared.counters.latency()
    }

    /// What has failed last, and when.
    pub fn last_error(&self) -> Option<serde_json::Value> {
        self.shared.counters.last_error()
    }

    /// Why there is no runner, if there is none.
    pub fn down(&self) -> Option<String> {
        self.shared.lock().down.as_ref().map(|reason| excerpt(reason, LOG_TEXT_BYTES))
    }

    /// Kea's main loop turns: from now on events are kept in the spool, if it can be used.
    pub fn begin_spool(&self) {
        if let Err(reason) = self.open_spool() {
            self.shared.go_without_spool(&reason);
        }
    }

    fn open_spool(&self) -> Result<(), String> {
        self.shared.open_spool()?;
        self.keep_synced();
        Ok(())
    }

    fn keep_synced(&self) {
        // There may be nothing to sync, now or ever.
        let _ = self.sync.get_or_try_init(|| self.shared.keep_synced().ok_or(()));
    }

    /// Where events are kept, if anywhere.
    pub fn spool(&self) -> Option<&std::path::Path> {
        self.shared.spool.get().map(|spool| spool.path())
    }

    /// Events that are in the spool, and not over.
    pub fn spooled(&self) -> usize {
        self.shared.spool.get().map_or(0, |spool| spool.unfinished())
    }

    /// Hands over an event and goes on.
    pub fn post(&self, task: Task) {
        Counters::add(&self.shared.counters.events);
        self.shared.tell(task);
    }

    /// Hands over an event and waits for what Kea shall do, no longer than the time-out.
    pub fn ask(&self, task: Task) -> Verdict {
        Counters::add(&self.shared.counters.events);
        self.shared.ask(task.asked(self.shared.memory.age()))
    }

    /// Hands over an event for which a packet is parked. `then` is told what Kea shall do, no later than the time-out,
    /// unless `stop` comes first.
    pub fn park(&self, task: Task, then: Box<dyn FnOnce(Verdict) + Send>) {
        Counters::add(&self.shared.counters.events);
        let until = Instant::now() + task.timeout;
        self.shared.park(task.asked(self.shared.memory.age()), until, then);
    }

    /// Kea cannot do what the script's answer wanted.
    pub fn refuse(&self, point: usize, change: &Change, reason: &str) {
        self.shared.refuse_change(point, change, reason);
    }

    /// Kea has no definition of the class that the script's answer wanted.
    pub fn unknown_class(&self, point: usize, change: &Change) {
        self.shared.unknown_class(point, &String::from_utf8_lossy(&change.data));
    }

    /// A packet is not waited for here: its client has as many waiting as it may have.
    pub fn crowded(&self, point: usize, facts: &Facts) {
        Counters::add(&self.shared.counters.crowded);
        let client = texts(facts).into_iter().next().unwrap_or_default();
        let args = [self.shared.name(), HOOK_POINTS[point].name.into(), client];
        log_repeating(messages::CROWDED, &self.shared.name(), &[HOOK_POINTS[point].name], &args);
    }

    /// Stops the worker; `None` if nothing is left to do, or the worker has died.
    pub fn stop(self) -> Option<Left> {
        self.shared.lock().stopping = true;
        self.shared.calls.wake();
        let Script { shared, worker, .. } = self;
        // The next load makes it the worker's alone.
        drop(shared);
        let mut worker = worker.join().ok()?;
        worker.rest();
        (!worker.is_finished()).then(|| Left(worker))
    }
}

fn start_lanes(worker: &mut Worker) -> Result<(), String> {
    let config = &worker.shared.config;
    if config.mode != Mode::Socket {
        programs::check_script(config)?;
    }
    worker.lanes.start()
}

/// Runs `spawn` with all signals blocked, so that the new thread never takes one that is meant for Kea.
fn without_signals<T>(spawn: impl FnOnce() -> T) -> T {
    let before = SigSet::all().thread_swap_mask(nix::sys::signal::SigmaskHow::SIG_SETMASK);
    let result = spawn();
    if let Ok(before) = before {
        let _ = before.thread_set_mask();
    }
    result
}
