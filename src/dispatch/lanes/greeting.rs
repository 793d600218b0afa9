//! The first words on a lane.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::Shared;
use crate::config::Mode;
use crate::event::{Hello, PROTOCOL, line};
use crate::lane::{Failed, Lane, MOST_AHEAD};
use crate::text::unreadable;

/// How long a handler may take to say hello. A load waits for it as long, and less if the handler is not required.
pub const HELLO_WITHIN: Duration = Duration::from_secs(10);

/// Bytes of what a daemon has said that a message quotes: the last, for there the error stands.
const WORDS: usize = 500;

/// A lane that waits for its handler's hello.
pub struct Greeting {
    pub lane: Lane,
    pub until: Instant,
    /// The last that the runner has reported of the daemon.
    words: VecDeque<String>,
    /// Why the runner does not serve it, if it has said that.
    pub refusal: Option<String>,
    /// The other side has closed it.
    pub is_hung_up: bool,
    most_ahead: usize,
}

impl Greeting {
    /// Says ours.
    pub fn new(mut lane: Lane, shared: &Shared) -> Greeting {
        let (server, version) = (shared.server.name.clone(), shared.server.version.clone());
        let hello = Hello { hello: PROTOCOL, server, version, ..Hello::default() };
        // An error shows when its hello is looked for.
        let _ = lane.send(|out| *out = line(&hello).unwrap_or_default());
        // What Kea may wait for some day must not stand behind what it does not wait for.
        let most_ahead = if shared.config.ways.wait() { 0 } else { MOST_AHEAD };
        let (until, words) = (Instant::now() + HELLO_WITHIN, VecDeque::new());
        Greeting { lane, until, words, refusal: None, is_hung_up: false, most_ahead }
    }

    pub fn add_words(&mut self, line: String) {
        self.words.push_back(line);
        while self.words.len() > 1 && self.words.iter().map(String::len).sum::<usize>() > WORDS {
            self.words.pop_front();
        }
    }

    pub fn words(&self) -> String {
        self.words.iter().map(String::as_str).collect::<Vec<_>>().join("; ")
    }

    /// How many lanes the handler serves, as its hello says, or why that will not come; `None` while it may.
    pub fn hear(&mut self, mode: Mode) -> Option<Result<usize, String>> {
        match self.lane.advance() {
            Ok(None) if Instant::now() < self.until => None,
            Ok(None) => Some(Err(no_hello(HELLO_WITHIN))),
            Ok(Some(line)) => Some(understood(&line, mode).map(|hello| {
                self.lane.ahead = hello.ahead.min(self.most_ahead);
                if hello.keeps_time {
                    self.lane.is_runners();
                }
                if hello.lanes == 0 { usize::MAX } else { hello.lanes }
            })),
            Err(failed) => {
                self.is_hung_up = matches!(failed, Failed::Gone { .. });
                Some(Err(failed.to_string()))
            }
        }
    }
}

pub fn no_hello(patience: Duration) -> String {
    format!("no hello within {} s: does it answer the greeting, and flush each line?", patience.as_secs())
}

/// A handler's hello, if it is of our version of the lines.
fn understood(line: &[u8], mode: Mode) -> Result<Hello, String> {
    let theirs: Hello = serde_json::from_slice(line)
        .map_err(|error| format!("its first line is no hello: {}", unreadable(&error, line, mode.only_answers())))?;
    match theirs.hello {
        PROTOCOL => Ok(theirs),
        other => Err(format!("it speaks version {other} of the lines and this library {PROTOCOL}")),
    }
}
