//! What an answer, or a report, has for Kea's log.

use std::fmt;

use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::bridge::ffi::Severity;
use crate::log::{log_at, log_repeating_at};
use crate::messages::Row;

/// Of one answer no more lines are logged.
pub const LOG_LINES: usize = 100;

/// A line for Kea's log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(expecting = "a map with `level` and `text`")]
pub struct LogLine {
    pub level: Level,
    pub text: String,
    /// It may come with every event: it is logged once a minute, with its count.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub repeats: bool,
}

impl LogLine {
    pub fn new(level: Level, text: impl Into<String>) -> Self {
        LogLine { level, text: text.into(), repeats: false }
    }

    pub fn repeating(level: Level, text: impl Into<String>) -> Self {
        LogLine { repeats: true, ..LogLine::new(level, text) }
    }

    /// Writes the line to Kea's log at its level, as the message `row` with `args`. `who` and `what` tell lines that repeat
    /// from others, beside the level.
    pub fn write(&self, row: &'static Row, who: &str, what: &[&'static str], args: &[String]) {
        match self.repeats {
            true => log_repeating_at(row, self.level.severity(), who, &[what, &[self.level.name()]].concat(), args),
            false => log_at(row, self.level.severity(), args),
        }
    }

    /// Stands for so many lines that are too much.
    pub fn left_out(lines: u64) -> Self {
        LogLine::new(Level::Warn, format!("{lines} more lines of output left out"))
    }
}

/// The lines of an answer. Those that are too many are only counted: in the last line, which may as well be one of them.
#[derive(Default)]
pub struct Log(pub Vec<LogLine>);

impl<'de> Deserialize<'de> for Log {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Lines;
        impl<'de> Visitor<'de> for Lines {
            type Value = Log;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a list of maps")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Log, A::Error> {
                let (mut lines, mut left_out) = (Vec::new(), 0);
                while let Some(line) = list.next_element()? {
                    lines.push(line);
                    if lines.len() > LOG_LINES {
                        break;
                    }
                }
                while list.next_element::<IgnoredAny>()?.is_some() {
                    left_out += 1;
                }
                if left_out > 0 {
                    lines.truncate(LOG_LINES);
                    lines.push(LogLine::left_out(left_out + 1));
                }
                Ok(Log(lines))
            }
        }
        deserializer.deserialize_seq(Lines)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Debug,
    Info,
    #[serde(alias = "warning")]
    Warn,
    Error,
}

impl Level {
    /// As in the line.
    fn name(self) -> &'static str {
        match self {
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
        }
    }

    fn severity(self) -> Severity {
        match self {
            Level::Debug => Severity::Debug,
            Level::Info => Severity::Info,
            Level::Warn => Severity::Warn,
            Level::Error => Severity::Error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Answer;

    #[test]
    fn a_level_is_what_it_is_called() {
        let severity = |level: &str| {
            let line: LogLine = serde_json::from_str(&format!(r#"{{"level":"{level}","text":""}}"#)).unwrap();
            line.level.severity()
        };
        let named = ["debug", "info", "warn", "warning", "error"].map(severity);
        assert_eq!(named, [Severity::Debug, Severity::Info, Severity::Warn, Severity::Warn, Severity::Error]);
    }

    #[test]
    fn of_too_many_lines_the_rest_is_counted() {
        let logged = |lines: usize| {
            let log = vec![r#"{"level":"info","text":"hm"}"#; lines].join(",");
            let answer: Answer = serde_json::from_str(&format!(r#"{{"seq":1,"log":[{log}]}}"#)).unwrap();
            (answer.log.len(), answer.log.last().map(|line| line.text.clone()))
        };
        assert_eq!(logged(0), (0, None));
        assert_eq!(logged(101), (101, Some("hm".into())));
        assert_eq!(logged(102), (101, Some("2 more lines of output left out".into())));
        assert_eq!(logged(5000), (101, Some("4900 more lines of output left out".into())));
    }
}
