//! An event on its way: facts now, a line when its turn has come.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::bridge::ffi::Packet4;
use crate::config::{Config, Mode, Point};
use crate::event::{Event, Variables};
use crate::facts::Facts;
use crate::hook_points::{HOOK_POINTS, HookPoint};
use crate::keys::{Key, texts};
use crate::order::Seq;
use crate::variables::{Occasion, Server, write_variables};
use crate::verdict::{Failure, FailureKind};

#[derive(Clone)]
pub struct Task {
    /// Index of [`HOOK_POINTS`].
    pub point: usize,
    pub keys: Vec<Key>,
    pub wait: bool,
    pub timeout: Duration,
    /// Kea has waited for it and given up.
    pub is_abandoned: bool,
    /// How often its handler has died over it.
    pub deaths: u32,
    /// Of an event whose packet is parked: when Kea goes on without an answer.
    pub parked_until: Option<Instant>,
    time: SystemTime,
    /// The same by a clock that nobody sets.
    pub since: Instant,
    facts: Arc<Facts>,
}

impl Task {
    pub fn new(point: usize, how: Point, facts: Arc<Facts>, keys: Vec<Key>) -> Self {
        let Point { wait, timeout } = how;
        let (time, since) = (SystemTime::now(), Instant::now());
        let wait = wait.waits();
        Task { point, keys, wait, timeout, is_abandoned: false, deaths: 0, parked_until: None, time, since, facts }
    }

    pub fn row(&self) -> &'static HookPoint {
        &HOOK_POINTS[self.point]
    }

    /// Whether it leaves nothing behind: Kea has received or sent a packet, or made an offer.
    pub fn passes(&self) -> bool {
        let discovers = |packet: &Packet4| self.facts.bytes(packet.name) == Some(b"DHCPDISCOVER");
        self.row().of_packet || self.facts.fake_allocation || self.facts.query4.as_ref().is_some_and(discovers)
    }

    /// Whether the script's answer may change something: a script that nobody waits for is only told.
    pub fn answers(&self, config: &Config) -> bool {
        self.wait && config.answers
    }

    /// Appends the line for the handler, which has until `deadline` for it. `attempt` counts the tries, from 1.
    pub fn line(&self, seq: Seq, attempt: u32, config: &Config, server: &Server, deadline: Instant, out: &mut String) {
        // Rounded up: what an administrator set to 300 ms is not 299 in the runner's words.
        let left = deadline.saturating_duration_since(Instant::now()).as_micros().div_ceil(1000);
        let time = self.time.duration_since(UNIX_EPOCH).unwrap_or_default();
        let event = Event {
            seq,
            hook: self.row().name.into(),
            wait: self.wait,
            answers: self.answers(config),
            time: time.as_secs_f64(),
            timeout: (left as u64).max(1),
            keys: self.texts_of_keys(config),
            vars: Variables::default(),
        };
        // Strings and numbers always have a JSON text.
        let occasion = Occasion { point: self.row(), seq, time, attempt };
        let _ = event.write_line(out, |out| write_variables(out, server, &occasion, &self.facts, config.debug));
    }

    fn texts_of_keys(&self, config: &Config) -> Vec<String> {
        let common = (config.concurrency == 1).then(String::new);
        common.into_iter().chain(texts(&self.facts)).collect()
    }

    /// The client and the leases that it is about, for the log.
    pub fn subjects(&self) -> String {
        texts(&self.facts).join(", ")
    }

    /// The same event after Kea has given up waiting for it.
    pub fn abandoned(&self) -> Self {
        Task { is_abandoned: true, ..self.clone() }
    }

    /// The same event, for which a packet is parked until then at most.
    pub fn parked(self, until: Instant) -> Self {
        Task { parked_until: Some(until), ..self }
    }

    /// The same event, for which nobody waits any more.
    pub fn told(self) -> Self {
        Task { wait: false, parked_until: None, ..self }
    }

    pub fn timed_out(&self, mode: Mode) -> Failure {
        let (what, hint) = match mode {
            Mode::Exec => ("end", ""),
            Mode::Daemon | Mode::Socket => ("answer", " (does it flush each line?)"),
        };
        Failure::new(FailureKind::Timeout, format!("no {what} within {} ms{hint}", self.timeout.as_millis()))
    }

    /// Its turn never came: because of `reason`, or of the time-out.
    pub fn failure(&self, reason: Option<String>) -> Failure {
        let late =
            || format!("its turn did not come within {} ms: scripts before it are too slow", self.timeout.as_millis());
        match reason {
            Some(text) => Failure::new(FailureKind::Start, text),
            None => Failure::new(FailureKind::Timeout, late()),
        }
    }
}
