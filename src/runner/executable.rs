//! The administrator's program as it is started: always the same file, with what this process was given for it.

use std::ffi::{CStr, CString, OsString};
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit, rlim_t, setrlimit};

use super::environment::{Environment, LeftOut};
use super::refusal::{cannot_start, explain, too_big};
use super::sys::{self, Child, Program};
use crate::event::Variables;
use crate::syscall::failed;
use crate::trust::Trust;
use crate::verdict::{Failure, FailureKind};

/// A file that somebody is still writing cannot be executed: how often and after how long we try again.
const BUSY_RETRIES: u32 = 10;
const BUSY_PAUSE: Duration = Duration::from_millis(20);

/// The one program of this runner.
pub struct Executable {
    path: PathBuf,
    c_path: CString,
    /// `argv[0]`: the file's name without its directory, as 1.4.0 passed it.
    name: CString,
    arguments: Vec<CString>,
    environment: Environment,
    /// RLIMIT_NOFILE, soft and hard, before we have raised our own.
    open_files: (rlim_t, rlim_t),
    /// Looks whether anybody else could have changed the program.
    trust: Trust,
}

impl Executable {
    pub fn new(
        path: PathBuf,
        arguments: Vec<OsString>,
        environment: Environment,
        trust: Trust,
    ) -> io::Result<Executable> {
        let denied = |error| io::Error::other(failed("prlimit64", error));
        let open_files = getrlimit(Resource::RLIMIT_NOFILE).map_err(denied)?;
        // Six descriptors a lane; the usual soft limit is below what 256 lanes need.
        setrlimit(Resource::RLIMIT_NOFILE, open_files.1, open_files.1).map_err(denied)?;
        let arguments = arguments.into_iter().map(|argument| CString::new(argument.into_vec()));
        Ok(Executable {
            c_path: CString::new(path.as_os_str().as_bytes())?,
            name: CString::new(path.file_name().unwrap_or(path.as_os_str()).as_bytes())?,
            path,
            arguments: arguments.collect::<Result<_, _>>()?,
            environment,
            open_files,
            trust,
        })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The environment with these variables, and those that cannot be part of it.
    pub fn environment<'a>(&'a self, variables: &'a Variables) -> (Vec<&'a CStr>, Vec<LeftOut<'a>>) {
        self.environment.with(variables)
    }

    /// Starts it with `first` before its configured arguments, and with this standard input, output and error.
    pub fn start(
        &self,
        first: Option<&CStr>,
        environment: &[&CStr],
        standard: [BorrowedFd; 3],
    ) -> Result<Child, Failure> {
        // A missing program has its own refusal below.
        if let Err(reason) = (self.trust)(&self.path) {
            return Err(Failure::new(FailureKind::Start, cannot_start(&self.path, &format!("it {reason}"))));
        }
        let configured = self.arguments.iter().map(CString::as_c_str);
        let arguments: Vec<&CStr> = [&*self.name].into_iter().chain(first).chain(configured).collect();
        let program =
            Program { path: &self.c_path, arguments: &arguments, environment, standard, open_files: self.open_files };
        spawn(&program).map_err(|error| match error {
            Errno::E2BIG => Failure::new(FailureKind::Start, too_big(environment)),
            error => self.refusal(error),
        })
    }

    /// Why it was not started.
    pub fn refusal(&self, error: Errno) -> Failure {
        Failure::new(FailureKind::Start, explain(&self.path, error))
    }
}

fn spawn(program: &Program) -> nix::Result<Child> {
    for _ in 0..BUSY_RETRIES {
        match sys::spawn(program) {
            Err(Errno::ETXTBSY) => thread::sleep(BUSY_PAUSE),
            child => return child,
        }
    }
    sys::spawn(program)
}
