//! The conversations of unmodified clients with a real dhcpd, in tests/omapi/.

use std::fs;
use std::path::{Path, PathBuf};

use kea_omapi::frame::{self, Frame, MESSAGE_BYTES};
use kea_omapi::keys::{self, Key};
use serde_json::Value;

const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/omapi");
/// The secrets of the servers, by the beginning of a conversation's name.
const SECRETS: [(&str, &str); 3] = [
    ("md5", "+bFQtBCta6j2vWkjPkNFtgA=="),
    ("omshell-md5", "bFQtBCta6j2vWkjPkNFtgA=="),
    ("omshell-sha", "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s="),
];
/// Signed with another secret, or spoilt on purpose.
const WRONG: [&str; 3] = ["bad-signature", "unknown-authid", "wrong-key"];

struct Recorded {
    case: String,
    is_client: bool,
    is_startup: bool,
    bytes: Vec<u8>,
    key: Option<Key>,
}

fn files() -> Vec<PathBuf> {
    let all = fs::read_dir(CORPUS).unwrap().map(|entry| entry.unwrap().path());
    let mut all: Vec<PathBuf> = all.filter(|path| path.extension().is_some_and(|end| end == "json")).collect();
    all.sort();
    all
}

fn key(name: &str, conversation: &Value) -> Option<Key> {
    let algorithm = conversation["key"]["algorithm"].as_str()?;
    let (_, secret) = SECRETS.iter().find(|(beginning, _)| name.starts_with(beginning))?;
    keys::parse(&format!("key defomapi {{ algorithm {algorithm}; secret {secret}; }};")).ok()?.pop()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn recorded(path: &Path) -> Vec<Recorded> {
    let conversation: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let name = path.file_stem().unwrap().to_string_lossy();
    let frames = conversation["frames"].as_array().unwrap().iter();
    let whole = frames.filter(|frame| frame["hex"].is_string() && frame["incomplete"].is_null());
    whole
        .map(|frame| Recorded {
            case: conversation["case"].as_str().unwrap().to_string(),
            is_client: frame["dir"] == "c2s",
            is_startup: !frame["startup"].is_null(),
            bytes: unhex(frame["hex"].as_str().unwrap()),
            key: key(&name, &conversation),
        })
        .collect()
}

fn read(recorded: &Recorded) -> Frame {
    let mut rest = &*recorded.bytes;
    let received = frame::read(&mut rest, MESSAGE_BYTES).unwrap();
    assert!(rest.is_empty(), "{}", recorded.case);
    assert_eq!(received.signed, received.frame.signed(received.frame.signature.len()), "{}", recorded.case);
    received.frame
}

#[test]
fn every_frame_is_read_and_written_back() {
    let (mut startups, mut messages) = (0, 0);
    for recorded in files().iter().flat_map(|path| recorded(path)) {
        if recorded.is_startup {
            startups += 1;
            let is_ours = recorded.bytes == frame::startup();
            assert!(is_ours || recorded.case.starts_with("startup"), "{}", recorded.case);
            continue;
        }
        messages += 1;
        assert_eq!(read(&recorded).bytes(), recorded.bytes, "{}", recorded.case);
    }
    println!("{} conversations: {messages} messages written back, {startups} startups", files().len());
    assert_eq!((files().len(), messages), (176, 529));
    assert!(startups > 0);
}

#[test]
fn every_signature_is_right_but_those_wrong_on_purpose() {
    let (mut right, mut wrong, mut none) = (0, 0, 0);
    for recorded in files().iter().flat_map(|path| recorded(path)).filter(|recorded| !recorded.is_startup) {
        let frame = read(&recorded);
        let Some(key) = recorded.key.as_ref().filter(|_| !frame.signature.is_empty()) else {
            none += 1;
            continue;
        };
        let signed = frame.signed(frame.signature.len());
        if key.verify(&signed, &frame.signature) {
            right += 1;
            assert_eq!(key.sign(&signed), frame.signature, "{}", recorded.case);
        } else {
            wrong += 1;
            assert!(recorded.is_client && WRONG.iter().any(|case| recorded.case.contains(case)), "{}", recorded.case);
        }
    }
    println!("{right} signatures right, {wrong} wrong on purpose, {none} frames unsigned");
    assert_eq!((right, wrong, none), (313, 9, 207));
}

/// A message that is cut anywhere is none, and nothing panics.
#[test]
fn a_frame_is_read_whole_or_not_at_all() {
    for recorded in files().iter().flat_map(|path| recorded(path)).filter(|recorded| !recorded.is_startup) {
        for end in 0..recorded.bytes.len() {
            assert!(frame::read(&mut &recorded.bytes[..end], MESSAGE_BYTES).is_err());
        }
    }
}
