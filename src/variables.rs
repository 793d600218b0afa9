//! Facts to variables, dialect `runscript`: kea-hook-runscript's names and values, and those that it lacked.
//!
//! One row a variable, in `rows`. To add one: a fact in bridge.rs, a line in facts.cc, a row; docs/variables.md
//! is checked against the rows.

mod collector;
mod options;
pub mod rows;
mod value;

use crate::bridge::ffi::{Lease, Packet4, Packet6};
use crate::event::Variables;
use crate::facts::Facts;
use crate::hook_points::{Group, HookPoint};
use collector::Collector;
use rows::Row;
use value::Of;

/// Which server this is.
#[derive(Clone, Debug, Default)]
pub struct Server {
    pub name: String,
    pub version: String,
}

/// All variables of an event. With `debug`, Kea's own texts too.
pub fn variables(server: &Server, point: &HookPoint, facts: &Facts, debug: bool) -> Variables {
    let mut out = Collector::default();
    out.push("KEA_HOOK_POINT", point.name.into());
    out.push("KEA_SERVER", server.name.clone());
    out.push("KEA_VERSION", server.version.clone());
    for &group in point.groups {
        add_group(&mut out, group, Of { facts, debug });
    }
    out.finish()
}

fn add_group(out: &mut Collector, group: Group, of: Of) {
    let facts = of.facts;
    let prefix = prefix(group);
    match group {
        Group::Query4 => packet4(out, prefix, of, facts.query4.as_ref()),
        Group::Response4 => packet4(out, prefix, of, facts.response4.as_ref()),
        Group::Query6 => packet6(out, prefix, of, facts.query6.as_ref()),
        Group::Response6 => packet6(out, prefix, of, facts.response6.as_ref()),
        Group::Subnet4 | Group::Subnet6 => add(out, prefix, rows::SUBNET, of, facts.subnet.as_ref()),
        Group::Lease4 | Group::Lease6 => add(out, prefix, rows::LEASE, of, facts.lease.as_ref()),
        Group::Leases4 | Group::Leases6 => list(out, prefix, of, &facts.committed),
        Group::DeletedLeases4 | Group::DeletedLeases6 => list(out, prefix, of, &facts.deleted),
        Group::OldLease4 | Group::OldLease6 => add(out, prefix, rows::LEASE, of, facts.old_lease.as_ref()),
        Group::OfferLifetime => add(out, prefix, rows::OFFER_LIFETIME, of, facts.offer_lifetime.as_ref()),
        Group::FakeAllocation => add(out, prefix, rows::FAKE_ALLOCATION, of, Some(facts)),
        Group::RemoveLease => add(out, prefix, rows::REMOVE_LEASE, of, Some(facts)),
        Group::Ddns => add(out, prefix, rows::DDNS, of, facts.ddns.as_ref()),
        Group::HostIdentifier => add(out, prefix, rows::HOST_IDENTIFIER, of, facts.host_identifier.as_ref()),
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
        Group::OfferLifetime | Group::FakeAllocation | Group::RemoveLease => "KEA_",
        Group::Ddns => "KEA_DDNS_",
        Group::HostIdentifier => "KEA_HOST_IDENTIFIER",
    }
}

fn packet4(out: &mut Collector, prefix: &str, of: Of, packet: Option<&Packet4>) {
    add(out, prefix, rows::PACKET4, of, packet);
    if let Some(packet) = packet {
        options::add(out, prefix, of, packet.options);
    }
}

fn packet6(out: &mut Collector, prefix: &str, of: Of, packet: Option<&Packet6>) {
    add(out, prefix, rows::PACKET6, of, packet);
    let Some(packet) = packet else { return };
    for (n, relay) in of.facts.relays(packet.relays).iter().enumerate() {
        let prefix = format!("{prefix}RELAY{n}_");
        add(out, &prefix, rows::RELAY, of, Some(relay));
        options::add(out, &prefix, of, relay.options);
    }
    options::add(out, prefix, of, packet.options);
}

/// `<prefix>SIZE`, and `<prefix>AT<n>_<name>` for each lease, from 0.
fn list(out: &mut Collector, prefix: &str, of: Of, leases: &[Lease]) {
    out.push(format!("{prefix}SIZE"), leases.len().to_string());
    for (n, lease) in leases.iter().enumerate() {
        add(out, &format!("{prefix}AT{n}_"), rows::LEASE, of, Some(lease));
    }
}

/// Most values fit in as many bytes.
const USUAL_VALUE: usize = 40;

fn add<T>(out: &mut Collector, prefix: &str, rows: &[Row<T>], of: Of, item: Option<&T>) {
    let Some(item) = item else { return };
    for row in rows {
        let mut value = String::with_capacity(USUAL_VALUE);
        if (row.value)(of, item, &mut value) {
            out.push([prefix, row.name].concat(), value);
        }
    }
}

#[cfg(test)]
pub mod tests;
