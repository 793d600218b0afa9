//! Kea's control socket: one command a connection, and Kea hangs up after its answer.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

/// Sends one command, and returns the whole answer.
///
/// # Errors
/// If nobody listens there, if the answer is not complete after `patience`, or if it has more than `most` bytes.
pub fn exchange(socket: &Path, command: &[u8], patience: Duration, most: usize) -> io::Result<Vec<u8>> {
    let deadline = Instant::now() + patience;
    let left = || Some(deadline.saturating_duration_since(Instant::now())).filter(|left| !left.is_zero());
    let mut stream = UnixStream::connect(socket)?;
    stream.set_write_timeout(left())?;
    // Who hangs up at once may have said why.
    let written = stream.write_all(command);
    let (mut answer, mut chunk) = (Vec::new(), [0; 16 * 1024]);
    loop {
        let left =
            left().ok_or_else(|| io::Error::other(format!("no whole answer within {} s", patience.as_secs())))?;
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut chunk)? {
            0 if answer.is_empty() => return written.map(|()| answer),
            0 => return Ok(answer),
            n => answer.extend_from_slice(&chunk[..n]),
        }
        if answer.len() > most {
            return Err(io::Error::other(format!("says more than {most} bytes: is it a Kea?")));
        }
    }
}
