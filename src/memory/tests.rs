mod kept;

use super::*;
use crate::bridge::ABSENT;
use crate::bridge::ffi::{self, HwAddr, Lease, OptionFact, Packet4, Packet6, Relay, Span, Subnet};
use crate::facts::Facts;
use crate::hook_points::find;
use crate::variables::Style;

const NOTHING: Span = Span { start: ABSENT, len: 0 };
const NOBODY: HwAddr = HwAddr { bytes: NOTHING, htype: 1, source: 0 };

/// What a DHCPv4 packet says, of which each part can be another one.
#[derive(Clone)]
struct Query<'a> {
    point: &'a str,
    message: &'a str,
    interface: &'a str,
    hwaddr: &'a [u8],
    giaddr: u32,
    options: Vec<(u16, &'a [u8])>,
    /// As they came, if that is otherwise.
    came: Option<Vec<(u16, &'a [u8])>>,
    subnet: Option<u32>,
    leases: Vec<u8>,
    transaction: u32,
}

fn query<'a>() -> Query<'a> {
    Query {
        point: "lease4_select",
        message: "DHCPDISCOVER",
        interface: "vs",
        hwaddr: &[2, 0, 0, 0, 0, 1],
        giaddr: 1,
        options: vec![
            (12, b"name"),
            (60, b"PXEClient"),
            (61, b"\x01\x02"),
            (77, b"iPXE"),
            (82, b"\x01\x01a"),
            (93, b"\0\x07"),
        ],
        came: None,
        subnet: Some(1),
        leases: vec![10],
        transaction: 1,
    }
}

impl Query<'_> {
    fn facts(&self) -> Facts {
        let mut bytes = Vec::new();
        let mut put = |data: &[u8]| {
            bytes.extend_from_slice(data);
            Span { start: (bytes.len() - data.len()) as u32, len: data.len() as u32 }
        };
        let options: Vec<_> =
            self.options.iter().map(|&(code, data)| OptionFact { code, depth: 0, data: put(data) }).collect();
        let mut wire = vec![0; 236];
        wire.extend([0x63, 0x82, 0x53, 0x63]);
        for (code, data) in self.came.as_ref().unwrap_or(&self.options) {
            wire.extend([*code as u8, data.len() as u8]);
            wire.extend_from_slice(data);
        }
        let packet = Packet4 {
            name: put(self.message.as_bytes()),
            interface: put(self.interface.as_bytes()),
            ifindex: 1,
            hwaddr: HwAddr { bytes: put(self.hwaddr), ..NOBODY },
            ciaddr: 0,
            yiaddr: 0,
            siaddr: 0,
            giaddr: self.giaddr,
            relayed: true,
            hops: 1,
            secs: self.transaction as u16,
            flags: 0,
            transaction_id: self.transaction,
            local_address: put(&[0; 4]),
            local_port: 67,
            remote_address: put(&[0; 4]),
            remote_port: 67,
            local_hwaddr: NOBODY,
            remote_hwaddr: NOBODY,
            classes: NOTHING,
            vendor_class: NOTHING,
            rai: NOTHING,
            circuit_id: NOTHING,
            remote_id: NOTHING,
            options: Span { start: 0, len: options.len() as u32 },
            wire: put(&wire),
            again: NOTHING,
        };
        let subnets: Vec<_> = self.subnet.iter().map(|&id| subnet(id)).collect();
        let leases: Vec<_> = self.leases.iter().map(|&address| lease(address)).collect();
        let shim = crate::variables::tests::Shim::default();
        Facts::from(&ffi::Facts {
            bytes: &bytes,
            options: &options,
            query4: &[packet],
            subnet: &subnets,
            lease: &leases,
            ..shim.facts()
        })
    }

    fn key_by(&self, names: &[&str]) -> Option<Key> {
        let names: Vec<_> = names.iter().map(|name| name.to_string()).collect();
        Key::new(find(self.point).unwrap(), &self.facts(), &names, Style::default())
    }

    fn key(&self) -> Key {
        self.key_by(&[]).unwrap()
    }
}

fn subnet(id: u32) -> Subnet {
    Subnet {
        prefix: NOTHING,
        prefix_len: 24,
        id,
        shared_network: NOTHING,
        user_context: NOTHING,
        ddns_suffix: NOTHING,
        domain_name: NOTHING,
        dns_servers: NOTHING,
    }
}

fn lease(address: u8) -> Lease {
    Lease {
        kind: 3,
        address: [address; 16],
        prefix_len: 0,
        hwaddr: NOBODY,
        client: NOTHING,
        hostname: NOTHING,
        cltt: 0,
        valid_lft: 0,
        preferred_lft: 0,
        iaid: 0,
        subnet_id: 0,
        pool_id: 0,
        state: 0,
        expired: false,
        fqdn_fwd: false,
        fqdn_rev: false,
        user_context: NOTHING,
        debug: NOTHING,
    }
}

/// The option of this code is another one, or there is none.
fn with<'a>(code: u16, data: Option<&'a [u8]>) -> Query<'a> {
    let mut query = query();
    query.options.retain(|(other, _)| *other != code);
    query.options.extend(data.map(|data| (code, data)));
    query
}

#[test]
fn the_same_once_more_has_the_same_key() {
    assert_eq!(query().key(), query().key());
    assert_eq!(query().key().hash(), query().key().hash());
    assert_eq!(query().key(), Query { transaction: 2, ..query() }.key());
    assert_eq!(query().key(), with(12, Some(b"other")).key());
}

#[test]
fn each_part_counts() {
    let mut all = vec![
        query(),
        Query { point: "lease4_renew", ..query() },
        Query { message: "DHCPREQUEST", ..query() },
        Query { interface: "vt", ..query() },
        Query { hwaddr: &[2, 0, 0, 0, 0, 2], ..query() },
        Query { hwaddr: &[], ..query() },
        Query { giaddr: 2, ..query() },
        Query { subnet: Some(2), ..query() },
        Query { subnet: None, ..query() },
        Query { leases: vec![11], ..query() },
        Query { leases: vec![], ..query() },
        Query { came: Some(vec![(61, b"\x01\x02")]), ..query() },
        Query { came: Some(vec![(61, b"\x01\x03")]), ..query() },
    ];
    for code in [60, 61, 77, 82, 93] {
        all.extend([with(code, None), with(code, Some(b"")), with(code, Some(b"other"))]);
    }
    let keys: Vec<_> = all.iter().map(Query::key).collect();
    for (i, key) in keys.iter().enumerate() {
        assert!(keys[..i].iter().all(|other| other != key), "{i}");
    }
}

#[test]
fn nothing_is_said_by_where_a_part_ends() {
    let split = |hwaddr, id: &'static [u8]| Query { hwaddr, ..with(61, Some(id)) }.key();
    assert_ne!(split(&[1, 2], &[3]), split(&[1], &[2, 3]));
    assert_ne!(split(&[], &[1, 2, 3]), split(&[1, 2, 3], &[]));
    let of = |options: Vec<(u16, &'static [u8])>| Query { options, ..query() }.key();
    assert_ne!(of(vec![(60, b"a"), (77, b"b")]), of(vec![(60, b"a\0\x4d\0\x01b")]));
    assert_ne!(of(vec![(60, b"a"), (60, b"b")]), of(vec![(60, b"ab")]));
}

#[test]
fn who_does_not_say_who_he_is_has_no_key() {
    let nobody = |id: Option<&'static [u8]>| Query { hwaddr: &[], ..with(61, id) };
    assert!(nobody(None).key_by(&[]).is_none() && nobody(Some(b"")).key_by(&[]).is_none());
    assert!(nobody(Some(b"x")).key_by(&[]).is_some() && with(61, None).key_by(&[]).is_some());
    assert!(Key::new(0, &Facts::default(), &[], Style::default()).is_none());
}

#[test]
fn variables_that_are_named_count_too() {
    let renamed = with(12, Some(b"other"));
    for (name, counts) in [("KEA_QUERY4_OPTION_12", true), ("KEA_QUERY4_OPTION_13", false), ("KEA_QUERY4_TYPE", false)]
    {
        assert_eq!(query().key_by(&[name]) != renamed.key_by(&[name]), counts, "{name}");
    }
    let [is_empty, is_absent] = [Some(&b""[..]), None].map(|data| with(12, data).key_by(&["KEA_QUERY4_OPTION_12"]));
    assert_ne!(is_empty, is_absent);
}

/// A DHCPv6 packet from behind these relays, each with a link, a peer and an interface id.
fn key6(duid: &[u8], class: &[u8], relays: &[(u8, u8, &[u8])]) -> Key {
    let mut bytes = Vec::new();
    let mut put = |data: &[u8]| {
        bytes.extend_from_slice(data);
        Span { start: (bytes.len() - data.len()) as u32, len: data.len() as u32 }
    };
    let mut options = vec![(1, put(duid)), (16, put(class))];
    options.extend(relays.iter().map(|(_, _, id)| (18, put(id))));
    let options: Vec<_> = options.into_iter().map(|(code, data)| OptionFact { code, depth: 0, data }).collect();
    let relay = |(n, &(link, peer, _)): (usize, &(u8, u8, &[u8]))| Relay {
        hops: n as u8,
        link_address: [link; 16],
        peer_address: [peer; 16],
        options: Span { start: 2 + n as u32, len: 1 },
        again: NOTHING,
    };
    let relays: Vec<_> = relays.iter().enumerate().map(relay).collect();
    let mut shim = crate::variables::tests::Shim::default();
    let packet = Packet6 {
        name: put(b"SOLICIT"),
        interface: put(b"vs"),
        options: Span { start: 0, len: 2 },
        relays: Span { start: 0, len: relays.len() as u32 },
        wire: NOTHING,
        ..shim.solicit()
    };
    let empty = crate::variables::tests::Shim::default();
    let facts = Facts::from(&ffi::Facts {
        bytes: &bytes,
        options: &options,
        relays: &relays,
        query6: &[packet],
        ..empty.facts()
    });
    Key::new(find("pkt6_receive").unwrap(), &facts, &[], Style::default()).unwrap()
}

#[test]
fn each_relay_counts() {
    let key = |relays| key6(b"duid", b"class", relays);
    assert_eq!(key(&[(1, 2, b"a")]), key(&[(1, 2, b"a")]));
    let all = [
        key(&[]),
        key(&[(1, 2, b"a")]),
        key(&[(2, 2, b"a")]),
        key(&[(1, 1, b"a")]),
        key(&[(1, 2, b"b")]),
        key(&[(1, 2, b"a"), (1, 2, b"a")]),
        key(&[(1, 2, b"a"), (3, 4, b"b")]),
        key(&[(3, 4, b"b"), (1, 2, b"a")]),
        key6(b"duie", b"class", &[(1, 2, b"a")]),
        key6(b"duid", b"clasp", &[(1, 2, b"a")]),
    ];
    for (i, key) in all.iter().enumerate() {
        assert!(all[..i].iter().all(|other| other != key), "{i}");
    }
}
