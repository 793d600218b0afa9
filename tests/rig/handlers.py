"""Handlers that read the lines themselves: daemons, and servers on a socket. tests/programs/handler.py is both."""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass

from . import processes
from .kea import hook
from .programs import SOURCES
from .recorder import write_script
from .wait import wait_until

PROGRAM = SOURCES / "handler.py"
MODES = ["daemon", "socket"]


# What is in a diary besides events.
MARKS = ["hello", "end", "read", "answered"]


@dataclass(frozen=True)
class Entry:
    """One event in a handler's diary."""

    pid: int
    lane: int
    seq: int
    hook: str
    mac: str
    deed: str


class Handler:
    """The handler of a test, in one of the two modes."""

    def __init__(self, mode, directory):
        self.mode, self.directory = mode, directory
        self.diary, self.socket = directory / "diary", directory / "socket"
        self.process = None
        self.script = write_script(directory / "handler", f'#!/bin/sh\nexec {sys.executable} {PROGRAM} "$@"\n')

    def hook(self, **parameters):
        """The library with this handler."""
        if self.mode == "daemon":
            return hook(self.script, mode="daemon", args=[str(self.diary)], **parameters)
        return hook(socket=str(self.socket), **parameters)

    def launch(self):
        """Starts the server; a daemon is started by the library."""
        if self.mode == "socket":
            self.socket.unlink(missing_ok=True)
            self.process = subprocess.Popen([self.script, self.diary, self.socket])
            wait_until(self.socket.exists, "the handler's socket")
        return self

    def kill(self):
        """Ends it, by force; of the daemons, one."""
        if self.mode == "daemon":
            os.kill(self.pids()[0], signal.SIGKILL)
        elif self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def pids(self):
        """The daemons that run."""
        arguments = [str(PROGRAM).encode(), str(self.diary).encode()]
        return sorted(pid for pid, argv in processes.processes().items() if argv[1:3] == arguments)

    def _lines(self):
        text = self.diary.read_text() if self.diary.exists() else ""
        return [line.split(" ", 5) for line in text.splitlines()]

    def hellos(self):
        """Process and connection of each greeting so far."""
        return [(int(pid), int(lane)) for pid, lane, _, what, *_ in self._lines() if what == "hello"]

    def ends(self):
        """How often a connection has come to its end."""
        return sum(what == "end" for _, _, _, what, *_ in self._lines())

    def events(self):
        rows = [row for row in self._lines() if row[3] not in MARKS]
        return [Entry(int(pid), int(lane), int(seq), *rest) for pid, lane, seq, *rest in rows]

    def seen(self):
        """Hardware address and hook point of each event so far."""
        return [(entry.mac, entry.hook) for entry in self.events()]

    def came(self):
        """Lane and hook point of each line that has come, and the hook points of those before it that were unanswered then."""
        unanswered, came = {}, []
        for pid, lane, seq, what, *rest in self._lines():
            here = unanswered.setdefault((int(pid), int(lane)), {})
            if what == "read":
                came.append(((int(pid), int(lane)), rest[0], list(here.values())))
                here[seq] = rest[0]
            elif what == "answered":
                here.pop(seq, None)
        return came

    def wait(self, count):
        return wait_until(lambda: self.events() if len(self.events()) >= count else None,
                          lambda: f"{count} events (seen: {self.events()})")

    def touch(self, name):
        (self.directory / name).touch()


@contextmanager
def handler(mode, directory, ahead=None):
    """A handler, which is gone at the end; `ahead` is what its hello says."""
    if ahead is not None:
        (directory / "ahead").write_text(str(ahead))
    one = Handler(mode, directory).launch()
    try:
        yield one
    finally:
        for name in ("go", "on", "awake"):
            one.touch(name)
        if one.mode == "socket":
            one.kill()
