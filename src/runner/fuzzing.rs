//! What the runner reads: see [`crate::fuzzing`].

use std::collections::HashSet;
use std::env;
use std::io::IoSlice;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use nix::unistd::pipe2;

use super::environment::Environment;
use super::{answer, script};
use crate::control::{self, Order, Report};
use crate::dispatch::fuzzing::assert_line;
use crate::event::{Event, Hello, line};
use crate::hook_points::find;
use crate::variables::is_name;
use crate::verdict::Answer;
use crate::wait::{readable, wait_for};

/// Whatever comes as an event, the script's first argument is a hook point of ours, and its environment has variables of ours
/// besides those inherited, each once, as the event has it.
pub fn event(said: &[u8]) {
    static ENVIRONMENT: LazyLock<Environment> = LazyLock::new(Environment::inherited);
    let _ = (serde_json::from_slice::<Hello>(said), serde_json::from_slice::<Report>(said));
    let Ok(event) = serde_json::from_slice::<Event>(said) else { return };
    let text = line(&event).expect("an event has a line");
    assert_eq!(text.find('\n'), Some(text.len() - 1));
    let again: Event = serde_json::from_str(&text).expect("an event");
    assert_eq!((&again.hook, again.at, &again.keys), (&event.hook, event.at, &event.keys));
    assert_eq!(again.vars, event.vars);

    let (entries, left_out) = ENVIRONMENT.with(&event.vars);
    let pairs = entries.iter().map(|entry| entry.to_str().ok().and_then(|entry| entry.split_once('=')));
    let pairs: Vec<_> = pairs.map(|pair| pair.expect("a name and a value")).collect();
    let mut names = HashSet::new();
    for (name, value) in &pairs {
        assert!(names.insert(*name), "{name} comes twice");
        let is_the_events = is_name(name) && event.vars.iter().any(|pair| pair == (*name, *value));
        assert!(is_the_events || env::var(name).is_ok_and(|inherited| inherited == *value), "{name}={value}");
    }
    assert!(event.vars.iter().all(|(name, _)| names.contains(name) || left_out.iter().any(|out| out.name == name)));

    if let Ok(hook) = script::hook_point(&event) {
        let hook = hook.to_str().expect("a name");
        assert!(hook == event.hook && find(hook).is_some());
        assert!(pairs.contains(&("KEA_HOOK_POINT", hook)));
    }
}

/// Whatever a script has printed and however it has ended, what is made of it is a line that the library reads the same.
pub fn printed(status: i32, said: &[u8]) {
    if let Ok((next, wishes)) = answer::read(status, said) {
        assert!(status == 0 || said.trim_ascii().is_empty());
        assert!(wishes.0.iter().all(|(key, _)| !["seq", "next", "failure", "again", "log"].contains(&&**key)));
        assert_line(&Answer { seq: 1, next: Some(next), wishes, ..Answer::default() });
    }
}

/// Whatever comes over the control socket is an order or an error, and none of its descriptors stays open.
pub fn message(bytes: &[u8], descriptors: usize) {
    let (library, runner) = control::pair().expect("sockets");
    let (ours, theirs) = pipe2(OFlag::O_CLOEXEC).expect("a pipe");
    let sent = vec![theirs.as_raw_fd(); descriptors];
    let rights = [ControlMessage::ScmRights(&sent)];
    let rights = if sent.is_empty() { &[][..] } else { &rights[..] };
    sendmsg::<()>(library.as_raw_fd(), &[IoSlice::new(bytes)], rights, MsgFlags::empty(), None).expect("sent");
    drop(theirs);
    match control::next_order(&runner).expect("received") {
        Some((order, with)) => {
            assert_eq!(order.ok(), serde_json::from_slice::<Order>(bytes).ok());
            assert_eq!(with.len(), descriptors);
        }
        None => assert!(bytes.is_empty()),
    }
    let mut fds = [readable(ours.as_fd())];
    wait_for(&mut fds, Some(Instant::now() + Duration::from_secs(5))).expect("waited");
    assert_eq!(fds[0].any(), Some(true), "somebody can still write");
}
