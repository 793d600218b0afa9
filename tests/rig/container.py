#!/usr/bin/python3
"""Runs a command as a container of Docker's runs it: container.py WRITABLE... -- COMMAND

It is process 1, its root is read-only but for these directories, /dev has what Docker puts there and no shm, a filter denies
the system calls that Docker's default profile denies, and its user is nobody, with the capabilities that Kea needs.
SIGTERM is passed on; the exit code is the command's. The network stays the caller's.
"""

import ctypes
import os
import signal
import struct
import subprocess
import sys
from pathlib import Path

if __name__ == "__main__":
    # As a program, `rig` is not known.
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from rig import processes, seccomp
from rig.kea import HOOK, Kea
from rig.wait import wait_until

CAPABILITIES = "-all,+net_raw,+net_bind_service"
NOBODY, NOGROUP = 65534, 65534
DEVICES = "null", "zero", "full", "random", "urandom"

# linux/sched.h, linux/mount.h, linux/fcntl.h
CLONE_NEWNS, CLONE_NEWPID = 0x00020000, 0x20000000
MOUNT_SETATTR, MOUNT_ATTR_RDONLY, AT_RECURSIVE, AT_FDCWD = 442, 1, 0x8000, -100
libc = ctypes.CDLL(None, use_errno=True)


def call(name, *arguments):
    result = getattr(libc, name)(*arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), name)
    return result


def read_only(place, yes=True, below=False):
    """A mount, with those below it."""
    attributes = struct.pack("=4Q", MOUNT_ATTR_RDONLY if yes else 0, 0 if yes else MOUNT_ATTR_RDONLY, 0, 0)
    call("syscall", MOUNT_SETATTR, AT_FDCWD, str(place).encode(), AT_RECURSIVE if below else 0, attributes, len(attributes))


def furnish(writable):
    """The mounts."""
    def mount(*arguments):
        subprocess.run(["mount", *map(str, arguments)], check=True)
    mount("--make-rprivate", "/")
    mount("-t", "proc", "proc", "/proc")
    dev = Path(writable[0]) / "dev"
    dev.mkdir(exist_ok=True)
    for device in DEVICES:
        (dev / device).touch()
        mount("--bind", f"/dev/{device}", dev / device)
    mount("--rbind", dev, "/dev")
    for place in writable:
        mount("--bind", place, place)
    read_only("/", below=True)
    for place in writable:
        read_only(place, yes=False)


def run(writable, command):
    call("unshare", CLONE_NEWNS | CLONE_NEWPID)
    if (server := os.fork()) == 0:
        furnish(writable)
        seccomp.install(seccomp.RULES_OF_DOCKER)
        os.execvp("setpriv", ["setpriv", f"--reuid={NOBODY}", f"--regid={NOGROUP}", "--clear-groups", f"--inh-caps={CAPABILITIES}",
                              f"--ambient-caps={CAPABILITIES}", f"--bounding-set={CAPABILITIES}", *command])
    signal.signal(signal.SIGTERM, lambda *_: os.kill(server, signal.SIGTERM))
    return os.waitstatus_to_exitcode(os.waitpid(server, 0)[1])


class Contained(Kea):
    """A server in a container; it may write to its own directory alone."""

    def __init__(self, family, config, directory, *arguments, **parameters):
        Path(directory).mkdir(parents=True, exist_ok=True)
        os.chown(directory, NOBODY, NOGROUP)
        wrapper = [sys.executable, __file__, str(directory), "--"]
        super().__init__(family, config, directory, *arguments, wrapper=wrapper, **parameters)

    def kill(self):
        for pid in processes.children(self.process.pid):
            os.kill(pid, signal.SIGKILL)
        super().kill()

    @property
    def server(self):
        """The id of Kea, out here."""
        [pid] = processes.children(self.process.pid)
        return pid

    def zombies(self):
        return [pid for pid, state in inhabitants().items() if state == "Z"]

    def wait_for_no_zombie(self):
        wait_until(lambda: not self.zombies(), lambda: f"a container without zombies ({len(self.zombies())} there)")


def inhabitants():
    """The state of each process in a process namespace below ours, by its id there."""
    found = {}
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
        except (FileNotFoundError, ProcessLookupError):
            continue
        if inner := fields["NSpid"].split()[1:]:
            found[int(inner[0])] = fields["State"].split()[0]
    return found


def possible():
    """Whether this user can be nobody too, who can read the library; an ordinary user's namespace has one user."""
    users = sum(int(line.split()[2]) for line in Path("/proc/self/uid_map").read_text().splitlines())
    return users > NOBODY and all(place.stat().st_mode & 0o001 for place in HOOK.parents)


if __name__ == "__main__":
    end = sys.argv.index("--")
    sys.exit(run(sys.argv[1:end], sys.argv[end + 1:]))
