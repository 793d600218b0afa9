"""kea-omapi under load and under attack. Prints what it measures (-rP)."""

import os
import socket
import statistics
import threading
import time

import pytest

from rig.dhcp4 import Client4
from rig.omapi import DHCPD_PORT, LEASED, LEASED_MAC, Bridge, Served, client, lease, raw, recorded_dhcpd
from rig.wait import wait_until

pypureomapi = pytest.importorskip("pypureomapi", reason="tests/setup fetches it")
pytestmark = [pytest.mark.long, pytest.mark.alone]
CLIENTS, SECONDS = 50, int(os.environ.get("SECONDS", 60))


class User(threading.Thread):
    """Looks leases and hosts up, adds a host and deletes it, again and again."""

    def __init__(self, port, serial, until):
        super().__init__(daemon=True)
        self.port, self.serial, self.until, self.count, self.error = port, serial, until, 0, None

    def run(self):
        try:
            omapi = client(self.port, timeout=30)
            mac = f"02:00:00:00:0d:{self.serial:02x}"
            calls = [lambda: omapi.lookup_mac(LEASED), lambda: omapi.lookup_ip(LEASED_MAC), lambda: omapi.lookup_host("conf1"),
                     lambda: omapi.add_host_supersede_name(f"192.0.2.{130 + self.serial}", mac, f"pc{self.serial}"),
                     lambda: omapi.lookup_host(f"pc{self.serial}"), lambda: omapi.lookup_ip_host(mac), lambda: omapi.del_host(mac)]
            while time.monotonic() < self.until:
                for call in calls:
                    call()
                    self.count += 1
        except Exception as error:
            self.error = error


def load(port, meanwhile=lambda until: None):
    """Operations a second."""
    until = time.monotonic() + SECONDS
    users = [User(port, serial, until) for serial in range(CLIENTS)]
    for user in users:
        user.start()
    result = meanwhile(until)
    for user in users:
        user.join()
        assert user.error is None, repr(user.error)
    return sum(user.count for user in users) / SECONDS, result


def memory(pid):
    """Resident, in KiB."""
    [line] = [line for line in open(f"/proc/{pid}/status") if line.startswith("VmRSS")]
    return int(line.split()[1])


def test_fifty_clients_for_a_minute(link, tmp_path):
    with recorded_dhcpd(tmp_path):
        lease(link)
        theirs, _ = load(DHCPD_PORT)

    def watch(until):
        """Kea's latency, and the bridge's memory."""
        times, sizes = [], []
        stranger = Client4(link, "02:00:00:00:00:77")
        while time.monotonic() < until:
            began = time.monotonic()
            stranger.discover()
            times.append(time.monotonic() - began)
            sizes.append(memory(bridge.process.pid))
            time.sleep(0.02)
        return times, sizes

    with Served(tmp_path) as kea, Bridge(tmp_path) as bridge:
        lease(link)
        idle, _ = watch(time.monotonic() + SECONDS / 4)
        ours, (busy, sizes) = load(bridge.port, watch)
        assert kea.alive()
    print(f"{CLIENTS} clients, {SECONDS} s: dhcpd {theirs:.0f} operations a second, kea-omapi {ours:.0f}")
    for name, times in (("without clients", idle), ("with them", busy)):
        times.sort()
        print(f"Kea's DHCPOFFER {name}: median {1e3 * statistics.median(times):.2f} ms, "
              f"99 % {1e3 * times[len(times) * 99 // 100]:.2f} ms of {len(times)}")
    half = len(sizes) // 2
    print(f"kea-omapi's memory: {max(sizes[:half])} KiB at most in the first half, {max(sizes[half:])} KiB in the second")
    assert max(sizes[half:]) < 1.2 * max(sizes[:half])


def test_ten_thousand_connections_and_slow_ones(link, tmp_path):
    with Served(tmp_path), Bridge(tmp_path) as bridge:
        omapi = client(bridge.port)
        assert omapi.lookup_host("conf1")["ip"] == "192.0.2.201"
        slow, refused = [raw(bridge.port) for _ in range(255)], 0
        before = memory(bridge.process.pid)
        for _ in range(10_000):
            with socket.create_connection(("127.0.0.1", bridge.port), timeout=15) as connection:
                try:
                    refused += connection.recv(8) == b""
                except ConnectionResetError:
                    refused += 1
        assert omapi.lookup_host("conf1")["ip"] == client(bridge.port).lookup_host("conf1")["ip"] == "192.0.2.201"
        # A byte now and then does not help: a message has ten seconds.
        slow += [raw(bridge.port) for _ in range(200)]
        began = time.monotonic()

        def gone(connection):
            try:
                connection.sendall(b"\0")
                return time.monotonic() - began > 20
            except OSError:
                return True
        wait_until(lambda: all([gone(connection) for connection in slow]), "the end of the slow ones", timeout=25)
        took = time.monotonic() - began
        assert took < 15 and client(bridge.port).lookup_host("conf1")["ip"] == "192.0.2.201"
        print(f"{refused} of 10000 connections beside 256 refused; slow ones hung up on after {took:.1f} s; "
              f"memory {before} KiB, then {memory(bridge.process.pid)} KiB; {len(bridge.log().splitlines())} lines of log")
        assert len(bridge.log().splitlines()) < 30
