//! The line that a handler writes: its answer to one event.

use serde::{Deserialize, Serialize};

/// The answer to the event with the same `seq`: either `next`, or why there is no verdict.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    pub seq: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Next>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// Lines for Kea's log.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub log: Vec<LogLine>,
}

/// What Kea shall do next.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Next {
    Continue,
    Skip,
    Drop,
}

/// Why a script gave no verdict; `on-failure` decides then.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    pub kind: FailureKind,
    /// For the log: what happened, in words.
    pub text: String,
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
}

/// A line for Kea's log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogLine {
    pub level: Level,
    pub text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Debug,
    Info,
    Warn,
    Error,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortest_answer_is_enough() {
        let answer: Answer = serde_json::from_str(r#"{"seq":17,"next":"continue"}"#).unwrap();
        assert_eq!(answer, Answer { seq: 17, next: Some(Next::Continue), failure: None, log: vec![] });
    }

    #[test]
    fn a_failure_reads_as_documented() {
        let answer = Answer {
            seq: 2,
            next: None,
            failure: Some(Failure { kind: FailureKind::Timeout, text: "no end within 5000 ms".into() }),
            log: vec![LogLine { level: Level::Warn, text: "hm".into() }],
        };
        assert_eq!(
            serde_json::to_string(&answer).unwrap(),
            r#"{"seq":2,"failure":{"kind":"timeout","text":"no end within 5000 ms"},"log":[{"level":"warn","text":"hm"}]}"#
        );
    }

    #[test]
    fn another_next_is_no_answer() {
        assert!(serde_json::from_str::<Answer>(r#"{"seq":17,"next":"explode"}"#).is_err());
    }
}
