//! Mistakes, and what the refusal says of each: the parameter, its value, and what helps.

use super::{one, refused};

/// Beside a script: parameter, value, remedy.
#[rustfmt::skip]
const BESIDE_A_SCRIPT: &[(&str, &str, &str)] = &[
    ("script", "5", "give a string"),
    ("script", "\"my/script.sh\"", "give an absolute path"),
    ("name", "\"/b\"", "is another name of \"script\": give one of them"),
    ("wait", "\"yes\"", "give true, false or \"park\""),
    ("sync", "0", "give true, false or \"park\""),
    ("hook-points", "\"pkt4_receive\"", "give a list of "),
    ("hook-points", "[]", "name at least one"),
    ("timeout", "0", "give a whole number of milliseconds from 1 to 3600000"),
    ("timeout", "3600001", "give a whole number of milliseconds from 1 to 3600000"),
    ("timeout", "-1", "give a whole number of milliseconds from 1 to 3600000"),
    ("timeout", "1.5", "give a whole number of milliseconds from 1 to 3600000"),
    ("timeout", "\"5s\"", "give a whole number of milliseconds from 1 to 3600000"),
    ("timeout", "true", "give a whole number of milliseconds from 1 to 3600000"),
    ("on-failure", "\"stop\"", "give \"continue\", \"skip\" or \"drop\""),
    ("on-failure", "1", "give \"continue\", \"skip\" or \"drop\""),
    ("concurrency", "0", "give a whole number of lanes from 1 to 256"),
    ("concurrency", "257", "give a whole number of lanes from 1 to 256"),
    ("queue-limit", "0", "give a whole number of events from 1 to 1000000"),
    ("queue-limit", "-1", "give a whole number of events from 1 to 1000000"),
    ("queue-limit", "1000001", "give a whole number of events from 1 to 1000000"),
    ("debug", "1", "give true or false"),
    ("required", "\"no\"", "give true or false"),
    ("runner", "\"my/kea-runscript-runner\"", "give an absolute path"),
    ("answers", "\"yes\"", "give true or false"),
    ("answers", "1", "give true or false"),
    ("mode", "\"fork\"", "give \"exec\" or \"daemon\""),
    ("mode", "1", "give \"exec\" or \"daemon\""),
    ("spool", "\"var/spool\"", "give an absolute path, one that begins with /"),
    ("spool", "7", "give the absolute path of a directory, or false"),
    ("spool", "\"/no/such/spool\"", "does not exist: make it, or name another"),
    ("spool-limit", "15", "give a whole number of MiB from 16 to 1048576"),
    ("spool-max-age", "0", "give a whole number of seconds from 1 to 31536000"),
    ("spool-sync", "-1", "give a whole number of milliseconds from 0 to 60000"),
    ("replay", "true", "only lease events are replayed: add lease4_changed to"),
    ("replay", "1", "give true or false"),
    ("other-leases", "true", "only lease6_changed has them"),
    ("other-leases", "\"all\"", "give true or false"),
    ("coalesce", "true", "only lease events are coalesced: add lease4_changed to"),
    ("coalesce", "1", "give true or false"),
    ("dialect", "\"dnsmasq\"", "give \"runscript\" or \"isc\""),
    ("dialect", "true", "give \"runscript\" or \"isc\""),
];

#[test]
fn beside_a_script() {
    for (key, value, remedy) in BESIDE_A_SCRIPT {
        let script = if *key == "script" { "" } else { r#""script": "/a", "# };
        refused(&format!("{{{script}\"{key}\": {value}}}"), &[&format!("parameter \"{key}\": {value}: "), remedy]);
    }
}

/// The entries of `hook-points`: the list, then what is refused of it with its value, remedy.
#[rustfmt::skip]
const HOOK_POINTS: &[(&str, &str, &str)] = &[
    (r#"["pkt4_recieve"]"#, r#""hook-points[0]": "pkt4_recieve""#, "pkt4_receive, subnet4_select, host4_identifier"),
    (r#"["lease6_select"]"#, r#""hook-points[0]": "lease6_select""#, "is a hook point of kea-dhcp6, and this is kea-dhcp4"),
    (r#"["lease4_offer"]"#, r#""hook-points[0]": "lease4_offer""#, "2.2.0"),
    (r#"["pkt4_send", "pkt4_send"]"#, r#""hook-points": "pkt4_send" is named twice"#, "name it once"),
    (r#"["pkt4_send", {"name": "pkt4_send"}]"#, r#""hook-points": "pkt4_send" is named twice"#, "name it once"),
    ("[7]", r#""hook-points[0]": "7""#, "give a name or a map"),
    ("[{}]", r#""hook-points[0].name" is missing"#, "give the name of a hook point"),
    (r#"[{"wait": true}]"#, r#""hook-points[0].name" is missing"#, "give the name of a hook point"),
    (r#"[{"name": "pkt4_send", "args": []}]"#, r#""hook-points[0].args": a list"#, "the keys of an entry are: name, wait, timeout"),
    (r#"[{"name": "pkt4_send", "wait": "park"}]"#, r#""hook-points[0].wait": "park""#,
     "cannot park at pkt4_send; it can at: leases4_committed"),
    (r#"[{"name": "pkt4_send", "timeout": 0}]"#, r#""hook-points[0].timeout": 0"#, "from 1 to 3600000"),
];

#[test]
fn hook_points() {
    for (list, what, remedy) in HOOK_POINTS {
        refused(&format!(r#"{{"script": "/a", "hook-points": {list}}}"#), &[&format!("parameter {what}"), remedy]);
    }
}

/// What may hold secrets, beside a script: what is refused of it, remedy. The values are not shown.
#[rustfmt::skip]
const UNSEEN: &[(&str, &str, &str)] = &[
    (r#""scirpt": "x""#, r#""scirpt": is unknown"#, "the parameters are: script, wait, "),
    (r#""args": "x""#, r#""args": a string"#, "give a list of strings"),
    (r#""args": [1]"#, r#""args": a list"#, "give a list of strings"),
    (r#""args": ["x", 1]"#, r#""args": a list"#, "give a list of strings"),
    (r#""args": ["\u0000"]"#, r#""args": a list"#, "holds a NUL: take it out"),
    (r#""env": ["A=b"]"#, r#""env": a list"#, "give a map of strings"),
    (r#""env": {"A": 1}"#, r#""env.A": "#, "give a string"),
    (r#""env": {"A=B": "x"}"#, r#""env.A=": "#, "give one without ="),
    (r#""env": {"": "x"}"#, r#""env.": "#, "is no name of a variable"),
];

#[test]
fn unseen() {
    for (parameter, what, remedy) in UNSEEN {
        refused(&format!(r#"{{"script": "/a", {parameter}}}"#), &[&format!("parameter {what}"), remedy]);
    }
}

/// The whole of the parameters, then what is refused of them with its value, remedy.
#[rustfmt::skip]
const WHOLE: &[(&str, &str, &str)] = &[
    ("", r#""script" is missing"#, "give the absolute path"),
    ("[1]", r#""": [1] is not a map"#, "give one"),
    (r#"{"wait": true}"#, r#""script" is missing"#, "give the absolute path"),
    (r#"{"name": "my/script.sh"}"#, r#""name": "my/script.sh""#, "give an absolute path"),
    (r#"{"script": "/a", "wait": false, "sync": true}"#, r#""sync": true"#, "is another name of \"wait\": give one of them"),
    (r#"{"script": "/a", "wait": "park"}"#, r#""wait": "park""#, "2.2.0 parks at none"),
    (r#"{"script": "/a", "wait": "park", "hook-points": ["pkt4_send"]}"#, r#""wait": "park""#,
     "parks at none of the selected hook points; it can at: leases4_committed"),
    (r#"{"script": "/a", "sync": "park", "hook-points": ["pkt4_send"]}"#, r#""sync": "park""#, "parks at none"),
    (r#"{"scripts": {"script": "/a"}}"#, r#""scripts": {"script"}"#, "give a list"),
    (r#"{"scripts": []}"#, r#""scripts": []"#, "give at least one map with a \"script\""),
    (r#"{"scripts": ["/a"]}"#, r#""scripts[0]": "/a" is not a map"#, "give one"),
    (r#"{"scripts": [{"script": "/a"}], "wait": true}"#, r#""wait": true"#, "stands inside one of its maps"),
    (r#"{"scripts": [{"script": "/a"}, {"script": "/a", "timeout": 0}]}"#, r#""scripts[1].timeout": 0"#, "from 1 to"),
    (r#"{"scripts": [{"script": "/a"}, {"script": "b"}]}"#, r#""scripts[1].script": "b""#, "give an absolute path"),
    (r#"{"scripts": [{"scripts": []}]}"#, r#""scripts[0].scripts": []"#, "cannot stand inside another"),
    (r#"{"script": "/a", "answers": true, "wait": false}"#, r#""answers": true"#, "waits nowhere for an answer: set \"wait\""),
    (r#"{"script": "/a", "answers": true, "hook-points": [{"name": "pkt4_send", "wait": false}]}"#, r#""answers": true"#,
     "waits nowhere for an answer"),
];

#[test]
fn whole() {
    for (parameters, what, remedy) in WHOLE {
        refused(parameters, &[&format!("parameter {what}"), remedy]);
    }
}

#[test]
fn an_unknown_one_is_shown_those_that_may_stand_there() {
    let inside = one(r#"{"scripts": [{"script": "/a", "wiat": 1}]}"#).unwrap_err();
    assert!(inside.starts_with("parameter \"scripts[0].wiat\": is unknown"), "{inside}");
    assert!(inside.ends_with(", required"), "{inside}");
    refused(r#"{"script": "/a", "scrpt": 1}"#, &["hook-points", ", scripts"]);
}
