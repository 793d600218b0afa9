//! The scripts that are at work between a load and its unload, and how each hears of what happens.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::bridge::ffi::{ForgottenClient, Page, Pages, Source, Step, Verdict};
use crate::config::{Point, Wait};
use crate::crowd::{self, Crowd, Place};
use crate::dialect::Dialect;
use crate::dispatch::{Script, Task};
use crate::facts::Facts;
use crate::hook_points::{self, CONFIGURED, HOOK_POINTS, LOAD, Server, UNLOAD};
use crate::leases;
use crate::memory::forget;
use crate::merged::{GO_ON, Merged};
use crate::parking;
use crate::replay;

/// For how long Kea's end may be held up.
const LAST_MOMENT: Duration = Duration::from_secs(1);

/// A packet is one too many of its client's.
struct Crowded;

/// What is at work between `load` and `unload`.
pub struct Instance {
    pub scripts: Vec<Script>,
    server: Server,
    /// The hook point of lease events.
    lease_events: Option<usize>,
    /// The packets that wait for scripts where a packet can be dropped.
    crowd: Arc<Crowd>,
}

impl Instance {
    pub fn new(scripts: Vec<Script>, server: Server) -> Self {
        Instance { scripts, server, lease_events: leases::hook_point(server), crowd: Arc::default() }
    }

    /// Tells every script that wants it, in order; the severest step counts, and changes only if all let Kea go on.
    /// The verdict of those for which the packet is parked, which has a ticket then, comes later.
    pub fn tell(&self, point: usize, facts: Facts, ticket: u64) -> Verdict {
        let mut known = self.recall(point, &facts);
        if self.is_settled(point, &facts, &known) {
            facts.spare();
            return merged(known);
        }
        let Ok(place) = self.enter(point, &facts, &known) else {
            return Verdict { step: Step::Drop, ..GO_ON };
        };
        let facts = Arc::new(facts);
        let mut all = Merged::default();
        let mut parking = Vec::new();
        for (number, script) in self.scripts.iter().enumerate() {
            let Some(how) = way(script, point, &facts) else { continue };
            if let Some(verdict) = known.get_mut(number).and_then(Option::take) {
                all.add(number, verdict);
                continue;
            }
            let task = Task::new(point, how, facts.clone());
            match how.wait {
                Wait::No => script.post(task),
                Wait::Park if ticket != 0 => parking.push((number, task)),
                Wait::Yes | Wait::Park => all.add(number, script.ask(task)),
            }
        }
        if parking.is_empty() {
            return all.verdict(0);
        }
        // Nothing is severer: nobody need wait for the others.
        if all.step() == Step::Drop {
            for (number, task) in parking {
                self.scripts[number].post(task.told());
            }
            return all.verdict(0);
        }
        // First: the last answer may be there at once.
        parking::open(ticket, all, parking.len(), place);
        for (number, task) in parking {
            let then = move |verdict| parking::answered(ticket, number, verdict);
            self.scripts[number].park(task, Box::new(then));
        }
        Verdict { ticket, ..GO_ON }
    }

    /// Tells every script that wants it of a lease, if these facts of a lease make an event. No verdict counts: what has
    /// happened has happened.
    pub fn tell_of_lease(&self, source: Source, mut facts: Facts) {
        let Some(point) = self.lease_events else { return };
        facts.changed = leases::changed(source, &facts);
        if facts.changed.is_none() {
            return;
        }
        // Nobody but a client is served the sooner, or the later, for a script.
        let is_of_packet = facts.query4.is_some() || facts.query6.is_some();
        let facts = Arc::new(facts);
        for script in &self.scripts {
            let Some(how) = script.config().points[point] else { continue };
            let task = Task::new(point, how, facts.clone());
            match how.wait {
                _ if source == Source::Replayed => {
                    if replay::is_for(script) {
                        script.replay(task.told());
                    }
                }
                Wait::Yes | Wait::Park if is_of_packet => _ = script.ask(task),
                _ => script.post(task.told()),
            }
        }
    }

    /// Kea serves. What is told first begins first.
    pub fn begin(&self) {
        self.announce(LOAD);
        self.scripts.iter().for_each(Script::begin_spool);
        replay::to_new(&self.scripts);
    }

    /// Kea serves with a new configuration.
    pub fn renew(&self) {
        self.announce(CONFIGURED);
        replay::to_new(&self.scripts);
    }

    /// Kea ends, and waits a moment for the scripts that want to know.
    pub fn end(&self) {
        let Some(point) = hook_points::find(UNLOAD) else { return };
        let until = Instant::now() + LAST_MOMENT;
        for script in &self.scripts {
            if script.config().points[point].is_some() {
                let left = until.saturating_duration_since(Instant::now());
                let how = Point { wait: Wait::Yes, timeout: left.max(Duration::from_millis(1)) };
                script.ask(Task::new(point, how, Arc::default()));
            }
        }
    }

    fn announce(&self, name: &str) {
        let Some(point) = hook_points::find(name) else { return };
        for script in &self.scripts {
            if let Some(how) = script.config().points[point] {
                script.announce(point, how);
            }
        }
    }

    /// All leases once more.
    pub fn replay(&self) {
        replay::to_all(&self.scripts);
    }

    pub fn replay_page(&self) -> Page {
        self.lease_events.map_or(replay::nothing(Pages::None), |point| replay::next_page(&self.scripts, point))
    }

    pub fn forget_answers(&self, arguments: &str) -> ForgottenClient {
        forget::forget_answers(&self.scripts, self.server, arguments)
    }

    pub fn replay_by_command(&self, arguments: &str) -> (i32, String) {
        replay::command(&self.scripts, self.server, arguments)
    }

    /// What scripts have said that need not be asked again, by script; nothing at all if none has.
    fn recall(&self, point: usize, facts: &Facts) -> Vec<Option<Verdict>> {
        if !self.scripts.iter().any(|script| script.memory().is_used()) {
            return Vec::new();
        }
        let recall = |script: &Script| {
            way(script, point, facts).filter(|how| how.wait.waits()).and_then(|_| script.recall(point, facts))
        };
        self.scripts.iter().map(recall).collect()
    }

    /// Whether there is no script that is to be asked, or told.
    fn is_settled(&self, point: usize, facts: &Facts, known: &[Option<Verdict>]) -> bool {
        let mut scripts = known.iter().zip(&self.scripts);
        !known.is_empty() && scripts.all(|(known, script)| known.is_some() || way(script, point, facts).is_none())
    }

    /// A place for a packet to wait in, where it can be dropped; `Err` if its client has no more.
    fn enter(&self, point: usize, facts: &Facts, known: &[Option<Verdict>]) -> Result<Option<Place>, Crowded> {
        let is_waited_for = |(number, script): &(usize, &Script)| {
            let is_known = known.get(*number).is_some_and(Option::is_some);
            !is_known && script.config().points[point].is_some_and(|how| how.wait.waits())
        };
        let mut scripts = self.scripts.iter().enumerate().filter(|_| HOOK_POINTS[point].drops_packets());
        let Some((_, script)) = scripts.find(is_waited_for) else { return Ok(None) };
        let Some(key) = crowd::key(point, facts) else { return Ok(None) };
        self.crowd.enter(key).map(Some).ok_or_else(|| {
            // One packet counts once, however many scripts there are.
            script.crowded(point, facts);
            Crowded
        })
    }
}

/// How a script hears of this, if it does. Where it is called at all, ISC's library leaves out what another has had Kea skip.
fn way(script: &Script, point: usize, facts: &Facts) -> Option<Point> {
    let is_left_out = facts.is_skipped && HOOK_POINTS[point].of_isc && script.config().dialect == Dialect::Isc;
    script.config().points[point].filter(|_| !is_left_out)
}

fn merged(verdicts: Vec<Option<Verdict>>) -> Verdict {
    let mut all = Merged::default();
    for (number, verdict) in verdicts.into_iter().enumerate() {
        verdict.into_iter().for_each(|verdict| all.add(number, verdict));
    }
    all.verdict(0)
}
