"""The key `reservation` of an answer, as clients see it."""

import pytest

from rig.answers import answering
from rig.configs import SUBNET4, SUBNETS, THREADS
from rig.dhcp4 import NAK, Client4, NoAnswer
from rig.dhcp6 import Relay6
from rig.kea import Kea, hook, version
from rig.reserver import (FIRST, FOREIGN, SECOND, Reserver, address, client, names_of, refused, reservations,
                          serve)

FAMILIES = pytest.mark.parametrize("family", [4, 6])
BOTH = pytest.mark.parametrize("threads", [{}, THREADS], ids=["single", "threads"])
ROUTERS, DOMAIN_NAME = 3, 15


@pytest.fixture
def reserver(tmp_path):
    return Reserver(tmp_path)


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
