//! The parameter `dialect`, and ISC's words for others.

use super::*;

#[test]
fn a_dialect_has_defaults_of_its_own() {
    let config = one(r#"{"name": "/bin/true", "dialect": "isc"}"#).unwrap();
    let names: Vec<_> =
        HOOK_POINTS.iter().zip(&config.points).filter(|(_, how)| how.is_some()).map(|(row, _)| row.name).collect();
    let renewal = ["lease4_renew", "lease4_release", "lease4_decline", "leases4_committed"];
    assert_eq!(names, [&renewal[..], &["lease4_expire", "lease4_recover"]].concat());
    assert!(config.points.iter().flatten().all(|point| point.wait == Wait::No));
    // Kea 2.2 has no addr6_register.
    let six = parse_for(Server::Dhcp6, r#"{"script": "/bin/true", "dialect": "isc", "wait": true}"#).unwrap();
    assert_eq!(six[0].points.iter().flatten().filter(|point| point.wait == Wait::Yes).count(), 7);
}

#[test]
fn iscs_words_are_noticed_where_no_dialect_is_said() {
    let noticed = |parameters: &str| one(parameters).unwrap().word_of_isc;
    assert_eq!(noticed(r#"{"name": "/bin/true", "wait": false}"#), Some("name"));
    assert_eq!(noticed(r#"{"script": "/bin/true", "sync": false}"#), Some("sync"));
    assert_eq!(noticed(r#"{"name": "/bin/true", "sync": false, "dialect": "isc"}"#), None);
    assert_eq!(noticed(r#"{"name": "/bin/true", "dialect": "runscript"}"#), None);
    assert_eq!(noticed(r#"{"script": "/bin/true", "wait": false}"#), None);
}
