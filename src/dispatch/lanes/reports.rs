//! What the runners have to say: of their daemons, of lanes that they do not serve, of themselves.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use super::Lanes;
use super::greeting::Greeting;
use crate::config::Mode;
use crate::control::Report;
use crate::messages;
use crate::wait::{readable, wait_for};

/// How long after the end of a lane the runner may say why.
const SOON: Duration = Duration::from_secs(1);

impl Lanes {
    /// A runner has something to say, or has ended.
    pub fn hear_runners(&mut self) {
        if self.read_reports() {
            self.runner_is_lost("it has ended");
        }
    }

    /// Reads why these greetings have ended. The runner says that before it lets us see the end, unless the kernel has closed
    /// a lane for which it had no descriptor left, or it has ended itself: then it is heard of soon.
    pub(super) fn hear_why(&mut self, ended: &[usize]) {
        let unexplained =
            |greeting: &Greeting| greeting.is_hung_up && greeting.refusal.is_none() && greeting.words().is_empty();
        let deadline = Instant::now() + SOON;
        while !self.read_reports()
            && ended.iter().all(|at| unexplained(&self.greeting[*at]))
            && Instant::now() < deadline
        {
            let Some(runner) = &self.runner else { return };
            // An error here is want of memory: the reports are read again.
            let _ = wait_for(&mut [readable(runner.as_fd())], Some(deadline));
        }
    }

    /// Why a handler has said no hello, on this lane or on all.
    pub(super) fn silence(&self, greeting: Option<&Greeting>, reason: &str) -> String {
        let is_daemon = self.shared.config.mode == Mode::Daemon;
        let parameter = match (&self.runner, greeting.and_then(|greeting| greeting.refusal.as_ref())) {
            (Some(runner), Some(refusal)) => return runner.refused(refusal),
            (Some(runner), None) if !is_daemon || runner.has_refused() => return runner.silent(&reason),
            _ if is_daemon => "script",
            _ => "socket",
        };
        let why = match &*greeting.map(Greeting::words).unwrap_or_default() {
            "" => format!("{reason}; see lines.md"),
            words if words.ends_with("ended with exit status 0") => {
                format!("{words}; a program that is run once per event needs \"mode\": \"exec\"")
            }
            words => words.into(),
        };
        format!("parameter \"{parameter}\": \"{}\" says no hello: {why}", self.shared.name())
    }

    /// Logs what the runners have to say of their daemons, and heeds what of lanes; whether ours has ended.
    pub(super) fn read_reports(&mut self) -> bool {
        let (mut reports, mut has_ended) = (Vec::new(), false);
        let ours = self.runner.as_ref().map(|runner| runner.number);
        for runner in self.runners() {
            let (more, is_end) = runner.reports();
            reports.extend(more);
            has_ended |= is_end && ours == Some(runner.number);
            if is_end {
                // Its lanes say the same.
                self.shared.watch.forget(&**runner);
            }
        }
        reports.into_iter().for_each(|report| self.heed(report));
        has_ended
    }

    fn heed(&mut self, report: Report) {
        let Report { lane, log: lines, told_to_end, refusal } = report;
        let name = self.shared.name();
        lines.iter().for_each(|line| {
            let args = [name.clone(), lane.to_string(), line.text.clone()];
            line.write(messages::DAEMON_OUTPUT, &name, &[], &args);
        });
        if let Some(greeting) = self.greeting.iter_mut().find(|greeting| greeting.lane.id == lane) {
            lines.into_iter().for_each(|line| greeting.add_words(line.text));
            greeting.refusal = greeting.refusal.take().or(refusal);
        } else if told_to_end && (self.ready.contains_key(&lane) || self.retired.contains_key(&lane)) {
            self.told_to_end.insert(lane);
        }
    }
}
