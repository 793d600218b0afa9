"""What an answer has reserved, beside other places of reservations and their commands."""

import json
import signal

import pytest

from rig.configs import SUBNETS
from rig.kea import HOOK, Kea, version
from rig.mariadb import MariaDB
from rig.others import together
from rig.postgres import Postgres
from rig.reservations import Reserving
from rig.reserver import FIRST, SECOND, Reserver, client
from rig.wait import wait_until

FAMILIES = pytest.mark.parametrize("family", [4, 6])


def reservation(family, one, address):
    identifier = {"hw-address": one.mac} if family == 4 else {"duid": one.name}
    return {"subnet-id": 1, **identifier, **where(family, address)}


def where(family, address):
    return {"ip-address": address} if family == 4 else {"ip-addresses": [address]}


@pytest.fixture
def reserver(tmp_path):
    return Reserver(tmp_path)


def ours(hooks, reserver, family):
    """The library in the directory with all of them."""
    return {**reserver.hook(family), "library": f"{hooks}/{HOOK.name}"}


def answer(reserver, family, one, address):
    reserver.say(one.name, {"reservation": where(family, address)})


@FAMILIES
@pytest.mark.parametrize("order", ["before", "after"])
def test_commands_do_not_see_it(link, tmp_path, reserver, family, order):
    one = client(link, family)
    answer(reserver, family, one, FIRST[family])
    kea = Reserving(family, tmp_path, libraries=lambda hooks: [ours(hooks, reserver, family)])
    if order == "after":
        reorder(kea, family)
    with kea:
        assert one.joins() == [FIRST[family]]
        named = {key: value for key, value in reservation(family, one, FIRST[family]).items() if key != "subnet-id"}
        identifier, value = next(iter(named.items()))
        by = {"subnet-id": 1, "identifier-type": identifier, "identifier": value}
        address = {"ip-address": FIRST[family]}
        for name, arguments in [("reservation-get", by), ("reservation-get", {"subnet-id": 1, **address}),
                                ("reservation-get-by-id", {"identifier-type": identifier, "identifier": value}),
                                ("reservation-get-by-address", address)]:
            assert kea.command(name, arguments)["result"] == 3, name
        listed = kea.command("reservation-get-all", {"subnet-id": 1})["arguments"]["hosts"]
        paged = kea.command("reservation-get-page", {"subnet-id": 1, "limit": 10})["arguments"]["hosts"]
        assert [host["hostname"] for host in listed] == [host["hostname"] for host in paged] == ["conf1"]
        assert kea.command("reservation-del", by)["result"] == 3
        assert one.renews() == [FIRST[family]]
        # It is not a database: nothing can be added to it.
        refused = kea.reserve("add", reservation(family, client(link, family, 2), SECOND[family]), **{"operation-target": "database"})
        assert refused["result"] == 1, refused
        # The command's own reservation wins.
        memory = {"operation-target": "memory"}
        assert kea.reserve("add", reservation(family, one, SECOND[family]), **memory)["result"] == 0
        assert one.joins() == [SECOND[family]]


def reorder(kea, family):
    """Puts our library behind that with the commands."""
    whole = json.loads(kea.config_file.read_text())
    whole[f"Dhcp{family}"]["hooks-libraries"].reverse()
    kea.config_file.write_text(json.dumps(whole))


@pytest.mark.long
@FAMILIES
@pytest.mark.parametrize("kind", [Postgres, MariaDB])
def test_a_database_wins(link, tmp_path, reserver, kind, family):
    """One that is there before, and one that is added later; by an identifier that Kea looks for later, too."""
    if not kind.can_run():
        pytest.skip(f"it takes {kind.__name__}, and a user for it")
    one, two, three = (client(link, family, number, **({"client_id": bytes([0, number])} if family == 4 else {}))
                       for number in (1, 2, 3))
    answer(reserver, family, one, FIRST[family])
    answer(reserver, family, two, {4: "192.0.2.7", 6: "2001:db8::7"}[family])
    answer(reserver, family, three, SECOND[family])
    with kind(tmp_path) as database:
        libraries = lambda hooks: [*database.libraries(hooks), ours(hooks, reserver, family)]
        with Reserving(family, tmp_path, database.database, libraries) as kea:
            by = {"client-id": "0001"} if family == 4 else {"duid": one.name}
            database_host = {"subnet-id": 1, **by, **where(family, SECOND[family])}
            assert kea.reserve("add", database_host)["result"] == 0
            assert one.joins() == [SECOND[family]]
            refused = kea.said("ANSWER_REFUSED")
            assert any("has a reservation in Kea's configuration or a hosts database" in line for line in refused)
            # Its address is nobody else's.
            assert three.joins() not in ([], [SECOND[family]])
            # An answer's own is there; then the database has another.
            assert two.joins() == [{4: "192.0.2.7", 6: "2001:db8::7"}[family]]
            by = {"client-id": "0002"} if family == 4 else {"duid": two.name}
            later = {4: "192.0.2.8", 6: "2001:db8::8"}[family]
            assert kea.reserve("add", {"subnet-id": 1, **by, **where(family, later)})["result"] == 0
            assert two.joins() == [later]
            # Commands do not see what the answers have reserved.
            hosts = kea.command("reservation-get-all", {"subnet-id": 1})["arguments"]["hosts"]
            assert len(hosts) == 3


@pytest.mark.long
def test_a_database_that_comes_back_wins(link, tmp_path, reserver):
    """Kea puts it behind all others then."""
    if not Postgres.can_run():
        pytest.skip("it takes PostgreSQL, and a user for it")
    one = client(link, 4)
    answer(reserver, 4, one, FIRST[4])
    with Postgres(tmp_path) as postgres:
        hosts = {**postgres.database, "max-reconnect-tries": 100, "reconnect-wait-time": 100, "on-fail": "serve-retry-continue"}
        libraries = lambda hooks: [*postgres.libraries(hooks), ours(hooks, reserver, 4)]
        with Reserving(4, tmp_path / "kea", hosts, libraries) as kea:
            assert one.joins() == [FIRST[4]]
            postgres.process.send_signal(signal.SIGINT)     # SIGTERM waits for Kea
            postgres.process.wait()
            wait_until(lambda: kea.reserve("add", reservation(4, one, SECOND[4]))["result"] == 1, "the loss of the database")
            postgres.start()
            wait_until(lambda: kea.reserve("add", reservation(4, one, SECOND[4]))["result"] == 0, "the database", 30)
            assert one.joins() == [SECOND[4]]


@pytest.mark.skipif(version() < (3,), reason="Kea has libdhcp_host_cache from 3.0 on")
@FAMILIES
def test_beside_a_cache(link, tmp_path, reserver, family):
    one = client(link, family)
    answer(reserver, family, one, FIRST[family])
    hooks = together(tmp_path, reserver.script)
    cache = {"library": f"{hooks}/libdhcp_host_cache.so", "parameters": {"maximum": 100}}
    with Kea(family, SUBNETS[family], tmp_path, [ours(hooks, reserver, family), cache], environment={"KEA_HOOKS_PATH": str(hooks)}) as kea:
        assert one.joins() not in ([], [FIRST[family]])
        assert any("libdhcp_host_cache" in line for line in kea.said("ANSWER_REFUSED"))
