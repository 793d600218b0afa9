use super::*;
use crate::bridge::ABSENT;
use crate::bridge::ffi::{HwAddr, Packet6, Span};
use crate::variables::tests::{Shim, everything};
use origin::Relay;

const NOTHING: Span = Span { start: ABSENT, len: 0 };

/// The facts of a lease as it is, and as it was.
fn facts(lease: Lease, old: Option<Lease>, query: Option<&str>) -> Facts {
    let mut shim = Shim::default();
    let packet = Packet6 { name: shim.put(query.unwrap_or_default().as_bytes()), ..shim.solicit() };
    let known = shim.put(br#"{"runscript": "eth0 fe80::1"}"#);
    let mut facts = Facts::from(&shim.facts());
    let with = |lease: Lease| Lease { user_context: if lease.iaid == 1 { known } else { NOTHING }, ..lease };
    (facts.lease, facts.old_lease) = (Some(with(lease)), old.map(with));
    facts.query6 = query.map(|_| packet);
    facts
}

fn lease() -> Lease {
    let hwaddr = HwAddr { bytes: NOTHING, htype: 1, source: 0 };
    let any = everything(&mut Shim::default()).lease.unwrap();
    Lease { hwaddr, client: NOTHING, hostname: NOTHING, user_context: NOTHING, debug: NOTHING, valid_lft: 60, ..any }
}

fn of(source: Source, lease: Lease, old: Option<Lease>, query: Option<&str>) -> Option<(&'static str, &'static str)> {
    let action = changed(source, &facts(lease, old, query))?.action;
    Some((action.name(), action.reason().unwrap_or_default()))
}

#[test]
fn what_becomes_of_a_lease() {
    let held = lease();
    let unknown = Lease { iaid: 2, ..held };
    let [declined, reclaimed, released, registered] = [1, 2, 3, 4].map(|state| Lease { state, ..held });
    // As Kea before 3.0 keeps a released one.
    let ended = Lease { valid_lft: 0, ..held };
    let request = Some("REQUEST");
    for (source, lease, old, query, expected) in [
        (Source::Committed, held, None, request, Some(("add", ""))),
        (Source::Committed, held, Some(held), request, Some(("renew", ""))),
        (Source::Committed, held, Some(unknown), request, Some(("add", ""))),
        (Source::Committed, held, Some(released), request, Some(("add", ""))),
        (Source::Committed, held, Some(ended), request, Some(("add", ""))),
        (Source::Committed, registered, None, request, Some(("add", ""))),
        (Source::Committed, declined, Some(held), Some("DECLINE"), Some(("del", "declined"))),
        (Source::Deleted, held, Some(held), request, Some(("del", "replaced"))),
        (Source::Committed, declined, Some(declined), Some("DECLINE"), None),
        (Source::Deleted, released, Some(released), Some("RELEASE"), None),
        (Source::Deleted, reclaimed, None, request, None),
        (Source::Deleted, released, Some(held), Some("RELEASE"), Some(("del", "released"))),
        (Source::Deleted, ended, Some(held), Some("DHCPRELEASE"), Some(("del", "released"))),
        (Source::Vanished, held, None, request, Some(("del", "reclaimed"))),
        (Source::Vanished, reclaimed, None, request, None),
        (Source::Reused, held, Some(held), request, Some(("reused", ""))),
        (Source::Expired, held, None, None, Some(("del", "expired"))),
        (Source::Expired, released, None, None, None),
        (Source::Expired, ended, None, None, None),
        (Source::Commanded, held, None, None, Some(("add", ""))),
        (Source::Commanded, held, Some(unknown), None, Some(("renew", ""))),
        (Source::Commanded, held, Some(declined), None, Some(("add", ""))),
        (Source::Commanded, declined, Some(held), None, Some(("del", "declined"))),
        (Source::Commanded, reclaimed, Some(held), None, Some(("del", "expired"))),
        (Source::Commanded, ended, Some(held), None, Some(("del", "released"))),
        (Source::Commanded, declined, None, None, None),
        (Source::Removed, held, None, None, Some(("del", "deleted"))),
        (Source::Removed, released, None, None, None),
        (Source::Replayed, held, None, None, Some(("replay", ""))),
        (Source::Replayed, declined, None, None, None),
    ] {
        assert_eq!(of(source, lease, old, query), expected, "{source:?} {} {old:?}", lease.state);
    }
}

#[test]
fn what_is_undone_was_done_with_what_was_known_then() {
    let interface = |source, query| changed(source, &facts(lease(), None, query)).unwrap().origin.interface;
    assert_eq!(interface(Source::Committed, Some("REQUEST")).as_deref(), Some("vs"));
    assert_eq!(interface(Source::Deleted, Some("REQUEST")).as_deref(), Some("eth0"));
    assert_eq!(interface(Source::Expired, None).as_deref(), Some("eth0"));
}

#[test]
fn an_origin_comes_back_the_same() {
    let relay = Relay { link: "2001:db8::1".parse().unwrap(), peer: "fe80::2".parse().unwrap() };
    for origin in [
        Origin::default(),
        Origin { interface: Some("eth0.7".into()), next_hop: "192.0.2.1".parse().ok(), relay: None },
        Origin { interface: Some("x".repeat(15)), next_hop: "fe80::1".parse().ok(), relay: Some(relay) },
        Origin { interface: None, next_hop: None, relay: Some(relay) },
    ] {
        assert_eq!(Origin::read(&origin.text()), Some(origin));
    }
}

#[test]
fn what_is_no_origin() {
    for text in [
        "",
        " ",
        "eth0",
        "eth0 ",
        "eth0 x",
        "e/th0 -",
        "- - -",
        "- - :: :: ::",
        "eth0  fe80::1",
        "e\nh0 -",
        "é -",
        "$(x) -x",
        "xxxxxxxxxxxxxxxx -",
        "eth0 fe80::1%eth0",
        "eth0 1.2.3",
        "- - 1.2.3.4 1.2.3.4",
    ] {
        assert_eq!(Origin::read(text), None, "{text:?}");
    }
}
