//! The rows.

use super::value::{Of, Out, address4, address6, flag, id, ip, number, time, word};
use super::{Occasion, Try};
use crate::bridge::ABSENT;
use crate::bridge::ffi::{Ddns, HostIdentifier, Lease, Packet4, Packet6, Relay, Subnet};
use crate::facts::Facts;
use crate::keys::{self, CLIENT_ID4, CLIENT_ID6, TYPE_PD, TYPE_V4};
use crate::leases::Changed;
use crate::text::{colons, hex, kea_hex, printable, printable_json};

/// One variable of a `T`.
pub struct Row<T> {
    /// Without the group's prefix.
    pub name: &'static str,
    /// As the docs name it: `text`, `number`, `flag`, ...
    pub kind: &'static str,
    pub doc: &'static str,
    /// No value of its has anything that JSON escapes.
    pub(super) is_plain: bool,
    /// Writes the value; false where the variable does not exist.
    pub(super) value: fn(Of, &T, Out) -> bool,
}

pub(super) const fn row<T>(
    name: &'static str,
    kind: &'static str,
    value: fn(Of, &T, Out) -> bool,
    doc: &'static str,
) -> Row<T> {
    // Digits, and what stands between them.
    let is_plain = matches!(
        kind.as_bytes(),
        b"address" | b"addresses" | b"flag" | b"hardware address" | b"hex" | b"number" | b"prefix" | b"seconds"
    );
    Row { name, kind, doc, is_plain, value }
}

/// Of each event.
#[rustfmt::skip]
pub const OCCASION: &[Row<Occasion>] = &[
    row("HOOK_POINT", "text", |_, o, out| word(out, o.point.name),
        "Name of the hook point; the program's first argument too."),
    row("SERVER", "text", |of, _, out| word(out, &of.server.name),
        "`kea-dhcp4` or `kea-dhcp6`."),
    row("VERSION", "text", |of, _, out| word(out, &of.server.version),
        "Kea's version."),
    row("EVENT_TIME", "text", |_, o, out| time(out, o.time),
        "When it happened: seconds since 1970, with six digits behind the point."),
];

/// Of each try of an event.
#[rustfmt::skip]
pub const TRY: &[Row<Try>] = &[
    row("EVENT_ID", "text", |_, t, out| id(out, t.unique, t.seq),
        "The event's own id, unique among servers and scripts: hexadecimal digits, `-` and a number, the greater the later. Each try has the same."),
    row("EVENT_ATTEMPT", "number", |_, t, out| number(out, t.attempt),
        "Which try this is, from 1: events that nobody may have handled to the end are handled again."),
];

/// Of a DHCPv4 packet, besides its options.
#[rustfmt::skip]
pub const PACKET4: &[Row<Packet4>] = &[
    row("TYPE", "text", |of, p, out| of.text(out, p.name),
        "Message type, as in `DHCPDISCOVER` (RFC 2131)."),
    row("INTERFACE", "text", |of, p, out| of.text(out, p.interface),
        "Interface on which the packet came or will go."),
    row("IFINDEX", "number", |_, p, out| number(out, p.ifindex),
        "Its index."),
    row("HWADDR", "hardware address", |of, p, out| of.or_empty(out, p.hwaddr.bytes, colons),
        "Hardware address of the client, as in `02:00:00:00:00:01`; empty if Kea knows none."),
    row("HWADDR_TYPE", "number", |of, p, out| of.htype(out, &p.hwaddr),
        "Its type (IANA's hardware types: 1 is Ethernet)."),
    row("HWADDR_SOURCE", "number", |of, p, out| of.facts.bytes(p.hwaddr.bytes).is_none() || number(out, p.hwaddr.source),
        "How Kea came to know it (`HWADDR_SOURCE_*` in Kea's hwaddr.h)."),
    row("CIADDR", "address", |_, p, out| address4(out, p.ciaddr),
        "Client's address (RFC 2131)."),
    row("SIADDR", "address", |_, p, out| address4(out, p.siaddr),
        "Next server's address."),
    row("YIADDR", "address", |_, p, out| address4(out, p.yiaddr),
        "`Your` address: the one given to the client."),
    row("GIADDR", "address", |_, p, out| address4(out, p.giaddr),
        "Relay agent's address."),
    row("RELAYED", "flag", |_, p, out| flag(out, p.relayed),
        "Whether a relay agent forwarded it."),
    row("RELAY_HOPS", "number", |_, p, out| number(out, p.hops),
        "Number of relay agents passed."),
    row("OPTION60", "text", |of, p, out| of.optional(out, p.vendor_class, printable),
        "Vendor class identifier; absent if the option is absent or empty."),
    row("RAI", "hex, upper case", |of, p, out| of.optional(out, p.rai, kea_hex),
        "Relay agent information, option 82 (RFC 3046); empty if the option is empty."),
    row("RAI_CIRCUIT_ID", "hex, upper case", |of, p, out| of.optional(out, p.circuit_id, kea_hex),
        "Its sub-option 1; empty if that is empty."),
    row("RAI_REMOTE_ID", "hex, upper case", |of, p, out| of.optional(out, p.remote_id, kea_hex),
        "Its sub-option 2; empty if that is empty."),
    row("CLIENT_ID", "bytes", |of, p, out| of.facts.option(p.options, CLIENT_ID4).map(|id| colons(id, out)).is_some(),
        "Client identifier, option 61, as in `01:02:00:00:00:00:01`."),
    row("TRANSACTION_ID", "number", |_, p, out| number(out, p.transaction_id),
        "Transaction id, `xid` (RFC 2131)."),
    row("CLASSES", "names", |of, p, out| of.names(out, p.classes),
        "Client classes that Kea has put the packet in so far, one a line."),
    row("LOCAL_ADDRESS", "address", |of, p, out| of.address(out, p.local_address),
        "Address at the server's side; of DHCPv4 over DHCPv6 (RFC 7341) an IPv6 address."),
    row("LOCAL_PORT", "number", |_, p, out| number(out, p.local_port),
        "UDP port at the server's side; 0 where Kea does not say."),
    row("REMOTE_ADDRESS", "address", |of, p, out| of.address(out, p.remote_address),
        "Address at the other side: the client's or the relay agent's; of DHCPv4 over DHCPv6 an IPv6 address."),
    row("REMOTE_PORT", "number", |_, p, out| number(out, p.remote_port),
        "UDP port at the other side."),
];

/// Of a DHCPv6 packet, besides its options and relays.
#[rustfmt::skip]
pub const PACKET6: &[Row<Packet6>] = &[
    row("TYPE", "text", |of, p, out| of.text(out, p.name),
        "Message type, as in `SOLICIT` (RFC 8415)."),
    row("INTERFACE", "text", |of, p, out| of.text(out, p.interface),
        "Interface on which the packet came or will go."),
    row("IFINDEX", "number", |_, p, out| number(out, p.ifindex),
        "Its index."),
    row("HWADDR", "hardware address", |of, p, out| of.or_empty(out, p.hwaddr.bytes, colons),
        "Hardware address of the client, as in `02:00:00:00:00:01`; empty if Kea knows none."),
    row("HWADDR_TYPE", "number", |of, p, out| of.htype(out, &p.hwaddr),
        "Its type (IANA's hardware types: 1 is Ethernet)."),
    row("HWADDR_SOURCE", "number", |of, p, out| of.facts.bytes(p.hwaddr.bytes).is_none() || number(out, p.hwaddr.source),
        "How Kea came to know it (`HWADDR_SOURCE_*` in Kea's hwaddr.h)."),
    row("LOCAL_ADDRESS", "address", |_, p, out| address6(out, p.local_address),
        "Address at the server's side."),
    row("LOCAL_PORT", "number", |_, p, out| number(out, p.local_port),
        "UDP port at the server's side; 0 where Kea does not say."),
    row("REMOTE_ADDRESS", "address", |_, p, out| address6(out, p.remote_address),
        "Address at the other side: the client's link-local address, or the relay's nearest to the server."),
    row("REMOTE_PORT", "number", |_, p, out| number(out, p.remote_port),
        "UDP port at the other side."),
    row("LABEL", "text", |of, p, out| of.label(out, of.facts.option(p.options, CLIENT_ID6).filter(|_| p.has_duid), p.transaction_id),
        "Kea's short name of the packet, as in its log."),
    row("TRANSACTION_ID", "number", |_, p, out| number(out, p.transaction_id),
        "Transaction id (RFC 8415)."),
    row("DUID", "bytes", |of, p, out| { colons(of.facts.option(p.options, CLIENT_ID6).unwrap_or_default(), out); true },
        "The client's DUID, as in `00:03:00:01:02:00:00:00:00:01`; empty if the packet has none."),
    row("CLASSES", "names", |of, p, out| of.names(out, p.classes),
        "Client classes that Kea has put the packet in so far, one a line."),
    row("RELAYS", "number", |of, p, out| number(out, of.facts.relays(p.relays).len()),
        "Number of relays that the packet passed."),
    row("DEBUG", "text, several lines", |of, p, out| of.debug(out, p.debug),
        "Kea's own text of the packet; only with `debug`."),
];

/// Of one relay; 0 is the outermost, the one nearest to the server.
#[rustfmt::skip]
pub const RELAY: &[Row<Relay>] = &[
    row("LINK_ADDRESS", "address", |_, r, out| address6(out, r.link_address),
        "Its link-address field (RFC 8415, 9)."),
    row("PEER_ADDRESS", "address", |_, r, out| address6(out, r.peer_address),
        "Its peer-address field: of the innermost relay, the client's own address."),
    row("HOPS", "number", |_, r, out| number(out, r.hops),
        "Its hop-count field."),
];

/// Of the subnet; the first row has no name of its own.
#[rustfmt::skip]
pub const SUBNET: &[Row<Subnet>] = &[
    row("", "prefix", |of, s, out| of.prefix(out, s),
        "The chosen subnet, as in `192.0.2.0/24`; this and all below are empty if Kea found none."),
    row("_PREFIX", "address", |of, s, out| of.address(out, s.prefix),
        "Its address."),
    row("_PREFIXLEN", "number", |of, s, out| of.facts.bytes(s.prefix).is_none() || number(out, s.prefix_len),
        "Its prefix length."),
    row("_ID", "number", |of, s, out| of.facts.bytes(s.prefix).is_none() || number(out, s.id),
        "Its id in Kea's configuration."),
    row("_SHARED_NETWORK", "text", |of, s, out| of.optional(out, s.shared_network, printable),
        "Name of its shared network; absent if it is in none. This and all below only at `lease4_changed` and `lease6_changed`."),
    row("_USER_CONTEXT", "JSON", |of, s, out| of.optional(out, s.user_context, printable_json),
        "Its user context in Kea's configuration; absent if it has none."),
    row("_DDNS_SUFFIX", "text", |of, s, out| of.optional(out, s.ddns_suffix, printable),
        "`ddns-qualifying-suffix` there; absent if there is none."),
    row("_DOMAIN_NAME", "text", |of, s, out| of.domain_names(out, s),
        "What clients get there as option 15, in DHCPv6 as option 24 (names, separated by spaces), unless a pool, a class or a reservation says otherwise; absent if they get none."),
    row("_DNS_SERVERS", "addresses", |of, s, out| of.addresses(out, s),
        "The same of option 6, in DHCPv6 option 23: addresses, separated by spaces."),
];

/// Of a lease of either family.
#[rustfmt::skip]
pub const LEASE: &[Row<Lease>] = &[
    row("TYPE", "text", |_, l, out| word(out, type_name(l.kind)),
        "`V4`, `IA_NA`, `IA_TA` or `IA_PD`."),
    row("STATE", "text", |_, l, out| word(out, state_name(l.state)),
        "`default`, `declined` or `expired-reclaimed`; from Kea 3.0 on also `released` and `registered`."),
    row("IS_EXPIRED", "flag", |_, l, out| flag(out, l.expired),
        "Whether its valid lifetime is over."),
    row("ADDRESS", "address", |_, l, out| { keys::address(l, out); true },
        "The leased address, or the address of the delegated prefix."),
    row("DELEGATED_PREFIX", "prefix", |_, l, out| l.kind == TYPE_PD && { keys::address_or_prefix(l, out); true },
        "The delegated prefix, as in `2001:db8:1::/56`; only of an `IA_PD` lease."),
    row("DELEGATED_PREFIXLEN", "number", |_, l, out| l.kind == TYPE_PD && number(out, l.prefix_len),
        "Its length; only of an `IA_PD` lease."),
    row("HWADDR", "hardware address", |of, l, out| of.or_empty(out, l.hwaddr.bytes, colons),
        "Hardware address of the client; empty if Kea knows none."),
    row("HOSTNAME", "text", |of, l, out| of.text(out, l.hostname),
        "The client's name; empty if it has none."),
    row("CLIENT_ID", "bytes", |of, l, out| l.kind == TYPE_V4 && of.or_empty(out, l.client, colons),
        "The client's identifier; empty if it has none. Only DHCPv4."),
    row("CLIENT_DUID", "bytes", |of, l, out| l.kind != TYPE_V4 && of.or_empty(out, l.client, colons),
        "The client's DUID. Only DHCPv6."),
    row("CLIENT_LAST_TRANSMISSION", "seconds", |_, l, out| number(out, l.cltt),
        "When the client last asked for it, in seconds since the epoch."),
    row("VALID_LIFETIME", "seconds", |_, l, out| number(out, l.valid_lft),
        "Valid lifetime, from then on."),
    row("PREFERRED_LIFETIME", "seconds", |_, l, out| l.kind != TYPE_V4 && number(out, l.preferred_lft),
        "Preferred lifetime, from then on. Only DHCPv6."),
    row("IAID", "number", |_, l, out| l.kind != TYPE_V4 && number(out, l.iaid),
        "Identity association's id. Only DHCPv6."),
    row("SUBNET_ID", "number", |_, l, out| number(out, l.subnet_id),
        "Id of its subnet in Kea's configuration."),
    row("POOL_ID", "number", |_, l, out| l.pool_id != ABSENT && number(out, l.pool_id),
        "Id of its pool in Kea's configuration; 0 if it has none, or as long as the lease is not stored. From Kea 2.4 on."),
    row("FQDN_FWD", "flag", |_, l, out| flag(out, l.fqdn_fwd),
        "Whether Kea updates DNS, name to address."),
    row("FQDN_REV", "flag", |_, l, out| flag(out, l.fqdn_rev),
        "Whether Kea updates DNS, address to name."),
    row("USER_CONTEXT", "JSON", |of, l, out| of.optional(out, l.user_context, printable_json),
        "The lease's user context; absent if it has none."),
    row("DEBUG", "text, several lines", |of, l, out| of.debug(out, l.debug),
        "Kea's own text of the lease; only with `debug`."),
];

/// At `ddns4_update` and `ddns6_update`.
#[rustfmt::skip]
pub const DDNS: &[Row<Ddns>] = &[
    row("HOSTNAME", "text", |of, d, out| of.text(out, d.hostname),
        "The client's full name as Kea has made it up."),
    row("FWD_UPDATE", "flag", |_, d, out| flag(out, d.fwd_update),
        "Whether Kea will update DNS, name to address."),
    row("REV_UPDATE", "flag", |_, d, out| flag(out, d.rev_update),
        "Whether Kea will update DNS, address to name."),
];

/// At `host4_identifier` and `host6_identifier`; the first row has no name of its own.
#[rustfmt::skip]
pub const HOST_IDENTIFIER: &[Row<HostIdentifier>] = &[
    row("", "hex", |of, h, out| of.or_empty(out, h.value, hex),
        "The identifier that another hook library has set; `0x` if none has."),
    row("_TYPE", "text", |_, h, out| word(out, identifier_name(h.kind)),
        "Its type: `hw-address`, `duid`, `circuit-id`, `client-id` or `flex-id`."),
];

/// At `lease4_offer`, and from Kea 2.4 on at `lease4_select`.
#[rustfmt::skip]
pub const OFFER_LIFETIME: &[Row<u32>] = &[
    row("OFFER_LIFETIME", "seconds", |_, lifetime, out| number(out, *lifetime),
        "How long Kea keeps an offered address for the client (`offer-lifetime`); 0: not at all."),
];

/// At `lease4_select` and `lease6_select`.
#[rustfmt::skip]
pub const FAKE_ALLOCATION: &[Row<Facts>] = &[
    row("FAKE_ALLOCATION", "flag", |_, facts, out| flag(out, facts.fake_allocation),
        "1: only an offer, nothing is leased yet. 0: the lease is made."),
];

/// At `lease4_expire` and `lease6_expire`.
#[rustfmt::skip]
pub const REMOVE_LEASE: &[Row<Facts>] = &[
    row("REMOVE_LEASE", "flag", |_, facts, out| flag(out, facts.remove_lease),
        "Whether Kea will remove the lease from the database, rather than mark it as reclaimed."),
];

/// At `lease4_changed` and `lease6_changed`.
#[rustfmt::skip]
pub const CHANGED: &[Row<Changed>] = &[
    row("ACTION", "text", |_, c, out| word(out, c.action.name()),
        "`add`: the client has got the lease. `renew`: the client goes on with it, or something about it has changed. `reused`: Kea has given the client the lease that it has once more, and has not written it (`cache-threshold`, the default of Kea 3.0). `del`: the lease is gone. `replay`: the client has it, and nothing has changed; `replay-begin` and `replay-end` are of no lease, and stand around a replay of all. A program that finds another word does nothing: there may be more."),
    row("REASON", "text", |_, c, out| c.action.reason().is_some_and(|reason| word(out, reason)),
        "Only of `del`: `released` or `declined` by its client, `expired`, `replaced` by another lease of the client's, `deleted` by a command, `reclaimed` by Kea, because it is reserved for another client or lies outside all pools now."),
    row("INTERFACE", "text", |_, c, out| c.origin.interface.as_deref().is_none_or(|name| word(out, name)),
        "Interface at which the server hears the client, or the client's relay; empty if that is not known."),
    row("NEXT_HOP", "address", |_, c, out| c.origin.next_hop.is_none_or(|address| ip(out, address)),
        "To where packets for the client go: its link-local address, or the address of the relay nearest to the server. Of a DHCPv4 client only a relay's. Empty if it is not known."),
    row("IS_RESERVED", "flag", |of, _, out| flag(out, of.facts.is_reserved),
        "Whether there is a host reservation for the address or prefix."),
];

/// Only at `lease6_changed`.
#[rustfmt::skip]
pub const CHANGED6: &[Row<Changed>] = &[
    row("RELAY_LINK_ADDRESS", "address", |_, c, out| c.origin.relay.is_none_or(|relay| ip(out, relay.link.into())),
        "The link-address of the relay nearest to the client; empty if there is none."),
    row("RELAY_PEER_ADDRESS", "address", |_, c, out| c.origin.relay.is_none_or(|relay| ip(out, relay.peer.into())),
        "Its peer-address: the client's own on that link; empty if there is none."),
];

/// `Lease::typeToText`.
pub(super) fn type_name(kind: u8) -> &'static str {
    ["IA_NA", "IA_TA", "IA_PD", "V4"].get(usize::from(kind)).copied().unwrap_or("UNKNOWN")
}

/// `Lease::basicStatesToText`.
pub(super) fn state_name(state: u32) -> &'static str {
    ["default", "declined", "expired-reclaimed", "released", "registered"]
        .get(state as usize)
        .copied()
        .unwrap_or("unknown")
}

/// `Host::getIdentifierName`.
fn identifier_name(kind: u32) -> &'static str {
    ["hw-address", "duid", "circuit-id", "client-id", "flex-id"].get(kind as usize).copied().unwrap_or("unknown")
}
