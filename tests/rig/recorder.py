"""Scripts for the hook to run, and what they saw."""

import re
from dataclasses import dataclass
from pathlib import Path

from .wait import wait_until

# /proc tells the environment as the hook gave it: a shell adds its own (dash: PWD). Under the lock a call's
# record is whole, and records stand in the order in which the calls began. There is no PATH.
RECORD = """\
#!/bin/sh
exec 9>>{path}.lock
/usr/bin/flock 9
{{ printf '%s\\0' "$#" "$@"; /bin/cat "/proc/$$/environ"; printf '\\0'; }} >>{path}
exec 9>&-
{then}
"""

PRINT = """\
#!/bin/sh
printf '%s\\n' "{text}" >>{path}
{then}
"""


@dataclass(frozen=True)
class Call:
    """One run of the script: its arguments, the first of which is the hook point, and its whole environment."""

    args: list
    env: dict

    @property
    def hook(self):
        return self.args[0]

    def __getitem__(self, variable):
        return self.env[variable]

    def get(self, variable, default=None):
        return self.env.get(variable, default)


def text(data):
    """Bytes that are not UTF-8 survive as surrogates, and compare as such."""
    return data.decode("utf-8", "surrogateescape")


def record_end(data, position):
    """Where the record ends that begins at `position`, or None if it is not yet complete.

    An empty string ends it; an argument may be one, a variable may not.
    """
    head = data.find(b"\0", position)
    arguments = int(data[position:head]) if head >= 0 else 0
    while head >= 0 and arguments:
        head = data.find(b"\0", head + 1)
        arguments -= 1
    end = data.find(b"\0\0", head) if head >= 0 else -1
    return end + 2 if end >= 0 else None


class Recorder:
    """A script that records each call. `then` is shell code that runs afterwards, e.g. "exit 10"."""

    def __init__(self, directory, then="exit 0", name="recorder"):
        self.records = Path(directory) / f"{name}.calls"
        self.script = write_script(Path(directory) / name, RECORD.format(path=self.records, then=then))
        self.seen, self.read_up_to = [], 0

    def calls(self, hook=None):
        """All calls so far, or those of one hook point (a pattern), in the order in which they began."""
        if self.records.exists():
            with open(self.records, "rb") as records:
                records.seek(self.read_up_to)
                self._read(records.read())
        return [call for call in self.seen if hook is None or re.fullmatch(hook, call.hook)]

    def _read(self, data):
        position = 0
        while end := record_end(data, position):
            count, *fields = map(text, data[position:end - 2].split(b"\0"))
            args, env = fields[:int(count)], fields[int(count):]
            self.seen.append(Call(args, dict(variable.split("=", 1) for variable in env)))
            position = end
        self.read_up_to += position

    def wait(self, count=1, hook=None, timeout=10):
        """Waits until `count` calls are there; returns all of them."""
        def enough():
            calls = self.calls(hook)
            return calls if len(calls) >= count else None
        return wait_until(enough, lambda: f"{count} calls of {hook or 'any hook point'} ("
                          f"seen: {' '.join(call.hook for call in self.calls()) or 'none'})", timeout)

    def hooks(self):
        """The hook points called so far, in order."""
        return [call.hook for call in self.calls()]


class Printer:
    """A cheaper script, for many calls: prints one line a call, e.g. Printer(tmp_path, "$1 $KEA_LEASE4_ADDRESS")."""

    def __init__(self, directory, text, then="exit 0", name="printer"):
        self.output = Path(directory) / f"{name}.lines"
        self.script = write_script(Path(directory) / name, PRINT.format(path=self.output, text=text, then=then))

    def lines(self):
        return self.output.read_text().splitlines() if self.output.exists() else []

    def wait(self, count, timeout=10):
        def enough():
            lines = self.lines()
            return lines if len(lines) >= count else None
        return wait_until(enough, lambda: f"{count} lines (seen: {len(self.lines())})", timeout)


def write_script(path, content):
    """Writes a script that may be executed; returns its path."""
    path = Path(path)
    path.write_text(content)
    path.chmod(0o755)
    return path
