//! All that library and runner say to each other over the control socket, beside the lanes: one JSON text a packet.

use std::fmt::Display;
use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags};
use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, recv, recvmsg, send, sendmsg,
    socketpair,
};
use serde::{Deserialize, Serialize};

use crate::descriptor::owned;
use crate::verdict::LogLine;
use crate::wait::wait_for;

/// What the library says. Each variant says which descriptors go with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// Serve the lane of this number: its socket. With a daemon's lane comes a duplicate of the library's own end, if there was a
    /// descriptor left for it: what is answered there can be read even when the library is gone.
    Lane(u64),
    /// Stop the daemon of this lane now, if it is still there.
    Stop(u64),
    /// The daemon of this lane has nothing to answer: it is stopped soon after its lane is hung up.
    LetGo(u64),
    /// Mark in this spool's directory from now on, and hold this lock for as long as you live, as all before it: it says that
    /// you are at work.
    Spool(PathBuf),
}

/// What the runner has to say of a lane, or of itself.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The lane's number, or [`THE_RUNNER`].
    pub lane: u64,
    /// What the lane's daemon has written to its standard error, and how it has ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub log: Vec<LogLine>,
    /// The daemon has ended because somebody has told it to.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub told_to_end: bool,
    /// Why the runner cannot serve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
}

/// No lane has this number.
pub const THE_RUNNER: u64 = 0;

/// How long a refusal waits for the library to read what came before.
const PATIENCE: Duration = Duration::from_secs(1);
/// More than a message is long, of either side.
const BYTES: usize = 64 * 1024;
/// The kernel passes no more descriptors with one message (`SCM_MAX_FD`).
const MOST_DESCRIPTORS: usize = 253;

/// Both ends of a control socket.
pub fn pair() -> nix::Result<(OwnedFd, OwnedFd)> {
    socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)
}

/// Gives an order. The runner may have too much to read, as with hundreds of lanes: it gets until `deadline` then.
pub fn order(control: &impl AsFd, order: &Order, with: &[BorrowedFd], deadline: Instant) -> io::Result<()> {
    let message = serde_json::to_vec(order)?;
    let descriptors: Vec<RawFd> = with.iter().map(AsRawFd::as_raw_fd).collect();
    let rights = [ControlMessage::ScmRights(&descriptors)];
    let rights = if descriptors.is_empty() { &[][..] } else { &rights[..] };
    let flags = MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT;
    let send = || sendmsg::<()>(control.as_fd().as_raw_fd(), &[IoSlice::new(&message)], rights, flags, None).map(drop);
    Ok(until_there_is_room(control, deadline, send)?)
}

/// Sends again until `deadline`, as long as the other side has too much to read. Some ten messages are as much as the kernel
/// queues (net.unix.max_dgram_qlen).
fn until_there_is_room(control: &impl AsFd, deadline: Instant, send: impl Fn() -> nix::Result<()>) -> nix::Result<()> {
    loop {
        match send() {
            Err(Errno::EAGAIN) if Instant::now() < deadline => {
                let _ = wait_for(&mut [PollFd::new(control.as_fd(), PollFlags::POLLOUT)], Some(deadline));
            }
            done => return done,
        }
    }
}

/// Waits for the next order, and takes the descriptors that have come with it: fewer than were sent where none is left. The
/// order is an error if it is none of ours; `None` at the end.
#[allow(clippy::type_complexity)]
pub fn next_order(control: &impl AsFd) -> nix::Result<Option<(serde_json::Result<Order>, Vec<OwnedFd>)>> {
    let mut message = [0; BYTES];
    let mut iov = [IoSliceMut::new(&mut message)];
    // With less room, those that fit would be open and not ours to close.
    let mut space = nix::cmsg_space!([RawFd; MOST_DESCRIPTORS]);
    let received = recvmsg::<()>(control.as_fd().as_raw_fd(), &mut iov, Some(&mut space), MsgFlags::MSG_CMSG_CLOEXEC)?;
    let mut descriptors = Vec::new();
    // An error says that there is no number left for a descriptor.
    for control in received.cmsgs().into_iter().flatten() {
        if let ControlMessageOwned::ScmRights(sent) = control {
            descriptors.extend(sent.into_iter().map(owned));
        }
    }
    let length = received.bytes;
    Ok((length > 0).then(|| (serde_json::from_slice(&message[..length]), descriptors)))
}

/// Makes a report. The library may have too much to read: it gets until `deadline` then.
pub fn report(control: &impl AsFd, report: &Report, deadline: Instant) -> nix::Result<()> {
    let message = serde_json::to_vec(report).map_err(|_| Errno::EINVAL)?;
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
    until_there_is_room(control, deadline, || send(control.as_fd().as_raw_fd(), &message, flags).map(drop))
}

/// Reports why this lane, or [`THE_RUNNER`], cannot be served.
pub fn refuse(control: &impl AsFd, lane: u64, reason: &dyn Display) -> nix::Result<()> {
    let refusal = Report { lane, refusal: Some(reason.to_string()), ..Report::default() };
    report(control, &refusal, Instant::now() + PATIENCE)
}

/// The reports that have come, and whether there will be no more.
pub fn reports(control: &impl AsFd) -> (Vec<Report>, bool) {
    let (mut reports, mut message) = (Vec::new(), [0; BYTES]);
    loop {
        match recv(control.as_fd().as_raw_fd(), &mut message, MsgFlags::MSG_DONTWAIT) {
            Ok(0) => return (reports, true),
            Ok(n) => reports.extend(serde_json::from_slice::<Report>(&message[..n])),
            Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) => return (reports, false),
            Err(_) => return (reports, true),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Level;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(5)
    }

    #[test]
    fn orders_come_as_they_were_given_with_their_descriptors() {
        let (library, runner) = pair().unwrap();
        let orders = [
            Order::Lane(7),
            Order::Stop(u64::MAX),
            Order::LetGo(1),
            Order::Spool("/".repeat(libc::PATH_MAX as usize).into()),
        ];
        for (count, given) in orders.iter().enumerate() {
            order(&library, given, &vec![library.as_fd(); count], soon()).unwrap();
            let (taken, descriptors) = next_order(&runner).unwrap().unwrap();
            assert_eq!((&taken.unwrap(), descriptors.len()), (given, count));
        }
        drop(library);
        assert!(next_order(&runner).unwrap().is_none());
    }

    #[test]
    fn an_order_reads_as_documented() {
        for (order, message) in [
            (Order::Lane(7), r#"{"lane":7}"#),
            (Order::Stop(7), r#"{"stop":7}"#),
            (Order::LetGo(7), r#"{"let-go":7}"#),
            (Order::Spool("/spool".into()), r#"{"spool":"/spool"}"#),
        ] {
            assert_eq!(serde_json::to_string(&order).unwrap(), message);
            assert_eq!(serde_json::from_str::<Order>(message).unwrap(), order);
        }
    }

    #[test]
    fn what_is_no_order_is_an_error_and_the_next_comes_all_the_same() {
        let (library, runner) = pair().unwrap();
        send(library.as_raw_fd(), b"L", MsgFlags::empty()).unwrap();
        order(&library, &Order::LetGo(7), &[], soon()).unwrap();
        assert!(next_order(&runner).unwrap().unwrap().0.is_err());
        assert_eq!(next_order(&runner).unwrap().unwrap().0.unwrap(), Order::LetGo(7));
    }

    #[test]
    fn refusals_wait_for_a_library_that_reads() {
        let (library, runner) = pair().unwrap();
        let count = std::thread::scope(|scope| {
            scope.spawn(move || (1..=100).for_each(|lane| refuse(&runner, lane, &"no descriptor").unwrap()));
            let mut count = 0;
            while count < 100 {
                count += reports(&library).0.len();
            }
            count
        });
        assert_eq!(count, 100);
    }

    #[test]
    fn reports_come_as_they_were_made() {
        let (library, runner) = pair().unwrap();
        assert_eq!(reports(&library), (vec![], false));
        refuse(&runner, 3, &"no descriptor").unwrap();
        let refusal = Report { lane: 3, refusal: Some("no descriptor".into()), ..Report::default() };
        drop(runner);
        assert_eq!(reports(&library), (vec![refusal], true));
    }

    #[test]
    fn a_report_reads_as_documented() {
        let line = LogLine::new(Level::Warn, "hm");
        let refusal = Some("setsid: no".into());
        for (report, message) in [
            (
                Report { lane: 5, log: vec![line], ..Report::default() },
                r#"{"lane":5,"log":[{"level":"warn","text":"hm"}]}"#,
            ),
            (Report { lane: 5, told_to_end: true, ..Report::default() }, r#"{"lane":5,"told_to_end":true}"#),
            (Report { lane: THE_RUNNER, refusal, ..Report::default() }, r#"{"lane":0,"refusal":"setsid: no"}"#),
        ] {
            assert_eq!(serde_json::to_string(&report).unwrap(), message);
            assert_eq!(serde_json::from_str::<Report>(message).unwrap(), report);
        }
    }
}
