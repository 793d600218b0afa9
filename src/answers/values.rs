//! The values of an answer: whether they will do, and how the bridge carries them.

use std::net::{IpAddr, Ipv4Addr};

use serde_json::{Map, Value};

use crate::text::{GLIMPSE, excerpt, is_printable};

/// Kea's names of the keys that a map of `option-data` may have.
const OPTION_KEYS: [&str; 5] = ["name", "code", "space", "csv-format", "data"];
const ALWAYS_SEND: &str = "always-send";
/// What one of `query-option-data` may have besides: which relay's option it is.
const RELAY: &str = "relay";

/// A number, or bytes, or both; or why it will not do, and what would.
pub type Carried = Result<(u32, Vec<u8>), String>;

fn text(value: &Value) -> Result<&str, String> {
    value.as_str().ok_or_else(|| "give a string".into())
}

fn bytes(value: &Value, most: usize) -> Carried {
    match text(value)? {
        text if text.len() > most => Err(format!("is {} bytes long: give {most} at most", text.len())),
        text if text.contains('\0') => Err("holds a NUL: take it out".into()),
        text => Ok((0, text.into())),
    }
}

pub fn sname(value: &Value) -> Carried {
    bytes(value, 64)
}

pub fn file(value: &Value) -> Carried {
    bytes(value, 128)
}

pub fn class(value: &Value) -> Carried {
    match text(value)? {
        "" => Err("is empty: give the name of a class".into()),
        text if !text.chars().all(is_printable) => Err("holds a character that is not printable: take it out".into()),
        _ => bytes(value, 255),
    }
}

pub fn number(value: &Value) -> Carried {
    number_from(1, value)
}

pub fn number_from_0(value: &Value) -> Carried {
    number_from(0, value)
}

fn number_from(least: u32, value: &Value) -> Carried {
    let number = value.as_u64().and_then(|number| u32::try_from(number).ok()).filter(|&number| number >= least);
    number.map(|number| (number, vec![])).ok_or_else(|| format!("give a whole number from {least} to {}", u32::MAX))
}

pub fn ipv4(value: &Value) -> Carried {
    let address: Result<Ipv4Addr, _> = text(value)?.parse();
    address.map(|address| (0, address.to_string().into())).map_err(|_| "give an IPv4 address".into())
}

pub fn address(value: &Value) -> Carried {
    let address: Result<IpAddr, _> = text(value)?.parse();
    address.map(|address| (0, address.to_string().into())).map_err(|_| "give an IP address".into())
}

/// Stricter than DNS: Kea would take a backslash for an escape, and give up the whole packet over a bad one.
pub fn domain_name(value: &Value) -> Carried {
    let name = text(value)?;
    let labels = name.strip_suffix('.').unwrap_or(name);
    let good = |label: &str| {
        (1..=63).contains(&label.len()) && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    match labels.len() <= 253 && labels.split('.').all(good) {
        true => Ok((0, name.into())),
        false => Err("give a domain name: letters, digits, - and _, parts of at most 63, 253 in all".into()),
    }
}

pub fn flex_id(value: &Value) -> Carried {
    let text = text(value)?;
    let id = match text.strip_prefix("0x") {
        Some(digits) => from_hex(digits).ok_or("give an even number of hex digits after 0x")?,
        None => text.into(),
    };
    match id.len() {
        1..=128 => Ok((0, id)),
        length => Err(format!("is {length} bytes long: give 1 to 128")),
    }
}

fn from_hex(digits: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).map(|digit| digit as u8);
    let digits: Vec<u8> = digits.as_bytes().iter().map(digit).collect::<Option<_>>()?;
    let pairs = digits.chunks_exact(2);
    pairs.remainder().is_empty().then(|| pairs.map(|pair| (pair[0] << 4) | pair[1]).collect())
}

/// The same as a reservation has it: a client need not ask for each.
pub fn reserved_option(value: &Value) -> Carried {
    let Some(mut map) = value.as_object().cloned() else { return option(value) };
    match map.remove(ALWAYS_SEND) {
        Some(always) if !always.is_boolean() => Err(format!("give {ALWAYS_SEND} as true or false")),
        _ => option(&map.into()),
    }
}

/// Only the shape: names, codes and data are for Kea to judge.
pub fn option(value: &Value) -> Carried {
    option_with(&OPTION_KEYS, value)
}

/// The same of a query's option, which may have to go.
pub fn query_option(value: &Value) -> Carried {
    let is_index = |relay: &Value| relay.as_u64().is_some_and(|relay| relay <= u64::from(u8::MAX));
    match value.get(RELAY).is_none_or(is_index) {
        true => option_with(&[&OPTION_KEYS[..], &[RELAY]].concat(), value),
        false => Err("give relay as a number: 0 is the relay nearest to the server".into()),
    }
}

fn option_with(keys: &[&str], value: &Value) -> Carried {
    let map = value.as_object().ok_or("give a map such as {\"name\":\"routers\",\"data\":\"192.0.2.1\"}")?;
    if let Some(key) = map.keys().find(|key| !keys.contains(&key.as_str())) {
        let (key, keys) = (excerpt(key, GLIMPSE), keys.join(", "));
        return Err(format!("\"{key}\" is unknown here; the keys are: {keys}"));
    }
    let may_go = keys.contains(&RELAY);
    let is_data = |data: &Value| data.is_string() || (may_go && data.is_null());
    let wrong = [
        map.get("code").is_some_and(|code| !code.as_u64().is_some_and(|code| (1..=65535).contains(&code))),
        map.get("csv-format").is_some_and(|csv| !csv.is_boolean()),
        ["name", "space"].iter().any(|key| map.get(*key).is_some_and(|text| !text.is_string())),
        !map.get("data").is_none_or(is_data),
    ];
    match (named(map), wrong) {
        (false, _) => Err("give the option's name or code".into()),
        (_, [true, ..]) => Err("give the code as a number from 1 to 65535".into()),
        (_, [_, true, ..]) => Err("give csv-format as true or false".into()),
        (_, [.., true, _] | [.., true]) => Err("give name, space and data as strings".into()),
        _ => Ok((0, value.to_string().into())),
    }
}

fn named(map: &Map<String, Value>) -> bool {
    map.contains_key("name") || map.contains_key("code")
}
