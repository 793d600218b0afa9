use super::*;
use crate::hook_points;

fn at(point: &str, answer: &str) -> (Vec<Change>, Vec<Refused>) {
    let crate::verdict::Wishes(wishes) = serde_json::from_str(answer).unwrap();
    changes(&HOOK_POINTS[hook_points::find(point).unwrap()], wishes)
}

fn accepted(point: &str, answer: &str) -> Vec<(u32, String)> {
    let (changes, refused) = at(point, answer);
    assert!(refused.is_empty(), "{refused:?}");
    changes.into_iter().map(|change| (change.number, String::from_utf8_lossy(&change.data).into())).collect()
}

#[track_caller]
fn refused(point: &str, answer: &str, said: &str, reason: &str) {
    let (changes, refused) = at(point, answer);
    assert!(changes.is_empty(), "{changes:?}");
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert_eq!(refused[0].said, said);
    assert!(refused[0].reason.contains(reason), "{}", refused[0].reason);
}

#[test]
fn values_cross_as_numbers_or_bytes() {
    assert_eq!(accepted("pkt4_receive", r#"{"client-classes":["a","größe"]}"#), [(0, "a".into()), (0, "größe".into())]);
    assert_eq!(accepted("subnet4_select", r#"{"subnet-id":2}"#), [(2, String::new())]);
    assert_eq!(accepted("lease4_renew", r#"{"valid-lft":4294967295}"#), [(u32::MAX, String::new())]);
    assert_eq!(accepted("lease6_select", r#"{"ip-address":"2001:DB8:0::1"}"#), [(0, "2001:db8::1".into())]);
    assert_eq!(accepted("host4_identifier", r#"{"flex-id":"0x6131"}"#), [(0, "a1".into())]);
    assert_eq!(accepted("host4_identifier", r#"{"flex-id":"0X61"}"#), [(0, "0X61".into())]);
    assert_eq!(accepted("ddns6_update", r#"{"hostname":"a_1.b-c."}"#), [(0, "a_1.b-c.".into())]);
    let option = r#"{"data":"x","name":"log-servers"}"#;
    assert_eq!(accepted("pkt6_send", &format!(r#"{{"option-data":[{option}]}}"#)), [(0, option.into())]);
    let fields = r#"{"next-server":"192.0.2.1","server-hostname":"","boot-file-name":"f"}"#;
    let fields_of = ["192.0.2.1", "", "f"].map(|text| (0, text.to_string()));
    assert_eq!(accepted("pkt4_send", fields), fields_of);
    assert!(accepted("pkt4_send", r#"{"option-data":[]}"#).is_empty());
}

#[test]
fn what_will_not_do_is_refused() {
    refused("pkt4_send", r#"{"subnet-id":2}"#, r#""subnet-id": 2"#, "it has at: subnet4_select, subnet6_select");
    refused(
        "pkt6_send",
        r#"{"next-server":"192.0.2.1"}"#,
        r#""next-server": "192.0.2.1""#,
        "it has at: leases4_committed, lease4_offer, pkt4_send",
    );
    refused("pkt4_send", r#"{"a\u001bb":1}"#, r#""a\u001bb": 1"#, "is no key of an answer; these are: next, client-");
    refused("pkt4_receive", r#"{"client-classes":[""]}"#, r#""client-classes": """#, "is empty");
    refused("pkt4_receive", r#"{"client-classes":["\u0000"]}"#, r#""client-classes": "\u0000""#, "not printable");
    refused("subnet4_select", r#"{"subnet-id":-1}"#, r#""subnet-id": -1"#, "from 1 to 4294967295");
    refused("subnet4_select", r#"{"subnet-id":1.5}"#, r#""subnet-id": 1.5"#, "from 1 to 4294967295");
    refused("pkt4_send", r#"{"boot-file-name":"\u0000"}"#, r#""boot-file-name": "\u0000""#, "NUL");
    for name in ["", ".", "a..b", "a b", "a\\\\b", "größe", &"x".repeat(64), &format!("{}x", "x.".repeat(127))] {
        let (changes, refused) = at("ddns4_update", &format!(r#"{{"hostname":"{name}"}}"#));
        assert_eq!((changes.len(), refused.len()), (0, 1), "{name}");
    }
    for id in ["", "0x", "0x1", "0xgg", "0x€", &"x".repeat(129)] {
        let (changes, refused) = at("host6_identifier", &format!(r#"{{"flex-id":"{id}"}}"#));
        assert_eq!((changes.len(), refused.len()), (0, 1), "{id}");
    }
}

#[test]
fn keys_take_effect_in_the_tables_order() {
    let values = [
        r#""ip-address":"192.0.2.1""#,
        r#""preferred-lft":5"#,
        r#""client-classes":["a"]"#,
        r#""valid-lft":7"#,
        r#""x":1"#,
    ];
    let (changes, refused) = at("lease6_select", &format!("{{{}}}", values.join(",")));
    let keys: Vec<_> = changes.iter().map(|change| change.key).collect();
    assert_eq!(keys, [Key::ClientClasses, Key::ValidLft, Key::PreferredLft, Key::IpAddress]);
    assert_eq!(refused.len(), 1);
}

#[test]
fn an_option_of_the_query_may_go_and_be_a_relays() {
    let options = |options: &str| format!(r#"{{"query-option-data":{options}}}"#);
    let gone = r#"{"code":60,"data":null}"#;
    assert_eq!(accepted("pkt4_receive", &options(&format!("[{gone}]"))), [(0, gone.into())]);
    let of_relays = ["0", "1"].map(|relay| format!(r#"{{"code":18,"data":"01","relay":{relay}}}"#));
    let carried = of_relays.clone().map(|option| (0, option));
    assert_eq!(accepted("pkt6_receive", &options(&format!("[{}]", of_relays.join(",")))), carried);
    let refusals = [
        (r#"{"code":60,"data":null,"relay":-1}"#, "give relay as a number"),
        (r#"{"code":60,"relay":"0"}"#, "give relay as a number"),
        (r#"{"code":60,"data":7}"#, "give name, space and data as strings"),
        (r#"{"data":null}"#, "give the option's name or code"),
        (r#"{"code":60,"persist":true}"#, "the keys are: name, code, space, csv-format, data, relay"),
        ("null", "give a map"),
    ];
    for (option, reason) in refusals {
        let said = format!("\"query-option-data\": {option}");
        refused("pkt4_receive", &options(&format!("[{option}]")), &said, reason);
    }
    refused(
        "pkt4_send",
        r#"{"option-data":[{"code":3,"data":null}]}"#,
        r#""option-data": {"code":3,"data":null}"#,
        "as strings",
    );
    refused(
        "pkt4_send",
        r#"{"option-data":[{"code":3,"relay":0}]}"#,
        r#""option-data": {"code":3,"relay":0}"#,
        "is unknown here",
    );
}

#[test]
fn one_bad_item_costs_no_other() {
    let (changes, refused) = at("pkt4_receive", r#"{"client-classes":["a",7,"b","a"],"x":1}"#);
    assert_eq!(changes.iter().map(|change| &*change.said).collect::<Vec<_>>(), [r#""a""#, r#""b""#]);
    assert_eq!(
        refused.iter().map(|refused| refused.key).collect::<Vec<_>>(),
        [Some("client-classes"), Some("client-classes"), None]
    );
}

#[test]
fn each_place_of_a_key_is_described_once() {
    for row in ROWS {
        let described: Vec<_> = row.places.iter().flat_map(Place::hook_points).collect();
        let honoured = HOOK_POINTS.iter().filter(|point| point.keys.contains(&row.key));
        let mut honoured: Vec<_> = honoured.map(|point| point.name.to_string()).collect();
        let mut sorted = described.clone();
        sorted.sort();
        honoured.sort();
        assert_eq!(sorted, honoured, "{}", row.name);
    }
}
