//! An event on its way: what Kea knew, or where the spool keeps what has been made of that; a line when its turn has come.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::bridge::ffi::Packet4;
use crate::config::{Config, Mode, Point};
use crate::event::{Body, begin_line, end_line};
use crate::facts::Facts;
use crate::hook_points::{HOOK_POINTS, HookPoint};
use crate::ids::{self, Seq};
use crate::keys::{Key, keys, lease_key, texts};
use crate::memory::Age;
use crate::order::{Class, Turn};
use crate::spool::Place;
use crate::variables::{Occasion, Server, Try, write_try, write_variables};
use crate::verdict::{Failure, FailureKind};

#[derive(Clone)]
pub struct Task {
    pub seq: Seq,
    /// Its place among the events of its script, once it has one.
    pub turn: Turn,
    /// Index of [`HOOK_POINTS`].
    pub point: usize,
    pub wait: bool,
    pub timeout: Duration,
    /// Kea has waited for it and given up.
    pub is_abandoned: bool,
    /// How often it has been sent.
    pub tries: u32,
    /// How often a handler has died over it.
    pub deaths: u32,
    /// Of an event whose packet is parked: when Kea goes on without an answer.
    pub parked_until: Option<Instant>,
    /// How old the memory of its script was when that was asked.
    pub asked_at: Age,
    time: SystemTime,
    /// The same by a clock that nobody sets.
    pub since: Instant,
    content: Content,
}

#[derive(Clone)]
enum Content {
    Facts(Arc<Facts>),
    /// Its body is in the spool.
    Spooled {
        unique: u64,
        place: Place,
    },
}

/// An event that waits for its turn in the spool: all that memory holds of it.
#[derive(Clone, Copy)]
pub struct Spooled {
    pub seq: Seq,
    pub place: Place,
    pub time: SystemTime,
    pub point: u16,
    pub tries: u16,
    pub deaths: u16,
}

impl Task {
    pub fn new(point: usize, how: Point, facts: Arc<Facts>) -> Self {
        let Point { wait, timeout } = how;
        Task {
            seq: 0,
            turn: 0,
            point,
            wait: wait.waits(),
            timeout,
            is_abandoned: false,
            tries: 0,
            deaths: 0,
            parked_until: None,
            asked_at: 0,
            time: SystemTime::now(),
            since: Instant::now(),
            content: Content::Facts(facts),
        }
    }

    /// One whose turn has come; `unique` is its spool's id.
    pub fn of_spool(turn: Turn, spooled: Spooled, unique: u64, config: &Config) -> Self {
        let Spooled { seq, place, time, point, tries, deaths } = spooled;
        let point = usize::from(point);
        // The script may not be called there any more.
        let timeout = config.points[point].map_or_else(|| config.longest_timeout(), |how| how.timeout);
        let now = Instant::now();
        Task {
            seq,
            turn,
            point,
            wait: false,
            timeout,
            is_abandoned: false,
            tries: tries.into(),
            deaths: deaths.into(),
            parked_until: None,
            asked_at: 0,
            time,
            since: now.checked_sub(time.elapsed().unwrap_or_default()).unwrap_or(now),
            content: Content::Spooled { unique, place },
        }
    }

    /// The same event where it waits for another try; `None` if it is in memory alone.
    pub fn spooled(&self) -> Option<Spooled> {
        let Content::Spooled { place, .. } = self.content else { return None };
        let [tries, deaths] = [self.tries, self.deaths].map(|count| count.min(u16::MAX.into()) as u16);
        Some(Spooled { seq: self.seq, place, time: self.time, point: self.point as u16, tries, deaths })
    }

    /// Where the spool has it.
    pub fn place(&self) -> Option<Place> {
        match self.content {
            Content::Spooled { place, .. } => Some(place),
            Content::Facts(_) => None,
        }
    }

    /// When it happened.
    pub fn time(&self) -> SystemTime {
        self.time
    }

    pub fn row(&self) -> &'static HookPoint {
        &HOOK_POINTS[self.point]
    }

    /// What becomes of it where there are too many in memory.
    pub fn class(&self) -> Class {
        if self.passes() { Class::Passing } else { Class::Lasting }
    }

    /// Whether it leaves nothing behind: Kea has received or sent a packet, or made an offer.
    fn passes(&self) -> bool {
        let Content::Facts(facts) = &self.content else { return false };
        let discovers = |packet: &Packet4| facts.bytes(packet.name) == Some(b"DHCPDISCOVER");
        self.row().of_packet || facts.fake_allocation || facts.query4.as_ref().is_some_and(discovers)
    }

    /// Whether the script's answer may change something: a script that nobody waits for is only told.
    pub fn answers(&self, config: &Config) -> bool {
        self.wait && config.answers
    }

    /// Appends the line for the handler, which has until `deadline` for it. `body` gives what the spool has kept, and with
    /// `at` the handler is told where that is.
    pub fn line(
        &self,
        how: Line,
        out: &mut String,
        body: impl FnOnce(Place, &mut String) -> io::Result<()>,
    ) -> io::Result<()> {
        // Rounded up: what an administrator set to 300 ms is not 299 in the runner's words.
        let left = how.deadline.saturating_duration_since(Instant::now()).as_micros().div_ceil(1000);
        let at = self.place().filter(|_| how.is_for_runner);
        let start = out.len();
        begin_line(out, self.seq, at, (left as u64).max(1));
        let unique = match &self.content {
            Content::Facts(facts) => {
                self.write_body(facts, how.config, how.server, out);
                ids::of_process()
            }
            Content::Spooled { unique, place } => {
                body(*place, out).inspect_err(|_| out.truncate(start))?;
                *unique
            }
        };
        write_try(out, &Try { unique, seq: self.seq, attempt: self.tries + 1 });
        end_line(out);
        Ok(())
    }

    /// By which it takes its turn: with one lane, all events share one, and so do those that are about no client and no lease.
    pub fn keys(&self, config: &Config) -> Vec<Key> {
        let Content::Facts(facts) = &self.content else { return vec![] };
        let mut keys = keys(facts);
        keys.extend((config.concurrency == 1 || keys.is_empty()).then_some(Key::COMMON));
        keys
    }

    /// The key of the one lease that it is about.
    pub fn lease(&self) -> Option<Key> {
        match &self.content {
            Content::Facts(facts) => facts.lease.as_ref().map(lease_key),
            Content::Spooled { .. } => None,
        }
    }

    /// What the spool keeps of it.
    pub fn body(&self, config: &Config, server: &Server) -> String {
        let mut out = String::new();
        if let Content::Facts(facts) = &self.content {
            self.write_body(facts, config, server, &mut out);
        }
        out
    }

    fn write_body(&self, facts: &Facts, config: &Config, server: &Server, out: &mut String) {
        let time = self.time.duration_since(UNIX_EPOCH).unwrap_or_default();
        let common = (config.concurrency == 1).then_some(Key::COMMON_TEXT);
        let texts = texts(facts);
        let body = Body {
            hook: self.row().name,
            wait: self.wait,
            answers: self.answers(config),
            time,
            keys: common.into_iter().chain(texts.iter().map(String::as_str)),
        };
        let occasion = Occasion { point: self.row(), time };
        body.write(out, |out| write_variables(out, server, &occasion, facts, config.style()));
    }

    /// The client and the leases that it is about, for the log.
    pub fn subjects(&self) -> String {
        match &self.content {
            Content::Facts(facts) => texts(facts).join(", "),
            Content::Spooled { .. } => String::new(),
        }
    }

    /// The same event after Kea has given up waiting for it.
    pub fn abandoned(&self) -> Self {
        Task { is_abandoned: true, ..self.clone() }
    }

    /// The same event, of which a script is asked now.
    pub fn asked(self, asked_at: Age) -> Self {
        Task { asked_at, ..self }
    }

    /// What Kea knew, if that is in memory.
    pub fn facts(&self) -> Option<&Facts> {
        match &self.content {
            Content::Facts(facts) => Some(facts),
            Content::Spooled { .. } => None,
        }
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

/// How a line is written.
#[derive(Clone, Copy)]
pub struct Line<'a> {
    pub config: &'a Config,
    pub server: &'a Server,
    pub deadline: Instant,
    /// Our own runner is told where the spool has the event.
    pub is_for_runner: bool,
}
