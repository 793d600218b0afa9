"""Lease events with leases in PostgreSQL: all that test_lease_events.py and test_lease_commands.py say."""

import pytest

from rig.kea import Kea
from rig.lease_events import Listening
from rig.postgres import Postgres, can_run

import test_lease_commands
import test_lease_events
import test_replay

pytestmark = [pytest.mark.long, pytest.mark.skipif(not can_run(), reason="it takes PostgreSQL, and a user for it")]

# Of a file, or of what Kea's PostgreSQL has no command for.
OTHERS = {"test_a_lease_that_is_given_once_more_from_keas_cache", "test_a_wipe", "test_no_command_is_there_that_was_not"}


def taken_over(module):
    return {name: test for name, test in vars(module).items() if name.startswith("test_") and name not in OTHERS}


for module in (test_lease_events, test_lease_commands, test_replay):
    globals().update(taken_over(module))


@pytest.fixture(scope="module")
def postgres(tmp_path_factory):
    with Postgres(tmp_path_factory.mktemp("sql")) as postgres:
        yield postgres


@pytest.fixture(autouse=True)
def leases_in_postgres(postgres, monkeypatch):
    postgres.clear()
    monkeypatch.setattr(Kea, "database", postgres.database)
    monkeypatch.setattr(Listening, "database_libraries", staticmethod(postgres.libraries))
