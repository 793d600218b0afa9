"""A long queue: Kea's memory, the order in which it is worked off, a start with it, and what it keeps others waiting."""

import re
import sys
import time
from itertools import groupby

import pytest

from rig.clients import perfdhcp
from rig.configs import SUBNET4
from rig.dhcp4 import OFFER, stranger
from rig.gate import Gate
from rig.kea import Kea, hook
from rig.processes import Footprint
from rig.programs import SOURCES
from rig.recorder import write_script
from rig.spool import encode, records, segments, spool
from rig.wait import quiet, wait_until

pytestmark = pytest.mark.long
POINT = "pkt4_receive"
TOLD = {"wait": False, "hook_points": [POINT]}
RATE, SECONDS, CLIENTS = 2000, 60, 500
MOST_KILOBYTES = 64 * 1024


class Tally:
    """A daemon that works once it is let; until then it puts off each event, or does not live."""

    def __init__(self, directory, is_dead):
        self.file, self.gate = directory / "tally", directory / "go"
        starts = f"[ -e {self.gate} ] || exit 1" if is_dead else ""
        run = f'exec {sys.executable} {SOURCES / "tally.py"} {self.file} {self.gate}'
        self.script = write_script(directory / "daemon", f"#!/bin/sh\n{starts}\n{run}\n")

    def handled(self):
        """The numbers of the events of each client, in the order in which they were handled."""
        lines = sorted((line.split() for line in self.file.read_text().splitlines()), key=lambda line: line[1])
        return {mac: [int(number) for number, _ in lines] for mac, lines in groupby(lines, key=lambda line: line[1])}


@pytest.mark.parametrize("is_dead", [True, False], ids=["dead", "again"])
def test_a_handler_that_cannot_work_for_a_minute(link, tmp_path, is_dead):
    tally = Tally(tmp_path, is_dead)
    library = hook(tally.script, mode="daemon", concurrency=2, required=False, spool_limit=1024, **TOLD)
    with Kea(4, SUBNET4, tmp_path, [library]) as kea:
        before = Footprint.of(kea.pid)
        perfdhcp(link, 4, "-i", "-r", RATE, "-R", CLIENTS, "-p", SECONDS)
        status, after = kea.status(), Footprint.of(kea.pid)
        print(f"{status['events']} events, {status['deferred']} times put off, {before} -> {after}")
        assert status["events"] > RATE * SECONDS / 2 and status["done"] == 0
        assert after.kilobytes - before.kilobytes < MOST_KILOBYTES
        tally.gate.touch()
        quiet(kea, 300)
        done = kea.status()
        assert (done["done"], done["dropped"], done["failures"], done["unspooled"]) == (done["events"], 0, 0, 0)
        assert Footprint.of(kea.pid).kilobytes - before.kilobytes < MOST_KILOBYTES
    handled = tally.handled()
    assert sum(map(len, handled.values())) == done["events"]
    for mac, numbers in handled.items():
        assert numbers == sorted(set(numbers)), mac


def test_one_client_with_many_events_does_not_keep_another_waiting(link, tmp_path):
    gate = Gate(tmp_path)
    with Kea(4, SUBNET4, tmp_path, [hook(gate.script, concurrency=2, spool_limit=256, **TOLD)]) as kea:
        busy, other = stranger(link), stranger(link)
        gate.shut(busy)
        # A busy machine drops packets.
        while kea.status()["pending"] < 50_000:
            perfdhcp(link, 4, "-i", "-r", 5000, "-R", 1, "-n", 10_000, "-b", f"mac={busy.mac}")
        assert other.discover().type == OFFER
        wait_until(lambda: f"{POINT} {other.mac}" in gate.printer.lines(), "another client's event", 1)
        gate.open(busy)


MANY, OLDER, SEGMENT = 1_000_000, 100_000, 8 << 20


def address(number):
    return f"02:00:01:{number >> 16:02x}:{number >> 8 & 255:02x}:{number & 255:02x}"


def multiply(segment, times):
    """Puts events of so many clients, all like the one in this segment, into segments before it."""
    [record] = records(segment)
    mac = re.search(r'"KEA_QUERY4_HWADDR":"([^"]+)"', record.text)[1]
    number, data = int(segment.name.partition(".")[0]) - OLDER, bytearray()
    for client in range(times):
        more = encode(record.id + 1 + client, record.text.replace(mac, address(client)))
        if len(data) + len(more) > SEGMENT:
            segment.with_name(f"{number:010}.v1").write_bytes(data)
            number, data = number + 1, bytearray()
        data += more
    segment.with_name(f"{number:010}.v1").write_bytes(data)
    segment.unlink()


def test_a_start_with_a_million_events(link, tmp_path):
    """Kea starts as if there were none, the first are handled at once, and few are in memory at a time."""
    tally = Tally(tmp_path, is_dead=True)
    parameters = {"mode": "daemon", "required": False, "spool_limit": 4096, **TOLD}
    kea = Kea(4, SUBNET4, tmp_path, [hook(tally.script, **parameters)])
    with kea:
        assert stranger(link).discover().type == OFFER
        before = Footprint.of(kea.pid)
    [segment] = segments(spool(tmp_path / "runscript", kea, tally.script))
    multiply(segment, MANY)
    tally.gate.touch()
    start = time.monotonic()
    with kea:
        started = time.monotonic() - start
        wait_until(lambda: tally.file.exists() and tally.file.stat().st_size, "the first event")
        first = time.monotonic() - start
        newcomer = stranger(link)
        assert newcomer.discover().type == OFFER
        wait_until(lambda: kea.status()["done"] > MANY / 10, "a tenth of them", 120)
        grown, took = Footprint.of(kea.pid).kilobytes - before.kilobytes, time.monotonic() - start
        print(f"up after {started:.2f} s, the first event after {first:.2f} s, a tenth after {took:.1f} s, {grown} kB more")
        assert grown < MOST_KILOBYTES
    numbers = [int(line.split()[0]) for line in tally.file.read_text().splitlines()]
    assert len(set(numbers[:MANY // 10])) == MANY // 10
