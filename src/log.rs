//! Lines for Kea's log: to Kea's logger when a server has loaded us, to standard error elsewhere.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::bridge::ffi::{Message, Severity};
use crate::messages::{self, Row};
use crate::text::{LOG_TEXT_BYTES, excerpt};

/// What repeats is logged once in this time.
const QUIET: Duration = Duration::from_secs(60);

/// The shim's function that takes a message; 0 for standard error.
static KEA: AtomicUsize = AtomicUsize::new(0);

/// The shim's function that knows whether Kea's log shows what is for debugging; 0 where there is none.
static SHOWS_DEBUG: AtomicUsize = AtomicUsize::new(0);

/// Lets Kea's logger speak for us: `log` is the address of a `void (*)(const Message&) noexcept`, `shows_debug` that of a
/// `bool (*)() noexcept`, or 0.
pub fn use_kea(log: usize, shows_debug: usize) {
    KEA.store(log, Ordering::Release);
    SHOWS_DEBUG.store(shows_debug, Ordering::Release);
}

/// Whether a message for debugging is worth its making.
#[allow(unsafe_code)]
pub fn shows_debug() -> bool {
    match SHOWS_DEBUG.load(Ordering::Acquire) {
        0 => false,
        address => {
            // SAFETY: a non-zero address is only ever stored by `use_kea`, from the `Server.shows_debug` of a `load`: the
            // shim's function of this very signature, which stays mapped because the library is linked with -z nodelete.
            // It is noexcept and may be called from any thread.
            let kea = unsafe { std::mem::transmute::<usize, extern "C" fn() -> bool>(address) };
            kea()
        }
    }
}

/// Logs a message, its `%1`, `%2` filled with `args`.
pub fn log(row: &'static Row, args: &[String]) {
    log_at(row, row.severity, args);
}

/// The same at another severity.
pub fn log_at(row: &'static Row, severity: Severity, args: &[String]) {
    write(row, severity, args.iter().map(text).collect());
}

/// The same for what the administrator has written: it is not cut.
pub fn log_whole(row: &'static Row, args: &[String]) {
    write(row, row.severity, args.iter().map(|arg| shown(arg, usize::MAX)).collect());
}

/// All that goes to the log goes through here: clients and handlers have chosen some of it.
pub fn text(arg: impl AsRef<[u8]>) -> String {
    shown(arg, LOG_TEXT_BYTES)
}

fn shown(arg: impl AsRef<[u8]>, most: usize) -> String {
    excerpt(without_placeholders(&excerpt(arg, most)), most)
}

fn write(row: &'static Row, severity: Severity, args: Vec<String>) {
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
    severity: Severity,
    suppressed: u64,
}

/// What is logged once a minute: which message, about whom, and of what kind. Nothing of it is for a client or a handler to
/// choose, so that there are only so many.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Kind {
    message: &'static str,
    who: String,
    what: Vec<&'static str>,
}

static REPEATED: LazyLock<Mutex<HashMap<Kind, Repeated>>> = LazyLock::new(Mutex::default);

/// Logs what may repeat with every packet: the first of its kind at once, then at most one a minute, with the count of
/// what was kept back. `who`, a script's path or a place in the code, and `what` tell kinds of one message apart.
pub fn log_repeating(row: &'static Row, who: &str, what: &[&'static str], args: &[String]) {
    log_repeating_at(row, row.severity, who, what, args);
}

/// The same at another severity.
pub fn log_repeating_at(row: &'static Row, severity: Severity, who: &str, what: &[&'static str], args: &[String]) {
    if is_due(Kind { message: row.name(), who: who.into(), what: what.into() }, severity, 1) {
        log_at(row, severity, args);
    }
}

/// The same for what has happened so many times at once.
pub fn log_repeating_times(row: &'static Row, who: &str, args: &[String], times: u64) {
    if is_due(Kind { message: row.name(), who: who.into(), what: vec![] }, row.severity, times) {
        log(row, args);
    }
}

/// Whether this shall be logged; if so, what was kept back before is.
fn is_due(kind: Kind, severity: Severity, times: u64) -> bool {
    let mut repeated = REPEATED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(last) = repeated.get_mut(&kind).filter(|last| last.since.elapsed() < QUIET) {
        last.suppressed += times;
        return false;
    }
    let last = repeated.insert(kind.clone(), Repeated { since: Instant::now(), severity, suppressed: times - 1 });
    drop(repeated);
    if let Some(last) = last {
        say_repeated(&kind, &last);
    }
    true
}

/// Forgets what was logged, and says what was kept back: at `unload`.
pub fn flush() {
    let repeated = std::mem::take(&mut *REPEATED.lock().unwrap_or_else(PoisonError::into_inner));
    repeated.iter().for_each(|(kind, last)| say_repeated(kind, last));
}

fn say_repeated(kind: &Kind, last: &Repeated) {
    if last.suppressed > 0 {
        let place = [&[&*kind.who], &*kind.what].concat().join(", ");
        log_at(
            messages::REPEATED,
            last.severity,
            &[format!("{} ({place})", kind.message), last.suppressed.to_string()],
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_argument_holds_a_placeholder() {
        assert_eq!(text("100 % of %4, %é"), "100 % of \\x254, %é");
    }

    #[test]
    fn a_text_is_one_line_of_so_many_bytes_however_often_it_comes_here() {
        let once = text("a\\b %1\n2026-01-01 ERROR forged \u{202e}\x1b]0;title\x07".repeat(100));
        assert!(once.starts_with("a\\b \\x251\\x0a2026-01-01 ERROR forged \\xe2\\x80\\xae\\x1b]0;title\\x07a\\b "));
        assert!(once.len() <= LOG_TEXT_BYTES && once.ends_with("..."));
        assert_eq!(text(&once), once);
        assert!(once.chars().all(crate::text::is_printable));
        assert_eq!(text("\\x0a \\x251"), "\\x0a \\x251");
    }
}
