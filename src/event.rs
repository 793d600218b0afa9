//! The line that a handler reads: one event, or the greeting that opens a connection.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::ids::Seq;
use crate::spool::Place;
use crate::text::{is_inside_json, number, seconds};

/// Version of the lines, in the greeting of either side.
pub const PROTOCOL: u32 = 1;

/// First line of a connection, of either side.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(expecting = "a map with `hello`")]
pub struct Hello {
    pub hello: u32,
    /// `kea-dhcp4` or `kea-dhcp6`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub server: String,
    /// Kea's version.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// How many events may be sent to the handler before it has answered those before them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub ahead: usize,
    /// How many connections the handler serves at once, if not as many as there are.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub lanes: usize,
    /// Whether the handler itself ends what takes longer than an event's time-out, and answers then.
    #[serde(rename = "keeps-time", default, skip_serializing_if = "std::ops::Not::not")]
    pub keeps_time: bool,
}

impl Hello {
    /// The runner's.
    pub fn ours() -> Hello {
        let version = env!("CARGO_PKG_VERSION").into();
        Hello { hello: PROTOCOL, version, keeps_time: true, ..Hello::default() }
    }
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// One event.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Its number: the later the event, the greater. The answer repeats it.
    pub seq: u64,
    /// Where the spool has it: for our own runner, which marks it there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<u64>,
    /// Kea's name of the hook point.
    pub hook: Cow<'static, str>,
    /// Whether Kea waits for the answer.
    pub wait: bool,
    /// Whether the answer may say more than how the program has ended: what it prints is its answer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub answers: bool,
    /// When it happened: seconds since the epoch.
    pub time: f64,
    /// What is left of the time-out, in milliseconds.
    pub timeout: u64,
    /// The client and the leases that it is about: events that share one are handled in this order.
    pub keys: Vec<String>,
    pub vars: Variables,
}

/// Names and values, as a script finds them in its environment and a daemon in `vars`; in the order of the tables.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Variables {
    /// `NAME=value` and a NUL, one after the other: what becomes an environment is copied no more.
    block: String,
    extents: Vec<Extent>,
}

/// Where in the block a variable begins, where its value begins, and where it ends, behind its NUL.
#[derive(Clone, Debug, PartialEq)]
struct Extent {
    start: usize,
    value: usize,
    end: usize,
}

impl Variables {
    pub fn push(&mut self, name: &str, value: &str) {
        let start = self.block.len();
        [name, "=", value, "\0"].into_iter().for_each(|part| self.block.push_str(part));
        self.extents.push(Extent { start, value: start + name.len() + 1, end: self.block.len() });
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.extents.iter().map(|at| (&self.block[at.start..at.value - 1], &self.block[at.value..at.end - 1]))
    }

    /// Each with its name, as the environment has it: with the `=` and the NUL.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &str)> {
        self.extents.iter().map(|at| (&self.block[at.start..at.value - 1], &self.block[at.start..at.end]))
    }
}

impl<N: AsRef<str>, V: AsRef<str>> FromIterator<(N, V)> for Variables {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let mut variables = Variables::default();
        pairs.into_iter().for_each(|(name, value)| variables.push(name.as_ref(), value.as_ref()));
        variables
    }
}

impl Serialize for Variables {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Variables {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Variables;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a map of strings")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Variables, A::Error> {
                let mut variables = Variables::default();
                while let Some((Text(name), Text(value))) = map.next_entry()? {
                    variables.push(&name, &value);
                }
                Ok(variables)
            }
        }
        deserializer.deserialize_map(Pairs)
    }
}

/// A string of a line: a copy only where it is escaped.
#[derive(Deserialize)]
pub struct Text<'a>(#[serde(borrow)] pub Cow<'a, str>);

/// Begins an event's line with what may be another at each try; its body comes behind that.
pub fn begin_line(out: &mut String, seq: Seq, at: Option<Place>, timeout: u64) {
    out.push_str("{\"seq\":");
    number(seq, out);
    if let Some(at) = at {
        out.push_str(",\"at\":");
        number(at.number(), out);
    }
    out.push_str(",\"timeout\":");
    number(timeout, out);
    out.push(',');
}

/// Ends it behind the variables.
pub fn end_line(out: &mut String) {
    out.push_str(ENDS);
    out.push('\n');
}

/// What ends a body.
const ENDS: &str = "}}";

/// What is the same in an event's line at each try; the spool keeps it.
pub struct Body<'a, K> {
    pub hook: &'a str,
    pub wait: bool,
    pub answers: bool,
    /// Since the epoch.
    pub time: Duration,
    pub keys: K,
}

impl<'a, K: Iterator<Item = &'a str>> Body<'_, K> {
    /// Appends it, with the variables that `write` appends as the members of a JSON object, which is not ended. Kea's thread
    /// may be waiting: serde's way makes a copy.
    pub fn write(self, out: &mut String, write: impl FnOnce(&mut String)) {
        out.push_str("\"hook\":\"");
        out.push_str(self.hook);
        out.push_str(if self.wait { "\",\"wait\":true" } else { "\",\"wait\":false" });
        if self.answers {
            out.push_str(",\"answers\":true");
        }
        out.push_str(",\"time\":");
        seconds(self.time, out);
        out.push_str(",\"keys\":[");
        for (at, key) in self.keys.enumerate() {
            out.push_str(if at > 0 { ",\"" } else { "\"" });
            debug_assert!(is_inside_json(key));
            out.push_str(key);
            out.push('"');
        }
        out.push_str("],\"vars\":{");
        write(out);
    }
}

/// What the library has to know of a body that the spool has kept.
#[derive(Debug, PartialEq, Deserialize)]
pub struct Kept {
    pub hook: String,
    pub time: f64,
    pub keys: Vec<String>,
}

impl Kept {
    pub fn read(body: &str) -> serde_json::Result<Kept> {
        serde_json::from_str(&format!("{{{body}{ENDS}"))
    }
}

/// `value` as a line with its `\n`.
pub fn line(value: &impl Serialize) -> serde_json::Result<String> {
    let mut line = serde_json::to_string(value)?;
    line.push('\n');
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line_and_comes_back_the_same() {
        let event = Event {
            seq: 17,
            at: None,
            hook: "lease6_select".into(),
            wait: true,
            answers: true,
            time: 1790000000.125,
            timeout: 5000,
            keys: vec!["00:03".into(), "2001:db8:1::/56".into()],
            vars: [("KEA_B", "two\nlines \"quoted\""), ("KEA_A", "")].into_iter().collect(),
        };
        let text = line(&event).unwrap();
        assert_eq!(text.matches('\n').count(), 1);
        assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), event);
    }

    #[test]
    fn an_event_reads_as_documented() {
        let event = Event {
            seq: 1,
            at: None,
            hook: "pkt4_receive".into(),
            wait: false,
            answers: false,
            time: 1.5,
            timeout: 60000,
            keys: vec![],
            vars: [("KEA_QUERY4_TYPE", "DHCPDISCOVER")].into_iter().collect(),
        };
        assert_eq!(
            line(&event).unwrap(),
            "{\"seq\":1,\"hook\":\"pkt4_receive\",\"wait\":false,\"time\":1.5,\"timeout\":60000,\"keys\":[],\
             \"vars\":{\"KEA_QUERY4_TYPE\":\"DHCPDISCOVER\"}}\n"
        );
    }

    /// The examples of docs/lines.md, by what they are.
    fn documented(kind: &str) -> Vec<String> {
        let fence = format!("```json {kind}\n");
        let page = include_str!("../docs/lines.md");
        page.split(&fence).skip(1).filter_map(|rest| rest.split("```").next()).map(String::from).collect()
    }

    fn comes_back<T: Serialize + serde::de::DeserializeOwned>(kind: &str) {
        let examples = documented(kind);
        assert!(!examples.is_empty());
        for example in examples {
            let ours: T = serde_json::from_str(&example).unwrap();
            let again: serde_json::Value = serde_json::to_value(&ours).unwrap();
            assert_eq!(again, serde_json::from_str::<serde_json::Value>(&example).unwrap());
        }
    }

    #[test]
    fn the_documented_lines_are_the_real_ones() {
        comes_back::<Hello>("hello");
        comes_back::<Event>("event");
        comes_back::<crate::verdict::Answer>("answer");
    }
}
