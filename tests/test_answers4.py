"""What a script's answer changes at kea-dhcp4, as the client sees it: a test for each row of docs/answers.md."""

import pytest

from rig import dhcp4
from rig.answers import answerer
from rig.configs import SUBNET4, THREADS
from rig.dhcp4 import ACK, CLIENT_FQDN, HOSTNAME, NoAnswer, fqdn, stranger
from rig.kea import Kea, version
from rig.since import since
from rig.wait import wait_until

THREADING = pytest.mark.parametrize("threads", [{}, THREADS], ids=["single", "threads"])
ROUTERS, LOG_SERVERS, MERIT_DUMP, DOMAIN_NAME = 3, 7, 14, 15
KNOWN = {"client-classes": ["known"]}
RELAY = "192.0.2.9"
ASK = [(55, bytes([ROUTERS, DOMAIN_NAME]))]
POOL = SUBNET4["subnet4"][0]["pools"][0]


AT_THE_ANSWER = pytest.mark.parametrize(
    "point", ["pkt4_send", "leases4_committed", pytest.param("lease4_offer", marks=since(2, 6))])


def answer_at(point, client):
    """What Kea sends the client after this hook point."""
    return client.discover() if point == "lease4_offer" else client.dora()


def subnet(**more):
    return {"subnet4": [{**SUBNET4["subnet4"][0], **more}]}


def serve(tmp_path, answers, config=SUBNET4, **more):
    return Kea(4, {**config, **more}, tmp_path, [answerer(tmp_path, answers)])


def nothing_refused(kea):
    assert kea.status()["refused"] == kea.status()["failures"] == 0, kea.said("(?:ANSWER_REFUSED|EVENT_FAILED)")


# Client classes

GUARDED = subnet(**{"client-class": "known"})


@pytest.mark.parametrize("point, relay", [("buffer4_receive", None), ("buffer4_receive", RELAY), ("pkt4_receive", RELAY)])
@THREADING
def test_a_class_opens_a_subnet(link, tmp_path, point, relay, threads):
    with serve(tmp_path / "without", {point: {}}, GUARDED, **threads), pytest.raises(NoAnswer):
        stranger(link, relay=relay).discover(timeout=0.5)
    with serve(tmp_path / "with", {point: KNOWN}, GUARDED, **threads) as kea:
        assert stranger(link, relay=relay).dora().type == ACK
        nothing_refused(kea)


def test_a_broadcast_for_which_no_subnet_is_open(link, tmp_path):
    """Before 3.0, Kea drops it before pkt4_receive."""
    with serve(tmp_path, {"pkt4_receive": KNOWN}, GUARDED) as kea:
        if version() >= (3, 0):
            assert stranger(link).dora().type == ACK
        else:
            with pytest.raises(NoAnswer):
                stranger(link).discover(timeout=0.5)
            assert kea.status()["events"] == 0


@pytest.mark.parametrize("point, counts", [("buffer4_receive", True), ("pkt4_receive", False)])
def test_a_class_in_the_tests_of_others(link, tmp_path, point, counts):
    classes = {"client-classes": [{"name": "known"}, {
        "name": "friends", "test": "member('known')", "option-data": [{"name": "domain-name", "data": "friends"}]}]}
    with serve(tmp_path, {point: KNOWN}, **classes):
        ack = stranger(link, options=ASK).dora()
        assert ack.option(DOMAIN_NAME) == (b"friends" if counts else None)


def test_a_class_opens_a_pool(link, tmp_path):
    guarded = subnet(pools=[{**POOL, "client-class": "known"}])
    with serve(tmp_path / "without", {"subnet4_select": {}}, guarded), pytest.raises(NoAnswer):
        stranger(link).discover(timeout=0.5)
    with serve(tmp_path / "with", {"subnet4_select": KNOWN}, guarded) as kea:
        assert stranger(link).dora().type == ACK
        nothing_refused(kea)


@pytest.mark.parametrize("point", ["pkt4_receive", "subnet4_select", "lease4_select", "lease4_renew"])
@THREADING
def test_a_class_brings_options(link, tmp_path, point, threads):
    classes = {"client-classes": [{"name": "known", "option-data": [{"name": "domain-name", "data": "known"}]}]}
    with serve(tmp_path, {point: KNOWN}, **classes, **threads) as kea:
        client = stranger(link, options=ASK)
        ack = client.dora()
        if point == "lease4_renew":
            assert ack.option(DOMAIN_NAME) is None
            ack = client.renew()
        assert ack.option(DOMAIN_NAME) == b"known"
        nothing_refused(kea)


# The subnet

TWO_SUBNETS = {"subnet4": [*SUBNET4["subnet4"], {"id": 2, "subnet": "198.51.100.0/24", "pools": [
    {"pool": "198.51.100.10-198.51.100.99"}], "option-data": [{"name": "routers", "data": "198.51.100.1"}]}]}


@THREADING
def test_another_subnet(link, tmp_path, threads):
    with serve(tmp_path, {"subnet4_select": {"subnet-id": 2}}, TWO_SUBNETS, **threads) as kea:
        client = stranger(link, options=ASK)
        ack = client.dora()
        assert ack.yiaddr.startswith("198.51.100.") and ack.option(ROUTERS) == bytes([198, 51, 100, 1])
        assert client.renew().yiaddr == client.address
        nothing_refused(kea)


# Options and fields of the answer

@THREADING
@AT_THE_ANSWER
def test_options_of_the_answer(link, tmp_path, point, threads):
    config = subnet(**{"option-data": [{"name": "routers", "data": "192.0.2.1"}]})
    config["option-def"] = [{"name": "ours", "code": 222, "type": "record", "record-types": "uint16, string"}]
    options = [{"name": "routers", "data": "192.0.2.5, 192.0.2.6"}, {"code": MERIT_DUMP, "data": "größe\\,x"},
               {"name": "ours", "data": "7, seven"}, {"code": 223, "csv-format": False, "data": "0x0102FF"},
               {"name": "log-servers", "space": "dhcp4", "csv-format": False, "data": "C0000207"}]
    with serve(tmp_path, {point: {"option-data": options}}, config, **threads) as kea:
        ack = answer_at(point, stranger(link, options=ASK))
        assert [code for code, _ in ack.options].count(ROUTERS) == 1
        assert ack.option(ROUTERS) == bytes([192, 0, 2, 5, 192, 0, 2, 6])
        assert ack.option(MERIT_DUMP).decode() == "größe,x"
        assert ack.option(222) == b"\0\7seven"
        assert ack.option(223) == b"\1\2\xff"
        assert ack.option(LOG_SERVERS) == bytes([192, 0, 2, 7])
        # What the server has in its configuration is as it was.
        assert answer_at(point, stranger(link, options=ASK)).option(ROUTERS) == ack.option(ROUTERS)
        nothing_refused(kea)


def test_the_configurations_options_stay_as_they_are(link, tmp_path):
    """An option that every client shares is replaced for one of them."""
    config = subnet(**{"option-data": [{"name": "routers", "data": "192.0.2.1"}]})
    point = {"pkt4_send": {"option-data": [{"name": "routers", "data": "192.0.2.9"}]}}
    with serve(tmp_path, point, config) as kea:
        assert stranger(link, options=ASK).dora().option(ROUTERS) == bytes([192, 0, 2, 9])
        (tmp_path / "answerer").write_text("#!/bin/sh\n")
        assert stranger(link, options=ASK).dora().option(ROUTERS) == bytes([192, 0, 2, 1])
        nothing_refused(kea)


@THREADING
@AT_THE_ANSWER
def test_fields_of_the_answer(link, tmp_path, point, threads):
    answer = {"next-server": "192.0.2.3", "server-hostname": "s" * 64, "boot-file-name": "f" * 128}
    config = subnet(**{"next-server": "192.0.2.4", "server-hostname": "other", "boot-file-name": "/other"})
    with serve(tmp_path, {point: answer}, config, **threads) as kea:
        ack = answer_at(point, stranger(link))
        assert (ack.siaddr, ack.sname, ack.file) == ("192.0.2.3", b"s" * 64, b"f" * 128)
        nothing_refused(kea)


# Names

@pytest.mark.parametrize("option, sent", [((HOSTNAME, b"mine"), b"better.example.org"),
                                          (fqdn("mine.example.org"), dhcp4.dns_labels("better.example.org") + b"\0")],
                         ids=["hostname", "fqdn"])
def test_another_name(link, tmp_path, option, sent):
    with serve(tmp_path, {"ddns4_update": {"hostname": "better.example.org"}}) as kea:
        ack = stranger(link, options=[option]).dora()
        assert ack.option(option[0])[3 if option[0] == CLIENT_FQDN else 0:] == sent
        assert ",better.example.org," in kea.lease_file.read_text()
        nothing_refused(kea)


# Leases

@THREADING
def test_another_lifetime(link, tmp_path, threads):
    answers = {"lease4_select": {"valid-lft": 1234}, "lease4_renew": {"valid-lft": 4321}}
    with serve(tmp_path, answers, **threads) as kea:
        client = stranger(link)
        offer = client.discover()
        ack = client.request(offer)
        assert (offer.lease_time, ack.lease_time) == (1234, 1234)
        assert ",1234," in kea.lease_file.read_text()
        assert client.renew().lease_time == 4321
        assert ",4321," in kea.lease_file.read_text().splitlines()[-1]
        nothing_refused(kea)


@THREADING
def test_another_address(link, tmp_path, threads):
    with serve(tmp_path, {"lease4_select": {"ip-address": "192.0.2.77"}}, **threads) as kea:
        client = stranger(link)
        assert client.discover().yiaddr == "192.0.2.77"
        assert client.dora().yiaddr == "192.0.2.77"
        assert client.renew().yiaddr == "192.0.2.77"
        nothing_refused(kea)
        # It is taken now: the next one gets what Kea has picked.
        assert stranger(link).dora().yiaddr != "192.0.2.77"
        assert '"ip-address": "192.0.2.77": is leased already' in kea.said("ANSWER_REFUSED")[0]
        client.release()
        wait_until(lambda: stranger(link).dora().yiaddr == "192.0.2.77", "the address, free again,")


def test_an_address_that_comes_too_late(link, tmp_path):
    """An answer at the DHCPREQUEST alone: the client has been offered another by then."""
    with serve(tmp_path, {"lease4_select": {"ip-address": "192.0.2.77"}}) as kea:
        script = tmp_path / "answerer"
        script.write_text(script.read_text().replace("case $1", '[ "$KEA_FAKE_ALLOCATION" = 0 ] || exit 0\ncase $1'))
        assert stranger(link).dora().yiaddr == "192.0.2.10"
        [line] = kea.said("ANSWER_REFUSED")
        assert '"192.0.2.77": comes too late: the client has been offered 192.0.2.10' in line


@pytest.mark.parametrize("address, reason", [
    ("192.0.2.5", "is in no pool of 192.0.2.0/24 that this client may use"),
    ("198.51.100.7", "is in no pool of"), ("2001:db8::7", "is of the other family"),
    ("192.0.2.300", "give an IP address")])
def test_an_address_that_will_not_do(link, tmp_path, address, reason):
    with serve(tmp_path, {"lease4_select": {"ip-address": address}}) as kea:
        assert stranger(link).dora().yiaddr == "192.0.2.10"
        [line] = kea.said("ANSWER_REFUSED")
        assert f'"ip-address": "{address}": {reason}' in line
        assert kea.status()["refused"] == 2


# Reservations

@pytest.mark.parametrize("said", ["guest 7", "0x67756573742037"])
@THREADING
def test_a_reservation_by_flex_id(link, tmp_path, said, threads):
    reserved = subnet(reservations=[{"flex-id": "'guest 7'", "ip-address": "192.0.2.200"}])
    identifiers = {"host-reservation-identifiers": ["flex-id"]}
    with serve(tmp_path, {"host4_identifier": {"flex-id": said}}, reserved, **identifiers, **threads) as kea:
        assert stranger(link).dora().yiaddr == "192.0.2.200"
        nothing_refused(kea)
