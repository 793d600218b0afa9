//! A connection whose events a daemon of its own answers: each line is read and checked here, and told to the daemon in our
//! own words.

use std::io::{self, BufReader};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::super::daemons::Daemons;
use super::super::executable::Executable;
use super::super::lane::{Gate, greet, next_event, said, send};
use super::super::leftovers::Leftovers;
use super::super::reports::Reports;
use super::super::script::hook_point;
use super::complain_of;
use crate::config::Mode;
use crate::control;
use crate::event::{Event, Hello, PROTOCOL, line};
use crate::lane::{Failed, Lane};
use crate::text::unreadable;
use crate::variables::is_name;
use crate::verdict::{Answer, Failure, FailureKind, LogLine};

/// How long a daemon may take to say hello.
const HELLO_WITHIN: Duration = Duration::from_secs(8);
/// The one lane of each.
const LANE: u64 = 1;
/// So much is looked at for further events.
const BUFFER: usize = 64 * 1024;

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
pub fn serve(program: &Program, stream: &UnixStream, gate: &dyn Gate) {
    let served = start(program, gate.most()).and_then(|(daemons, control)| {
        let ended = thread::scope(|scope| {
            let (ours, its) = UnixStream::pair()?;
            daemons.take(scope, LANE, Arc::new(its), None)?;
            let daemon = Daemon { lane: Lane::new(LANE, ours), daemons: &daemons, control: &control };
            let ended = daemon.converse(stream, gate);
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
    });
    said(served);
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
}

impl Daemon<'_> {
    fn converse(mut self, stream: &UnixStream, gate: &dyn Gate) -> io::Result<()> {
        let hello = self.greet()?;
        let mut lines = BufReader::with_capacity(BUFFER, stream);
        if !greet(&Hello { ahead: hello.ahead, ..gate.hello() }, stream, &mut lines)? {
            return Ok(());
        }
        while let Some((event, _)) = next_event(gate, &mut lines)? {
            let mut events = vec![event];
            // What has been sent ahead is told ahead.
            while events.len() <= hello.ahead && lines.buffer().contains(&b'\n') {
                events.extend(next_event(gate, &mut lines)?.map(|(event, _)| event));
            }
            self.tell(events, stream, gate)?;
        }
        Ok(())
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

    /// Has these events answered, one after the other.
    fn tell(&mut self, events: Vec<Event>, stream: &UnixStream, gate: &dyn Gate) -> io::Result<()> {
        let (mut all, mut out) = (Vec::new(), String::new());
        for event in events {
            let at_once = gate.answer_at_once(&event);
            let at_once = at_once.or_else(|| hook_point(&event).err().map(|failure| failed(event.seq, failure)));
            let event = checked(event);
            if at_once.is_none() {
                out.push_str(&line(&event)?);
            }
            all.push((event, at_once));
        }
        let gone = |failed: Failed| io::Error::other(failed.to_string());
        self.lane.send(|lines| *lines = out).map_err(gone)?;
        for (event, at_once) in all {
            let answer = match at_once.map_or_else(|| answer(&mut self.lane, self.control, &event), Ok) {
                Err(Failed::TimedOut) => {
                    let text = format!("no answer within {} ms", event.timeout);
                    failed(event.seq, Failure::new(FailureKind::Timeout, text))
                }
                // Kea's library knows best what becomes of an event whose connection ends without an answer.
                answer => answer.map_err(gone)?,
            };
            let is_late = answer.failure.as_ref().is_some_and(|failure| failure.kind == FailureKind::Timeout);
            gate.is_answered(&event, &answer);
            send(self.daemons.path(), stream, &answer);
            if is_late {
                return Err(io::Error::other("a daemon that does not answer in time is stopped"));
            }
        }
        Ok(())
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

/// An event in which nothing stands but what our tables know.
fn checked(event: Event) -> Event {
    let vars = event.vars.iter().filter(|(name, _)| is_name(name)).collect();
    Event { vars, at: None, ..event }
}
