//! A script that is running: watched until its end, read all the while, stopped when its time is over.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, killpg};

use super::output::{Lines, Source, Stream};
use super::sys::{Child, End, reap};

/// From SIGTERM to SIGKILL.
const GRACE: Duration = Duration::from_secs(1);

/// A started script and our ends of its two pipes.
pub struct Run {
    pub child: Child,
    pub output: Stream,
    pub error: Stream,
}

/// How a run ended.
#[derive(Debug, PartialEq)]
pub enum Ended {
    Exit(i32),
    Signal {
        number: i32,
        core_dumped: bool,
    },
    /// By us.
    TimedOut {
        stopped_with: Signal,
    },
    /// Nobody but us may take the status, and yet it cannot be had.
    Lost(Errno),
}

impl Run {
    /// Waits for the end and collects what the script writes. Also returns the streams that somebody can still
    /// write to: the script has left something running.
    pub fn watch(self, deadline: Instant, lines: &mut Lines) -> (Ended, Vec<Stream>) {
        let child = self.child;
        let mut streams = vec![self.output, self.error];
        let stopped_with = match wait(&child, &mut streams, deadline, Until::Exit, lines) {
            true => None,
            false => Some(stop(&child, &mut streams, lines)),
        };
        let end = reap(&child);
        streams.retain_mut(|stream| stream.read(lines) == Source::Open);
        let ended = match (stopped_with, end) {
            (Some(stopped_with), _) => Ended::TimedOut { stopped_with },
            (None, Ok(End::Exit(status))) => Ended::Exit(status),
            (None, Ok(End::Signal { number, core_dumped })) => Ended::Signal { number, core_dumped },
            (None, Err(error)) => Ended::Lost(error),
        };
        (ended, streams)
    }
}

/// Asks the script's whole process group to end, then forces it. Returns what the script itself ended by.
///
/// The script is not reaped here, not even when it has ended: until then its number cannot become another's.
fn stop(child: &Child, streams: &mut Vec<Stream>, lines: &mut Lines) -> Signal {
    let _ = killpg(child.pid, Signal::SIGTERM);
    let grace_is_over = Instant::now() + GRACE;
    let ended = wait(child, streams, grace_is_over, Until::Exit, lines);
    if ended {
        // Its children may need the grace longer than itself; an open pipe tells.
        wait(child, streams, grace_is_over, Until::Silence, lines);
    }
    let _ = killpg(child.pid, Signal::SIGKILL);
    if ended { Signal::SIGTERM } else { Signal::SIGKILL }
}

/// What is waited for.
#[derive(Clone, Copy, PartialEq)]
enum Until {
    /// The script has ended.
    Exit,
    /// Nobody can write to the streams any more.
    Silence,
}

/// Reads the streams until then, or `false`: until `deadline`. Streams that end are removed.
fn wait(child: &Child, streams: &mut Vec<Stream>, deadline: Instant, until: Until, lines: &mut Lines) -> bool {
    loop {
        if until == Until::Silence && streams.is_empty() {
            return true;
        }
        let watched = (until == Until::Exit).then_some(child);
        let (ended, ready) = poll_all(watched, streams, deadline);
        let mut ready = ready.into_iter();
        streams.retain_mut(|stream| !ready.next().unwrap_or(true) || stream.read(lines) == Source::Open);
        if ended {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
    }
}

/// Whether the child has ended, and which streams can be read, once one of it is so or `deadline` is over.
fn poll_all(child: Option<&Child>, streams: &[Stream], deadline: Instant) -> (bool, Vec<bool>) {
    let readable = |fd| PollFd::new(fd, PollFlags::POLLIN);
    let mut fds: Vec<PollFd> = streams.iter().map(|stream| readable(stream.as_fd())).collect();
    fds.extend(child.map(|child| readable(child.pidfd.as_fd())));
    // Rounded up, or the last millisecond would be spent in a circle.
    let left = deadline.saturating_duration_since(Instant::now()) + Duration::from_micros(999);
    let _ = poll(&mut fds, PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX));
    let mut ready: Vec<bool> = fds.iter().map(|fd| fd.any().unwrap_or(false)).collect();
    let ended = child.is_some() && ready.pop().unwrap_or(false);
    (ended, ready)
}
