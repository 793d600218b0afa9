//! The rest: events that no lane had taken when the library was unloaded. They come all at once, and are worked
//! off whether anybody still reads the answers or not.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::{Runner, complain, spawn_in};
use crate::event::{Event, line};
use crate::verdict::Answer;

/// How long an answer may wait for a reader that is there but does not read.
const PATIENCE: Duration = Duration::from_secs(5);

/// An event of the rest, and where its answer goes.
pub struct Work {
    event: Event,
    answers: Arc<Answers>,
}

/// The other side, while it is there.
struct Answers(Mutex<Option<UnixStream>>);

/// Takes all events from `stream` and handles them in order, on as many threads as there have been lanes.
pub fn work_off(runner: &Runner, stream: UnixStream) {
    let events = read(&stream);
    let _ = stream.set_write_timeout(Some(PATIENCE));
    let answers = Arc::new(Answers(Mutex::new(Some(stream))));
    let workers = runner.turns.most_lanes().min(events.len());
    runner.turns.add_rest(events.into_iter().map(|mut event| {
        let keys = std::mem::take(&mut event.keys);
        (keys, Work { event, answers: Arc::clone(&answers) })
    }));
    drop(answers);
    thread::scope(|scope| {
        for _ in 1..workers {
            let _ = spawn_in(scope, "rest", || work(runner));
        }
        work(runner);
    });
}

fn read(stream: &UnixStream) -> Vec<Event> {
    let mut events = Vec::new();
    for line in BufReader::new(stream).split(b'\n') {
        match line.map(|line| serde_json::from_slice(&line)) {
            Ok(Ok(event)) => events.push(event),
            Ok(Err(error)) => complain(format_args!("an event is lost: its line cannot be read: {error}")),
            Err(error) => {
                complain(format_args!("events are lost: their lines cannot be read: {error}"));
                break;
            }
        }
    }
    events
}

fn work(runner: &Runner) {
    while let Some((turn, Work { event, answers })) = runner.turns.next() {
        let answer = runner.script.handle(&event, Instant::now());
        runner.turns.done(turn);
        if !answers.send(&answer) {
            runner.report(&answer);
        }
    }
}

impl Answers {
    /// Whether the other side got it. Once it has not, it gets no more.
    fn send(&self, answer: &Answer) -> bool {
        let mut stream = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(writer) = stream.as_mut() else { return false };
        let sent = line(answer).is_ok_and(|line| writer.write_all(&line).is_ok());
        if !sent {
            *stream = None;
        }
        sent
    }
}
