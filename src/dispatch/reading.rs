//! Events that come back from the spool: the worker reads them, and queues those that are not over.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::spooled::MOST;
use super::state::Queued;
use super::task::Spooled;
use super::worker::Worker;
use crate::event::Kept;
use crate::hook_points::{HOOK_POINTS, find};
use crate::ids::Seq;
use crate::keys::Key;
use crate::log::log;
use crate::messages;
use crate::order::{Class, Turn};
use crate::spool::{Place, Spool, State};

/// How often the worker looks whether earlier runners are still at work.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// After which time what could not be read is tried again.
pub const READ_AGAIN: Duration = Duration::from_secs(1);

/// An event that an earlier runner may still be at work on.
pub struct Elsewhere {
    turn: Turn,
    event: Spooled,
}

/// A record as it was read.
type Found = (Place, Seq, State, serde_json::Result<Kept>);

impl Worker {
    /// What the spool needs of a thread that has time.
    pub fn see_to_the_spool(&mut self) {
        let shared = Arc::clone(&self.shared);
        let Some(spool) = shared.spool.get() else { return };
        self.lanes.tell_of_spool(spool);
        self.look_elsewhere();
        self.read_on();
        spool.prepare();
    }

    /// Takes what the spool has into the queue, as long as there is room: a part of it, for others have to be seen to.
    pub fn read_on(&mut self) {
        let shared = Arc::clone(&self.shared);
        let Some(spool) = shared.spool.get() else { return };
        if self.read_again.is_some_and(|again| again > Instant::now()) {
            return;
        }
        self.read_again = None;
        let from = {
            let state = shared.lock();
            state.unread.filter(|_| state.order.len() < MOST)
        };
        let Some(from) = from else { return };
        let mut found = Vec::new();
        let read = spool.read(from, |place, record| {
            found.push((place, record.id, record.state, Kept::read(record.text)));
        });
        let Ok((next, damaged)) = read else {
            self.read_again = Some(Instant::now() + READ_AGAIN);
            return;
        };
        if damaged > 0 {
            let why = format!("damaged records from byte {} on: {damaged}", from.at());
            let segment = format!("{:010}.v1", from.segment());
            shared.say_damaged(spool.path(), &segment, &why);
        }
        let from_before = if found.is_empty() { 0 } else { std::mem::take(&mut shared.lock().from_before) };
        if from_before > 0 {
            let mib = from_before.div_ceil(1 << 20).to_string();
            log(messages::SPOOL_OPENED, &[shared.name(), spool.path().display().to_string(), mib]);
        }
        self.queue(spool, found);
        // Nobody appends as long as we are the writer.
        let writer = spool.writer();
        let is_all = writer.as_ref().is_ok_and(|writer| writer.tail() == next);
        {
            let mut state = shared.lock();
            state.unread = (!is_all).then_some(next);
            state.from_before = if is_all { 0 } else { state.from_before };
        }
        match writer {
            Err(_) => self.read_again = Some(Instant::now() + READ_AGAIN),
            // There may be more.
            Ok(_) if !is_all => shared.calls.wake(),
            Ok(_) => {}
        }
    }

    /// Queues events that the spool has from before, or had no room for in the queue.
    fn queue(&mut self, spool: &Spool, found: Vec<Found>) {
        let shared = Arc::clone(&self.shared);
        let others_at_work =
            found.iter().any(|(_, _, state, _)| matches!(state, State::Sent(_))) && spool.others_at_work();
        for (place, id, state, kept) in found {
            let Some((event, keys)) = kept.ok().and_then(|kept| event(place, id, state, &kept)) else {
                shared.say_damaged(spool.path(), &place.to_string(), "it is no event of this version's");
                let _ = spool.finish(place, id, State::Done);
                continue;
            };
            let is_sent = matches!(state, State::Sent(_));
            // Its runner may have marked it, and ended, since it was read.
            if is_sent && !others_at_work && spool.state(place, id).is_ok_and(State::is_over) {
                let _ = spool.finish(place, id, State::Done);
                continue;
            }
            let order = &mut shared.lock().order;
            if is_sent && others_at_work {
                let turn = order.push_running(keys, Class::Kept);
                self.elsewhere.push(Elsewhere { turn, event });
            } else {
                order.push(keys, Class::Kept, Queued::Spooled(event));
            }
        }
    }

    /// Whether earlier runners have finished what they had.
    pub fn look_elsewhere(&mut self) {
        let Some(spool) = self.shared.spool.get().filter(|_| !self.elsewhere.is_empty()) else { return };
        if spool.others_at_work() {
            return;
        }
        for Elsewhere { turn, event } in std::mem::take(&mut self.elsewhere) {
            let is_over = spool.state(event.place, event.seq).is_ok_and(State::is_over);
            if is_over {
                let _ = spool.finish(event.place, event.seq, State::Done);
                self.shared.free(turn, None);
            } else {
                self.shared.give_back(turn, Queued::Spooled(event));
            }
        }
    }

    /// When to look again.
    pub fn look_elsewhere_at(&self) -> Option<Instant> {
        (!self.elsewhere.is_empty()).then(|| Instant::now() + LOOK_AGAIN)
    }
}

/// What memory holds of a record; `None` if it is of no hook point that we know.
fn event(place: Place, seq: Seq, state: State, kept: &Kept) -> Option<(Spooled, Vec<Key>)> {
    let point = find(&kept.hook)?;
    debug_assert!(point < HOOK_POINTS.len());
    let time = Duration::try_from_secs_f64(kept.time).ok()?;
    let tries = match state {
        State::Sent(times) => times as u16,
        _ => 0,
    };
    let time = SystemTime::UNIX_EPOCH.checked_add(time)?;
    let keys = kept.keys.iter().map(|text| Key::of_text(text)).collect();
    Some((Spooled { seq, place, time, point: point as u16, tries, deaths: 0 }, keys))
}
