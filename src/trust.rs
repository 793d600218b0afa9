//! Whom we trust to write a program that Kea's user runs: its owner alone, as sudo and cron do.

use std::fs::Metadata;
use std::os::unix::fs::PermissionsExt;

const WRITABLE_BY_OTHERS: u32 = 0o022;

/// Why a program must not be run, if others than its owner may write it.
pub fn distrust(program: &Metadata) -> Option<String> {
    let mode = program.permissions().mode() & 0o7777;
    (mode & WRITABLE_BY_OTHERS != 0).then(|| {
        format!(
            "may be written by others than its owner (mode {mode:o}), who could make Kea run anything; chmod go-w it"
        )
    })
}
