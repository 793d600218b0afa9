//! What a daemon still answers when the library is gone: we read it in the library's place, mark it, and say what would have
//! been for Kea's log.

use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Instant;

use super::marking::Marking;
use super::{complain_of, report};
use crate::config::Mode;
use crate::lane::{Failed, Lane};
use crate::text::unreadable;
use crate::verdict::Answer;

pub struct Hearing<'a> {
    path: &'a Path,
    marking: &'a Marking,
    /// The library's end, until nothing more is to be read there.
    lane: Option<Lane>,
    /// The library may have read the beginning of the first line.
    is_whole: bool,
    /// The event that was answered last.
    before: Option<u64>,
    /// Nothing has come since then.
    pub since: Instant,
}

impl<'a> Hearing<'a> {
    /// From now on; the daemon sees the end of its input behind the lines that are there.
    pub fn begin(number: u64, library_end: UnixStream, path: &'a Path, marking: &'a Marking) -> Hearing<'a> {
        let lane = Lane::new(number, library_end);
        // An error is that the daemon has closed it: that shows in what is read.
        lane.hang_up();
        Hearing { path, marking, lane: Some(lane), is_whole: false, before: None, since: Instant::now() }
    }

    /// Takes the answers that have come; an error says why it takes no more.
    pub fn advance(&mut self) -> Result<(), String> {
        while let Some(lane) = &mut self.lane {
            let taken = match lane.advance() {
                Ok(None) => break,
                Ok(Some(line)) => self.take(&line),
                Err(failed) => {
                    self.lane = None;
                    if matches!(failed, Failed::TooLong(_)) { Err(failed.to_string()) } else { Ok(()) }
                }
            };
            taken.inspect_err(|_| self.lane = None)?;
        }
        Ok(())
    }

    fn take(&mut self, line: &[u8]) -> Result<(), String> {
        let is_whole = std::mem::replace(&mut self.is_whole, true);
        match understood(line, self.before) {
            Ok(answer) => self.settle(&answer),
            Err(reason) if is_whole => return Err(reason),
            Err(_) => {}
        }
        self.since = Instant::now();
        Ok(())
    }

    fn settle(&mut self, answer: &Answer) {
        self.before = Some(answer.seq);
        if answer.again.is_none() {
            complain_of(self.path, self.marking.done(answer.seq).as_slice());
        }
        report(self.path, answer);
    }

    /// Where something may come.
    pub fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        self.lane.as_ref().map(Lane::as_fd)
    }
}

/// The answer in a line, which is to another event than the one before.
fn understood(line: &[u8], before: Option<u64>) -> Result<Answer, String> {
    let answer: Answer = serde_json::from_slice(line)
        .map_err(|error| format!("bad answer: {}", unreadable(&error, line, Mode::Daemon.only_answers())))?;
    match before == Some(answer.seq) {
        true => Err(format!("bad answer: event {} is answered twice", answer.seq)),
        false => Ok(answer),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::path::PathBuf;

    use super::super::tests::Bench;
    use super::super::tests::marks::Spooled;
    use super::*;
    use crate::verdict::ANSWER_BYTES;

    /// What becomes of lines that a daemon has written: which of its seven events are marked, and why it is not heard any more.
    fn heard(lines: &str) -> (Vec<u64>, Option<String>) {
        let bench = Bench::new();
        let spooled = Spooled::new(&bench, 7);
        let (ours, mut daemons) = UnixStream::pair().unwrap();
        let (marking, path) = (spooled.marking(), PathBuf::from("/script"));
        let mut hearing = Hearing::begin(1, ours, &path, &marking);
        assert_eq!(daemons.read(&mut [0]).unwrap(), 0, "the end of its input");
        assert_eq!(hearing.advance(), Ok(()));
        let mut reason = None;
        for part in lines.as_bytes().chunks(100_000) {
            daemons.write_all(part).unwrap();
            reason = reason.or(hearing.advance().err());
            assert_eq!(reason.is_some(), hearing.as_fd().is_none());
        }
        assert_eq!(hearing.advance(), Ok(()), "said once");
        (spooled.done(), reason)
    }

    #[test]
    fn each_answer_marks_but_try_later() {
        let said = r#"{"seq":1}
            {"seq":3,"next":"drop","log":[{"level":"info","text":"hm"}]}
            {"seq":4,"again":0}
            {"seq":2,"failure":{"kind":"exit","text":"no"}}
            {"seq":99}
            {"seq":5,"again":3600,"log":[]}
            {"seq":4}
        "#;
        assert_eq!(heard(said), (vec![1, 2, 3, 4], None));
    }

    #[test]
    fn a_line_of_which_the_library_has_read_the_beginning_is_no_garbage() {
        assert_eq!(heard("xt\":\"continue\"}\n{\"seq\":2}\n{\"seq\":3"), (vec![2], None));
        assert_eq!(heard("\n{\"seq\":2}\n"), (vec![2], None));
    }

    #[test]
    fn behind_garbage_nothing_is_marked() {
        let garbage = |line: &str| {
            let (done, reason) = heard(&format!("{{\"seq\":1}}\n{line}\n{{\"seq\":2}}\n"));
            assert_eq!(done, [1], "{line:.100}");
            reason.unwrap()
        };
        assert_eq!(garbage("hm"), "bad answer: \"hm\": standard output is for answers; print to standard error");
        assert!(garbage(r#"{"seq":2,"again":-1}"#).contains("a number of seconds from 0 to 3600"));
        assert_eq!(garbage(r#"{"seq":1}"#), "bad answer: event 1 is answered twice");
        assert!(garbage(&"x".repeat(ANSWER_BYTES + 1)).starts_with("more than 262144 bytes in a line"));
        assert!(garbage("").starts_with("bad answer: "));
    }

    #[test]
    fn each_line_is_a_sign_of_life() {
        let (ours, mut daemons) = UnixStream::pair().unwrap();
        let marking = Marking::default();
        let mut hearing = Hearing::begin(1, ours, Path::new("/script"), &marking);
        for line in ["\"}\n", "{\"seq\":1}\n"] {
            let before = hearing.since;
            hearing.advance().unwrap();
            assert_eq!(hearing.since, before);
            daemons.write_all(line.as_bytes()).unwrap();
            hearing.advance().unwrap();
            assert!(hearing.since > before);
        }
        drop(daemons);
        hearing.advance().unwrap();
        assert!(hearing.as_fd().is_none(), "it is not looked at again and again");
    }
}
