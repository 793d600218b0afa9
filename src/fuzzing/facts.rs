//! The line of an event: see [`crate::variables`].

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use super::is_seen;
use crate::bridge::ffi;
use crate::config::{self, Config, Kea, Point, Wait};
use crate::dialect::Dialect;
use crate::dispatch::{Line, Task};
use crate::event::Event;
use crate::facts::Facts;
use crate::hook_points::{self, HOOK_POINTS, hook_point_names};
use crate::leases;
use crate::variables::{Server, names::kind};

/// What all variables may take, and what may be said of those left out, with what the kernel keeps of each.
const MOST_BYTES: usize = (1024 + 64) * 1024 + 100;
const MOST_BYTES_EACH: usize = 128 * 1024;

/// How Kea 2.2 names a packet, with what the library puts in.
const LABEL: &str = "duid=[no info], [no hwaddr info], tid=0x0";

/// Whatever Kea knows at a hook point, the handler's line is JSON and one line; it names variables of the tables, each once;
/// each value is as the docs say of its kind, and all together are what the kernel takes for an environment. So with what
/// the facts come to as a lease event.
pub fn line(point: usize, source: ffi::Source, facts: &ffi::Facts, debug: bool, is_iscs: bool) {
    let mut facts = Facts::from(facts);
    facts.changed = leases::changed(source, &facts);
    let server = Server { name: HOOK_POINTS[point].server.name().into(), version: "2.2.0".into(), label: LABEL.into() };
    let how = Point { wait: Wait::Yes, timeout: Duration::from_secs(5) };
    let mut task = Task::new(point, how, Arc::new(facts));
    let dialect = if is_iscs { Dialect::Isc } else { Dialect::Runscript };
    let config = Config { debug, dialect, ..CONFIG.clone() };
    let mut line = String::new();
    let deadline = Instant::now() + how.timeout;
    let how = Line { config: &config, server: &server, deadline, is_for_runner: false };
    task.seq = 1;
    assert!(task.line(how, &mut line, |_, _| Ok(())).is_ok());
    assert_eq!(line.find('\n'), Some(line.len() - 1));
    assert!(line.chars().all(|c| c == '\n' || !c.is_control()));
    let event: Event = serde_json::from_str(&line).expect("an event");
    assert_eq!((event.seq, &*event.hook), (1, HOOK_POINTS[point].name));
    assert!(event.keys.iter().all(|key| key.chars().all(is_seen)));
    assert_eq!(event.vars.iter().next(), Some(("KEA_HOOK_POINT", HOOK_POINTS[point].name)));
    crate::fuzzing::event(line.as_bytes());
    let (mut names, mut bytes) = (HashSet::new(), 0);
    for (name, value) in event.vars.iter() {
        assert!(names.insert(name), "{name} comes twice");
        assert_value(name, value);
        let size = name.len() + value.len() + 2;
        assert!(size <= MOST_BYTES_EACH, "{name}: {size} bytes");
        bytes += size + 8;
    }
    assert!(bytes <= MOST_BYTES, "{bytes} bytes");
}

static CONFIG: LazyLock<Config> = LazyLock::new(|| {
    let kea = Kea {
        server: hook_points::Server::Dhcp4,
        version: "2.2.0",
        hook_points: &hook_point_names(),
        scripts_directory: "".as_ref(),
        scripts_only_there: false,
        data_directory: "".as_ref(),
    };
    config::parse(r#"{"script": "/bin/true"}"#, kea).expect("parameters").remove(0)
});

#[track_caller]
fn assert_value(name: &str, value: &str) {
    let kind = kind(name).unwrap_or_else(|| panic!("{name} is no variable"));
    let is_good = match kind {
        _ if name == "KEA_TRUNCATED" => {
            value.len() <= 64 * 1024 + 4 && value.chars().all(|c| c.is_ascii_graphic() || c == ' ')
        }
        "text" => is_text(value),
        "names" | "text, several lines" => value.split('\n').all(is_text),
        "JSON" => value.chars().all(is_seen),
        "flag" => matches!(value, "0" | "1"),
        "number" | "seconds" => value.is_empty() || value.parse::<i64>().is_ok(),
        "address" => value.is_empty() || value.parse::<IpAddr>().is_ok(),
        "addresses" => value.split_terminator(' ').all(|one| one.parse::<IpAddr>().is_ok()),
        "prefix" => value.is_empty() || is_prefix(value),
        "bytes" | "hardware address" => {
            value.is_empty() || value.split(':').all(|byte| is_hex(byte) && byte.len() == 2)
        }
        "hex" => value.split(' ').all(|one| one.strip_prefix("0x").is_some_and(is_hex)),
        "hex, upper case" => {
            value.is_empty() || value.strip_prefix("0x").is_some_and(|hex| is_hex(&hex.to_lowercase()))
        }
        _ => panic!("{name}: {kind} is no kind that is known here"),
    };
    assert!(is_good, "{name} ({kind}): {value:?}");
}

/// Printable, and each `\` is the beginning of an escape.
fn is_text(value: &str) -> bool {
    let mut rest = value;
    while let Some(at) = rest.find('\\') {
        let escape = &rest.as_bytes()[at + 1..];
        rest = match escape {
            [b'\\', ..] => &rest[at + 2..],
            [b'x', high, low, ..] if is_digit(*high) && is_digit(*low) => &rest[at + 4..],
            _ => return false,
        };
    }
    value.chars().all(is_seen)
}

fn is_prefix(value: &str) -> bool {
    let (address, length) = value.split_once('/').unwrap_or_default();
    (address.is_empty() || address.parse::<IpAddr>().is_ok()) && length.parse::<u8>().is_ok()
}

fn is_hex(text: &str) -> bool {
    text.len() % 2 == 0 && text.bytes().all(is_digit)
}

fn is_digit(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}
