//! A handler that is already there, behind a Unix socket.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::Path;

use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, UnixAddr, connect as connect_socket, getsockopt, socket, sockopt,
};
use nix::unistd::Uid;

use super::programs::warn;
use crate::trust;

/// A connection to whoever listens there.
pub fn connect(path: &Path, strict: bool) -> Result<UnixStream, String> {
    let failed = |reason: String| format!("parameter \"socket\": \"{}\": {reason}", path.display());
    let stream = open(path).map_err(|error| failed(explain(error)))?;
    let listener = getsockopt(&stream, sockopt::PeerCredentials).map_err(|error| failed(error.to_string()))?.uid();
    match distrust(path, listener) {
        Ok(None) => {}
        Ok(Some(reason)) => return Err(failed(reason)),
        Err(error) => return Err(failed(error.to_string())),
    }
    warn(path, trust::socket(path, listener, strict).map_err(failed)?);
    Ok(stream)
}

/// Without waiting: connect(2) would block for as long as the other side's backlog is full.
fn open(path: &Path) -> io::Result<UnixStream> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    connect_socket(std::os::fd::AsRawFd::as_raw_fd(&socket), &UnixAddr::new(path)?)?;
    let stream = UnixStream::from(socket);
    stream.set_nonblocking(false)?;
    Ok(stream)
}

fn explain(error: io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => format!("{error}; start the handler, or mend the path"),
        io::ErrorKind::ConnectionRefused => format!("{error}; nobody listens there: start the handler"),
        io::ErrorKind::PermissionDenied => {
            format!("{error}; Kea's user must be able to write it and to enter every directory on the way")
        }
        io::ErrorKind::WouldBlock => "the handler does not take connections fast enough".into(),
        _ => error.to_string(),
    }
}

/// Why we do not obey whoever listens. The kernel knows who that is, and only the owner of a directory, or root, can
/// have let anybody else put a socket there.
fn distrust(path: &Path, listener: u32) -> io::Result<Option<String>> {
    let directory = path.parent().map(fs::metadata).transpose()?.map(|metadata| metadata.uid());
    let trusted = [Some(0), Some(Uid::effective().as_raw()), directory];
    let reason = format!(
        "the one who listens there, user {listener}, is neither root, nor Kea's user, nor the owner of the socket's \
         directory; put it into a directory of his own"
    );
    Ok((!trusted.contains(&Some(listener))).then_some(reason))
}
