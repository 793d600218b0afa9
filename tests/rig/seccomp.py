#!/usr/bin/python3
"""Runs a command under a filter that denies system calls: seccomp.py CALL=ERROR... -- COMMAND

    seccomp.py close_range=ENOSYS clone.pidfd=EPERM -- kea-dhcp4 -c FILE

A filter as a container's profile or systemd's SystemCallFilter makes it (seccomp(2)); nothing else of the command changes.
"""

import ctypes
import errno
import os
import platform
import struct
import sys

from dataclasses import dataclass

AUDIT_ARCH, COLUMN = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}.get(platform.machine(), (None, None))

# Numbers of calls; those since Linux 5.1 are the same everywhere. None: this architecture has no such call.
NUMBERS = {
    "clone": (56, 220), "waitid": (247, 95), "setsid": (112, 157), "eventfd2": (290, 19), "signalfd4": (289, 74),
    "fdatasync": (75, 83), "sched_getaffinity": (204, 123), "prctl": (157, 167), "statx": (332, 291), "pidfd_open": (434,) * 2,
    "clone3": (435,) * 2, "close_range": (436,) * 2, "openat2": (437,) * 2, "faccessat2": (439,) * 2, "epoll_pwait2": (441,) * 2,
    # What Docker's default profile allows with capabilities only that a container is not given, or never.
    "acct": (163, 89), "add_key": (248, 217), "bpf": (321, 280), "clock_adjtime": (305, 266), "clock_settime": (227, 112),
    "delete_module": (176, 106), "fanotify_init": (300, 262), "finit_module": (313, 273), "fsconfig": (431,) * 2,
    "fsmount": (432,) * 2, "fsopen": (430,) * 2, "fspick": (433,) * 2, "init_module": (175, 105), "io_uring_enter": (426,) * 2,
    "io_uring_register": (427,) * 2, "io_uring_setup": (425,) * 2, "ioperm": (173, None), "iopl": (172, None),
    "kcmp": (312, 272), "kexec_file_load": (320, 294), "kexec_load": (246, 104), "keyctl": (250, 219), "lookup_dcookie": (212, 18),
    "mount": (165, 40), "mount_setattr": (442,) * 2, "move_mount": (429,) * 2, "open_by_handle_at": (304, 265),
    "open_tree": (428,) * 2, "perf_event_open": (298, 241), "pidfd_getfd": (438,) * 2, "pivot_root": (155, 41),
    "process_madvise": (440,) * 2, "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "ptrace": (101, 117),
    "quotactl": (179, 60), "quotactl_fd": (443,) * 2, "reboot": (169, 142), "request_key": (249, 218), "setdomainname": (171, 162),
    "sethostname": (170, 161), "setns": (308, 268), "settimeofday": (164, 170), "swapoff": (168, 225), "swapon": (167, 224),
    "syslog": (103, 116), "umount2": (166, 39), "unshare": (272, 97), "userfaultfd": (323, 282), "vhangup": (153, 58),
}

CLONE_NEW = 0x7E020000    # CLONE_NEWNS, -CGROUP, -UTS, -IPC, -USER, -PID, -NET
PARTS = {"clone.pidfd": ("clone", 0, 0x1000), "clone.namespaces": ("clone", 0, CLONE_NEW)}
"""Calls with one of these bits in this argument."""

RULES_OF_DOCKER = [*(f"{call}=EPERM" for call in list(NUMBERS)[list(NUMBERS).index("acct"):]), "clone.namespaces=EPERM", "clone3=ENOSYS"]
"""For a container without capabilities of the host's."""

# linux/bpf_common.h, linux/seccomp.h, linux/prctl.h
LOAD, JUMP_EQUAL, JUMP_ANY_BIT, RETURN = 0x20, 0x15, 0x45, 0x06
ALLOW, ERRNO = 0x7FFF0000, 0x00050000
PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2
NUMBER, ARCHITECTURE, ARGUMENTS = 0, 4, 16    # in struct seccomp_data


@dataclass(frozen=True)
class Rule:
    """CALL=ERROR."""

    number: int
    error: int
    argument: int = 0
    bits: int = 0

    @classmethod
    def parse(cls, text):
        name, _, error = text.partition("=")
        call, argument, bits = PARTS.get(name, (name, 0, 0))
        return cls(NUMBERS[call][COLUMN], getattr(errno, error), argument, bits)

    def program(self):
        deny = (RETURN, 0, 0, ERRNO | self.error)
        if not self.bits:
            return [(LOAD, 0, 0, NUMBER), (JUMP_EQUAL, 0, 1, self.number), deny]
        return [(LOAD, 0, 0, NUMBER), (JUMP_EQUAL, 0, 3, self.number),
                (LOAD, 0, 0, ARGUMENTS + 8 * self.argument), (JUMP_ANY_BIT, 0, 1, self.bits), deny]


def install(rules):
    """For this process and all that it starts, for good. Root may do that without forgoing setuid programs."""
    rules = [rule for rule in map(Rule.parse, rules) if rule.number is not None]
    foreign = [(LOAD, 0, 0, ARCHITECTURE), (JUMP_EQUAL, 1, 0, AUDIT_ARCH), (RETURN, 0, 0, ALLOW)]
    program = [*foreign, *(step for rule in rules for step in rule.program()), (RETURN, 0, 0, ALLOW)]
    steps = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in program))
    header = struct.pack("@HP", len(program), ctypes.addressof(steps))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.create_string_buffer(header), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_SECCOMP)")


def denying(*rules):
    """The wrapper of a command, for Kea(wrapper=)."""
    return [sys.executable, __file__, *rules, "--"]


if __name__ == "__main__":
    end = sys.argv.index("--")
    command = sys.argv[end + 1:]
    install(sys.argv[1:end])
    os.execvp(command[0], command)
