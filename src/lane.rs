//! One connection to a handler: a line goes out, a line comes back.

use std::io::{self, Read};
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::time::Instant;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags};
use nix::sys::socket::{MsgFlags, send};

use crate::wait::wait_for;

/// An answer longer than this is no answer.
const ANSWER_LIMIT: usize = 4 * 1024 * 1024;

pub struct Lane {
    /// Which of its owner's runners it leads to.
    pub generation: u64,
    stream: UnixStream,
    out: Vec<u8>,
    sent: usize,
    input: Vec<u8>,
}

/// Why an exchange brought no answer.
#[derive(Debug)]
pub enum Failed {
    TimedOut,
    /// The handler is gone, or does not keep to the protocol.
    Gone(io::Error),
}

impl Lane {
    pub fn new(stream: UnixStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Lane { generation: 0, stream, out: Vec::new(), sent: 0, input: Vec::new() })
    }

    /// The same lane, as one of this generation.
    pub fn of(self, generation: u64) -> Self {
        Lane { generation, ..self }
    }

    /// Makes `line` what is to be sent next.
    pub fn start(&mut self, line: Vec<u8>) {
        self.out = line;
        self.sent = 0;
    }

    /// Sends and receives what is possible without blocking; the answer's line once it is whole, without its `\n`.
    pub fn advance(&mut self) -> io::Result<Option<Vec<u8>>> {
        self.send_some()?;
        match self.take_line() {
            Some(line) => Ok(Some(line)),
            None => {
                self.receive_some()?;
                Ok(self.take_line())
            }
        }
    }

    fn send_some(&mut self) -> io::Result<()> {
        while self.sent < self.out.len() {
            // Without MSG_NOSIGNAL a handler that is gone would end Kea by SIGPIPE.
            match send(self.stream.as_raw_fd(), &self.out[self.sent..], MsgFlags::MSG_NOSIGNAL) {
                Ok(n) => self.sent += n,
                Err(Errno::EAGAIN) => return Ok(()),
                Err(Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.out = Vec::new();
        self.sent = 0;
        Ok(())
    }

    fn receive_some(&mut self) -> io::Result<()> {
        let mut chunk = [0; 4096];
        loop {
            let n = match (&self.stream).read(&mut chunk) {
                Ok(0) => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "connection closed")),
                Ok(n) => n,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            self.input.extend_from_slice(&chunk[..n]);
            if chunk[..n].contains(&b'\n') {
                return Ok(());
            }
            if self.input.len() > ANSWER_LIMIT {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "answer too long"));
            }
        }
    }

    fn take_line(&mut self) -> Option<Vec<u8>> {
        let end = self.input.iter().position(|&byte| byte == b'\n')?;
        let rest = self.input.split_off(end + 1);
        let mut line = std::mem::replace(&mut self.input, rest);
        line.pop();
        Some(line)
    }

    /// What to poll for.
    pub fn poll_fd(&self) -> PollFd<'_> {
        let sending = if self.sent < self.out.len() { PollFlags::POLLOUT } else { PollFlags::empty() };
        PollFd::new(self.stream.as_fd(), PollFlags::POLLIN | sending)
    }

    /// Sends `line` and waits for the answer, no longer than `deadline`.
    pub fn exchange(&mut self, line: Vec<u8>, deadline: Instant) -> Result<Vec<u8>, Failed> {
        self.start(line);
        self.receive(deadline)
    }

    /// Sends what has been started, no later than `deadline`, and says that nothing more will come.
    pub fn hang_up(&mut self, deadline: Instant) -> io::Result<()> {
        self.send_some()?;
        while !self.out.is_empty() && Instant::now() < deadline {
            let mut fds = [PollFd::new(self.stream.as_fd(), PollFlags::POLLOUT)];
            wait_for(&mut fds, Some(deadline))?;
            self.send_some()?;
        }
        self.stream.shutdown(Shutdown::Write)
    }

    /// Waits for the answer to what has been started.
    pub fn receive(&mut self, deadline: Instant) -> Result<Vec<u8>, Failed> {
        loop {
            if let Some(answer) = self.advance().map_err(Failed::Gone)? {
                return Ok(answer);
            }
            if Instant::now() >= deadline {
                return Err(Failed::TimedOut);
            }
            wait_for(&mut [self.poll_fd()], Some(deadline)).map_err(Failed::Gone)?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::time::Duration;

    fn pair() -> (Lane, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        (Lane::new(ours).unwrap(), theirs)
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(5)
    }

    #[test]
    fn a_long_line_goes_out_and_an_answer_comes_back() {
        let (mut lane, theirs) = pair();
        let handler = std::thread::spawn(move || {
            let mut lines = io::BufRead::split(io::BufReader::new(theirs.try_clone().unwrap()), b'\n');
            let length = lines.next().unwrap().unwrap().len();
            writeln!(&theirs, "{length}").unwrap();
        });
        let mut line = vec![b'x'; 3_000_000];
        line.push(b'\n');
        assert_eq!(lane.exchange(line, soon()).unwrap(), b"3000000");
        handler.join().unwrap();
    }

    #[test]
    fn a_silent_handler_is_not_waited_for_beyond_the_deadline() {
        let (mut lane, _theirs) = pair();
        let deadline = Instant::now() + Duration::from_millis(30);
        assert!(matches!(lane.exchange(b"x\n".to_vec(), deadline), Err(Failed::TimedOut)));
    }

    #[test]
    fn a_handler_that_is_gone_is_noticed() {
        let (mut lane, theirs) = pair();
        drop(theirs);
        assert!(matches!(lane.exchange(b"x\n".to_vec(), soon()), Err(Failed::Gone(_))));
    }

    #[test]
    fn several_lines_at_once_are_several_answers() {
        let (mut lane, mut theirs) = pair();
        theirs.write_all(b"one\ntwo\nthr").unwrap();
        assert_eq!(lane.receive(soon()).unwrap(), b"one");
        assert_eq!(lane.receive(soon()).unwrap(), b"two");
        theirs.write_all(b"ee\n").unwrap();
        assert_eq!(lane.receive(soon()).unwrap(), b"three");
    }

    #[test]
    fn an_endless_answer_is_given_up() {
        let (mut lane, theirs) = pair();
        let flood = std::thread::spawn(move || while (&theirs).write_all(&[b'x'; 4096]).is_ok() {});
        assert!(matches!(lane.exchange(b"x\n".to_vec(), soon()), Err(Failed::Gone(_))));
        drop(lane);
        flood.join().unwrap();
    }
}
