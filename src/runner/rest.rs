//! The rest: events that no lane had taken when the library was unloaded. They come all at once, and are worked
//! off whether anybody still reads the answers or not.

use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use super::conversation::Conversation;
use super::{Handler, Runner, complain, line_of, report, spawn_in};
use crate::event::{End, Event};
use crate::verdict::Answer;

/// An event of the rest, and where its answer goes.
pub struct Work {
    event: Event,
    answers: Arc<Answers>,
}

/// The other side, while it is there, and what it has not taken yet: nobody reads between an `unload` and the next
/// `load`.
struct Answers(Mutex<Option<Outbox>>);

struct Outbox {
    stream: UnixStream,
    unsent: Vec<u8>,
}

/// Takes all events from `stream` and handles them in order, on as many threads as there have been lanes. `answers` are
/// apart, because earlier runners may hold the other end of `stream`, and answer for nobody.
pub fn work_off(runner: &Runner, stream: UnixStream, answers: UnixStream) {
    let Some(events) = read(&stream) else { return };
    let answers = Arc::new(Answers::to(answers));
    let workers = runner.turns.most_lanes().min(events.len());
    // A daemon is told the keys too.
    let entered = |event: Event| (event.keys.clone(), Work { event, answers: Arc::clone(&answers) });
    runner.turns.add_rest(events.into_iter().map(entered));
    drop(answers);
    thread::scope(|scope| {
        for _ in 1..workers {
            let _ = spawn_in(scope, "rest", || work(runner));
        }
        work(runner);
    });
}

/// All events, once the other side lets us begin by shutting its end down. None if it has not written them all: it has
/// kept them then.
fn read(stream: &UnixStream) -> Option<Vec<Event>> {
    let (mut events, mut lines, mut complete) = (Vec::new(), 0, false);
    for line in BufReader::new(stream).split(b'\n') {
        let line = line.ok()?;
        if let Ok(End { end }) = serde_json::from_slice(&line) {
            complete = end == lines;
            continue;
        }
        lines += 1;
        match serde_json::from_slice(&line) {
            Ok(event) => events.push(event),
            Err(error) => complain(format_args!("an event is lost: its line cannot be read: {error}")),
        }
    }
    complete.then_some(events)
}

fn work(runner: &Runner) {
    match &runner.handler {
        Handler::Script(script) => take_turns(runner, |event| script.handle(event, Instant::now())),
        Handler::Daemon(daemon) => thread::scope(|scope| {
            let mut conversation = Conversation::new(daemon, scope);
            take_turns(runner, |event| conversation.handle(event));
        }),
    }
}

fn take_turns(runner: &Runner, mut handle: impl FnMut(&Event) -> Answer) {
    while let Some((turn, Work { event, answers })) = runner.turns.next() {
        let answer = handle(&event);
        if !answers.send(&answer) {
            report(runner.handler.path(), &answer);
        }
        runner.turns.done(turn);
    }
}

impl Answers {
    fn to(stream: UnixStream) -> Answers {
        let _ = stream.set_nonblocking(true);
        Answers(Mutex::new(Some(Outbox { stream, unsent: Vec::new() })))
    }

    /// Whether the other side is there to get it, now or later.
    fn send(&self, answer: &Answer) -> bool {
        let mut outbox = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = match (outbox.as_mut(), line_of(answer)) {
            (Some(outbox), Ok(line)) => outbox.send(line.as_bytes()).is_ok(),
            _ => false,
        };
        if !sent {
            *outbox = None;
        }
        sent
    }
}

impl Drop for Answers {
    /// After the last answer: waits until the other side has taken all, or is gone.
    fn drop(&mut self) {
        let outbox = self.0.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Outbox { mut stream, unsent }) = outbox {
            let _ = stream.set_nonblocking(false).and_then(|()| stream.write_all(&unsent));
        }
    }
}

impl Outbox {
    fn send(&mut self, line: &[u8]) -> io::Result<()> {
        self.unsent.extend_from_slice(line);
        loop {
            match self.stream.write(&self.unsent) {
                Ok(0) => return Ok(()),
                Ok(sent) => drop(self.unsent.drain(..sent)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::net::Shutdown;
    use std::thread::Scope;

    use super::super::tests::{Bench, Peer, event};
    use super::*;

    fn numbered(seq: u64, keys: &str) -> Event {
        let keys = keys.split_whitespace().map(String::from).collect();
        let seq_text = seq.to_string();
        Event { seq, keys, ..event(10_000, &[("KEA_QUERY4_TRANSACTION_ID", &seq_text)]) }
    }

    /// A rest whose answers come back as on a lane.
    fn begin<'scope>(scope: &'scope Scope<'scope, '_>, runner: &'scope Runner) -> Peer {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let answers = theirs.try_clone().unwrap();
        scope.spawn(move || work_off(runner, theirs, answers));
        Peer(BufReader::new(ours))
    }

    /// Hands these events over, whole.
    fn hand_over<'scope>(scope: &'scope Scope<'scope, '_>, runner: &'scope Runner, events: &[Event]) -> Peer {
        let mut peer = begin(scope, runner);
        events.iter().for_each(|event| peer.send(event));
        peer.send(&End { end: events.len() });
        peer.0.get_ref().shutdown(Shutdown::Write).unwrap();
        peer
    }

    #[test]
    fn the_rest_keeps_its_order_behind_the_lanes() {
        let bench =
            Bench::shell("[ $KEA_QUERY4_TRANSACTION_ID != 1 ] || while [ ! -e \"$0.go\" ]; do sleep 0.01; done");
        let runner = bench.runner();
        thread::scope(|scope| {
            let (mut lane, _second) = (Peer::lane(scope, &runner), Peer::lane(scope, &runner));
            lane.send(&numbered(1, "a"));
            let events = [numbered(2, "a b"), numbered(3, "c"), numbered(4, "b"), numbered(5, "d")];
            let mut rest = hand_over(scope, &runner, &events);
            let mut next = || rest.answer().unwrap().seq;
            let (first, second) = (next(), next());
            assert_eq!((first.min(second), first.max(second)), (3, 5), "the others wait for the lane");
            fs::write(bench.directory.join("script.go"), "").unwrap();
            assert_eq!((next(), next()), (2, 4));
            assert_eq!(lane.answer().unwrap().seq, 1);
            assert_eq!(rest.answer(), None);
        });
    }

    #[test]
    fn what_is_written_to_a_lane_comes_before_the_rest() {
        let bench = Bench::shell("echo $KEA_QUERY4_TRANSACTION_ID >> \"$0.order\"");
        let runner = bench.runner();
        thread::scope(|scope| {
            let mut lanes: Vec<Peer> = (0..8).map(|_| Peer::lane(scope, &runner)).collect();
            for round in 0..50 {
                let lane = &mut lanes[round % 8];
                lane.send(&numbered(1, "a"));
                let mut rest = hand_over(scope, &runner, &[numbered(2, "a")]);
                assert_eq!(rest.answer().unwrap().seq, 2);
                assert_eq!(lane.answer().unwrap().seq, 1);
            }
        });
        assert_eq!(fs::read_to_string(bench.directory.join("script.order")).unwrap(), "1\n2\n".repeat(50));
    }

    #[test]
    fn a_line_that_cannot_be_read_costs_no_other() {
        let bench = Bench::shell("exit 0");
        let runner = bench.runner();
        thread::scope(|scope| {
            let mut peer = begin(scope, &runner);
            peer.send(&numbered(1, "a"));
            peer.write("{\"seq\":2}\n");
            peer.send(&numbered(3, "a"));
            peer.send(&End { end: 3 });
            peer.0.get_ref().shutdown(Shutdown::Write).unwrap();
            assert_eq!([peer.answer().unwrap().seq, peer.answer().unwrap().seq], [1, 3]);
            assert_eq!(peer.answer(), None);
        });
    }

    #[test]
    fn nobody_has_to_read_the_answers_before_the_last_event_is_handled() {
        let bench = Bench::shell(
            "i=0; while [ $i -lt 100 ]; do printf '%0900d\\n' $KEA_QUERY4_TRANSACTION_ID; i=$((i+1)); done; echo >>\"$0.ends\"",
        );
        let runner = bench.runner();
        thread::scope(|scope| {
            let events: Vec<Event> = (1..=40).map(|seq| numbered(seq, "a")).collect();
            let mut rest = hand_over(scope, &runner, &events);
            let ends = || fs::read(bench.directory.join("script.ends")).unwrap_or_default().len();
            while ends() < events.len() {
                thread::yield_now();
            }
            let seqs: Vec<_> = std::iter::from_fn(|| rest.answer()).map(|answer| answer.seq).collect();
            assert_eq!(seqs, (1..=40).collect::<Vec<_>>());
        });
    }
}
