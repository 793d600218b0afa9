//! A script that is running: watched until its end, read all the while, stopped when its time is over.

use std::fmt;
use std::os::fd::{AsFd, OwnedFd};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::PollFd;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::{Pid, getpgid};

use super::output::{self, Lines, Stream};
use super::sys::{Child, End, reap};
use crate::wait::{readable, wait_for};

/// From SIGTERM to SIGKILL.
pub const GRACE: Duration = Duration::from_secs(1);

/// Stands for "for ever" in sums of times.
pub const LONG: Duration = Duration::from_secs(365 * 24 * 3600);

/// A started script and our ends of its two pipes.
pub struct Run {
    pub child: Child,
    pub output: Stream,
    pub error: Stream,
    /// Copies of its own ends: while there are any, the end of the script is one event, its last, and not three.
    pub scripts_ends: [OwnedFd; 2],
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
    /// Not even by SIGKILL yet: the kernel holds it, in a call to a dead file server or device.
    Stuck,
    /// Nobody but us may take the status, and yet it cannot be had.
    Lost(Errno),
}

impl Run {
    /// Waits for the end and collects what the script writes. Also returns the streams that somebody can still
    /// write to: the script has left something running, or another lane's is just being started.
    pub fn watch(self, deadline: Instant, lines: &mut Lines) -> (Ended, Vec<Stream>) {
        let child = self.child;
        let mut streams = vec![self.output, self.error];
        let has_ended = wait(&child, &mut streams, deadline, Until::Exit, lines);
        // A stream that has not ended now is held by somebody else.
        drop(self.scripts_ends);
        let ended = match has_ended {
            true => Ended::of(child.pid),
            false => stop(&child, &mut streams, lines),
        };
        output::read_all(&mut streams, lines);
        (ended, streams)
    }
}

impl Ended {
    /// How this child has ended by itself; waits for that.
    pub fn of(pid: Pid) -> Ended {
        match reap(pid) {
            Ok(End::Exit(status)) => Ended::Exit(status),
            Ok(End::Signal { number, core_dumped }) => Ended::Signal { number, core_dumped },
            Err(error) => Ended::Lost(error),
        }
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Ended::Exit(status) => write!(f, "ended with exit status {status}"),
            Ended::Signal { number, core_dumped } => f.write_str(&killed_by(*number, *core_dumped)),
            Ended::TimedOut { stopped_with } => write!(f, "stopped with {stopped_with}"),
            Ended::Stuck => f.write_str("does not end, not even by SIGKILL: it hangs inside the kernel"),
            Ended::Lost(error) => write!(f, "ended, and cannot be asked how: {}", error.desc()),
        }
    }
}

/// The end by a signal, in words.
pub fn killed_by(number: i32, core_dumped: bool) -> String {
    let name = Signal::try_from(number).map_or_else(|_| format!("signal {number}"), |signal| signal.to_string());
    let core = if core_dumped { " (core dumped)" } else { "" };
    format!("killed by {name}{core}")
}

/// Ends a child and its whole process group, and reads the streams meanwhile.
pub fn stop(child: &Child, streams: &mut Vec<Stream>, lines: &mut Lines) -> Ended {
    match end(child, streams, lines) {
        Some(stopped_with) => reap(child.pid).map_or_else(Ended::Lost, |_| Ended::TimedOut { stopped_with }),
        None => {
            reap_later(child.pid);
            Ended::Stuck
        }
    }
}

/// Asks the script's whole process group to end, then forces it; returns what has ended the script, if anything has.
///
/// The script is not reaped here, not even when it has ended: until then its number cannot become another's.
fn end(child: &Child, streams: &mut Vec<Stream>, lines: &mut Lines) -> Option<Signal> {
    signal(child, Signal::SIGTERM);
    let grace_is_over = Instant::now() + GRACE;
    let ended = wait(child, streams, grace_is_over, Until::Exit, lines);
    if ended {
        // Its children may need the grace longer than itself; an open pipe tells.
        wait(child, streams, grace_is_over, Until::Silence, lines);
    }
    signal(child, Signal::SIGKILL);
    if ended {
        return Some(Signal::SIGTERM);
    }
    wait(child, streams, Instant::now() + GRACE, Until::Exit, lines).then_some(Signal::SIGKILL)
}

/// Signals the script's process group, and the script itself if it has left that.
fn signal(child: &Child, signal: Signal) {
    let _ = killpg(child.pid, signal);
    if getpgid(Some(child.pid)) != Ok(child.pid) {
        let _ = kill(child.pid, signal);
    }
}

/// Keeps a script that cannot die from holding up its lane. If there can be no thread, it stays a zombie.
fn reap_later(pid: Pid) {
    let _ = thread::Builder::new().name("stuck".into()).spawn(move || reap(pid));
}

/// What is waited for.
#[derive(Clone, Copy, PartialEq)]
enum Until {
    /// The script has ended.
    Exit,
    /// Nobody can write to the streams any more.
    Silence,
}

/// Reads the streams until then, or `false`: until `deadline`. Streams that end are removed. What has come with the end of
/// the script is left to whoever reads next.
fn wait(child: &Child, streams: &mut Vec<Stream>, deadline: Instant, until: Until, lines: &mut Lines) -> bool {
    loop {
        if until == Until::Silence && streams.is_empty() {
            return true;
        }
        let watched = (until == Until::Exit).then_some(child);
        let ended = wait_for_any(watched, streams, deadline);
        if ended {
            return true;
        }
        output::read_all(streams, lines);
        if Instant::now() >= deadline {
            return false;
        }
    }
}

/// Waits until one of the streams can be read, the child has ended, or `deadline` is over; whether the child has ended.
fn wait_for_any(child: Option<&Child>, streams: &[Stream], deadline: Instant) -> bool {
    let mut fds: Vec<PollFd> = streams.iter().map(|stream| readable(stream.as_fd())).collect();
    fds.extend(child.map(|child| readable(child.end.as_fd())));
    let _ = wait_for(&mut fds, Some(deadline));
    child.is_some() && fds.last().and_then(PollFd::any).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;
    use std::time::{Duration, Instant};

    use super::super::tests::{Bench, assert_failure, texts, until};
    use crate::verdict::{FailureKind, Next};

    #[test]
    fn exit_zero_is_continue() {
        let answer = Bench::shell("exit 0").answer();
        assert_eq!((answer.seq, answer.next), (17, Some(Next::Continue)));
        assert!(answer.failure.is_none() && answer.log.is_empty() && answer.wishes.0.is_empty());
    }

    #[test]
    fn any_other_status_is_said() {
        let answer = Bench::shell("exit 3").answer();
        assert_eq!(answer.next, Some(Next::Continue));
        assert_eq!(texts(&answer), ["exit status 3"]);
    }

    #[test]
    fn a_signal_is_a_failure() {
        let answer = Bench::shell("ulimit -c 0; echo last words; kill -SEGV $$").answer();
        assert_failure(&answer, FailureKind::Signal, "killed by SIGSEGV");
        assert_eq!(texts(&answer), ["last words"]);
        let answer = Bench::shell("kill -40 $$").answer();
        assert_failure(&answer, FailureKind::Signal, "killed by signal 40");
    }

    #[test]
    fn endless_output_ends_by_the_time_out() {
        let answer = Bench::shell("exec yes").answer_within(300);
        assert_failure(&answer, FailureKind::Timeout, "no end within 300 ms; stopped with SIGTERM");
        assert_eq!(answer.log.len(), 101);
        assert!(answer.log[100].text.ends_with(" more lines of output left out"));
    }

    #[test]
    fn time_out_asks_first() {
        let started = Instant::now();
        let answer = Bench::shell("trap 'echo cleaning up; exit 0' TERM; sleep 60 & wait").answer_within(1000);
        assert_failure(&answer, FailureKind::Timeout, "no end within 1000 ms; stopped with SIGTERM");
        assert_eq!(texts(&answer), ["cleaning up"]);
        assert!(started.elapsed() < Duration::from_millis(1950));
    }

    #[test]
    fn then_time_out_forces() {
        let started = Instant::now();
        let answer = Bench::shell("trap '' TERM; while :; do sleep 1; done").answer_within(1000);
        assert_failure(&answer, FailureKind::Timeout, "no end within 1000 ms; stopped with SIGKILL");
        assert!(started.elapsed() >= Duration::from_millis(2000));
        assert!(started.elapsed() < Duration::from_millis(2950));
    }

    #[test]
    fn the_scripts_children_have_the_grace_too() {
        let bench = Bench::shell("sh -c 'trap \"sleep 0.3; echo child is done; exit\" TERM; sleep 60 & wait' & wait");
        let answer = bench.answer_within(1000);
        assert_failure(&answer, FailureKind::Timeout, "no end within 1000 ms; stopped with SIGTERM");
        assert_eq!(texts(&answer), ["child is done"]);
    }

    #[test]
    fn time_out_leaves_nobody_of_the_group() {
        let bench = Bench::shell("sh -c 'trap \"\" TERM; echo $$; while :; do sleep 60; done' & wait");
        let answer = bench.answer_within(1000);
        let child = PathBuf::from("/proc").join(texts(&answer)[0]);
        // Killed, but reaped by init, in its own time.
        let gone = || !fs::read_to_string(child.join("stat")).is_ok_and(|stat| !stat.contains(") Z"));
        assert!(until(gone));
    }

    #[test]
    fn no_time_left_means_not_started() {
        let bench = Bench::shell("touch \"$0.ran\"");
        assert_failure(&bench.answer_within(0), FailureKind::Timeout, "not started: no time was left");
        assert_eq!(fs::read_dir(&bench.directory).unwrap().count(), 1);
    }

    #[test]
    fn the_longest_time_out_is_no_trouble() {
        assert_eq!(Bench::shell("exit 0").answer_within(u64::MAX).next, Some(Next::Continue));
    }
}
