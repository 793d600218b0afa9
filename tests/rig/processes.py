"""What the kernel knows of processes; all of this process namespace, which is the tests' own, are in /proc."""

import os
import re
import signal
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from .wait import wait_until


@dataclass(frozen=True)
class Footprint:
    """What a process holds."""

    kilobytes: int      # of memory of its own, resident
    descriptors: int
    threads: int

    @classmethod
    def of(cls, pid):
        status = Path(f"/proc/{pid}/status").read_text()
        resident, threads = (int(re.search(rf"^{name}:\s+(\d+)", status, re.M)[1]) for name in ("RssAnon", "Threads"))
        return cls(resident, len(list(Path(f"/proc/{pid}/fd").iterdir())), threads)


def processes():
    """The command line of each process, by id; of one that has ended and was not waited for, it is empty."""
    found = {}
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            found[int(directory.name)] = (directory / "cmdline").read_bytes().split(b"\0")[:-1]
        except (FileNotFoundError, ProcessLookupError):
            pass
    return found


def runners():
    """The ids of the runners that are at work. Each leads a session, unlike a script that is not yet a script."""
    named = [pid for pid, argv in processes().items() if argv and Path(argv[0].decode()).name == "kea-runscript-runner"]
    return sorted(pid for pid in named if stat(pid)[3:4] == [str(pid)])


def states():
    """How many processes are in which state; Z has ended, and nobody has waited for it."""
    found = Counter()
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            found[path.read_text().rpartition(")")[2].split()[0]] += 1
        except (FileNotFoundError, ProcessLookupError):
            pass
    return found


def stat(pid):
    """State, parent, process group and so on (proc(5), `stat`, from field 3 on); empty if the process is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def alive(pid):
    """Whether the process runs; one that has ended and waits to be reaped does not."""
    return stat(pid)[:1] not in ([], ["Z"], ["X"])


def group(leader):
    """The processes that run in a process group."""
    return [pid for pid in processes() if alive(pid) and stat(pid)[2:3] == [str(leader)]]


def children(parent):
    """The processes that another has started and that run."""
    return [pid for pid in processes() if alive(pid) and stat(pid)[1:2] == [str(parent)]]


def descendants(ancestors):
    """These processes, what they have started, and so on; all that run."""
    found, more = [], list(ancestors)
    while more:
        found += more
        more = [child for pid in more for child in children(pid) if child not in found]
    return found


def threads(pid):
    """The names of a process's threads. One may end meanwhile."""
    names = []
    for path in Path(f"/proc/{pid}/task").glob("*/comm"):
        with suppress(FileNotFoundError, ProcessLookupError):
            names.append(path.read_text().strip())
    return sorted(names)


def wait_for_threads(pid, names):
    """Waits until a process has these threads and no other: one that was joined is in /proc for a moment still."""
    wait_until(lambda: threads(pid) == names, f"{names} as its only threads")


def files(pid):
    """The paths of the files that a process has open."""
    return {path.readlink() for path in Path(f"/proc/{pid}/fd").iterdir()}


def kill_runners():
    """Kills all that there are; one may be about to end by itself."""
    while found := runners():
        for pid in found:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not any(map(alive, found)), "their end")


def kill_runner():
    """Kills the runner as the kernel would for want of memory, and waits until it is gone."""
    pid = wait_until(lambda: runners()[:1], "a runner")[0]
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not alive(pid), "its end")
