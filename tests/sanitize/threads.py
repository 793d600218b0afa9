"""A minute of all that threads do to each other: crowds of clients, scripts of every kind, commands, and a reload whenever
a few events have been. conftest.py fails it if ThreadSanitizer has seen a race of ours."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from rig.answers import answering
from rig.configs import SUBNET4, SUBNET6, THREADS
from rig.crowd import crowd, guests
from rig.kea import Kea, hook, version
from rig.park import parking
from rig.programs import compiled
from rig.wait import wait_until

MINUTE = 60
EVENTS = 300    # from one reload to the next
TABLES = 6

ANSWERS = {4: {"leases4_committed": {"option-data": [{"name": "routers", "data": "192.0.2.1"}]},
               "pkt4_send": {"boot-file-name": "f"}, "lease4_select": {"valid-lft": 1000}, "subnet4_select": {"subnet-id": 1}},
           6: {"leases6_committed": {"option-data": [{"name": "dns-servers", "data": "2001:db8::1"}]},
               "pkt6_send": {}, "lease6_select": {"valid-lft": 1000}, "subnet6_select": {"subnet-id": 1}}}
PARKED = ["leases{}_committed", *(["subnet{}_select"] if version() >= (2, 6) else [])]


def scripts(family, directory):
    """All kinds at once: parked for, waited for, not waited for, run anew each time, and running on."""
    nothing, echo = str(compiled("nothing", directory)), str(compiled("echo", directory))
    answers = ANSWERS[family]
    parked = [point.format(family) for point in PARKED]
    answerer = answering(directory, answers)
    return [parking(answerer, *parked, answers=True),
            {"script": str(answerer), "answers": True, "on-failure": "continue", "hook-points": [*{*answers} - {*parked}]},
            {"script": nothing, "wait": False, "debug": True},
            {**parking(echo, *parked), "mode": "daemon", "concurrency": 2},
            {"script": echo, "mode": "daemon", "wait": False, "concurrency": 2},
            {"script": echo, "mode": "daemon", "args": ["one-by-one"], "concurrency": 2}]


@pytest.mark.parametrize("family, config", [(4, SUBNET4), (6, SUBNET6)], ids=["v4", "v6"])
def test_a_minute_of_threads(link, tmp_path, family, config):
    with Kea(family, {**config, **THREADS}, tmp_path, [hook(scripts=scripts(family, tmp_path))]) as kea, \
            ThreadPoolExecutor() as pool:
        def events():
            return min(script["events"] for script in kea.command("runscript-status")["arguments"]["scripts"])

        tables, end, reloads = guests(link, family, 60, TABLES), time.monotonic() + MINUTE, 0
        party = pool.submit(crowd, tables, lambda: time.monotonic() > end, 10)
        while not party.done():
            wait_until(lambda: party.done() or events() >= EVENTS, lambda: f"{EVENTS} events of each script", MINUTE)
            kea.command("statistic-get-all")
            kea.reload()
            reloads += 1
        party.result()
        print(f"{reloads} reloads, {len(kea.said('LEFT'))} with events that go on")
        assert reloads > 3 and kea.said("LEFT")
