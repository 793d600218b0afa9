//! The line that a handler writes: its answer to one event.

mod again;
mod log;

use std::fmt;

use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::event::Text;
use crate::text::{GLIMPSE, LOG_TEXT_BYTES, excerpt};
use again::Again;
use log::Log;
pub use log::{LOG_LINES, Level, LogLine};

/// What a handler may say of one event: a script on its standard output, a daemon or a server in its line.
pub const ANSWER_BYTES: usize = 256 * 1024;
/// What the runner's line may have: such an answer, and what it logs of the script beside it. In JSON a printable text
/// has twice its bytes at most.
pub const RUNNER_LINE_BYTES: usize = ANSWER_BYTES + (LOG_LINES + 1) * (2 * LOG_TEXT_BYTES + FRAME) + FRAME;
/// More than what stands around a text there.
const FRAME: usize = 100;

/// More than what Kea can change has names.
const KEYS: usize = 100;

/// The answer to the event with the same `seq`: `next`, why there is no verdict, or when the event shall come again.
#[derive(Debug, Default, PartialEq, Serialize)]
pub struct Answer {
    pub seq: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<Next>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// The event is not over: it shall come again, in so many seconds; 0: when the library thinks fit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub again: Option<f64>,
    /// Lines for Kea's log.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub log: Vec<LogLine>,
    /// What Kea shall change besides.
    #[serde(flatten)]
    pub wishes: Wishes,
}

/// By hand: serde's own way keeps all of an answer aside to find out which keys are left over as wishes.
impl<'de> Deserialize<'de> for Answer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Answer;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an answer")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Answer, A::Error> {
                let (mut seq, mut next, mut failure, mut again, mut log) = (None, None, None, None, None);
                let mut wishes = Wishes::default();
                while let Some(Text(key)) = map.next_key()? {
                    match &*key {
                        "seq" => once("seq", &mut seq, &mut map)?,
                        "next" => once("next", &mut next, &mut map)?,
                        "failure" => once("failure", &mut failure, &mut map)?,
                        "again" => once("again", &mut again, &mut map)?,
                        "log" => once("log", &mut log, &mut map)?,
                        _ => wishes.add(key.into_owned(), map.next_value()?)?,
                    }
                }
                let seq = seq.ok_or_else(|| A::Error::missing_field("seq"))?;
                let again = again.flatten().map(|Again(seconds)| seconds);
                let (next, failure, Log(log)) = (next.flatten(), failure.flatten(), log.unwrap_or_default());
                Ok(Answer { seq, next, failure, again, log, wishes })
            }
        }
        deserializer.deserialize_map(Pairs)
    }
}

fn once<'de, T, A>(key: &'static str, value: &mut Option<T>, map: &mut A) -> Result<(), A::Error>
where
    T: Deserialize<'de>,
    A: MapAccess<'de>,
{
    match value.replace(map.next_value()?) {
        Some(_) => Err(A::Error::duplicate_field(key)),
        None => Ok(()),
    }
}

/// What Kea shall do next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Next {
    #[default]
    Continue,
    Skip,
    Drop,
}

impl Next {
    /// As in the line.
    pub fn name(self) -> &'static str {
        match self {
            Next::Continue => "continue",
            Next::Skip => "skip",
            Next::Drop => "drop",
        }
    }
}

/// Keys and values as a script has said them, known or not, in its order; answers.rs judges them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wishes(pub Vec<(String, Value)>);

impl Wishes {
    /// A key that comes twice is an error: it may be what a client has smuggled into a careless script's answer.
    fn add<E: Error>(&mut self, key: String, value: Value) -> Result<(), E> {
        let Wishes(pairs) = self;
        // So few keys are known that looking through them all costs nothing; Kea's thread may be waiting.
        if pairs.len() == KEYS {
            return Err(E::custom(format_args!("more than {KEYS} keys")));
        }
        if pairs.iter().any(|(other, _)| *other == key) {
            return Err(E::custom(format_args!("duplicate field \"{}\"", excerpt(key, GLIMPSE))));
        }
        pairs.push((key, value));
        Ok(())
    }
}

impl Serialize for Wishes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}

impl<'de> Deserialize<'de> for Wishes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Wishes;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Wishes, A::Error> {
                let mut wishes = Wishes::default();
                while let Some((key, value)) = map.next_entry()? {
                    wishes.add(key, value)?;
                }
                Ok(wishes)
            }
        }
        deserializer.deserialize_map(Pairs)
    }
}

/// Why a script gave no verdict; `on-failure` decides then.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(expecting = "a map with `kind` and `text`")]
pub struct Failure {
    pub kind: FailureKind,
    /// For the log: what happened, in words.
    pub text: String,
}

impl Failure {
    pub fn new(kind: FailureKind, text: impl Into<String>) -> Self {
        Failure { kind, text: text.into() }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FailureKind {
    /// The script could not be started.
    Start,
    /// It did not end within the time-out and was stopped.
    Timeout,
    /// It ended by a signal that was not ours.
    Signal,
    /// Its exit status says nothing; only with `answers`.
    Exit,
    /// What it said is no answer.
    Answer,
    /// The handler ended before it answered.
    Gone,
}

impl FailureKind {
    /// Whether the script may not have heard of the event, or not to its end.
    pub fn is_untold(self) -> bool {
        matches!(self, FailureKind::Start | FailureKind::Timeout | FailureKind::Gone)
    }

    /// As in the line.
    pub fn name(self) -> &'static str {
        match self {
            FailureKind::Start => "start",
            FailureKind::Timeout => "timeout",
            FailureKind::Signal => "signal",
            FailureKind::Exit => "exit",
            FailureKind::Answer => "answer",
            FailureKind::Gone => "gone",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortest_answer_is_enough() {
        let answer: Answer = serde_json::from_str(r#"{"seq":17,"next":"continue"}"#).unwrap();
        assert_eq!(answer, Answer { seq: 17, next: Some(Next::Continue), ..Answer::default() });
    }

    #[test]
    fn a_failure_reads_as_documented() {
        let answer = Answer {
            seq: 2,
            failure: Some(Failure { kind: FailureKind::Timeout, text: "no end within 5000 ms".into() }),
            log: vec![LogLine::new(Level::Warn, "hm")],
            ..Answer::default()
        };
        assert_eq!(
            serde_json::to_string(&answer).unwrap(),
            r#"{"seq":2,"failure":{"kind":"timeout","text":"no end within 5000 ms"},"log":[{"level":"warn","text":"hm"}]}"#
        );
    }

    #[test]
    fn wishes_stand_beside_the_rest() {
        let line = r#"{"seq":17,"next":"continue","subnet-id":2,"unheard-of":null}"#;
        let answer: Answer = serde_json::from_str(line).unwrap();
        let wishes = [("subnet-id".into(), Value::from(2)), ("unheard-of".into(), Value::Null)];
        assert_eq!(answer.wishes, Wishes(wishes.to_vec()));
        assert_eq!(serde_json::to_string(&answer).unwrap(), line);
    }

    #[test]
    fn what_is_said_twice_is_no_answer() {
        for line in [r#"{"seq":1,"hostname":"a","hostname":"b"}"#, r#"{"seq":1,"next":"drop","next":"continue"}"#] {
            assert!(serde_json::from_str::<Answer>(line).unwrap_err().to_string().starts_with("duplicate field"));
        }
    }

    #[test]
    fn another_next_is_no_answer() {
        assert!(serde_json::from_str::<Answer>(r#"{"seq":17,"next":"explode"}"#).is_err());
    }
}
