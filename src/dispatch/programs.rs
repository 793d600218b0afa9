//! Where our programs and the script are, and whether they may be run.

use std::ffi::{CStr, OsStr};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::prctl::get_no_new_privs;
use nix::unistd::AccessFlags;
use once_cell::sync::OnceCell;

use crate::config::{Config, TOOLS};
use crate::log::log_repeating;
use crate::messages;
use crate::syscall;
use crate::trust;

const RUNNER: &str = "kea-runscript-runner";
/// Where `make install` may have put both.
const INSTALLED: [&str; 2] = ["/usr/sbin", "/usr/local/sbin"];

/// The runner: the one that the parameter names, else the one beside the library, else the installed one.
pub fn find(config: &Config) -> Result<PathBuf, String> {
    match &config.runner {
        Some(path) => Ok(path.clone()),
        None => first(RUNNER, &[library().ok()], "install it, or name it with the parameter \"runner\""),
    }
}

/// The tools, of which `answer` is for scripts: those beside the runner, else beside the library, else the installed ones.
/// The script runs them: nobody may change them who may not change the script.
pub fn find_tools(runner: &Path, config: &Config) -> Result<PathBuf, String> {
    let runner = std::fs::canonicalize(runner).ok();
    let path = first(TOOLS, &[runner.as_deref(), library().ok()], "\"answers\" needs it for scripts: install it")?;
    warn(&path, trust::program(&path, config.strict).map_err(|reason| format!("{}: {reason}", path.display()))?);
    Ok(path)
}

/// The first that is there of this name: beside one of these files, else installed.
fn first(name: &str, beside: &[Option<&Path>], remedy: &str) -> Result<PathBuf, String> {
    let beside = beside.iter().flatten().map(|file| file.with_file_name(name));
    let mut candidates: Vec<_> = beside.chain(INSTALLED.map(|directory| Path::new(directory).join(name))).collect();
    candidates.dedup();
    candidates.iter().find(|path| path.exists()).cloned().ok_or_else(|| {
        let places: Vec<_> = candidates.iter().map(|path| path.display().to_string()).collect();
        format!("{name} is in none of: {}; {remedy}", places.join(", "))
    })
}

/// The file that this library was loaded from.
fn library() -> io::Result<&'static Path> {
    static LIBRARY: OnceCell<PathBuf> = OnceCell::new();
    LIBRARY.get_or_try_init(library_path).map(PathBuf::as_path)
}

#[allow(unsafe_code)]
fn library_path() -> io::Result<PathBuf> {
    let mut info = std::mem::MaybeUninit::<libc::Dl_info>::zeroed();
    // SAFETY: the address is that of a function of ours, and `info` is writable; a non-zero result says that it has
    // been filled in.
    let name = unsafe {
        if libc::dladdr(library_path as *const libc::c_void, info.as_mut_ptr()) == 0 {
            return Err(io::ErrorKind::NotFound.into());
        }
        info.assume_init().dli_fname
    };
    if name.is_null() {
        return Err(io::ErrorKind::NotFound.into());
    }
    // SAFETY: the dynamic linker's NUL-ended name of a file that stays loaded.
    let name = unsafe { CStr::from_ptr(name) };
    std::fs::canonicalize(Path::new(OsStr::from_bytes(name.to_bytes())))
}

/// Why the runner cannot be started, with the remedy, for this server.
pub fn explain(path: &Path, server: &str, error: io::Error) -> String {
    // AppArmor denies what the file's bits allow, and to enter another profile where a unit forbids new privileges.
    let may_execute = nix::unistd::eaccess(path, AccessFlags::X_OK).is_ok();
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::EACCES) if may_execute => {
            format!("{error}: AppArmor's profile of Kea does not let it. {SERVICE}, or {}", exec_rule(path, server))
        }
        Some(Errno::EACCES) => format!("{error}; it must be executable by Kea's user"),
        Some(Errno::EPERM) if get_no_new_privs() == Ok(true) => {
            format!(
                "{error}: Kea's unit has NoNewPrivileges=yes, so nothing may leave AppArmor's profile of Kea. {SERVICE}"
            )
        }
        Some(Errno::ENOENT) => format!("{error}; install it, or mend the path"),
        // A filter of system calls says EPERM too.
        _ => syscall::failed("clone3 or execve", error),
    }
}

/// The way that needs no rule.
const SERVICE: &str =
    "Either have the program run by a service of its own, and give \"socket\" instead of \"script\" (service.md)";

/// The other way. Our package has the rule in a file that it includes nowhere.
fn exec_rule(path: &Path, server: &str) -> String {
    let line = match path == Path::new(INSTALLED[0]).join(RUNNER) {
        true => "include if exists <abstractions/kea-hook-runscript-exec>".into(),
        false => format!("{} PUx,", path.display()),
    };
    format!(
        "add the line \"{line}\" to /etc/apparmor.d/local/usr.sbin.{server} (on Debian 12 before the last }} of \
         /etc/apparmor.d/usr.sbin.{server}), and run \"systemctl reload apparmor\" (operation.md, Permissions on Debian)"
    )
}

/// Whether the script can be run at all: said at load, so that a mistake is seen before the first client comes.
pub fn check_script(config: &Config) -> Result<(), String> {
    let script = config.script.as_path();
    let remedy = match script.metadata() {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            "cannot be reached by Kea's user; let it enter every directory on the way (chmod o+x)".into()
        }
        Err(error) => format!("{error}; create it, or mend the path"),
        Ok(metadata) if metadata.is_dir() => "is a directory; name a program".into(),
        Ok(metadata) if !metadata.is_file() => "is not a file; name a program".into(),
        Ok(_) => match nix::unistd::eaccess(script, AccessFlags::X_OK) {
            // Another error says that the call itself is denied or missing: the runner will see.
            result if result != Err(Errno::EACCES) => match trust::program(script, config.strict) {
                Ok(warnings) => {
                    warn(script, warnings);
                    return Ok(());
                }
                Err(reason) => reason,
            },
            _ => "is not executable by Kea's user (Permission denied); chmod a+rx it".into(),
        },
    };
    Err(format!("parameter \"script\": \"{}\": {remedy}", script.display()))
}

/// Says whom we trust besides root and Kea's user.
pub fn warn(path: &Path, warnings: Vec<String>) {
    for warning in warnings {
        let args = [format!("\"{}\"", path.display()), warning];
        log_repeating(messages::OTHERS_TRUSTED, &args.join(" "), &[], &args);
    }
}
