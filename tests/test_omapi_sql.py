"""kea-omapi in front of a Kea that keeps its reservations in a real PostgreSQL or MariaDB."""

import json

import pytest

from rig.mariadb import MariaDB
from rig.omapi import Bridge, Served, client, lease
from rig.omapi_messages import asked, opened, updated
from rig.postgres import Postgres
from rig.reservations import IS_ISCS

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


def test_hosts_of_the_configuration(link, tmp_path, database):
    """They are changed where they are: in memory, beside the database."""
    with Served(tmp_path, hosts=database.database, libraries=database.libraries) as kea, Bridge(tmp_path) as bridge:
        omapi = client(bridge.port)
        assert updated(omapi, opened(omapi, "host", name=b"conf1"), statements=b'filename "a";') == 0
        assert kea.host("02:00:00:00:0f:01")["boot-file-name"] == "a"


def test_what_a_database_cannot_keep(link, tmp_path, database):
    with Served(tmp_path, hosts=database.database, libraries=database.libraries) as kea, Bridge(tmp_path) as bridge:
        omapi = client(bridge.port)
        omapi.lookup_host("conf1")
        for name in (b"n" * 12000, b"n" * 300, "日本".encode()):
            assert asked(omapi, "host", name=name)["result"] == 23
        assert asked(omapi, "host", create=True, name=b"long", dhcp_client_identifier=b"\1" * 129)["result"] == 393219
        assert kea.command("reservation-get-by-hostname", {"hostname": "n" * 12000})["result"] == 3
        reservation = {"subnet-id": 1, "client-id": "01" * 129}
        answer = kea.command("reservation-add", {"reservation": reservation, "operation-target": "database"})
        assert answer["result"] == 1 and (IS_ISCS or "an identifier of 129 bytes" in answer["text"]), answer
        assert asked(omapi, "host", create=True, name=b"good", dhcp_client_identifier=b"\1" * 128)["operation"] == 3
