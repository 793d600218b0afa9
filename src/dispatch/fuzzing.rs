//! An answer: see [`crate::fuzzing`].

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::Task;
use super::shared::Shared;
use crate::answers::{Kind, find, row_of};
use crate::bridge::ffi::{Change, Key, Step, Verdict};
use crate::config::{self, Kea, Point, Wait};
use crate::event::line;
use crate::facts::Facts;
use crate::fuzzing::messages;
use crate::hook_points::{HOOK_POINTS, HookPoint, hook_point_names};
use crate::variables::Server;
use crate::verdict::{Answer, Next};

/// Lines of one answer that are logged, and the count of the rest.
const LOG_LINES: usize = 101;

/// How an event was asked about.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// Index of [`HOOK_POINTS`].
    pub point: usize,
    pub wait: bool,
    pub answers: bool,
    pub on_failure: Next,
}

/// Whatever a handler says to event 1, Kea is told what it can do at the hook point, values within their bounds, and the log
/// a bounded number of lines.
pub fn answer(asked: Asked, said: &[u8]) {
    let Asked { point, wait, answers, on_failure } = asked;
    let row = &HOOK_POINTS[point];
    let shared = shared(answers, on_failure);
    let how = Point { wait: if wait { Wait::Yes } else { Wait::No }, timeout: Duration::from_secs(5) };
    let mut task = Task::new(point, how, Arc::new(Facts::default()));
    task.seq = 1;
    let answer = shared.read(&task, said);
    let read = serde_json::from_slice::<Answer>(said).ok().filter(|answer| answer.seq == 1);
    assert_eq!(answer.is_ok(), read.is_some());
    let has_failed = read.as_ref().is_none_or(|answer| answer.failure.is_some());
    let next = read.as_ref().and_then(|answer| answer.next).unwrap_or_default();
    read.iter().for_each(assert_line);
    let Verdict { step, changes, ticket } = shared.conclude(&task, answer);
    assert_eq!(ticket, 0);
    let expected = match (wait, has_failed) {
        (false, _) => Step::Continue,
        (true, true) => row.step(on_failure),
        (true, false) => {
            if answers {
                row.step(next)
            } else {
                Step::Continue
            }
        }
    };
    assert_eq!(step, expected);
    assert!(changes.is_empty() || step == Step::Continue && wait && answers && !has_failed);
    changes.iter().for_each(|change| assert_change(row, change));
    // One for each refused part of an answer, which has no more than a hundred keys.
    assert!(messages() <= LOG_LINES + 2 * 100 + 2);
}

fn shared(answers: bool, on_failure: Next) -> Shared {
    let kea = Kea {
        server: crate::hook_points::Server::Dhcp4,
        version: "2.2.0",
        hook_points: &hook_point_names(),
        scripts_directory: "".as_ref(),
        scripts_only_there: false,
        data_directory: "".as_ref(),
    };
    let parameters = json!({"script": "/bin/true", "answers": answers, "on-failure": on_failure.name()});
    let config = config::parse(&parameters.to_string(), kea).expect("parameters").remove(0);
    Shared::new(config, &Server::default()).expect("descriptors")
}

/// The runner sends it on as one line, which reads the same.
pub fn assert_line(answer: &Answer) {
    let text = line(answer).expect("an answer has a line");
    assert_eq!(text.find('\n'), Some(text.len() - 1));
    let again: Answer = serde_json::from_str(&text).expect("an answer");
    assert_eq!(
        (again.seq, again.next, &again.failure, &again.log),
        (answer.seq, answer.next, &answer.failure, &answer.log)
    );
    let keys = |answer: &Answer| answer.wishes.0.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>();
    assert_eq!(keys(&again), keys(answer));
}

fn assert_change(point: &HookPoint, change: &Change) {
    let Change { key, number, data, script, said, .. } = change;
    let row = row_of(*key).expect("a row");
    assert!(point.keys.contains(key), "{} at {}", row.name, point.name);
    assert_eq!(*script, 0);
    assert!(!said.is_empty() && find(row.name).is_some());
    if row.kind == Kind::Number {
        assert!((*number > 0 || *key == Key::PreferredLft) && data.is_empty());
        return;
    }
    assert_eq!(*number, 0);
    if *key == Key::FlexId {
        assert!((1..=128).contains(&data.len()));
        return;
    }
    let text = std::str::from_utf8(data).expect("UTF-8");
    assert!(!text.contains('\0'));
    assert!(
        match *key {
            Key::ClientClasses => (1..=255).contains(&text.len()) && !text.contains(char::is_control),
            Key::ServerHostname => text.len() <= 64,
            Key::BootFileName => text.len() <= 128,
            Key::Hostname =>
                (1..=254).contains(&text.len())
                    && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)),
            Key::NextServer => text.parse::<std::net::Ipv4Addr>().is_ok(),
            Key::IpAddress => text.parse::<std::net::IpAddr>().is_ok(),
            Key::OptionData | Key::QueryOptionData =>
                serde_json::from_str::<Value>(text).is_ok_and(|map| !map["name"].is_null() || !map["code"].is_null()),
            _ => false,
        },
        "{}: {text:?}",
        row.name
    );
}
