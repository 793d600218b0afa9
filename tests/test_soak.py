"""Tens of thousands of events leave no trace: not in Kea, not in the runners, not among the processes."""

import itertools
from pathlib import Path

import pytest

from rig.configs import SUBNET4, SUBNET6, THREADS
from rig.crowd import crowd, guests
from rig.kea import Kea, hook
from rig.processes import Footprint, processes, runners, states
from rig.programs import compiled
from rig.wait import quiet, wait_until

WARM_UP, EVENTS = 2_000, 20_000
PORTION = 25     # of what the clients do, some 300 events
# What 18,000 events may leave behind: 100 bytes each would be 1,800. The allocator's own ups and downs are less.
SLACK_KILOBYTES = 1_000


class Soak:
    """A server whose clients never rest; it has one script for which it waits, and one for which it does not."""

    def __init__(self, link, family, kea):
        self.kea, self.tables = kea, guests(link, family, 40, 4)
        self.processes = {"Kea": kea.pid, **{f"runner {n}": pid for n, pid in enumerate(runners(), 1)}}

    def scripts(self):
        return self.kea.command("runscript-status")["arguments"]["scripts"]

    def events(self):
        return sum(script["events"] for script in self.scripts())

    def rest_after(self, events):
        """Goes on until so many have been; returns what the processes hold when all is quiet."""
        while self.events() < events:
            # In portions, so that what waits in the queue is little.
            steps = itertools.count()
            crowd(self.tables, lambda: next(steps) >= PORTION, most=10)
            quiet(self.kea, 60)
        wait_until(lambda: self.connections() == 1, "the end of our connections to Kea's control socket")
        return {name: Footprint.of(pid) for name, pid in self.processes.items()}

    def connections(self):
        """Of the control socket, the one that listens included."""
        return Path("/proc/net/unix").read_text().count(f"{self.kea.socket}\n")


@pytest.mark.long
@pytest.mark.parametrize("family, config", [(4, SUBNET4), (6, SUBNET6)], ids=["v4", "v6"])
def test_nothing_is_left_behind(link, tmp_path, family, config):
    nothing = str(compiled("nothing", tmp_path))
    scripts = [{"script": nothing, "wait": True}, {"script": nothing, "wait": False}]
    with Kea(family, {**config, **THREADS}, tmp_path, [hook(scripts=scripts)]) as kea:
        soak = Soak(link, family, kea)
        before = soak.rest_after(WARM_UP)
        others = sorted(processes())
        after = soak.rest_after(EVENTS)
        for name in before:
            print(f"{name}: {before[name]} -> {after[name]}")
        assert len(before) == 3
        assert states()["Z"] == 0
        assert sorted(processes()) == others
        for name in before:
            assert after[name].kilobytes - before[name].kilobytes < SLACK_KILOBYTES, name
            # Of the spool, Kea holds two segments or three, by how full the last is.
            more = after[name].descriptors - before[name].descriptors
            assert abs(more) <= 2 * (name == "Kea"), name
            assert after[name].threads == before[name].threads, name
        for script in soak.scripts():
            assert script["events"] > EVENTS / 3
            assert script["failures"] == script["timeouts"] == script["dropped"] == 0
