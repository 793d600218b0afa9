//! What the library is told on the control socket: daemons' standard error and their end, and what keeps us from serving.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::errno::Errno;

use super::complain_of;
use super::leftovers::Leftovers;
use super::output::{Lines, Stream};
use crate::control::{Report, report};
use crate::verdict::LogLine;

/// A message may have this many bytes; a socket's buffer has room for some of them.
const BYTES: usize = 60 * 1024;
/// What the rest of a message needs.
const FRAME: usize = 64;
/// A daemon may go on for years: so much quiet after each of its lines makes 100 of them a second at most.
const QUIET: Duration = Duration::from_millis(10);
/// How long it is quiet when the library does not read, and how long a daemon's last words wait for it.
const FULL: Duration = Duration::from_secs(1);

/// The way to the library, for all daemons.
pub struct Reports {
    control: OwnedFd,
    leftovers: Arc<Leftovers>,
    path: PathBuf,
}

impl Reports {
    pub fn new(control: &impl AsFd, leftovers: Arc<Leftovers>, path: PathBuf) -> io::Result<Reports> {
        Ok(Reports { control: control.as_fd().try_clone_to_owned()?, leftovers, path })
    }

    /// What the daemon of this lane has to say.
    pub fn log(&self, lane: u64) -> Log<'_> {
        Log { reports: self, lane, lines: Lines::default(), not_before: Instant::now() }
    }

    /// Goes on listening to what a daemon has left running.
    pub fn keep(&self, stream: Stream) {
        self.leftovers.keep(stream);
    }

    /// Sends lines while there is room, or will be before `deadline`; how many have been sent, or an error if the
    /// library is gone.
    fn send(&self, lane: u64, log: &[LogLine], deadline: Instant) -> nix::Result<usize> {
        let mut sent = 0;
        while sent < log.len() {
            let count = fitting(&log[sent..]);
            let part = Report { lane, log: log[sent..sent + count].to_vec(), ..Report::default() };
            match report(&self.control, &part, deadline) {
                Ok(()) => sent += count,
                Err(error @ (Errno::EPIPE | Errno::ECONNRESET)) if sent == 0 => return Err(error),
                Err(_) => break,
            }
        }
        Ok(sent)
    }
}

/// How many of these lines a message can take; one at least.
fn fitting(lines: &[LogLine]) -> usize {
    let mut bytes = FRAME;
    let fits = |line: &&LogLine| {
        bytes += serde_json::to_string(line).map_or(0, |text| text.len() + 1);
        bytes <= BYTES
    };
    lines.iter().take_while(fits).count().max(1)
}

/// What one daemon has to say, as much of it as the library can bear.
pub struct Log<'a> {
    reports: &'a Reports,
    lane: u64,
    pub lines: Lines,
    not_before: Instant,
}

impl Log<'_> {
    /// When something has to be sent.
    pub fn due(&self) -> Option<Instant> {
        (!self.lines.is_empty()).then_some(self.not_before)
    }

    pub fn send_if_due(&mut self) {
        if self.due().is_some_and(|due| due <= Instant::now()) {
            self.not_before = Instant::now() + self.send();
        }
    }

    /// Sends what there is, and returns how long it shall be quiet then.
    fn send(&mut self) -> Duration {
        let lines = self.send_until(Instant::now());
        if self.lines.is_empty() { QUIET * lines } else { FULL }
    }

    /// Sends all lines, how many it returns; what there is no room for before `deadline` is left out.
    fn send_until(&mut self, deadline: Instant) -> u32 {
        self.lines.append(self.reports.leftovers.take());
        let left_out = self.lines.left_out();
        let log = self.lines.take();
        match self.reports.send(self.lane, &log, deadline) {
            Ok(sent) if sent == log.len() => {}
            // The last of them is not the daemon's if it says how many were left out before.
            Ok(sent) => self.lines.leave_out((log.len() - sent) as u64 - u64::from(left_out > 0) + left_out),
            Err(_) => complain_of(&self.reports.path, &log),
        }
        log.len() as u32
    }

    /// Sends what there is and `last`, which goes to standard error if it cannot be sent: it would come too late.
    pub fn finish(mut self, last: Option<LogLine>, told_to_end: bool) {
        let deadline = Instant::now() + FULL;
        self.send_until(deadline);
        self.reports.leftovers.leave_out(self.lines.left_out());
        if told_to_end {
            // Without it, the library only says the same louder.
            let told = Report { lane: self.lane, told_to_end, ..Report::default() };
            let _ = report(&self.reports.control, &told, Instant::now());
        }
        let last = last.as_slice();
        if self.reports.send(self.lane, last, deadline) != Ok(last.len()) {
            complain_of(&self.reports.path, last);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;

    use nix::sys::socket::{MsgFlags, recv};

    use super::super::tests::Bench;
    use super::*;
    use crate::verdict::Level;

    fn received(peer: &OwnedFd) -> Vec<Report> {
        let mut message = vec![0; 2 * BYTES];
        let next = || {
            let n = recv(peer.as_raw_fd(), &mut message, MsgFlags::MSG_DONTWAIT).ok()?;
            assert!((1..=BYTES).contains(&n), "{n} bytes");
            Some(serde_json::from_slice(&message[..n]).unwrap())
        };
        std::iter::from_fn(next).collect()
    }

    fn texts(reports: Vec<Report>) -> Vec<String> {
        reports.into_iter().flat_map(|report| report.log).map(|line| line.text).collect()
    }

    fn fill(log: &mut Log, count: usize, text: &str) {
        (0..count).for_each(|_| log.lines.push(Level::Warn, text.into()));
    }

    #[test]
    fn many_lines_are_several_messages() {
        let (daemons, peer) = Bench::new().daemons();
        let mut log = daemons.reports().log(u64::MAX);
        fill(&mut log, 100, &"\\x1b".repeat(200));
        assert_eq!(log.send(), QUIET * 100);
        let reports = received(&peer);
        assert_eq!(reports.len(), 2);
        assert!(reports.iter().all(|report| report.lane == u64::MAX));
        assert_eq!(texts(reports), vec!["\\x1b".repeat(200); 100]);
    }

    #[test]
    fn what_there_is_no_room_for_is_counted_and_said_later() {
        let (daemons, peer) = Bench::new().daemons();
        let mut log = daemons.reports().log(5);
        let (text, mut pushed) = ("x".repeat(1000), 0);
        let mut full = 0;
        while full < 3 {
            fill(&mut log, 150, &text);
            pushed += 150;
            full += u32::from(log.send() == FULL);
        }
        let whole = texts(received(&peer)).into_iter();
        let count = |line: String| match line.strip_suffix(" more lines of output left out") {
            Some(count) => count.parse().unwrap(),
            None => 1,
        };
        let before: usize = whole.map(count).sum();
        assert!(!log.lines.is_empty());
        log.finish(None, false);
        assert_eq!(texts(received(&peer)), [format!("{} more lines of output left out", pushed - before)]);
    }

    #[test]
    fn after_each_line_it_is_quiet() {
        let (daemons, peer) = Bench::new().daemons();
        let mut log = daemons.reports().log(5);
        assert_eq!(log.due(), None);
        fill(&mut log, 1, "hm");
        let due = log.due().unwrap();
        log.send_if_due();
        assert_eq!((texts(received(&peer)), log.due()), (vec!["hm".into()], None));
        fill(&mut log, 1, "hm");
        assert!(log.due().unwrap() > due + QUIET);
    }

    #[test]
    fn a_library_that_is_gone_is_noticed() {
        let (daemons, peer) = Bench::new().daemons();
        let lines = [LogLine::new(Level::Warn, "hm")];
        assert_eq!(daemons.reports().send(5, &lines, Instant::now()), Ok(1));
        drop(peer);
        assert_eq!(daemons.reports().send(5, &lines, Instant::now()), Err(Errno::ECONNRESET), "one is unread");
        assert_eq!(daemons.reports().send(5, &lines, Instant::now()), Err(Errno::EPIPE));
    }

    #[test]
    fn what_a_daemon_left_running_is_heard_with_the_next_report() {
        let bench = Bench::new();
        let (daemons, peer) = bench.daemons();
        daemons.reports().leftovers.leave_out(7);
        let mut log = daemons.reports().log(5);
        fill(&mut log, 1, "hm");
        log.send();
        assert_eq!(texts(received(&peer)), ["hm", "7 more lines of output left out"]);
    }
}
