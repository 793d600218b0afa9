//! Waiting for descriptors.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// Waits for something to read, the end included.
pub fn readable(fd: BorrowedFd<'_>) -> PollFd<'_> {
    PollFd::new(fd, PollFlags::POLLIN)
}

/// Waits until something happens, no longer than `deadline`; a signal is something too.
pub fn wait_for(fds: &mut [PollFd], deadline: Option<Instant>) -> io::Result<()> {
    let timeout = deadline.map_or(PollTimeout::NONE, |deadline| {
        // Rounded up: a poll that returns early would only be called again, all through the last millisecond.
        let left = deadline.saturating_duration_since(Instant::now()) + Duration::from_micros(999);
        PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)
    });
    match poll(fds, timeout) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
