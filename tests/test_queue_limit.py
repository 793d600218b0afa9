"""A flood and the queue: where events are in memory, those of leases are the last to go; where they are in the spool, none goes."""

import pytest

from rig.configs import SUBNET4, SUBNET6, THREADS
from rig.dhcp4 import ACK, stranger
from rig.dhcp6 import Client6
from rig.gate import Gate
from rig.kea import Kea, hook
from rig.wait import quiet

POINTS = {family: [f"buffer{family}_receive", f"pkt{family}_receive", f"subnet{family}_select", f"leases{family}_committed",
                   f"pkt{family}_send", f"buffer{family}_send"] for family in (4, 6)}


class Flood:
    """A script that nobody waits for, and packets that are more than there is room for."""

    LIMIT = 8

    def __init__(self, tmp_path, family, others=(), limit=LIMIT, spool=False):
        self.family, self.gate = family, Gate(tmp_path)
        self.library = hook(self.gate.script, hook_points=[*others, *POINTS[family]], wait=False, concurrency=1,
                            queue_limit=limit, spool=spool)

    def committed(self):
        """The clients whose leases the script has been told of, in order."""
        return [line.split()[1] for line in self.gate.printer.lines() if line.startswith(f"leases{self.family}_committed ")]


@pytest.mark.parametrize("threads", [{}, THREADS], ids=["single", "threads"])
def test_a_flood_of_packets_pushes_no_lease_out_of_the_queue(link, tmp_path, threads):
    flood = Flood(tmp_path, 4)
    with Kea(4, {**SUBNET4, **threads}, tmp_path, [flood.library]) as kea:
        first = stranger(link)
        flood.gate.shut(first)
        clients = [first, *(stranger(link) for _ in range(5))]
        for client in clients:
            assert client.dora().type == ACK
            for n in range(10):
                stranger(link).discover()
        assert kea.status()["dropped"] > 100
        flood.gate.open(first)
        quiet(kea)
        assert flood.committed() == [client.mac for client in clients]
        assert kea.status()["failures"] == 0


def test_a_flood_of_offers_pushes_no_lease_out_of_the_queue(link, tmp_path):
    """A DHCPDISCOVER is of no lease, wherever it leads: to an offer, or to the lease that its client has."""
    flood = Flood(tmp_path, 4, ["host4_identifier", "ddns4_update", "lease4_select", "lease4_renew"], limit=16)
    identifiers = {"host-reservation-identifiers": ["flex-id", "hw-address"]}
    with Kea(4, {**SUBNET4, **identifiers}, tmp_path, [flood.library]) as kea:
        first = stranger(link)
        flood.gate.shut(first)
        clients = [first, *(stranger(link) for _ in range(4))]
        for client in clients:
            assert client.dora().type == ACK
            for _ in range(10):
                stranger(link).discover()
                client.discover()
        assert kea.status()["dropped"] > 100
        flood.gate.open(first)
        quiet(kea)
        assert flood.committed() == [client.mac for client in clients]


def test_a_flood_of_packets_of_dhcpv6_pushes_no_lease_out_of_the_queue(link, tmp_path):
    flood = Flood(tmp_path, 6)
    with Kea(6, SUBNET6, tmp_path, [flood.library]) as kea:
        macs = [f"02:00:00:00:06:{n:02x}" for n in range(6)]
        for mac in macs:
            with Client6(link, mac) as client:
                if mac == macs[0]:
                    flood.gate.shut(client)
                assert client.sarr().leases
            with Client6(link, "02:00:00:00:07:00") as other:
                for _ in range(10):
                    other.solicit()
        assert kea.status()["dropped"] > 100
        first = Client6(link, macs[0])
        flood.gate.open(first)
        first.port.close()
        quiet(kea)
        assert flood.committed() == macs
        assert kea.status()["failures"] == 0


def test_where_only_leases_are_left_the_oldest_is_dropped(link, tmp_path):
    flood = Flood(tmp_path, 4)
    with Kea(4, SUBNET4, tmp_path, [flood.library]) as kea:
        first = stranger(link)
        flood.gate.shut(first)
        clients = [first, *(stranger(link) for _ in range(Flood.LIMIT + 3))]
        for client in clients:
            assert client.dora().type == ACK
        flood.gate.open(first)
        quiet(kea)
        assert flood.committed() == [client.mac for client in clients[-Flood.LIMIT:]]


def test_a_spool_has_room_for_all(link, tmp_path):
    flood = Flood(tmp_path, 4, spool=str(tmp_path / "spool"))
    with Kea(4, SUBNET4, tmp_path, [flood.library]) as kea:
        first = stranger(link)
        flood.gate.shut(first)
        clients = [first, *(stranger(link) for _ in range(Flood.LIMIT + 3))]
        for client in clients:
            assert client.dora().type == ACK
        assert kea.status()["dropped"] == kea.status()["unspooled"] == 0
        flood.gate.open(first)
        quiet(kea)
        assert flood.committed() == [client.mac for client in clients]
        assert len(flood.gate.printer.lines()) == kea.status()["done"] == kea.status()["events"]
