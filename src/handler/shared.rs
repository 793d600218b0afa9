//! What packet threads and the courier share: the events by turn and the free lanes.

use std::collections::HashMap;
use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use nix::sys::eventfd::{EfdFlags, EventFd};

use super::Counters;
use super::courier::{Busy, Parcel};
use super::task::{ATTEMPTS, Task};
use crate::config::Config;
use crate::lane::Lane;
use crate::log::log;
use crate::messages;
use crate::order::{Order, Seq};
use crate::variables::Server;

pub struct Shared {
    pub config: Config,
    pub server: Server,
    pub counters: Counters,
    state: Mutex<State>,
    /// A waiting event has been granted a lane, or will never be.
    pub granted: Condvar,
    /// Wakes the courier.
    pub wake: EventFd,
}

#[derive(Default)]
pub struct State {
    pub order: Order<Queued>,
    last_seq: Seq,
    /// Free lanes, of this generation only.
    pub idle: Vec<Lane>,
    /// Counts the runners: their lanes bear its number.
    pub generation: u64,
    /// Lanes for waiting events whose turn has come; their threads are about to take them.
    pub granted: HashMap<Seq, Lane>,
    /// What the courier shall take on.
    pub parcels: Vec<Parcel>,
    /// Posted events that are not running.
    pub pending: usize,
    /// Why there is no runner; `None` while there is one, or is about to be.
    pub down: Option<String>,
    pub stopping: bool,
}

/// What stands in the queue.
pub enum Queued {
    /// Kea waits: the event itself is in the hands of a packet's thread.
    Waiting,
    Posted(Task),
}

impl Shared {
    pub fn new(config: Config, server: &Server) -> io::Result<Shared> {
        Ok(Shared {
            config,
            server: server.clone(),
            counters: Counters::default(),
            state: Mutex::default(),
            granted: Condvar::new(),
            wake: EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?,
        })
    }

    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn wake_courier(&self) {
        // It fails only where the courier has been woken 2^64 times already.
        let _ = self.wake.write(1);
    }

    /// Gives idle lanes to the events whose turn it is. Where Kea waits at some hook points and not at others, the
    /// last lane is kept for those at which it waits.
    pub fn assign(&self, state: &mut State) {
        let kept = usize::from(self.config.concurrency > 1 && self.config.waits_sometimes());
        let mut for_courier = false;
        while !state.idle.is_empty() && !state.stopping {
            let next = match state.idle.len() > kept {
                true => state.order.take_next(),
                false => state.order.take_urgent(),
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
                    state.parcels.push(Parcel::Event(Busy { seq, lane, task }));
                    for_courier = true;
                }
            }
        }
        if for_courier {
            self.wake_courier();
        }
    }

    /// An event is over: those behind it move up, and its lane is free.
    pub fn done(&self, seq: Seq, lane: Option<Lane>) {
        let mut state = self.lock();
        state.order.done(seq);
        let generation = state.generation;
        let granted = state.granted.remove(&seq);
        state.idle.extend(lane.into_iter().chain(granted).filter(|lane| lane.generation == generation));
        self.assign(&mut state);
    }

    /// The runner has died over an event that Kea does not wait for: the next one gets it, in the same turn.
    pub fn give_back(&self, seq: Seq, task: Task) {
        if task.is_abandoned {
            return self.done(seq, None);
        }
        if task.deaths >= ATTEMPTS {
            log(messages::EVENT_LOST, &[self.name(), task.row().name.into(), Task::deadly().text]);
            return self.done(seq, None);
        }
        let mut state = self.lock();
        state.order.give_back(seq, Queued::Posted(task));
        state.pending += 1;
        self.assign(&mut state);
    }
}

impl State {
    pub fn new_seq(&mut self) -> Seq {
        self.last_seq += 1;
        self.last_seq
    }

    /// Queues an event that Kea does not wait for.
    pub fn post(&mut self, task: Task) {
        let seq = self.new_seq();
        self.order.push(seq, task.keys.clone(), false, Queued::Posted(task));
        self.pending += 1;
    }

    /// No lane of the present runner is worth anything any more.
    pub fn forget_lanes(&mut self) {
        self.generation += 1;
        self.idle.clear();
    }
}
