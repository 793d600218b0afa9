//! Where lanes come from: the runner, or whoever listens on a socket. Those that are lost are made again.

mod greeting;
mod losses;
mod reports;

use std::collections::{HashMap, HashSet};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use greeting::{Greeting, HELLO_WITHIN, no_hello};
use losses::PAUSES;

use super::process::Runner;
use super::shared::Shared;
use super::socket;
use super::worker::Busy;
use crate::config::Mode;
use crate::lane::{self, Lane};
use crate::log::log;
use crate::messages;
use crate::spool::Spool;
use crate::syscall::failed;
use crate::wait::For;

/// How long the runner may take to be there: at load, and later, when the worker has other things to do.
pub const PATIENCE_AT_LOAD: Duration = Duration::from_secs(10);
const PATIENCE: Duration = Duration::from_secs(2);

pub struct Lanes {
    shared: Arc<Shared>,
    runner: Option<Arc<Runner>>,
    /// When the runner was started.
    started: Instant,
    /// Whether it has greeted us since, on any lane: its end is no failure to start then.
    has_greeted: bool,
    greeting: Vec<Greeting>,
    /// Lanes that have been greeted, whoever has them now.
    ready: HashMap<u64, Ready>,
    /// Lanes of before a reload that are at work. Their runner lives as long as there are any.
    retired: HashMap<u64, Ready>,
    /// Lanes whose daemon has ended because somebody has told it to.
    told_to_end: HashSet<u64>,
    /// So many lanes the handler serves, as it has said last.
    served: usize,
    /// A server has closed a connection before it was greeted.
    is_closed_early: bool,
    pause: Duration,
    /// When to make what is missing.
    retry: Option<Instant>,
}

/// A lane that has been greeted.
pub struct Ready {
    since: Instant,
    mode: Mode,
    /// Who looks after its handler, unless that is a server.
    runner: Option<Arc<Runner>>,
}

impl Lanes {
    pub fn new(shared: Arc<Shared>) -> Self {
        Lanes {
            shared,
            runner: None,
            started: Instant::now(),
            has_greeted: false,
            greeting: Vec::new(),
            ready: HashMap::new(),
            retired: HashMap::new(),
            told_to_end: HashSet::new(),
            served: usize::MAX,
            is_closed_early: false,
            pause: PAUSES.0 / 2,
            retry: None,
        }
    }

    /// Lanes of a new load, which do not take the place of those that are still at work.
    pub fn after(shared: Arc<Shared>, retired: HashMap<u64, Ready>) -> Self {
        Lanes { retired, ..Lanes::new(shared) }
    }

    /// Ends a load: hangs up the lanes that have nothing to do.
    pub fn retire(&mut self, busy: &HashMap<u64, Busy>) {
        let mut state = self.shared.lock();
        (state.down, state.stopping) = (None, false);
        state.live.clear();
        let idle = std::mem::take(&mut state.idle);
        drop(state);
        if let (Mode::Daemon, Some(runner)) = (self.shared.config.mode, &self.runner) {
            let greeting = self.greeting.iter().map(|greeting| greeting.lane.id);
            self.ready
                .keys()
                .filter(|lane| !busy.contains_key(lane))
                .copied()
                .chain(greeting)
                .for_each(|lane| runner.let_go(lane));
        }
        drop(idle);
        self.greeting.clear();
        self.retired.extend(self.ready.drain().filter(|(lane, _)| busy.contains_key(lane)));
        (self.runner, self.retry) = (None, None);
    }

    pub fn into_retired(self) -> HashMap<u64, Ready> {
        self.retired
    }

    /// A lane that has nothing more to do; `None` if it is one of before a reload, which is hung up.
    pub fn free(&mut self, lane: Lane) -> Option<Lane> {
        let Some(retired) = self.retired.remove(&lane.id) else { return Some(lane) };
        if let (Mode::Daemon, Some(runner)) = (retired.mode, retired.runner) {
            runner.let_go(lane.id);
        }
        None
    }

    /// Who is at the other end of a lane.
    pub fn mode(&self, lane: u64) -> Mode {
        let ready = self.ready.get(&lane).or_else(|| self.retired.get(&lane));
        ready.map_or(self.shared.config.mode, |ready| ready.mode)
    }

    pub fn is_runner(&self, number: u64) -> bool {
        self.runners().iter().any(|runner| runner.number == number)
    }

    /// Ours, and those of before a reload that are still needed.
    fn runners(&self) -> Vec<&Arc<Runner>> {
        let mut runners: Vec<_> =
            self.runner.iter().chain(self.retired.values().filter_map(|lane| lane.runner.as_ref())).collect();
        runners.sort_unstable_by_key(|runner| runner.number);
        runners.dedup_by_key(|runner| runner.number);
        runners
    }

    /// Tells the runner where it marks events.
    pub fn tell_of_spool(&self, spool: &Spool) {
        self.runner.iter().for_each(|runner| runner.tell_of_spool(spool));
    }

    /// At load: makes all lanes, and waits until the first is ready.
    pub fn start(&mut self) -> Result<(), String> {
        let mut failure = self.make_unless_closed(Instant::now() + PATIENCE_AT_LOAD)?;
        let patience = if self.shared.config.required { HELLO_WITHIN } else { PATIENCE };
        let deadline = Instant::now() + patience;
        loop {
            self.read_reports();
            failure = self.greet(|_| true).or(failure);
            match failure {
                _ if !self.ready.is_empty() => {
                    failure.into_iter().for_each(|reason| self.failed(reason));
                    return Ok(());
                }
                Some(reason) if self.greeting.is_empty() => {
                    if !std::mem::take(&mut self.is_closed_early) || Instant::now() >= deadline {
                        return Err(reason);
                    }
                    thread::sleep(PAUSES.0);
                    failure = self.make_unless_closed(deadline)?;
                    continue;
                }
                // Required, the greeting itself fails then.
                _ if Instant::now() >= deadline && !self.shared.config.required => {
                    return Err(self.silence(None, &no_hello(patience)));
                }
                _ => {
                    let deadline = self.deadline().into_iter().chain([deadline]).min();
                    self.shared.watch.wait(deadline).map_err(|error| error.to_string())?
                }
            };
        }
    }

    /// Something has happened to a lane that nobody in here is at work on.
    pub fn look_at(&mut self, lane: u64) {
        if self.ready.contains_key(&lane) {
            let reason = self.last_words(lane);
            return self.lost(lane, &reason);
        }
        self.hear_runners();
        // No other: one that is ready afterwards would be taken for hung up when what it has said is looked at in turn.
        if let Some(reason) = self.greet(|other| other == lane) {
            self.failed(reason);
        }
    }

    pub fn look_at_the_clock(&mut self) {
        let now = Instant::now();
        if self.greeting.iter().any(|greeting| greeting.until <= now) {
            self.greet(|_| true).into_iter().for_each(|reason| self.failed(reason));
        }
        if self.retry.is_some_and(|retry| retry <= now) {
            self.retry = None;
            if let Err(reason) = self.make(Instant::now() + PATIENCE) {
                self.failed(reason);
            }
        }
    }

    /// The same at load, where a service that is being started anew may close what has waited for it: then why it is closed.
    fn make_unless_closed(&mut self, deadline: Instant) -> Result<Option<String>, String> {
        match self.make(deadline) {
            Err(reason) if self.is_closed_early => Ok(Some(reason)),
            made => made.map(|()| None),
        }
    }

    fn wanted(&self) -> usize {
        // Who serves none may serve more when he is there again.
        let served = if self.ready.is_empty() { usize::MAX } else { self.served };
        self.shared.config.concurrency.min(served)
    }

    fn make(&mut self, deadline: Instant) -> Result<(), String> {
        while self.ready.len() + self.greeting.len() < self.wanted() {
            let lane = self.open(deadline)?;
            self.greeting.push(Greeting::new(lane, &self.shared));
            // A runner that refuses lanes waits for us to read that.
            self.read_reports();
        }
        // Their hellos come later; some may say at once that they will not.
        self.greet(|_| true).map_or(Ok(()), Err)
    }

    /// A new lane, which has yet to be greeted.
    fn open(&mut self, deadline: Instant) -> Result<Lane, String> {
        let Shared { config, server, watch, spool, .. } = &*self.shared;
        let id = lane::new_id();
        let stream = match config.mode {
            Mode::Socket => socket::connect(&config.script, config.strict)?,
            Mode::Exec | Mode::Daemon => {
                let runner = match self.runner.take() {
                    Some(runner) => runner,
                    None => {
                        (self.started, self.has_greeted) = (Instant::now(), false);
                        let runner = Runner::start(config, &server.name, deadline)?;
                        watch.add(&runner, runner.number, For::Input).map_err(|error| error.to_string())?;
                        spool.get().into_iter().for_each(|spool| runner.tell_of_spool(spool));
                        Arc::new(runner)
                    }
                };
                // It stays even if it cannot take one more: it may be at work on others.
                let runner = self.runner.insert(runner);
                let (ours, theirs) = UnixStream::pair().map_err(|error| failed("socketpair", error))?;
                let ours_too = (config.mode == Mode::Daemon).then_some(&ours);
                if let Err(error) = runner.open(id, &theirs, ours_too, deadline) {
                    self.read_reports();
                    return Err(self.silence(None, &error.to_string()));
                }
                ours
            }
        };
        let mut lane = Lane::new(id, stream);
        lane.watch_in(watch).map_err(|error| error.to_string())?;
        Ok(lane)
    }

    /// Takes the hellos that have come, on these lanes; the reason of the last that will not come, if any.
    fn greet(&mut self, on: impl Fn(u64) -> bool) -> Option<String> {
        let mode = self.shared.config.mode;
        let hear = |greeting: &mut Greeting| if on(greeting.lane.id) { greeting.hear(mode) } else { None };
        let heard: Vec<_> = self.greeting.iter_mut().map(hear).collect();
        let ended: Vec<usize> = (0..heard.len()).filter(|at| matches!(heard[*at], Some(Err(_)))).collect();
        if !ended.is_empty() {
            self.hear_why(&ended);
        }
        let (mut failure, mut ready) = (None, Vec::new());
        let refused = ended.iter().any(|at| self.greeting[*at].refusal.is_some());
        for (greeting, heard) in std::mem::take(&mut self.greeting).into_iter().zip(heard) {
            match heard {
                None => self.greeting.push(greeting),
                Some(Ok(served)) => {
                    self.served = served;
                    ready.push(greeting.lane);
                }
                Some(Err(reason)) => {
                    self.is_closed_early |= greeting.is_hung_up && self.shared.config.mode == Mode::Socket;
                    self.give_up(greeting.lane.id);
                    failure = Some(self.silence(Some(&greeting), &reason));
                }
            }
        }
        if !ready.is_empty() {
            // More than the handler serves are hung up again.
            ready.truncate(self.served.saturating_sub(self.ready.len()));
            self.are_ready(ready);
            self.greeting.truncate(self.wanted().saturating_sub(self.ready.len()));
        }
        if failure.is_some() && self.shared.config.mode == Mode::Exec && self.has_greeted && !refused {
            // Its lanes end one after the other, the control socket last.
            self.runner_is_lost("it has ended");
            return None;
        }
        failure
    }

    fn are_ready(&mut self, lanes: Vec<Lane>) {
        let (since, mode, runner) = (Instant::now(), self.shared.config.mode, &self.runner);
        self.has_greeted = true;
        let ready = |lane: &Lane| (lane.id, Ready { since, mode, runner: runner.clone() });
        self.ready.extend(lanes.iter().map(ready));
        if self.ready.len() == self.wanted() {
            log(messages::HANDLER_STARTED, &[self.shared.name(), self.ready.len().to_string()]);
        }
        let mut state = self.shared.lock();
        state.down = None;
        state.live.extend(lanes.iter().map(|lane| lane.id));
        state.idle.extend(lanes);
        self.shared.grant(&mut state);
    }

    /// When there will be something to do even if nothing happens.
    pub fn deadline(&self) -> Option<Instant> {
        self.greeting.iter().map(|greeting| greeting.until).chain(self.retry).min()
    }
}
