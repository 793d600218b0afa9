//! What `runscript-status` says of a script, and the same as Kea's statistics: one row a number.

use std::sync::atomic::Ordering;

use serde_json::{Map, Value, json};

use crate::dispatch::Script;

/// Whether a number only grows until the next load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Counter,
    Gauge,
}

/// A number of a script.
pub struct Row {
    /// In the command's answer; the statistic is `runscript.` and this.
    pub key: &'static str,
    pub kind: Kind,
    pub doc: &'static str,
    value: fn(&Script) -> u64,
}

macro_rules! counter {
    ($key:literal, $field:ident, $doc:literal) => {
        Row {
            key: $key,
            kind: Kind::Counter,
            doc: $doc,
            value: |script| script.counters().$field.load(Ordering::Relaxed),
        }
    };
}

#[rustfmt::skip]
pub const ROWS: &[Row] = &[
    counter!("events", events, "events handed to it"),
    counter!("done", done, "events handled: the program has ended by itself, or the daemon or server has answered"),
    counter!("failures", failures, "events that failed: no end or answer in time, an end by a signal, no good answer, given up"),
    counter!("timeouts", timeouts, "events that took longer than `timeout`"),
    counter!("dropped", dropped, "events dropped because of `queue-limit` or `spool-max-age`"),
    counter!("refused", refused, "parts of answers that could not be applied"),
    counter!("crowded", crowded, "packets dropped because their client had two waiting"),
    counter!("restarts", restarts, "times that the runner, a daemon or a connection was lost, and made again"),
    counter!("unspooled", unspooled, "events that found no room in the spool, and were in memory alone; 0 where there is no spool"),
    counter!("deferred", deferred, "times that an event was put off because its handler asked for that"),
    counter!("given-up", given_up, "events put aside because their handling killed the handler"),
    counter!("coalesced", coalesced, "events of leases that a newer one has made needless (`coalesce`)"),
    counter!("kept", kept, "events for which an answer was given that was kept, without asking (`keep-for`)"),
    Row { key: "pending", kind: Kind::Gauge, doc: "events queued or being handled now", value: |script| script.pending() as u64 },
    Row { key: "spooled", kind: Kind::Gauge, doc: "of these, events that are in the spool", value: |script| script.spooled() as u64 },
    Row { key: "in-flight", kind: Kind::Gauge, doc: "events being handled now", value: |script| script.in_flight() as u64 },
];

/// What can be said of one script.
pub fn of_script(script: &Script) -> Value {
    let config = script.config();
    let numbers = ROWS.iter().map(|row| (row.key.into(), (row.value)(script).into()));
    let mut map: Map<String, Value> = numbers.collect();
    let others = json!({
        "server": script.server(),
        "script": config.script,
        "mode": config.mode.name(),
        "spool": script.spool(),
        "concurrency": config.concurrency,
        "lanes": script.lanes(),
        "kept-answers": script.memory().len(),
        "keep-limit": script.memory().limit(),
        "oldest-ms": script.oldest().map(|age| age.as_millis() as u64),
        "latency-us": script.latency(),
        "down": script.down(),
        "last-error": script.last_error(),
    });
    if let Value::Object(others) = others {
        map.extend(others);
    }
    map.into()
}

/// The statistics' names.
pub fn names() -> Vec<String> {
    ROWS.iter().map(|row| format!("runscript.{}", row.key)).collect()
}

/// Their values, of all scripts together, in the same order.
pub fn values<'a>(scripts: impl Iterator<Item = &'a Script> + Clone) -> Vec<i64> {
    ROWS.iter().map(|row| scripts.clone().map(row.value).sum::<u64>() as i64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_documented() {
        let page = include_str!("../docs/operation.md");
        for Row { key, doc, .. } in ROWS {
            let line = format!("| `{key}` | `runscript.{key}` | {doc} |");
            assert!(page.contains(&line), "{line}");
        }
    }
}
