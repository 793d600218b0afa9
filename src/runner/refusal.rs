//! Why a script cannot be started, in the administrator's words.

use std::ffi::CStr;
use std::fs::{self, File, Metadata};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags};
use nix::sys::statvfs::{FsFlags, statvfs};
use nix::unistd::{AccessFlags, Uid, faccessat};

use crate::syscall::remedy;
use crate::text::{LOG_TEXT_BYTES, excerpt};

/// What `error` of starting `path` means, and what helps.
pub fn explain(path: &Path, error: Errno) -> String {
    let reason = match error {
        Errno::ENOENT => missing(path),
        Errno::ENOTDIR => "part of its path is a file, not a directory: correct `script`".into(),
        Errno::EACCES => denied(path),
        Errno::ENOEXEC => no_program(path),
        Errno::ELOOP => "its interpreter is a script whose interpreter is a script, and so on; or its symbolic \
                         links form a loop"
            .into(),
        Errno::ETXTBSY => "it is open for writing: write a new version beside it and rename it over the old one".into(),
        _ => remedy(error),
    };
    cannot_start(path, &reason)
}

pub fn cannot_start(path: &Path, reason: &str) -> String {
    format!("cannot start {}: {reason}", excerpt(path.as_os_str().as_bytes(), LOG_TEXT_BYTES))
}

/// The same for an environment that is more than the kernel takes.
pub fn too_big(environment: &[&CStr]) -> String {
    let total: usize = environment.iter().map(|entry| entry.count_bytes()).sum();
    let largest = environment.iter().max_by_key(|entry| entry.count_bytes()).map_or(&[][..], |entry| entry.to_bytes());
    let name = largest.split(|&byte| byte == b'=').next().unwrap_or_default();
    format!(
        "cannot start the script: its environment is too large ({total} bytes; largest is {} with {}, and one may have \
         131071)",
        String::from_utf8_lossy(name),
        largest.len()
    )
}

fn missing(path: &Path) -> String {
    if fs::metadata(path).is_ok() {
        return match interpreter(path) {
            Some(line) if line.ends_with("\\x0d") => format!(
                "its first line ends with a carriage return ({line}): save it with Unix line ends (sed -i 's/\\r$//')"
            ),
            Some(line) => {
                format!("the interpreter in its first line ({line}) is missing: install it or correct the line")
            }
            None => "the program loader or a library that it needs is missing: is it built for this system?".into(),
        };
    }
    if fs::symlink_metadata(path).is_ok() {
        return "it is a symbolic link to a file that is gone".into();
    }
    match path.parent() {
        Some(directory) if fs::metadata(directory).is_err() => "its directory is gone".into(),
        _ => "it is gone: put it back or correct `script`".into(),
    }
}

fn denied(path: &Path) -> String {
    let user = Uid::effective();
    if let Some(directory) = path.ancestors().skip(1).filter(|ancestor| !searchable(ancestor)).last() {
        return format!("user id {user} may not enter the directory {}: chmod +x for it", directory.display());
    }
    let Ok(metadata) = fs::metadata(path) else {
        return format!("user id {user} may not reach it");
    };
    if metadata.is_dir() {
        return "it is a directory, not a program".into();
    }
    if !executable(&metadata) {
        return "it is not executable: chmod +x".into();
    }
    if statvfs(path).is_ok_and(|fs| fs.flags().contains(FsFlags::ST_NOEXEC)) {
        return "its file system is mounted noexec: move it".into();
    }
    // Another error says that the call itself is denied or missing.
    if faccessat(AT_FDCWD, path, AccessFlags::X_OK, AtFlags::AT_EACCESS) == Err(Errno::EACCES) {
        let mode = metadata.permissions().mode() & 0o7777;
        return format!("user id {user} may not execute it (mode {mode:o}): chmod or chown");
    }
    match interpreter(path) {
        Some(line) => format!(
            "permission denied, perhaps for the interpreter in its first line ({line}), perhaps by a \
             security policy (AppArmor, SELinux): see the kernel's log"
        ),
        None => "permission denied, perhaps by a security policy (AppArmor, SELinux): see the kernel's log".into(),
    }
}

fn no_program(path: &Path) -> String {
    match first_line(path).as_deref() {
        Some(b"") => "it is empty: write a program into it, with a first line such as #!/bin/sh".into(),
        Some(line) if line.starts_with(b"\x7fELF") => "it is built for another kind of machine".into(),
        Some(line) if line.starts_with(b"\xef\xbb\xbf#!") => {
            "it starts with a byte order mark: save it as UTF-8 without one".into()
        }
        _ => "it has no `#!` line: make #!/bin/sh (or its own interpreter) its first line".into(),
    }
}

fn searchable(directory: &Path) -> bool {
    let allowed = |directory| faccessat(AT_FDCWD, directory, AccessFlags::X_OK, AtFlags::AT_EACCESS);
    directory.as_os_str().is_empty() || allowed(directory) != Err(Errno::EACCES)
}

fn executable(metadata: &Metadata) -> bool {
    metadata.permissions().mode() & 0o111 != 0
}

/// What stands after `#!`.
fn interpreter(path: &Path) -> Option<String> {
    let line = first_line(path)?;
    Some(excerpt(line.strip_prefix(b"#!")?.trim_ascii_start(), LOG_TEXT_BYTES))
}

fn first_line(path: &Path) -> Option<Vec<u8>> {
    let mut start = Vec::new();
    File::open(path).ok()?.take(256).read_to_end(&mut start).ok()?;
    start.split(|&byte| byte == b'\n').next().map(<[u8]>::to_vec)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::{Duration, Instant};

    use super::super::tests::{Bench, event};
    use crate::verdict::{FailureKind, Next};

    #[test]
    fn refusals_name_the_remedy() {
        let bench = Bench::new();
        assert_eq!(bench.refusal(), "it is gone: put it back or correct `script`");
        assert_eq!(
            Bench::with("#!/no/such/shell -e\n").refusal(),
            "the interpreter in its first line (/no/such/shell -e) is missing: install it or correct the line"
        );
        assert!(Bench::with("#!/bin/sh\r\n").refusal().starts_with("its first line ends with a carriage return"));
        assert!(Bench::with("echo hello\n").refusal().starts_with("it has no `#!` line"));
        assert!(Bench::with("").refusal().starts_with("it is empty: write a program"));
        let bench = Bench::shell("exit 0");
        bench.chmod(0o644);
        assert_eq!(bench.refusal(), "it is not executable: chmod +x");
        let bench = Bench::new();
        fs::create_dir(bench.script()).unwrap();
        assert_eq!(bench.refusal(), "it is a directory, not a program");
        let bench = Bench::new();
        std::os::unix::fs::symlink("/no/such/file", bench.script()).unwrap();
        assert_eq!(bench.refusal(), "it is a symbolic link to a file that is gone");
    }

    #[test]
    fn a_script_that_is_being_written_is_tried_again() {
        let bench = Bench::shell("exit 0");
        let writer = fs::File::options().append(true).open(bench.script()).unwrap();
        let started = Instant::now();
        assert!(bench.refusal().starts_with("it is open for writing"));
        assert!(started.elapsed() >= Duration::from_millis(200));
        let answer = std::thread::scope(|scope| {
            let run = scope.spawn(|| bench.answer());
            drop(writer);
            run.join().unwrap()
        });
        assert_eq!(answer.next, Some(Next::Continue));
    }

    #[test]
    fn too_large_a_value_is_named() {
        let bench = Bench::shell("exit 0");
        let value = "x".repeat(128 * 1024);
        let event = event(10_000, &[("KEA_QUERY4_TYPE", "1"), ("KEA_QUERY4_OPTION_60", &value)]);
        let failure = bench.load().handle(&event, Instant::now()).failure.unwrap();
        assert_eq!(failure.kind, FailureKind::Start);
        assert!(failure.text.contains("largest is KEA_QUERY4_OPTION_60 with 131093"), "{}", failure.text);
    }
}
