//! A script's side inside Kea: its events by turn, its lanes, and the one thread that looks after what Kea does not
//! wait for.
//!
//! A packet's thread that waits talks to its lane itself; everything else is the courier's. Both take turns by
//! [`Order`] under one lock, which is never held while anybody reads, writes or sleeps.

mod conclude;
mod courier;
mod legacy;
mod process;
mod task;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::signal::SigSet;

use crate::bridge::ffi::Step;
use crate::config::Config;
use crate::lane::{Failed, Lane};
use crate::order::{Order as Turns, Seq};
use crate::variables::Server;
use crate::verdict::{Failure, FailureKind};
use courier::{Courier, PATIENCE_AT_LOAD, Parcel};
pub use legacy::Legacy;
use process::Runner;
pub use task::Task;

/// An event whose handling has killed the runner this often is given up.
const ATTEMPTS: u32 = 3;

/// A script, its runner and its events.
pub struct Handler {
    shared: Arc<Shared>,
    courier: JoinHandle<Courier>,
}

/// What packet threads and the courier share.
struct Shared {
    config: Config,
    server: Server,
    state: Mutex<State>,
    /// A waiting event has been granted a lane, or will never be.
    granted: Condvar,
    /// Wakes the courier.
    wake: EventFd,
    counters: Counters,
}

#[derive(Default)]
struct State {
    turns: Turns<Queued>,
    last_seq: Seq,
    /// Free lanes, of this generation only.
    idle: Vec<Lane>,
    /// Counts the runners: their lanes bear its number.
    generation: u64,
    /// Lanes for waiting events whose turn has come; their threads are about to take them.
    granted: HashMap<Seq, Lane>,
    /// What the courier shall take on.
    parcels: Vec<Parcel>,
    /// Posted events that are not running.
    pending: usize,
    /// Why there is no runner; `None` while there is one, or is about to be.
    down: Option<String>,
    stopping: bool,
}

/// What stands in the queue.
enum Queued {
    /// Kea waits: the event itself is in the hands of a packet's thread.
    Waiting,
    Posted(Task),
}

/// For statistics and `runscript-status`.
#[derive(Default)]
pub struct Counters {
    pub events: AtomicU64,
    pub failures: AtomicU64,
    pub timeouts: AtomicU64,
    pub dropped: AtomicU64,
}

impl Handler {
    /// Starts the runner, and takes over what the handler before a reload has left.
    pub fn start(config: Config, server: &Server, legacy: &mut Legacy) -> Result<Handler, String> {
        let started =
            process::check_script(&config.script).and_then(|()| Runner::start(&config, server, PATIENCE_AT_LOAD));
        let shared = Arc::new(Shared {
            server: server.clone(),
            state: Mutex::default(),
            granted: Condvar::new(),
            wake: EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK).map_err(|e| e.to_string())?,
            counters: Counters::default(),
            config,
        });
        let mut courier = Courier::new(shared.clone());
        match started {
            Ok((runner, lanes)) => courier.runner_is_up(runner, lanes),
            Err(error) if shared.config.required => return Err(error),
            Err(error) => courier.runner_is_down(error),
        }
        courier.take_over(std::mem::take(legacy));
        let courier = without_signals(|| std::thread::Builder::new().name("runscript".into()).spawn(|| courier.run()))
            .map_err(|error| format!("no thread: {error}"))?;
        Ok(Handler { shared, courier })
    }

    pub fn config(&self) -> &Config {
        &self.shared.config
    }

    pub fn counters(&self) -> &Counters {
        &self.shared.counters
    }

    /// Events that are queued or being handled.
    pub fn pending(&self) -> usize {
        self.shared.lock().turns.len()
    }

    /// Why there is no runner, if there is none.
    pub fn down(&self) -> Option<String> {
        self.shared.lock().down.clone()
    }

    /// The keys by which this script's events take turns: with one lane, all of them share one.
    pub fn keys(&self, keys: &[String]) -> Vec<String> {
        let common = (self.shared.config.concurrency == 1).then(String::new);
        keys.iter().cloned().chain(common).collect()
    }

    /// Hands over an event and goes on.
    pub fn post(&self, task: Task) {
        Counters::add(&self.shared.counters.events);
        let mut state = self.shared.lock();
        state.post(task);
        let dropped = state.pending > self.shared.config.queue_limit && state.turns.cancel_oldest().is_some();
        if dropped {
            state.pending -= 1;
        }
        self.shared.assign(&mut state);
        drop(state);
        if dropped {
            self.shared.dropped();
        }
    }

    /// Hands over an event and waits for what Kea shall do next, no longer than the time-out.
    pub fn ask(&self, task: Task) -> Step {
        Counters::add(&self.shared.counters.events);
        let deadline = Instant::now() + task.timeout;
        let seq = {
            let mut state = self.shared.lock();
            let seq = state.new_seq();
            state.turns.push(seq, task.keys.clone(), true, Queued::Waiting);
            self.shared.assign(&mut state);
            seq
        };
        let answer = self.shared.answer(seq, &task, deadline);
        self.shared.conclude(&task, answer)
    }

    /// Stops the courier. Events not yet answered go on in the runner, without Kea.
    pub fn stop(self) -> Legacy {
        self.shared.lock().stopping = true;
        self.shared.wake_courier();
        match self.courier.join() {
            Ok(courier) => courier.leave(),
            Err(_) => Legacy::default(),
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake_courier(&self) {
        // It fails only where the courier has been woken 2^64 times already.
        let _ = self.wake.write(1);
    }

    /// Gives idle lanes to the events whose turn it is. Where Kea waits at some hook points and not at others, the
    /// last lane is kept for those at which it waits.
    fn assign(&self, state: &mut State) {
        let kept = usize::from(self.config.concurrency > 1 && self.config.waits_sometimes());
        let mut for_courier = false;
        while !state.idle.is_empty() && !state.stopping {
            let next = match state.idle.len() > kept {
                true => state.turns.take_next(),
                false => state.turns.take_urgent(),
            };
            let Some((seq, queued)) = next else { break };
            let Some(lane) = state.idle.pop() else { break };
            match queued {
                Queued::Waiting => {
                    state.granted.insert(seq, lane);
                    self.granted.notify_all();
                }
                Queued::Posted(task) => {
                    state.pending -= 1;
                    state.parcels.push(Parcel::Event { seq, task, lane });
                    for_courier = true;
                }
            }
        }
        if for_courier {
            self.wake_courier();
        }
    }

    /// Waits for the event's turn, sends it and waits for its answer.
    fn answer(&self, seq: Seq, task: &Task, deadline: Instant) -> Result<Vec<u8>, Failure> {
        for _ in 0..ATTEMPTS {
            let mut lane = self.wait_for_turn(seq, deadline).map_err(|reason| task.failure(reason))?;
            let line = task.line(seq, &self.config, &self.server, deadline);
            match lane.exchange(line, deadline) {
                Ok(answer) => {
                    self.done(seq, Some(lane));
                    return Ok(answer);
                }
                Err(Failed::TimedOut) => {
                    // The script is being stopped; the lane is free, and the next event's turn, when that is done.
                    self.lock().parcels.push(Parcel::Late { seq, task: task.abandoned(), lane });
                    self.wake_courier();
                    return Err(task.timed_out());
                }
                Err(Failed::Gone(error)) => {
                    let mut state = self.lock();
                    state.turns.give_back(seq, Queued::Waiting);
                    if lane.generation == state.generation {
                        state.forget_lanes();
                        state.parcels.push(Parcel::Broken(error.to_string()));
                    }
                    self.assign(&mut state);
                    drop(state);
                    self.wake_courier();
                }
            }
        }
        self.done(seq, None);
        Err(Failure { kind: FailureKind::Signal, text: format!("the runner died {ATTEMPTS} times over this event") })
    }

    /// The lane on which to send this event; `Err` if it has to be given up, with the reason if that is not the time.
    fn wait_for_turn(&self, seq: Seq, deadline: Instant) -> Result<Lane, Option<String>> {
        let mut state = self.lock();
        loop {
            if let Some(lane) = state.granted.remove(&seq) {
                return Ok(lane);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || state.down.is_some() {
                let reason = state.down.clone();
                state.turns.cancel(seq);
                self.assign(&mut state);
                return Err(reason);
            }
            state = self.granted.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// An event is over: those behind it move up, and its lane is free.
    fn done(&self, seq: Seq, lane: Option<Lane>) {
        let mut state = self.lock();
        state.turns.done(seq);
        let generation = state.generation;
        let granted = state.granted.remove(&seq);
        state.idle.extend(lane.into_iter().chain(granted).filter(|lane| lane.generation == generation));
        self.assign(&mut state);
    }
}

impl State {
    fn new_seq(&mut self) -> Seq {
        self.last_seq += 1;
        self.last_seq
    }

    /// No lane of the present runner is worth anything any more.
    fn forget_lanes(&mut self) {
        self.generation += 1;
        self.idle.clear();
    }

    /// Queues an event that Kea does not wait for.
    fn post(&mut self, task: Task) {
        let seq = self.new_seq();
        self.turns.push(seq, task.keys.clone(), false, Queued::Posted(task));
        self.pending += 1;
    }

    /// Queues an event again whose runner has died over it.
    fn give_back(&mut self, seq: Seq, task: Task) {
        self.turns.give_back(seq, Queued::Posted(task));
        self.pending += 1;
    }
}

impl Counters {
    fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
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
