//! What an answer may reserve for the client that asks: the map, checked as far as Kea's own parser is too lenient.

use std::net::Ipv6Addr;

use serde_json::{Map, Value};

use super::Kind;
use super::values::{Carried, address, class, domain_name, file, ipv4, reserved_option, sname};
use crate::text::{GLIMPSE, excerpt};

/// An answer may make many of them.
const MOST_BYTES: usize = 16 * 1024;

/// A key of the map.
pub struct Row {
    /// Kea's own name for it in its `reservations`.
    pub name: &'static str,
    pub kind: Kind,
    pub doc: &'static str,
    read: fn(&Value) -> Carried,
}

#[rustfmt::skip]
pub const ROWS: &[Row] = &[
    Row { name: "ip-address", kind: Kind::Text, read: ipv4, doc: "DHCPv4: an address, of the subnet or another of its shared network" },
    Row { name: "ip-addresses", kind: Kind::Texts, read: ipv6, doc: "DHCPv6: list of addresses, all of one such subnet" },
    Row { name: "prefixes", kind: Kind::Texts, read: prefix, doc: "DHCPv6: list of prefixes to delegate" },
    Row { name: "hostname", kind: Kind::Text, read: domain_name, doc: "domain name, in place of the one that the client has sent; Kea adds `ddns-qualifying-suffix`" },
    Row { name: "option-data", kind: Kind::Options, read: reserved_option, doc: "list of maps as for `option-data` above; the client gets those that it asks for, or that have `always-send`" },
    Row { name: "next-server", kind: Kind::Text, read: ipv4, doc: "DHCPv4: IPv4 address of the server to boot from" },
    Row { name: "server-hostname", kind: Kind::Text, read: sname, doc: "DHCPv4: that server's name, up to 63 bytes, which is Kea's own bound for a reservation" },
    Row { name: "boot-file-name", kind: Kind::Text, read: file, doc: "DHCPv4: the file to boot, up to 127 bytes, for the same reason" },
    Row { name: "client-classes", kind: Kind::Texts, read: class, doc: "list of strings, each up to 255 bytes: classes that the client is put into once Kea has found the reservation; nothing is logged of one that Kea does not know" },
    Row { name: "user-context", kind: Kind::Reservation, read: context, doc: "map: for other hook libraries" },
];

/// By these Kea's own reservations say whom they are for.
const IDENTIFIERS: [&str; 6] = ["hw-address", "duid", "circuit-id", "client-id", "flex-id", "subnet-id"];

pub fn find(name: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.name == name)
}

pub fn names() -> String {
    ROWS.iter().map(|row| row.name).collect::<Vec<_>>().join(", ")
}

pub fn reservation(value: &Value) -> Carried {
    if value.is_null() {
        return Ok((0, vec![]));
    }
    let map = value.as_object().ok_or("give a map such as {\"ip-address\":\"192.0.2.10\"}, or null")?;
    if map.is_empty() {
        return Err(format!("reserves nothing: give one of {}, or null", names()));
    }
    map.iter().try_for_each(|(name, value)| check(name, value))?;
    let text = value.to_string();
    match text.len() {
        0..=MOST_BYTES => Ok((0, text.into())),
        length => Err(format!("is {length} bytes long: give {MOST_BYTES} at most")),
    }
}

fn check(name: &str, value: &Value) -> Result<(), String> {
    if IDENTIFIERS.contains(&name) {
        return Err(format!("names \"{name}\": leave it out, it is for the client that asks, where it is"));
    }
    let row = find(name).ok_or_else(|| {
        let name = excerpt(name, GLIMPSE);
        format!("\"{name}\" is unknown here; the keys are: {}", names())
    })?;
    let of = |reason| format!("\"{name}\": {reason}");
    match (row.kind, value) {
        (Kind::Texts | Kind::Options, Value::Array(items)) => {
            items.iter().try_for_each(|item| (row.read)(item).map(drop)).map_err(of)
        }
        (Kind::Texts | Kind::Options, _) => Err(of("give a list".into())),
        _ => (row.read)(value).map(drop).map_err(of),
    }
}

fn context(value: &Value) -> Carried {
    value.as_object().map(|_: &Map<_, _>| (0, vec![])).ok_or_else(|| "give a map".into())
}

fn ipv6(value: &Value) -> Carried {
    let is_ipv6 = value.as_str().is_some_and(|text| text.parse::<Ipv6Addr>().is_ok());
    if is_ipv6 { address(value) } else { Err("give an IPv6 address".into()) }
}

/// Kea takes a length of 300 for one of 44, and bits behind the prefix for bits of it.
fn prefix(value: &Value) -> Carried {
    let read = || {
        let (address, length) = value.as_str()?.split_once('/')?;
        let (address, length) = (address.parse::<Ipv6Addr>().ok()?, length.parse::<u32>().ok()?);
        let behind = u128::MAX.checked_shr(length).unwrap_or(0);
        ((1..=128).contains(&length) && u128::from(address) & behind == 0).then_some(())
    };
    let prefix = read().map(|()| (0, vec![]));
    prefix.ok_or_else(|| "give a prefix such as 2001:db8:1::/48, with no bits behind its length".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_map_as_in_kea_is_taken() {
        let all = json!({
            "ip-address": "192.0.2.10", "hostname": "printer", "option-data": [{"name": "routers", "data": "192.0.2.1"}],
            "next-server": "192.0.2.2", "server-hostname": "boot", "boot-file-name": "x", "client-classes": ["a", "b"],
            "user-context": {"a": [1]}, "ip-addresses": ["2001:db8::1"], "prefixes": ["2001:db8:1::/48", "2001:db8::/128"],
        });
        assert_eq!(all.as_object().unwrap().len(), ROWS.len());
        assert_eq!(reservation(&all), Ok((0, all.to_string().into())));
        assert_eq!(reservation(&Value::Null), Ok((0, vec![])));
    }

    #[test]
    fn another_is_refused_with_what_helps() {
        for (value, words) in [
            (json!([]), "give a map"),
            (json!("192.0.2.10"), "give a map"),
            (json!({}), "reserves nothing"),
            (json!({"hw-address": "02:00:00:00:00:01"}), "it is for the client that asks"),
            (json!({"subnet-id": 1}), "it is for the client that asks"),
            (json!({"colour": "red"}), "\"colour\" is unknown here; the keys are: ip-address, "),
            (json!({"ip-address": "2001:db8::1"}), "\"ip-address\": give an IPv4 address"),
            (json!({"ip-address": null}), "give a string"),
            (json!({"ip-addresses": "2001:db8::1"}), "give a list"),
            (json!({"ip-addresses": ["192.0.2.1"]}), "give an IPv6 address"),
            (json!({"prefixes": ["2001:db8::/300"]}), "give a prefix"),
            (json!({"prefixes": ["2001:db8::/0"]}), "give a prefix"),
            (json!({"prefixes": ["2001:db8::1/48"]}), "give a prefix"),
            (json!({"prefixes": ["2001:db8::"]}), "give a prefix"),
            (json!({"hostname": "a b"}), "give a domain name"),
            (json!({"option-data": [{"data": "x"}]}), "give the option's name or code"),
            (json!({"client-classes": [""]}), "is empty"),
            (json!({"user-context": 1}), "give a map"),
            (json!({"user-context": {"a": "x".repeat(MOST_BYTES)}}), "bytes long: give 16384 at most"),
        ] {
            let reason = reservation(&value).expect_err(words);
            assert!(reason.contains(words), "{value}: {reason}");
        }
    }
}
