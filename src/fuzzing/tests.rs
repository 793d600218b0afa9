//! Each function with what is usual, and with what the fuzzer has found.

use std::path::Path;

use super::*;
use crate::bridge::ffi::{Facts, OptionFact, Source};
use crate::config::Kea;
use crate::hook_points::{HOOK_POINTS, Server, hook_point_names};
use crate::reference;
use crate::variables::tests::Shim;
use crate::verdict::Next;

#[test]
fn two_variables_of_one_name() {
    event(
        br#"{"seq":1,"hook":"pkt4_receive","wait":true,"time":1.5,"timeout":5000,"keys":[],"vars":
            {"KEA_HOOK_POINT":"pkt4_receive","KEA_QUERY6_DUID":"","KEA_QUERY6_DUID":"00","KEA_HOOK_POINT":"-c"}}"#,
    );
}

#[test]
fn more_descriptors_than_one() {
    let found = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x10, 0, 0];
    [&found[..], br#"{"lane":7}"#, br#""rest""#].iter().for_each(|bytes| (0..8).for_each(|n| message(bytes, n)));
}

#[test]
fn messages_of_any_length() {
    (0..300).for_each(|length| message(&vec![b'['; length], length % 2));
}

#[test]
fn an_answer_to_whatever_was_asked() {
    let every_key = br#"{"seq":1,"client-classes":["a"],"subnet-id":1,"option-data":[{"name":"routers","data":"192.0.2.1, 192.0.2.2"}],
        "query-option-data":[{"code":5,"space":"dhcp-agent-options-space","data":null},{"code":18,"relay":0,"data":""}],
        "next-server":"192.0.2.1","server-hostname":"s","boot-file-name":"f","hostname":"a.example","valid-lft":600,
        "preferred-lft":0,"ip-address":"192.0.2.10","flex-id":"0x61","unheard-of":null,"log":[{"level":"info","text":"hm"}]}"#;
    let failed = br#"{"seq":1,"failure":{"kind":"exit","text":"exit status 1"}}"#;
    for said in [&every_key[..], failed, br#"{"seq":1,"next":"drop"}"#, br#"{"seq":2}"#, b"", b"hm"] {
        for (point, wait, answers) in (0..4 * HOOK_POINTS.len()).map(|n| (n / 4, n & 1 == 0, n & 2 == 0)) {
            answer(Asked { point, wait, answers, on_failure: Next::Skip }, said);
        }
        [0, 10, 20, 1].into_iter().for_each(|status| printed(status, said));
    }
}

#[test]
fn parameters_of_the_docs_and_a_secret() {
    let hook_points = hook_point_names();
    let kea = Kea {
        server: Server::Dhcp4,
        version: "3.0.4",
        hook_points: &hook_points,
        scripts_directory: Path::new("/usr/share/kea/scripts"),
        scripts_only_there: true,
        data_directory: "".as_ref(),
    };
    for text in [reference::EXAMPLE, "", "{}", "[]", r#"{"script":"a.sh"}"#, r#"{"script":"a.sh","env":["s3cr3t"]}"#] {
        parameters(text, kea);
    }
}

#[test]
fn a_solicit_at_each_hook_point() {
    let mut shim = Shim::default();
    let query6 = [shim.solicit()];
    let facts = Facts { query6: &query6, response6: &query6, ..shim.facts() };
    for point in 0..HOOK_POINTS.len() {
        [false, true].into_iter().for_each(|is_iscs| line(point, Source::Committed, &facts, true, is_iscs));
    }
}

#[test]
fn a_packet_whose_options_kea_holds_otherwise() {
    let message = [&[1, 0, 0, 7][..], &[0, 16, 0, 1, 1], &[0, 16, 0, 1, 2], &[0, 17, 0, 9]].concat();
    let packet = Packet { is_dhcp4: false, bytes: &message };
    layers(packet);
    let mut bytes = Vec::new();
    let options = [OptionFact { code: 16, depth: 0, data: put(&mut bytes, &[1, 2]) }];
    held_otherwise(packet, 0, &bytes, &options);
    enterprises(true, &[0, 0, 0, 9, 4, 1, 2, 0xab, 0xcd, 0, 0, 0, 10, 3, 1, 1, 0xcc]);
    enterprises(false, &message);
}
