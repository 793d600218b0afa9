//! A [`Script`] without Kea, between a test that hands it events and a [`Fake`] that does what the test says: events in,
//! lines out, answers in, verdicts and counters out.

mod ahead;
mod broken;
mod fake;
mod given_up;
mod grant;
mod kea;
mod late;
mod limit;
mod order;
mod reload;
mod retry;
mod spooled;
mod timeout;
mod verdicts;

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use nix::unistd::mkdtemp;
use serde_json::{Value, json};

use super::{Counters, Left, Script, Task};
use crate::bridge::ffi::{Step, Verdict};
use crate::facts::Facts;
use crate::hook_points::find;
use crate::log;
use crate::messages::{self, Row};
use fake::{Fake, Line, PATIENCE, answer};
use kea::{SAID, Waiting, config, facts, go_on, keep, server};

/// A hook point at which a thread of Kea's waits, as at all but these: one at which nobody does, and one at which packets
/// are parked.
const WAIT: &str = "pkt6_receive";
const TOLD: &str = "pkt6_send";
const PARK: &str = "leases6_committed";

/// A time-out that is waited for, in milliseconds: long enough for an event to be on its lane before.
const SHORT: u64 = 200;

/// One script, and what it talks to.
struct Bench {
    directory: PathBuf,
    /// `None` between a stop and a start.
    script: Option<Arc<Script>>,
    fake: Fake,
}

impl Bench {
    /// With these hook points and this many lanes, all of them ready.
    fn new(points: &[&str], lanes: usize) -> Bench {
        Bench::with(points, lanes, json!({}))
    }

    /// The same with a script that takes so many events ahead.
    fn ahead(ahead: usize, lanes: usize) -> Bench {
        let mut bench = Bench::idle();
        bench.fake.hello = json!({"hello": 1, "ahead": ahead});
        bench.start(&[TOLD], lanes, json!({}), &mut None);
        bench
    }

    /// With these parameters besides.
    fn with(points: &[&str], lanes: usize, parameters: Value) -> Bench {
        let mut bench = Bench::idle();
        bench.start(points, lanes, parameters, &mut None);
        bench
    }

    fn idle() -> Bench {
        log::use_kea(keep as *const () as usize, 0);
        let directory = mkdtemp(&std::env::temp_dir().join("kea-hook-runscript-XXXXXX")).unwrap();
        let fake = Fake::listen(&directory.join("socket"));
        Bench { directory, script: None, fake }
    }

    /// Starts the script, and waits until all of its lanes are ready.
    fn start(&mut self, points: &[&str], lanes: usize, parameters: Value, left: &mut Option<Left>) {
        let ready = self.said(messages::HANDLER_STARTED).len();
        self.start_with(lanes, points, lanes, parameters, left).unwrap();
        self.until(|bench| bench.said(messages::HANDLER_STARTED).len() > ready);
    }

    /// Starts the script, which gets only so many of its lanes.
    fn start_with(
        &mut self,
        taken: usize,
        points: &[&str],
        lanes: usize,
        parameters: Value,
        left: &mut Option<Left>,
    ) -> Result<(), String> {
        let config = config(&self.socket(), points, lanes, parameters);
        let script = std::thread::scope(|scope| {
            let starting = scope.spawn(|| Script::start(config, &server(), left));
            (0..taken).for_each(|_| _ = self.fake.take());
            starting.join().unwrap()
        });
        script.map(|script| self.script = Some(Arc::new(script)))
    }

    /// As when Kea stops or takes a new configuration.
    fn stop(&mut self) -> Option<Left> {
        // No thread of Kea's is in here any more.
        Arc::into_inner(self.script.take().unwrap()).unwrap().stop()
    }

    /// From now on, nobody listens.
    fn hide_socket(&self) {
        fs::rename(self.socket(), self.directory.join("hidden")).unwrap();
    }

    fn show_socket(&self) {
        fs::rename(self.directory.join("hidden"), self.socket()).unwrap();
    }

    fn socket(&self) -> PathBuf {
        self.directory.join("socket")
    }

    fn script(&self) -> &Arc<Script> {
        self.script.as_ref().unwrap()
    }

    /// An event that Kea does not wait for, about these clients.
    fn post(&self, clients: &str) {
        self.hand_over(self.task(TOLD, clients));
    }

    fn post_all<const N: usize>(&self, all: [&str; N]) {
        all.into_iter().for_each(|clients| self.post(clients));
    }

    /// The same, and waits until the script has it.
    fn hold(&mut self, clients: &str) -> Line {
        self.post(clients);
        let line = self.fake.line();
        assert_eq!(line.who(), clients);
        line
    }

    /// An event that a thread of Kea's waits for.
    fn ask(&self, clients: &str) -> Waiting {
        self.hand_over(self.task(WAIT, clients))
    }

    /// The same, and waits until the event is queued, with so many before it.
    fn ask_behind(&self, before: usize, clients: &str) -> Waiting {
        let asked = self.ask(clients);
        self.until(|bench| bench.script().pending() > before);
        asked
    }

    /// An event for which a packet is parked.
    fn park(&self, clients: &str) -> Waiting {
        self.hand_over(self.task(PARK, clients))
    }

    /// An event for which Kea waits as it does at this hook point.
    fn event(&self, point: &str, clients: &str) -> Waiting {
        self.hand_over(self.task(point, clients))
    }

    /// The same with a time-out of its own, in milliseconds.
    fn event_within(&self, timeout: u64, point: &str, clients: &str) -> Waiting {
        let mut task = self.task(point, clients);
        task.timeout = Duration::from_millis(timeout);
        self.hand_over(task)
    }

    fn hand_over(&self, task: Task) -> Waiting {
        let script = Arc::clone(self.script());
        let (sender, receiver) = channel();
        let tell = move |verdict| drop(sender.send(verdict));
        match task.row().name {
            TOLD => script.post(task),
            PARK => script.park(task, Box::new(tell)),
            _ => drop(std::thread::spawn(move || {
                let verdict = script.ask(task);
                // The bench may be stopped as soon as it knows.
                drop(script);
                tell(verdict);
            })),
        }
        Waiting(receiver)
    }

    fn task(&self, point: &str, clients: &str) -> Task {
        self.task_of(point, facts(clients, 0))
    }

    fn task_of(&self, point: &str, facts: Facts) -> Task {
        let point = find(point).unwrap();
        let how = self.script().config().points[point].unwrap();
        Task::new(point, how, Arc::new(facts))
    }

    /// The events that come one after the other, each answered before the next.
    fn one_by_one(&mut self, count: usize) -> Vec<String> {
        let next = |_| {
            let line = self.fake.line();
            self.fake.has_no_more();
            self.fake.answer(&line);
            format!("{} {}", line.who(), line.event.hook)
        };
        (0..count).map(next).collect()
    }

    /// What the script's log says by this message.
    fn said(&self, row: &Row) -> Vec<String> {
        let script = self.socket().display().to_string();
        let ours = |(id, args): &(String, Vec<String>)| id == row.name() && args.first() == Some(&script);
        SAID.lock().unwrap().iter().filter(|said| ours(said)).map(|(_, args)| args[1..].join(" ")).collect()
    }

    #[track_caller]
    fn until(&self, condition: impl Fn(&Bench) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !condition(self) {
            assert!(Instant::now() < deadline, "it does not come");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Waits until all events are over, and stops the script: so many have failed, so many of these because of their
    /// time-out, and a lane was lost or none.
    #[track_caller]
    fn ends_with(&mut self, failures: u64, timeouts: u64, is_lane_lost: bool) {
        self.until(|bench| bench.script().pending() == 0);
        // What is in the log, and counted, is all when its thread has ended.
        let shared = Arc::clone(&self.script().shared);
        drop(self.stop());
        let lost = self.said(messages::LANE_LOST);
        assert_eq!((counts(&shared.counters), !lost.is_empty()), ([failures, timeouts], is_lane_lost), "{lost:?}");
    }

    /// How many events have failed, and how many of these because of their time-out.
    fn counts(&self) -> [u64; 2] {
        counts(self.script().counters())
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        // Where a test has failed, threads may still be waiting.
        if let Some(script) = self.script.take().and_then(Arc::into_inner) {
            script.stop();
        }
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn counts(counters: &Counters) -> [u64; 2] {
    [&counters.failures, &counters.timeouts].map(|counter| counter.load(Ordering::Relaxed))
}
