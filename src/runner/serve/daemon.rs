//! A connection whose events a daemon of its own answers: each line is read and checked here, and told to the daemon in our
//! own words.

use std::io::{self, BufReader};
use std::net::Shutdown;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::super::daemons::Daemons;
use super::super::environment::Names;
use super::super::executable::Executable;
use super::super::lane::{self, Rules, next_event, send};
use super::super::leftovers::Leftovers;
use super::super::reports::Reports;
use super::super::script::hook_point;
use super::complain_of;
use crate::config::Mode;
use crate::control;
use crate::event::{Event, Hello, PROTOCOL, line};
use crate::lane::{Failed, Lane, MOST_AHEAD};
use crate::text::unreadable;
use crate::verdict::{Answer, Failure, FailureKind, LogLine};
use crate::wait::{readable, wait_for};

/// How long a daemon may take to say hello.
const HELLO_WITHIN: Duration = Duration::from_secs(8);
/// The one lane of each.
const LANE: u64 = 1;

/// The daemons' program.
pub struct Program {
    program: Arc<Executable>,
    leftovers: Arc<Leftovers>,
}

impl Program {
    pub fn new(program: Executable, leftovers: Arc<Leftovers>) -> Program {
        Program { program: Arc::new(program), leftovers }
    }

    fn path(&self) -> &Path {
        self.program.path()
    }
}

/// Starts a daemon, and stays with it until the connection ends, or the daemon does.
pub fn serve(
    program: &Program,
    stream: &UnixStream,
    lines: &mut BufReader<&UnixStream>,
    theirs: &Hello,
    rules: &dyn Rules,
) -> io::Result<()> {
    let (daemons, control) = start(program, rules.most())?;
    let ended = thread::scope(|scope| {
        let (ours, its) = UnixStream::pair()?;
        daemons.take(scope, LANE, Arc::new(its), None)?;
        let daemon = Daemon { lane: Lane::new(LANE, ours), daemons: &daemons, control: &control, stream, rules };
        let ended = daemon.converse(lines, theirs);
        // The library need not wait for the daemon's end.
        let _ = stream.shutdown(Shutdown::Both);
        if ended.is_ok() {
            daemons.let_go(LANE)
        } else {
            daemons.stop(LANE)
        }
        ended
    });
    // Its last words have no answer to go with.
    complain_of(program.path(), &heard(&control));
    ended
}

/// What becomes of a daemon of this connection, and where that is heard of.
fn start(program: &Program, patience: Duration) -> io::Result<(Daemons, OwnedFd)> {
    let (ours, theirs) = control::pair()?;
    let reports = Reports::new(&theirs, Arc::clone(&program.leftovers), program.path().into())?;
    Ok((Daemons::new(Arc::clone(&program.program), reports, Arc::default(), patience), ours))
}

fn heard(control: &OwnedFd) -> Vec<LogLine> {
    control::reports(control).0.into_iter().flat_map(|report| report.log).collect()
}

struct Daemon<'a> {
    lane: Lane,
    daemons: &'a Daemons,
    control: &'a OwnedFd,
    /// Kea's connection.
    stream: &'a UnixStream,
    rules: &'a dyn Rules,
}

impl Daemon<'_> {
    fn converse(mut self, lines: &mut BufReader<&UnixStream>, theirs: &Hello) -> io::Result<()> {
        let hello = self.greet()?;
        lane::greet(&Hello { ahead: hello.ahead, ..self.rules.hello() }, theirs, self.stream)?;
        loop {
            self.wait_for_an_event(lines)?;
            let Some((event, _)) = next_event(self.rules, lines)? else { return Ok(()) };
            let mut events = vec![event];
            // What has been sent ahead is told ahead.
            while events.len() <= hello.ahead.min(MOST_AHEAD) && lines.buffer().contains(&b'\n') {
                events.extend(next_event(self.rules, lines)?.map(|(event, _)| event));
            }
            if !self.tell(events)? {
                return Ok(());
            }
        }
    }

    /// A daemon that ends meanwhile, or speaks, costs no event: its connection ends.
    fn wait_for_an_event(&self, lines: &BufReader<&UnixStream>) -> io::Result<()> {
        if !lines.buffer().is_empty() {
            return Ok(());
        }
        let mut fds = [readable(self.stream.as_fd()), self.lane.poll_fd()];
        wait_for(&mut fds, None)?;
        match fds[1].any() {
            Some(false) => Ok(()),
            _ => Err(io::Error::other("its daemon has ended, or has spoken unasked")),
        }
    }

    fn greet(&mut self) -> io::Result<Hello> {
        let ours = line(&Hello { keeps_time: false, ..Hello::ours() })?;
        let said = self.lane.exchange(|out| *out = ours, Instant::now() + HELLO_WITHIN);
        let no_hello =
            |why: String| io::Error::other(format!("{} says no hello: {why}", self.daemons.path().display()));
        let hello: Hello = said.map_err(|failed| no_hello(failed.to_string())).and_then(|line| {
            let why = |error| no_hello(unreadable(&error, &line, Mode::Daemon.only_answers()));
            serde_json::from_slice(&line).map_err(why)
        })?;
        match hello.hello {
            PROTOCOL => Ok(hello),
            other => Err(no_hello(format!("it speaks version {other} of the lines"))),
        }
    }

    /// Has these events answered, one after the other; whether somebody may have read the answers.
    fn tell(&mut self, events: Vec<Event>) -> io::Result<bool> {
        let (mut all, mut out) = (Vec::new(), String::new());
        for event in events {
            let at_once = self.rules.answer_at_once(&event);
            let at_once = at_once.or_else(|| hook_point(&event).err().map(|failure| failed(event.seq, failure)));
            let event = checked(event);
            if at_once.is_none() {
                out.push_str(&line(&event)?);
            }
            all.push((event, at_once));
        }
        let gone = |failed: Failed| io::Error::other(failed.to_string());
        self.lane.send(|lines| *lines = out).map_err(gone)?;
        let mut is_heard = true;
        for (event, at_once) in all {
            match at_once.map_or_else(|| answer(&mut self.lane, self.control, &event), Ok) {
                Ok(answer) => is_heard &= self.pass_on(&event, &answer)?,
                Err(Failed::TimedOut) => {
                    let text = format!("no answer within {} ms", event.timeout);
                    self.pass_on(&event, &failed(event.seq, Failure::new(FailureKind::Timeout, text)))?;
                    return Err(io::Error::other("a daemon that does not answer in time is stopped"));
                }
                // Kea's library knows best what becomes of an event whose connection ends without an answer.
                Err(failed) => return Err(gone(failed)),
            }
        }
        Ok(is_heard)
    }

    fn pass_on(&self, event: &Event, answer: &Answer) -> io::Result<bool> {
        if answer.seq != event.seq {
            let (theirs, ours) = (answer.seq, event.seq);
            return Err(io::Error::other(format!("its daemon has answered event {theirs} where {ours} was due")));
        }
        self.rules.is_answered(event, answer);
        send(self.daemons.path(), self.stream, answer)
    }
}

/// The daemon's answer, with what it has to say beside.
fn answer(lane: &mut Lane, control: &OwnedFd, event: &Event) -> Result<Answer, Failed> {
    let line = lane.receive(Instant::now() + Duration::from_millis(event.timeout))?;
    let mut answer = serde_json::from_slice::<Answer>(&line).unwrap_or_else(|error| {
        let text = unreadable(&error, &line, Mode::Daemon.only_answers());
        failed(event.seq, Failure::new(FailureKind::Answer, text))
    });
    answer.log.extend(heard(control));
    Ok(answer)
}

fn failed(seq: u64, failure: Failure) -> Answer {
    Answer { seq, failure: Some(failure), ..Answer::default() }
}

/// An event in which nothing stands but what our tables know, and that once.
fn checked(event: Event) -> Event {
    let mut names = Names::default();
    let vars = event.vars.iter().filter(|(name, _)| names.add(name).is_ok()).collect();
    Event { vars, at: None, ..event }
}
