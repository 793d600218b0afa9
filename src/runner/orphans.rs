//! What scripts and daemons leave running becomes ours when its parent has ended, and is reaped here when it ends itself: in a
//! container nobody else may do that.
//!
//! The kernel gives orphans to the first thread of a process, and scripts are started by others: waiting for its own
//! children alone, that thread never takes the end of a script from the lane that waits for it.

use std::os::fd::AsFd;
use std::thread;
use std::time::Instant;

use nix::fcntl::OFlag;
use nix::sys::prctl;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::pipe2;

use super::run::GRACE;
use super::sys;
use crate::syscall::failed;
use crate::wait::{readable, wait_for};

pub struct Orphans {
    deaths: SignalFd,
}

impl Orphans {
    /// They come to us from now on, and not to process 1.
    pub fn adopt() -> Result<Orphans, String> {
        prctl::set_child_subreaper(true).map_err(|error| failed("prctl", error))?;
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        let deaths = SignalFd::with_flags(&SigSet::from(Signal::SIGCHLD), flags);
        Ok(Orphans { deaths: deaths.map_err(|error| failed("signalfd4", error))? })
    }

    /// Reaps them while another thread works, and for some time after that. Only the first thread of the process can do that.
    pub fn reap_during(&self, work: impl FnOnce() + Send) -> Result<(), String> {
        let (end, held) = pipe2(OFlag::O_CLOEXEC).map_err(|error| failed("pipe2", error))?;
        let work = move || {
            work();
            drop(held);
        };
        thread::scope(|scope| {
            let thread = thread::Builder::new().name("control".into()).spawn_scoped(scope, work);
            thread.map_err(|error| failed("clone3", error))?;
            loop {
                let mut fds = [readable(self.deaths.as_fd()), readable(end.as_fd())];
                let _ = wait_for(&mut fds, None);
                let is_over = fds[1].any() == Some(true);
                self.reap();
                if is_over {
                    break;
                }
            }
            let leave_by = Instant::now() + GRACE;
            while self.reap() && Instant::now() < leave_by {
                let _ = wait_for(&mut [readable(self.deaths.as_fd())], Some(leave_by));
            }
            Ok(())
        })
    }

    /// Whether any goes on.
    fn reap(&self) -> bool {
        // One signal may stand for many deaths.
        let _ = self.deaths.read_signal();
        sys::reap_own()
    }
}
