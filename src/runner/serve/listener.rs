//! What a service listens on: systemd hands it over (sd_listen_fds(3)), or we make it.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::{UnixListener, UnixStream};
use std::{io, process};

use nix::sys::socket::{AddressFamily, SockType, SockaddrLike, SockaddrStorage, getsockname, getsockopt, sockopt};

use crate::config::service::Service;
use crate::descriptor::owned;

/// Who may connect: its owner and its group.
const MODE: u32 = 0o660;

pub fn listen(service: &Service) -> Result<UnixListener, String> {
    let handed = sd_notify::listen_fds().and_then(|mut handed| match (handed.next(), handed.next()) {
        (None, _) => Ok(None),
        (Some(descriptor), None) => is_ours(descriptor).map(Some),
        _ => Err(io::Error::other("it hands over more than one")),
    });
    let listener = match handed.map_err(|error| format!("the socket that systemd listens on: {error}"))? {
        Some(listener) => listener,
        None => make(service).map_err(|error| format!("{}: {error}", service.socket.display()))?,
    };
    listener.set_nonblocking(true).map_err(|error| error.to_string())?;
    Ok(listener)
}

/// Of a number that the environment has named.
fn is_ours(descriptor: i32) -> io::Result<UnixListener> {
    let socket = owned(descriptor);
    let is_stream = getsockopt(&socket, sockopt::SockType)? == SockType::Stream;
    let address: SockaddrStorage = getsockname(descriptor)?;
    match is_stream && address.family() == Some(AddressFamily::Unix) && getsockopt(&socket, sockopt::AcceptConn)? {
        true => Ok(socket.into()),
        false => Err(io::Error::other("it is no listening stream of the Unix family: see ListenStream=")),
    }
}

/// A socket that only Kea can open, from the moment when it is there under its name.
fn make(service: &Service) -> io::Result<UnixListener> {
    let path = &*service.socket;
    if UnixStream::connect(path).is_ok() {
        return Err(io::Error::new(io::ErrorKind::AddrInUse, "somebody listens there already"));
    }
    let new = path.with_file_name(format!(".kea-runscript-runner.{}", process::id()));
    let _ = fs::remove_file(&new);
    let listener = UnixListener::bind(&new)?;
    let named = chown(&new, None, Some(service.kea_user.gid))
        .and_then(|()| fs::set_permissions(&new, Permissions::from_mode(MODE)))
        .and_then(|()| fs::rename(&new, path));
    if let Err(error) = named {
        let _ = fs::remove_file(&new);
        return Err(error);
    }
    Ok(listener)
}
