"""How many whole exchanges a second Kea serves with a hook library and without, how long one takes, what memory it needs.

    tests/run -s tests/bench/throughput.py -k "v4 and single"

PEER names another library to compare with, PEER_PARAMETERS its parameters ("{script}" stands for the script that ours
runs), PEER_NAME what to call it; ROUNDS how often all is measured. The figures are kept for report.py.
"""

import contextlib
import faulthandler
import json
import os
import random
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from statistics import geometric_mean

import figures
import pytest
from figures import BARE
from load import exchanges, highest, probe
from rig.kea import binary, hook, version
from rig.programs import compiled, library
from rig.service import Service
from rig.wait import wait_until
from servers import Server, Setting, write_leases

ROUNDS = int(os.environ.get("ROUNDS", 5))
LOW, LOW_COUNT = 20, 20         # exchanges a second at which latency is measured (fewer if that is too many), and how many
WARM_UP = 200                   # exchanges before all else; after them, memory is measured
SMALL, MILLION = 1000, 1_000_000

KINDS = {"single-small": (False, SMALL), "single-million": (False, MILLION), "threads-small": (True, SMALL)}
SETTINGS = {f"v{family}-{kind}": Setting(family, threads, leases)
            for family in (4, 6) for kind, (threads, leases) in KINDS.items()}

GROUP = 4                       # subjects that are measured between two measurements of no hook
RESOLUTION = 1.04               # of the highest rate; the machine's moods are larger

UNITS = {"Exchanges a second": "exchanges/s", "Exchanges, beside Kea without a hook": "×",
         "Latency of an exchange at 20 a second": "ms",
         "Events handled a second, at the highest rate": "events/s", "Events dropped, at the highest rate": "%"}


@dataclass(frozen=True)
class Subject:
    """A library that is measured, as an entry of hooks-libraries; None is no library."""

    library: dict | None
    waits: bool = True      # whether Kea's answer means that the script has ended


def subjects(setting, directory, stack):
    """All that are compared in a setting, by name; what they need beside Kea ends with `stack`."""
    daemon, script = compiled("echo", directory), compiled("nothing", directory)
    point = f"leases{setting.family}_committed"
    found = {BARE: Subject(None),
             "exec, waiting": Subject(hook(script)),
             "exec, not waiting": Subject(hook(script, wait=False), waits=False),
             "daemon, waiting": Subject(hook(daemon, mode="daemon")),
             "daemon, not waiting": Subject(hook(daemon, mode="daemon", wait=False), waits=False)}
    # Before Kea 2.6, none of the default hook points can park.
    if version() >= (2, 6):
        found["daemon, park"] = Subject(hook(daemon, mode="daemon", wait="park"))
    plain = not setting.threads and setting.leases == SMALL
    if plain:
        found |= shares(setting.family, point, daemon, directory)
        found |= services({"exec": script, "daemon": daemon}, directory, stack)
    if plain or version() < (2, 6):
        parking = hook(daemon, mode="daemon", wait="park", hook_points=[point])
        found[f"daemon, park, {point} alone"] = Subject(parking)
    return found | others(script)


def shares(family, point, daemon, directory):
    """What tells whose share of the time is whose: measured in the plainest setting only."""
    met = [f"pkt{family}_receive", f"subnet{family}_select", f"lease{family}_select", f"pkt{family}_send"]
    empty = str(library("empty", directory))

    def nothing(at):
        return Subject({"library": empty, "parameters": {"hook-points": at}})

    one_by_one = hook(daemon, mode="daemon", wait=False, args=["one-by-one"])
    alone = {"mode": "daemon", "hook_points": [point]}
    return {"a library that does nothing": nothing(met),
            f"a library that does nothing, {point} alone": nothing([point]),
            "daemon without ahead, not waiting": Subject(one_by_one, waits=False),
            f"daemon, waiting, {point} alone": Subject(hook(daemon, **alone)),
            f"daemon, not waiting, {point} alone": Subject(hook(daemon, **alone, wait=False), waits=False)}


def services(programs, directory, stack):
    """The same programs behind a socket."""
    found = {}
    for mode, program in programs.items():
        (directory / mode).mkdir()
        service = stack.enter_context(Service(directory / mode, program, mode=mode))
        found[f"service, {mode}, waiting"] = Subject(service.hook())
        found[f"service, {mode}, not waiting"] = Subject(service.hook(wait=False), waits=False)
    return found


def others(script):
    """Kea's own library that runs a script, and PEER."""
    theirs = next(Path(binary(4)).resolve().parents[1].glob("lib*/**/kea/hooks/libdhcp_run_script.so"))
    # It never waits, and has no queue: what it has started is at work until it ends.
    found = {"libdhcp_run_script": Subject({"library": str(theirs), "parameters": {"name": str(script), "sync": False}},
                                           waits=False)}
    if peer := os.environ.get("PEER"):
        parameters = os.environ.get("PEER_PARAMETERS") or '{"script": "{script}", "wait": true}'
        library = {"library": str(Path(peer).absolute()), "parameters": json.loads(parameters.replace("{script}", str(script)))}
        found[os.environ.get("PEER_NAME") or Path(peer).name] = Subject(library)
    return found


class Bench:
    """The measurements of one setting: values by table and subject, one for each round."""

    def __init__(self, name, setting, directory, stack):
        self.name, self.setting, self.directory = name, setting, directory
        self.subjects = subjects(setting, directory, stack)
        self.leases = write_leases(setting, directory)
        self.values = defaultdict(lambda: defaultdict(list))
        self.started = time.monotonic()

    def run(self):
        """All rounds; in each, the subjects take turns, and no hook has one every so often: the machine's mood changes."""
        if self.setting.leases == MILLION:
            # Kea takes long to read them. So all servers are started once, and idle while others are measured.
            with self.serving(list(self.subjects)) as servers:
                self.rounds(lambda _: contextlib.nullcontext(servers))
        else:
            self.rounds(self.serving)

    def rounds(self, serving):
        for number in range(ROUNDS):
            names = [name for name in self.subjects if name != BARE]
            before = self.turn(BARE, serving)
            for at in range(0, len(names), GROUP):
                rates = {name: self.turn(name, serving) for name in names[at:at + GROUP]}
                after = self.turn(BARE, serving)
                for name, rate in rates.items():
                    if rate:
                        self.note("Exchanges, beside Kea without a hook", name, rate / geometric_mean([before, after]))
                before = after
            # A run that is broken off has kept what it has.
            figures.keep(f"throughput-{self.name}", self.figures())
            self.say(f"round {number + 1} of {ROUNDS} done after {time.monotonic() - self.started:.0f} s")

    def turn(self, name, serving):
        """The highest rate of a subject; None if it is left out."""
        with serving([name]) as servers:
            return self.measure(name, servers[name]) if name in servers else None

    @contextlib.contextmanager
    def serving(self, names):
        """A server for each of these subjects, side by side; a subject that Kea refuses is left out from then on."""
        servers = {name: Server(self.setting, self.subjects[name].library, self.directory / f"server{number}", self.leases)
                   for number, name in enumerate(names)}
        try:
            for name, server in servers.items():
                if refusal := server.refusal():
                    self.say(f"{name}: left out, for Kea says: {refusal}")
                    del self.subjects[name]
            yield {name: server for name, server in servers.items() if name in self.subjects}
        finally:
            for name, server in servers.items():
                if complaints := server.complaints():
                    self.say(f"{name}: Kea complained: {complaints}")
                server.close()

    def say(self, text):
        print(f"{self.name}: {text}", flush=True)

    def note(self, table, name, value):
        self.values[table][name].append(value)

    def measure(self, name, server):
        guess = self.guess(name, server)
        small = self.setting.leases == SMALL
        count = min(LOW_COUNT, round(guess) + 2)
        exchanges(server.link, self.setting.family, min(guess / 2, 500), WARM_UP if small else count)
        if small:
            for who, held in server.memory().items():
                for kind, megabytes in held.items():
                    self.note(f"Memory of {who} ({kind})", name, megabytes)
        low = exchanges(server.link, self.setting.family, min(guess / 2, LOW), count)
        best = self.search(name, server, guess)
        if not best or not low.answered:
            self.say(f"{name}: left out, for it does not serve one exchange a second: {low}")
            del self.subjects[name]
            return None
        self.note("Latency of an exchange at 20 a second", name, low.delay)
        self.note("Exchanges a second", name, best.rate)
        self.say(f"{name}: {best.rate:.0f} exchanges/s, {low.delay:.2f} ms")
        return best.rate

    def guess(self, name, server):
        """What the earlier rounds have found; in the first one, what a client at a time would see."""
        earlier = self.values["Exchanges a second"][name]
        if earlier:
            return geometric_mean(earlier)
        return 1000 / (exchanges(server.link, self.setting.family, 5, 5).delay or 200)

    def search(self, name, server, guess):
        """The highest rate, and what became of the events at it if Kea does not wait for them."""
        waits = self.subjects[name].waits
        counted = server.ours and not waits
        fates = {}

        def attempt(rate):
            # What an attempt has left undone must not burden the next, unless it is a queue that Kea does not wait for:
            # that is as full as it will stay.
            wait_until(server.idle if waits else lambda: not server.unread(), f"end of {name}'s packets", timeout=60)
            before = server.events() if counted else None
            load = probe(server.link, self.setting.family, rate)
            if counted:
                fates[load] = before.until(server.events())
            return load

        first = not self.values["Exchanges a second"][name]
        # Not the same rates in each round.
        guess *= RESOLUTION ** random.uniform(-0.5, 0.5)
        best = highest(attempt, guess, 1.4 if first else RESOLUTION, RESOLUTION)
        if counted and best:
            self.note("Events handled a second, at the highest rate", name, fates[best].handled / fates[best].seconds)
            self.note("Events dropped, at the highest rate", name, 100 * fates[best].dropped / fates[best].events)
        wait_until(server.idle, f"end of {name}'s events", timeout=60)
        return best

    def figures(self):
        return [figures.Figure(table, UNITS.get(table, "MB"), str(self.setting), name, tuple(round(value, 3) for value in values))
                for table, rows in self.values.items() for name, values in rows.items() if values]


@pytest.mark.parametrize("name", SETTINGS)
def test_throughput(name, tmp_path):
    # It is no test that hangs.
    faulthandler.cancel_dump_traceback_later()
    with contextlib.ExitStack() as stack:
        bench = Bench(name, SETTINGS[name], tmp_path, stack)
        bench.run()
    for figure in bench.figures():
        values = f"{figure.middle:9.2f} ({min(figure.values):.2f} to {max(figure.values):.2f}) {figure.unit}"
        print(f"  {figure.table:48} {figure.subject:48} {values}")
