//! Events of the rest, told to a copy of the daemon that lives for them alone: here we are what the library is to a
//! lane's copy.

use std::fmt::Display;
use std::io;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread::{Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

use nix::errno::Errno;

use super::copy::{self, Outcome};
use super::daemon::{Daemon, Leash};
use super::run::{Ended, GRACE, LONG};
use super::spawn_in;
use crate::config::Mode;
use crate::event::{Event, Hello, PROTOCOL, line};
use crate::lane::{Failed, Lane};
use crate::text::unreadable;
use crate::verdict::{Answer, Failure, FailureKind, Wishes};

/// After so many copies in a row that did not come to greet us, there are no more.
const STARTS: usize = 3;
/// The lane that reports of these copies name.
const NO_LANE: u64 = 0;

pub struct Conversation<'scope, 'env> {
    daemon: &'scope Daemon,
    scope: &'scope Scope<'scope, 'env>,
    copy: Option<Copy<'scope>>,
    /// Why the last ones could not be had.
    refusals: Vec<Failure>,
}

impl<'scope, 'env> Conversation<'scope, 'env> {
    pub fn new(daemon: &'scope Daemon, scope: &'scope Scope<'scope, 'env>) -> Self {
        Conversation { daemon, scope, copy: None, refusals: Vec::new() }
    }

    /// Tells one event; a copy that gives no answer is not told another.
    pub fn handle(&mut self, event: &Event) -> Answer {
        self.ask(event).unwrap_or_else(|failure| {
            let (failure, wishes) = (Some(failure), Wishes::default());
            Answer { seq: event.seq, next: None, failure, log: vec![], wishes }
        })
    }

    fn ask(&mut self, event: &Event) -> Result<Answer, Failure> {
        let timeout = Duration::from_millis(event.timeout).min(LONG);
        let mut copy = self.copy(timeout)?;
        match copy.ask(event, timeout) {
            Ok(answer) => {
                self.copy = Some(copy);
                Ok(answer)
            }
            Err(silence) => Err(copy.give_up(silence)),
        }
    }

    /// The copy, or a new one if it has ended between two events, or said what nobody has asked for.
    fn copy(&mut self, timeout: Duration) -> Result<Copy<'scope>, Failure> {
        if let Some(mut copy) = self.copy.take() {
            match copy.lane.advance() {
                Ok(None) => return Ok(copy),
                _ => drop(copy.end()),
            }
        }
        if let Some(last) = self.refusals.get(STARTS - 1) {
            return Err(last.clone());
        }
        match Copy::start(self.daemon, self.scope, timeout) {
            Ok(copy) => {
                self.refusals.clear();
                Ok(copy)
            }
            Err(failure) => {
                self.refusals.push(failure.clone());
                Err(failure)
            }
        }
    }
}

impl Drop for Conversation<'_, '_> {
    /// The copy has nothing to finish.
    fn drop(&mut self) {
        if let Some(copy) = &self.copy {
            copy.leash.set_patience(GRACE);
        }
    }
}

/// A copy and our end of its socket. If it is dropped, the copy sees the end of its input, and may finish.
struct Copy<'scope> {
    lane: Lane,
    leash: Arc<Leash>,
    thread: ScopedJoinHandle<'scope, Outcome>,
}

/// Why there is no answer.
enum Silence {
    TimedOut(Duration),
    Gone,
    Nonsense(String),
}

impl Silence {
    fn nonsense(what: impl Display) -> Silence {
        Silence::Nonsense(format!("bad answer: {what}"))
    }
}

impl<'scope> Copy<'scope> {
    fn start(
        daemon: &'scope Daemon,
        scope: &'scope Scope<'scope, '_>,
        timeout: Duration,
    ) -> Result<Copy<'scope>, Failure> {
        let mut copy = Copy::open(daemon, scope)
            .map_err(|error| Failure::new(FailureKind::Start, format!("no copy can be started: {error}")))?;
        match copy.greet(timeout) {
            Ok(()) => Ok(copy),
            Err(silence) => {
                let Failure { kind, text } = copy.give_up(silence);
                let text = if kind == FailureKind::Start { text } else { format!("no greeting: {text}") };
                Err(Failure { kind: FailureKind::Start, text })
            }
        }
    }

    fn open(daemon: &'scope Daemon, scope: &'scope Scope<'scope, '_>) -> io::Result<Copy<'scope>> {
        let (ours, theirs) = UnixStream::pair()?;
        let (lane, leash) = (Lane::new(NO_LANE, ours), daemon.leash()?);
        let heard = Arc::clone(&leash);
        let thread = spawn_in(scope, "copy", move || copy::serve(daemon, NO_LANE, &theirs, &heard))?;
        Ok(Copy { lane, leash, thread })
    }

    fn greet(&mut self, timeout: Duration) -> Result<(), Silence> {
        let ours = Hello { hello: PROTOCOL, ..Hello::default() };
        let answer = self.exchange(&ours, timeout)?;
        let Hello { hello, .. } = read(&answer)?;
        match hello {
            PROTOCOL => Ok(()),
            _ => Err(Silence::nonsense(format_args!("it speaks version {hello} of the lines, not {PROTOCOL}"))),
        }
    }

    fn ask(&mut self, event: &Event, timeout: Duration) -> Result<Answer, Silence> {
        let answer: Answer = read(&self.exchange(event, timeout)?)?;
        match answer.seq == event.seq {
            true => Ok(answer),
            false => Err(Silence::nonsense(format_args!("it is to event {}, not {}", answer.seq, event.seq))),
        }
    }

    fn exchange(&mut self, value: &impl serde::Serialize, timeout: Duration) -> Result<Vec<u8>, Silence> {
        let line = line(value).map_err(Silence::nonsense)?;
        self.lane.exchange(|out| *out = line, Instant::now() + timeout).map_err(|failed| match failed {
            Failed::TimedOut => Silence::TimedOut(timeout),
            Failed::TooLong(_) => Silence::nonsense(failed),
            Failed::Gone { .. } => Silence::Gone,
        })
    }

    fn give_up(self, silence: Silence) -> Failure {
        let ended = match self.end() {
            Outcome::Refused(failure) => return failure,
            Outcome::Ended(ended) => ended,
        };
        match (silence, ended) {
            (Silence::TimedOut(timeout), ended) => {
                let text = format!("no answer within {} ms; {ended}", timeout.as_millis());
                Failure::new(FailureKind::Timeout, text)
            }
            (Silence::Gone, Ended::TimedOut { .. }) => {
                Failure::new(FailureKind::Gone, "closed its connection before it answered")
            }
            (Silence::Gone, ended) => Failure::new(FailureKind::Gone, format!("{ended}, before it answered")),
            (Silence::Nonsense(text), _) => Failure::new(FailureKind::Answer, text),
        }
    }

    /// Stops it, and waits until it is over: what comes next may be about the same client.
    fn end(self) -> Outcome {
        self.leash.give_up();
        drop(self.lane);
        self.thread.join().unwrap_or(Outcome::Ended(Ended::Lost(Errno::ECHILD)))
    }
}

fn read<T: serde::de::DeserializeOwned>(line: &[u8]) -> Result<T, Silence> {
    serde_json::from_slice(line)
        .map_err(|error| Silence::nonsense(unreadable(&error, line, Mode::Daemon.only_answers())))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::thread;

    use super::super::tests::{Bench, assert_failure, event, until};
    use super::*;
    use crate::verdict::Next;

    const GREET: &str = "PATH=/usr/bin:/bin; echo >> \"$0.starts\"; read -r line; echo '{\"hello\":1}'";

    fn bench(body: &str) -> Bench {
        Bench::shell(&format!("{GREET}\n{body}"))
    }

    fn starts(bench: &Bench) -> usize {
        fs::read(bench.directory.join("script.starts")).unwrap_or_default().len()
    }

    /// The answers to so many events, and how many copies there were.
    fn answers(bench: &Bench, events: usize, timeout: u64) -> (Vec<Answer>, usize) {
        let (daemon, _peer) = bench.daemon();
        let answers = thread::scope(|scope| {
            let mut conversation = Conversation::new(&daemon, scope);
            (0..events).map(|_| conversation.handle(&event(timeout, &[]))).collect()
        });
        (answers, starts(bench))
    }

    #[track_caller]
    fn failure(bench: &Bench, timeout: u64, kind: FailureKind, text: &str) {
        let (answers, starts) = answers(bench, 2, timeout);
        answers.iter().for_each(|answer| assert_failure(answer, kind, text));
        assert_eq!(starts, 2, "a copy that gave no answer is not told another event");
    }

    #[test]
    fn one_copy_is_told_all() {
        let say = r#"echo '{"seq":17,"next":"drop","log":[{"level":"info","text":"hm"}],"subnet-id":2}'"#;
        let (answers, starts) = answers(&bench(&format!("while read -r line; do {say}; done")), 3, 600_000);
        assert_eq!((answers.len(), starts), (3, 1));
        for answer in answers {
            assert_eq!((answer.next, answer.log.len(), answer.wishes.0.len()), (Some(Next::Drop), 1, 1));
        }
    }

    #[test]
    fn no_answer_is_a_failure() {
        let long = 600_000;
        failure(
            &bench("read -r line; exit 3"),
            long,
            FailureKind::Gone,
            "ended with exit status 3, before it answered",
        );
        failure(&bench("kill -9 $$"), long, FailureKind::Gone, "killed by SIGKILL, before it answered");
        let not_17 = "bad answer: it is to event 18, not 17";
        failure(&bench(r#"echo '{"seq":18,"next":"skip"}'; cat"#), long, FailureKind::Answer, not_17);
        let nonsense = "bad answer: \"nonsense\": standard output is for answers; print to standard error";
        failure(&bench("read -r line; echo nonsense; cat"), long, FailureKind::Answer, nonsense);
    }

    #[test]
    fn a_late_copy_is_stopped() {
        let (answers, _) = answers(&bench("exec sleep 600"), 1, 1000);
        assert_failure(&answers[0], FailureKind::Timeout, "no answer within 1000 ms; stopped with SIGTERM");
    }

    #[test]
    fn copies_that_do_not_greet_are_given_up() {
        let bench = Bench::shell("echo >> \"$0.starts\"; exit 3");
        let (answers, starts) = answers(&bench, 10, 600_000);
        let text = "no greeting: ended with exit status 3, before it answered";
        answers.iter().for_each(|answer| assert_failure(answer, FailureKind::Start, text));
        assert_eq!((answers.len(), starts), (10, STARTS));
    }

    #[test]
    fn another_version_is_no_greeting() {
        let (answers, _) = answers(&Bench::shell("echo '{\"hello\":2}'; read -r line; read -r line"), 1, 600_000);
        let text = "no greeting: bad answer: it speaks version 2 of the lines, not 1";
        assert_failure(&answers[0], FailureKind::Start, text);
    }

    #[test]
    fn a_copy_that_cannot_be_started_says_why() {
        let (answers, _) = answers(&Bench::new(), 5, 600_000);
        for answer in answers {
            let failure = answer.failure.unwrap();
            assert_eq!(failure.kind, FailureKind::Start);
            assert!(failure.text.starts_with("cannot start /"), "{}", failure.text);
        }
    }

    #[test]
    fn a_copy_may_end_between_two_events() {
        let bench = bench("read -r line; echo '{\"seq\":17,\"next\":\"skip\"}'");
        let (daemon, _peer) = bench.daemon();
        thread::scope(|scope| {
            let mut conversation = Conversation::new(&daemon, scope);
            for _ in 0..3 {
                assert_eq!(conversation.handle(&event(600_000, &[])).next, Some(Next::Skip));
                assert!(until(|| conversation.copy.as_ref().unwrap().thread.is_finished()));
            }
        });
        assert_eq!(starts(&bench), 3);
    }
}
