"""The key `reservation` of an answer: what is not reserved, and what of two wins."""

import pytest

from rig.configs import SUBNETS, THREADS
from rig.dhcp4 import Client4
from rig.kea import Kea, hook
from rig.reserver import (FIRST, IN_A_POOL, SECOND, Reserver, address, client, refused, reservations, reserved,
                          serve)

FAMILIES = pytest.mark.parametrize("family", [4, 6])
BOTH = pytest.mark.parametrize("threads", [{}, THREADS], ids=["single", "threads"])
DOMAIN_NAME = 15


@pytest.fixture
def reserver(tmp_path):
    return Reserver(tmp_path)


@BOTH
@FAMILIES
def test_two_clients_of_one_address(link, tmp_path, reserver, family, threads):
    one, two = client(link, family), client(link, family, 2)
    for asking in one, two:
        reserver.reserve(asking.name, **address(family, FIRST[family]))
    with serve(family, tmp_path, reserver, **threads) as kea:
        assert one.offered() == [FIRST[family]]
        assert two.joins() not in ([], [FIRST[family]])
        assert any("is reserved for" in line for line in refused(kea))
        assert kea.status()["refused"] == 2
        assert one.joins() == [FIRST[family]] == one.renews()
        # A restart leaves the first one's lease.
        reserver.say_nothing(one.name)
        kea.stop()
        kea.start()
        assert two.offered() != [FIRST[family]]
        assert any("is still leased to another client" in line for line in refused(kea))
        assert one.renews() == [FIRST[family]]


@FAMILIES
def test_what_is_reserved_is_nobody_elses(link, tmp_path, reserver, family):
    """In a pool, where any client might get it."""
    one, two = client(link, family), client(link, family, 2)
    reserver.reserve(one.name, **address(family, IN_A_POOL[family]))
    with serve(family, tmp_path, reserver):
        assert one.offered() == [IN_A_POOL[family]]
        if family == 4:
            assert two.dora(requested=IN_A_POOL[4]).yiaddr != IN_A_POOL[4]
        assert two.joins() not in ([], [IN_A_POOL[family]])
        assert one.joins() == [IN_A_POOL[family]]


@FAMILIES
def test_the_oldest_goes_beyond_the_limit(link, tmp_path, reserver, family):
    hook = reserver.hook(family, **{"reservation-limit": 2})
    clients = [client(link, family, number) for number in (1, 2, 3)]
    for number, asking in enumerate(clients):
        reserver.reserve(asking.name, **address(family, {4: "192.0.2.%d", 6: "2001:db8::%d"}[family] % (5 + number)))
    with Kea(family, SUBNETS[family], tmp_path, [hook]) as kea:
        assert clients[0].offered() == [FIRST[family]]
        assert clients[1].offered() == [SECOND[family]]
        # The first is the younger one now.
        assert clients[0].offered() == [FIRST[family]]
        third = clients[2].offered()
        assert reservations(kea) == 2
        # One that is there is given to nobody else; the second's is free.
        reserver.reserve(clients[2].name, **address(family, SECOND[family]))
        assert clients[2].offered() == [SECOND[family]] != third
        assert refused(kea) == []


@FAMILIES
def test_strangers_drive_nobody_out(link, tmp_path, reserver, family):
    """Of whom an answer says that they have nothing."""
    hook = reserver.hook(family, **{"reservation-limit": 3})
    one = client(link, family)
    reserver.reserve(one.name, **address(family, FIRST[family]))
    with Kea(family, SUBNETS[family], tmp_path, [hook]) as kea:
        assert one.offered() == [FIRST[family]]
        for number in range(2, 8):
            stranger = client(link, family, number)
            reserver.reserve(stranger.name)
            assert stranger.joins() not in ([], [FIRST[family]])
        assert reservations(kea) == 1
        reserver.say_nothing(one.name)
        assert one.joins() == [FIRST[family]]


def test_a_stranger_without_one_drives_nobody_out(link, tmp_path, reserver):
    one, stranger = client(link, 4), client(link, 4, 2)
    reserver.reserve(one.name, ip_address=FIRST[4])
    reserver.reserve(stranger.name)
    with Kea(4, SUBNETS[4], tmp_path, [reserver.hook(4, **{"reservation-limit": 1})]) as kea:
        assert one.joins() == [FIRST[4]]
        stranger.offered()
        assert reservations(kea) == 1


# IA_NA, IAADDR, IA_PD, IAPREFIX, LQ_QUERY, CLIENT_DATA: Kea has the space of DHCPv6 in them.
HOLDERS = {3: "00000001" + "00" * 8, 5: "20010db8" + "00" * 20, 25: "00000001" + "00" * 8, 26: "00" * 25,
           44: "01" + "00" * 16, 45: ""}


@pytest.mark.parametrize("code, data", HOLDERS.items())
def test_an_option_that_would_hold_itself(link, tmp_path, reserver, code, data):
    """Kea would put the reservation's options into it, and pack them without end."""
    one = client(link, 6)
    option = {"code": code, "csv-format": False, "data": data, "always-send": True}
    reserver.say(one.name, {"reservation": {"ip-addresses": [FIRST[6]], "option-data": [option]}})
    with serve(6, tmp_path, reserver) as kea:
        assert one.joins() not in ([], [FIRST[6]])
        assert "itself" in refused(kea)[0]


@FAMILIES
def test_limit_0_is_none(link, tmp_path, reserver, family):
    one = client(link, family)
    reserver.reserve(one.name, **address(family, FIRST[family]))
    with Kea(family, SUBNETS[family], tmp_path, [reserver.hook(family, **{"reservation-limit": 0})]) as kea:
        assert one.joins() not in ([], [FIRST[family]])
        assert any("\"reservation-limit\" is 0" in line for line in refused(kea))


@FAMILIES
def test_one_in_the_configuration_wins(link, tmp_path, reserver, family):
    """By whatever identifier: Kea looks by the hardware address first."""
    one = client(link, family, **({"client_id": b"\0its-own"} if family == 4 else {}))
    by = {"client-id": "00" + b"its-own".hex()} if family == 4 else {"duid": one.name}
    subnet = {**SUBNETS[family][f"subnet{family}"][0], "reservations": [{**by, **reserved(family, SECOND[family])}]}
    reserver.reserve(one.name, **address(family, FIRST[family]))
    with serve(family, tmp_path, reserver, {f"subnet{family}": [subnet]}) as kea:
        assert one.joins() == [SECOND[family]]
        assert any("the client has a reservation in Kea's configuration" in line for line in refused(kea))


@FAMILIES
def test_an_address_of_one_in_the_configuration(link, tmp_path, reserver, family):
    one = client(link, family)
    by = {"hw-address": "02:00:00:00:52:01"} if family == 4 else {"duid": "00:03:00:01:02:00:00:00:52:01"}
    subnet = {**SUBNETS[family][f"subnet{family}"][0], "reservations": [{**by, **reserved(family, FIRST[family])}]}
    reserver.reserve(one.name, **address(family, FIRST[family]))
    with serve(family, tmp_path, reserver, {f"subnet{family}": [subnet]}) as kea:
        assert one.joins() not in ([], [FIRST[family]])
        assert any(f"{FIRST[family]} is reserved for" in line for line in refused(kea))


REFUSED = [
    ({"ip_address": "198.51.100.5"}, "is not of 192.0.2.0/24"),
    ({"ip_address": "0.0.0.0"}, "0.0.0.0"),
    ({"ip_address": "255.255.255.255"}, "255.255.255.255"),
    ({"ip_address": FIRST[4], "hw_address": "02:00:00:00:51:02"}, "it is for the client that asks"),
    ({"ip_address": FIRST[4], "subnet_id": 1}, "it is for the client that asks"),
    ({"ip_address": FIRST[4], "colour": "red"}, "is unknown here"),
    ({"ip_addresses": ["2001:db8::5"]}, "ip-addresses"),
    ({"ip_address": FIRST[4], "option_data": [{"name": "no-such-option", "data": "x"}]}, "no-such-option"),
    ({"ip_address": FIRST[4], "option_data": [{"name": "routers", "data": "x"}]}, "x"),
    ({"ip_address": FIRST[4], "option_data": [{"name": "boot-file-name", "data": "a,b"}]}, "has room for 1 of these 2 values"),
    ({"ip_address": FIRST[4], "boot_file_name": "x" * 128}, "127"),
    ({"ip_address": FIRST[4], "hostname": "a b"}, "give a domain name"),
]


@pytest.mark.parametrize("reservation, reason", REFUSED, ids=[reason for _, reason in REFUSED])
def test_what_kea_refuses_is_refused_and_the_rest_holds(link, tmp_path, reserver, reservation, reason):
    one = Client4(link, "02:00:00:00:51:01", options=[(55, bytes([DOMAIN_NAME]))])
    wanted = {key.replace("_", "-"): value for key, value in reservation.items()}
    reserver.say(one.mac, {"reservation": wanted, "client-classes": ["of-answer"]})
    classes = [{"name": "of-answer", "option-data": [{"name": "domain-name", "data": "of.answer"}]}]
    with serve(4, tmp_path, reserver, **{"client-classes": classes}) as kea:
        offer = one.discover()
        assert offer.option(DOMAIN_NAME) == b"of.answer" and offer.yiaddr != FIRST[4]
        [line] = refused(kea)
        assert reason in line, line
        assert reservations(kea) == 0


@pytest.mark.parametrize("setting, reason", [
    ({"reservations-in-subnet": False}, '"reservations-in-subnet" of 192.0.2.0/24 is false'),
    ({"reservations-out-of-pool": True}, 'is in a pool, and "reservations-out-of-pool" of 192.0.2.0/24 is true'),
])
def test_what_kea_would_not_notice_is_refused(link, tmp_path, reserver, setting, reason):
    one = client(link, 4)
    reserver.reserve(one.name, ip_address=IN_A_POOL[4])
    with serve(4, tmp_path, reserver, **setting) as kea:
        one.joins()
        assert any(reason in line for line in refused(kea)), refused(kea)
