//! The script, and one run of it: started, watched until it ends or its time is over, put into an answer.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use super::environment::LeftOut;
use super::executable::Executable;
use super::leftovers::Leftovers;
use super::marking::Marking;
use super::output::{Lines, Stream};
use super::run::{Ended, LONG, Run, killed_by};
use super::{answer, sys};
use crate::event::Event;
use crate::hook_points::{HOOK_POINTS, find};
use crate::spool::Place;
use crate::syscall::failed;
use crate::text::{GLIMPSE, excerpt};
use crate::verdict::{Answer, Failure, FailureKind, Level, LogLine, Next, Wishes};
use crate::wait::{readable, wait_for};

const VERSION: &str = concat!("version ", env!("CARGO_PKG_VERSION"));

/// `EX_TEMPFAIL` of sysexits.h: what cannot be done now may be tried later.
const TRY_LATER: i32 = 75;
/// What a shell makes of SIGTERM.
const BY_SIGTERM: i32 = 128 + libc::SIGTERM;
/// An event comes again when the library thinks fit.
pub const WHEN_FIT: f64 = 0.0;
/// How long after a script we may be told to end.
const SOON: Duration = Duration::from_millis(250);

/// The one script of this runner.
pub struct Script {
    program: Executable,
    null: OwnedFd,
    leftovers: Arc<Leftovers>,
    marking: Arc<Marking>,
}

impl Script {
    pub fn new(program: Executable, leftovers: Arc<Leftovers>, marking: Arc<Marking>) -> io::Result<Script> {
        let null = File::open("/dev/null");
        let null = null.map_err(|error| io::Error::other(failed("/dev/null, a script's standard input", error)))?;
        Ok(Script { program, null: null.into(), leftovers, marking })
    }

    pub fn path(&self) -> &Path {
        self.program.path()
    }

    /// Runs the script for `event`, whose time counts from `since`, and marks the event if it is over then.
    pub fn handle(&self, event: &Event, since: Instant) -> Answer {
        let mut lines = Lines::default();
        let ended = self.run(event, since, &mut lines);
        let is_over = is_over(event, &ended);
        let judged = ended.and_then(|ended| judge(ended, event, &mut lines));
        lines.append(self.leftovers.take());
        if let Some(at) = event.at.filter(|_| is_over) {
            self.marking.done_at(Place::of(at), event.seq).into_iter().for_each(|line| lines.add(line));
        }
        let answer = Answer { seq: event.seq, log: lines.take(), ..Answer::default() };
        match judged {
            _ if !is_over && !event.wait => Answer { again: Some(WHEN_FIT), ..answer },
            Ok((next, wishes)) => Answer { next: Some(next), wishes, ..answer },
            Err(failure) => Answer { failure: Some(failure), ..answer },
        }
    }

    fn run(&self, event: &Event, since: Instant, lines: &mut Lines) -> Result<Ended, Failure> {
        if event.timeout == 0 {
            return Err(Failure { kind: FailureKind::Timeout, text: "not started: no time was left".into() });
        }
        let deadline = since + Duration::from_millis(event.timeout).min(LONG);
        let run = self.start(event, lines)?;
        let (ended, leftovers) = run.watch(deadline, lines);
        for stream in leftovers {
            self.leftovers.keep(stream.left_behind(lines));
        }
        Ok(ended)
    }

    fn start(&self, event: &Event, lines: &mut Lines) -> Result<Run, Failure> {
        let hook = hook_point(event)?;
        let (environment, left_out) = self.program.environment(&event.vars);
        for LeftOut { name, reason } in left_out {
            lines.push(Level::Warn, format!("variable \"{}\" left out: {reason}", excerpt(name, GLIMPSE)));
        }
        let (output, scripts_output) = self.stream(Level::Info)?;
        let (error, scripts_error) = self.stream(Level::Warn)?;
        let standard = [self.null.as_fd(), scripts_output.as_fd(), scripts_error.as_fd()];
        let child = self.program.start(Some(&hook), &environment, standard)?;
        let scripts_ends = [scripts_output, scripts_error];
        Ok(Run { child, output: output.answering(event.answers), error, scripts_ends })
    }

    fn stream(&self, level: Level) -> Result<(Stream, OwnedFd), Failure> {
        Stream::new(level).map_err(|error| self.program.refusal(error))
    }
}

/// Whether an event is over when its script has ended so, or was not started; else it is to come again. Once we have been told
/// to end, who has not succeeded may have been cut short.
fn is_over(event: &Event, ended: &Result<Ended, Failure>) -> bool {
    match ended {
        Ok(Ended::Exit(0)) => true,
        Ok(Ended::Exit(TRY_LATER)) if !event.wait => false,
        Ok(Ended::Exit(BY_SIGTERM) | Ended::Signal { number: libc::SIGTERM, .. }) if !event.wait => {
            !is_told_to_end_within(SOON)
        }
        _ => !sys::is_told_to_end(),
    }
}

/// Whether we are told to end soon, as a script has been: systemd signals the processes of a unit one after the other.
fn is_told_to_end_within(patience: Duration) -> bool {
    // It is not read: the signal goes on waiting, for others who ask.
    let signals = SignalFd::with_flags(&SigSet::from(Signal::SIGTERM), SfdFlags::SFD_CLOEXEC);
    let _ = signals.map(|signals| wait_for(&mut [readable(signals.as_fd())], Some(Instant::now() + patience)));
    sys::is_told_to_end()
}

/// The script's first argument, which no line may choose freely: many programs take options there.
///
/// A daemon is told lines as they are, by the library: it reads names in them and obeys none.
pub fn hook_point(event: &Event) -> Result<CString, Failure> {
    let refused = |text| Failure::new(FailureKind::Start, format!("not started: {text}"));
    let said = excerpt(&*event.hook, GLIMPSE);
    let Some(point) = find(&event.hook).map(|index| &HOOK_POINTS[index]) else {
        return Err(refused(format!("\"{said}\" is no hook point that this runner knows, {VERSION}")));
    };
    match event.vars.iter().find(|(name, _)| *name == "KEA_HOOK_POINT") {
        Some((_, value)) if value == point.name => CString::new(point.name).map_err(|error| refused(error.to_string())),
        _ => Err(refused(format!("the event is of {said}, and its KEA_HOOK_POINT does not say so"))),
    }
}

/// What an end means. A script that is only told cannot but let Kea go on.
fn judge(ended: Ended, event: &Event, lines: &mut Lines) -> Result<(Next, Wishes), Failure> {
    let timeout = event.timeout;
    let go_on = (Next::Continue, Wishes::default());
    match ended {
        Ended::Exit(status) if event.answers => answer::read(status, lines.answer()),
        Ended::Exit(0) => Ok(go_on),
        Ended::Exit(TRY_LATER) if !event.wait => Ok(go_on),
        Ended::Exit(status) => {
            lines.add(LogLine::repeating(Level::Warn, format!("exit status {status}")));
            Ok(go_on)
        }
        Ended::Signal { number, core_dumped } => {
            Err(Failure { kind: FailureKind::Signal, text: killed_by(number, core_dumped) })
        }
        Ended::TimedOut { stopped_with } => {
            let text = format!("no end within {timeout} ms; stopped with {stopped_with}");
            Err(Failure { kind: FailureKind::Timeout, text })
        }
        Ended::Stuck => {
            let text = format!("no end within {timeout} ms, nor by SIGKILL: it hangs inside the kernel");
            Err(Failure { kind: FailureKind::Timeout, text })
        }
        Ended::Lost(error) => {
            let text = format!("cannot learn how the script ended: {}", error.desc());
            Err(Failure { kind: FailureKind::Signal, text })
        }
    }
}
