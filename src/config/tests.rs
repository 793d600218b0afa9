mod dialect;
mod refused;

use std::time::Duration;

use super::*;
use crate::hook_points::find;

/// As Kea 2.2.0 is, which knows all but the newest hook points and lets scripts be anywhere.
pub fn parse_for(server: Server, parameters: &str) -> Result<Vec<Config>, String> {
    let old = HOOK_POINTS.iter().filter(|row| row.since.is_none());
    let hook_points: Vec<_> = old.map(|row| row.name.to_string()).collect();
    let scripts_directory = Path::new("");
    let kea = Kea {
        server,
        version: "2.2.0",
        hook_points: &hook_points,
        scripts_directory,
        scripts_only_there: false,
        data_directory: DATA.as_ref(),
    };
    parse(parameters, kea)
}

const DATA: &str = "/var/lib/kea";

fn one(parameters: &str) -> Result<Config, String> {
    parse_for(Server::Dhcp4, parameters).map(|mut all| all.remove(0))
}

fn refused(parameters: &str, words: &[&str]) {
    let refusal = one(parameters).expect_err(parameters);
    for word in words {
        assert!(refusal.contains(word), "{parameters}: {refusal:?} lacks {word:?}");
    }
    assert!(!refusal.contains('\n'));
}

#[test]
fn a_peers_configuration_is_enough() {
    let config = one(r#"{"script": "/etc/kea/script.sh"}"#).unwrap();
    assert_eq!(config.script, PathBuf::from("/etc/kea/script.sh"));
    assert_eq!(config.points.iter().flatten().count(), 9);
    assert!(config.points.iter().flatten().all(|point| point.wait == Wait::Yes));
    assert!(config.points.iter().flatten().all(|point| point.timeout == Duration::from_secs(5)));
    assert_eq!((config.queue_limit, config.on_failure, config.required), (10_000, Next::Continue, true));
}

#[test]
fn aliases_and_isc_names() {
    let config = one(r#"{"name": "/bin/true", "sync": false}"#).unwrap();
    assert!(config.points.iter().flatten().all(|point| point.wait == Wait::No));
    assert!(config.points.iter().flatten().all(|point| point.timeout == Duration::from_secs(60)));
}

#[test]
fn text_that_is_not_ascii_comes_in_keas_escapes() {
    let script = |text: &str| one(&format!(r#"{{"script": "{text}"}}"#)).unwrap().script;
    assert_eq!(script(r"/gr\u00c3\u00b6\u00c3\u009fe/\u00e6\u0097\u00a5"), PathBuf::from("/größe/日"));
    assert_eq!(script(r"/\u00f6"), PathBuf::from("/ö"), "what is not UTF-8 in Kea is taken for Latin-1");
}

#[test]
fn a_hook_point_may_have_its_own_wait_and_timeout() {
    let config = one(r#"{"script": "/bin/true", "timeout": 70, "hook-points":
            ["pkt4_receive", {"name": "leases4_committed", "wait": false}, {"name": "lease4_renew", "timeout": 9}]}"#)
    .unwrap();
    let at = |name| config.points[find(name).unwrap()].unwrap();
    assert_eq!(at("pkt4_receive"), Point { wait: Wait::Yes, timeout: Duration::from_millis(70) });
    assert_eq!(at("leases4_committed"), Point { wait: Wait::No, timeout: Duration::from_millis(70) });
    assert_eq!(at("lease4_renew"), Point { wait: Wait::Yes, timeout: Duration::from_millis(9) });
    assert_eq!(config.points.iter().flatten().count(), 3);
}

#[test]
fn kea_parks_where_it_can_and_waits_elsewhere() {
    let parking = |version: &str, server: Server| {
        let hook_points: Vec<_> = HOOK_POINTS.iter().map(|row| row.name.to_string()).collect();
        let directory = Path::new("");
        let kea = Kea {
            server,
            version,
            hook_points: &hook_points,
            scripts_directory: directory,
            scripts_only_there: false,
            data_directory: DATA.as_ref(),
        };
        let ours: Vec<_> =
            hook_points.iter().filter(|name| name.contains(server.name().as_bytes()[8] as char)).collect();
        let parameters = serde_json::json!({"script": "/a", "wait": "park", "hook-points": ours}).to_string();
        let points = parse(&parameters, kea).unwrap().remove(0).points;
        assert!(points.iter().flatten().all(|point| point.wait.waits() && point.timeout == Duration::from_secs(5)));
        let parks = |point: &Option<Point>| point.is_some_and(|point| point.wait == Wait::Park);
        let names = HOOK_POINTS.iter().zip(&points).filter(|(_, point)| parks(point)).map(|(row, _)| row.name);
        names.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(parking("2.2.0", Server::Dhcp4), "leases4_committed");
    assert_eq!(parking("2.5.6", Server::Dhcp4), "leases4_committed lease4_offer");
    assert_eq!(parking("2.5.7", Server::Dhcp4), "subnet4_select leases4_committed lease4_offer");
    assert_eq!(parking("2.2.0", Server::Dhcp6), "leases6_committed");
    assert_eq!(parking("2.10.0", Server::Dhcp6), "subnet6_select leases6_committed");
}

#[test]
fn answers_are_waited_for_somewhere() {
    let answers = |parameters: &str| one(parameters).map(|config| config.answers);
    assert_eq!(answers(r#"{"script": "/a"}"#), Ok(false));
    assert_eq!(answers(r#"{"script": "/a", "answers": true, "on-failure": "continue"}"#), Ok(true));
    let one_waits = r#"{"script": "/a", "answers": true, "on-failure": "drop", "wait": false, "hook-points": ["pkt4_send", {"name": "pkt4_receive", "wait": true}]}"#;
    assert_eq!(answers(one_waits), Ok(true));
    refused(r#"{"script": "/a", "answers": true, "wait": false}"#, &["\"answers\"", "true", "set \"wait\" to true"]);
    refused(r#"{"script": "/a", "answers": 1}"#, &["\"answers\"", "1", "true or false"]);
}

#[test]
fn with_answers_on_failure_has_no_default() {
    let both =
        ["\"on-failure\" is missing", "\"drop\" or \"skip\" if it guards", "\"continue\" if its answer may be missed"];
    refused(r#"{"script": "/a", "answers": true}"#, &both);
    refused(r#"{"socket": "/a", "answers": true, "hook-points": ["pkt4_receive"]}"#, &both);
    refused(
        r#"{"scripts": [{"script": "/a"}, {"script": "/b", "answers": true}]}"#,
        &["\"scripts[1].on-failure\" is missing"],
    );
    for (word, next) in [("continue", Next::Continue), ("skip", Next::Skip), ("drop", Next::Drop)] {
        let config = one(&format!(r#"{{"script": "/a", "answers": true, "on-failure": "{word}"}}"#)).unwrap();
        assert_eq!(config.on_failure, next);
    }
    assert_eq!(one(r#"{"script": "/a", "answers": false}"#).unwrap().on_failure, Next::Continue);
}

#[test]
fn several_scripts_keep_their_order() {
    let all = parse_for(Server::Dhcp6, r#"{"scripts": [{"script": "/b"}, {"script": "/a", "wait": false}]}"#).unwrap();
    let scripts: Vec<_> = all.iter().map(|config| config.script.to_str().unwrap()).collect();
    assert_eq!(scripts, ["/b", "/a"]);
    assert_eq!(all[0].points.iter().flatten().count(), 10);
}

#[test]
fn the_example_in_the_docs_is_accepted() {
    assert_eq!(parse_for(Server::Dhcp4, crate::reference::EXAMPLE).unwrap().len(), 2);
}

#[test]
fn bounds_are_taken() {
    let taken = |key: &str, value: u64| one(&format!(r#"{{"script": "/a", "{key}": {value}}}"#)).unwrap();
    for timeout in [1, 3_600_000] {
        let config = taken("timeout", timeout);
        assert!(config.points.iter().flatten().all(|point| point.timeout == Duration::from_millis(timeout)));
    }
    for lanes in [1, 256] {
        assert_eq!(taken("concurrency", lanes).concurrency, lanes as usize);
    }
    for events in [1, 1_000_000] {
        assert_eq!(taken("queue-limit", events).queue_limit, events as usize);
    }
}

#[test]
fn no_refusal_tells_a_secret() {
    let secrets = [
        r#"{"script": "/a", "env": {"A": "hush", "B": 1}}"#,
        r#"{"script": "/a", "env": {"A=hush": "x"}}"#,
        r#"{"script": "/a", "env": {"A": "hush\u0000"}}"#,
        r#"{"script": "/a", "env": {"A": ["hush"]}}"#,
        r#"{"script": "/a", "env": ["A=hush"]}"#,
        r#"{"script": "/a", "env": "A=hush"}"#,
        r#"{"script": "/a", "evn": {"A": "hush"}}"#,
        r#"{"script": "/a", "PASSWORD": "hush"}"#,
        r#"{"script": "/a", "args": ["hush", 1]}"#,
        r#"{"script": "/a", "args": ["hush\u0000"]}"#,
        r#"{"script": "/a", "args": "hush"}"#,
        r#"{"script": "/a", "arg": ["hush"]}"#,
        r#"{"socket": "/a", "env": {"A": "hush"}}"#,
        r#"{"socket": "/a", "args": ["hush"]}"#,
        r#"{"scripts": {"script": "/a", "env": {"A": "hush"}}}"#,
        r#"{"scripts": [[{"script": "/a", "env": {"A": "hush"}}]]}"#,
        r#"{"scripts": [{"script": "/a"}], "env": {"A": "hush"}}"#,
        r#"{"scripts": [{"script": "/a"}], "args": ["hush"]}"#,
        r#"{"scripts": [{"script": "/a"}], "evn": {"A": "hush"}}"#,
        r#"{"scripts": [{"scripts": [{"env": {"A": "hush"}}]}]}"#,
        r#"{"script": {"env": {"A": "hush"}}}"#,
        r#"{"script": "/a", "timeout": {"A": {"B": "hush"}}}"#,
        r#"{"script": "/a", "hook-points": [[{"env": {"A": "hush"}}]]}"#,
        r#"{"script": "/a", "hook-points": [{"name": "pkt4_send", "env": {"A": "hush"}}]}"#,
        r#"{"script": "/a", "hook-points": [{"name": "pkt4_send", "args": ["hush"]}]}"#,
        r#"{"script": "/a", "replay": {"env": {"A": "hush"}}}"#,
        r#"[{"script": "/a", "env": {"A": "hush"}}]"#,
    ];
    for parameters in secrets {
        let refusal = one(parameters).expect_err(parameters);
        assert!(refusal.starts_with("parameter \"") && !refusal.contains("hush"), "{parameters}: {refusal}");
    }
    refused(r#"{"script": "/a", "env": {"A=hush": 1}}"#, &["\"env.A=\""]);
    refused(r#"{"scripts": {"script": "/a", "env": {}}}"#, &[r#"{"env","script"}"#, "give a list"]);
}

#[test]
fn capabilities_are_named_as_one_likes() {
    use caps::Capability::{CAP_NET_BIND_SERVICE, CAP_NET_RAW};
    let kept =
        |names: &str| one(&format!(r#"{{"script": "/a", "keep-capabilities": {names}}}"#)).unwrap().keep_capabilities;
    assert_eq!(kept("[]"), []);
    assert_eq!(kept(r#"["Cap_Net_Raw", "net_bind_service"]"#), [CAP_NET_RAW, CAP_NET_BIND_SERVICE]);
    for wrong in ["CAP_NET_ADMIN", "CAP_NET", "", "CAP_", "CAP_CAP_NET_RAW", " CAP_NET_RAW", "all", "7"] {
        let parameters = format!(r#"{{"script": "/a", "keep-capabilities": ["{wrong}"]}}"#);
        refused(&parameters, &[&format!("\"{wrong}\" is none of those"), "CAP_NET_BIND_SERVICE, CAP_NET_RAW;"]);
    }
    refused(r#"{"script": "/a", "keep-capabilities": "CAP_NET_RAW"}"#, &["CAP_NET_RAW", "give a list of strings"]);
    refused(r#"{"socket": "/a", "keep-capabilities": []}"#, &["keep-capabilities", "nothing is started"]);
}

#[test]
fn what_a_later_version_brings_may_be_switched_off() {
    let off = r#"{"script": "/a", "answers": false, "mode": "exec", "replay": false, "coalesce": false, "dialect": "runscript"}"#;
    assert!(one(off).is_ok());
}

/// For a Kea that allows one directory only.
pub fn parse_strictly(parameters: &str) -> Result<Vec<Config>, String> {
    let scripts_directory = Path::new("/usr/share/kea/scripts");
    let kea = Kea {
        server: Server::Dhcp4,
        version: "3.0.4",
        hook_points: &[],
        scripts_directory,
        scripts_only_there: true,
        data_directory: DATA.as_ref(),
    };
    parse(parameters, kea)
}

/// The script's path for a Kea with this directory.
fn script_for(directory: &str, scripts_only_there: bool, parameters: &str) -> Result<PathBuf, String> {
    let scripts_directory = Path::new(directory);
    let kea = Kea {
        server: Server::Dhcp4,
        version: "3.0.4",
        hook_points: &[],
        scripts_directory,
        scripts_only_there,
        data_directory: DATA.as_ref(),
    };
    parse(parameters, kea).map(|mut all| all.remove(0).script)
}

#[test]
fn a_kea_that_insists_on_a_directory() {
    let script = |parameters: &str| script_for("/usr/share/kea/scripts", true, parameters);
    let there = Ok(PathBuf::from("/usr/share/kea/scripts/a.sh"));
    assert_eq!(script(r#"{"script": "/usr/share/kea/scripts/a.sh"}"#), there);
    assert_eq!(script(r#"{"script": "a.sh"}"#), there);
    for elsewhere in ["/etc/kea/a.sh", "/usr/share/kea/scripts/more/a.sh", "/a.sh", "/"] {
        let parameters = format!(r#"{{"script": "{elsewhere}"}}"#);
        let refusal = script(&parameters).expect_err(elsewhere);
        assert!(refusal.contains(elsewhere) && refusal.contains("KEA_HOOK_SCRIPTS_PATH"), "{refusal}");
    }
    for relative in ["scripts/a.sh", "../a.sh", ""] {
        assert!(script(&format!(r#"{{"script": "{relative}"}}"#)).is_err(), "{relative}");
    }
    assert!(script(r#"{"script": "a.sh", "runner": "/tmp/kea-runscript-runner"}"#).is_err());
}

#[test]
fn a_kea_that_has_a_directory_but_does_not_insist() {
    let script = |name: &str| script_for("/scripts", false, &format!(r#"{{"script": "{name}"}}"#));
    assert_eq!(script("a.sh"), Ok(PathBuf::from("/scripts/a.sh")));
    assert_eq!(script("/etc/a.sh"), Ok(PathBuf::from("/etc/a.sh")));
    assert!(script("b/a.sh").is_err());
}

#[test]
fn a_directory_that_is_none_allows_nothing() {
    for nowhere in ["", "scripts"] {
        for script in ["/a.sh", "/etc/a.sh", "a.sh"] {
            assert!(
                script_for(nowhere, true, &format!(r#"{{"script": "{script}"}}"#)).is_err(),
                "{nowhere:?} {script}"
            );
        }
    }
}

#[test]
fn a_daemon_or_a_socket() {
    assert_eq!(one(r#"{"script": "/a"}"#).unwrap().mode, Mode::Exec);
    assert_eq!(one(r#"{"script": "/a", "mode": "exec"}"#).unwrap().mode, Mode::Exec);
    assert_eq!(one(r#"{"script": "/a", "mode": "daemon"}"#).unwrap().mode, Mode::Daemon);
    let config = one(r#"{"socket": "/run/handler"}"#).unwrap();
    assert_eq!((config.mode, config.script), (Mode::Socket, PathBuf::from("/run/handler")));
}

#[test]
fn a_socket_has_no_program() {
    for key in ["script", "name", "mode", "runner"] {
        refused(&format!(r#"{{"socket": "/run/x", "{key}": "/y"}}"#), &[key, "/y", "nothing is started"]);
    }
    refused(r#"{"socket": "/run/x", "args": []}"#, &["\"args\"", "a list", "nothing is started"]);
    refused(r#"{"socket": "run/x"}"#, &["\"socket\"", "run/x", "absolute path"]);
    refused(r#"{"socket": 1}"#, &["\"socket\"", "1", "give a string"]);
    let long = format!("/{}", "x".repeat(107));
    refused(&format!(r#"{{"socket": "{long}"}}"#), &["\"socket\"", &long, "107 bytes"]);
    assert!(one(&format!(r#"{{"socket": "{}"}}"#, &long[..107])).is_ok());
}
