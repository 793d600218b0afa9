//! What a packet's thread does while Kea waits: it talks to its event's lane itself.

use std::sync::PoisonError;
use std::time::Instant;

use super::again::{ATTEMPTS, broken, deadly, deaths};
use super::courier::{Busy, Parcel};
use super::shared::{Queued, Shared};
use super::task::Task;
use crate::ids;
use crate::lane::{Failed, Lane};
use crate::order::{Class, Seq};
use crate::verdict::{Answer, Failure};
use crate::wait::For;

impl Shared {
    /// Waits for the event's turn, sends it and waits for its answer.
    pub fn ask(&self, task: &Task) -> Result<Answer, Failure> {
        let deadline = Instant::now() + task.timeout;
        let seq = self.queue(task);
        let mut died = 0;
        while died < ATTEMPTS {
            let mut lane = self.wait_for_turn(seq, deadline).map_err(|reason| task.failure(reason))?;
            // Its answers are this thread's.
            lane.watch(&self.watch, For::HangUp);
            let line = |out: &mut String| task.line(seq, died + 1, &self.config, &self.server, deadline, out);
            match lane.exchange(line, deadline) {
                Ok(answer) => return self.receive(seq, task.point, &answer, Some(lane)),
                Err(Failed::TimedOut) => {
                    self.abandon(seq, task, lane);
                    return Err(task.timed_out(self.config.mode));
                }
                Err(failed) => {
                    self.broken(lane.id, &failed.to_string());
                    if !task.goes_again(&failed, self.config.mode) {
                        self.done(seq, None);
                        return Err(broken(&failed));
                    }
                    died += deaths(&failed, self.config.mode);
                    self.wait_again(seq, task);
                }
            }
        }
        self.done(seq, None);
        Err(deadly(self.config.mode))
    }

    fn queue(&self, task: &Task) -> Seq {
        let mut state = self.lock();
        let seq = ids::next();
        state.order.push(seq, task.keys.clone(), Class::Urgent, Queued::Waiting { since: task.since });
        self.assign(&mut state);
        seq
    }

    /// The lane on which to send this event; `Err` if it has to be given up, with the reason if that is not the time.
    fn wait_for_turn(&self, seq: Seq, deadline: Instant) -> Result<Lane, Option<String>> {
        let mut state = self.lock();
        loop {
            if let Some(lane) = state.granted.remove(&seq) {
                return Ok(lane);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || state.down.is_some() {
                let reason = state.down.clone();
                state.order.cancel(seq);
                self.assign(&mut state);
                return Err(reason);
            }
            state.sleepers += 1;
            state = self.granted.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
            state.sleepers -= 1;
        }
    }

    /// The script is being stopped; the lane is free, and the next event's turn, when that is done.
    fn abandon(&self, seq: Seq, task: &Task, lane: Lane) {
        let busy = Busy { lane, events: [(seq, task.abandoned())].into(), until: self.grace() };
        self.lock().parcels.push(Parcel::Late(busy));
        self.errands.wake();
    }

    /// The next lane gets the event, in the same turn.
    fn wait_again(&self, seq: Seq, task: &Task) {
        let mut state = self.lock();
        state.order.give_back(seq, Queued::Waiting { since: task.since });
        self.assign(&mut state);
    }
}
