//! How the worker hears that there is something to do.
//!
//! To wake a thread that sleeps costs a packet's thread as much as all the rest that it does for an event. So the worker
//! is woken by whoever calls it first; where much is going on it only naps, and looks by itself from time to time.
//!
//! Nothing is overlooked: whoever calls has done before what the call is about, and adds to the one number that the
//! worker changes too. A call before its work is seen by the work; one during it keeps the worker from resting; one after
//! it finds the worker resting, and wakes it, or knows that it will soon look.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nix::sys::eventfd::EventFd;

use crate::wait::{self, For, Watch};

pub struct Calls {
    /// What the worker does, and how often it has been called since it began to.
    doing: AtomicUsize,
    wake: EventFd,
}

const ASLEEP: usize = 0;
/// To be awake, and to have been called once out of sleep, is the same.
const AWAKE: usize = 1;
const NAPPING: usize = 1 << (usize::BITS - 1);

/// For how long after a call the worker naps only.
const NAP: Duration = Duration::from_millis(5);
/// The answers that come in one pass free lanes, and the events for these are sent in the next.
const PASSES: usize = 2;

impl Calls {
    /// Calls are `number` in the watch.
    pub fn new(watch: &Watch, number: u64) -> io::Result<Calls> {
        let wake = wait::calls()?;
        watch.add(&wake, number, For::Calls)?;
        Ok(Calls { doing: AtomicUsize::new(ASLEEP), wake })
    }

    /// There is something to do that can wait for the end of a nap.
    pub fn call(&self) {
        self.add(|doing| doing == ASLEEP);
    }

    /// There is something to do at once.
    pub fn wake(&self) {
        self.add(|doing| doing == ASLEEP || doing >= NAPPING);
    }

    fn add(&self, has_to_be_woken: impl FnOnce(usize) -> bool) {
        if has_to_be_woken(self.doing.fetch_add(1, Ordering::AcqRel)) {
            // It fails only where the worker has been woken 2^64 times already.
            let _ = self.wake.write(1);
        }
    }

    /// The worker works; whether it may rest afterwards, for nobody has called it meanwhile. Until `nap_until` that is no
    /// more than a nap.
    pub fn attend(&self, nap_until: &mut Option<Instant>, mut work: impl FnMut()) -> bool {
        let before = self.doing.swap(AWAKE, Ordering::AcqRel);
        let mut was_called = before != ASLEEP && before != NAPPING;
        let mut seen = AWAKE;
        for _ in 0..PASSES {
            work();
            let now = Instant::now();
            if was_called {
                *nap_until = Some(now + NAP);
            }
            *nap_until = nap_until.filter(|until| *until > now);
            let rest = if nap_until.is_some() { NAPPING } else { ASLEEP };
            match self.doing.compare_exchange(seen, rest, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return true,
                Err(calls) => seen = calls,
            }
            was_called = true;
        }
        false
    }
}
