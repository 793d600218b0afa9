//! What a packet's thread does while Kea waits: it talks to its event's lane itself.

use std::thread;
use std::time::Instant;

use super::retry::{ATTEMPTS, broken, deadly, deaths};
use super::shared::{Shared, grace};
use super::state::{Queued, Waiting};
use super::task::{Line, Task};
use super::worker::Busy;
use crate::bridge::ffi::Verdict;
use crate::ids;
use crate::lane::{Failed, Lane};
use crate::order::{Class, Turn};
use crate::wait::For;

impl Shared {
    /// Waits for the event's turn, sends it, waits for its answer, and says what Kea shall do.
    pub fn ask(&self, mut task: Task) -> Verdict {
        let deadline = Instant::now() + task.timeout;
        let mode = self.config.mode;
        let mut granted = self.enter(&mut task);
        while task.deaths < ATTEMPTS {
            let turn = granted.take().map_or_else(|| self.wait_for_turn(task.turn, deadline), Ok);
            let mut lane = match turn {
                Ok(lane) => lane,
                Err(reason) => return self.finish(&task, Err(task.failure(reason)), None),
            };
            // Its answers are this thread's.
            lane.watch(For::HangUp);
            let how = Line { config: &self.config, server: &self.server, deadline, is_for_runner: false };
            match lane.exchange(|out| _ = task.line(how, out, |_, _| Ok(())), deadline) {
                Ok(line) => {
                    let answer = self.read(&task, &line);
                    if let Err(failure) = &answer {
                        self.broken(lane.id, &failure.text);
                    }
                    return self.finish(&task, answer, Some(lane));
                }
                Err(Failed::TimedOut) => return self.abandon(task, lane),
                Err(failed) => {
                    self.broken(lane.id, &failed.to_string());
                    if !task.goes_again(&failed, mode) {
                        return self.finish(&task, Err(broken(&failed)), None);
                    }
                    let died = deaths(&failed, mode);
                    (task.deaths, task.tries) = (task.deaths + died, task.tries + died);
                    self.give_back(task.turn, Queued::Waiting { since: task.since });
                }
            }
        }
        self.finish(&task, Err(deadly(mode)), None)
    }

    /// Queues the event; the lane, if it is its turn and there is one.
    fn enter(&self, task: &mut Task) -> Option<Lane> {
        let keys = task.keys(&self.config);
        let mut state = self.lock();
        task.seq = ids::next();
        task.turn = state.order.push(keys, Class::Urgent, Queued::Waiting { since: task.since });
        state.waiting.insert(task.turn, Waiting::here());
        self.grant(&mut state);
        state.waiting.get_mut(&task.turn)?.lane.take()
    }

    /// The lane on which to send this event; `Err` if it has to be given up, with the reason if that is not the time.
    fn wait_for_turn(&self, turn: Turn, deadline: Instant) -> Result<Lane, Option<String>> {
        loop {
            let mut state = self.lock();
            if let Some(lane) = state.waiting.get_mut(&turn).and_then(|waiting| waiting.lane.take()) {
                return Ok(lane);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || state.down.is_some() {
                return Err(state.down.clone());
            }
            drop(state);
            thread::park_timeout(left);
        }
    }

    /// The script is being stopped, or the handler is late; the lane is free, and the next event's turn, when that is over.
    fn abandon(&self, task: Task, lane: Lane) -> Verdict {
        let mode = self.config.mode;
        let verdict = self.conclude(&task, Err(task.timed_out(mode)));
        let until = grace(&lane);
        let busy = Busy { lane, events: [Box::new(task.abandoned())].into(), until };
        self.lock().late.push(busy);
        self.calls.wake();
        verdict
    }

    /// A lane has broken, or what came over it is no answer: it is never used again.
    pub fn broken(&self, lane: u64, reason: &str) {
        let mut state = self.lock();
        state.live.remove(&lane);
        state.broken.push((lane, reason.into()));
        drop(state);
        self.calls.wake();
    }
}
