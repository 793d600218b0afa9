//! What /proc says of a process.

use std::fs;

/// A line of /proc/PID/status, its words one space apart; a script's output has no tabs any more.
pub fn field(status: &str, name: &str) -> String {
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {name} in {status}"))
        .replace("\\x09", " ")
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

pub fn number(status: &str, name: &str) -> i32 {
    field(status, name).split(' ').next().unwrap().parse().unwrap()
}

pub fn status(pid: i32) -> String {
    fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default()
}

/// Zombies too.
pub fn children(pid: i32) -> usize {
    let processes = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    processes.filter(|process| status(*process).contains(&format!("\nPPid:\t{pid}\n"))).count()
}
