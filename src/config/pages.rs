//! The configurations that we show to people are ones that we take.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::service::service;
use super::tests::parse_for;
use crate::hook_points::Server;

/// What holds configurations, or pieces of one: path and text.
fn pages() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = std::fs::read_dir(root.join("examples")).unwrap().map(|entry| entry.unwrap().path());
    let folders: Vec<_> =
        folders.filter(|path| path.is_dir()).chain([root.into(), root.join("docs"), root.join("debian")]).collect();
    let files = folders.iter().flat_map(|folder| std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()));
    let is_page =
        |path: &PathBuf| path.extension().is_some_and(|name| ["conf", "md", "Debian"].iter().any(|&one| name == one));
    files.filter(is_page).map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())).collect()
}

#[test]
fn the_examples_configurations_are_accepted() {
    let mut accepted = 0;
    let is_keas = |path: &Path| path.to_string_lossy().contains("/kea-dhcp") && path.extension().unwrap() == "conf";
    for (path, text) in pages().iter().filter(|(path, _)| is_keas(path)) {
        let without_remarks: Vec<_> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        let whole: Value = serde_json::from_str(&without_remarks.join("\n")).expect("JSON");
        let (server, name) =
            if text.contains("\"Dhcp4\"") { (Server::Dhcp4, "Dhcp4") } else { (Server::Dhcp6, "Dhcp6") };
        let parameters = &whole[name]["hooks-libraries"][0]["parameters"];
        let scripts = parameters["scripts"].as_array().map_or(1, Vec::len);
        assert_eq!(parse_for(server, &parameters.to_string()).map(|all| all.len()), Ok(scripts), "{}", path.display());
        accepted += 1;
    }
    assert!(accepted >= 10);
}

#[test]
fn the_examples_services_are_accepted() {
    let mut accepted = 0;
    for folder in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")).unwrap() {
        let files = std::fs::read_dir(folder.unwrap().path().join("service/kea-runscript"));
        for file in files.into_iter().flatten() {
            let mut value: Value = serde_json::from_slice(&std::fs::read(file.unwrap().path()).unwrap()).unwrap();
            // Here Kea may not be installed.
            value["kea-user"] = "root".into();
            assert_eq!(service(&value, "example").map_err(|refusal| refusal.to_string()).err(), None);
            accepted += 1;
        }
    }
    assert!(accepted > 0);
}

#[test]
fn where_a_page_configures_answers_it_names_on_failure() {
    let mut snippets = 0;
    for (path, text) in pages() {
        // Configurations are written with a space, lines of events without.
        for (at, _) in text.match_indices("\"answers\": true") {
            let (before, after) = text.split_at(at);
            // A word about the parameter is no configuration.
            if before.ends_with('`') {
                continue;
            }
            let map = [before.rsplit(['{', '`']).next(), after.split(['}', '`']).next()];
            assert!(
                map.iter().flatten().any(|part| part.contains("\"on-failure\": \"")),
                "{}: {map:?}",
                path.display()
            );
            snippets += 1;
        }
    }
    assert!(snippets >= 10);
}
