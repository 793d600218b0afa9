//! What neither std nor nix can do with a descriptor.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;

use nix::fcntl::{FcntlArg, fcntl};

/// The stream under a number that Kea's select(2) cannot take, where the limit of open files allows that: a thousand
/// lanes of ours would leave Kea none that it can take, and it aborts then.
pub fn out_of_the_way(stream: UnixStream) -> UnixStream {
    fcntl(&stream, FcntlArg::F_DUPFD_CLOEXEC(libc::FD_SETSIZE as RawFd)).map_or(stream, adopt)
}

fn adopt(descriptor: RawFd) -> UnixStream {
    // SAFETY: fcntl has just made it for us; nobody else knows its number.
    unsafe { UnixStream::from_raw_fd(descriptor) }
}

/// Whether something that we have sent has not been read yet.
pub fn has_unread(stream: &UnixStream) -> bool {
    let mut bytes: libc::c_int = 0;
    // SAFETY: the kernel writes one int (unix(7): SIOCOUTQ, which is TIOCOUTQ).
    let done = unsafe { libc::ioctl(stream.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
    done == 0 && bytes > 0
}

/// One that the kernel has made for us, as with a message.
pub fn owned(descriptor: RawFd) -> OwnedFd {
    // SAFETY: our caller says that nobody else knows its number.
    unsafe { OwnedFd::from_raw_fd(descriptor) }
}
