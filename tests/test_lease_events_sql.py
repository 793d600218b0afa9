"""Lease events with leases in PostgreSQL: all that test_lease_events.py and test_lease_commands.py say."""

import pytest

from rig.kea import Kea
from rig.lease_events import Listening
from rig.postgres import Postgres
from rig.recorder import Printer
from rig.wait import wait_until

import test_lease_commands
import test_lease_events
import test_replay

pytestmark = [pytest.mark.long, pytest.mark.skipif(not Postgres.can_run(), reason="it takes PostgreSQL, and a user for it")]

# Of a file, of no lease at all, or of what Kea's PostgreSQL has no command for.
OTHERS = {"test_a_lease_that_is_given_once_more_from_keas_cache", "test_a_wipe", "test_no_command_is_there_that_was_not",
          "test_nobody_hears_of_leases"}


def taken_over(module):
    return {name: test for name, test in vars(module).items() if name.startswith("test_") and name not in OTHERS}


for module in (test_lease_events, test_lease_commands, test_replay):
    globals().update(taken_over(module))


@pytest.fixture(scope="module")
def postgres(tmp_path_factory):
    with Postgres(tmp_path_factory.mktemp("sql")) as postgres:
        yield postgres


def test_a_database_that_fails_amid_a_replay(link, tmp_path, postgres):
    """It ends when all leases have been told of, and not before: a script sweeps what it has not heard of."""
    printer = Printer(tmp_path, "$KEA_ACTION $KEA_LEASE4_ADDRESS", then="/bin/sleep 0.05")
    addresses = {f"192.0.2.{n}" for n in range(10, 60)}
    with Listening(4, tmp_path, printer, replay=True, parameters={"queue_limit": 20, "concurrency": 1}) as kea:
        for address in addresses:
            kea.done("lease4-add", {"ip-address": address, "hw-address": f"02:00:00:00:00:{int(address[8:]):02x}", "subnet-id": 1})
        wait_until(lambda: "replay-end " in printer.lines() and kea.status()["pending"] == 0, "the first replay")
    already = len(printer.lines())
    with kea:
        wait_until(lambda: any(line.startswith("replay 192") for line in printer.lines()[already:]), "the first lease")
        postgres.sql("alter table lease4 rename to hidden")
        kea.wait_log("RUNSCRIPT_SHIM_FAILED replay")
        postgres.sql("alter table hidden rename to lease4")
        wait_until(lambda: "replay-end " in printer.lines()[already:], "the end of the replay", 30)
        begin, *replayed, end = printer.lines()[already:]
        assert (begin, end) == ("replay-begin ", "replay-end ")
        assert {line.removeprefix("replay ") for line in replayed} == addresses


@pytest.fixture(autouse=True)
def leases_in_postgres(postgres, monkeypatch):
    postgres.clear()
    monkeypatch.setattr(Kea, "database", postgres.database)
    monkeypatch.setattr(Listening, "database_libraries", staticmethod(postgres.libraries))
