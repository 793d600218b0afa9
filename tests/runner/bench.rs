//! Where a script is tried.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::library::Runner;

/// A directory with a shell script in it, gone with the test.
pub struct Bench(PathBuf);

impl Bench {
    pub fn shell(body: &str) -> Bench {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("kea-runner-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let bench = Bench(std::env::temp_dir().join(name));
        fs::create_dir(&bench.0).unwrap();
        fs::write(bench.file("script"), format!("#!/bin/sh\ncd \"${{0%/*}}\"\n{body}\n")).unwrap();
        fs::set_permissions(bench.file("script"), fs::Permissions::from_mode(0o755)).unwrap();
        bench
    }

    pub fn start(&self) -> Runner {
        Runner::start(&self.file("script"), &[])
    }

    /// A runner that has it for a daemon, whose processes may go on for so many milliseconds.
    pub fn start_daemon(&self, patience: u64) -> Runner {
        Runner::start_daemon(&self.file("script"), &[], patience)
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub fn touch(&self, name: &str) {
        fs::write(self.file(name), "").unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.file(name)).unwrap_or_default()
    }

    pub fn files(&self) -> usize {
        fs::read_dir(&self.0).unwrap().count()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[track_caller]
pub fn wait_until(mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(Instant::now() < deadline, "in vain");
        std::thread::yield_now();
    }
}
