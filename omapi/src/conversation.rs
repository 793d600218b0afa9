//! A connection: startup, then messages, one after the other. Who is slow or idle is hung up on.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::bridge::Bridge;
use crate::frame::{self, Broken, MESSAGE_BYTES};
use crate::log::Throttle;
use crate::places::Client;
use crate::session::Session;

/// A message has to come within this time, from its first byte to its last. A stranger has as long, in all, to name a key.
const PATIENCE: Duration = Duration::from_secs(10);
/// Who has named a key has so long to sign something: omshell does so when its user says what to look for.
const NAMED: Duration = Duration::from_secs(600);
/// A client that has signed may say nothing for so long.
const IDLE: Duration = Duration::from_secs(3600);
/// Who has not named a key yet does so, in a hundred bytes; who has, and has signed nothing new, gets no more room than a
/// change needs.
const STRANGER_BYTES: usize = 4 << 10;
const NAMED_BYTES: usize = 64 << 10;

static BROKEN: Throttle = Throttle::new();
static SLOW: Throttle = Throttle::new();

/// Serves a client until it goes, or has to.
pub fn converse(stream: &TcpStream, bridge: Arc<Bridge>, client: &Arc<Client>) {
    let peer = stream.peer_addr().map(|address| address.to_string()).unwrap_or_default();
    match serve(stream, bridge, &peer, client) {
        Err(Broken::Protocol(what)) => BROKEN.warn(format_args!("{peer}: {what}")),
        Err(Broken::Read(error)) if matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock) => {
            SLOW.warn(format_args!("{peer} is hung up on: it has said, or signed, nothing for too long"));
        }
        Ok(()) | Err(Broken::Read(_)) => {}
    }
}

fn serve(stream: &TcpStream, bridge: Arc<Bridge>, peer: &str, client: &Arc<Client>) -> Result<(), Broken> {
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let come = Instant::now();
    let mut input = BufReader::new(Timed { stream, deadline: come + PATIENCE });
    let mut output = stream;
    output.write_all(&frame::startup())?;
    frame::read_startup(&mut input)?;
    let mut session = Session::new(bridge, client.clone(), peer.into());
    while !client.is_gone() {
        let (most, latest) = match (session.is_trusted(), session.signed()) {
            (true, _) => (MESSAGE_BYTES, Instant::now() + IDLE),
            (false, Some(signed)) => (NAMED_BYTES, signed + NAMED),
            (false, None) => (STRANGER_BYTES, come + PATIENCE),
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
    Ok(())
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
