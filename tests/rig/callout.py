"""Callouts without a server: tests/bench/callout.cc loads a hook library as Kea does, and calls one hook point again and
again."""

import json
import os
import re
import subprocess

from .kea import REPOSITORY, version

SOURCES, SHIM = REPOSITORY / "tests" / "bench", REPOSITORY / "cpp-shim"
NO_CALLOUT = 3    # the program's exit status if the library has nothing at the hook point
# What the server that loads a library has of Kea; a library finds its symbols there.
LIBRARIES = ["dhcpsrv", "hooks", "process", "stats", "log", "cc", "asiolink", "util", "exceptions"]


class NoCallout(Exception):
    """The library has nothing at the hook point."""


def compiled():
    """Compiles the program for the Kea that is installed, unless that is done; returns its path."""
    program = REPOSITORY / "build" / "bench" / f"callout-{'.'.join(map(str, version()))}"
    sources = [*SOURCES.glob("*.cc"), *SOURCES.glob("*.h"), SHIM / "versions.h"]
    if program.exists() and all(source.stat().st_mtime < program.stat().st_mtime for source in sources):
        return program
    program.parent.mkdir(parents=True, exist_ok=True)
    kea = os.environ.get("KEA_INCLUDE", "/usr/include/kea")
    # As build.rs does it.
    old = [] if os.path.exists(f"{kea}/dhcpsrv/cfg_globals.h") else [f"-I{SHIM}/kea-2.2"]
    libraries = [*LIBRARIES, *(["dhcp", "config"] if version() >= (3,) else ["dhcp++", "cfgclient"])]
    # callgrind is to see the function that it counts in, which must not end in a jump to another.
    subprocess.run(["c++", "-std=c++17", "-O1", "-fno-optimize-sibling-calls", "-Wall", "-Wextra", "-Werror", *old,
                    f"-I{SHIM}/without-tls", f"-isystem{kea}", f"-I{SHIM}", "-o", f"{program}.new", SOURCES / "callout.cc",
                    "-Wl,--no-as-needed", *(f"-lkea-{library}" for library in libraries)], check=True)
    os.rename(f"{program}.new", program)
    return program


class Callout:
    """A process in which a library is loaded, ready to have a hook point called. `library` is an entry of hooks-libraries."""

    def __init__(self, library, hook_point, wrapper=(), **options):
        self.name = f"{library['library']} at {hook_point}"
        chosen = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", str(value))]
        command = [*wrapper, compiled(), *chosen, library["library"], json.dumps(library["parameters"]), hook_point]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env={**os.environ, "KEA_LOCKFILE_DIR": "none"})

    def ready(self):
        """Waits until the library is loaded and warm."""
        self._answer()
        return self

    def batch(self):
        """Calls the hook point so many times; returns what that took: median, mean, p99, min, in microseconds."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        answer = self._answer()
        assert answer.pop("losses") == 0, f"{self.name}: events were lost"
        return answer

    def _answer(self):
        line = self.process.stdout.readline()
        if not line and self.process.wait() == NO_CALLOUT:
            raise NoCallout(self.name)
        assert line, f"{self.name}: the program ended with {self.process.returncode}"
        return json.loads(line)

    def close(self):
        self.process.stdin.close()
        assert self.process.wait() == 0, f"{self.name}: the program ended with {self.process.returncode}"

    def __enter__(self):
        return self

    def __exit__(self, failure, *_):
        if failure is None:
            return self.close()
        self.process.kill()
        self.process.wait()


def instructions(library, hook_point, directory, batches=3, calls=100, **options):
    """How many instructions Kea's thread executes in a callout, on average of each batch. The kernel's do not count."""
    report = directory / "callgrind"
    wrapper = ["valgrind", "--quiet", "--tool=callgrind", "--separate-threads=yes", "--toggle-collect=in_callouts",
               "--dump-before=end_of_batch", f"--callgrind-out-file={report}"]
    with Callout(library, hook_point, wrapper, calls=calls, warm_up=calls, **options) as callout:
        callout.ready()
        for _ in range(batches):
            callout.batch()
    # The first report is the warm-up's, and the first thread Kea's.
    texts = [directory.joinpath(f"callgrind.{2 + batch}-01").read_text() for batch in range(batches)]
    return [int(re.search(r"^totals: (\d+)$", text, re.M)[1]) / calls for text in texts]
