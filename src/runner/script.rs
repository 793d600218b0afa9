//! The script, and one run of it: started, watched until it ends or its time is over, put into an answer.

use std::ffi::{CString, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit, rlim_t, setrlimit};
use nix::sys::signal::Signal;

use super::answer;
use super::environment::Environment;
use super::leftovers::Leftovers;
use super::output::{Lines, Stream};
use super::refusal::{cannot_start, explain};
use super::run::{Ended, Run};
use super::sys::{self, Program};
use crate::event::Event;
use crate::trust::distrust;
use crate::verdict::{Answer, Failure, FailureKind, Level, Next, Wishes};

/// A file that somebody is still writing cannot be executed: how often and after how long we try again.
const BUSY_RETRIES: u32 = 10;
const BUSY_PAUSE: Duration = Duration::from_millis(20);
/// Stands for "for ever" in sums of times.
const LONG: Duration = Duration::from_secs(365 * 24 * 3600);

/// The one script of this runner.
pub struct Script {
    path: PathBuf,
    c_path: CString,
    /// `argv[0]`: the file's name without its directory, as 1.4.0 passed it.
    name: CString,
    arguments: Vec<CString>,
    environment: Environment,
    null: OwnedFd,
    /// RLIMIT_NOFILE, soft and hard, before we have raised our own.
    open_files: (rlim_t, rlim_t),
    leftovers: Arc<Leftovers>,
}

impl Script {
    pub fn new(path: PathBuf, arguments: Vec<OsString>, leftovers: Arc<Leftovers>) -> io::Result<Script> {
        let open_files = getrlimit(Resource::RLIMIT_NOFILE)?;
        // Four descriptors a lane; the usual soft limit is below what 256 lanes need.
        setrlimit(Resource::RLIMIT_NOFILE, open_files.1, open_files.1)?;
        let arguments = arguments.into_iter().map(|argument| CString::new(argument.into_vec()));
        Ok(Script {
            c_path: CString::new(path.as_os_str().as_bytes())?,
            name: CString::new(path.file_name().unwrap_or(path.as_os_str()).as_bytes())?,
            path,
            arguments: arguments.collect::<Result<_, _>>()?,
            environment: Environment::inherited(),
            null: File::open("/dev/null")?.into(),
            open_files,
            leftovers,
        })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Runs the script for `event`, whose time counts from `since`.
    pub fn handle(&self, event: &Event, since: Instant) -> Answer {
        let mut lines = Lines::default();
        let mut log = self.leftovers.take_lines();
        let outcome = self.run(event, since, &mut lines).and_then(|ended| judge(ended, event, &mut lines));
        log.append(&mut lines.take());
        let seq = event.seq;
        match outcome {
            Ok((next, wishes)) => Answer { seq, next: Some(next), failure: None, log, wishes },
            Err(failure) => Answer { seq, next: None, failure: Some(failure), log, wishes: Wishes::default() },
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
        // A missing program has its own refusal below.
        if let Some(reason) = self.path.metadata().ok().and_then(|program| distrust(&program)) {
            return Err(Failure { kind: FailureKind::Start, text: cannot_start(&self.path, &format!("it {reason}")) });
        }
        let (environment, refused) = self.environment.with(&event.vars);
        for name in refused {
            lines.push(Level::Warn, format!("variable {name:?} left out: no environment can hold it"));
        }
        let refuse = |error| {
            let text = match error {
                Errno::E2BIG => too_big(&environment),
                error => explain(&self.path, error),
            };
            Failure { kind: FailureKind::Start, text }
        };
        // A hook point's name has no NUL; one that has would be cut there.
        let hook = event.hook.split('\0').next().unwrap_or_default();
        let arguments = [self.name.clone(), CString::new(hook).unwrap_or_default()];
        let arguments: Vec<CString> = arguments.into_iter().chain(self.arguments.iter().cloned()).collect();
        let run = self.spawn(&arguments, &environment).map_err(refuse)?;
        Ok(Run { output: run.output.answering(event.answers), ..run })
    }

    fn spawn(&self, arguments: &[CString], environment: &[CString]) -> nix::Result<Run> {
        let (output, scripts_output) = Stream::new(Level::Info)?;
        let (error, scripts_error) = Stream::new(Level::Warn)?;
        let program = Program {
            path: &self.c_path,
            arguments,
            environment,
            standard: [self.null.as_fd(), scripts_output.as_fd(), scripts_error.as_fd()],
            open_files: self.open_files,
        };
        let mut retries = 0;
        loop {
            match sys::spawn(&program) {
                Err(Errno::ETXTBSY) if retries < BUSY_RETRIES => thread::sleep(BUSY_PAUSE),
                child => return Ok(Run { child: child?, output, error }),
            }
            retries += 1;
        }
    }
}

/// What an end means. A script that is only told cannot but let Kea go on.
fn judge(ended: Ended, event: &Event, lines: &mut Lines) -> Result<(Next, Wishes), Failure> {
    let timeout = event.timeout;
    let go_on = (Next::Continue, Wishes::default());
    match ended {
        Ended::Exit(status) if event.answers => answer::read(status, lines.answer()),
        Ended::Exit(0) => Ok(go_on),
        Ended::Exit(status) => {
            lines.push(Level::Warn, format!("exit status {status}"));
            Ok(go_on)
        }
        Ended::Signal { number, core_dumped } => {
            let name =
                Signal::try_from(number).map_or_else(|_| format!("signal {number}"), |signal| signal.to_string());
            let core = if core_dumped { " (core dumped)" } else { "" };
            Err(Failure { kind: FailureKind::Signal, text: format!("killed by {name}{core}") })
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

fn too_big(environment: &[CString]) -> String {
    let size = |entry: &&CString| entry.as_bytes().len();
    let total: usize = environment.iter().map(|entry| size(&entry)).sum();
    let largest = environment.iter().max_by_key(size).map_or(&[][..], |entry| entry.as_bytes());
    let name = largest.split(|&byte| byte == b'=').next().unwrap_or_default();
    format!(
        "cannot start the script: its environment is too large ({total} bytes; largest is {} with {}, and one may have \
         131071)",
        String::from_utf8_lossy(name),
        largest.len()
    )
}
