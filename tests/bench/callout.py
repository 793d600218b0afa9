"""What a callout costs Kea's thread: ours in each mode, Kea's own libdhcp_run_script, and a peer. Prints tables, keeps
their figures; asserts nothing about time.

    tests/run -s tests/bench/callout.py
    PEER=/path/to/peer.so tests/run -s tests/bench/callout.py    # also PEER_NAME, and PEER_PARAMETERS in JSON

In each round, the subjects take turns at a batch of calls, with pauses as between the packets of a busy server.
"""

import json
import os
import subprocess
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import pytest

from figures import Figure, keep
from rig.callout import Callout, NoCallout, instructions
from rig.kea import hook
from rig.programs import compiled
from rig.recorder import write_script

ROUNDS = 5
CALLS, EVERY = 200, 500    # calls in a batch, and the microseconds from one to the next
SPAWNS = 300
LEASES = [1_000, 1_000_000]

HOOK_POINTS = ["pkt4_receive", "leases4_committed", "lease4_renew", "lease6_select", "leases6_committed", "lease6_renew"]
# All libraries have it.
COMMON = "lease4_renew"

kept = []


@pytest.fixture(scope="module", autouse=True)
def figures():
    """Keeps what all tests of this file have found."""
    yield
    keep("callout", kept)


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    directory = tmp_path_factory.mktemp("programs")
    return {name: compiled(name, directory) for name in ("echo", "nothing", "spawn")}


def run_script():
    """Kea's own library that runs scripts, in the hooks directory of Debian's kea-dev or elsewhere."""
    directory = os.environ.get("KEA_HOOKS_PATH")
    found = [Path(directory)] if directory else Path("/usr/lib").glob("*/kea/hooks")
    return next((path for path in (one / "libdhcp_run_script.so" for one in found) if path.exists()), None)


def ours(programs, hook_point):
    """Our library by the name of what it does; with `wait`, Kea waits until the program has answered or ended."""
    daemon, script = programs["echo"], programs["nothing"]
    return {
        "daemon, not waiting": hook(daemon, mode="daemon", wait=False, hook_points=[hook_point]),
        "daemon, not waiting, in memory": hook(daemon, mode="daemon", wait=False, hook_points=[hook_point], spool=False),
        "daemon, waiting": hook(daemon, mode="daemon", wait=True, hook_points=[hook_point]),
        "exec, not waiting": hook(script, wait=False, hook_points=[hook_point]),
        "exec, not waiting, in memory": hook(script, wait=False, hook_points=[hook_point], spool=False),
        "exec, waiting": hook(script, wait=True, hook_points=[hook_point]),
    }


def others(programs):
    script, found = str(programs["nothing"]), {}
    if library := run_script():
        found["libdhcp_run_script"] = {"library": str(library), "parameters": {"name": script, "sync": False}}
    if peer := os.environ.get("PEER"):
        parameters = os.environ.get("PEER_PARAMETERS", '{"script": "{script}", "wait": true}').replace("{script}", script)
        found[os.environ.get("PEER_NAME", Path(peer).name)] = {"library": peer, "parameters": json.loads(parameters)}
    return found


def in_turns(libraries, hook_point, **options):
    """The median of a callout in each round, in microseconds, by library; without those that have no callout there."""
    return all_in_turns({name: (library, options) for name, library in libraries.items()}, hook_point)


def all_in_turns(processes, hook_point):
    """The same of libraries with options of their own."""
    values = {}
    with ExitStack() as stack:
        # All load at the same time, which a million leases take their while for.
        started = {name: Callout(library, hook_point, **{"calls": CALLS, "every": EVERY, **options})
                   for name, (library, options) in processes.items()}
        for name, callout in started.items():
            try:
                values[name] = (stack.enter_context(callout.ready()), [])
            except NoCallout:
                print(f"{name}: nothing at {hook_point}")
        for _ in range(ROUNDS):
            for callout, medians in values.values():
                medians.append(callout.batch()["median"])
    return {name: medians for name, (_, medians) in values.items()}


def report(table, unit, setting, values):
    """Prints and keeps the figures of one setting."""
    print(f"\n{table}: {setting} ({unit})")
    for subject, numbers in values.items():
        kept.append(Figure(table, unit, setting, subject, tuple(round(number, 3) for number in numbers)))
        print(f"  {subject:50} {median(numbers):12.1f}  ({min(numbers):.1f} to {max(numbers):.1f})")


@pytest.mark.parametrize("hook_point", HOOK_POINTS)
def test_time(programs, hook_point):
    libraries = {**ours(programs, hook_point), **others(programs)}
    report("Time of a callout, in Kea's thread", "µs", hook_point, in_turns(libraries, hook_point))


def event_size(directory):
    """The bytes of an event's variables."""
    size = directory / "size"
    script = write_script(directory / "measure", f"#!/bin/sh\n/usr/bin/env | /usr/bin/wc -c > {size}\n")
    library = hook(script, wait=True, hook_points=["leases4_committed"])
    with Callout(library, "leases4_committed", warm_up=1) as callout:
        callout.ready()
    return int(size.read_text())


@pytest.mark.parametrize("what", ["a program in C", "a shell script"])
def test_against_posix_spawn(programs, tmp_path, what):
    script = programs["nothing"] if what == "a program in C" else write_script(tmp_path / "script", "#!/bin/sh\nexit 0\n")
    size = event_size(tmp_path)
    values = {name: [] for name in ("exec, waiting", "posix_spawn and wait", "round trip to a process", "both")}
    library = hook(script, wait=True, hook_points=["leases4_committed"])
    with Callout(library, "leases4_committed", calls=SPAWNS, every=EVERY) as callout:
        callout.ready()
        for _ in range(ROUNDS):
            values["exec, waiting"].append(callout.batch()["median"])
            bare = json.loads(subprocess.check_output([programs["spawn"], script, str(SPAWNS), str(size)]))
            values["posix_spawn and wait"].append(bare["spawn"])
            values["round trip to a process"].append(bare["round_trip"])
            values["both"].append(bare["spawn"] + bare["round_trip"])
    report("A waiting exec event against posix_spawn and wait", "µs", f"{what}, {size} bytes of variables", values)


def test_leases_in_memory(programs):
    libraries = {**ours(programs, COMMON), **others(programs)}
    del libraries["exec, not waiting"]
    # Forks of a large process take long.
    found = all_in_turns({(name, leases): (library, {"calls": 50, "warm_up": 20, "leases": leases})
                          for name, library in libraries.items() for leases in LEASES}, COMMON)
    for leases in LEASES:
        values = {name: medians for (name, count), medians in found.items() if count == leases}
        report("Cost of an event by leases in memory", "µs", f"{leases:,} leases, {COMMON}", values)


@pytest.mark.parametrize("hook_point", HOOK_POINTS)
def test_instructions(programs, tmp_path, hook_point):
    """Those of user space; what the kernel does for a callout, such as a fork, shows in the times only."""
    values = {}
    for name, library in {**ours(programs, hook_point), **others(programs)}.items():
        try:
            values[name] = instructions(library, hook_point, tmp_path, batches=1, calls=50)
        except NoCallout:
            print(f"{name}: nothing at {hook_point}")
    report("Instructions of a callout", "instructions", hook_point, values)
