//! The runner as a process: finding it, starting it, opening lanes to it.

use std::ffi::{CStr, OsStr};
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::socket::{AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType, sendmsg, socketpair};
use nix::unistd::AccessFlags;
use once_cell::sync::OnceCell;

use crate::config::Config;
use crate::event::{Hello, PROTOCOL, line};
use crate::lane::{Failed, Lane};
use crate::trust::distrust;
use crate::variables::Server;

const NAME: &str = "kea-runscript";
/// The variable that tells a script where the runner is, for its `answer`.
const OWN_PATH: &str = "KEA_RUNSCRIPT";
/// Where `make install` may have put the runner.
const INSTALLED: [&str; 2] = ["/usr/sbin/kea-runscript", "/usr/local/sbin/kea-runscript"];

/// Our end of the runner's control socket: it lives until this is closed and its work is done.
pub struct Runner {
    control: OwnedFd,
}

impl Runner {
    /// Starts a runner for this script, with a lane for each event that it may work on at once.
    pub fn start(config: &Config, server: &Server, patience: Duration) -> Result<(Runner, Vec<Lane>), String> {
        let deadline = Instant::now() + patience;
        let path = find(config)?;
        let name = match &config.runner {
            Some(path) => format!("parameter \"runner\": \"{}\"", path.display()),
            None => path.display().to_string(),
        };
        let failed = |what: &str, error: &dyn std::fmt::Display| format!("{name}: {what}: {error}");
        // A missing one is explained below.
        if let Some(reason) = path.metadata().ok().and_then(|program| distrust(&program)) {
            return Err(format!("{name}: {reason}"));
        }
        let (ours, theirs) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)
            .map_err(|error| failed("no socket", &error))?;
        let mut child = Command::new(&path)
            .args(["run", "--"])
            .arg(&config.script)
            .args(&config.args)
            .env_clear()
            .envs(config.answers.then_some((OWN_PATH, &path)))
            .envs(config.env.iter().map(|(name, value)| (name, value)))
            .stdin(theirs)
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| failed("cannot be started", &explain(&path, error)))?;
        let runner = Runner { control: ours };
        let lanes = runner.open_lanes(config.concurrency, server, deadline);
        // Only if it is still there: Kea may have taken its status, and its number may be another's by now.
        if lanes.is_err() && matches!(child.try_wait(), Ok(None)) {
            let _ = child.kill();
        }
        if !has_left(&mut child, deadline) {
            let _ = child.kill();
            let _ = child.wait();
            return Err(failed("does not detach itself", &"a wrapper of it must end with exec"));
        }
        let silent = |error: io::Error| failed("does not answer", &format!("{error}; is it a kea-runscript?"));
        Ok((runner, lanes.map_err(silent)?))
    }

    fn open_lanes(&self, count: usize, server: &Server, deadline: Instant) -> io::Result<Vec<Lane>> {
        let hello = Hello { hello: PROTOCOL, server: server.name.clone(), version: server.version.clone() };
        let mut lanes = Vec::with_capacity(count);
        for _ in 0..count {
            let mut lane = Lane::new(self.open(b"L")?)?;
            let answer = lane.exchange(line(&hello)?, deadline).map_err(|failed| match failed {
                Failed::TimedOut => io::Error::new(io::ErrorKind::TimedOut, "no hello"),
                Failed::Gone(error) => error,
            })?;
            let theirs: Hello = serde_json::from_slice(&answer)?;
            if theirs.hello != PROTOCOL {
                let text = format!("it speaks version {} of the lines and this library {PROTOCOL}", theirs.hello);
                return Err(io::Error::new(io::ErrorKind::InvalidData, text));
            }
            lanes.push(lane);
        }
        Ok(lanes)
    }

    /// Gives the runner one end of a new connection, and returns the other: `L` for a lane, `R` for the rest.
    pub fn open(&self, purpose: &[u8; 1]) -> io::Result<UnixStream> {
        let (ours, theirs) = UnixStream::pair()?;
        let fds = [theirs.as_raw_fd()];
        let message = [ControlMessage::ScmRights(&fds)];
        let flags = MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT;
        sendmsg::<()>(self.control.as_raw_fd(), &[IoSlice::new(purpose)], &message, flags, None)?;
        Ok(ours)
    }
}

impl AsFd for Runner {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.control.as_fd()
    }
}

/// Waits for the end of the runner's first process, which detaches the runner itself and leaves at once. Kea's own
/// SIGCHLD handler may be faster and leave nothing to wait for, which is an error that says the same.
fn has_left(child: &mut Child, deadline: Instant) -> bool {
    while let Ok(None) = child.try_wait() {
        if Instant::now() > deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    true
}

/// The runner: the one that the parameter names, else the one beside the library, else the installed one.
fn find(config: &Config) -> Result<PathBuf, String> {
    if let Some(path) = &config.runner {
        return Ok(path.clone());
    }
    let beside = library().map(|library| library.with_file_name(NAME)).ok();
    let places = beside.into_iter().chain(INSTALLED.map(PathBuf::from));
    let candidates: Vec<PathBuf> = places.collect();
    candidates.iter().find(|path| path.exists()).cloned().ok_or_else(|| {
        let places: Vec<_> = candidates.iter().map(|path| path.display().to_string()).collect();
        format!("{NAME} is in none of: {}; install it, or name it with the parameter \"runner\"", places.join(", "))
    })
}

/// The file that this library was loaded from.
fn library() -> io::Result<&'static Path> {
    static LIBRARY: OnceCell<PathBuf> = OnceCell::new();
    LIBRARY.get_or_try_init(library_path).map(PathBuf::as_path)
}

#[allow(unsafe_code)]
fn library_path() -> io::Result<PathBuf> {
    let mut info = std::mem::MaybeUninit::<libc::Dl_info>::zeroed();
    // SAFETY: the address is that of a function of ours, and `info` is writable; a non-zero result says that it has
    // been filled in.
    let name = unsafe {
        if libc::dladdr(library_path as *const libc::c_void, info.as_mut_ptr()) == 0 {
            return Err(io::ErrorKind::NotFound.into());
        }
        info.assume_init().dli_fname
    };
    if name.is_null() {
        return Err(io::ErrorKind::NotFound.into());
    }
    // SAFETY: the dynamic linker's NUL-ended name of a file that stays loaded.
    let name = unsafe { CStr::from_ptr(name) };
    std::fs::canonicalize(Path::new(OsStr::from_bytes(name.to_bytes())))
}

/// Why a program cannot be started, with the remedy.
fn explain(path: &Path, error: io::Error) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied => format!(
            "{error}; it must be executable by Kea's user, and AppArmor's profile of Kea must let it run (rule: {} ux,)",
            path.display()
        ),
        io::ErrorKind::NotFound => format!("{error}; install it, or mend the path"),
        _ => error.to_string(),
    }
}

/// Whether the script can be run at all: said at load, so that a mistake is seen before the first client comes.
pub fn check_script(script: &Path) -> Result<(), String> {
    let remedy = match script.metadata() {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            "cannot be reached by Kea's user; let it enter every directory on the way (chmod o+x)".into()
        }
        Err(error) => format!("{error}; create it, or mend the path"),
        Ok(metadata) if metadata.is_dir() => "is a directory; name a program".into(),
        Ok(metadata) if !metadata.is_file() => "is not a file; name a program".into(),
        Ok(metadata) => match nix::unistd::eaccess(script, AccessFlags::X_OK) {
            Ok(()) => match distrust(&metadata) {
                None => return Ok(()),
                Some(reason) => reason,
            },
            Err(error) => format!("is not executable by Kea's user ({}); chmod +x it", error.desc()),
        },
    };
    Err(format!("parameter \"script\": \"{}\": {remedy}", script.display()))
}
