"""Clients that behave now and then, and else do not."""

import struct

from .configs import SUBNET6
from .dhcp4 import ACK, Client4, frame
from .dhcp6 import ALL_SERVERS, RELAY_FORWARD, RELAY_MESSAGE, RELAY_REPLY, REPLY, SERVER_PORT, Client6, unpack_options
from .hostile import Spoiler4, Spoiler6
from .kea import version

BATCH = 16
RELAYED, RELAY_HEADER = (RELAY_FORWARD, RELAY_REPLY), 34
PATIENCE = 30    # seconds: Kea may be under valgrind

# What makes the rarer hook points fire. Nothing that Kea counts depends on the time: released leases go at once, where
# newer Keas would keep them for a while.
COMMON = {"host-reservation-identifiers": ["flex-id", "hw-address"], "dhcp-ddns": {"enable-updates": True},
          "ddns-qualifying-suffix": "example.", "decline-probation-period": 3600, "valid-lifetime": 3600,
          "expired-leases-processing": {"hold-reclaimed-time": 0}}


class Strangers4:
    """Clients that get a lease as one should, and then misbehave."""

    config = {**COMMON, "subnet4": [{"id": 1, "subnet": "192.0.0.0/16",
                                      "pools": [{"pool": "192.0.4.0 - 192.0.250.0"}]}]}

    def __init__(self, link, seed):
        self.spoiler = Spoiler4(seed)
        self.clients = [Client4(link, f"02:00:00:00:00:{n:02x}", hostname=f"host-{n}") for n in range(8)]
        self.link = link

    def behave(self, n):
        client = self.clients[n % len(self.clients)]
        assert client.dora(timeout=PATIENCE).type == ACK
        return client

    def misbehave(self, client):
        self.send(client, self.spoiler.spoil(self.spoiler.letter(client))[:1472])

    def send(self, client, data):
        client.wire.raw.send(frame(data, self.link.client_mac, "ff" * 6, "0.0.0.0", "255.255.255.255", 68, 67))


class Strangers6:
    """The same for DHCPv6."""

    config = {**COMMON, **SUBNET6}

    def __init__(self, link, seed):
        self.spoiler = Spoiler6(seed)
        self.clients = [Client6(link, f"02:00:00:00:00:{n:02x}", pd=[7]) for n in range(8)]

    def behave(self, n):
        client = self.clients[n % len(self.clients)]
        assert client.sarr(timeout=PATIENCE).type == REPLY
        return client

    def misbehave(self, client):
        data = self.spoiler.spoil(self.spoiler.letter(client))
        if not (version(6) >= (3, 0, 0) and is_bare_relay(data)):
            self.send(client, data)

    def send(self, client, data):
        client.port.udp.sendto(data, (ALL_SERVERS, SERVER_PORT))


def is_bare_relay(data):
    """Whether a relay's message ends with its header. A Kea 3.0 that is built with the standard library's checks, as in
    Debian 14, ends itself over such a packet, with a hook library or without one."""
    while data[:1] and data[0] in RELAYED:
        if len(data) <= RELAY_HEADER:
            return len(data) == RELAY_HEADER
        try:
            data = dict(unpack_options(data[RELAY_HEADER:])).get(RELAY_MESSAGE, b"")
        except (IndexError, struct.error):
            return False
    return False


def besiege(kea, strangers, packets):
    """Sends all packets, no more at once than Kea's socket holds; returns what Kea counted."""
    for n in range(packets // BATCH):
        client = strangers.behave(n)
        for _ in range(BATCH):
            strangers.misbehave(client)
    strangers.behave(0)
    every = kea.command("statistic-get-all")["arguments"]
    return {name: values[0][0] for name, values in every.items() if name.startswith("pkt")}
