//! Pipes of scripts that have ended, held open by what they left running in the background. Somebody has to read
//! them, or those processes would stop, or die of SIGPIPE.

use std::io;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use nix::poll::PollFd;
use nix::sys::eventfd::EventFd;

use super::output::{self, Lines, Stream};
use crate::syscall::failed;
use crate::verdict::LogLine;
use crate::wait::{self, readable, wait_for};

/// Beyond it the oldest is closed.
const PIPES: usize = 64;

pub struct Leftovers {
    state: Mutex<State>,
    arrival: EventFd,
}

#[derive(Default)]
struct State {
    arrived: Vec<Stream>,
    lines: Lines,
}

impl Leftovers {
    /// Starts the thread that reads them.
    pub fn new() -> io::Result<Arc<Leftovers>> {
        let arrival = wait::calls()?;
        let leftovers = Arc::new(Leftovers { state: Mutex::default(), arrival });
        let reader = Arc::clone(&leftovers);
        let thread = thread::Builder::new().name("leftovers".into()).spawn(move || reader.run());
        thread.map_err(|error| io::Error::other(failed("clone3", error)))?;
        Ok(leftovers)
    }

    /// Keeps a stream of a script that has ended for as long as somebody can write to it.
    pub fn keep(&self, stream: Stream) {
        self.state().arrived.push(stream);
        // It can only fail if nobody has looked at the arrivals for 2^64 times.
        let _ = self.arrival.write(1);
    }

    /// What the background has written since the last time.
    pub fn take_lines(&self) -> Vec<LogLine> {
        self.take().take()
    }

    pub fn take(&self) -> Lines {
        std::mem::take(&mut self.state().lines)
    }

    /// Counts lines that nobody else can speak of any more.
    pub fn leave_out(&self, lines: u64) {
        self.state().lines.leave_out(lines);
    }

    fn run(&self) {
        let mut streams: Vec<Stream> = Vec::new();
        loop {
            self.wait(&streams);
            streams.append(&mut self.state().arrived);
            // Not under the lock: every event looks for lines, and must not wait for somebody who writes without end.
            let mut lines = Lines::default();
            output::read_all(&mut streams, &mut lines);
            let too_many = streams.len().saturating_sub(PIPES);
            streams.drain(..too_many).for_each(|mut oldest| oldest.end_of_stream(&mut lines));
            self.state().lines.append(lines);
        }
    }

    /// Waits until one of the streams can be read or another one has arrived.
    fn wait(&self, streams: &[Stream]) {
        let mut fds: Vec<PollFd> = streams.iter().map(|stream| readable(stream.as_fd())).collect();
        fds.push(readable(self.arrival.as_fd()));
        let _ = wait_for(&mut fds, None);
        let _ = self.arrival.read();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{ErrorKind, Write};

    use super::*;
    use crate::verdict::Level;

    #[test]
    fn the_oldest_pipe_is_closed_when_there_are_too_many() {
        let leftovers = Leftovers::new().unwrap();
        let mut writers = Vec::new();
        for _ in 0..PIPES + 1 {
            let (stream, scripts) = Stream::new(Level::Info).unwrap();
            leftovers.keep(stream);
            writers.push(File::from(scripts));
        }
        let oldest = &mut writers[0];
        let error = std::iter::from_fn(|| Some(oldest.write_all(b"\n"))).find_map(Result::err).unwrap();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        for writer in &mut writers[1..] {
            writer.write_all(&[b'\n'; 128 * 1024]).unwrap();
        }
    }
}
