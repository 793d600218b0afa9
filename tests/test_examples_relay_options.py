"""examples/relay-options: what a client behind a relay gets by what the relay and its hardware address say."""

import time

import pytest

from rig.configs import THREADS
from rig.dhcp4 import DISCOVER, NAK, Client4, NoAnswer, address_bytes, agent_information, pack_option, unpack_options
from rig.examples import example
from rig.kea import Kea
from rig.wait import wait_until

RELAY, ROUTERS, VENDOR_OPTIONS, AGENT = "192.0.2.2", 3, 43, 82
OTHER_SUBNET, LINK = "198.51.100.", address_bytes("198.51.100.0")
MAC = "0a:00:5e:10:00:01"
THREADING = pytest.mark.parametrize("threads", [{}, THREADS], ids=["single", "threads"])


def serve(tmp_path, only=None, **overrides):
    return Kea(4, example("relay-options", "kea-dhcp4.conf", only=only, **overrides), tmp_path)


def behind(link, circuit_id=b"circuit", remote_id=None, mac=MAC, **subs):
    return Client4(link, mac, relay=RELAY, agent=agent_information(circuit_id, remote_id, **subs))


def nothing_amiss(kea):
    assert kea.said("(?:ANSWER_REFUSED|EVENT_FAILED)") == []


@THREADING
def test_the_subnet_that_the_relay_names(link, tmp_path, threads):
    with serve(tmp_path, "link-selection.sh", **threads) as kea:
        client = behind(link, sub_150=LINK)
        ack = client.dora()
        assert ack.yiaddr.startswith(OTHER_SUBNET)
        assert dict(unpack_options(ack.option(AGENT))) == {1: b"circuit", 5: LINK, 150: LINK}
        # Past its relay.
        client.relay, client.agent = None, []
        assert client.renew().yiaddr == ack.yiaddr
        nothing_amiss(kea)


@pytest.mark.parametrize("named", [b"", b"\xc6\x33\x64", LINK + b"\0", b"$(id)", b"\"'\n\\;", b"\0" * 4], ids=str)
def test_what_is_no_address_chooses_no_subnet(link, tmp_path, named):
    with serve(tmp_path, "link-selection.sh") as kea:
        for subs in {"sub_150": named}, {}:
            assert behind(link, **subs).dora().yiaddr.startswith("192.0.2.")
        nothing_amiss(kea)


def test_two_of_the_sub_option_choose_no_subnet(link, tmp_path):
    with serve(tmp_path, "link-selection.sh"):
        twice = pack_option((150, LINK[:2])) + pack_option((150, LINK[2:]))
        client = Client4(link, MAC, relay=RELAY, agent=(AGENT, twice))
        assert client.dora().yiaddr.startswith(("192.0.2.", OTHER_SUBNET))


def test_the_router_is_the_relay(link, tmp_path):
    with serve(tmp_path, "router.sh", authoritative=True) as kea:
        client = behind(link)
        assert client.discover().option(ROUTERS) == client.dora().option(ROUTERS) == address_bytes(RELAY)
        nak = client.reboot("192.0.2.1")
        assert (nak.type, nak.option(ROUTERS)) == (NAK, None)
        assert Client4(link).dora().option(ROUTERS) is None
        nothing_amiss(kea)


@pytest.mark.parametrize("remote_id", [b"ab-12", b"\0", b"../../etc/passwd", b"'\"\n\\$(id)\xff", b"\xff" * 50], ids=str)
def test_the_remote_id(link, tmp_path, remote_id):
    with serve(tmp_path, "remote-id.sh") as kea:
        ack = behind(link, remote_id=remote_id).dora()
        assert ack.file == f"line/{remote_id.hex()}.cfg".encode()
        assert ack.option(VENDOR_OPTIONS) == pack_option((1, remote_id))
        nothing_amiss(kea)


@pytest.mark.parametrize("remote_id", [None, b"", b"x" * 51, b"x" * 200], ids=str)
def test_without_a_remote_id(link, tmp_path, remote_id):
    """Nor with one that is too long."""
    with serve(tmp_path, "remote-id.sh") as kea:
        ack = behind(link, remote_id=remote_id).dora()
        assert (ack.file, ack.option(VENDOR_OPTIONS)) == (b"", None)
        nothing_amiss(kea)


@pytest.mark.parametrize("mac, address", [
    ("02:00:c0:00:02:0a", "192.0.2.10"), ("02:00:c0:00:02:96", "192.0.2.150"), ("02:01:c0:00:02:0a", "192.0.2.100"),
    ("02:00:c0:00:02:0a:00", "192.0.2.100"), ("02:00:7f:00:00:01", "192.0.2.100")])
@THREADING
def test_the_address_of_a_hardware_address(link, tmp_path, mac, address, threads):
    """One that is not of the subnet is nobody's."""
    with serve(tmp_path, "address.sh", **threads):
        client = behind(link, mac=mac)
        offer = client.discover()
        assert offer.yiaddr == client.request(offer).yiaddr == client.renew().yiaddr == address


@pytest.mark.parametrize("mac, seconds", [("0a:00:5e:10:00:01", 86400), ("0a:00:5f:10:00:01", 600),
                                          ("0a:00:60:10:00:01", 7200), ("0a:00:5f:10:00:01:02", 7200)])
def test_the_lifetime(link, tmp_path, mac, seconds):
    with serve(tmp_path, "lifetime.sh") as kea:
        client = behind(link, mac=mac)
        assert client.dora().lease_time == seconds
        # Kea itself may say what is left of a lease.
        assert seconds - 5 < client.renew().lease_time <= seconds
        nothing_amiss(kea)


@pytest.mark.long
@THREADING
def test_who_asks_too_often(link, tmp_path, threads):
    with serve(tmp_path, "patience.py", **threads) as kea:
        client = behind(link)
        client.dora()
        began = time.monotonic()
        with pytest.raises(NoAnswer):
            client.discover(timeout=0.5)
        # It may renew, and so may others begin.
        assert client.renew().yiaddr == client.address
        assert behind(link, mac="0a:00:5e:10:00:02").dora().yiaddr
        answer = None
        while answer is None:
            try:
                answer = client.discover(timeout=0.5)
            except NoAnswer:
                assert time.monotonic() - began < 15
        assert 9 < time.monotonic() - began
        nothing_amiss(kea)


def test_a_crowd_keeps_nobody_else_waiting(link, tmp_path):
    with serve(tmp_path, "patience.py") as kea:
        for number in range(1000):
            stranger = behind(link, mac=f"0a:00:00:00:{number >> 8:02x}:{number & 255:02x}")
            stranger.send(stranger.message(DISCOVER))
            if number % 50 == 49:
                wait_until(lambda: kea.status()["events"] > number, "the crowd")
        assert behind(link).dora().yiaddr
        nothing_amiss(kea)


def test_all_together(link, tmp_path):
    with serve(tmp_path) as kea:
        client = behind(link, remote_id=b"ab", sub_150=LINK)
        ack = client.dora()
        assert ack.yiaddr.startswith(OTHER_SUBNET) and ack.option(ROUTERS) == address_bytes(RELAY)
        assert (ack.file, ack.lease_time) == (b"line/6162.cfg", 86400)
        assert ack.option(VENDOR_OPTIONS) == pack_option((1, b"ab"))
        with pytest.raises(NoAnswer):
            client.discover(timeout=0.5)
        nothing_amiss(kea)
