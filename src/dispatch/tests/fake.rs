//! A server on a socket that does what a test tells it to, and nothing else: it takes a connection, reads a line, says
//! something, closes, each when it is told.

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::PollFd;
use nix::sys::socket::{MsgFlags, recv};
use serde_json::{Value, json};

use crate::event::Event;
use crate::wait::{readable, wait_for};

/// After which a test fails that waits for something.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub struct Fake {
    listener: UnixListener,
    /// What its hellos say.
    pub hello: Value,
    /// By number; `None` is closed.
    lanes: Vec<Option<Lane>>,
}

struct Lane {
    stream: UnixStream,
    /// Read, but not asked for yet.
    input: Vec<u8>,
    /// Nothing more will come.
    has_ended: bool,
}

/// An event that the fake has been sent.
#[derive(Debug)]
pub struct Line {
    pub lane: usize,
    pub event: Event,
}

impl Fake {
    pub fn listen(socket: &Path) -> Fake {
        Fake { listener: UnixListener::bind(socket).unwrap(), hello: json!({"hello": 1}), lanes: Vec::new() }
    }

    /// Takes a connection, and answers its greeting; the new lane's number.
    pub fn take(&mut self) -> usize {
        let lane = self.accept();
        self.greet(lane);
        lane
    }

    /// Takes a connection, and says nothing yet.
    pub fn accept(&mut self) -> usize {
        assert!(waits(&[self.listener.as_fd()]), "nobody connects");
        let stream = self.listener.accept().unwrap().0;
        self.lanes.push(Some(Lane { stream, input: Vec::new(), has_ended: false }));
        self.lanes.len() - 1
    }

    pub fn greet(&mut self, lane: usize) {
        let greeting: Value = serde_json::from_str(&self.text(lane)).unwrap();
        assert_eq!(greeting, json!({"hello": 1, "server": "kea-dhcp6", "version": "2.2.0"}));
        self.say(lane, format!("{}\n", self.hello));
    }

    /// The next event, whichever lane it comes on.
    pub fn line(&mut self) -> Line {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(line) = self.read() {
                return line;
            }
            assert!(Instant::now() < deadline, "no event comes");
            self.wait();
        }
    }

    /// The next ones, in alphabetical order of whom they are about: which lane is the first to show its event is chance.
    pub fn lines(&mut self, count: usize) -> Vec<Line> {
        let mut lines: Vec<_> = (0..count).map(|_| self.line()).collect();
        lines.sort_by_key(Line::who);
        lines
    }

    /// The next event that is there already.
    fn read(&mut self) -> Option<Line> {
        self.lanes.iter_mut().flatten().for_each(|lane| lane.read_all());
        let open = self.lanes.iter_mut().enumerate().filter_map(|(at, lane)| Some((at, lane.as_mut()?)));
        let (lane, text) = open.into_iter().find_map(|(at, lane)| Some((at, lane.take_line()?)))?;
        Some(Line { lane, event: serde_json::from_str(&text).unwrap() })
    }

    /// No other event is there.
    #[track_caller]
    pub fn has_no_more(&mut self) {
        let more = self.read();
        assert!(more.is_none(), "{more:?}");
    }

    /// A lane on which something has come, which is not read.
    pub fn unread(&mut self) -> usize {
        self.wait();
        self.lanes.iter().position(|lane| lane.as_ref().is_some_and(Lane::has_input)).unwrap()
    }

    /// Waits until something comes on a lane.
    fn wait(&self) {
        let open = self.lanes.iter().flatten().filter(|lane| !lane.has_ended);
        let fds: Vec<_> = open.map(|lane| lane.stream.as_fd()).collect();
        assert!(waits(&fds), "nothing comes");
    }

    /// Reads so many bytes of what has come, and no more.
    pub fn read_bytes(&mut self, lane: usize, count: usize) {
        self.lane(lane).stream.read_exact(&mut vec![0; count]).unwrap();
    }

    pub fn answer(&mut self, line: &Line) {
        self.answer_with(line, json!({}));
    }

    pub fn answer_all<'a>(&mut self, lines: impl IntoIterator<Item = &'a Line>) {
        lines.into_iter().for_each(|line| self.answer(line));
    }

    /// An answer with these keys.
    pub fn answer_with(&mut self, line: &Line, keys: Value) {
        self.say(line.lane, answer(line, keys));
    }

    /// Says this; a lane may be closed before all of it is read.
    pub fn say(&mut self, lane: usize, text: impl AsRef<[u8]>) {
        let _ = self.lane(lane).stream.write_all(text.as_ref());
    }

    pub fn close(&mut self, lane: usize) {
        self.lanes[lane] = None;
    }

    pub fn close_all(&mut self) {
        self.lanes.iter_mut().for_each(|lane| *lane = None);
    }

    /// Says no more, and reads on.
    pub fn say_no_more(&mut self, lane: usize) {
        self.lane(lane).stream.shutdown(Shutdown::Write).unwrap();
    }

    /// Waits for the end of what comes on a lane, and returns how many events there were before it.
    pub fn end(&mut self, lane: usize) -> usize {
        let stream = &mut self.lanes[lane].as_mut().unwrap().stream;
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut rest = Vec::new();
        match stream.read_to_end(&mut rest) {
            Err(error) if error.kind() != ErrorKind::ConnectionReset => panic!("the lane does not end: {error}"),
            _ => {}
        }
        let mut lane = self.lanes[lane].take().unwrap();
        lane.input.append(&mut rest);
        std::iter::from_fn(|| lane.take_line()).count()
    }

    fn text(&mut self, lane: usize) -> String {
        let lane = self.lane(lane);
        loop {
            if let Some(text) = lane.take_line() {
                return text;
            }
            assert!(waits(&[lane.stream.as_fd()]), "no greeting comes");
            lane.read_all();
        }
    }

    fn lane(&mut self, lane: usize) -> &mut Lane {
        self.lanes[lane].as_mut().unwrap()
    }
}

impl Line {
    /// Whom it is about: the names that the test has given, in alphabetical order.
    pub fn who(&self) -> String {
        let name = |key: &String| u8::from_str_radix(key, 16).ok().map(char::from);
        self.event.keys.iter().filter_map(name).collect()
    }
}

/// The line that answers another one with these keys.
pub fn answer(line: &Line, keys: Value) -> String {
    let mut answer = json!({"seq": line.event.seq});
    answer.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
    format!("{answer}\n")
}

impl Lane {
    fn has_input(&self) -> bool {
        let flags = MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT;
        recv(self.stream.as_raw_fd(), &mut [0], flags).is_ok_and(|count| count > 0)
    }

    fn read_all(&mut self) {
        let mut chunk = [0; 4096];
        loop {
            match recv(self.stream.as_raw_fd(), &mut chunk, MsgFlags::MSG_DONTWAIT) {
                Ok(count @ 1..) => self.input.extend_from_slice(&chunk[..count]),
                Err(Errno::EAGAIN) => return,
                _ => return self.has_ended = true,
            }
        }
    }

    fn take_line(&mut self) -> Option<String> {
        let end = self.input.iter().position(|&byte| byte == b'\n')?;
        let rest = self.input.split_off(end + 1);
        Some(String::from_utf8(std::mem::replace(&mut self.input, rest)).unwrap())
    }
}

/// Whether something comes on one of these.
fn waits(fds: &[BorrowedFd]) -> bool {
    let mut fds: Vec<PollFd> = fds.iter().map(|fd| readable(*fd)).collect();
    wait_for(&mut fds, Some(Instant::now() + PATIENCE)).unwrap();
    fds.iter().any(|fd| fd.any().unwrap_or(false))
}
