//! A connection: startup, then messages, one after the other. Who is slow or idle is hung up on.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::bridge::Bridge;
use crate::frame::{self, Broken, MESSAGE_BYTES};
use crate::log::Throttle;
use crate::session::Session;

/// A message has to come within this time, from its first byte to its last. A stranger has as long, in all, to sign one.
const PATIENCE: Duration = Duration::from_secs(10);
/// A client with a key may say nothing for so long.
const IDLE: Duration = Duration::from_secs(3600);
/// Who has not signed yet opens a key, which takes a hundred bytes.
const STRANGER_BYTES: usize = 4 << 10;

static BROKEN: Throttle = Throttle::new();

/// Serves a client until it goes, or has to.
pub fn converse(stream: TcpStream, bridge: Arc<Bridge>) {
    let peer = stream.peer_addr().map(|address| address.to_string()).unwrap_or_default();
    match serve(&stream, bridge, &peer) {
        Err(Broken::Protocol(what)) => BROKEN.warn(format_args!("{peer}: {what}")),
        Ok(()) | Err(Broken::Read(_)) => {}
    }
}

fn serve(stream: &TcpStream, bridge: Arc<Bridge>, peer: &str) -> Result<(), Broken> {
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let strangers = Instant::now() + PATIENCE;
    let mut input = BufReader::new(Timed { stream, deadline: strangers });
    let mut output = stream;
    output.write_all(&frame::startup())?;
    let header_bytes = frame::read_startup(&mut input)?;
    let mut session = Session::new(bridge, peer.into());
    loop {
        let is_trusted = session.is_trusted();
        let most = if is_trusted { MESSAGE_BYTES } else { STRANGER_BYTES };
        let within = |time| if is_trusted { Instant::now() + time } else { strangers };
        input.get_mut().deadline = within(IDLE);
        if input.fill_buf()?.is_empty() {
            return Ok(());
        }
        input.get_mut().deadline = within(PATIENCE);
        let received = frame::read(&mut input, header_bytes, most)?;
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
