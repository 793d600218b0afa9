//! No panic of ours reaches Kea, which it would end: it costs one event and a line in the log.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::log::log_repeating;
use crate::messages;

/// Runs `body`, or returns `otherwise` if it panics.
pub fn guarded<T>(place: &str, otherwise: T, body: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|panic| {
        log_repeating(messages::PANIC, place, &[], &[place.into(), words(&*panic)]);
        otherwise
    })
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| text.to_string());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no words".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_costs_one_event() {
        assert_eq!(guarded("here", 7, || panic!("oh")), 7);
    }
}
