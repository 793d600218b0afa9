//! Numbers of events, and what makes them unique among servers and scripts.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::text::{hex_digits, number};

/// The number of an event.
pub type Seq = u64;

/// So many events a second, for as long as a process lives, do not reach the numbers of one that starts later. The numbers
/// stay below 2^53, up to which a JSON number is exact everywhere, until the year 2106.
const PER_SECOND: u64 = 1 << 21;

static LAST: LazyLock<AtomicU64> = LazyLock::new(|| AtomicU64::new(by_the_clock()));

/// The number of the next event, to be taken under the lock under which the event enters the queue: greater than all before,
/// of this process, of the spools that it has opened, and, as far as the clock is right, of earlier processes.
pub fn next() -> Seq {
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}

/// There is an event of this number already.
pub fn is_taken(seq: Seq) {
    LAST.fetch_max(seq, Ordering::Relaxed);
}

fn by_the_clock() -> Seq {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_secs() * PER_SECOND + u64::from(since.subsec_nanos()) * PER_SECOND / 1_000_000_000
}

/// What makes the numbers of this process unique among servers and scripts.
pub fn of_process() -> u64 {
    static PROCESS: LazyLock<u64> = LazyLock::new(random);
    *PROCESS
}

/// A number that nobody else has.
pub fn random() -> u64 {
    RandomState::new().hash_one(std::process::id())
}

/// The id of the event with this number; `unique` makes it one among servers and scripts.
pub fn write_id(unique: u64, seq: Seq, out: &mut String) {
    hex_digits(&unique.to_be_bytes(), out);
    out.push('-');
    number(seq, out);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_grow_and_are_exact_in_json() {
        let (first, second) = (next(), next());
        assert!(first < second && second < 1 << 53);
        // In 2106 a clock of 32 bits ends, too.
        assert!((u64::from(u32::MAX) + 1) * PER_SECOND <= 1 << 53);
    }

    #[test]
    fn an_id_has_the_process_and_the_number() {
        let id = |seq| {
            let mut out = String::new();
            write_id(of_process(), seq, &mut out);
            out
        };
        let (one, other) = (id(1), id(2));
        assert_eq!((one.len(), &one[..17]), (18, &other[..17]));
        assert!(one.ends_with("-1") && other.ends_with("-2"));
    }
}
