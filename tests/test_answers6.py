"""What a script's answer changes at kea-dhcp6, as the client sees it: a test for each row of docs/answers.md."""

import itertools

import pytest

from rig import dhcp4
from rig.answers import answerer
from rig.configs import SUBNET6, THREADS
from rig.dhcp6 import CLIENT_FQDN, IA_NA, OPTION_REQUEST, Client6, address_bytes
from rig.kea import Kea, version
from rig.wait import wait_until

THREADING = pytest.mark.parametrize("threads", [{}, THREADS], ids=["single", "threads"])
DNS_SERVERS, DOMAIN_SEARCH = 23, 24
KNOWN = {"client-classes": ["known"]}
EXAMPLE_ORG = dhcp4.dns_labels("example.org") + b"\0"
POOLS = {"pools": SUBNET6["subnet6"][0]["pools"], "pd-pools": SUBNET6["subnet6"][0]["pd-pools"]}


def subnet(**more):
    return {"subnet6": [{**SUBNET6["subnet6"][0], **more}]}


def serve(tmp_path, answers, config=SUBNET6, **more):
    return Kea(6, {**config, **more}, tmp_path, [answerer(tmp_path, answers)])


def nothing_refused(kea):
    assert kea.status()["refused"] == kea.status()["failures"] == 0, kea.said("(?:ANSWER_REFUSED|EVENT_FAILED)")


# Client classes

@pytest.mark.parametrize("point", ["buffer6_receive", "pkt6_receive"])
@THREADING
def test_a_class_opens_a_subnet(link, tmp_path, point, threads):
    guarded = subnet(**{"client-class": "known"})
    with serve(tmp_path / "without", {point: {}}, guarded, **threads), Client6(link) as client:
        assert client.solicit().leases == []
    with serve(tmp_path / "with", {point: KNOWN}, guarded, **threads) as kea, Client6(link) as client:
        assert client.sarr().leases
        nothing_refused(kea)


def test_a_class_opens_a_pool(link, tmp_path):
    guarded = subnet(**{kind: [{**pool, "client-class": "known"} for pool in pools] for kind, pools in POOLS.items()})
    with serve(tmp_path / "without", {"subnet6_select": {}}, guarded), Client6(link, pd=[1]) as client:
        assert client.solicit().leases == []
    with serve(tmp_path / "with", {"subnet6_select": KNOWN}, guarded) as kea, Client6(link, pd=[1]) as client:
        assert len(client.sarr().leases) == 2
        nothing_refused(kea)


@pytest.mark.parametrize("point", ["pkt6_receive", "subnet6_select", "lease6_select", "lease6_renew", "lease6_rebind"])
@THREADING
def test_a_class_brings_options(link, tmp_path, point, threads):
    options = [{"name": "domain-search", "data": "example.org"}]
    classes = {"client-classes": [{"name": "known", "option-data": options}]}
    with serve(tmp_path, {point: KNOWN}, **classes, **threads) as kea, Client6(link) as client:
        reply = client.sarr()
        if change := {"lease6_renew": client.renew, "lease6_rebind": client.rebind}.get(point):
            assert reply.option(DOMAIN_SEARCH) is None
            reply = change()
        assert reply.option(DOMAIN_SEARCH) == EXAMPLE_ORG
        nothing_refused(kea)


# The subnet

TWO_SUBNETS = {"subnet6": [*SUBNET6["subnet6"], {
    "id": 2, "subnet": "2001:db8:2::/64", "pools": [{"pool": "2001:db8:2::1000/116"}],
    "option-data": [{"name": "domain-search", "data": "example.org"}]}]}


@THREADING
def test_another_subnet(link, tmp_path, threads):
    with serve(tmp_path, {"subnet6_select": {"subnet-id": 2}}, TWO_SUBNETS, **threads) as kea, Client6(link) as client:
        reply = client.sarr()
        [address] = reply.leases
        assert address.startswith("2001:db8:2::") and reply.option(DOMAIN_SEARCH) == EXAMPLE_ORG
        assert client.renew().leases == [address]
        nothing_refused(kea)


# Options of the answer

@THREADING
@pytest.mark.parametrize("point", ["pkt6_send", "leases6_committed"])
def test_options_of_the_answer(link, tmp_path, point, threads):
    config = subnet(**{"option-data": [{"name": "dns-servers", "data": "2001:db8::1"}]})
    config["option-def"] = [{"name": "ours", "code": 1222, "type": "record", "record-types": "uint16, string"}]
    options = [{"name": "dns-servers", "data": "2001:db8::5, 2001:db8::6"}, {"code": DOMAIN_SEARCH, "data": "example.org"},
               {"name": "ours", "data": "7, seven"}, {"code": 1223, "csv-format": False, "data": "0x0102FF"}]
    answers = {point: {"option-data": options}}
    with serve(tmp_path, answers, config, **threads) as kea, Client6(link) as client:
        reply = client.sarr()
        codes = [code for code, _ in reply.options]
        assert [codes.count(code) for code in (DNS_SERVERS, DOMAIN_SEARCH, 1222, 1223)] == [1, 1, 1, 1]
        assert reply.option(DNS_SERVERS) == b"".join(map(address_bytes, ("2001:db8::5", "2001:db8::6")))
        assert reply.option(DOMAIN_SEARCH) == EXAMPLE_ORG
        assert (reply.option(1222), reply.option(1223)) == (b"\0\7seven", b"\1\2\xff")
        nothing_refused(kea)


def test_the_configurations_options_stay_as_they_are(link, tmp_path):
    config = subnet(**{"option-data": [{"name": "dns-servers", "data": "2001:db8::1"}]})
    point = {"pkt6_send": {"option-data": [{"name": "dns-servers", "data": "2001:db8::9"}]}}
    with serve(tmp_path, point, config) as kea, Client6(link) as client:
        assert client.sarr().option(DNS_SERVERS) == address_bytes("2001:db8::9")
        (tmp_path / "answerer").write_text("#!/bin/sh\n")
        assert client.renew().option(DNS_SERVERS) == address_bytes("2001:db8::1")
        nothing_refused(kea)


# Names

def test_another_name(link, tmp_path):
    name = (CLIENT_FQDN, b"\1" + dhcp4.dns_labels("mine.example.org") + b"\0")
    with serve(tmp_path, {"ddns6_update": {"hostname": "better.example.org"}}) as kea:
        with Client6(link, options=[name, (OPTION_REQUEST, bytes([0, CLIENT_FQDN]))]) as client:
            fqdn = client.sarr().option(CLIENT_FQDN)
            assert fqdn[1:] == dhcp4.dns_labels("better.example.org") + b"\0"
            assert ",better.example.org," in kea.lease_file.read_text()
            nothing_refused(kea)


# Leases

def lifetimes(message):
    return {(lease.preferred, lease.valid) for ia in message.ias for lease in ia.leases}


@THREADING
def test_another_lifetime(link, tmp_path, threads):
    answers = {"lease6_select": {"valid-lft": 1234}, "lease6_renew": {"valid-lft": 9999},
               "lease6_rebind": {"valid-lft": 4321}}
    config = {**SUBNET6, "preferred-lifetime": 3000, "valid-lifetime": 4000, **threads}
    if version(6) >= (3, 0):
        config["cache-threshold"] = 0.0
    with serve(tmp_path, answers, config) as kea, Client6(link, pd=[1]) as client:
        advertise = client.solicit()
        reply = client.request(advertise)
        assert lifetimes(advertise) == lifetimes(reply) == {(1234, 1234)}
        assert kea.lease_file.read_text().count(",1234,") == 4
        assert lifetimes(client.renew()) == {(3000, 9999)}
        assert lifetimes(client.rebind()) == {(3000, 4321)}
        assert ",4321," in kea.lease_file.read_text().splitlines()[-1]
        nothing_refused(kea)


@pytest.mark.parametrize("threshold", [0.0, 0.5])
def test_a_lifetime_and_keas_lease_cache(link, tmp_path, threshold):
    """A client that renews early is told what is left, as docs/answers.md says."""
    config = {**SUBNET6, "preferred-lifetime": 3000, "valid-lifetime": 4000}
    if threshold or version(6) >= (3, 0):
        # Older ones have none unless configured, and take no 0.
        config["cache-threshold"] = threshold
    with serve(tmp_path, {"lease6_renew": {"valid-lft": 9999}}, config), Client6(link) as client:
        client.sarr()
        [(_, valid)] = lifetimes(client.renew())
        assert valid == 9999 if threshold == 0 else valid in range(3990, 4001)


@THREADING
def test_another_address(link, tmp_path, threads):
    with serve(tmp_path, {"lease6_select": {"ip-address": "2001:db8::1077"}}, **threads) as kea:
        with Client6(link) as client:
            assert client.solicit().leases == client.sarr().leases == ["2001:db8::1077"]
            assert client.renew().leases == ["2001:db8::1077"]
            nothing_refused(kea)
            with Client6(link, "02:00:00:00:02:17") as other:
                assert other.sarr().leases != ["2001:db8::1077"]
            assert '"ip-address": "2001:db8::1077": is leased already' in kea.said("ANSWER_REFUSED")[0]
            client.release()

        def next_one():
            with Client6(link, f"02:00:00:00:01:{next(numbers):02x}") as client:
                return client.sarr().leases == ["2001:db8::1077"]
        numbers = itertools.count()
        wait_until(next_one, "the address, free again,")


def test_another_address_at_once(link, tmp_path):
    """With rapid commit there is no offer."""
    with serve(tmp_path, {"lease6_select": {"ip-address": "2001:db8::1077"}}) as kea:
        with Client6(link) as client:
            assert client.solicit(rapid_commit=True).leases == ["2001:db8::1077"]
        assert "2001:db8::1077," in kea.lease_file.read_text()
        nothing_refused(kea)


@pytest.mark.parametrize("address, reason", [
    ("2001:db8::5", "is in no pool of 2001:db8::/64 that this client may use"),
    ("2001:db8:2::7", "is in no pool of"), ("192.0.2.7", "is of the other family")])
def test_an_address_that_will_not_do(link, tmp_path, address, reason):
    with serve(tmp_path, {"lease6_select": {"ip-address": address}}) as kea, Client6(link) as client:
        assert client.sarr().leases != [address]
        [line] = kea.said("ANSWER_REFUSED")
        assert f'"ip-address": "{address}": {reason}' in line
        assert kea.status()["refused"] == 2


def test_no_address_for_a_prefix(link, tmp_path):
    with serve(tmp_path, {"lease6_select": {"ip-address": "2001:db8::1077"}}) as kea, Client6(link, pd=[1]) as client:
        ias = {ia.kind: ia.leases[0].address for ia in client.sarr().ias}
        assert ias.pop(IA_NA) == "2001:db8::1077"
        assert all(prefix.endswith("/56") for prefix in ias.values()) and ias
        [line] = kea.said("ANSWER_REFUSED")
        assert "has no effect on a prefix" in line


# Reservations

@pytest.mark.parametrize("said", ["guest 7", "0x67756573742037"])
@THREADING
def test_a_reservation_by_flex_id(link, tmp_path, said, threads):
    reserved = subnet(reservations=[{"flex-id": "'guest 7'", "ip-addresses": ["2001:db8::2000"]}])
    config = {**reserved, "host-reservation-identifiers": ["flex-id"], **threads}
    with serve(tmp_path, {"host6_identifier": {"flex-id": said}}, config) as kea, Client6(link) as client:
        assert client.sarr().leases == ["2001:db8::2000"]
        nothing_refused(kea)
