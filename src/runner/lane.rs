//! A lane: a connection over which one event after the other comes and is answered.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use super::script::Script;
use super::{complain, line_of, report};
use crate::event::{Event, Hello, PROTOCOL, line};
use crate::verdict::Answer;

/// How long a peer may take to greet us, and to read what we write, if it is a stranger.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// What holds for all events of a lane.
pub trait Rules: Sync {
    /// Ours.
    fn hello(&self) -> Hello {
        Hello::ours()
    }

    /// No event takes longer, whatever its line says.
    fn most(&self) -> Duration {
        Duration::MAX
    }

    /// How long a line may be: far more than the environment that it becomes may have.
    fn line_bytes(&self) -> u64 {
        16 << 20
    }

    /// Whether no more events are begun when there is nobody to read an answer.
    fn ends_with_its_peer(&self) -> bool {
        false
    }

    /// The answer to an event for which nothing is done.
    fn answer_at_once(&self, _event: &Event) -> Option<Answer> {
        None
    }

    /// An event has this answer.
    fn is_answered(&self, _event: &Event, _answer: &Answer) {}
}

/// For the library whose runner we are: its lines say all.
struct LibraryRules;

impl Rules for LibraryRules {}

/// Waits for the other side's greeting; `None` if there is none.
pub fn greeting(rules: &dyn Rules, lines: &mut impl BufRead) -> io::Result<Option<Hello>> {
    next(rules, lines)?.map(|first| parse(&first, "a greeting")).transpose()
}

/// Answers it with ours.
pub fn greet(ours: &Hello, theirs: &Hello, mut stream: &UnixStream) -> io::Result<()> {
    stream.write_all(line(ours)?.as_bytes())?;
    match theirs.hello {
        PROTOCOL => Ok(()),
        other => Err(io::Error::other(format!("the other side speaks version {other}, not {PROTOCOL}"))),
    }
}

/// The next event, and when it has come; `None` at the end.
pub fn next_event(rules: &dyn Rules, lines: &mut impl BufRead) -> io::Result<Option<(Event, Instant)>> {
    let Some(line) = next(rules, lines)? else { return Ok(None) };
    let (since, mut event): (_, Event) = (Instant::now(), parse(&line, "an event")?);
    event.timeout = event.timeout.min(u64::try_from(rules.most().as_millis()).unwrap_or(u64::MAX));
    Ok(Some((event, since)))
}

/// Handles events until the other side closes the lane; what has come before that is handled all the same.
pub fn serve(script: &Script, stream: &UnixStream) {
    let mut lines = BufReader::new(stream);
    let served = greeting(&LibraryRules, &mut lines).and_then(|theirs| match theirs {
        Some(theirs) => converse(script, stream, &mut lines, &theirs, &LibraryRules),
        None => Ok(()),
    });
    if let Err(error) = served.or_else(unless_kea_is_gone) {
        complain(format_args!("lane closed: {error}"));
    }
}

/// Nothing is wrong with an end that is Kea's: with an answer of ours unread, or before our hello.
pub fn unless_kea_is_gone(error: io::Error) -> io::Result<()> {
    match error.kind() {
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => Ok(()),
        _ => Err(error),
    }
}

/// Answers a greeting, and events until their end.
pub fn converse(
    script: &Script,
    stream: &UnixStream,
    lines: &mut impl BufRead,
    theirs: &Hello,
    rules: &dyn Rules,
) -> io::Result<()> {
    greet(&rules.hello(), theirs, stream)?;
    while let Some((event, since)) = next_event(rules, lines)? {
        let answer = rules.answer_at_once(&event).unwrap_or_else(|| script.handle(&event, since));
        rules.is_answered(&event, &answer);
        if !send(script.path(), stream, &answer)? && rules.ends_with_its_peer() {
            break;
        }
    }
    Ok(())
}

/// Writes the answer, and whether somebody may read it; if not, what the administrator should know goes to standard error.
/// The end of the lane shows in the next read. An error is a peer that does not read.
pub fn send(path: &Path, mut stream: &UnixStream, answer: &Answer) -> io::Result<bool> {
    match line_of(answer).map_err(io::Error::from).and_then(|line| stream.write_all(line.as_bytes())) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(io::Error::other("answers are not read")),
        Err(_) => {
            report(path, answer);
            Ok(false)
        }
        Ok(()) => Ok(true),
    }
}

fn parse<'a, T: serde::Deserialize<'a>>(line: &'a [u8], what: &str) -> io::Result<T> {
    serde_json::from_slice(line).map_err(|error| io::Error::other(format!("a line is not {what}: {error}")))
}

/// Waits for a line; `None` at the end of the stream, even in the middle of a line.
fn next(rules: &dyn Rules, lines: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let (mut line, most) = (Vec::new(), rules.line_bytes());
    lines.take(most).read_until(b'\n', &mut line)?;
    match line.last() {
        Some(b'\n') => Ok(Some(line)),
        _ if line.len() as u64 == most => Err(io::Error::other("a line has no end")),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::super::tests::{Bench, Peer, event};
    use super::*;
    use crate::event::Event;
    use crate::text::LOG_TEXT_BYTES;
    use crate::verdict::{ANSWER_BYTES, FailureKind, LOG_LINES, Next, RUNNER_LINE_BYTES};

    #[test]
    fn another_version_is_greeted_and_sent_away() {
        let runner = Bench::shell("exit 0").runner();
        thread::scope(|scope| {
            let mut lane = Peer::bare_lane(scope, &runner);
            lane.write("{\"hello\":2,\"new\":[]}\n");
            let hello = concat!("{\"hello\":1,\"version\":\"", env!("CARGO_PKG_VERSION"), "\",\"keeps-time\":true}\n");
            assert_eq!(lane.line().unwrap(), hello);
            assert_eq!(lane.line(), None);
        });
    }

    #[test]
    fn a_line_that_is_no_event_closes_its_lane_alone() {
        let bench = Bench::shell("exit 0");
        let runner = bench.runner();
        thread::scope(|scope| {
            let (mut bad, mut good) = (Peer::lane(scope, &runner), Peer::lane(scope, &runner));
            bad.write("nonsense\n");
            assert_eq!(bad.line(), None);
            good.send(&event(10_000, &[]));
            assert_eq!(good.answer().unwrap().next, Some(Next::Continue));
        });
    }

    #[test]
    fn a_lane_may_end_in_the_middle_of_a_line() {
        let bench = Bench::shell("touch \"$0.ran\"");
        let runner = bench.runner();
        thread::scope(|scope| Peer::lane(scope, &runner).write("{\"seq\":1,"));
        assert!(!bench.directory.join("script.ran").exists());
    }

    /// What comes over a lane for a script that answers.
    fn line_of(body: &str, variables: &[(&str, &str)]) -> String {
        let bench = Bench::shell(body);
        let runner = bench.runner();
        thread::scope(|scope| {
            let mut lane = Peer::lane(scope, &runner);
            lane.send(&Event { answers: true, ..event(10_000, variables) });
            lane.line().unwrap()
        })
    }

    #[test]
    fn an_answer_and_a_log_at_their_bounds_fit_in_a_line() {
        let printed = format!("printf '{{\"x\":\"%0{}d\"}}' 0", ANSWER_BYTES - 8);
        let body =
            format!("{printed}; i=0; while [ $i -lt 200 ]; do echo \"$KEA_QUERY4_OPTION60\" >&2; i=$((i+1)); done");
        let line = line_of(&body, &[("KEA_QUERY4_OPTION60", &"\"".repeat(2000))]);
        let answer: Answer = serde_json::from_str(&line).unwrap();
        assert_eq!(serde_json::to_string(&answer.wishes).unwrap().len(), ANSWER_BYTES);
        assert!(answer.log[..LOG_LINES].iter().all(|line| line.text.len() == LOG_TEXT_BYTES));
        assert_eq!(answer.log[LOG_LINES].text, "100 more lines of output left out");
        assert!(line.len() <= RUNNER_LINE_BYTES, "{}", line.len());
        let least = ANSWER_BYTES + LOG_LINES * (2 * LOG_TEXT_BYTES - 3);
        assert!(line.len() > least, "the worst case is meant: {}", line.len());
    }

    #[test]
    fn an_answer_that_is_longer_in_our_words_is_a_failure() {
        let body =
            "PATH=/usr/bin:/bin; printf '{\"x\":[0'; yes ',1e15' | head -n 50000 | tr -d '\\n'; echo ]}; echo hm >&2";
        let answer: Answer = serde_json::from_str(&line_of(body, &[])).unwrap();
        let failure = answer.failure.unwrap();
        assert_eq!((failure.kind, &*answer.log.last().unwrap().text), (FailureKind::Answer, "hm"));
        assert!(failure.text.ends_with("it may have no more than 262144"), "{}", failure.text);
    }

    #[test]
    fn a_line_of_megabytes_is_read_and_refused_by_the_kernel() {
        let bench = Bench::shell("exit 0");
        let runner = bench.runner();
        thread::scope(|scope| {
            let mut event = event(10_000, &[]);
            let long = "x".repeat(100_000);
            let options: Vec<_> = (0..64).map(|code| format!("KEA_QUERY4_OPTION_{code}")).collect();
            let all =
                [("KEA_HOOK_POINT", "lease4_renew")].into_iter().chain(options.iter().map(|name| (&**name, &*long)));
            event.vars = all.collect();
            let mut lane = Peer::lane(scope, &runner);
            lane.send(&event);
            assert_eq!(lane.answer().unwrap().failure.unwrap().kind, FailureKind::Start);
            event.vars = event.vars.iter().take(10).collect();
            lane.send(&event);
            assert_eq!(lane.answer().unwrap().next, Some(Next::Continue));
        });
    }
}
