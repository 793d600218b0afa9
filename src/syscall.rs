//! Why a system call has failed, and what helps.

use nix::errno::Errno;

/// Names the call: a kernel or a container may lack this very one.
pub fn failed(call: &str, error: impl Into<std::io::Error>) -> String {
    let error = error.into();
    match error.raw_os_error() {
        Some(number) => format!("{call}: {}", remedy(Errno::from_raw(number))),
        None => format!("{call}: {error}"),
    }
}

/// What `error` means, and what helps.
pub fn remedy(error: Errno) -> String {
    let text = match error {
        Errno::EPERM => {
            "not permitted: a filter of system calls (a container's seccomp profile, systemd's SystemCallFilter) or a \
             security policy (AppArmor, SELinux: see the kernel's log) denies it"
        }
        Errno::ENOSYS => {
            "not known here: the kernel is too old, or a filter of system calls (a container's seccomp profile) hides it"
        }
        Errno::EAGAIN => "too many processes: raise the limit (ulimit -u, systemd's TasksMax) or lower `concurrency`",
        Errno::EMFILE | Errno::ENFILE => {
            "too many open files: raise the limit (ulimit -Hn, systemd's LimitNOFILE) or lower `concurrency`"
        }
        Errno::ENOMEM => "no memory",
        _ => return format!("{} ({error:?})", error.desc()),
    };
    text.into()
}
