//! Where the runner and the script are, and whether they may be run.

use std::ffi::{CStr, OsStr};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::unistd::AccessFlags;
use once_cell::sync::OnceCell;

use crate::config::Config;
use crate::log::log_repeating;
use crate::messages;
use crate::syscall;
use crate::trust;

const NAME: &str = "kea-runscript";
/// Where `make install` may have put the runner.
const INSTALLED: [&str; 2] = ["/usr/sbin/kea-runscript", "/usr/local/sbin/kea-runscript"];

/// The runner: the one that the parameter names, else the one beside the library, else the installed one.
pub fn find(config: &Config) -> Result<PathBuf, String> {
    if let Some(path) = &config.runner {
        return Ok(path.clone());
    }
    let beside = library().map(|library| library.with_file_name(NAME)).ok();
    let places = beside.into_iter().chain(INSTALLED.map(PathBuf::from));
    let candidates: Vec<PathBuf> = places.collect();
    candidates.iter().find(|path| path.exists()).cloned().ok_or_else(|| {
        let places: Vec<_> = candidates.iter().map(|path| path.display().to_string()).collect();
        format!("{NAME} is in none of: {}; install it, or name it with the parameter \"runner\"", places.join(", "))
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

/// Why a program cannot be started, with the remedy.
pub fn explain(path: &Path, error: io::Error) -> String {
    let allowed = format!(
        "it must be executable by Kea's user, and AppArmor's profile of Kea must let it run (rule: {} ux,)",
        path.display()
    );
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::EACCES) => format!("{error}; {allowed}"),
        // A filter of system calls says this too.
        Some(Errno::EPERM) => format!("{}; {allowed}", syscall::failed("clone3 or execve", error)),
        Some(Errno::ENOENT) => format!("{error}; install it, or mend the path"),
        _ => syscall::failed("clone3 or execve", error),
    }
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
