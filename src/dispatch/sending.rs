//! What the worker sends: which events come next, and on which lane.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use super::reading::READ_AGAIN;
use super::shared::Shared;
use super::state::Takes;
use super::task::{Line, Task};
use super::worker::{Busy, Worker};
use crate::config::Mode;
use crate::lane::Lane;
use crate::spool::{State as InSpool, is_passing};

/// No event is sent ahead behind more than this: all has to be on its way when the handler is hung up.
const BYTES_AHEAD: usize = 64 * 1024;

impl Worker {
    /// Sends what has a lane now.
    pub fn send_all(&mut self) {
        while let Some((lane, events)) = self.next() {
            self.send(lane, events);
        }
        if self.make_room() {
            // The log is told in the next round.
            self.shared.calls.wake();
        }
    }

    /// The next events for a lane. Those over which a runner may have died go alone: it serves all lanes.
    fn next(&mut self) -> Option<(Lane, VecDeque<Box<Task>>)> {
        let is_shared = self.shared.config.mode == Mode::Exec;
        let is_suspect = |busy: &Busy| busy.events.front().is_some_and(|task| task.deaths > 0);
        let takes = match self.busy.values().any(is_suspect) {
            true if is_shared => Takes::Urgent,
            _ if !self.suspects.is_empty() && !self.busy.is_empty() => Takes::Nothing,
            _ => Takes::All,
        };
        self.shared.lock().worker_takes = takes;
        if takes == Takes::All && !self.suspects.is_empty() {
            let lane = self.shared.take_idle()?;
            return Some((lane, self.suspects.pop_front().into_iter().collect()));
        }
        let (lane, mut events) = self.shared.next(&mut self.shared.lock())?;
        if !is_shared || self.busy.is_empty() || events.front().is_some_and(|task| task.deaths == 0) {
            return Some((lane, events));
        }
        self.suspects.append(&mut events);
        self.shared.is_idle(lane);
        None
    }

    fn send(&mut self, mut lane: Lane, mut events: VecDeque<Box<Task>>) {
        let shared = Arc::clone(&self.shared);
        let Shared { config, server, .. } = &*shared;
        let (now, is_for_runner) = (Instant::now(), config.mode == Mode::Exec);
        let deadline = |task: &Task| task.parked_until.unwrap_or(now + task.timeout);
        let keeps_time = lane.keeps_time;
        let handler_sees_to_it = |task: &Task| keeps_time && task.parked_until.is_none();
        let (mut lines, mut old) = (VecDeque::new(), Vec::new());
        let (mut later, mut lost) = (Vec::new(), Vec::new());
        let sent = lane.send(|out| {
            while out.len() < BYTES_AHEAD {
                let Some(task) = events.pop_front() else { break };
                if shared.is_too_old(&task) {
                    old.push(task);
                    continue;
                }
                shared.mark_in_spool(&task, InSpool::Sent(task.tries + 1));
                let how = Line { config, server, deadline: deadline(&task), is_for_runner };
                match task.line(how, out, |place, out| shared.read_from_spool(place, task.seq, out)) {
                    Ok(()) => lines.push_back(task),
                    Err(error) if is_passing(&error) => later.push(task),
                    Err(_) => lost.push(task),
                }
            }
        });
        events.into_iter().for_each(|task| shared.take_back(task));
        old.into_iter().for_each(|task| shared.drop_old(&task));
        later.into_iter().for_each(|task| self.put_off(task, READ_AGAIN));
        lost.into_iter().for_each(|task| shared.is_lost_in_spool(&task));
        let until = lines.front().filter(|task| !handler_sees_to_it(task)).map(|task| deadline(task));
        if lines.is_empty() {
            return shared.is_idle(lane);
        }
        let busy = Busy { lane, events: lines, until };
        match sent {
            Ok(()) => self.keep(busy),
            Err(failed) => self.broke(busy, &failed),
        }
    }
}
