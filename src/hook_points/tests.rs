use super::*;

#[test]
fn the_default_is_the_peers_nineteen() {
    assert_eq!(HOOK_POINTS.iter().filter(|point| point.default).count(), 19);
}

#[test]
fn a_flood_of_packets_costs_no_event_of_a_lease() {
    for row in HOOK_POINTS {
        let starts = ["buffer", "pkt", "subnet", "host", "ddns", "lease4_offer"];
        let of_packet = starts.iter().any(|start| row.name.starts_with(start));
        assert_eq!(row.of_packet, of_packet, "{}", row.name);
    }
}

#[test]
fn what_is_of_the_answer_waits_until_it_is_sent() {
    let early: Vec<_> = HOOK_POINTS.iter().filter(|row| row.keys.iter().any(|key| row.comes_too_early(*key))).collect();
    let names: Vec<_> = early.iter().map(|row| row.name).collect();
    assert_eq!(names, ["leases4_committed", "lease4_offer", "leases6_committed"]);
    assert!(early.iter().all(|row| row.keys.iter().all(|key| row.comes_too_early(*key))));
}

#[test]
fn where_a_crowded_packet_is_dropped() {
    let rows = HOOK_POINTS.iter().filter(|row| row.drops_packets());
    let names: Vec<_> = rows.map(|row| row.name).collect();
    let points = |points: [&str; 5], family| points.map(|point| point.replace('#', family));
    let both = ["buffer#_receive", "pkt#_receive", "subnet#_select", "pkt#_send", "buffer#_send"];
    let [mut four, six] = ["4", "6"].map(|family| points(both, family).to_vec());
    four.insert(3, "lease4_offer".into());
    assert_eq!(names, [four, six].concat());
}

#[test]
fn exports_map_names_every_hook_point() {
    let map = include_str!("../../cpp-shim/exports.map");
    let names = |line: &str| line.trim().strip_suffix(';').map(String::from);
    let exported: Vec<String> = map.lines().filter_map(names).filter(|name| name.contains(char::is_numeric)).collect();
    let keas = HOOK_POINTS.iter().filter(|row| !row.is_ours).map(|row| row.name);
    assert!(exported.iter().map(String::as_str).eq(keas));
}
