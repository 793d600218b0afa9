"""examples/ipv6-prefix-delegation with leases in PostgreSQL: all that test_examples_prefixes.py says."""

import pytest

from rig.kea import Kea, version
from rig.postgres import Postgres
from test_lease_events_sql import postgres  # noqa: F401  a fixture

import test_examples_prefixes

pytestmark = [pytest.mark.long, pytest.mark.skipif(not Postgres.can_run() or version() >= (3,),
                                                   reason="it takes PostgreSQL, and a Kea that uses it without a library")]

# Of a file, of a server's rights, or of a command that Kea's PostgreSQL does not know (lease6-wipe).
OTHERS = {"test_routes_of_what_has_ended_meanwhile_go", "test_routes_from_before_lease_events_stay",
          "test_a_server_that_is_not_root_needs_the_right_to_change_routes",
          "test_leases_that_a_command_deletes"}

globals().update({name: test for name, test in vars(test_examples_prefixes).items()
                  if name.startswith("test_") and name not in OTHERS})


@pytest.fixture(autouse=True)
def leases_in_postgres(postgres, monkeypatch):  # noqa: F811
    postgres.clear()
    monkeypatch.setattr(Kea, "database", postgres.database)
