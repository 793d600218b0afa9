//! Pipes of scripts that have ended, held open by what they left running in the background. Somebody has to read
//! them, or those processes would stop, or die of SIGPIPE.

use std::io;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};

use super::output::{Lines, Source, Stream};
use crate::verdict::LogLine;

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
    reader: bool,
}

impl Leftovers {
    pub fn new() -> nix::Result<Arc<Leftovers>> {
        let arrival = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
        Ok(Arc::new(Leftovers { state: Mutex::default(), arrival }))
    }

    /// Keeps a stream of a script that has ended for as long as somebody can write to it.
    pub fn keep(self: &Arc<Self>, stream: Stream) -> io::Result<()> {
        let mut state = self.state();
        if !state.reader {
            let leftovers = Arc::clone(self);
            thread::Builder::new().name("leftovers".into()).spawn(move || leftovers.read_all())?;
            state.reader = true;
        }
        state.arrived.push(stream);
        self.arrival.write(1)?;
        Ok(())
    }

    /// What the background has written since the last time.
    pub fn take_lines(&self) -> Vec<LogLine> {
        self.state().lines.take()
    }

    fn read_all(&self) {
        let mut streams: Vec<Stream> = Vec::new();
        loop {
            let ready = self.wait(&streams);
            let mut state = self.state();
            let mut ready = ready.into_iter();
            streams
                .retain_mut(|stream| !ready.next().unwrap_or(false) || stream.read(&mut state.lines) == Source::Open);
            streams.append(&mut state.arrived);
            let too_many = streams.len().saturating_sub(PIPES);
            streams.drain(..too_many).for_each(|mut oldest| oldest.end_of_stream(&mut state.lines));
        }
    }

    /// Which of the streams can be read, once one can or another one has arrived.
    fn wait(&self, streams: &[Stream]) -> Vec<bool> {
        let readable = |fd| PollFd::new(fd, PollFlags::POLLIN);
        let mut fds: Vec<PollFd> = streams.iter().map(|stream| readable(stream.as_fd())).collect();
        fds.push(readable(self.arrival.as_fd()));
        let _ = poll(&mut fds, PollTimeout::NONE);
        let _ = self.arrival.read();
        fds.iter().take(streams.len()).map(|fd| fd.any().unwrap_or(true)).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
