//! Events that are over without Kea knowing: its connection has ended before the answer was read. They come again, from the
//! next Kea, and are answered then without being handled again.
//!
//! Whoever speaks on the socket chooses ids. So what is kept of one has a size, an event that has not been sent before is never
//! taken for another, and nothing counts that no program was started for.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::event::Event;
use crate::verdict::{Answer, FailureKind};

/// So many ids are remembered; beyond that, the oldest may be handled twice.
const MOST: usize = 10_000;

/// What `KEA_EVENT_ID` is made of.
type Id = (u64, u64);

/// Of all connections that have ended.
#[derive(Default)]
pub struct Handled(Mutex<Ids>);

/// Of one connection: those whose answers may not have been read. For those before them it has sent further events since.
pub struct Recent {
    ids: Mutex<VecDeque<Id>>,
    most: usize,
}

#[derive(Default)]
struct Ids {
    all: HashSet<Id>,
    oldest_first: VecDeque<Id>,
}

impl Handled {
    /// A connection has ended.
    pub fn add(&self, recent: &Recent) {
        let mut ids = self.lock();
        for id in recent.lock().drain(..) {
            if ids.all.insert(id) {
                ids.oldest_first.push_back(id);
            }
        }
        while ids.oldest_first.len() > MOST {
            if let Some(oldest) = ids.oldest_first.pop_front() {
                ids.all.remove(&oldest);
            }
        }
    }

    /// Whether this event is one of them, which comes again.
    pub fn has(&self, event: &Event) -> bool {
        let tries = value(event, "KEA_EVENT_ATTEMPT").and_then(|tries| tries.parse::<u64>().ok());
        let id = id(event).filter(|_| tries.is_some_and(|tries| tries > 1));
        id.is_some_and(|id| self.lock().all.contains(&id))
    }

    fn lock(&self) -> MutexGuard<'_, Ids> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recent {
    /// Of a connection on which so many events may be sent before the answer to one.
    pub fn new(ahead: usize) -> Recent {
        Recent { ids: Mutex::default(), most: 2 * ahead + 1 }
    }

    pub fn note(&self, event: &Event, answer: &Answer) {
        let is_started = answer.failure.as_ref().is_none_or(|failure| failure.kind != FailureKind::Start);
        if let Some(id) = id(event).filter(|_| answer.again.is_none() && is_started) {
            let mut ids = self.lock();
            ids.push_back(id);
            while ids.len() > self.most {
                ids.pop_front();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Id>> {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Of an event that Kea does not wait for: only such a one comes again.
fn id(event: &Event) -> Option<Id> {
    let (unique, seq) = value(event, "KEA_EVENT_ID").filter(|_| !event.wait)?.split_once('-')?;
    Some((u64::from_str_radix(unique, 16).ok()?, seq.parse().ok()?))
}

fn value<'a>(event: &'a Event, wanted: &str) -> Option<&'a str> {
    event.vars.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::event;
    use super::*;
    use crate::verdict::Failure;

    fn told(number: usize, tries: &str) -> Event {
        let id = format!("9dee3a7ea28fb10f-{number}");
        Event { wait: false, ..event(1000, &[("KEA_EVENT_ID", &id), ("KEA_EVENT_ATTEMPT", tries)]) }
    }

    #[test]
    fn what_may_not_have_been_heard_is_remembered() {
        let (handled, recent) = (Handled::default(), Recent::new(2));
        (0..10).for_each(|number| recent.note(&told(number, "1"), &Answer::default()));
        handled.add(&recent);
        assert!(handled.has(&told(9, "2")) && handled.has(&told(5, "2")) && !handled.has(&told(4, "2")));
        assert!(!handled.has(&told(9, "1")), "what has not been sent before is another event");
        assert!(!handled.has(&Event { wait: true, ..told(9, "2") }));
    }

    #[test]
    fn what_is_not_over_is_not() {
        let (handled, recent) = (Handled::default(), Recent::new(8));
        let failed = |kind| Answer { failure: Some(Failure::new(kind, "")), ..Answer::default() };
        recent.note(&told(1, "1"), &Answer { again: Some(0.0), ..Answer::default() });
        recent.note(&Event { wait: true, ..told(2, "1") }, &Answer::default());
        recent.note(&told(3, "1"), &failed(FailureKind::Start));
        recent.note(&told(4, "1"), &failed(FailureKind::Timeout));
        for id in ["", "x-1", "1-", "1-x", "9dee3a7ea28fb10f9-1"] {
            recent.note(&Event { wait: false, ..event(1000, &[("KEA_EVENT_ID", id)]) }, &Answer::default());
        }
        handled.add(&recent);
        assert_eq!((1..5).filter(|number| handled.has(&told(*number, "2"))).collect::<Vec<_>>(), [4]);
        assert_eq!(handled.lock().all.len(), 1);
    }

    #[test]
    fn there_are_never_too_many() {
        let handled = Handled::default();
        for number in 0..MOST + 5 {
            let recent = Recent::new(0);
            recent.note(&told(number, "1"), &Answer::default());
            handled.add(&recent);
        }
        assert!(!handled.has(&told(4, "2")) && handled.has(&told(5, "2")));
        assert!(handled.lock().all.len() == MOST && handled.lock().oldest_first.len() == MOST);
    }
}
