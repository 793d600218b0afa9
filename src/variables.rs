//! Facts to variables. Dialect `runscript`: kea-hook-runscript's names and values, and those that it lacked.
//!
//! One row a variable, in `rows`; in `isc` those of the other dialect. To add one: a fact in bridge.rs, a line in facts.cc, a row; docs/variables.md
//! is checked against the rows.

mod collector;
pub mod isc;
pub mod names;
mod options;
pub mod rows;
mod value;

use std::sync::LazyLock;
use std::time::Duration;

use crate::bridge::ffi::{Lease, Packet4, Packet6};
use crate::dialect::Dialect;
use crate::facts::Facts;
use crate::hook_points::{Group, HookPoint};
use crate::ids::Seq;
use crate::wire;
use collector::Collector;
pub use names::{is_name, is_of_group};
use options::{Options, VENDOR4, VENDOR6};
use rows::Row;
use value::{Of, number};

/// Which server this is.
#[derive(Clone, Debug, Default)]
pub struct Server {
    pub name: String,
    pub version: String,
    /// How it names a DHCPv6 packet that has no DUID, with transaction id 0.
    pub label: String,
}

/// What the names begin with that are no group's.
const COMMON_PREFIX: &str = "KEA_";
/// Only there where something did not fit.
const TRUNCATED: &str = "TRUNCATED";

/// What happens.
pub struct Occasion {
    pub point: &'static HookPoint,
    /// Since the epoch.
    pub time: Duration,
}

/// A try to have an event handled.
pub struct Try {
    /// What makes the number unique.
    pub unique: u64,
    pub seq: Seq,
    /// Which try this is, from 1.
    pub attempt: u32,
}

/// How variables are written.
#[derive(Clone, Copy, Default)]
pub struct Style {
    pub dialect: Dialect,
    /// Kea's own texts too.
    pub debug: bool,
}

/// Appends an event's variables, but for those of a try, as the members of a JSON object.
pub fn write_variables(out: &mut String, server: &Server, occasion: &Occasion, facts: &Facts, style: Style) {
    let mut out = Collector::new(out);
    out.begin(COMMON_PREFIX);
    let (of, point) = (Of { facts, server, debug: style.debug }, occasion.point);
    add(&mut out, rows::OCCASION, of, Some(occasion));
    let is_iscs = style.dialect == Dialect::Isc;
    if is_iscs {
        isc::add_all(&mut out, point, of);
    }
    // Where ISC's library is never called, there is no script that would stumble over more.
    if !is_iscs || !point.of_isc {
        point.groups.iter().for_each(|&group| add_group(&mut out, group, of));
    }
    out.finish();
}

/// Appends the variables of these names alone, of those that tell what has happened at a hook point.
pub fn write_some(out: &mut String, point: &HookPoint, facts: &Facts, style: Style, names: &[String]) {
    static SERVER: LazyLock<Server> = LazyLock::new(Default::default);
    let of = Of { facts, server: &SERVER, debug: style.debug };
    let mut out = Collector::new(out).only(names);
    let is_wanted = |group: &&Group| names.iter().any(|name| name.starts_with(prefix(**group)));
    point.groups.iter().filter(is_wanted).for_each(|&group| add_group(&mut out, group, of));
}

/// Appends those of a try behind these.
pub fn write_try(out: &mut String, one: &Try) {
    static NONE: LazyLock<(Facts, Server)> = LazyLock::new(Default::default);
    let of = Of { facts: &NONE.0, server: &NONE.1, debug: false };
    let mut out = Collector::behind(out);
    out.begin(COMMON_PREFIX);
    add(&mut out, rows::TRY, of, Some(one));
}

fn add_group(out: &mut Collector, group: Group, of: Of) {
    let facts = of.facts;
    let prefix = prefix(group);
    out.begin(prefix);
    match group {
        Group::Query4 => packet4(out, of, facts.query4.as_ref()),
        Group::Response4 => packet4(out, of, facts.response4.as_ref()),
        Group::Query6 => packet6(out, prefix, of, facts.query6.as_ref()),
        Group::Response6 => packet6(out, prefix, of, facts.response6.as_ref()),
        Group::Subnet4 | Group::Subnet6 => add(out, rows::SUBNET, of, facts.subnet.as_ref()),
        Group::Lease4 | Group::Lease6 => add(out, rows::LEASE, of, facts.lease.as_ref()),
        Group::Leases4 | Group::Leases6 => list(out, prefix, rows::LEASE, of, &facts.committed),
        Group::DeletedLeases4 | Group::DeletedLeases6 => list(out, prefix, rows::LEASE, of, &facts.deleted),
        Group::OldLease4 | Group::OldLease6 => add(out, rows::LEASE, of, facts.old_lease.as_ref()),
        Group::OfferLifetime => add(out, rows::OFFER_LIFETIME, of, facts.offer_lifetime.as_ref()),
        Group::FakeAllocation => add(out, rows::FAKE_ALLOCATION, of, Some(facts)),
        Group::RemoveLease => add(out, rows::REMOVE_LEASE, of, Some(facts)),
        Group::Ddns => add(out, rows::DDNS, of, facts.ddns.as_ref()),
        Group::HostIdentifier => add(out, rows::HOST_IDENTIFIER, of, facts.host_identifier.as_ref()),
        Group::Changed4 => add(out, rows::CHANGED, of, facts.changed.as_ref()),
        Group::Changed6 => {
            add(out, rows::CHANGED, of, facts.changed.as_ref());
            add(out, rows::CHANGED6, of, facts.changed.as_ref());
        }
        // Only if the script asks for them.
        Group::OtherLeases6 if facts.others.is_empty() => {}
        Group::OtherLeases6 => list(out, prefix, rows::LEASE, of, &facts.others),
    }
}

/// What the names of a group's variables begin with.
pub fn prefix(group: Group) -> &'static str {
    match group {
        Group::Query4 => "KEA_QUERY4_",
        Group::Response4 => "KEA_RESPONSE4_",
        Group::Query6 => "KEA_QUERY6_",
        Group::Response6 => "KEA_RESPONSE6_",
        Group::Subnet4 => "KEA_SUBNET4",
        Group::Subnet6 => "KEA_SUBNET6",
        Group::Lease4 => "KEA_LEASE4_",
        Group::Lease6 => "KEA_LEASE6_",
        Group::Leases4 => "KEA_LEASES4_",
        Group::Leases6 => "KEA_LEASES6_",
        Group::DeletedLeases4 => "KEA_DELETED_LEASES4_",
        Group::DeletedLeases6 => "KEA_DELETED_LEASES6_",
        Group::OldLease4 => "KEA_OLD_LEASE4_",
        Group::OldLease6 => "KEA_OLD_LEASE6_",
        Group::OtherLeases6 => "KEA_OTHER_LEASES6_",
        Group::OfferLifetime | Group::FakeAllocation | Group::RemoveLease | Group::Changed4 | Group::Changed6 => "KEA_",
        Group::Ddns => "KEA_DDNS_",
        Group::HostIdentifier => "KEA_HOST_IDENTIFIER",
    }
}

fn packet4(out: &mut Collector, of: Of, packet: Option<&Packet4>) {
    add(out, rows::PACKET4, of, packet);
    let Some(packet) = packet else { return };
    let wire = of.facts.bytes(packet.wire).and_then(wire::read4);
    let (now, again) = (packet.options, packet.again);
    options::add(out, of, Options { wire: wire.as_ref(), now, again, vendor: VENDOR4 });
}

fn packet6(out: &mut Collector, prefix: &str, of: Of, packet: Option<&Packet6>) {
    add(out, rows::PACKET6, of, packet);
    let Some(packet) = packet else { return };
    let layers: Vec<_> = of.facts.bytes(packet.wire).into_iter().flat_map(wire::read6).collect();
    let relays = of.facts.relays(packet.relays);
    let options = |layer, now, again| Options { wire: layers.get::<usize>(layer), now, again, vendor: VENDOR6 };
    options::add(out, of, options(relays.len(), packet.options, packet.again));
    for (n, relay) in relays.iter().enumerate() {
        out.begin(format_args!("{prefix}RELAY{n}_"));
        add(out, rows::RELAY, of, Some(relay));
        options::add(out, of, options(n, relay.options, relay.again));
    }
}

/// `<prefix>SIZE`, and `<prefix>AT<n>_<name>` for each lease, from 0.
fn list(out: &mut Collector, prefix: &str, rows: &[Row<Lease>], of: Of, leases: &[Lease]) {
    out.add("SIZE", true, |out| number(out, leases.len() as u64));
    for (n, lease) in leases.iter().enumerate() {
        out.begin(format_args!("{prefix}AT{n}_"));
        add(out, rows, of, Some(lease));
    }
}

fn add<T>(out: &mut Collector, rows: &[Row<T>], of: Of, item: Option<&T>) {
    let Some(item) = item else { return };
    for row in rows {
        out.add(row.name, row.is_plain, |text| (row.value)(of, item, text));
    }
}

#[cfg(test)]
pub mod tests;
