"""The key `reservation` of an answer, as clients see it."""

import csv

import pytest

from rig.answers import answering
from rig.configs import SUBNET4, SUBNET6, THREADS
from rig.dhcp4 import NAK, Client4, NoAnswer
from rig.dhcp6 import Relay6
from rig.kea import Kea, hook, version
from rig.reserver import Reserver, client

FAMILIES = pytest.mark.parametrize("family", [4, 6])
BOTH = pytest.mark.parametrize("threads", [{}, THREADS], ids=["single", "threads"])
ROUTERS, DOMAIN_NAME = 3, 15
SUBNETS = {4: SUBNET4, 6: SUBNET6}
# None is in a pool.
FIRST = {4: "192.0.2.5", 6: "2001:db8::5"}
SECOND = {4: "192.0.2.6", 6: "2001:db8::6"}
IN_A_POOL = {4: "192.0.2.10", 6: "2001:db8::1000"}
FOREIGN = {4: "198.51.100.5", 6: "2001:db8:1::5"}


def address(family, text, **more):
    return {"ip_address": text, **more} if family == 4 else {"ip_addresses": [text], **more}


def reserved(family, text):
    """The same in Kea's configuration."""
    return {key.replace("_", "-"): value for key, value in address(family, text).items()}


@pytest.fixture
def reserver(tmp_path):
    return Reserver(tmp_path)


def serve(family, tmp_path, reserver, config=None, points=("subnet{}_select",), before=(), after=(), **more):
    hooks = [*before, reserver.hook(family, points), *after]
    return Kea(family, {**(config or SUBNETS[family]), **more}, tmp_path, hooks)


def refused(kea):
    return kea.said("ANSWER_REFUSED")


def reservations(kea):
    return kea.command("runscript-status")["arguments"]["reservations"]


@BOTH
@FAMILIES
@pytest.mark.parametrize("point", ["subnet{}_select", "host{}_identifier"])
def test_the_first_time_and_each_time(link, tmp_path, reserver, family, threads, point):
    """Outside all pools."""
    one = client(link, family)
    reserver.reserve(one.name, **address(family, FIRST[family]))
    more = {**threads, "host-reservation-identifiers": ["hw-address", "duid", "flex-id"]}
    with serve(family, tmp_path, reserver, points=[point], **more) as kea:
        assert one.offered() == [FIRST[family]]
        assert one.joins() == [FIRST[family]]
        assert one.renews() == [FIRST[family]]
        assert one.rebinds() == [FIRST[family]]
        assert one.boots_again() == [FIRST[family]]
        assert client(link, family, 2).joins() not in ([], [FIRST[family]])
        assert refused(kea) == [] and reservations(kea) == 1


@FAMILIES
def test_a_reload_changes_nothing(link, tmp_path, reserver, family):
    one = client(link, family)
    reserver.reserve(one.name, **address(family, FIRST[family]))
    with serve(family, tmp_path, reserver) as kea:
        assert one.joins() == [FIRST[family]]
        kea.reload()
        assert reservations(kea) == 1
        assert one.renews() == [FIRST[family]]
        reserver.goes_down()
        kea.reload()
        assert one.renews() == [FIRST[family]] == one.boots_again()
        assert kea.status()["failures"] > 0 and refused(kea) == []


@FAMILIES
def test_a_reload_without_the_subnet(link, tmp_path, reserver, family):
    one = client(link, family)
    reserver.reserve(one.name, **address(family, FIRST[family]))
    with serve(family, tmp_path, reserver) as kea:
        assert one.joins() == [FIRST[family]]
        prefix = {4: "198.51.100.0/24", 6: "2001:db8:1::/64"}[family]
        other = {**SUBNETS[family][f"subnet{family}"][0], "subnet": prefix, "pools": [], "pd-pools": []}
        other = {key: value for key, value in other.items() if family == 6 or key != "pd-pools"}
        kea.configure({f"subnet{family}": [other]}, [reserver.hook(family)])
        kea.reload()
        assert reservations(kea) == 0


@BOTH
@FAMILIES
def test_a_restart_while_the_handler_is_down(link, tmp_path, reserver, family, threads):
    """The lease says where its address is from, and stands for the reservation."""
    one, two = client(link, family), client(link, family, 2)
    reserver.reserve(one.name, **address(family, FIRST[family]))
    reserver.reserve(two.name, **address(family, SECOND[family]))
    with serve(family, tmp_path, reserver, **threads) as kea:
        assert (one.joins(), two.joins()) == ([FIRST[family]], [SECOND[family]])
        reserver.goes_down()
        kea.stop()
        kea.start()
        assert reservations(kea) == 0
        assert one.renews() == [FIRST[family]]
        assert two.boots_again() == [SECOND[family]]
        assert one.offered() == [FIRST[family]] and one.joins() == [FIRST[family]]
        assert kea.status()["failures"] > 0
        # The mark is on the lease still.
        kea.stop()
        kea.start()
        assert one.renews() == [FIRST[family]]


@FAMILIES
def test_null_takes_back(link, tmp_path, reserver, family):
    one = client(link, family)
    reserver.reserve(one.name, **address(family, FIRST[family]))
    with serve(family, tmp_path, reserver) as kea:
        assert one.joins() == [FIRST[family]]
        reserver.reserve(one.name)
        if family == 4:
            # As with one that has been taken out of its configuration.
            with pytest.raises(NoAnswer):
                one.renew(timeout=0.5)
        else:
            assert FIRST[6] not in one.renews()
        # What was said holds, until something else is.
        reserver.say_nothing(one.name)
        assert one.offered() != [FIRST[family]]
        joined = one.joins()
        assert joined not in ([], [FIRST[family]])
        assert one.renews() == joined
        assert refused(kea) == []


@FAMILIES
def test_another_answer_replaces(link, tmp_path, reserver, family):
    one = client(link, family)
    reserver.reserve(one.name, **address(family, FIRST[family]))
    with serve(family, tmp_path, reserver) as kea:
        assert one.joins() == [FIRST[family]]
        reserver.reserve(one.name, **address(family, SECOND[family]))
        assert one.offered() == [SECOND[family]]
        assert one.joins() == [SECOND[family]]
        assert reservations(kea) == 1 and refused(kea) == []


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
def test_a_command_frees_it(link, tmp_path, reserver, family):
    one, two = client(link, family), client(link, family, 2)
    for asking in one, two:
        reserver.reserve(asking.name, **address(family, FIRST[family]))
    with serve(family, tmp_path, reserver) as kea:
        assert one.offered() == [FIRST[family]] != two.offered()
        assert kea.command("runscript-forget", {"hw-address": two.mac})["result"] == 3
        assert kea.command("runscript-forget", {"hw-address": one.mac})["text"] == "1 reservation is forgotten"
        assert two.offered() == [FIRST[family]] != one.offered()
        assert kea.command("runscript-forget")["text"] == "1 reservation is forgotten"
        assert reservations(kea) == 0


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


@FAMILIES
def test_limit_0_is_none(link, tmp_path, reserver, family):
    one = client(link, family)
    reserver.reserve(one.name, **address(family, FIRST[family]))
    with Kea(family, SUBNETS[family], tmp_path, [reserver.hook(family, **{"reservation-limit": 0})]) as kea:
        assert one.joins() not in ([], [FIRST[family]])
        assert any("\"reservation-limit\" is 0" in line for line in refused(kea))


def test_a_prefix(link, tmp_path, reserver):
    prefix = "2001:db8:ffff::/48"
    with client(link, 6, na=(1,), pd=(2,)) as one, client(link, 6, 2, na=(), pd=(1,)) as two:
        reserver.reserve(one.name, ip_addresses=[FIRST[6]], prefixes=[prefix])
        with serve(6, tmp_path, reserver) as kea:
            assert sorted(one.joins()) == sorted([FIRST[6], prefix])
            assert sorted(one.renews()) == sorted([FIRST[6], prefix])
            reserver.reserve(two.name, prefixes=[prefix])
            assert two.joins() not in ([], [prefix])
            assert any("is still leased to another client" in line for line in refused(kea))
            reserver.goes_down()
            kea.stop()
            kea.start()
            assert sorted(one.renews()) == sorted([FIRST[6], prefix])


def test_options_and_boot_fields(link, tmp_path, reserver):
    one = Client4(link, "02:00:00:00:51:01", hostname="its-own", options=[(55, bytes([ROUTERS, DOMAIN_NAME]))])
    options = [{"name": "routers", "data": "192.0.2.254"}, {"code": 224, "csv-format": False, "data": "0102", "always-send": True}]
    reserver.reserve(one.mac, ip_address=FIRST[4], hostname="reserved", option_data=options, next_server="192.0.2.7",
                     server_hostname="boots", boot_file_name="pxe/one.0", client_classes=["of-answer"])
    classes = [{"name": "of-answer", "option-data": [{"name": "domain-name", "data": "of.answer"}]}]
    with serve(4, tmp_path, reserver, **{"client-classes": classes}) as kea:
        ack = one.dora()
        assert ack.yiaddr == FIRST[4] and ack.siaddr == "192.0.2.7"
        assert (ack.sname.rstrip(b"\0"), ack.file.rstrip(b"\0")) == (b"boots", b"pxe/one.0")
        assert ack.option(ROUTERS) == bytes([192, 0, 2, 254]) and ack.option(224) == b"\1\2"
        assert ack.option(DOMAIN_NAME) == b"of.answer"
        assert ack.option(12) == b"reserved"
        assert refused(kea) == []


def test_what_is_said_later_wins(link, tmp_path, reserver):
    """At pkt4_send, over what is reserved."""
    one = Client4(link, "02:00:00:00:51:01", options=[(55, bytes([ROUTERS]))])
    reserver.reserve(one.mac, ip_address=FIRST[4], boot_file_name="reserved",
                     option_data=[{"name": "routers", "data": "192.0.2.254"}])
    later = {"option-data": [{"name": "routers", "data": "192.0.2.253"}], "boot-file-name": "later"}
    script = {"script": str(answering(tmp_path, {"pkt4_send": later}, "later")), "answers": True, "on-failure": "continue",
              "hook-points": ["pkt4_send"]}
    library = hook(scripts=[reserver.hook(4)["parameters"], script])
    with Kea(4, SUBNET4, tmp_path, [library]) as kea:
        ack = one.dora()
        assert (ack.yiaddr, ack.file.rstrip(b"\0"), ack.option(ROUTERS)) == (FIRST[4], b"later", bytes([192, 0, 2, 253]))
        assert refused(kea) == []


def test_options_without_an_address(link, tmp_path, reserver):
    one = Client4(link, "02:00:00:00:51:01", options=[(55, bytes([ROUTERS]))])
    reserver.reserve(one.mac, option_data=[{"name": "routers", "data": "192.0.2.254"}])
    with serve(4, tmp_path, reserver):
        ack = one.dora()
        assert ack.option(ROUTERS) == bytes([192, 0, 2, 254]) and ack.yiaddr not in (FIRST[4], "0.0.0.0")


@BOTH
@FAMILIES
def test_a_shared_network(link, tmp_path, reserver, family, threads):
    """The address is of a subnet that Kea would not have chosen; the options count in all of them."""
    prefix, pool = {4: ("198.51.100.0/24", "198.51.100.10-198.51.100.20"),
                    6: ("2001:db8:1::/64", "2001:db8:1::1000/116")}[family]
    subnets = [SUBNETS[family][f"subnet{family}"][0], {"id": 2, "subnet": prefix, "pools": [{"pool": pool}]}]
    subnets.append({"id": 3, **({"subnet": "203.0.113.0/24"} if family == 4 else {"subnet": "2001:db8:2::/64"})})
    subnets.append({"id": 4, **({"subnet": "192.88.99.0/24"} if family == 4 else {"subnet": "2001:db8:3::/64"})})
    subnets = [{key: value for key, value in subnet.items() if key not in ("interface", "rapid-commit")} for subnet in subnets]
    network = {"shared-networks": [{"name": "both", "interface": "vs", f"subnet{family}": subnets}]}
    one, two = client(link, family), client(link, family, 2)
    reserver.reserve(one.name, **address(family, FOREIGN[family]), hostname="one")
    reserver.reserve(two.name, hostname="two")
    with serve(family, tmp_path, reserver, network, **threads) as kea:
        assert one.offered() == [FOREIGN[family]]
        assert one.joins() == [FOREIGN[family]] == one.renews()
        two.joins()
        assert two.has not in ([], [FOREIGN[family]])
        names = names_of(kea)
        assert names[FOREIGN[family]] == "one" and names[two.has[0]].startswith("two")
        reserver.goes_down()
        kea.stop()
        kea.start()
        assert one.renews() == [FOREIGN[family]]
        assert refused(kea) == []


def names_of(kea):
    """The host names in the lease file, by address."""
    with open(kea.lease_file) as file:
        return {row["address"]: row["hostname"] for row in csv.DictReader(file)}


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


@FAMILIES
def test_behind_a_relay(link, tmp_path, reserver, family):
    if family == 4:
        subnet = {"id": 7, "subnet": "198.51.100.0/24"}
        one = client(link, 4, relay="192.0.2.9")
        config = {"subnet4": [{**subnet, "relay": {"ip-addresses": ["192.0.2.9"]}}]}
    else:
        relay = Relay6("2001:db8:1::1", "fe80::1")
        one = client(link, 6, relays=(relay,))
        config = {"subnet6": [{"id": 7, "subnet": "2001:db8:1::/64"}]}
    reserver.reserve(one.name, **address(family, FOREIGN[family]))
    with serve(family, tmp_path, reserver, config) as kea:
        assert one.joins() == [FOREIGN[family]]
        assert one.renews() == [FOREIGN[family]]
        assert refused(kea) == []


def test_by_client_identifier(link, tmp_path, reserver):
    """Of two systems on one machine."""
    one = client(link, 4, client_id=b"\0one")
    two = client(link, 4, client_id=b"\0two")
    reserver.reserve(one.mac, ip_address=FIRST[4])
    with serve(4, tmp_path, reserver, **{"host-reservation-identifiers": ["client-id"]}) as kea:
        assert one.joins() == [FIRST[4]]
        reserver.say_nothing(one.mac)
        assert two.joins() != [FIRST[4]]
        assert one.renews() == [FIRST[4]]
        assert Client4(link, one.mac).dora().yiaddr not in (FIRST[4], two.address)
        reserver.reserve(one.mac, ip_address=SECOND[4])
        Client4(link, one.mac).discover()
        assert any("has none of the identifiers" in line for line in refused(kea))


def test_one_machine_has_one_reservation(link, tmp_path, reserver):
    """Its boot ROM says no client identifier, its system does."""
    rom, system = client(link, 4), client(link, 4, client_id=b"\0system")
    reserver.reserve(rom.mac, ip_address=FIRST[4])
    with serve(4, tmp_path, reserver, **{"host-reservation-identifiers": ["client-id", "hw-address"]}) as kea:
        assert rom.offered() == [FIRST[4]]
        assert system.joins() == [FIRST[4]]
        assert refused(kea) == [] and reservations(kea) == 1


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


def test_a_renumbered_client_is_told(link, tmp_path, reserver):
    one = client(link, 4)
    with serve(4, tmp_path, reserver):
        one.joins()
        reserver.reserve(one.name, ip_address=FIRST[4])
        assert one.renew().type == NAK
        assert one.joins() == [FIRST[4]]


@pytest.mark.skipif(version() < (2, 6), reason="Kea parks there from 2.6 on")
@BOTH
@FAMILIES
def test_of_a_parked_packet(link, tmp_path, reserver, family, threads):
    one = client(link, family)
    reserver.reserve(one.name, **address(family, FIRST[family]))
    hook = reserver.hook(family, wait="park")
    with Kea(family, {**SUBNETS[family], **threads}, tmp_path, [hook]) as kea:
        assert one.joins() == [FIRST[family]] == one.renews()
        reserver.goes_down()
        kea.stop()
        kea.start()
        assert one.renews() == [FIRST[family]]


@FAMILIES
def test_early_lookup_comes_before_the_subnet(link, tmp_path, reserver, family):
    one = client(link, family)
    reserver.reserve(one.name, **address(family, FIRST[family]))
    more = {"early-global-reservations-lookup": True, "host-reservation-identifiers": ["hw-address", "duid", "flex-id"]}
    with serve(family, tmp_path, reserver, points=["host{}_identifier"], **more) as kea:
        assert one.joins() not in ([], [FIRST[family]])
        assert any("before Kea has chosen a subnet" in line for line in refused(kea))
