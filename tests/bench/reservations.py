"""What it costs to have a reservation for each client by answers of a daemon in C: Kea's memory with so many, and its rate
beside no hook, the same daemon without reservations, and no hook again. Prints a table; asserts nothing about time.

    tests/run -s tests/bench/reservations.py
"""

import os
from statistics import median

import pytest
from load import exchanges, highest, probe
from servers import memory

from rig.configs import THREADS
from rig.kea import Kea, hook
from rig.programs import compiled

CLIENTS = int(os.environ.get("CLIENTS", 100_000))
ROUNDS = int(os.environ.get("ROUNDS", 3))
GUESS, STRIDE, RESOLUTION = 1000, 1.5, 1.04    # of the search for the highest rate

NETWORKS = {4: {"subnet4": [{"id": 1, "subnet": "192.0.0.0/8", "pools": [{"pool": "192.64.0.0/10"}]}]},
            6: {"subnet6": [{"id": 1, "subnet": "2001:db8::/64", "interface": "vs", "pools": [{"pool": "2001:db8::1000:0/100"}]}]}}


def config(family, threads):
    return {**NETWORKS[family], **(THREADS if threads else {})}


@pytest.mark.parametrize("threads", [False, True], ids=["single", "threads"])
@pytest.mark.parametrize("family", [4, 6])
def test_many(link, tmp_path, family, threads):
    daemon = compiled("echo", tmp_path)
    how = {"mode": "daemon", "answers": True, "hook_points": [f"subnet{family}_select"]}
    subjects = {"no hook": [], "the daemon": [hook(daemon, **how)], "reservations": [hook(daemon, args=["reserve"], **how)]}
    for name, libraries in subjects.items():
        with Kea(family, config(family, threads), tmp_path / name.replace(" ", "-"), libraries) as kea:
            before = memory(kea.pid)
            served = exchanges(link, family, 1000, CLIENTS)
            held = memory(kea.pid)
            count = kea.command("runscript-status")["arguments"]["reservations"] if name == "reservations" else 0
            print(f"DHCPv{family}, threads {threads}, {name}: {served.answered} of {served.sent} exchanges, {count} reservations; "
                  + ", ".join(f"{kind} {before[kind]:.0f} to {held[kind]:.0f} MB" for kind in held), flush=True)
            rates = [highest(lambda rate: probe(link, family, rate), GUESS, STRIDE, RESOLUTION).rate for _ in range(ROUNDS)]
            print(f"    {median(rates):.0f} exchanges a second of new clients ({min(rates):.0f} to {max(rates):.0f})", flush=True)
