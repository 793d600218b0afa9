use std::net::Ipv6Addr;

use super::*;
use crate::bridge::ABSENT;
use crate::bridge::ffi::{self, HwAddr, OptionFact, Relay, Span, Subnet};
use crate::event::Variables;
use crate::hook_points::{HOOK_POINTS, find};
use crate::keys;
use crate::leases::origin::{Origin, Relay as Relay6};
use crate::leases::{Action, Changed, Reason};

const NOTHING: Span = Span { start: ABSENT, len: 0 };

pub fn occasion(point: &'static HookPoint) -> Occasion {
    Occasion { point, time: Duration::new(1_790_000_000, 125_999) }
}

/// Lays facts out as the shim does.
#[derive(Default)]
pub struct Shim {
    bytes: Vec<u8>,
    names: Vec<Span>,
    options: Vec<OptionFact>,
    relays: Vec<Relay>,
}

impl Shim {
    pub fn put(&mut self, bytes: &[u8]) -> Span {
        let start = self.bytes.len() as u32;
        self.bytes.extend_from_slice(bytes);
        Span { start, len: bytes.len() as u32 }
    }

    fn put_names(&mut self, names: &[&[u8]]) -> Span {
        let start = self.names.len() as u32;
        for name in names {
            let name = self.put(name);
            self.names.push(name);
        }
        Span { start, len: names.len() as u32 }
    }

    fn option(&mut self, depth: u8, code: u16, data: &[u8]) {
        let data = self.put(data);
        self.options.push(OptionFact { code, depth, data });
    }

    pub fn facts(&self) -> ffi::Facts<'_> {
        ffi::Facts {
            bytes: &self.bytes,
            names: &self.names,
            options: &self.options,
            relays: &self.relays,
            query4: &[],
            response4: &[],
            query6: &[],
            response6: &[],
            subnet: &[],
            lease: &[],
            old_lease: &[],
            committed: &[],
            deleted: &[],
            others: &[],
            looked_up_by: &[],
            ia: &[],
            ddns: &[],
            host_identifier: &[],
            offer_lifetime: &[],
            fake_allocation: false,
            remove_lease: false,
            is_skipped: false,
            is_reserved: false,
        }
    }

    pub fn solicit(&mut self) -> Packet6 {
        self.option(0, 1, &[0, 3, 0, 1, 2, 0, 0, 0, 0, 1]);
        self.option(0, 25, &[0xaa]);
        self.option(1, 26, &[1]);
        self.option(0, 25, &[0xbb]);
        self.option(1, 26, &[2]);
        Packet6 {
            name: self.put(b"SOLICIT"),
            interface: self.put(b"vs"),
            ifindex: 101,
            hwaddr: HwAddr { bytes: NOTHING, htype: 0, source: 0 },
            transaction_id: 7,
            local_address: [0; 16],
            local_port: 0,
            remote_address: [0; 16],
            remote_port: 546,
            remote_hwaddr: HwAddr { bytes: NOTHING, htype: 0, source: 0 },
            is_tcp: false,
            has_duid: true,
            classes: self.put_names(&[b"ALL", b"VENDOR_CLASS_a\nb", b"VENDOR_CLASS_x\0REGISTERED"]),
            debug: self.put(b"two\nlines"),
            options: Span { start: 0, len: 5 },
            wire: NOTHING,
            again: NOTHING,
            relays: NOTHING,
        }
    }
}

/// All that there can be, more than any one hook point has.
pub fn everything(shim: &mut Shim) -> Facts {
    let query6 = shim.solicit();
    shim.option(0, 61, &[1]);
    shim.option(0, 43, &[1]);
    shim.option(1, 1, &[2]);
    shim.option(2, 2, &[3]);
    shim.option(3, 3, &[4]);
    shim.option(0, 17, &[0, 0, 0, 9, 0, 1, 0, 1, 5]);
    shim.option(0, 17, &[0, 0, 0, 10, 0, 1, 0, 1, 6]);
    shim.option(0, 125, &[0, 0, 0, 9, 3, 1, 1, 5, 0, 0, 0, 10, 3, 1, 1, 6]);
    let text = shim.put(b"x");
    let hwaddr = HwAddr { bytes: text, htype: 1, source: 1 };
    let options = Span { start: 0, len: shim.options.len() as u32 };
    let relay = Relay { hops: 1, link_address: [0; 16], peer_address: [0; 16], options, again: NOTHING };
    shim.relays = vec![relay; 2];
    let query6 = Packet6 { hwaddr, remote_hwaddr: hwaddr, options, relays: Span { start: 0, len: 2 }, ..query6 };
    let query4 = Packet4 {
        name: text,
        interface: text,
        ifindex: 1,
        hwaddr,
        ciaddr: 0,
        siaddr: 0,
        yiaddr: 0,
        giaddr: 0,
        relayed: true,
        hops: 1,
        secs: 1,
        flags: 0x8000,
        transaction_id: 1,
        local_address: text,
        local_port: 67,
        remote_address: text,
        remote_port: 68,
        local_hwaddr: hwaddr,
        remote_hwaddr: hwaddr,
        classes: shim.put_names(&[b"x"]),
        vendor_class: text,
        rai: text,
        circuit_id: text,
        remote_id: text,
        options,
        wire: NOTHING,
        again: NOTHING,
    };
    let lease = |kind| Lease {
        kind,
        address: [0; 16],
        prefix_len: 56,
        hwaddr,
        client: text,
        hostname: text,
        cltt: 1,
        valid_lft: 1,
        preferred_lft: 1,
        iaid: 1,
        subnet_id: 1,
        pool_id: 1,
        state: 0,
        expired: false,
        fqdn_fwd: false,
        fqdn_rev: false,
        user_context: text,
        debug: text,
    };
    let (delegated, address4) = (lease(keys::TYPE_PD), lease(keys::TYPE_V4));
    let mut facts = Facts::from(&shim.facts());
    (facts.query4, facts.response4, facts.query6, facts.response6) =
        (Some(query4), Some(query4), Some(query6), Some(query6));
    facts.subnet = Some(Subnet {
        prefix: text,
        prefix_len: 24,
        id: 1,
        shared_network: text,
        user_context: text,
        ddns_suffix: text,
        domain_name: text,
        dns_servers: text,
    });
    (facts.lease, facts.old_lease) = (Some(delegated), Some(address4));
    (facts.committed, facts.deleted) = (vec![delegated, address4], vec![address4, delegated]);
    facts.others = vec![address4];
    let relay = Relay6 { link: Ipv6Addr::LOCALHOST, peer: Ipv6Addr::LOCALHOST };
    let next_hop = Some(Ipv6Addr::LOCALHOST.into());
    let origin = Origin { interface: Some("eth0".into()), next_hop, relay: Some(relay) };
    facts.changed = Some(Changed { action: Action::Del(Reason::Expired), origin });
    facts.ddns = Some(ffi::Ddns { hostname: text, fwd_update: true, rev_update: true });
    facts.host_identifier = Some(ffi::HostIdentifier { kind: 0, value: text });
    facts.offer_lifetime = Some(1);
    facts.looked_up_by = Some(ffi::LookedUpBy { client_id: text, hwaddr });
    facts.ia = Some(ffi::Ia { code: 3, iaid: 1, t1: 1, t2: 1 });
    facts
}

const LABEL: &str = "duid=[no info], [no hwaddr info], tid=0x0";

#[test]
fn a_label_without_a_duid_is_keas_own() {
    let mut shim = Shim::default();
    let query = [Packet6 { has_duid: false, transaction_id: 0xab_cdef, ..shim.solicit() }];
    let found = at("pkt6_receive", &ffi::Facts { query6: &query, ..shim.facts() }, false);
    assert_eq!(value(&found, "KEA_QUERY6_LABEL"), Some("duid=[no info], [no hwaddr info], tid=0xabcdef"));
}

fn value<'a>(variables: &'a Variables, name: &str) -> Option<&'a str> {
    variables.iter().find(|(other, _)| *other == name).map(|(_, value)| value)
}

fn at(hook_point: &str, facts: &ffi::Facts, debug: bool) -> Variables {
    written(hook_point, Facts::from(facts), Style { debug, ..Style::default() })
}

/// What is written of these facts.
pub fn written(hook_point: &str, facts: Facts, style: Style) -> Variables {
    let server = Server { name: "kea-dhcp6".into(), version: "2.2.0".into(), label: LABEL.into() };
    let mut text = String::from("{");
    write_variables(&mut text, &server, &occasion(&HOOK_POINTS[find(hook_point).unwrap()]), &facts, style);
    write_try(&mut text, &Try { unique: 0xa5, seq: 17, attempt: 2 });
    text.push('}');
    serde_json::from_str(&text).unwrap()
}

#[test]
fn a_solicit() {
    let mut shim = Shim::default();
    let query = [shim.solicit()];
    let found = at("pkt6_receive", &ffi::Facts { query6: &query, ..shim.facts() }, false);
    for (name, expected) in [
        ("KEA_HOOK_POINT", "pkt6_receive"),
        ("KEA_SERVER", "kea-dhcp6"),
        ("KEA_VERSION", "2.2.0"),
        ("KEA_EVENT_TIME", "1790000000.000125"),
        ("KEA_EVENT_ID", "00000000000000a5-17"),
        ("KEA_EVENT_ATTEMPT", "2"),
        ("KEA_QUERY6_TYPE", "SOLICIT"),
        ("KEA_QUERY6_DUID", "00:03:00:01:02:00:00:00:00:01"),
        ("KEA_QUERY6_LABEL", "duid=[00:03:00:01:02:00:00:00:00:01], [no hwaddr info], tid=0x7"),
        ("KEA_QUERY6_HWADDR", ""),
        ("KEA_QUERY6_HWADDR_TYPE", ""),
        ("KEA_QUERY6_CLASSES", "ALL\nVENDOR_CLASS_a\\x0ab\nVENDOR_CLASS_x\\x00REGISTERED"),
        ("KEA_QUERY6_OPTION_25", "0xaa 0xbb"),
        ("KEA_QUERY6_OPTION_25_SUB_26", "0x01 0x02"),
        ("KEA_QUERY6_RELAYS", "0"),
    ] {
        assert_eq!(value(&found, name), Some(expected), "{name}");
    }
    assert_eq!(value(&found, "KEA_QUERY6_DEBUG"), None);
    assert_eq!(value(&found, "KEA_SUBNET6"), None);
}

#[test]
fn keas_own_text_only_on_request() {
    let mut shim = Shim::default();
    let query = [shim.solicit()];
    let found = at("pkt6_receive", &ffi::Facts { query6: &query, ..shim.facts() }, true);
    assert_eq!(value(&found, "KEA_QUERY6_DEBUG"), Some("two\nlines"));
}

/// As the shim says it.
fn no_subnet() -> Subnet {
    Subnet {
        prefix: NOTHING,
        prefix_len: 0,
        id: 0,
        shared_network: NOTHING,
        user_context: NOTHING,
        ddns_suffix: NOTHING,
        domain_name: NOTHING,
        dns_servers: NOTHING,
    }
}

#[test]
fn the_names_of_a_subnet() {
    for (prefix, data, expected) in [
        (&[192, 0, 2, 0][..], &b"example.org"[..], "example.org"),
        (&[0; 16], b"\x03sub\x07example\x03org\0\x07example\x03net\0", "sub.example.org example.net"),
        (&[0; 16], b"\x03a\nb\0", "a\\x0ab"),
        (&[0; 16], b"\x3fx", ""),
    ] {
        let mut shim = Shim::default();
        let subnet = [Subnet { prefix: shim.put(prefix), domain_name: shim.put(data), ..no_subnet() }];
        let found = at("subnet6_select", &ffi::Facts { subnet: &subnet, ..shim.facts() }, false);
        assert_eq!(value(&found, "KEA_SUBNET6_DOMAIN_NAME"), Some(expected));
    }
}

#[test]
fn no_subnet_is_empty_values() {
    let mut shim = Shim::default();
    let query = [shim.solicit()];
    let subnet = [no_subnet()];
    let found = at("subnet6_select", &ffi::Facts { query6: &query, subnet: &subnet, ..shim.facts() }, false);
    for name in ["KEA_SUBNET6", "KEA_SUBNET6_PREFIX", "KEA_SUBNET6_PREFIXLEN", "KEA_SUBNET6_ID"] {
        assert_eq!(value(&found, name), Some(""), "{name}");
    }
}

#[test]
fn an_empty_list_has_its_size() {
    let mut shim = Shim::default();
    let query = [shim.solicit()];
    let found = at("leases6_committed", &ffi::Facts { query6: &query, ..shim.facts() }, false);
    assert_eq!(value(&found, "KEA_LEASES6_SIZE"), Some("0"));
    assert_eq!(value(&found, "KEA_DELETED_LEASES6_SIZE"), Some("0"));
}

#[test]
fn a_span_out_of_bounds_is_no_fact() {
    let mut shim = Shim::default();
    let query = [Packet6 { interface: Span { start: 1000, len: u32::MAX }, ..shim.solicit() }];
    let found = at("pkt6_receive", &ffi::Facts { query6: &query, ..shim.facts() }, false);
    assert_eq!(value(&found, "KEA_QUERY6_INTERFACE"), Some(""));
}
