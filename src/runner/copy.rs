//! One copy of a daemon: started on its lane, listened to and watched until its end.

use std::net::Shutdown;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::Instant;

use nix::poll::{PollFd, PollFlags};

use super::daemon::{Daemon, Leash};
use super::output::{self, Stream};
use super::reports::Log;
use super::run::{Ended, stop};
use super::sys::{self, Child};
use crate::verdict::{Failure, Level, LogLine};
use crate::wait::{readable, wait_for};

/// What has become of a copy.
#[derive(Debug)]
pub enum Outcome {
    /// It could not be started.
    Refused(Failure),
    Ended(Ended),
}

/// Starts a copy that talks on `socket`, and stays with it until it has ended, which `leash` may hasten: the copy dies
/// with this thread.
pub fn serve(daemon: &Daemon, lane: u64, socket: &UnixStream, leash: &Leash) -> Outcome {
    let mut log = daemon.reports().log(lane);
    let (outcome, last, told_to_end) = match daemon.start(socket) {
        Ok((child, errors)) => {
            let copy = Copy { daemon, socket, leash, child, streams: vec![errors], hung_up: None };
            let (ended, asked) = copy.watch(&mut log);
            let told_to_end = is_told_to_end(&ended);
            let last = last_words(&ended, asked, told_to_end);
            leash.has_ended(ended.to_string());
            (Outcome::Ended(ended), last, told_to_end)
        }
        Err(failure) => {
            let last = LogLine::repeating(Level::Error, failure.text.clone());
            (Outcome::Refused(failure), Some(last), false)
        }
    };
    log.finish(last, told_to_end);
    // Only now, so that the reason is there before the end is seen; and not by closing it, because the copy's children
    // may hold it too.
    let _ = socket.shutdown(Shutdown::Both);
    outcome
}

/// How the library has asked a copy to end.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Asked {
    Not,
    /// By hanging up: it may finish what it does.
    Kindly,
    /// By giving it up.
    Firmly,
}

/// What is worth a line: an end that the library has not asked for. It is a warning if nobody else has told it to end.
fn last_words(ended: &Ended, asked: Asked, told_to_end: bool) -> Option<LogLine> {
    let as_asked = match (asked, ended) {
        (_, Ended::Stuck | Ended::Lost(_)) => false,
        (_, Ended::TimedOut { .. }) => true,
        (Asked::Not, _) => false,
        (Asked::Kindly, _) if told_to_end => true,
        // It may have been about to answer when nobody was there any more.
        (Asked::Kindly, Ended::Signal { number, .. }) => *number == libc::SIGPIPE,
        (Asked::Kindly, Ended::Exit(status)) => *status == 0,
        (Asked::Firmly, _) => true,
    };
    let level = if told_to_end { Level::Info } else { Level::Warn };
    (!as_asked).then(|| LogLine::repeating(level, ended.to_string()))
}

/// Whether somebody has told a copy to end: by SIGTERM, or what a daemon makes of that, if we have been sent one too.
/// systemd signals all processes of a unit that it stops.
fn is_told_to_end(ended: &Ended) -> bool {
    match ended {
        Ended::Signal { number, .. } => *number == libc::SIGTERM,
        Ended::Exit(status) => [0, 128 + libc::SIGTERM].contains(status) && sys::is_told_to_end(),
        _ => false,
    }
}

struct Copy<'a> {
    daemon: &'a Daemon,
    /// Only the copy reads and writes it.
    socket: &'a UnixStream,
    leash: &'a Leash,
    child: Child,
    /// Standard error, while somebody can write to it.
    streams: Vec<Stream>,
    /// When the library has hung up: nothing more will come.
    hung_up: Option<Instant>,
}

/// What a look at a copy has shown.
struct Seen {
    ended: bool,
    given_up: bool,
    hung_up: bool,
}

impl Copy<'_> {
    /// Watches it until its end.
    fn watch(mut self, log: &mut Log) -> (Ended, Asked) {
        let (ended_by_itself, asked) = self.wait_for_end(log);
        let ended = match ended_by_itself {
            true => Ended::of(self.child.pid),
            false => stop(&self.child, &mut self.streams, &mut log.lines),
        };
        output::read_all(&mut self.streams, &mut log.lines);
        for stream in self.streams {
            self.daemon.reports().keep(stream.left_behind(&mut log.lines));
        }
        (ended, asked)
    }

    /// Whether it has ended by itself, else it has to be stopped; and whether the library wanted that.
    fn wait_for_end(&mut self, log: &mut Log) -> (bool, Asked) {
        loop {
            let seen = self.look(log.due());
            output::read_all(&mut self.streams, &mut log.lines);
            log.send_if_due();
            if seen.hung_up {
                self.hung_up = Some(Instant::now());
            }
            if seen.given_up {
                let _ = self.socket.shutdown(Shutdown::Both);
                return (seen.ended, Asked::Firmly);
            }
            if seen.ended {
                return (true, if self.hung_up.is_some() { Asked::Kindly } else { Asked::Not });
            }
            if self.leave_by().is_some_and(|leave_by| leave_by <= Instant::now()) {
                return (false, Asked::Kindly);
            }
        }
    }

    /// When we stop to wait for its end.
    fn leave_by(&self) -> Option<Instant> {
        self.hung_up.map(|since| self.leash.leave_by(since))
    }

    /// Waits until something has happened, or it is time to leave or to report.
    fn look(&self, report: Option<Instant>) -> Seen {
        // Not in nix. An end of the connection would be said without our asking; this is its reading half alone.
        let hang_up = PollFlags::from_bits_retain(libc::POLLRDHUP);
        let mut fds = vec![readable(self.child.end.as_fd()), readable(self.leash.as_fd())];
        if self.hung_up.is_none() {
            fds.push(PollFd::new(self.socket.as_fd(), hang_up));
        }
        fds.extend(self.streams.iter().map(|stream| readable(stream.as_fd())));
        let deadline = self.leave_by().into_iter().chain(report).min();
        let _ = wait_for(&mut fds, deadline);
        // Bits that nix does not know make `any` unsure.
        let happened = |fd: &PollFd| fd.any() != Some(false);
        let hung_up = self.hung_up.is_none() && happened(&fds[2]);
        let given_up = happened(&fds[1]) && self.leash.is_given_up();
        Seen { ended: happened(&fds[0]), given_up, hung_up }
    }
}

#[cfg(test)]
mod tests {
    use nix::errno::Errno;
    use nix::sys::signal::Signal;

    use super::*;

    #[test]
    fn an_end_that_nobody_has_asked_for_is_said() {
        let said = |ended: Ended| {
            let asked = [Asked::Not, Asked::Kindly, Asked::Firmly];
            asked.map(|asked| last_words(&ended, asked, false).is_some())
        };
        let signal = |number| Ended::Signal { number, core_dumped: false };
        assert_eq!(said(Ended::Exit(0)), [true, false, false]);
        assert_eq!(said(Ended::Exit(3)), [true, true, false]);
        assert_eq!(said(signal(libc::SIGSEGV)), [true, true, false]);
        assert_eq!(said(signal(libc::SIGPIPE)), [true, false, false]);
        assert_eq!(said(Ended::TimedOut { stopped_with: Signal::SIGTERM }), [false; 3]);
        assert_eq!(said(Ended::Stuck), [true; 3]);
        assert_eq!(said(Ended::Lost(Errno::ECHILD)), [true; 3]);
    }

    #[test]
    fn an_end_that_others_have_asked_for_is_no_warning() {
        let told = |asked| last_words(&Ended::Exit(0), asked, true).map(|line| line.level);
        assert_eq!([Asked::Not, Asked::Kindly, Asked::Firmly].map(told), [Some(Level::Info), None, None]);
        let by_term = Ended::Signal { number: libc::SIGTERM, core_dumped: false };
        assert!(is_told_to_end(&by_term) && !is_told_to_end(&Ended::Exit(0)), "nobody has told this process to end");
    }
}
