"""Sanitizers of gcc's in a server: what `make sanitize` builds the library with, the variable SANITIZER names.

Kea itself is not built with them, so the runtime is loaded before everything else. It writes what it finds to files, and
a test fails after which one of them tells of the library.
"""

import os
import re
import subprocess
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from .programs import made

KIND = os.environ.get("SANITIZER")    # address, thread; none: a plain server
SOURCES = Path(__file__).resolve().parents[1] / "sanitize"

# As in the Makefile.
FLAGS = {"address": ["-fsanitize=address,undefined", "-fno-sanitize=vptr", "-fsanitize-recover=address", "-static-libubsan"],
         "thread": ["-fsanitize=thread"]}
RUNTIME = {"address": "libasan.so", "thread": "libtsan.so"}
MARK = {"address": b"__asan_init", "thread": b"__tsan_init"}

# Of this namespace's own /run.
REPORTS = Path("/run/sanitizer")

# All findings of a run, not only the first; leaks are valgrind's (memcheck.py).
COMMON = {"log_path": REPORTS / "report", "exitcode": 0, "halt_on_error": 0, "stack_trace_format": "'    #%n %f %S (%m)'"}
OPTIONS = {
    "address": {"ASAN_OPTIONS": {**COMMON, "detect_stack_use_after_return": 1, "strict_string_checks": 1, "detect_leaks": 0},
                "UBSAN_OPTIONS": {**COMMON, "print_stacktrace": 1}},
    "thread": {"TSAN_OPTIONS": {**COMMON, "suppressions": SOURCES / "thread.supp", "history_size": 4}}}

TITLE = re.compile(r"(?:WARNING: |ERROR: )\w+Sanitizer:? .*|.*: runtime error: .*")
FRAME = re.compile(r"^ +#(\d+) (.*) \((\S*)\)$")
# What acts for whoever has called it. Not so libc and libstdc++: between them and a function of ours may be Kea's, which
# ThreadSanitizer's stacks do not have.
ON_BEHALF = re.compile(r"/lib[at]san\.so")
FREE = re.compile(r"free |operator delete")
# Stacks that tell where things come from.
ORIGINS = re.compile(r"^  (?:Location|Thread|Mutex) |created at|allocated|freed")


@dataclass
class Finding:
    """A report: its title, and its stacks by their headings, each a list of functions with their files."""

    title: str
    lines: list = field(default_factory=list)
    stacks: list = field(default_factory=list)

    def add(self, line):
        self.lines.append(line)
        frame = FRAME.match(line)
        if frame and frame[1] == "0":
            self.stacks.append((self.lines[-2] if len(self.lines) > 1 else "", []))
        if frame and self.stacks:
            self.stacks[-1][1].append((frame[2], frame[3]))

    def concerns(self, library):
        """Errors of memory: it is in any stack. Races: it is on top of one, and no other is of a block that Kea frees.
        Kea's counts of references, which put that after the last use, are not seen."""
        name = Path(library).name
        if "ThreadSanitizer" not in self.title:
            return not self.stacks or any(Path(file).name == name for _, stack in self.stacks for _, file in stack)
        accesses = [stack for heading, stack in self.stacks if not ORIGINS.search(heading)]
        ours = [Path(top(stack)).name == name for stack in accesses]
        freed_by_kea = any(FREE.match(stack[0][0]) and not is_ours for stack, is_ours in zip(accesses, ours))
        return any(ours) and not freed_by_kea

    def __str__(self):
        return "\n".join([self.title, *self.lines])


def top(stack):
    """The file of the innermost function that acts for itself."""
    return next((file for _, file in stack if not ON_BEHALF.search(file)), "")


def findings():
    """What there is by now of the servers that have ended, or still run."""
    found = []
    for report in sorted(REPORTS.glob("report.*")):
        for line in report.read_text(errors="replace").splitlines():
            if TITLE.match(re.sub(r"^==\d+==", "", line)):
                found.append(Finding(line))
            elif found:
                found[-1].add(line)
    return found


def faults(library):
    return [finding for finding in findings() if finding.concerns(library)]


def forget():
    REPORTS.mkdir(exist_ok=True)
    for report in REPORTS.iterdir():
        report.unlink()


def check(library):
    """Without the sanitizer in it, there would be nothing to find."""
    assert not KIND or MARK[KIND] in Path(library).read_bytes(), f"{library} is not built with the sanitizer {KIND}"


@cache
def environment():
    """What a server is started with."""
    if not KIND:
        return {}
    options = {name: ":".join(f"{key}={value}" for key, value in values.items()) for name, values in OPTIONS[KIND].items()}
    return {"LD_PRELOAD": f"{runtime()} {made('first.so', 'first.c', 'gcc', '-shared', '-fPIC', '-Wl,-z,initfirst')}", **options}


def runtime():
    asked = ["g++", f"-print-file-name={RUNTIME[KIND]}"]
    return subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()


# Their map of the memory has no place for all addresses that Linux may choose.
COMMAND = ["setarch", "-R"] if KIND else []
