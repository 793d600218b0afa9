"""The commands for reservations beside clients, many of them, and spoilt ones."""

import json
import random
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from rig.clients import perfdhcp
from rig.configs import THREADS
from rig.memcheck import Memcheck
from rig.postgres import Postgres
from rig.reservations import IS_ISCS, OURS, Reserving

pytestmark = [pytest.mark.long, pytest.mark.alone, pytest.mark.skipif(IS_ISCS, reason="this Kea has ISC's library")]
ADDS, HOSTS, RATE, MALFORMED = 10_000, 100_000, 500, 4_000
SUBNETS = [{"id": 1, "subnet": "192.0.2.0/24", "interface": "vs", "pools": [{"pool": "192.0.2.10 - 192.0.2.250"}]},
           {"id": 2, "subnet": "10.0.0.0/8"}]


def reservation(n):
    return {"subnet-id": 2, "hw-address": f"02:05:00:{n >> 16 & 255:02x}:{n >> 8 & 255:02x}:{n & 255:02x}",
            "ip-address": f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}", "hostname": f"host-{n}"}


def add(kea, numbers, **where):
    """How many were refused."""
    return sum(kea.reserve("add", reservation(n), **where)["result"] != 0 for n in numbers)


@pytest.mark.parametrize("where", ["memory", "database"])
def test_beside_clients(link, tmp_path, where):
    if where == "memory":
        return under_load(link, Reserving(4, tmp_path, subnet4=SUBNETS, **THREADS), where)
    if not Postgres.can_run():
        pytest.skip("it takes PostgreSQL, and a user for it")
    with Postgres(tmp_path) as postgres:
        under_load(link, Reserving(4, tmp_path, postgres.database, postgres.libraries, subnet4=SUBNETS, **THREADS), where)


def under_load(link, kea, where):
    target = {"operation-target": where}
    with kea, ThreadPoolExecutor() as pool:
        # The first exchanges, which make the leases.
        perfdhcp(link, 4, "-r", RATE, "-R", 200, "-n", 200)
        adding = pool.submit(add, kea, range(1, ADDS + 1), **target)
        rounds = []
        while not adding.done():
            rounds.append(perfdhcp(link, 4, "-r", RATE, "-R", 200, "-p", 5))
        assert adding.result() == 0
        for counts in (counts for exchanges in rounds for counts in exchanges.values()):
            print(f"{where}: {counts['received']} of {counts['sent']}, {counts['max delay']} ms at most")
            assert counts["received"] > counts["sent"] / 2
        assert add(kea, range(ADDS + 1, HOSTS + 1), **target) == 0
        assert paged(kea) == {reservation(n)["ip-address"] for n in range(1, HOSTS + 1)}


def paged(kea):
    seen, following = set(), {}
    while (answer := kea.command("reservation-get-page", {"subnet-id": 2, "limit": 500, **following}))["result"] == 0:
        addresses = [host["ip-address"] for host in answer["arguments"]["hosts"]]
        assert seen.isdisjoint(addresses)
        seen.update(addresses)
        following = answer["arguments"]["next"]
    return seen


@pytest.mark.parametrize("family", [4, 6])
def test_malformed_commands(link, tmp_path, family):
    """Each is an error, and valgrind has nothing to say of the library."""
    chance, memcheck = random.Random(family), Memcheck(tmp_path)
    kea = Reserving(family, tmp_path, **THREADS)
    kea.wrapper, kea.patience = memcheck.command, 120
    with kea:
        before = kea.command("reservation-get-all", {"subnet-id": 1})
        results = [ask(kea, *malformed(chance, family)) for _ in range(MALFORMED // 2)]
        print(f"{sum(result is not None for result in results)} of {len(results)} answered")
        assert 0 not in results
        assert kea.command("reservation-get-all", {"subnet-id": 1}) == before
    ours = [finding for finding in memcheck.findings() if finding.concerns(OURS.resolve())]
    assert not ours, "\n".join(map(str, ours))


def ask(kea, name, arguments):
    """The result; none where Kea takes the text for no command at all."""
    request = json.dumps({"command": name, "arguments": arguments}, ensure_ascii=False).encode("utf-8", "surrogateescape")
    with socket.socket(socket.AF_UNIX) as control:
        control.settimeout(kea.patience)
        control.connect(str(kea.socket))
        control.sendall(request)
        answer = b""
        while chunk := control.recv(65536):
            answer += chunk
    return json.loads(answer.decode(errors="replace"), strict=False)["result"] if answer else None


COMMANDS = ["add", "get", "get-all", "get-page", "get-by-hostname", "get-by-id", "get-by-address", "update", "del"]
VALUES = [None, True, -1, 0.5, 2 ** 32 - 1, 2 ** 32, 2 ** 63 - 1, "", "x", "'", "''", "0x", "0x0g", ":", "01:", "%1%2%n", "é" * 200,
          "\x7f\x01", "../..", "192.0.2.256", "2001:db8::/129", "x" * 10_000, [], [[]], {}, {"": ""}, [{}] * 100]
KEYS = ["subnet-id", "ip-address", "ip-addresses", "prefixes", "hw-address", "duid", "client-id", "circuit-id", "flex-id", "hostname",
        "option-data", "client-classes", "user-context", "next-server", "identifier-type", "identifier", "limit", "from",
        "source-index", "operation-target", "reservation", "nonsense"]


def malformed(chance, family):
    """A command that cannot be: what it has is of a wrong type or value, and a required part is always wrong."""
    name = chance.choice(COMMANDS)
    part = {key: chance.choice(VALUES) for key in chance.sample(KEYS, chance.randint(0, 6))}
    if name in ("add", "update"):
        # Without whom it is for there is no reservation.
        part = {key: value for key, value in part.items() if key not in ("hw-address", "duid", "client-id", "circuit-id", "flex-id")}
        bad = {"nonsense": chance.choice(VALUES), "hw-address": chance.choice(["zz", "", 7, [], "01:" * 5000])}
        arguments = {**part, "reservation": {**part, **bad}}
    else:
        required = {"get-page": "limit", "get-by-hostname": "hostname", "get-by-id": "identifier-type", "get-by-address": "ip-address"}
        wrong = {required.get(name, "subnet-id"): chance.choice([True, [], {}, None])}
        arguments = {**part, **wrong}
    return f"reservation-{name}", chance.choice([arguments, arguments, arguments, chance.choice(VALUES)])
