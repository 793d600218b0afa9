//! What a script's answer may change: one row a key, in the order in which Kea makes the changes, and the check of what
//! the script said. changes.cc makes them.

mod classes;
pub mod keep;
pub mod reservation;
#[cfg(test)]
mod tests;
mod values;
pub mod words;

use serde_json::Value;

use crate::bridge::ffi::{Change, Key};
use crate::hook_points::{HOOK_POINTS, HookPoint};
pub use classes::UnknownClasses;
use reservation::reservation;
use values::*;

/// What a value is, for those who make answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    Number,
    /// A list of strings.
    Texts,
    /// A list of maps as in Kea's own `option-data`.
    Options,
    /// A map as in Kea's own `reservations`, or null.
    Reservation,
    /// The same of a query, its relays' options included, and `null` for what shall go.
    QueryOptions,
}

/// A key of an answer.
pub struct Row {
    pub key: Key,
    /// Kea's own name for it in its configuration.
    pub name: &'static str,
    pub kind: Kind,
    /// The docs' words for the type, with its bounds.
    pub bounds: &'static str,
    /// For the docs: what Kea changes.
    pub doc: &'static str,
    /// Where it does.
    pub places: &'static [Place],
    read: fn(&Value) -> Carried,
}

/// Hook points at which a key has the same effect; `*` stands for 4 and 6.
pub struct Place {
    pub at: &'static [&'static str],
    /// For the docs: what the client sees of it, and what is in the way.
    pub doc: &'static str,
}

const fn at(at: &'static [&'static str], doc: &'static str) -> Place {
    Place { at, doc }
}

const SENT4: &[&str] = &["pkt4_send", "leases4_committed", "lease4_offer"];

#[rustfmt::skip]
pub const ROWS: &[Row] = &[
    Row { key: Key::ClientClasses, name: "client-classes", kind: Kind::Texts, bounds: "list of strings, each up to 255 bytes", read: class,
        doc: "The client is of these classes too; none is taken away. A subnet or pool may ask for a class that is defined nowhere, so such a name is taken, and said once in Kea's log (`RUNSCRIPT_CLASS_UNKNOWN`).",
        places: &[
            at(&["buffer*_receive"], "Whatever Kea chooses by class: subnet, pool, options, and the classes whose `test` says `member('...')`."),
            at(&["pkt*_receive"], "The same, but those `test`s have been made. Before version 3.0, Kea has dropped a broadcast of DHCPv4 by then if no subnet was open to it: use `buffer4_receive`."),
            at(&["subnet*_select"], "Pool and options. The subnet has been chosen."),
            at(&["lease*_select", "lease*_renew", "lease6_rebind"], "Options. Subnet and pool have been chosen."),
        ] },
    Row { key: Key::QueryOptionData, name: "query-option-data", kind: Kind::QueryOptions,
        bounds: "list of maps with `name` or `code`, and `data`, `csv-format`, `space`, `relay`", read: query_option,
        doc: "Kea goes on as if these options had come, in place of those of the same code; with `data` `null`, as if none had. See [below](#options-of-the-query).",
        places: &[at(&["pkt*_receive"], "Whatever Kea makes of them: subnet, reservation, name, what it looks for in its configuration. Classes whose `test` Kea has made by then stay as they are.")] },
    Row { key: Key::SubnetId, name: "subnet-id", kind: Kind::Number, bounds: "number, id of a subnet", read: number,
        doc: "Kea takes this subnet instead of the one that it has chosen.",
        places: &[at(&["subnet*_select"], "Address, lifetimes and options of that subnet, if its client classes allow the client in. Of a shared network Kea may take another subnet. Say the same each time the client comes, or its renewals are refused.")] },
    Row { key: Key::Reservation, name: "reservation", kind: Kind::Reservation,
        bounds: "map of at most 16 KiB, or `null`", read: reservation,
        doc: "This is reserved for the client that asks, as Kea's own `reservations` would have it: see [below](#reservations). `null`: nothing is.",
        places: &[
            at(&["subnet*_select"], "The address or prefix at once, in a pool or not, name, options and boot fields, at its first DHCPDISCOVER or SOLICIT and whenever it comes again. Of a shared network, in the subnet that the address is of."),
            at(&["host*_identifier"], "The same. Kea comes here only if `host-reservation-identifiers` names `flex-id`; with `early-global-reservations-lookup` it comes too early, and the key is refused."),
        ] },
    Row { key: Key::OptionData, name: "option-data", kind: Kind::Options,
        bounds: "list of maps with `name` or `code`, and `data`, `csv-format`, `space`", read: option,
        doc: "These options are in Kea's answer, in place of those of the same code, asked for or not. As in Kea's own `option-data`, your `option-def` included.",
        places: &[at(&["pkt*_send", "leases*_committed", "lease4_offer"], "The options. Those with times (51; in DHCPv6 the IA options) tell the client something else than Kea's lease says. `space` is `dhcp4` or `dhcp6`: to set a sub-option, give the whole option around it in hex, with `csv-format` `false`. Said before `pkt*_send`, it is done when the answer is sent, if there is one.")] },
    Row { key: Key::NextServer, name: "next-server", kind: Kind::Text, bounds: "IPv4 address", read: ipv4,
        doc: "The server to boot from.",
        places: &[at(SENT4, "The field `siaddr`.")] },
    Row { key: Key::ServerHostname, name: "server-hostname", kind: Kind::Text, bounds: "string, up to 64 bytes", read: sname,
        doc: "That server's name.",
        places: &[at(SENT4, "The field `sname`. Option 66 is another thing: `tftp-server-name`.")] },
    Row { key: Key::BootFileName, name: "boot-file-name", kind: Kind::Text, bounds: "string, up to 128 bytes", read: file,
        doc: "The file to boot.",
        places: &[at(SENT4, "The field `file`. Option 67 is another thing: `boot-file-name` in `option-data`.")] },
    Row { key: Key::Hostname, name: "hostname", kind: Kind::Text, bounds: "domain name", read: domain_name,
        doc: "The client's name, in its lease and for DNS updates.",
        places: &[
            at(&["ddns4_update"], "The name in option 12 or 81, if it has sent one. Option 81 then says that Kea does not update DNS, even if it does."),
            at(&["ddns6_update"], "The name in option 39. The hook point comes only if the client has sent that option, or Kea makes up names."),
        ] },
    Row { key: Key::ValidLft, name: "valid-lft", kind: Kind::Number, bounds: "seconds from 1 on; 4294967295 is for ever", read: number,
        doc: "For how long the lease is valid; in DHCPv6 it is preferred no longer than that.",
        places: &[
            at(&["lease4_select", "lease4_renew"], "Option 51, of the offer too. With Kea's `offer-lifetime`, the offer says what Kea is configured for."),
            at(&["lease6_select"], "The address's or prefix's lifetimes."),
            at(&["lease6_renew", "lease6_rebind"], "The same. With Kea's lease cache (on from Kea 3.0 on, unless you set `cache-max-age` to 0) a client that renews early is told what is left of its lease, whatever you say: Kea decides that afterwards."),
        ] },
    Row { key: Key::PreferredLft, name: "preferred-lft", kind: Kind::Number, bounds: "seconds from 0 on, no more than the lease is valid; 4294967295 is for ever", read: number_from_0,
        doc: "For how long the client may use the address or prefix for what is new; 0: only for what it has begun. Longer than the lease is valid, by `valid-lft` or by Kea's configuration, it is refused.",
        places: &[
            at(&["lease6_select"], "The preferred lifetime of the address or prefix."),
            at(&["lease6_renew", "lease6_rebind"], "The same, but for Kea's lease cache, as with `valid-lft`."),
        ] },
    Row { key: Key::IpAddress, name: "ip-address", kind: Kind::Text, bounds: "IP address", read: address,
        doc: "This address instead of the one that Kea has picked: of a pool that is open to the client, leased to nobody.",
        places: &[
            at(&["lease4_select"], "The address, if you say it when Kea makes its offer (`KEA_FAKE_ALLOCATION` is 1); afterwards the client asks for it by itself, and any other is refused. A client that has a lease keeps its address: that is `lease4_renew`."),
            at(&["lease6_select"], "The address, of an IA_NA (`KEA_LEASE6_TYPE`). For a prefix it is refused."),
        ] },
    Row { key: Key::FlexId, name: "flex-id", kind: Kind::Text, bounds: "text, or `0x` and hex digits; 1 to 128 bytes", read: flex_id,
        doc: "Kea looks for a host reservation with this `flex-id`.",
        places: &[at(&["host*_identifier"], "What is reserved. Only if `host-reservation-identifiers` names `flex-id`.")] },
];

impl Row {
    pub fn is_list(&self) -> bool {
        matches!(self.kind, Kind::Texts | Kind::Options | Kind::QueryOptions)
    }

    /// Checks one value, an item where the key has a list: why it will not do.
    pub fn check(&self, value: &Value) -> Result<(), String> {
        (self.read)(value).map(drop)
    }
}

impl Place {
    /// Their names, of both servers.
    pub fn hook_points(&self) -> Vec<String> {
        let both = |name: &&str| match name.contains('*') {
            true => vec![name.replace('*', "4"), name.replace('*', "6")],
            false => vec![name.to_string()],
        };
        self.at.iter().flat_map(both).collect()
    }
}

/// Part of an answer that is not applied.
#[derive(Debug, PartialEq)]
pub struct Refused {
    /// `None` for a key that we do not know.
    pub key: Option<&'static str>,
    /// What the script has said, key and value.
    pub said: String,
    /// What is wrong with it and what helps.
    pub reason: String,
}

pub fn row_of(key: Key) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.key == key)
}

pub fn find(name: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.name == name)
}

/// All keys that say more than how Kea goes on.
pub fn keys() -> impl Iterator<Item = &'static str> {
    ROWS.iter().map(|row| row.name).chain([keep::NAME])
}

/// The same, for messages.
pub fn names() -> String {
    keys().collect::<Vec<_>>().join(", ")
}

/// What Kea shall change for these keys and values at a hook point, and what is refused. The order is that of [`ROWS`]: a
/// script need not know which key another one takes effect through.
pub fn changes(point: &HookPoint, mut wishes: Vec<(String, Value)>) -> (Vec<Change>, Vec<Refused>) {
    wishes.sort_by_key(|(name, _)| ROWS.iter().position(|row| row.name == name).unwrap_or(ROWS.len()));
    let (mut changes, mut refused) = (Vec::new(), Vec::new());
    for (name, value) in wishes {
        let row = match find(&name) {
            Some(row) if point.keys.contains(&row.key) => row,
            Some(row) => {
                refused.push(refuse(Some(row.name), &name, &value, not_here(row)));
                continue;
            }
            None => {
                let reason = format!("is no key of an answer; these are: next, {}", names());
                refused.push(refuse(None, &name, &value, reason));
                continue;
            }
        };
        let (items, list) = match (&value, row.is_list()) {
            (Value::Array(items), true) => (items.as_slice(), true),
            (_, true) => {
                refused.push(refuse(Some(row.name), &name, &value, "give a list".into()));
                continue;
            }
            (_, false) => (std::slice::from_ref(&value), false),
        };
        for (i, item) in items.iter().enumerate() {
            match (row.read)(item) {
                Ok(_) if list && items[..i].iter().any(|other| same(other, item)) => {
                    refused.push(refuse(Some(row.name), &name, item, "is given twice: give it once".into()));
                }
                Ok((number, data)) => {
                    let (script, said, when_sent) = (0, item.to_string(), point.comes_too_early(row.key));
                    changes.push(Change { key: row.key, number, data, script, said, when_sent, kept: 0 });
                }
                Err(reason) => refused.push(refuse(Some(row.name), &name, item, reason)),
            }
        }
    }
    (changes, refused)
}

/// Of two options of one name the first would be lost.
fn same(one: &Value, other: &Value) -> bool {
    match (one.as_object(), other.as_object()) {
        (Some(one), Some(other)) => {
            ["name", "code", "space", "relay"].iter().all(|key| one.get(*key) == other.get(*key))
        }
        _ => one == other,
    }
}

fn refuse(key: Option<&'static str>, name: &str, value: &Value, reason: String) -> Refused {
    Refused { key, said: format!("{}: {value}", Value::from(name)), reason }
}

fn not_here(row: &Row) -> String {
    let places: Vec<_> = HOOK_POINTS.iter().filter(|p| p.keys.contains(&row.key)).map(|p| p.name).collect();
    format!("has no effect at this hook point; it has at: {}", places.join(", "))
}
