//! A connection: startup, then messages, one after the other. Who is slow or idle is hung up on.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::bridge::Bridge;
use crate::frame::{self, Broken, MESSAGE_BYTES};
use crate::log::Throttle;
use crate::session::Session;

/// A message has to come within this time, from its first byte to its last. A stranger has as long, in all, to name a key.
const PATIENCE: Duration = Duration::from_secs(10);
/// Who has named a key has as long, in all, to sign something: omshell does so when its user says what to look for.
const NAMED: Duration = Duration::from_secs(600);
/// A client that has signed may say nothing for so long.
const IDLE: Duration = Duration::from_secs(3600);
/// Who has not signed yet opens a key, which takes a hundred bytes.
const STRANGER_BYTES: usize = 4 << 10;

static BROKEN: Throttle = Throttle::new();
static SLOW: Throttle = Throttle::new();

/// Serves a client until it goes, or has to.
pub fn converse(stream: &TcpStream, bridge: Arc<Bridge>, is_stranger: &AtomicBool) {
    let peer = stream.peer_addr().map(|address| address.to_string()).unwrap_or_default();
    match serve(stream, bridge, &peer, is_stranger) {
        Err(Broken::Protocol(what)) => BROKEN.warn(format_args!("{peer}: {what}")),
        Err(Broken::Read(error)) if matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock) => {
            SLOW.warn(format_args!("{peer} is hung up on: it has said, or signed, nothing for too long"));
        }
        Ok(()) | Err(Broken::Read(_)) => {}
    }
}

fn serve(stream: &TcpStream, bridge: Arc<Bridge>, peer: &str, is_stranger: &AtomicBool) -> Result<(), Broken> {
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let come = Instant::now();
    let mut input = BufReader::new(Timed { stream, deadline: come + PATIENCE });
    let mut output = stream;
    output.write_all(&frame::startup())?;
    frame::read_startup(&mut input)?;
    let mut session = Session::new(bridge, peer.into());
    loop {
        is_stranger.store(!session.is_trusted(), Ordering::Relaxed);
        let (most, latest) = match (session.is_trusted(), session.has_named_key()) {
            (true, _) => (MESSAGE_BYTES, Instant::now() + IDLE),
            (false, true) => (STRANGER_BYTES, come + NAMED),
            (false, false) => (STRANGER_BYTES, come + PATIENCE),
        };
        input.get_mut().deadline = latest;
        if input.fill_buf()?.is_empty() {
            return Ok(());
        }
        input.get_mut().deadline = latest.min(Instant::now() + PATIENCE);
        let received = frame::read(&mut input, most)?;
        match session.serve(&received) {
            Some(answer) => output.write_all(&answer)?,
            None => return Ok(()),
        }
    }
}

/// A connection that is read up to a moment.
struct Timed<'a> {
    stream: &'a TcpStream,
    deadline: Instant,
}

impl Read for Timed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.stream.set_read_timeout(Some(left))?;
        self.stream.read(buffer)
    }
}
