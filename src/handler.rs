//! A script's side inside Kea: its events by turn, its lanes, and the one thread that looks after what no thread of
//! Kea's waits for.
//!
//! A packet's thread that waits talks to its lane itself; everything else is the courier's. Both take turns by
//! [`crate::order`] under one lock, which is never held while anybody reads, writes or sleeps.

mod again;
mod conclude;
mod counters;
mod courier;
mod errands;
#[cfg(any(test, fuzzing))]
#[allow(clippy::expect_used)]
pub mod fuzzing;
mod heritage;
mod inbox;
mod lanes;
mod legacy;
mod process;
mod programs;
#[cfg(test)]
mod roundtrip;
mod shared;
mod socket;
mod task;
#[cfg(test)]
mod tests;
mod waiting;

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sys::signal::SigSet;

use crate::bridge::ffi::{Change, Verdict};
use crate::config::{Config, Mode};
use crate::facts::Facts;
use crate::hook_points::HOOK_POINTS;
use crate::keys::{Key, texts};
use crate::log::log_repeating;
use crate::messages;
use crate::syscall::failed;
use crate::text::{LOG_TEXT_BYTES, excerpt};
use crate::variables::Server;
use counters::Counters;
use courier::Courier;
pub use legacy::Legacy;
use shared::Shared;
pub use task::Task;

/// A script, its runner and its events.
pub struct Handler {
    shared: Arc<Shared>,
    courier: JoinHandle<Courier>,
}

impl Handler {
    /// Makes the lanes, and takes over what the handler before a reload has left.
    pub fn start(config: Config, server: &Server, legacy: &mut Legacy) -> Result<Handler, String> {
        let shared = Arc::new(Shared::new(config, server).map_err(|error| error.to_string())?);
        let mut courier = Courier::new(shared.clone());
        match start_lanes(&mut courier) {
            Err(error) if shared.config.required => return Err(error),
            Err(error) => courier.lanes.failed(error),
            Ok(()) => {}
        }
        courier.take_over(std::mem::take(legacy));
        let courier = without_signals(|| std::thread::Builder::new().name("runscript".into()).spawn(|| courier.run()))
            .map_err(|error| failed("clone3", error))?;
        Ok(Handler { shared, courier })
    }

    /// Its name.
    pub fn server(&self) -> &str {
        &self.shared.server.name
    }

    pub fn config(&self) -> &Config {
        &self.shared.config
    }

    /// Counts what packet threads have left in the inbox too.
    pub fn catch_up(&self) {
        drop(self.shared.lock());
    }

    pub fn counters(&self) -> &Counters {
        &self.shared.counters
    }

    /// Events that are queued or being handled.
    pub fn pending(&self) -> usize {
        self.shared.lock().order.len()
    }

    /// Events that are being handled.
    pub fn in_flight(&self) -> usize {
        self.shared.lock().order.running()
    }

    /// For how long the oldest event has waited for its turn.
    pub fn oldest(&self) -> Option<Duration> {
        self.shared.lock().oldest().map(|since| since.elapsed())
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

    /// The keys by which this script's events take turns: with one lane, all of them share one.
    pub fn keys(&self, keys: &[Key]) -> Vec<Key> {
        let common = (self.shared.config.concurrency == 1).then_some(Key::COMMON);
        keys.iter().copied().chain(common).collect()
    }

    /// Hands over an event and goes on.
    pub fn post(&self, task: Task) {
        Counters::add(&self.shared.counters.events);
        self.shared.post(task);
    }

    /// Hands over an event and waits for what Kea shall do, no longer than the time-out.
    pub fn ask(&self, task: Task) -> Verdict {
        Counters::add(&self.shared.counters.events);
        let answer = self.shared.ask(&task);
        self.shared.conclude(&task, answer)
    }

    /// Hands over an event for which a packet is parked. `then` is told what Kea shall do, no later than the time-out,
    /// unless `stop` comes first.
    pub fn park(&self, task: Task, then: Box<dyn FnOnce(Verdict) + Send>) {
        Counters::add(&self.shared.counters.events);
        let until = Instant::now() + task.timeout;
        self.shared.park(task, until, then);
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

    /// Stops the courier. Events not yet answered go on in the runner, without Kea.
    pub fn stop(self) -> Legacy {
        self.shared.lock().stopping = true;
        self.shared.errands.wake();
        match self.courier.join() {
            Ok(courier) => courier.leave(),
            Err(_) => Legacy::default(),
        }
    }
}

fn start_lanes(courier: &mut Courier) -> Result<(), String> {
    let config = &courier.shared.config;
    if config.mode != Mode::Socket {
        programs::check_script(config)?;
    }
    courier.lanes.start()
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
