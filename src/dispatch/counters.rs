//! What is counted of a script, for `runscript-status` and statistics.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hdrhistogram::Histogram;
use serde_json::{Value, json};

use crate::text::{LOG_TEXT_BYTES, excerpt};

/// Latencies are told apart to a hundredth, up to an hour: 13 KiB.
const DIGITS: u8 = 2;
const LONGEST: Duration = Duration::from_secs(3600);

pub struct Counters {
    pub events: AtomicU64,
    pub done: AtomicU64,
    pub failures: AtomicU64,
    pub timeouts: AtomicU64,
    pub dropped: AtomicU64,
    pub refused: AtomicU64,
    pub crowded: AtomicU64,
    pub restarts: AtomicU64,
    pub unspooled: AtomicU64,
    pub deferred: AtomicU64,
    pub given_up: AtomicU64,
    pub coalesced: AtomicU64,
    pub kept: AtomicU64,
    /// An event has found no room in the spool, and none has since.
    is_full: AtomicBool,
    /// In microseconds; `None` if there is no memory for it.
    latency: Mutex<Option<Histogram<u32>>>,
    last_error: Mutex<Option<(SystemTime, String)>>,
}

impl Default for Counters {
    fn default() -> Self {
        Counters {
            events: AtomicU64::default(),
            done: AtomicU64::default(),
            failures: AtomicU64::default(),
            timeouts: AtomicU64::default(),
            dropped: AtomicU64::default(),
            refused: AtomicU64::default(),
            crowded: AtomicU64::default(),
            restarts: AtomicU64::default(),
            unspooled: AtomicU64::default(),
            deferred: AtomicU64::default(),
            given_up: AtomicU64::default(),
            coalesced: AtomicU64::default(),
            kept: AtomicU64::default(),
            is_full: AtomicBool::default(),
            latency: Mutex::new(Histogram::new_with_max(micros(LONGEST), DIGITS).ok()),
            last_error: Mutex::default(),
        }
    }
}

impl Counters {
    pub fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// An event has been answered that long after it happened.
    pub fn answered(&self, after: Duration) {
        Counters::add(&self.done);
        if let Some(latency) = &mut *lock(&self.latency) {
            latency.saturating_record(micros(after));
        }
    }

    pub fn latency(&self) -> Value {
        let latency = lock(&self.latency);
        let Some(latency) = latency.as_ref().filter(|latency| !latency.is_empty()) else { return Value::Null };
        let [p50, p90, p99] = [0.5, 0.9, 0.99].map(|share| latency.value_at_quantile(share));
        json!({"p50": p50, "p90": p90, "p99": p99, "max": latency.max()})
    }

    /// There is no room in the spool; whether that is news.
    pub fn is_full(&self) -> bool {
        !self.is_full.swap(true, Ordering::Relaxed)
    }

    /// There is again.
    pub fn has_room(&self) {
        if self.is_full.load(Ordering::Relaxed) {
            self.is_full.store(false, Ordering::Relaxed);
        }
    }

    /// Something has failed, for this reason.
    pub fn note_error(&self, text: &str) {
        *lock(&self.last_error) = Some((SystemTime::now(), excerpt(text, LOG_TEXT_BYTES)));
    }

    pub fn last_error(&self) -> Option<Value> {
        let last = lock(&self.last_error);
        let (time, text) = last.as_ref()?;
        let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        Some(json!({"time": seconds, "text": text}))
    }
}

fn micros(duration: Duration) -> u64 {
    duration.as_micros().try_into().unwrap_or(u64::MAX)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_are_told_to_a_hundredth() {
        let counters = Counters::default();
        assert_eq!(counters.latency(), Value::Null);
        (1..=1000).for_each(|ms| counters.answered(Duration::from_millis(ms)));
        counters.answered(LONGEST * 2);
        let latency = counters.latency();
        for (key, expected) in [("p50", 501_000.0), ("p90", 901_000.0), ("p99", 991_000.0), ("max", 3.6e9)] {
            let value = latency[key].as_f64().unwrap();
            assert!((value / expected - 1.0).abs() < 0.01, "{key}: {value}");
        }
        assert_eq!(counters.done.load(Ordering::Relaxed), 1001);
    }

    #[test]
    fn the_last_error_counts() {
        let counters = Counters::default();
        assert_eq!(counters.last_error(), None);
        ["first", "second\n"].into_iter().for_each(|text| counters.note_error(text));
        assert_eq!(counters.last_error().unwrap()["text"], "second\\x0a");
    }
}
