//! What Rust cannot check: becoming a process of our own, starting a program, and the status of its end.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::fs;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::thread;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::resource::{Resource, getrlimit};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::unistd::{ForkResult, Pid, fork, getppid, getsid, pipe2, setsid};

use crate::syscall::failed;

/// Closes all descriptors but 0, 1 and 2: Kea opens sockets without close-on-exec, and its ports would stay
/// taken for as long as we live.
pub fn close_inherited() {
    // SAFETY: nothing has been opened yet, so no object of ours owns any of them.
    if unsafe { close_all() } != 0 {
        inherited().into_iter().for_each(|fd| {
            // SAFETY: the same.
            unsafe { libc::close(fd) };
        });
    }
}

/// Closes all but 0, 1 and 2. Linux 5.9 has the call, and a container's filter of system calls may not know it.
///
/// # Safety
///
/// No object may own any of them.
unsafe fn close_all() -> libc::c_long {
    // SAFETY: our caller's.
    unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, 0) }
}

/// What may be open: as /proc lists it, else all numbers that we could open.
fn inherited() -> Vec<RawFd> {
    /// Where the limit is higher, Kea has not as many by far.
    const MOST: libc::rlim_t = 1 << 20;
    let name = |entry: fs::DirEntry| entry.file_name().to_str()?.parse().ok();
    match fs::read_dir("/proc/self/fd") {
        Ok(entries) => entries.flatten().filter_map(name).filter(|fd| *fd > 2).collect(),
        Err(_) => {
            let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap_or((MOST, MOST));
            (3..hard.min(MOST) as RawFd).collect()
        }
    }
}

/// No signal is ignored any more, which scripts would inherit, and all are blocked: none but KILL reaches us, and
/// a write to a closed socket is an error and no SIGPIPE.
pub fn own_signals() -> nix::Result<()> {
    (1..=libc::SIGRTMAX()).for_each(heed);
    SigSet::all().thread_set_mask()
}

/// Gives an ignored signal its default disposition. Not through libc, which refuses two that it uses itself, and
/// some parents (coreutils' timeout) leave these ignored.
fn heed(signal: c_int) {
    /// Covers the kernel's `struct sigaction`, which begins with the handler and is the default if all is zero.
    type Action = [usize; 8];
    const MASK_BYTES: usize = 8;
    let (default, mut action): (Action, Action) = ([0; 8], [0; 8]);
    let none = ptr::null::<Action>();
    // SAFETY: the kernel writes no more than its structure.
    unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, none, &raw mut action, MASK_BYTES) };
    if action[0] == libc::SIG_IGN {
        // SAFETY: the same for reading; no handler is involved.
        unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, &raw const default, none, MASK_BYTES) };
    }
}

/// Goes on as an orphan in a session of its own: no child of Kea, which takes the status of any child it
/// finds, and out of reach of a terminal. Where Kea is process 1, all orphans are its children: it waits for this very
/// process there.
pub fn detach() -> Result<(), String> {
    if getppid() != INIT {
        // SAFETY: there is no other thread yet, so the child can do whatever the parent could.
        match unsafe { fork() }.map_err(|error| failed("fork", error))? {
            // SAFETY: `_exit` only ends the process; what `exit` would flush or destroy is the child's.
            ForkResult::Parent { .. } => unsafe { libc::_exit(0) },
            ForkResult::Child => {}
        }
    }
    match setsid() {
        // A wrapper has done it.
        Err(_) if getsid(None) == Ok(Pid::this()) => Ok(()),
        done => done.map(drop).map_err(|error| failed("setsid", error)),
    }
}

/// Reaps the children of this very thread that have ended; whether it has others.
pub fn reap_own() -> bool {
    loop {
        // SAFETY: no status is written.
        match unsafe { libc::waitpid(-1, ptr::null_mut(), libc::WNOHANG | libc::__WNOTHREAD) } {
            0 => return true,
            error if error < 0 => return false,
            _ => {}
        }
    }
}

/// Whether somebody wants this process to end: SIGTERM is blocked, and waits.
pub fn is_told_to_end() -> bool {
    let mut pending = *SigSet::empty().as_ref();
    // SAFETY: the first writes the set, the second reads it.
    unsafe { libc::sigpending(&raw mut pending) == 0 && libc::sigismember(&raw const pending, libc::SIGTERM) == 1 }
}

/// Process 1, to which orphans are given.
const INIT: Pid = Pid::from_raw(1);

/// A program with all that its start needs.
pub struct Program<'a> {
    pub path: &'a CStr,
    pub arguments: &'a [&'a CStr],
    pub environment: &'a [&'a CStr],
    /// Standard input, output, error.
    pub standard: [BorrowedFd<'a>; 3],
    /// RLIMIT_NOFILE, soft and hard.
    pub open_files: (libc::rlim_t, libc::rlim_t),
}

/// A started program. Its pid is its process group too, and stays its own until [`reap`].
pub struct Child {
    pub pid: Pid,
    /// Readable when the program has ended: a pidfd, or a pipe where there is none.
    pub end: OwnedFd,
}

/// How a program ended.
#[derive(Debug, PartialEq)]
pub enum End {
    Exit(i32),
    Signal { number: i32, core_dumped: bool },
}

/// Starts a program as `posix_spawn` does: the child borrows our memory until it is another program, so that
/// nothing is copied, and tells through it why it could not become that. `posix_spawn` itself cannot arrange
/// for the child to die with us.
///
/// The child dies with the *thread* that calls this.
pub fn spawn(program: &Program) -> nix::Result<Child> {
    let arguments = pointers(program.arguments);
    let environment = pointers(program.environment);
    let mut start = Start {
        parent: Pid::this().as_raw(),
        path: program.path.as_ptr(),
        arguments: arguments.as_ptr(),
        environment: environment.as_ptr(),
        standard: program.standard.map(|fd| fd.as_raw_fd()),
        open_files: libc::rlimit { rlim_cur: program.open_files.0, rlim_max: program.open_files.1 },
        no_signals: *SigSet::empty().as_ref(),
        error: 0,
    };
    const STACK: usize = 64 * 1024 / size_of::<u128>();
    let mut stack: Vec<u128> = Vec::with_capacity(STACK);
    let mut pidfd: RawFd = -1;
    // The child shares our memory: a handler that ran in it would run on our data.
    let mask = SigSet::all().thread_swap_mask(nix::sys::signal::SigmaskHow::SIG_SETMASK)?;
    let mut clone = |wish| {
        // SAFETY: `become_program` fits the stack, of which we pass the upper end. VFORK keeps this thread here
        // until the child is done with it, with `start`, and with all that `start` points to.
        Errno::result(unsafe {
            let top = stack.as_mut_ptr().add(STACK).cast();
            let flags = libc::CLONE_VM | libc::CLONE_VFORK | wish | libc::SIGCHLD;
            libc::clone(become_program, top, flags, (&raw mut start).cast(), &raw mut pidfd)
        })
    };
    let pid = match clone(libc::CLONE_PIDFD) {
        Err(Errno::EPERM | Errno::ENOSYS | Errno::EINVAL) => clone(0),
        pid => pid,
    };
    mask.thread_set_mask()?;
    let pid = Pid::from_raw(pid?);
    // SAFETY: the kernel has made this descriptor for us.
    let pidfd = (pidfd >= 0).then(|| unsafe { OwnedFd::from_raw_fd(pidfd) });
    // SAFETY: `start` is alive; the child, which has written to it, is not.
    let error = unsafe { (&raw const start.error).read_volatile() };
    match pidfd.map_or_else(|| pipe_until_end(pid), Ok) {
        Ok(end) if error == 0 => Ok(Child { pid, end }),
        other => {
            let _ = kill(pid, Signal::SIGKILL);
            reap(pid)?;
            Err(other.err().unwrap_or(Errno::from_raw(error)))
        }
    }
}

/// What is readable when this child has ended, for a kernel before 5.2, or a filter that denies pidfds: a thread waits
/// for the end, and leaves it to be reaped.
fn pipe_until_end(pid: Pid) -> nix::Result<OwnedFd> {
    let (end, held) = pipe2(OFlag::O_CLOEXEC)?;
    let wait = move || {
        // SAFETY: all zeros is a valid siginfo_t.
        let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
        let flags = libc::WEXITED | libc::WNOWAIT;
        // SAFETY: `info` outlives the call, which writes nothing else. All signals are blocked here: nothing interrupts it.
        unsafe { libc::waitid(libc::P_PID, pid.as_raw() as libc::id_t, &raw mut info, flags) };
        drop(held);
    };
    thread::Builder::new().name("end".into()).stack_size(64 * 1024).spawn(wait).map_err(|_| Errno::EAGAIN)?;
    Ok(end)
}

fn pointers(strings: &[&CStr]) -> Vec<*const c_char> {
    strings.iter().map(|string| string.as_ptr()).chain([ptr::null()]).collect()
}

/// What the child needs, prepared: it may not allocate.
struct Start {
    parent: libc::pid_t,
    path: *const c_char,
    arguments: *const *const c_char,
    environment: *const *const c_char,
    standard: [RawFd; 3],
    open_files: libc::rlimit,
    no_signals: libc::sigset_t,
    error: c_int,
}

extern "C" fn become_program(start: *mut c_void) -> c_int {
    // SAFETY: `spawn` passes its `Start`, waits for us, and touches nothing of it meanwhile. These are plain
    // system calls on our own process; none allocates or takes a lock.
    unsafe {
        let start = &mut *start.cast::<Start>();
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        if libc::getppid() != start.parent {
            libc::_exit(127);
        }
        let [input, output, error] = start.standard;
        let ready = libc::setpgid(0, 0) == 0
            && libc::dup2(input, 0) == 0
            && libc::dup2(output, 1) == 1
            && libc::dup2(error, 2) == 2
            && libc::setrlimit(libc::RLIMIT_NOFILE, &raw const start.open_files) == 0
            && libc::sigprocmask(libc::SIG_SETMASK, &raw const start.no_signals, ptr::null_mut()) == 0;
        if ready {
            // Another lane's script has ended when its pipes say so, and we hold copies. If this fails, exec closes them,
            // which is late but does no harm.
            close_all();
            libc::execve(start.path, start.arguments, start.environment);
        }
        start.error = Errno::last_raw();
        libc::_exit(127)
    }
}

/// Waits for the end of this very program and takes its status. Nobody else takes it: its number is its own until then.
pub fn reap(pid: Pid) -> nix::Result<End> {
    let mut status = 0;
    // SAFETY: `status` outlives the call, which writes nothing else.
    while let Err(error) = Errno::result(unsafe { libc::waitpid(pid.as_raw(), &raw mut status, 0) }) {
        if error != Errno::EINTR {
            return Err(error);
        }
    }
    match libc::WIFEXITED(status) {
        true => Ok(End::Exit(libc::WEXITSTATUS(status))),
        false => Ok(End::Signal { number: libc::WTERMSIG(status), core_dumped: libc::WCOREDUMP(status) }),
    }
}
