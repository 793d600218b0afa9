use super::*;
use crate::bridge::ABSENT;
use crate::bridge::ffi::{self, HwAddr, OptionFact, Relay, Span, Subnet};
use crate::event::Variables;
use crate::hook_points::{HOOK_POINTS, find};

const NOTHING: Span = Span { start: ABSENT, len: 0 };

/// Lays facts out as the shim does.
#[derive(Default)]
pub struct Shim {
    bytes: Vec<u8>,
    names: Vec<Span>,
    options: Vec<OptionFact>,
    relays: Vec<Relay>,
}

impl Shim {
    fn put(&mut self, bytes: &[u8]) -> Span {
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
            ddns: &[],
            host_identifier: &[],
            offer_lifetime: &[],
            fake_allocation: false,
            remove_lease: false,
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
    let server = Server { name: "kea-dhcp6".into(), version: "2.2.0".into(), label: LABEL.into() };
    let mut text = String::from("{");
    write_variables(&mut text, &server, &HOOK_POINTS[find(hook_point).unwrap()], &Facts::from(facts), debug);
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

#[test]
fn no_subnet_is_empty_values() {
    let mut shim = Shim::default();
    let query = [shim.solicit()];
    let subnet = [Subnet { prefix: NOTHING, prefix_len: 0, id: 0 }];
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
