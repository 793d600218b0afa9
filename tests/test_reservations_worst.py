"""The commands for reservations where threads meet, databases go away, and arguments are strange."""

import contextlib
import json
import threading
import urllib.request

import pytest

from rig.configs import THREADS
from rig.ha_pair import high_availability
from rig.kea import Kea, version
from rig.net import ip
from rig.others import together
from rig.postgres import Postgres
from rig.reservations import CONFIGURED, IS_ISCS, OURS, Reserving

pytestmark = pytest.mark.skipif(IS_ISCS, reason="this Kea has ISC's library")
MEMORY = {"operation-target": "memory"}
LONG_WITH_POSTGRES = [pytest.mark.long, pytest.mark.skipif(not Postgres.can_run(), reason="it takes PostgreSQL, and a user for it")]


def reservation(n):
    return {"subnet-id": 1, "hw-address": f"02:00:00:00:32:{n:02x}", "ip-address": f"192.0.2.{100 + n}", "hostname": f"host-{n}"}


def reserved(kea, **where):
    return {host["hostname"] for host in kea.command("reservation-get-all", {"subnet-id": 1, **where})["arguments"]["hosts"]}


@pytest.fixture
def pair(link):
    """Where the primary of a pair listens."""
    ip("addr add 10.9.0.1/24 dev vs\n")


def listener(command, arguments):
    """What the primary answers its partner."""
    request = urllib.request.Request("http://10.9.0.1:8001/", json.dumps({"command": command, "arguments": arguments}).encode(),
                                     {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        said = json.load(answer)
        return said[0] if isinstance(said, list) else said


def primary(tmp_path):
    return Reserving(4, tmp_path, None, lambda hooks: [
        {"library": f"{hooks}/libdhcp_lease_cmds.so"},
        {**high_availability("primary"), "library": f"{hooks}/libdhcp_ha.so"}], **THREADS)


def test_commands_on_the_threads_of_a_pair(link, tmp_path, pair):
    """Kea has these threads stand still while memory changes."""
    with primary(tmp_path) as kea:
        kea.wait_log("HA_LOCAL_DHCP|HA_STATE_TRANSITION")
        over = threading.Event()

        def ask():
            while not over.is_set():
                with contextlib.suppress(OSError):
                    listener("reservation-get-all", {"subnet-id": 1})
        asking = [threading.Thread(target=ask) for _ in range(4)]
        for thread in asking:
            thread.start()
        try:
            for n in range(100):
                assert kea.reserve("add", reservation(n))["result"] == 0
        finally:
            over.set()
            for thread in asking:
                thread.join()
        assert len(reserved(kea)) == 101
        answer = listener("reservation-del", {"subnet-id": 1, "ip-address": "192.0.2.100"})
        assert answer["result"] == 1 and "give this command over the control socket" in answer["text"]


@pytest.mark.parametrize("family, addresses", [(4, ["0.0.0.0", "::", "2001:db8::1"]), (6, ["0.0.0.0", "::", "192.0.2.1"])])
def test_an_address_that_is_none(link, tmp_path, family, addresses):
    with Reserving(family, tmp_path) as kea:
        kea.reserve("add", {"subnet-id": 1, "hw-address": "02:00:00:00:32:99", "hostname": "without"})
        for address in addresses:
            answer = kea.command("reservation-del", {"subnet-id": 1, "ip-address": address})
            assert answer == {"result": 3, "text": "Host not deleted (not found)."}, address
        assert reserved(kea) == {"without", CONFIGURED[family]["hostname"]}


def test_a_prefix_by_its_address(link, tmp_path):
    with Reserving(6, tmp_path) as kea:
        kea.reserve("add", {"subnet-id": 1, "duid": "01:02:03", "prefixes": ["2001:db8:7::/48"], "hostname": "router"})
        assert kea.command("reservation-del", {"subnet-id": 1, "ip-address": "2001:db8:7::"})["result"] == 0
        assert reserved(kea) == {CONFIGURED[6]["hostname"]}


def test_twice_in_the_configuration(link, tmp_path):
    hooks = together(tmp_path, OURS)
    libraries = [{"library": f"{hooks}/{OURS.name}"}] * 2
    said = Kea(4, {}, tmp_path, libraries, environment={"KEA_HOOKS_PATH": str(hooks)}).expect_refusal()
    assert 'RESERVATIONS_REFUSED kea-hook-reservations.so is in "hooks-libraries" twice: take one out' in said


def test_what_stands_in_the_log(link, tmp_path):
    with Reserving(4, tmp_path) as kea:
        already = len(kea.log())
        for text in ("x\n2026-01-01 INFO FAKE_LINE", "\x1b[2J", "%1%2%3" * 400, "ü" * 5000):
            kea.reserve("add", reservation(1), **{"operation-target": text})
        lines = [line for line in kea.log()[already:].splitlines() if "COMMAND_RECEIVED" not in line]
        assert len(lines) == 4 and all("RESERVATIONS_FAILED reservation-add: The 'operation-target' value" in line for line in lines)
        assert all(line.isprintable() and len(line) < 9000 for line in lines)


class TestInADatabase:
    pytestmark = LONG_WITH_POSTGRES

    @pytest.fixture
    def postgres(self, tmp_path):
        with Postgres(tmp_path) as postgres:
            yield postgres

    def test_that_is_away(self, link, tmp_path, postgres):
        """Nothing is written anywhere else."""
        hosts = {**postgres.database, "max-reconnect-tries": 100, "reconnect-wait-time": 500, "on-fail": "serve-retry-continue"}
        with Reserving(4, tmp_path / "kea", hosts, postgres.libraries) as kea:
            assert kea.reserve("add", reservation(1))["result"] == 0
            postgres.process.kill()
            postgres.process.wait()
            for _ in range(4):
                assert kea.reserve("add", reservation(2))["result"] == 1
                assert kea.reserve("update", reservation(1))["result"] == 1
                assert kea.command("reservation-del", {"subnet-id": 1, "ip-address": "192.0.2.101"})["result"] == 1
            assert reserved(kea, **MEMORY) == {CONFIGURED[4]["hostname"]}

    def test_whose_pages_are_of_both_families(self, link, tmp_path, postgres):
        six = Reserving(6, tmp_path / "six", postgres.database, postgres.libraries)
        with six, Reserving(4, tmp_path / "kea", postgres.database, postgres.libraries) as kea:
            for n in range(6):
                six.reserve("add", {"subnet-id": 1, "duid": f"01:02:03:{n:02x}", "hostname": f"six-{n}"})
            kea.reserve("add", reservation(1))
            seen, following = set(), {}
            while (answer := kea.command("reservation-get-page", {"limit": 2, **following}))["result"] == 0:
                seen |= {host["hostname"] for host in answer["arguments"]["hosts"]}
                following = answer["arguments"]["next"]
            assert seen == {CONFIGURED[4]["hostname"], "host-1"}
            assert kea.command("reservation-del", {"subnet-id": 1, "ip-address": "2001:db8::1"})["result"] == 3

    @pytest.mark.skipif(version() >= (2, 6), reason="this Kea's update is one transaction")
    def test_a_row_of_both_families(self, link, tmp_path, postgres):
        with Reserving(4, tmp_path / "kea", postgres.database, postgres.libraries) as kea:
            kea.reserve("add", reservation(1))
            postgres.sql("update hosts set dhcp6_subnet_id = 1")
            answer = kea.reserve("update", reservation(1))
            assert answer["result"] == 1 and "both families" in answer["text"]
