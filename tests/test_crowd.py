"""One client that sends packet after packet keeps nobody else from being served."""

import pytest

from rig import dhcp4, dhcp6
from rig.configs import SUBNET4, SUBNETS, THREADS
from rig.dhcp4 import ACK, Client4, agent_information, stranger
from rig.dhcp6 import Client6, Message6, Relay6
from rig.gate import Gate
from rig.kea import Kea, hook
from rig.recorder import Printer
from rig.wait import quiet, wait_until

GREEDY = "02:00:5e:10:00:0a"
POINTS4, POINTS6 = ["buffer4_receive", "pkt4_receive"], ["buffer6_receive", "pkt6_receive"]
# Kea's threads, and enough lanes that nobody waits for one.
LANES = 4


class Sender4:
    """Sends packets of one client, each with a transaction of its own."""

    def __init__(self, link, mac=GREEDY, kind=dhcp4.DISCOVER, **how):
        self.client, self.kind, self.mac = Client4(link, mac, **how), kind, mac

    def send(self, count=1):
        fields = {"ciaddr": "192.0.2.99"} if self.kind == dhcp4.INFORM else {}
        for _ in range(count):
            self.client.send(self.client.message(self.kind, **fields))


class Sender6:
    def __init__(self, link, mac=GREEDY, kind=dhcp6.SOLICIT, **how):
        self.client, self.kind, self.mac = Client6(link, mac, **how), kind, mac

    def send(self, count=1):
        client = self.client
        for _ in range(count):
            identity = [(dhcp6.CLIENT_ID, client.duid)] if client.duid else []
            message = Message6(self.kind, [*identity, *(ia.option() for ia in client.ias), *client.options])
            client.port.send(message, client.relays)


SENDERS = {4: Sender4, 6: Sender6}


def server(family, tmp_path, script, point):
    return Kea(family, {**SUBNETS[family], **THREADS}, tmp_path, [hook(script, hook_points=[point], concurrency=LANES)])


def count(kea, statistic):
    return kea.command("statistic-get", {"name": statistic})["arguments"][statistic][0][0]


# Others are served

@pytest.mark.parametrize("point", POINTS4)
def test_a_greedy_client_starves_nobody(link, tmp_path, point):
    script = Printer(tmp_path, "$KEA_QUERY4_HWADDR", "sleep 0.3").script
    greedy = Sender4(link)
    with server(4, tmp_path, script, point) as kea:
        for _ in range(4):
            # Two seconds of it would be sixteen packets.
            greedy.send(16)
            assert stranger(link).dora(timeout=1.5).type == ACK
        quiet(kea)
        status = kea.status()
        assert status["failures"] == status["timeouts"] == 0
        assert status["crowded"] == count(kea, "runscript.crowded") > 32
        lines = kea.said("CROWDED")
        assert lines == [f"{script} at {point}: a packet of {greedy.client.mac} is dropped: two like it wait there already"]


@pytest.mark.parametrize("point", POINTS6)
def test_a_greedy_client_of_dhcpv6_starves_nobody(link, tmp_path, point):
    script = Printer(tmp_path, "$KEA_QUERY6_DUID", "sleep 0.3").script
    greedy = Sender6(link)
    with server(6, tmp_path, script, point) as kea:
        for n in range(4):
            greedy.send(16)
            with Client6(link, f"02:00:00:00:00:{n:02x}") as client:
                assert client.sarr(timeout=1.5).leases
        quiet(kea)
        status = kea.status()
        assert status["failures"] == status["timeouts"] == 0
        assert status["crowded"] == count(kea, "runscript.crowded") > 32
        assert len(kea.said("CROWDED")) == 1


# Which packets are alike

EIGHT = {"multi-threading": {"enable-multi-threading": True, "thread-pool-size": 8, "packet-queue-size": 64}}
FOUR = 4


def told_of(link, tmp_path, family, first, second, point=None):
    """Sends four packets of each of two senders while the script stands still; returns of how many it is told."""
    ended = tmp_path / "ended"
    script = Printer(tmp_path, "$1", f"until [ -e {ended} ]; do sleep 0.02; done").script
    library = hook(script, hook_points=[point or f"pkt{family}_receive"], concurrency=8)
    with Kea(family, {**SUBNETS[family], **EIGHT}, tmp_path, [library]) as kea:
        for sender in SENDERS[family](link, **first), SENDERS[family](link, **second):
            sender.send(FOUR)
        wait_until(lambda: kea.status()["events"] + kea.status()["crowded"] == 2 * FOUR, lambda: f"eight packets ({kea.status()})")
        told = kea.status()["events"]
        assert count(kea, "runscript.crowded") == 2 * FOUR - told
        ended.touch()
        quiet(kea)
        assert kea.status()["failures"] == 0
        return told


RELAY, OTHER_RELAY = "192.0.2.2", "192.0.2.3"
FIRST = {"relay": RELAY, "agent": agent_information(b"port 1")}
ALIKE4 = {
    "the same": ({}, {}),
    "the client identifier says who it is": ({"client_id": b"\0me"}, {"client_id": b"\0me", "mac": "02:00:5e:10:00:0b"}),
    "no identity": ({"mac": ""}, {"mac": "", "hostname": "other"}),
}
UNLIKE4 = {
    "another client": ({}, {"mac": "02:00:5e:10:00:0b"}),
    "another client identifier": ({"client_id": b"\0me"}, {"client_id": b"\0you"}),
    "an empty client identifier": ({"client_id": b""}, {"client_id": b"", "mac": "02:00:5e:10:00:0b"}),
    "another message type": ({}, {"kind": dhcp4.REQUEST}),
    "behind a relay": ({}, FIRST),
    "behind another relay": (FIRST, {**FIRST, "relay": OTHER_RELAY}),
    "behind another port of the same relay": (FIRST, {**FIRST, "agent": agent_information(b"port 2")}),
}


@pytest.mark.parametrize("first, second", ALIKE4.values(), ids=ALIKE4)
def test_of_packets_that_are_alike_two_wait(link, tmp_path, first, second):
    assert told_of(link, tmp_path, 4, first, second) == 2


@pytest.mark.parametrize("first, second", UNLIKE4.values(), ids=UNLIKE4)
def test_packets_that_are_not_alike_do_not_crowd_each_other_out(link, tmp_path, first, second):
    assert told_of(link, tmp_path, 4, first, second) == 4


@pytest.mark.parametrize("point", ["buffer4_receive", "subnet4_select", "pkt4_send", "buffer4_send"])
def test_at_each_hook_point_where_a_packet_can_be_dropped(link, tmp_path, point):
    """A DHCPINFORM is what a client may have many of in Kea's hands."""
    inform = {"kind": dhcp4.INFORM}
    assert told_of(link, tmp_path, 4, inform, inform, point) == 2


NEAR, OTHER_NEAR = Relay6("2001:db8::7", "fe80::7"), Relay6("2001:db8::8", "fe80::7")
PORT_1, PORT_2 = (Relay6("2001:db8::7", "fe80::7", ((dhcp6.INTERFACE_ID, port),)) for port in (b"port 1", b"port 2"))
ME = {"duid": b"\0\2\0\0\x0d\xe9me"}
NAMELESS = {"duid": b"", "na": (), "kind": dhcp6.INFORMATION_REQUEST}
ALIKE6 = {
    "the same": ({**ME, "address": "fe80::a"}, {**ME, "address": "fe80::b"}),
    "by way of another relay": ({**ME, "relays": [Relay6("2001:db8::1", "fe80::1", hops=1), NEAR]},
                                {**ME, "relays": [Relay6("2001:db8::2", "fe80::2", hops=1), NEAR], "address": "fe80::b"}),
    "no identity": ({**NAMELESS, "address": "fe80::a"}, {**NAMELESS, "address": "fe80::b"}),
}
UNLIKE6 = {
    "another client": ({}, {"mac": "02:00:5e:10:00:0b"}),
    "another message type": (ME, {**ME, "kind": dhcp6.REBIND, "address": "fe80::b"}),
    "behind a relay": (ME, {**ME, "relays": [NEAR]}),
    "behind another relay": ({**ME, "relays": [NEAR]}, {**ME, "relays": [OTHER_NEAR], "address": "fe80::b"}),
    "behind another port of the same relay": ({**ME, "relays": [PORT_1]}, {**ME, "relays": [PORT_2], "address": "fe80::b"}),
    "of another address, behind the same relay": ({**ME, "relays": [NEAR]}, {**ME, "address": "fe80::b",
                                                   "relays": [Relay6(NEAR.link_address, "fe80::9")]}),
}


@pytest.mark.parametrize("first, second", ALIKE6.values(), ids=ALIKE6)
def test_of_packets_of_dhcpv6_that_are_alike_two_wait(link, tmp_path, first, second):
    assert told_of(link, tmp_path, 6, first, second) == 2


@pytest.mark.parametrize("first, second", UNLIKE6.values(), ids=UNLIKE6)
def test_packets_of_dhcpv6_that_are_not_alike_do_not_crowd_each_other_out(link, tmp_path, first, second):
    assert told_of(link, tmp_path, 6, first, second) == 4


@pytest.mark.parametrize("point", ["buffer6_receive", "subnet6_select", "pkt6_send", "buffer6_send"])
def test_at_each_hook_point_where_a_packet_of_dhcpv6_can_be_dropped(link, tmp_path, point):
    assert told_of(link, tmp_path, 6, *ALIKE6["no identity"], point) == 2


ONCE = [*((4, point, kind) for point in POINTS4 for kind in (dhcp4.RELEASE, dhcp4.DECLINE)),
        *((6, point, kind) for point in POINTS6 for kind in (dhcp6.RELEASE, dhcp6.DECLINE))]


@pytest.mark.parametrize("family, point, kind", ONCE)
def test_what_a_client_says_once_is_never_dropped(link, tmp_path, family, point, kind):
    sender = {"kind": kind, **(ME if family == 6 else {})}
    assert told_of(link, tmp_path, family, sender, {**sender, "address": "fe80::b"} if family == 6 else sender, point) == 8


# Where it does not matter

def test_where_kea_does_not_wait_nothing_is_dropped(link, tmp_path):
    script = Printer(tmp_path, "$KEA_QUERY4_HWADDR").script
    with Kea(4, {**SUBNET4, **EIGHT}, tmp_path, [hook(script, hook_points=POINTS4, wait=False)]) as kea:
        Sender4(link).send(20)
        wait_until(lambda: kea.status()["events"] == 40, lambda: f"the events ({kea.status()})")
        quiet(kea)
        assert kea.status()["crowded"] == 0


@pytest.mark.parametrize("family", [4, 6])
def test_without_threads_nothing_is_dropped(link, tmp_path, family):
    script = Printer(tmp_path, "$1").script
    with Kea(family, SUBNETS[family], tmp_path, [hook(script, hook_points=POINTS4 if family == 4 else POINTS6)]) as kea:
        SENDERS[family](link).send(20)
        wait_until(lambda: kea.status()["events"] == 40, lambda: f"the events ({kea.status()})")
        assert kea.status()["crowded"] == 0


# With several scripts

def test_of_several_scripts_none_is_told_and_a_packet_counts_once(link, tmp_path):
    gate, printers = Gate(tmp_path), [Printer(tmp_path, "$1", name=name) for name in ("told", "asked")]
    points = {"hook-points": ["pkt4_receive"]}
    scripts = [{"script": str(printers[0].script), "wait": False, **points}, {"script": str(gate.script), **points},
               {"script": str(printers[1].script), **points}]
    with Kea(4, {**SUBNET4, **EIGHT}, tmp_path, [hook(scripts=scripts)]) as kea:
        greedy = Sender4(link)
        gate.shut(greedy)
        greedy.send(5)
        wait_until(lambda: count(kea, "runscript.crowded") == 3, "three dropped packets")
        # It is the first script that Kea waits for whose packets they are.
        assert [kea.status(script)["crowded"] for script in range(3)] == [0, 3, 0]
        gate.open(greedy)
        quiet(kea)
        assert [kea.status(script)["events"] for script in range(3)] == [2, 2, 2]
        assert count(kea, "runscript.crowded") == 3


def test_a_client_that_is_patient_again_is_served(link, tmp_path):
    gate = Gate(tmp_path)
    with Kea(4, {**SUBNET4, **EIGHT}, tmp_path, [hook(gate.script, hook_points=POINTS4)]) as kea:
        greedy = Sender4(link)
        gate.shut(greedy)
        greedy.send(8)
        wait_until(lambda: kea.status()["crowded"] == 6, "six dropped packets")
        gate.open(greedy)
        quiet(kea)
        assert greedy.client.dora().type == ACK
        assert kea.status()["crowded"] == 6
