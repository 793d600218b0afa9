//! Dialect `isc`: the names and formats of ISC's libdhcp_run_script, as that of Kea 3.0 has them.

use super::collector::Collector;
use super::rows::{Row, row, state_name, type_name};
use super::value::{Of, Out, address4, address6, number, word};
use super::{COMMON_PREFIX, add, list};
use crate::bridge::ffi::{Ia, Lease, LookedUpBy, Packet4, Packet6, Subnet};
use crate::facts::Facts;
use crate::hook_points::{Group, HookPoint};
use crate::keys::{self, CLIENT_ID6, TYPE_V4};
use crate::text::{colons, kea_hex};

/// Of `lease4_renew`.
pub const LOOKED_UP_BY_PREFIX: &str = "PKT4_";
/// Of `lease6_renew` and `lease6_rebind`.
pub const IA_PREFIX: &str = "PKT6_IA_";
/// Of the lease that comes in an old one's place.
pub const NEW_LEASE_PREFIX: &str = "NEW_LEASE6_";

/// Of a DHCPv4 packet.
#[rustfmt::skip]
pub const PACKET4: &[Row<Packet4>] = &[
    row("TYPE", "text", |of, p, out| of.text(out, p.name), "`KEA_QUERY4_TYPE`"),
    row("TXID", "number", |_, p, out| number(out, p.transaction_id), "`KEA_QUERY4_TRANSACTION_ID`"),
    row("LOCAL_ADDR", "address", |of, p, out| of.address(out, p.local_address), "`KEA_QUERY4_LOCAL_ADDRESS`"),
    row("LOCAL_PORT", "number", |_, p, out| number(out, p.local_port), "`KEA_QUERY4_LOCAL_PORT`"),
    row("REMOTE_ADDR", "address", |of, p, out| of.address(out, p.remote_address), "`KEA_QUERY4_REMOTE_ADDRESS`"),
    row("REMOTE_PORT", "number", |_, p, out| number(out, p.remote_port), "`KEA_QUERY4_REMOTE_PORT`"),
    row("IFACE_INDEX", "number", |_, p, out| number(out, p.ifindex), "`KEA_QUERY4_IFINDEX`"),
    row("IFACE_NAME", "text", |of, p, out| of.text(out, p.interface), "`KEA_QUERY4_INTERFACE`"),
    row("HOPS", "number", |_, p, out| number(out, p.hops), "`KEA_QUERY4_RELAY_HOPS`"),
    row("SECS", "number", |_, p, out| number(out, p.secs), "Its field `secs` (RFC 2131)"),
    row("FLAGS", "number", |_, p, out| number(out, p.flags), "Its field `flags`: 32768 asks for a broadcast answer"),
    row("CIADDR", "address", |_, p, out| address4(out, p.ciaddr), "`KEA_QUERY4_CIADDR`"),
    row("SIADDR", "address", |_, p, out| address4(out, p.siaddr), "`KEA_QUERY4_SIADDR`"),
    row("YIADDR", "address", |_, p, out| address4(out, p.yiaddr), "`KEA_QUERY4_YIADDR`"),
    row("GIADDR", "address", |_, p, out| address4(out, p.giaddr), "`KEA_QUERY4_GIADDR`"),
    row("RELAYED", "text", |_, p, out| yes(out, p.relayed), "`KEA_QUERY4_RELAYED`, as `true` or `false`"),
    row("HWADDR", "hardware address", |of, p, out| of.or_empty(out, p.hwaddr.bytes, colons), "`KEA_QUERY4_HWADDR`"),
    row("HWADDR_TYPE", "number", |of, p, out| of.htype(out, &p.hwaddr), "`KEA_QUERY4_HWADDR_TYPE`"),
    row("LOCAL_HWADDR", "hardware address", |of, p, out| of.or_empty(out, p.local_hwaddr.bytes, colons), "Hardware address of the server's interface; empty if Kea knows none"),
    row("LOCAL_HWADDR_TYPE", "number", |of, p, out| of.htype(out, &p.local_hwaddr), "Its type; empty where there is no address"),
    row("REMOTE_HWADDR", "hardware address", |of, p, out| of.or_empty(out, p.remote_hwaddr.bytes, colons), "Hardware address that sent the frame; empty if Kea knows none"),
    row("REMOTE_HWADDR_TYPE", "number", |of, p, out| of.htype(out, &p.remote_hwaddr), "Its type; empty where there is no address"),
    row("OPTION_82", "hex, upper case", |of, p, out| of.optional(out, p.rai, kea_hex), "`KEA_QUERY4_RAI`; absent if the packet has none"),
    row("OPTION_82_SUB_OPTION_1", "hex, upper case", |of, p, out| of.optional(out, p.circuit_id, kea_hex), "`KEA_QUERY4_RAI_CIRCUIT_ID`; the same"),
    row("OPTION_82_SUB_OPTION_2", "hex, upper case", |of, p, out| of.optional(out, p.remote_id, kea_hex), "`KEA_QUERY4_RAI_REMOTE_ID`; the same"),
];

/// Of a DHCPv6 packet.
#[rustfmt::skip]
pub const PACKET6: &[Row<Packet6>] = &[
    row("TYPE", "text", |of, p, out| of.text(out, p.name), "`KEA_QUERY6_TYPE`"),
    row("TXID", "number", |_, p, out| number(out, p.transaction_id), "`KEA_QUERY6_TRANSACTION_ID`"),
    row("LOCAL_ADDR", "address", |_, p, out| address6(out, p.local_address), "`KEA_QUERY6_LOCAL_ADDRESS`"),
    row("LOCAL_PORT", "number", |_, p, out| number(out, p.local_port), "`KEA_QUERY6_LOCAL_PORT`"),
    row("REMOTE_ADDR", "address", |_, p, out| address6(out, p.remote_address), "`KEA_QUERY6_REMOTE_ADDRESS`"),
    row("REMOTE_PORT", "number", |_, p, out| number(out, p.remote_port), "`KEA_QUERY6_REMOTE_PORT`"),
    row("IFACE_INDEX", "number", |_, p, out| number(out, p.ifindex), "`KEA_QUERY6_IFINDEX`"),
    row("IFACE_NAME", "text", |of, p, out| of.text(out, p.interface), "`KEA_QUERY6_INTERFACE`"),
    row("REMOTE_HWADDR", "hardware address", |of, p, out| of.or_empty(out, p.remote_hwaddr.bytes, colons), "Hardware address that sent the frame; empty if Kea knows none"),
    row("REMOTE_HWADDR_TYPE", "number", |of, p, out| of.htype(out, &p.remote_hwaddr), "Its type; empty where there is no address"),
    row("PROTO", "text", |_, p, out| word(out, if p.is_tcp { "TCP" } else { "UDP" }), "`UDP`, or `TCP` (RFC 5460)"),
    row("CLIENT_ID", "bytes", |of, p, out| { colons(of.facts.option(p.options, CLIENT_ID6).filter(|_| p.has_duid).unwrap_or_default(), out); true }, "`KEA_QUERY6_DUID`"),
    row("OPTION_18", "hex, upper case", |of, p, out| of_relay(of, p, 18, out), "Interface-Id (RFC 8415, 21.18) of the relay nearest to the client that has one; else absent"),
    row("OPTION_37", "hex, upper case", |of, p, out| of_relay(of, p, 37, out), "Its Remote-ID (RFC 4649); the same"),
    row("OPTION_38", "hex, upper case", |of, p, out| of_relay(of, p, 38, out), "Its Subscriber-ID (RFC 4580); the same"),
];

/// Of the subnet; all are empty if Kea found none.
#[rustfmt::skip]
pub const SUBNET: &[Row<Subnet>] = &[
    row("_ID", "number", |of, s, out| of.facts.bytes(s.prefix).is_none() || number(out, s.id), "`KEA_SUBNET4_ID`"),
    row("_NAME", "prefix", |of, s, out| of.prefix(out, s), "`KEA_SUBNET4`"),
    row("_PREFIX", "address", |of, s, out| of.address(out, s.prefix), "`KEA_SUBNET4_PREFIX`"),
    row("_PREFIX_LEN", "number", |of, s, out| of.facts.bytes(s.prefix).is_none() || number(out, s.prefix_len), "`KEA_SUBNET4_PREFIXLEN`"),
];

/// Of a lease of either family.
#[rustfmt::skip]
pub const LEASE: &[Row<Lease>] = &[
    row("ADDRESS", "address", |_, l, out| { keys::address(l, out); true }, "`KEA_LEASE4_ADDRESS`"),
    row("CLTT", "seconds", |_, l, out| number(out, l.cltt), "`KEA_LEASE4_CLIENT_LAST_TRANSMISSION`"),
    row("HOSTNAME", "text", |of, l, out| of.text(out, l.hostname), "`KEA_LEASE4_HOSTNAME`"),
    row("HWADDR", "hardware address", |of, l, out| of.or_empty(out, l.hwaddr.bytes, colons), "`KEA_LEASE4_HWADDR`"),
    row("HWADDR_TYPE", "number", |of, l, out| of.htype(out, &l.hwaddr), "Its type (1 is Ethernet); empty where there is no address"),
    row("STATE", "text", |_, l, out| word(out, state_name(l.state)), "`KEA_LEASE4_STATE`"),
    row("SUBNET_ID", "number", |_, l, out| number(out, l.subnet_id), "`KEA_LEASE4_SUBNET_ID`"),
    row("VALID_LIFETIME", "seconds", |_, l, out| number(out, l.valid_lft), "`KEA_LEASE4_VALID_LIFETIME`"),
    row("CLIENT_ID", "bytes", |of, l, out| l.kind == TYPE_V4 && of.or_empty(out, l.client, colons), "`KEA_LEASE4_CLIENT_ID`"),
    row("DUID", "bytes", |of, l, out| l.kind != TYPE_V4 && of.or_empty(out, l.client, colons), "`KEA_LEASE6_CLIENT_DUID`"),
    row("IAID", "number", |_, l, out| l.kind != TYPE_V4 && number(out, l.iaid), "`KEA_LEASE6_IAID`"),
    row("PREFERRED_LIFETIME", "seconds", |_, l, out| l.kind != TYPE_V4 && number(out, l.preferred_lft), "`KEA_LEASE6_PREFERRED_LIFETIME`"),
    row("PREFIX_LEN", "number", |_, l, out| l.kind != TYPE_V4 && number(out, l.prefix_len), "Length of a delegated prefix; of an address 128"),
    row("TYPE", "text", |_, l, out| l.kind != TYPE_V4 && word(out, type_name(l.kind)), "`KEA_LEASE6_TYPE`"),
];

/// By which `lease4_renew` has looked the lease up.
#[rustfmt::skip]
pub const LOOKED_UP_BY: &[Row<LookedUpBy>] = &[
    row("CLIENT_ID", "bytes", |of, s, out| of.or_empty(out, s.client_id, colons), "The client identifier that Kea goes by; empty if it goes by none (`match-client-id`)"),
    row("HWADDR", "hardware address", |of, s, out| of.or_empty(out, s.hwaddr.bytes, colons), "The hardware address"),
    row("HWADDR_TYPE", "number", |of, s, out| of.htype(out, &s.hwaddr), "Its type; empty where there is no address"),
];

/// Of the identity association of `lease6_renew` and `lease6_rebind`.
#[rustfmt::skip]
pub const IA: &[Row<Ia>] = &[
    row("IAID", "number", |_, ia, out| number(out, ia.iaid), "Its id, as the client has chosen it"),
    row("IA_TYPE", "number", |_, ia, out| number(out, ia.code), "Code of its option: 3 IA_NA, 25 IA_PD"),
    row("IA_T1", "number", |_, ia, out| number(out, ia.t1), "T1 of the answer, in seconds; 0 as long as Kea has not set it"),
    row("IA_T2", "number", |_, ia, out| number(out, ia.t2), "The same of T2"),
];

/// At `lease4_expire` and `lease6_expire`.
#[rustfmt::skip]
pub const REMOVE_LEASE: &[Row<Facts>] = &[
    row("REMOVE_LEASE", "text", |_, facts, out| yes(out, facts.remove_lease), "`KEA_REMOVE_LEASE`, as `true` or `false`"),
];

/// Of `addr6_register`.
#[rustfmt::skip]
pub const ADDRESS: &[Row<Lease>] = &[
    row("ADDRESS6", "address", |_, lease, out| address6(out, lease.address), "The registered address"),
];

/// What the names of a group's variables begin with; `None` of what ISC's library never tells.
pub fn prefix(group: Group) -> Option<&'static str> {
    let is_untold = matches!(
        group,
        Group::Response4
            | Group::Response6
            | Group::OldLease4
            | Group::OfferLifetime
            | Group::FakeAllocation
            | Group::Ddns
            | Group::HostIdentifier
    );
    super::prefix(group).strip_prefix(COMMON_PREFIX).filter(|_| !is_untold)
}

/// Adds what ISC's library tells of the facts of a hook point.
pub fn add_all(out: &mut Collector, point: &HookPoint, of: Of) {
    for &group in point.groups {
        // It tells this lease from the old one by both names.
        let is_new = group == Group::Lease6 && point.groups.contains(&Group::OldLease6);
        match prefix(group) {
            Some(_) if is_new => add_new_lease(out, of),
            Some(prefix) => add_group(out, group, prefix, of),
            None => {}
        }
    }
    out.begin(LOOKED_UP_BY_PREFIX);
    add(out, LOOKED_UP_BY, of, of.facts.looked_up_by.as_ref());
    out.begin(IA_PREFIX);
    add(out, IA, of, of.facts.ia.as_ref());
}

fn add_group(out: &mut Collector, group: Group, prefix: &str, of: Of) {
    let facts = of.facts;
    out.begin(prefix);
    match group {
        Group::Query4 => add(out, PACKET4, of, facts.query4.as_ref()),
        Group::Query6 => add(out, PACKET6, of, facts.query6.as_ref()),
        Group::Subnet4 | Group::Subnet6 => add(out, SUBNET, of, facts.subnet.as_ref()),
        Group::Lease4 | Group::Lease6 => add(out, LEASE, of, facts.lease.as_ref()),
        Group::Leases4 | Group::Leases6 => list(out, prefix, LEASE, of, &facts.committed),
        Group::DeletedLeases4 | Group::DeletedLeases6 => list(out, prefix, LEASE, of, &facts.deleted),
        Group::OldLease6 => add(out, LEASE, of, facts.old_lease.as_ref()),
        Group::RemoveLease => add(out, REMOVE_LEASE, of, Some(facts)),
        _ => {}
    }
}

fn add_new_lease(out: &mut Collector, of: Of) {
    out.begin("");
    add(out, ADDRESS, of, of.facts.lease.as_ref());
    out.begin(NEW_LEASE_PREFIX);
    add(out, LEASE, of, of.facts.lease.as_ref());
}

fn yes(out: Out, value: bool) -> bool {
    word(out, if value { "true" } else { "false" })
}

/// As `Pkt6::getAnyRelayOption` finds it, from the client's end.
fn of_relay(of: Of, packet: &Packet6, code: u16, out: Out) -> bool {
    let mut relays = of.facts.relays(packet.relays).iter().rev();
    let found = relays.find_map(|relay| of.facts.option(relay.options, code));
    found.map(|data| kea_hex(data, out)).is_some()
}
