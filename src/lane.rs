//! One connection to a handler: a line goes out, a line comes back.

use std::fmt;
use std::io;
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags};
use nix::sys::socket::{MsgFlags, recv, send};

use crate::descriptor::{has_unread, out_of_the_way};
use crate::verdict::{ANSWER_BYTES, RUNNER_LINE_BYTES};
use crate::wait::{For, Watch, wait_for};

/// More than this are not sent ahead: a handler that hangs has them.
pub const MOST_AHEAD: usize = 32;

/// What one line has made larger than this is given back after it.
const KEPT_BYTES: usize = 64 * 1024;

/// A number that no other lane of this process has, nor anything else that is watched beside lanes.
pub fn new_id() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(100);
    LAST.fetch_add(1, Ordering::Relaxed)
}

pub struct Lane {
    pub id: u64,
    /// How many lines may be sent to the handler before it has answered those before them.
    pub ahead: usize,
    /// Whether the handler itself ends what takes too long, and answers then.
    pub keeps_time: bool,
    stream: UnixStream,
    out: String,
    sent: usize,
    /// A line that comes here may have so many bytes.
    limit: usize,
    input: Vec<u8>,
    /// How much of `input` holds no line's end.
    searched: usize,
    /// The longest that a read waits at a time.
    patience: Duration,
    watch: Option<Arc<Watch>>,
    /// At first what `watch_in` begins with.
    watched: For,
}

/// Why an exchange brought no answer.
#[derive(Debug)]
pub enum Failed {
    TimedOut,
    /// The handler is gone, before it can have read the line or after.
    Gone {
        error: io::Error,
        unread: bool,
    },
    /// What it says is longer than this, as no answer may be.
    TooLong(usize),
}

impl Failed {
    /// The kernel resets a connection that was closed with something in it that nobody has read.
    fn by_reading(error: io::Error) -> Failed {
        let unread = error.kind() == io::ErrorKind::ConnectionReset;
        Failed::Gone { error, unread }
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Failed::TimedOut => f.write_str("no answer in time"),
            Failed::Gone { error, .. } => error.fmt(f),
            Failed::TooLong(limit) => write!(f, "more than {limit} bytes in a line: an answer may have no more"),
        }
    }
}

impl AsFd for Lane {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

impl Lane {
    pub fn new(id: u64, stream: UnixStream) -> Self {
        let stream = out_of_the_way(stream);
        let (out, input) = (String::new(), Vec::new());
        let (limit, patience, watch, watched) = (ANSWER_BYTES, Duration::MAX, None, For::Input);
        Lane {
            id,
            ahead: 0,
            keeps_time: false,
            stream,
            out,
            sent: 0,
            limit,
            input,
            searched: 0,
            patience,
            watch,
            watched,
        }
    }

    /// A runner is at the other end: it keeps the time, and its lines have more in them than a program's answer.
    pub fn is_runners(&mut self) {
        (self.keeps_time, self.limit) = (true, RUNNER_LINE_BYTES);
    }

    /// Has its owner watch for this from now on, if it is watched.
    pub fn watch(&mut self, what: For) {
        if let Some(watch) = self.watch.as_ref().filter(|_| self.watched != what) {
            // It fails only for what is not watched at all.
            let _ = watch.change(&self.stream, self.id, what);
            self.watched = what;
        }
    }

    /// Begins that; events bear its number.
    pub fn watch_in(&mut self, watch: &Arc<Watch>) -> io::Result<()> {
        watch.add(&self.stream, self.id, For::Input)?;
        self.watch = Some(Arc::clone(watch));
        Ok(())
    }

    /// Whether there is something left to send.
    pub fn is_sending(&self) -> bool {
        self.sent < self.out.len()
    }

    /// Begins to send the lines that `write` appends: what is possible without blocking.
    pub fn send(&mut self, write: impl FnOnce(&mut String)) -> Result<(), Failed> {
        self.start(write);
        self.send_some().map_err(|error| Failed::Gone { error, unread: true })
    }

    fn start(&mut self, write: impl FnOnce(&mut String)) {
        self.out.clear();
        self.sent = 0;
        write(&mut self.out);
    }

    /// Sends and receives what is possible without blocking; the answer's line once it is whole, without its `\n`.
    pub fn advance(&mut self) -> Result<Option<Vec<u8>>, Failed> {
        self.send_some().map_err(|error| Failed::Gone { error, unread: true })?;
        if let Some(line) = self.take_line()? {
            return Ok(Some(line));
        }
        self.receive_some(MsgFlags::MSG_DONTWAIT)?;
        self.take_line()
    }

    fn send_some(&mut self) -> io::Result<()> {
        while self.sent < self.out.len() {
            // Without MSG_NOSIGNAL a handler that is gone would end Kea by SIGPIPE.
            let flags = MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT;
            match send(self.stream.as_raw_fd(), &self.out.as_bytes()[self.sent..], flags) {
                Ok(n) => self.sent += n,
                Err(Errno::EAGAIN) => return Ok(()),
                Err(Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.out.clear();
        self.out.shrink_to(KEPT_BYTES);
        self.sent = 0;
        Ok(())
    }

    /// Reads what there is, up to a line's end or more than a line may have; without `MSG_DONTWAIT` it waits for something,
    /// once.
    fn receive_some(&mut self, flags: MsgFlags) -> Result<(), Failed> {
        let mut chunk = [0; 1024];
        loop {
            let n = match recv(self.stream.as_raw_fd(), &mut chunk, flags) {
                Ok(0) => return Err(self.closed()),
                Ok(n) => n,
                Err(Errno::EAGAIN) => return Ok(()),
                Err(Errno::EINTR) => continue,
                Err(error) => return Err(Failed::by_reading(error.into())),
            };
            self.input.extend_from_slice(&chunk[..n]);
            if chunk[..n].contains(&b'\n') || self.input.len() > self.limit || flags.is_empty() {
                return Ok(());
            }
        }
    }

    /// The end of the stream. The runner ends it before it closes it, and only the latter resets it.
    fn closed(&self) -> Failed {
        let error = io::Error::new(io::ErrorKind::UnexpectedEof, "connection closed");
        // In this order: the kernel notes the reset before it throws away what nobody has read.
        let unread = has_unread(&self.stream) || matches!(self.stream.take_error(), Ok(Some(_)));
        Failed::Gone { error, unread }
    }

    fn take_line(&mut self) -> Result<Option<Vec<u8>>, Failed> {
        let end = self.input[self.searched..].iter().position(|&byte| byte == b'\n').map(|end| self.searched + end);
        if end.unwrap_or(self.input.len()) > self.limit {
            return Err(Failed::TooLong(self.limit));
        }
        let Some(end) = end else {
            self.searched = self.input.len();
            return Ok(None);
        };
        self.searched = 0;
        let rest = self.input.split_off(end + 1);
        let mut line = std::mem::replace(&mut self.input, rest);
        line.pop();
        Ok(Some(line))
    }

    /// What to poll for.
    pub fn poll_fd(&self) -> PollFd<'_> {
        let sending = if self.is_sending() { PollFlags::POLLOUT } else { PollFlags::empty() };
        PollFd::new(self.stream.as_fd(), PollFlags::POLLIN | sending)
    }

    /// Sends the line that `write` appends and waits for the answer, no longer than `deadline`.
    pub fn exchange(&mut self, write: impl FnOnce(&mut String), deadline: Instant) -> Result<Vec<u8>, Failed> {
        self.start(write);
        self.receive(deadline)
    }

    /// Lets a read wait for most of `left`; what serves for one event does for the next.
    fn be_patient(&mut self, left: Duration) -> io::Result<()> {
        if self.patience > left || self.patience < left / 2 {
            // Zero would mean for ever.
            self.patience = (left * 7 / 8).max(Duration::from_millis(1));
            self.stream.set_read_timeout(Some(self.patience))?;
        }
        Ok(())
    }

    /// Says that nothing more will come.
    pub fn hang_up(&self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Waits for the answer to what has been started.
    pub fn receive(&mut self, deadline: Instant) -> Result<Vec<u8>, Failed> {
        loop {
            self.send_some().map_err(|error| Failed::Gone { error, unread: true })?;
            if let Some(line) = self.take_line()? {
                return Ok(line);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Failed::TimedOut);
            }
            if self.out.is_empty() {
                // One system call, where poll(2) would have a read before it and one after.
                self.be_patient(left).map_err(Failed::by_reading)?;
                self.receive_some(MsgFlags::empty())?;
            } else {
                wait_for(&mut [self.poll_fd()], Some(deadline)).map_err(Failed::by_reading)?;
            }
        }
    }
}

impl Drop for Lane {
    /// The runner may hold our end of a daemon's lane, too: the daemon has to see the end of its input all the same, and we
    /// nothing more of the lane.
    fn drop(&mut self) {
        self.hang_up();
        self.watch.iter().for_each(|watch| watch.forget(&self.stream));
    }
}

#[cfg(test)]
mod tests;
