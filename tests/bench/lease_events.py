"""What lease events cost Kea: processor time of an exchange, with leases in a file and in PostgreSQL, beside no hook and beside
leases*_committed alone. Prints a table; asserts nothing about time.

    tests/run -s tests/bench/lease_events.py
"""

import os
from statistics import median

import pytest

from rig.clients import perfdhcp
from rig.configs import SUBNETS
from rig.kea import Kea, hook
from rig.postgres import Postgres
from rig.programs import compiled
from rig.wait import quiet

ROUNDS = int(os.environ.get("ROUNDS", 7))
EXCHANGES, RATE, CLIENTS = 1500, 300, 100
TICK = 1 / os.sysconf("SC_CLK_TCK")
POINTS = {"no hook": [], "committed": ["leases{}_committed"], "changed": ["lease{}_changed"],
          "committed, changed": ["leases{}_committed", "lease{}_changed"]}


def processor_time(pid):
    """Seconds that the process has taken, all of its threads together."""
    fields = open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK


def cost(link, directory, family, points, daemon):
    """Microseconds of an exchange."""
    names = [point.format(family) for point in points]
    replay = {"replay": False} if any("changed" in name for name in names) else {}
    libraries = [hook(daemon, mode="daemon", wait=False, hook_points=names, **replay)] if names else []
    with Kea(family, SUBNETS[family], directory, libraries) as kea:
        perfdhcp(link, family, "-r", RATE, "-R", CLIENTS, "-n", CLIENTS)
        before = processor_time(kea.pid)
        done = perfdhcp(link, family, "-r", RATE, "-R", CLIENTS, "-n", EXCHANGES)
        last = list(done.values())[-1]
        if names:
            quiet(kea)
        return (processor_time(kea.pid) - before) / last["received"] * 1e6


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("database", ["memfile", "postgresql"])
def test_an_exchange(link, tmp_path, tmp_path_factory, monkeypatch, family, database):
    daemon = compiled("echo", tmp_path)

    def rounds(clear):
        found = {name: [] for name in POINTS}
        for number in range(ROUNDS):
            for place, (name, points) in enumerate(POINTS.items()):
                clear()
                directory = tmp_path / f"{number}-{place}"
                found[name].append(cost(link, directory, family, points, daemon))
        for name, costs in found.items():
            print(f"DHCPv{family}, {database}, {name}: {median(costs):.0f} us of processor time an exchange "
                  f"({min(costs):.0f} to {max(costs):.0f})")

    if database == "memfile":
        return rounds(lambda: None)
    if not Postgres.can_run():
        pytest.skip("it takes PostgreSQL, and a user for it")
    with Postgres(tmp_path_factory.mktemp("sql")) as postgres:
        monkeypatch.setattr(Kea, "database", postgres.database)
        rounds(postgres.clear)
