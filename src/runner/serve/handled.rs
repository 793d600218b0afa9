//! Events that are over without Kea knowing: its connection has ended before the answer was read. They come again, from the
//! next Kea, and are answered then without being handled again.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::event::Event;
use crate::lane::MOST_AHEAD;
use crate::verdict::Answer;

/// So many ids are remembered; beyond that, the oldest may be handled twice.
const MOST: usize = 10_000;

/// Of all connections that have ended.
#[derive(Default)]
pub struct Handled(Mutex<Ids>);

/// Of one connection: those whose answers may not have been read. For those before them it has sent further events since.
#[derive(Default)]
pub struct Recent(Mutex<VecDeque<String>>);

#[derive(Default)]
struct Ids {
    all: HashSet<String>,
    oldest_first: VecDeque<String>,
}

impl Handled {
    /// A connection has ended.
    pub fn add(&self, recent: &Recent) {
        let mut ids = self.lock();
        for id in recent.lock().drain(..) {
            if ids.all.insert(id.clone()) {
                ids.oldest_first.push_back(id);
            }
        }
        while ids.oldest_first.len() > MOST {
            if let Some(oldest) = ids.oldest_first.pop_front() {
                ids.all.remove(&oldest);
            }
        }
    }

    pub fn has(&self, event: &Event) -> bool {
        id(event).is_some_and(|id| self.lock().all.contains(id))
    }

    fn lock(&self) -> MutexGuard<'_, Ids> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recent {
    pub fn note(&self, event: &Event, answer: &Answer) {
        if let Some(id) = id(event).filter(|_| answer.again.is_none()) {
            let mut recent = self.lock();
            recent.push_back(id.into());
            // As many may have been sent ahead as are unread.
            while recent.len() > 2 * MOST_AHEAD + 1 {
                recent.pop_front();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What Kea does not wait for comes again.
fn id(event: &Event) -> Option<&str> {
    let mut ids = event.vars.iter().filter(|(name, _)| *name == "KEA_EVENT_ID");
    ids.next().map(|(_, id)| id).filter(|_| !event.wait)
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::event;
    use super::*;

    fn told(id: &str) -> Event {
        Event { wait: false, ..event(1000, &[("KEA_EVENT_ID", id)]) }
    }

    #[test]
    fn what_may_not_have_been_heard_is_remembered_until_it_is_too_much() {
        let handled = Handled::default();
        for connection in 0..MOST {
            let recent = Recent::default();
            (0..200).for_each(|number| recent.note(&told(&format!("{connection}-{number}")), &Answer::default()));
            recent.note(&told("again"), &Answer { again: Some(0.0), ..Answer::default() });
            recent.note(&Event { wait: true, ..told("waited for") }, &Answer::default());
            handled.add(&recent);
            if connection == 2 {
                let (first, last) = ("2-135", "2-199");
                assert!(handled.has(&told(last)) && handled.has(&told(first)) && !handled.has(&told("2-134")));
                assert!(!handled.has(&Event { wait: true, ..told(last) }));
            }
        }
        assert!(!handled.has(&told("again")) && !handled.has(&told("waited for")) && !handled.has(&told("2-199")));
        assert!(handled.lock().all.len() == MOST && handled.lock().oldest_first.len() == MOST);
    }
}
