//! Waiting for descriptors.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::{EfdFlags, EventFd};

use crate::syscall::failed;

/// A number that threads count up to wake another (eventfd(2)).
pub fn calls() -> io::Result<EventFd> {
    let made = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK);
    made.map_err(|error| io::Error::other(failed("eventfd2", error)))
}

/// Waits for something to read, the end included.
pub fn readable(fd: BorrowedFd<'_>) -> PollFd<'_> {
    PollFd::new(fd, PollFlags::POLLIN)
}

/// Waits until something happens, no longer than `deadline`; a signal is something too.
pub fn wait_for(fds: &mut [PollFd], deadline: Option<Instant>) -> io::Result<()> {
    let timeout = deadline
        .map_or(PollTimeout::NONE, |deadline| PollTimeout::try_from(left(deadline)).unwrap_or(PollTimeout::MAX));
    match poll(fds, timeout) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Rounded up to milliseconds: who wakes too early would only wait again, all through the last of them.
fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now()) + Duration::from_micros(999)
}

/// Descriptors that one thread waits for, each with a number; any thread may say for what (epoll(7)).
pub struct Watch(Epoll);

/// What happens to a descriptor.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum For {
    /// That it hangs up; said once.
    HangUp,
    Input,
    /// Input, or room for output.
    Both,
    /// That somebody has written to an eventfd, said once for each time: it need not be read.
    Calls,
}

impl For {
    fn event(self, number: u64) -> EpollEvent {
        let flags = match self {
            For::HangUp => EpollFlags::EPOLLONESHOT,
            For::Input => EpollFlags::EPOLLIN,
            For::Both => EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT,
            For::Calls => EpollFlags::EPOLLIN | EpollFlags::EPOLLET,
        };
        EpollEvent::new(flags, number)
    }
}

impl Watch {
    pub fn new() -> io::Result<Watch> {
        let made = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC);
        Ok(Watch(made.map_err(|error| io::Error::other(failed("epoll_create1", error)))?))
    }

    /// It is watched until it is closed.
    pub fn add(&self, fd: impl AsFd, number: u64, what: For) -> io::Result<()> {
        Ok(self.0.add(fd, what.event(number))?)
    }

    /// It is watched no more, if it was.
    pub fn forget(&self, fd: impl AsFd) {
        let _ = self.0.delete(fd);
    }

    pub fn change(&self, fd: impl AsFd, number: u64, what: For) -> io::Result<()> {
        Ok(self.0.modify(fd, &mut what.event(number))?)
    }

    /// Numbers of descriptors to which something has happened by `deadline`.
    pub fn wait(&self, deadline: Option<Instant>) -> io::Result<Vec<u64>> {
        const AT_ONCE: usize = 64;
        let timeout = deadline
            .map_or(EpollTimeout::NONE, |deadline| EpollTimeout::try_from(left(deadline)).unwrap_or(EpollTimeout::MAX));
        let mut events = [EpollEvent::empty(); AT_ONCE];
        match self.0.wait(&mut events, timeout) {
            Ok(count) => Ok(events[..count].iter().map(EpollEvent::data).collect()),
            Err(Errno::EINTR) => Ok(Vec::new()),
            Err(error) => Err(error.into()),
        }
    }
}
