//! What goes to standard error, a line each, with the priority that systemd reads. Foreign bytes are escaped here.

use std::fmt::Display;
use std::io::Write;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use kea_hook_runscript::text::{LOG_TEXT_BYTES, excerpt};

/// How often something is said that a hostile client could cause at will.
const PAUSE: Duration = Duration::from_secs(60);
/// Of a client's bytes a line shows no more.
const GLIMPSE: usize = 80;

/// What an administrator should see.
pub fn warn(text: impl Display) {
    line(4, text);
}

/// What was done.
pub fn info(text: impl Display) {
    line(6, text);
}

/// A log that is gone is no reason to stop.
fn line(priority: u8, text: impl Display) {
    let prefix = if std::env::var_os("JOURNAL_STREAM").is_some() { format!("<{priority}>") } else { String::new() };
    let _ = writeln!(std::io::stderr().lock(), "{prefix}kea-omapi: {}", excerpt(text.to_string(), LOG_TEXT_BYTES));
}

/// Bytes that a client chose, for a line.
pub fn shown(bytes: &[u8]) -> String {
    excerpt(bytes, GLIMPSE)
}

/// Says a thing once a minute, and how often it has kept silent.
pub struct Throttle(Mutex<Option<(Instant, u64)>>);

impl Throttle {
    pub const fn new() -> Throttle {
        Throttle(Mutex::new(None))
    }

    /// A warning, if none was said within a minute.
    pub fn warn(&self, text: impl Display) {
        let mut last = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        match &mut *last {
            Some((when, silent)) if when.elapsed() < PAUSE => *silent += 1,
            Some((_, silent @ 1..)) => {
                warn(format_args!("{text} (and {silent} more since)"));
                *last = Some((Instant::now(), 0));
            }
            _ => {
                warn(text);
                *last = Some((Instant::now(), 0));
            }
        }
    }

    /// Whether it has said something since the last time. What comes next is said at once.
    pub fn reset(&self) -> bool {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take().is_some()
    }
}

impl Default for Throttle {
    fn default() -> Throttle {
        Throttle::new()
    }
}
