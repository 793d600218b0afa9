//! `--help`, docs/omapi.md and the manual page, which has that page in it, know the same options.

use std::collections::BTreeSet;
use std::process::Command;

const PAGE: &str = include_str!("../../docs/man/kea-omapi.8.md");
const DOCS: &str = include_str!("../../docs/omapi.md");

/// Each option with what stands for its value.
fn helped() -> BTreeSet<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_kea-omapi")).arg("--help").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap().replace(['<', '>'], "");
    let options = text.lines().map(|line| line.trim_start().trim_start_matches("-h, ").trim_start_matches("-V, "));
    options.filter(|line| line.starts_with("--")).map(String::from).collect()
}

#[test]
fn the_docs_have_the_same_options() {
    let rows = DOCS.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` |"));
    let mut options: BTreeSet<String> =
        rows.map(|row| row.0.into()).filter(|word: &String| word.starts_with("--")).collect();
    options.extend(["--help".into(), "--version".into()]);
    assert_eq!(options, helped());
}

#[test]
fn the_manual_page_has_the_same_usage() {
    let (_, after) = PAGE.split_once("# SYNOPSIS").unwrap();
    let (synopsis, after) = after.split_once("# DESCRIPTION").unwrap();
    assert!(after.contains("@include docs/omapi.md"));
    let words: Vec<_> = synopsis.split_whitespace().map(|word| word.trim_matches(['[', ']', '.'])).collect();
    let joined = words.join(" ");
    let helped = helped();
    for option in &helped {
        assert!(joined.contains(option.as_str()), "{option}");
    }
    for word in words.iter().filter(|word| word.starts_with("--")) {
        assert!(helped.iter().any(|option| option.split(' ').next() == Some(word)), "{word}");
    }
}
