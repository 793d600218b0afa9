//! Answers that are kept (`keep-for`), of one script: given again without asking for as long as they hold.
//!
//! There is room for so many. A new one takes the place of one that nobody has come back for.

pub mod forget;
mod key;
#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use quick_cache::unsync::{Cache, DefaultLifecycle};
use quick_cache::{Equivalent, OptionsBuilder, UnitWeighter};

use crate::bridge::ffi::Verdict;
pub use key::{Client, Key};

/// What an answer may take with its key, in bytes: so much times `keep-limit` is the most that a memory holds.
pub const MOST_BYTES: usize = 4096;

/// When a memory was last emptied. Every memory at any time has another.
pub type Age = u64;

pub struct Memory {
    answers: Mutex<Answers>,
    age: AtomicU64,
    /// Something has been kept: before that, no key need be made.
    is_used: AtomicBool,
    limit: usize,
}

type Answers = Cache<Key, Kept, UnitWeighter, foldhash::fast::RandomState>;

struct Kept {
    verdict: Verdict,
    until: Instant,
}

/// Finds a key by its hash alone.
struct Hashed(u64);

impl Hash for Hashed {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0);
    }
}

impl Equivalent<Key> for Hashed {
    fn equivalent(&self, key: &Key) -> bool {
        self.0 == key.hash()
    }
}

impl Memory {
    pub fn new(limit: usize) -> Memory {
        // A cache without room is none.
        let room = limit.max(1);
        let mut options = OptionsBuilder::new();
        // With no number of shards, it would look for that of the CPUs, in files that Debian's AppArmor profile denies to Kea.
        options.estimated_items_capacity(room).weight_capacity(room as u64).shards(1);
        let (weighter, hasher, life) = (UnitWeighter, Default::default(), DefaultLifecycle::default());
        let answers = match options.build() {
            Ok(options) => Cache::with_options(options, weighter, hasher, life),
            // Both capacities are there.
            Err(_) => Cache::with(room, room as u64, weighter, hasher, life),
        };
        Memory { answers: Mutex::new(answers), age: AtomicU64::new(next_age()), is_used: AtomicBool::default(), limit }
    }

    /// To be asked for before a script is asked.
    pub fn age(&self) -> Age {
        self.age.load(Ordering::Acquire)
    }

    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Whether there may be an answer.
    pub fn is_used(&self) -> bool {
        self.is_used.load(Ordering::Relaxed)
    }

    /// What a script has said before, if that still holds.
    pub fn recall(&self, key: &Key) -> Option<Verdict> {
        let mut answers = self.lock();
        let kept = answers.get(key)?;
        if kept.until > Instant::now() {
            return Some(kept.verdict.clone());
        }
        answers.remove(key);
        None
    }

    /// Keeps an answer of a script that was asked at that age. From now on its changes tell by what it is found: Kea may
    /// refuse one the first time already.
    pub fn keep(&self, key: Key, verdict: &mut Verdict, time: Duration, asked: Age) {
        verdict.changes.iter_mut().for_each(|change| change.kept = key.hash());
        let mut answers = self.lock();
        // Forgotten meanwhile: the answer may be of what has been changed since.
        if self.age() == asked {
            self.is_used.store(true, Ordering::Relaxed);
            answers.insert(key, Kept { verdict: verdict.clone(), until: Instant::now() + time });
        }
    }

    /// Kea refuses what the answer with this hash wants. Another one that has it by chance is asked for again.
    pub fn remove(&self, hash: u64) {
        self.lock().remove(&Hashed(hash));
    }

    /// Forgets what is about this client, or all; how many answers held until now.
    pub fn forget(&self, client: Option<&Client>) -> usize {
        let (now, count) = (Instant::now(), Cell::new(0));
        let mut answers = self.lock();
        answers.retain(|key, kept| {
            let goes = client.is_none_or(|client| key.is_of(client));
            count.set(count.get() + usize::from(goes && kept.until > now));
            !goes
        });
        self.age.store(next_age(), Ordering::Release);
        count.get()
    }

    /// How many answers hold.
    pub fn len(&self) -> usize {
        let now = Instant::now();
        self.lock().iter().filter(|(_, kept)| kept.until > now).count()
    }

    fn lock(&self) -> MutexGuard<'_, Answers> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn next_age() -> Age {
    static AGES: AtomicU64 = AtomicU64::new(0);
    AGES.fetch_add(1, Ordering::Relaxed)
}

/// What an answer takes with its key.
pub fn size(key: &Key, verdict: &Verdict) -> usize {
    let changes = verdict.changes.iter();
    key.len() + changes.map(|change| size_of_val(change) + change.data.len() + change.said.len()).sum::<usize>()
}
