"""kea-omapi in front of a Kea that keeps its reservations in a real PostgreSQL or MariaDB."""

import json

import pytest

from rig.mariadb import MariaDB
from rig.omapi import Bridge, Served, lease
from rig.postgres import Postgres

import test_omapi
import test_omapi_kills
from test_omapi import compare, outcomes, theirs  # noqa: F401 (a fixture)

pytestmark = pytest.mark.long


@pytest.fixture(params=[Postgres, MariaDB], ids=["postgresql", "mariadb"])
def database(request, tmp_path):
    if not request.param.can_run():
        pytest.skip("tests/setup databases installs it, and it needs root")
    with request.param(tmp_path) as server:
        yield server


def test_each_call_ends_as_at_a_real_dhcpd(link, tmp_path, theirs, database):  # noqa: F811
    with Served(tmp_path, hosts=database.database, libraries=database.libraries), Bridge(tmp_path) as bridge:
        lease(link)
        compare(theirs, json.loads(json.dumps(outcomes(bridge.port))))


def test_kills(link, tmp_path, database, monkeypatch):
    served = lambda directory, subnets: Served(directory, subnets, database.database, database.libraries)
    monkeypatch.setattr(test_omapi_kills, "Served", served)
    test_omapi_kills.kill_often(link, tmp_path, 20)


def test_what_a_client_gets(link, tmp_path, database, monkeypatch):
    served = lambda directory: Served(directory, hosts=database.database, libraries=database.libraries)
    monkeypatch.setattr(test_omapi, "Served", served)
    test_omapi.test_every_kind_of_host(link, tmp_path)
