//! What a script writes: every line of it becomes a line of Kea's log, within bounds. All of it is read, so
//! that no script waits for a reader; what is too much is counted and forgotten.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::unistd::pipe2;

use crate::text::{LOG_TEXT_BYTES, excerpt};
use crate::verdict::{ANSWER_BYTES, LOG_LINES, Level, LogLine};

/// How much one look at a stream takes at most.
const BYTES_AT_ONCE: usize = 256 * 1024;

/// Collected lines, those of one run or of all leftovers, and the answer of a script that gives one.
#[derive(Default)]
pub struct Lines {
    lines: Vec<LogLine>,
    left_out: u64,
    answer: Vec<u8>,
}

impl Lines {
    pub fn push(&mut self, level: Level, text: String) {
        self.add(LogLine::new(level, text));
    }

    pub fn add(&mut self, line: LogLine) {
        if self.lines.len() < LOG_LINES {
            self.lines.push(line);
        } else {
            self.left_out += 1;
        }
    }

    /// Counts lines that cannot be passed on.
    pub fn leave_out(&mut self, lines: u64) {
        self.left_out += lines;
    }

    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    pub fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.left_out == 0
    }

    /// Adds what has been collected elsewhere.
    pub fn append(&mut self, other: Lines) {
        self.left_out += other.left_out;
        other.lines.into_iter().for_each(|line| self.add(line));
    }

    /// Keeps a byte more than an answer may have, which tells that it is too long.
    fn push_answer(&mut self, bytes: &[u8]) {
        let room = ANSWER_BYTES + 1 - self.answer.len();
        self.answer.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    pub fn answer(&self) -> &[u8] {
        &self.answer
    }

    /// All lines so far; the last one says how many more there were.
    pub fn take(&mut self) -> Vec<LogLine> {
        let mut lines = std::mem::take(&mut self.lines);
        match std::mem::take(&mut self.left_out) {
            0 => {}
            n => lines.push(LogLine::left_out(n)),
        }
        lines
    }
}

/// What a stream can still give.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Source {
    Open,
    Ended,
}

/// Our end of a script's standard output or error.
pub struct Stream {
    pipe: File,
    level: Level,
    /// It is the script's answer, and no lines.
    is_answer: bool,
    /// Stands before each line.
    prefix: &'static str,
    line: Vec<u8>,
}

impl Stream {
    /// A stream, and the end that the script gets.
    pub fn new(level: Level) -> nix::Result<(Stream, OwnedFd)> {
        let (ours, scripts) = pipe2(OFlag::O_CLOEXEC)?;
        // The script can open this pipe for reading too (/dev/stdout): we must not wait for bytes that it has taken.
        fcntl(&ours, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        let pipe = File::from(ours);
        Ok((Stream { pipe, level, is_answer: false, prefix: "", line: Vec::new() }, scripts))
    }

    /// The same stream, as the script's answer if it gives one.
    pub fn answering(self, is_answer: bool) -> Stream {
        Stream { is_answer, ..self }
    }

    /// The stream of a script that has ended; what comes now is from what it has left running.
    pub fn left_behind(mut self, lines: &mut Lines) -> Stream {
        self.end_of_stream(lines);
        Stream { is_answer: false, prefix: "left running: ", ..self }
    }

    /// Reads what is there, without waiting.
    pub fn read(&mut self, lines: &mut Lines) -> Source {
        let mut buffer = [0; 8192];
        let mut total = 0;
        while total < BYTES_AT_ONCE {
            match self.pipe.read(&mut buffer) {
                Ok(0) => {
                    self.end_of_stream(lines);
                    return Source::Ended;
                }
                Ok(n) => {
                    total += n;
                    match self.is_answer {
                        true => lines.push_answer(&buffer[..n]),
                        false => self.split(&buffer[..n], lines),
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        Source::Open
    }

    fn split(&mut self, mut bytes: &[u8], lines: &mut Lines) {
        while let Some(end) = bytes.iter().position(|&byte| byte == b'\n') {
            self.keep(&bytes[..end]);
            self.end_of_line(lines);
            bytes = &bytes[end + 1..];
        }
        self.keep(bytes);
    }

    /// Keeps a byte more than is logged, which tells that there is more.
    fn keep(&mut self, bytes: &[u8]) {
        let room = LOG_TEXT_BYTES + 1 - self.line.len();
        self.line.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn end_of_line(&mut self, lines: &mut Lines) {
        let line = [self.prefix.as_bytes(), &self.line].concat();
        lines.push(self.level, excerpt(line, LOG_TEXT_BYTES));
        self.line.clear();
    }

    /// A last line need not have an end.
    pub fn end_of_stream(&mut self, lines: &mut Lines) {
        if !self.line.is_empty() {
            self.end_of_line(lines);
        }
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }
}

/// Reads what is there from all of them; those that have ended are removed.
pub fn read_all(streams: &mut Vec<Stream>, lines: &mut Lines) {
    streams.retain_mut(|stream| stream.read(lines) == Source::Open);
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// What becomes of `written`, when the writer has closed its end.
    fn lines(written: &[u8]) -> Vec<String> {
        let (mut stream, scripts) = Stream::new(Level::Info).unwrap();
        let mut lines = Lines::default();
        let mut scripts = File::from(scripts);
        for part in written.chunks(4096) {
            scripts.write_all(part).unwrap();
            assert_eq!(stream.read(&mut lines), Source::Open);
        }
        drop(scripts);
        // A test beside us may be starting a script, which holds a copy for a moment.
        while stream.read(&mut lines) == Source::Open {}
        lines.take().into_iter().map(|line| line.text).collect()
    }

    #[test]
    fn a_line_is_a_line_with_or_without_its_end() {
        assert!(lines(b"").is_empty());
        assert_eq!(lines(b"one\n\ntwo"), ["one", "", "two"]);
        assert_eq!(lines("größe\tC:\\\n".as_bytes()), [r"größe\x09C:\"]);
    }

    #[test]
    fn a_long_line_is_cut_between_characters() {
        let kept = "x".repeat(997);
        assert_eq!(lines(format!("{kept}abc\n").as_bytes()), [format!("{kept}abc")]);
        assert_eq!(lines(format!("{kept}abcd\nnext\n").as_bytes()), [format!("{kept}..."), "next".into()]);
        assert_eq!(lines(format!("{kept}éé\n").as_bytes()), [format!("{kept}...")]);
        assert_eq!(lines(format!("x{kept}éé\n").as_bytes()), [format!("{kept}...")]);
        assert_eq!(lines(&vec![b'x'; 1_000_000]), [format!("{kept}...")]);
    }

    #[test]
    fn too_many_lines_are_counted() {
        let lines = lines("line\n".repeat(100_000).as_bytes());
        assert_eq!(lines.len(), 101);
        assert_eq!(lines[99], "line");
        assert_eq!(lines[100], "99900 more lines of output left out");
    }
}
