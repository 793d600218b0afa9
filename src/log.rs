//! Lines for Kea's log: to Kea's logger when a server has loaded us, to standard error elsewhere.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::bridge::ffi::{Message, Severity};
use crate::messages::{self, Row};

/// A failure that repeats is logged once in this time.
const QUIET: Duration = Duration::from_secs(60);

/// The shim's function that takes a message; 0 for standard error.
static KEA: AtomicUsize = AtomicUsize::new(0);

/// Lets Kea's logger speak for us: `address` is that of a `void (*)(const Message&) noexcept`.
pub fn use_kea(address: usize) {
    KEA.store(address, Ordering::Release);
}

/// Logs a message, its `%1`, `%2` filled with `args`.
pub fn log(row: &'static Row, args: &[String]) {
    log_at(row, row.severity, args);
}

/// The same at another severity.
pub fn log_at(row: &'static Row, severity: Severity, args: &[String]) {
    let args: Vec<String> = args.iter().map(|arg| without_placeholders(arg)).collect();
    let message = Message { severity, id: row.raw_id(), args: &args };
    match KEA.load(Ordering::Acquire) {
        0 => eprintln!("{} {}", row.name(), args.join(" ")),
        address => call(address, &message),
    }
}

/// Kea fills a message in from left to right, and would take a `%2` inside what it has filled in for its own.
fn without_placeholders(arg: &str) -> String {
    let mut text = String::with_capacity(arg.len());
    for (at, c) in arg.char_indices() {
        match arg[at + c.len_utf8()..].starts_with(|next: char| next.is_ascii_digit()) {
            true if c == '%' => text.push_str("\\x25"),
            _ => text.push(c),
        }
    }
    text
}

#[allow(unsafe_code)]
fn call(address: usize, message: &Message) {
    // SAFETY: a non-zero address is only ever stored by `use_kea`, from the `Server.log` of a `load`: the shim's
    // function of this very signature, which stays mapped because the library is linked with -z nodelete.
    // It is noexcept and may be called from any thread.
    let kea = unsafe { std::mem::transmute::<usize, extern "C" fn(&Message)>(address) };
    kea(message);
}

struct Repeated {
    since: Instant,
    suppressed: u64,
}

static REPEATED: LazyLock<Mutex<HashMap<(&'static str, String), Repeated>>> = LazyLock::new(Mutex::default);

/// Logs a failure that may repeat with every packet: the first of its kind at once, then at most one a minute, with
/// the count of what was kept back. `kind` tells failures of one message apart.
pub fn log_repeating(row: &'static Row, kind: &str, args: &[String]) {
    log_repeating_times(row, kind, args, 1);
}

/// The same for what has happened so many times at once.
pub fn log_repeating_times(row: &'static Row, kind: &str, args: &[String], times: u64) {
    let mut repeated = REPEATED.lock().unwrap_or_else(PoisonError::into_inner);
    let key = (row.name(), kind.to_string());
    let suppressed = match repeated.get_mut(&key) {
        Some(last) if last.since.elapsed() < QUIET => {
            last.suppressed += times;
            return;
        }
        Some(last) => last.suppressed,
        None => 0,
    };
    repeated.insert(key, Repeated { since: Instant::now(), suppressed: times - 1 });
    drop(repeated);
    if suppressed > 0 {
        log(messages::REPEATED, &[format!("{} ({kind})", row.name()), suppressed.to_string()]);
    }
    log(row, args);
}

/// Forgets what was logged, and says what was kept back: at `unload`.
pub fn flush() {
    let repeated = std::mem::take(&mut *REPEATED.lock().unwrap_or_else(PoisonError::into_inner));
    for ((name, kind), last) in repeated.into_iter().filter(|(_, last)| last.suppressed > 0) {
        log(messages::REPEATED, &[format!("{name} ({kind})"), last.suppressed.to_string()]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_argument_holds_a_placeholder() {
        assert_eq!(without_placeholders("100 % of %4, %é"), "100 % of \\x254, %é");
    }
}
