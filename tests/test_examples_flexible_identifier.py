"""examples/flexible-identifier: what is reserved for an access line goes to whoever is on it."""

import pytest

from rig.configs import THREADS
from rig.dhcp4 import ACK, HOSTNAME, NAK, Client4, agent_information
from rig.dhcp6 import INTERFACE_ID, REMOTE_ID, Client6, Relay6
from rig.examples import MODES, PROMPT, example
from rig.kea import Kea
from rig.since import since
from rig.wait import wait_until

pytestmark = MODES

RELAY = "192.0.2.2"
RESERVED, PREFIX6, RESERVED6 = "192.0.2.7", "2001:db8:700::/56", "2001:db8:1::7"
LINK, PEER, OUTER = "2001:db8:1::1", "fe80::1", "2001:db8:f::1"

# Interface names that are not line ge-0/0/7: neighbours, other forms, nothing, quotation marks and all that.
OTHERS = [b"ge-0/0/71:100", b"ge-0/0/7:100:", b"ge-0/0/7:1x", b"xge-0/0/7", b"", b":100", b"ge-0/0/7\0", b"ge-0/0/7\n:1",
          b"ge-0/0/7' \"$(id)\\\xff", b"0x67652d302f302f37", b"\x03\xa1\x30" * 11]


def config(mode, family=4, **overrides):
    return example("flexible-identifier", f"kea-dhcp{family}.conf", mode, **overrides)


def customer(link, circuit_id, mac="02:00:5e:10:00:01", **how):
    return Client4(link, mac, relay=RELAY, agent=agent_information(circuit_id, b"remote"), **how)


def relays(interface_id, outer=()):
    """What the relay nearest to the client adds, and perhaps another one before the server's."""
    near = Relay6(LINK, PEER, ((INTERFACE_ID, interface_id), (REMOTE_ID, b"\0\0\x0d\xe9remote")))
    return [*(Relay6(OUTER, PEER, ((INTERFACE_ID, other),), hops=1) for other in outer), near]


@pytest.mark.parametrize("threads", [{}, THREADS], ids=["single", "threads"])
def test_the_line_has_the_address(link, tmp_path, mode, threads):
    with Kea(4, config(mode, **threads), tmp_path) as kea:
        one = customer(link, b"ge-0/0/7:100")
        assert one.discover().yiaddr == one.dora().yiaddr == RESERVED
        for named in b"ge-0/0/7:4094", b"ge-0/0/7":
            assert customer(link, named).dora().yiaddr == RESERVED
        assert customer(link, b"ge-0/0/8:100", "02:00:5e:10:00:02").dora().yiaddr == "192.0.2.100"
        assert kea.status()["failures"] == kea.status()["refused"] == 0


@pytest.mark.parametrize("end", ["release", "silence"])
def test_another_device_takes_the_place(link, tmp_path, mode, end):
    """It has to wait for the end of the lease, as README.md says."""
    with Kea(4, config(mode, valid_lifetime=1 if end == "silence" else 600, **PROMPT), tmp_path):
        one, other = customer(link, b"ge-0/0/7:100"), customer(link, b"ge-0/0/7:200", "02:00:5e:10:00:02")
        assert one.dora().yiaddr == RESERVED
        if end == "release":
            assert other.dora().yiaddr == "192.0.2.100"
            one.release()
        wait_until(lambda: other.dora().yiaddr == RESERVED, "the line's address")


def test_a_client_that_renews_through_its_relay(link, tmp_path, mode):
    with Kea(4, config(mode), tmp_path):
        client = customer(link, b"ge-0/0/7:100")
        client.dora()
        assert client.renew().yiaddr == client.rebind().yiaddr == RESERVED


def renewed_past_the_relay(link):
    """What becomes of a client whose renewal goes straight to the server, without option 82, as README.md says."""
    client = customer(link, b"ge-0/0/7:100")
    assert client.dora().yiaddr == RESERVED
    client.relay, client.agent = None, []
    answer = client.renew()
    return answer.type, answer.yiaddr


def test_a_client_that_renews_past_its_relay(link, tmp_path, mode):
    with Kea(4, config(mode), tmp_path):
        assert renewed_past_the_relay(link)[0] == NAK


@since(2, 6)
def test_a_client_that_renews_past_its_relay_and_kea_remembers(link, tmp_path, mode):
    remember = {"stash-agent-options": True, "store-extended-info": True}
    with Kea(4, config(mode, **remember), tmp_path):
        assert renewed_past_the_relay(link) == (ACK, RESERVED)


@pytest.mark.parametrize("named", OTHERS, ids=repr)
def test_other_lines_have_not(link, tmp_path, mode, named):
    with Kea(4, config(mode), tmp_path) as kea:
        assert customer(link, named, options=[(HOSTNAME, named)]).discover().yiaddr == "192.0.2.100"
        assert kea.status()["failures"] == kea.status()["refused"] == 0


def test_a_name_that_is_too_long_is_none(link, tmp_path, mode):
    with Kea(4, config(mode), tmp_path) as kea:
        assert customer(link, b"x" * 200).discover().yiaddr == "192.0.2.100"
        assert kea.status()["failures"] + kea.status()["refused"] == 1


def test_without_a_relay_there_is_no_line(link, tmp_path, mode):
    with Kea(4, config(mode), tmp_path) as kea:
        assert Client4(link).dora().yiaddr == "192.0.2.100"
        assert kea.status()["failures"] == 0


@pytest.mark.parametrize("outer", [(), (b"ge-0/0/9:1",), (b"ge-0/0/9:1", b"ge-0/0/8:1")], ids=len)
def test_dhcpv6_takes_the_relay_nearest_to_the_client(link, tmp_path, mode, outer):
    with Kea(6, config(mode, 6), tmp_path) as kea:
        with Client6(link, pd=[1], relays=relays(b"ge-0/0/7:100", outer)) as client:
            assert client.sarr().leases == client.renew().leases == [RESERVED6, PREFIX6]
        with Client6(link, "02:00:00:00:00:03", relays=relays(b"ge-0/0/8:1", [b"ge-0/0/7:1"])) as client:
            assert client.sarr().leases == ["2001:db8:1::1000"]
        assert kea.status()["failures"] == kea.status()["refused"] == 0


@pytest.mark.parametrize("end", ["release", "silence"])
def test_another_device_takes_the_place_in_dhcpv6(link, tmp_path, mode, end):
    whole = config(mode, 6, valid_lifetime=1 if end == "silence" else 600)
    whole["expired-leases-processing"].update({"reclaim-timer-wait-time": 1, "flush-reclaimed-timer-wait-time": 1})
    with Kea(6, whole, tmp_path):
        with Client6(link, pd=[1], relays=relays(b"ge-0/0/7:100")) as client:
            assert client.sarr().leases == [RESERVED6, PREFIX6]
            if end == "release":
                client.release()
        with Client6(link, "02:00:00:00:00:02", pd=[1], relays=relays(b"ge-0/0/7:200")) as client:
            wait_until(lambda: client.sarr().leases == [RESERVED6, PREFIX6], "what is reserved for the line")


@pytest.mark.parametrize("named", OTHERS, ids=repr)
def test_other_lines_have_not_in_dhcpv6(link, tmp_path, mode, named):
    with Kea(6, config(mode, 6), tmp_path) as kea, Client6(link, relays=relays(named)) as client:
        assert client.solicit().leases == ["2001:db8:1::1000"]
        assert kea.status()["failures"] == kea.status()["refused"] == 0
