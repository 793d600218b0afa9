//! The library's parameters: a byte for the Kea that has them, one for whether text follows or what JSON is made of, and that.
#![no_main]

use std::path::Path;
use std::sync::LazyLock;

use arbitrary::{Result, Unstructured};
use kea_hook_runscript::config::Kea;
use kea_hook_runscript::config::parameters::PARAMETERS;
use kea_hook_runscript::fuzzing::{SECRET, parameters};
use kea_hook_runscript::hook_points::{HOOK_POINTS, Server, hook_point_names};
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value, json};

const DEEPEST: usize = 5;

fuzz_target!(|data: &[u8]| {
    let [kea, kind, rest @ ..] = data else { return };
    let text = match kind & 1 {
        0 => std::str::from_utf8(rest).map(String::from).ok(),
        _ => section(&mut Unstructured::new(rest), DEEPEST).map(|section| section.to_string()).ok(),
    };
    let Some(text) = text else { return };
    let hook_points = hook_point_names();
    let known: Vec<String> = match kea & 1 {
        0 => HOOK_POINTS.iter().filter(|row| row.since.is_none()).map(|row| row.name.into()).collect(),
        _ => hook_points,
    };
    let kea = Kea {
        server: if kea & 2 == 0 { Server::Dhcp4 } else { Server::Dhcp6 },
        version: ["2.2.0", "2.6.3", "3.0.4", ""][usize::from(kea >> 2 & 3)],
        hook_points: &known,
        scripts_directory: Path::new(["", "/usr/share/kea/scripts", "scripts", "/"][usize::from(kea >> 4 & 3)]),
        scripts_only_there: kea & 64 != 0,
        data_directory: Path::new("/var/lib/kea"),
    };
    parameters(&text, kea);
});

/// Names of parameters, and with their own kinds of values more often than not.
fn section(data: &mut Unstructured, depth: usize) -> Result<Value> {
    static NAMES: LazyLock<Vec<&str>> = LazyLock::new(|| PARAMETERS.iter().flat_map(|row| row.names()).collect());
    let mut map = Map::new();
    while !data.is_empty() && data.ratio(3, 4)? {
        let name = *data.choose(&NAMES)?;
        let value = match name {
            "env" => secrets(data)?,
            "scripts" if depth > 0 && data.ratio(7, 8)? => list(data, |data| section(data, depth - 1))?,
            "hook-points" if data.ratio(7, 8)? => list(data, hook_point)?,
            _ => value(data, depth)?,
        };
        let name = if data.ratio(63, 64)? { name.into() } else { text(data)? };
        map.insert(name, value);
    }
    Ok(map.into())
}

fn list(data: &mut Unstructured, mut item: impl FnMut(&mut Unstructured) -> Result<Value>) -> Result<Value> {
    let mut items = Vec::new();
    while !data.is_empty() && data.ratio(2, 3)? {
        items.push(item(data)?);
    }
    Ok(items.into())
}

fn hook_point(data: &mut Unstructured) -> Result<Value> {
    let name = Value::from(data.choose(HOOK_POINTS)?.name);
    Ok(match data.int_in_range(0..=3)? {
        0 => json!({"name": name, "wait": value(data, 0)?}),
        1 => json!({"name": name, "timeout": value(data, 0)?}),
        2 => value(data, 1)?,
        _ => name,
    })
}

/// A map of texts, each of which is a secret, or what somebody may have written in its place.
fn secrets(data: &mut Unstructured) -> Result<Value> {
    let secret = Value::from(format!("{}{SECRET}", text(data)?));
    Ok(match data.int_in_range(0..=5)? {
        0 => secret,
        1 => json!([secret]),
        2 => json!({text(data)?: [secret]}),
        3 => json!({text(data)?: {"x": secret}}),
        _ => json!({text(data)?: secret, text(data)?: secret}),
    })
}

fn value(data: &mut Unstructured, depth: usize) -> Result<Value> {
    Ok(match data.int_in_range(0..=9)? {
        0 => Value::Null,
        1 => data.arbitrary::<bool>()?.into(),
        2 => data.arbitrary::<u64>()?.into(),
        3 => data.arbitrary::<i64>()?.into(),
        4 => data.arbitrary::<f64>()?.into(),
        5 => data.int_in_range(0..=300)?.into(),
        6 => text(data)?.into(),
        7 if depth > 0 => list(data, |data| value(data, depth - 1))?,
        8 if depth > 0 => json!({text(data)?: value(data, depth - 1)?}),
        _ => (*data.choose(&WORDS)?).into(),
    })
}

const WORDS: [&str; 16] = [
    "/usr/share/kea/scripts/a.sh",
    "/a",
    "a.sh",
    "../a",
    "/usr/share/kea/scripts/../a",
    "park",
    "exec",
    "daemon",
    "continue",
    "skip",
    "drop",
    "",
    "/",
    "runscript",
    "PATH",
    "/\u{c3}\u{a9}",
];

fn text(data: &mut Unstructured) -> Result<String> {
    Ok(data.arbitrary::<&str>()?.into())
}
