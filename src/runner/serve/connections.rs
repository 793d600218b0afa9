//! The connections of a service, in the order in which they came.

use std::collections::BTreeMap;
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use std::{io, mem};

use nix::poll::{PollFd, PollFlags};
use nix::sys::eventfd::EventFd;

use crate::wait::{self, wait_for};

pub struct Connections {
    open: Mutex<Numbered>,
    has_ended: Condvar,
    news: EventFd,
    is_ending: AtomicBool,
}

#[derive(Default)]
struct Numbered {
    last: u64,
    by_number: BTreeMap<u64, One>,
}

struct One {
    stream: Arc<UnixStream>,
    /// Whose it is, as its greeting has said.
    server: String,
}

/// One of them, until it is dropped.
pub struct Connection<'a> {
    all: &'a Connections,
    number: u64,
    pub stream: Arc<UnixStream>,
}

impl Connections {
    pub fn new() -> io::Result<Connections> {
        let (open, has_ended, is_ending) = (Mutex::default(), Condvar::new(), AtomicBool::new(false));
        Ok(Connections { open, has_ended, news: wait::calls()?, is_ending })
    }

    pub fn add(&self, stream: UnixStream) -> Connection<'_> {
        let stream = Arc::new(stream);
        let mut open = self.lock();
        open.last += 1;
        let number = open.last;
        open.by_number.insert(number, One { stream: Arc::clone(&stream), server: String::new() });
        Connection { all: self, number, stream }
    }

    pub fn count(&self) -> usize {
        self.lock().by_number.len()
    }

    /// Whether any has ended since the last time, which can be waited for.
    pub fn look(&self) {
        let _ = self.news.read();
    }

    /// Takes no more events: those that have come and not begun are for another time.
    pub fn end(&self) {
        self.is_ending.store(true, Ordering::Relaxed);
        self.lock().by_number.values().for_each(|one| drop(one.stream.shutdown(Shutdown::Read)));
    }

    pub fn is_ending(&self) -> bool {
        self.is_ending.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Numbered> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsFd for Connections {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.news.as_fd()
    }
}

impl Connection<'_> {
    /// Waits until those of this server that came before and have been hung up have come to their end: a Kea that was killed
    /// has left them at work, and the next one may have events of the same client or lease.
    pub fn wait_for_those_before(&self, server: &str) {
        let mut open = self.all.lock();
        if let Some(one) = open.by_number.get_mut(&self.number) {
            one.server = server.into();
        }
        let counts = |other: &One| other.server == server && is_gone(&other.stream);
        while open.by_number.range(..self.number).any(|(_, other)| counts(other)) {
            open = self.all.has_ended.wait(open).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for Connection<'_> {
    fn drop(&mut self) {
        mem::drop(self.all.lock().by_number.remove(&self.number));
        self.all.has_ended.notify_all();
        // It can only fail when nobody has looked for 2^64 times.
        let _ = self.all.news.write(1);
    }
}

/// Whether the other side has closed it. One that has only ended what it says may never read our answers.
fn is_gone(stream: &UnixStream) -> bool {
    let mut fds = [PollFd::new(stream.as_fd(), PollFlags::empty())];
    let _ = wait_for(&mut fds, Some(Instant::now()));
    fds[0].revents().is_some_and(|happened| happened.contains(PollFlags::POLLHUP))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{RecvTimeoutError, channel};
    use std::thread;
    use std::time::Duration;

    use super::*;

    const MOMENT: Duration = Duration::from_millis(50);

    #[test]
    fn one_waits_for_those_before_that_are_hung_up_and_for_no_other() {
        let connections = Connections::new().unwrap();
        let (ends, streams): (Vec<_>, Vec<_>) = (0..4).map(|_| UnixStream::pair().unwrap()).unzip();
        let mut ends: Vec<_> = ends.into_iter().map(Some).collect();
        let mut all: Vec<_> = streams.into_iter().map(|stream| Some(connections.add(stream))).collect();
        all.iter().flatten().for_each(|one| one.wait_for_those_before("kea"));
        let waiting = all[2].take().unwrap();
        waiting.wait_for_those_before("kea");
        (ends[0], ends[3]) = (None, None);
        thread::scope(|scope| {
            let (tell, told) = channel();
            scope.spawn(move || {
                waiting.wait_for_those_before("kea");
                tell.send(()).unwrap();
            });
            assert_eq!(told.recv_timeout(MOMENT), Err(RecvTimeoutError::Timeout));
            all[0] = None;
            told.recv().unwrap();
        });
        assert_eq!(connections.count(), 2);
    }

    #[test]
    fn none_waits_for_another_server() {
        let connections = Connections::new().unwrap();
        let [four, six] = [0, 1].map(|_| connections.add(UnixStream::pair().unwrap().0));
        four.wait_for_those_before("kea-dhcp4");
        six.wait_for_those_before("kea-dhcp6");
    }

    #[test]
    fn two_that_are_hung_up_do_not_wait_for_each_other() {
        let connections = Connections::new().unwrap();
        let both: Vec<_> = (0..2).map(|_| connections.add(UnixStream::pair().unwrap().0)).collect();
        thread::scope(|scope| {
            both.into_iter().for_each(|one| drop(scope.spawn(move || one.wait_for_those_before("kea"))))
        });
    }
}
