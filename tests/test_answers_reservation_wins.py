"""The key `reservation` of an answer, where somebody else has a claim: Kea's configuration, a command, a lease, a client that
is known by something else now."""

import json

import pytest

from rig.configs import SUBNETS
from rig.dhcp4 import ACK, HOSTNAME, Client4, NoAnswer
from rig.kea import HOOK, Kea, hook
from rig.recorder import write_script
from rig.reservations import Reserving
from rig.reserver import (FIRST, IN_A_POOL, SECOND, Asking6, Reserver, address, client, refused, reservations, reserved,
                          serve)

FAMILIES = pytest.mark.parametrize("family", [4, 6])
GLOBAL = {"reservations-global": True, "reservations-in-subnet": True}


@pytest.fixture
def reserver(tmp_path):
    return Reserver(tmp_path)


def goes_on(one):
    """What the client has in the end; one that is refused, or gets no answer, begins anew."""
    try:
        one.renews()
    except NoAnswer:
        pass
    return one.joins()


@FAMILIES
@pytest.mark.parametrize("where", [{}, GLOBAL], ids=["subnet", "global"])
def test_a_configuration_gives_the_address_to_another(link, tmp_path, reserver, family, where):
    one, two = client(link, family), client(link, family, 2)
    reserver.reserve(one.name, **address(family, FIRST[family]))
    with serve(family, tmp_path, reserver, **where) as kea:
        assert one.joins() == [FIRST[family]]
        config = json.loads(json.dumps({**SUBNETS[family], **where}))
        entry = {"hw-address": two.mac, **reserved(family, FIRST[family])}
        (config if where else config[f"subnet{family}"][0])["reservations"] = [entry]
        kea.configure(config, [reserver.hook(family)])
        kea.reload()
        assert goes_on(one) not in ([], [FIRST[family]])
        assert two.joins() == [FIRST[family]]
        assert any(f"{FIRST[family]} is reserved for" in line for line in refused(kea))


@FAMILIES
def test_a_global_one_of_the_client_wins(link, tmp_path, reserver, family):
    one = client(link, family)
    reserver.reserve(one.name, **address(family, FIRST[family]))
    entry = {"hw-address": one.mac, **reserved(family, SECOND[family])}
    with serve(family, tmp_path, reserver, **GLOBAL, reservations=[entry]) as kea:
        assert one.joins() == [SECOND[family]]
        assert any("the client has a reservation in Kea's configuration" in line for line in refused(kea))


@FAMILIES
def test_a_command_gives_the_address_to_another(link, tmp_path, reserver, family):
    one, two = client(link, family), client(link, family, 2)
    reserver.reserve(one.name, **address(family, FIRST[family]))
    library = reserver.hook(family)
    with Reserving(family, tmp_path, libraries=lambda hooks: [{**library, "library": f"{hooks}/{HOOK.name}"}]) as kea:
        assert one.joins() == [FIRST[family]]
        entry = {"subnet-id": 1, "hw-address": two.mac, **reserved(family, FIRST[family])}
        assert kea.reserve("add", entry, **{"operation-target": "memory"})["result"] == 0
        assert goes_on(one) not in ([], [FIRST[family]])
        assert two.joins() == [FIRST[family]]


def test_a_client_identifier_that_another_says(link, tmp_path, reserver):
    """After a restart it comes first, and has the lease; the client for which the answer is has its address all the same."""
    one, other = (client(link, 4, number, client_id=b"\0one") for number in (1, 2))
    reserver.reserve(one.mac, ip_address=FIRST[4])
    with serve(4, tmp_path, reserver) as kea:
        assert one.joins() == [FIRST[4]]
        kea.stop()
        kea.start()
        other.offered()
        assert one.renews() == [FIRST[4]]


ONE = """#!/bin/sh
[ ! -e {directory}/down ] || exit 1
[ "$KEA_QUERY4_CLIENT_ID" != 00:6f:6e:65 ] || exec "$KEA_RUNSCRIPT" answer reservation:ip-address={address} reservation:hostname=named
"""


@pytest.fixture
def of_client_identifier(tmp_path):
    """Of the client identifier "one" alone."""
    script = write_script(tmp_path / "one", ONE.format(directory=tmp_path, address=FIRST[4]))
    return hook(script, answers=True, hook_points=["subnet4_select"], **{"on-failure": "continue"})


def test_a_new_network_card(link, tmp_path, of_client_identifier):
    old, new = (client(link, 4, number, client_id=b"\0one") for number in (1, 2))
    with Kea(4, SUBNETS[4], tmp_path, [of_client_identifier]) as kea:
        assert old.joins() == [FIRST[4]] == new.joins()
        assert refused(kea) == []


def test_two_systems_of_one_machine(link, tmp_path, of_client_identifier):
    """The program knows the first alone. What the second has takes nothing from it."""
    one, two = (client(link, 4, client_id=name, hostname="own") for name in (b"\0one", b"\0two"))
    with Kea(4, {**SUBNETS[4], "host-reservation-identifiers": ["client-id"]}, tmp_path, [of_client_identifier]):
        assert one.joins() == [FIRST[4]]
        two.joins()
        (tmp_path / "down").touch()
        assert one.renew().option(HOSTNAME) == b"named"


def test_another_link_local_address(link, tmp_path):
    """Kea makes a hardware address of one that is made of a hardware address; a later one is not (RFC 7217)."""
    who = {"duid": b"\0\2\0\0\x0d\xe9machine"}
    before = Asking6(link, "00:16:3e:00:51:01", **who)
    after = Asking6(link, "00:16:3e:00:51:01", address="fe80::1234:5678:9abc:def0", **who)
    script = write_script(tmp_path / "all", f'#!/bin/sh\nexec "$KEA_RUNSCRIPT" answer reservation:ip-addresses={FIRST[6]}\n')
    with Kea(6, SUBNETS[6], tmp_path, [hook(script, answers=True, hook_points=["subnet6_select"])]) as kea:
        assert before.joins() == [FIRST[6]]
        after.ias, after.server_id = before.ias, before.server_id
        assert after.renews() == [FIRST[6]] and refused(kea) == []


INTERFACES = """#!/bin/sh
[ ! -e {directory}/down ] || exit 1
case $KEA_QUERY6_HWADDR in
*:01) exec "$KEA_RUNSCRIPT" answer reservation:ip-addresses={first} ;;
*:02) exec "$KEA_RUNSCRIPT" answer reservation:ip-addresses={second} ;;
esac
"""


def test_two_interfaces_of_one_duid(link, tmp_path):
    """By wire and by radio. Each keeps its own after a restart while the program is down."""
    one, two = (Asking6(link, f"00:16:3e:00:51:0{n}", duid=b"\0\2\0\0\x0d\xe9machine", na=(n,)) for n in (1, 2))
    script = write_script(tmp_path / "interfaces", INTERFACES.format(directory=tmp_path, first=FIRST[6], second=SECOND[6]))
    library = hook(script, answers=True, hook_points=["subnet6_select"], **{"on-failure": "continue"})
    with Kea(6, SUBNETS[6], tmp_path, [library]) as kea:
        assert (one.joins(), two.joins()) == ([FIRST[6]], [SECOND[6]])
        (tmp_path / "down").touch()
        kea.stop()
        kea.start()
        assert (one.renews(), two.renews()) == ([FIRST[6]], [SECOND[6]])


def test_without_a_hardware_address_two_are_not_one(link, tmp_path):
    """IP over InfiniBand (RFC 4390)."""
    script = write_script(tmp_path / "by_id", f'#!/bin/sh\ncat "{tmp_path}/$KEA_QUERY4_CLIENT_ID" 2>/dev/null || :\n')
    one, two = (Client4(link, "", client_id=name, htype=32) for name in (b"\0one", b"\0two"))
    answer = json.dumps({"reservation": {"ip-address": FIRST[4]}})
    (tmp_path / "00:6f:6e:65").write_text(answer)
    library = hook(script, answers=True, hook_points=["subnet4_select"])
    with Kea(4, {**SUBNETS[4], "host-reservation-identifiers": ["client-id"]}, tmp_path, [library]) as kea:
        assert one.dora().yiaddr == FIRST[4]
        (tmp_path / "00:6f:6e:65").rename(tmp_path / "00:74:77:6f")
        assert kea.command("runscript-forget")["result"] == 0
        assert two.dora().yiaddr != FIRST[4]
        assert any("still leased to another client" in line for line in refused(kea))
        ack = one.renew()
        assert (ack.type, ack.yiaddr) == (ACK, FIRST[4])


@FAMILIES
def test_what_a_lease_stands_for_ends_with_it(link, tmp_path, reserver, family):
    one, two = client(link, family), client(link, family, 2)
    reserver.reserve(one.name, **address(family, FIRST[family]))
    # Kea 3 keeps a released lease for its client else.
    with serve(family, tmp_path, reserver, **{"expired-leases-processing": {"hold-reclaimed-time": 0}}) as kea:
        assert one.joins() == [FIRST[family]]
        reserver.goes_down()
        kea.stop()
        kea.start()
        assert one.renews() == [FIRST[family]]
        one.release()
        kea.wait_log("RELEASE")
        reserver.say_nothing(one.name)
        reserver.reserve(two.name, **address(family, FIRST[family]))
        reserver.comes_up()
        assert two.joins() == [FIRST[family]]


@FAMILIES
def test_a_configuration_without_the_library_between(link, tmp_path, reserver, family):
    """Meanwhile the address, of a pool, went to another client."""
    one, two = client(link, family), client(link, family, 2)
    reserver.reserve(one.name, **address(family, IN_A_POOL[family]))
    with serve(family, tmp_path, reserver) as kea:
        assert one.offered() == [IN_A_POOL[family]]
        kea.configure(SUBNETS[family])
        kea.reload()
        assert two.joins() == [IN_A_POOL[family]]
        reserver.say_nothing(one.name)
        kea.configure(SUBNETS[family], [reserver.hook(family)])
        kea.reload()
        assert two.renews() == [IN_A_POOL[family]] and reservations(kea) == 0


@FAMILIES
def test_forgotten_by_another_identifier(link, tmp_path, reserver, family):
    """With Kea's default, what is reserved is known by the hardware address."""
    one = client(link, family, **({"client_id": b"\0one"} if family == 4 else {}))
    reserver.reserve(one.name, **address(family, FIRST[family]))
    with serve(family, tmp_path, reserver) as kea:
        assert one.offered() == [FIRST[family]] and reservations(kea) == 1
        named = {"client-id": "00:6f:6e:65"} if family == 4 else {"duid": one.name}
        assert kea.command("runscript-forget", named)["result"] == 0
        assert reservations(kea) == 0
