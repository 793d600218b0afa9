//! A lane's daemon: started, listened to and watched until its end.

use std::fmt::Display;
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::Instant;

use nix::poll::{PollFd, PollFlags};

use super::complain;
use super::daemons::{Daemons, Handle, Told};
use super::hearing::Hearing;
use super::output::{self, Stream};
use super::reports::Log;
use super::run::{Ended, GRACE, stop};
use super::sys::{self, Child};
use crate::verdict::{Level, LogLine};
use crate::wait::{readable, wait_for};

/// Starts a daemon that talks on `socket`, and stays with it until it has ended, which `handle` may hasten: the daemon dies
/// with this thread.
///
/// `library_end` is a duplicate of the other end: as long as the library lives it is not read here, and keeps the lane open.
pub fn serve(daemons: &Daemons, lane: u64, socket: &UnixStream, library_end: Option<UnixStream>, handle: &Handle) {
    let mut log = daemons.reports().log(lane);
    let (last, told_to_end) = match daemons.start(socket) {
        Ok((child, errors)) => {
            let streams = vec![errors];
            let (hung_up, hearing) = (None, None);
            let daemon = Daemon { daemons, lane, socket, library_end, handle, child, streams, hung_up, hearing };
            let (ended, asked) = daemon.watch(&mut log);
            let told_to_end = is_told_to_end(&ended);
            (last_words(&ended, asked, told_to_end), told_to_end)
        }
        Err(failure) => (Some(LogLine::repeating(Level::Error, failure.text)), false),
    };
    log.finish(last, told_to_end);
    // Only now, so that the reason is there before the end is seen; and not by closing it, because the daemon's children
    // may hold it too.
    let _ = socket.shutdown(Shutdown::Both);
}

/// How the library has asked a daemon to end.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Asked {
    Not,
    /// By hanging up: it may finish what it does.
    Kindly,
    /// By an order to stop it; or we have, whom it has told garbage.
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

/// Whether somebody has told a daemon to end: by SIGTERM, or what it makes of that, if we have been sent one too.
/// systemd signals all processes of a unit that it stops.
fn is_told_to_end(ended: &Ended) -> bool {
    match ended {
        Ended::Signal { number, .. } => *number == libc::SIGTERM,
        Ended::Exit(status) => [0, 128 + libc::SIGTERM].contains(status) && sys::is_told_to_end(),
        _ => false,
    }
}

struct Daemon<'a> {
    daemons: &'a Daemons,
    lane: u64,
    /// Only the daemon reads and writes it.
    socket: &'a UnixStream,
    library_end: Option<UnixStream>,
    handle: &'a Handle,
    child: Child,
    /// Standard error, while somebody can write to it.
    streams: Vec<Stream>,
    /// When the library has hung up, or we have in its place: nothing more will come.
    hung_up: Option<Instant>,
    /// Since the library is gone.
    hearing: Option<Hearing<'a>>,
}

/// What a look at a daemon has shown.
struct Seen {
    ended: bool,
    hung_up: bool,
    told: Told,
}

impl Daemon<'_> {
    /// Watches it until its end.
    fn watch(mut self, log: &mut Log) -> (Ended, Asked) {
        let (ended_by_itself, asked) = self.wait_for_end(log);
        let ended = match ended_by_itself {
            true => Ended::of(self.child.pid),
            false => stop(&self.child, &mut self.streams, &mut log.lines),
        };
        output::read_all(&mut self.streams, &mut log.lines);
        // It may have answered when it was told to end.
        self.hear();
        for stream in self.streams {
            self.daemons.reports().keep(stream.left_behind(&mut log.lines));
        }
        (ended, asked)
    }

    /// Whether it has ended by itself, else it has to be stopped; and whether the library wanted that.
    fn wait_for_end(&mut self, log: &mut Log) -> (bool, Asked) {
        let mut told = Told::default();
        loop {
            let seen = self.look(self.leave_by(told).into_iter().chain(log.due()).min());
            output::read_all(&mut self.streams, &mut log.lines);
            log.send_if_due();
            told = seen.told;
            if seen.hung_up {
                self.hung_up = Some(Instant::now());
            }
            if told.stop {
                let _ = self.socket.shutdown(Shutdown::Both);
                return (seen.ended, Asked::Firmly);
            }
            if told.library_is_gone {
                self.begin_to_hear();
            }
            if !self.hear() {
                return (seen.ended, Asked::Firmly);
            }
            if seen.ended {
                return (true, if self.hung_up.is_some() { Asked::Kindly } else { Asked::Not });
            }
            if self.leave_by(told).is_some_and(|leave_by| leave_by <= Instant::now()) {
                if self.hearing.is_some() && told.let_go.is_none() {
                    let patience = self.daemons.patience().as_millis();
                    self.complain(format_args!("no answer within {patience} ms; it is stopped"));
                }
                return (false, Asked::Kindly);
            }
        }
    }

    /// Reads in the library's place from now on, where there is a way to do that.
    fn begin_to_hear(&mut self) {
        if let Some(library_end) = self.library_end.take() {
            let hearing = self.daemons.hear(self.lane, library_end);
            self.hung_up = self.hung_up.or(Some(hearing.since));
            self.hearing = Some(hearing);
        }
    }

    /// Takes the answers that have come since the library is gone; false if they are none.
    fn hear(&mut self) -> bool {
        let heard = self.hearing.as_mut().map_or(Ok(()), Hearing::advance);
        heard.map_err(|reason| self.complain(format_args!("{reason}; nothing more of it counts"))).is_ok()
    }

    fn complain(&self, text: impl Display) {
        complain(format_args!("{}: {text}", self.daemons.path().display()));
    }

    /// When we stop to wait for its end.
    fn leave_by(&self, told: Told) -> Option<Instant> {
        let patience = self.daemons.patience();
        let (since, patience) = match &self.hearing {
            Some(hearing) => (hearing.since, patience + GRACE),
            None => (self.hung_up?, patience),
        };
        Some(match told.let_go {
            Some(let_go) => since.max(let_go) + GRACE,
            None => since + patience,
        })
    }

    /// Waits until something has happened, or until `deadline`.
    fn look(&self, deadline: Option<Instant>) -> Seen {
        // Not in nix. An end of the connection would be said without our asking; this is its reading half alone.
        let hang_up = PollFlags::from_bits_retain(libc::POLLRDHUP);
        let mut fds = vec![readable(self.child.end.as_fd()), readable(self.handle.as_fd())];
        if self.hung_up.is_none() {
            fds.push(PollFd::new(self.socket.as_fd(), hang_up));
        }
        fds.extend(self.streams.iter().map(|stream| readable(stream.as_fd())));
        fds.extend(self.hearing.as_ref().and_then(Hearing::as_fd).map(readable));
        let _ = wait_for(&mut fds, deadline);
        // Bits that nix does not know make `any` unsure.
        let happened = |fd: &PollFd| fd.any() != Some(false);
        let hung_up = self.hung_up.is_none() && happened(&fds[2]);
        Seen { ended: happened(&fds[0]), hung_up, told: self.handle.told() }
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
