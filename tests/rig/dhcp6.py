"""DHCPv6 clients made of packets, sent from link-local addresses of their own, directly or through relays."""

import random
import socket
import struct
import time
from dataclasses import dataclass, field

from .dhcp4 import NoAnswer, hex_bytes

SOLICIT, ADVERTISE, REQUEST, CONFIRM, RENEW, REBIND, REPLY, RELEASE, DECLINE = range(1, 10)
INFORMATION_REQUEST, RELAY_FORWARD, RELAY_REPLY = 11, 12, 13
ADDR_REG_INFORM, ADDR_REG_REPLY = 36, 37
CLIENT_ID, SERVER_ID, IA_NA, IA_TA, IA_ADDRESS, OPTION_REQUEST = range(1, 7)
ELAPSED_TIME, RELAY_MESSAGE, STATUS_CODE, RAPID_COMMIT, VENDOR_CLASS = 8, 9, 13, 14, 16
INTERFACE_ID, IA_PD, IA_PREFIX, REMOTE_ID, CLIENT_FQDN = 18, 25, 26, 37, 39
ALL_SERVERS = "ff02::1:2"
SERVER_PORT, CLIENT_PORT = 547, 546


def address_bytes(text):
    return socket.inet_pton(socket.AF_INET6, text)


def address_text(data):
    return socket.inet_ntop(socket.AF_INET6, data)


def link_local(mac):
    """The address that a kernel makes of a hardware address (EUI-64)."""
    data = hex_bytes(mac)
    return address_text(b"\xfe\x80" + bytes(6) + bytes([data[0] ^ 2]) + data[1:3] + b"\xff\xfe" + data[3:])


def pack_options(options):
    return b"".join(struct.pack("!HH", code, len(value)) + value for code, value in options)


def unpack_options(data):
    position = 0
    while position < len(data):
        code, length = struct.unpack_from("!HH", data, position)
        yield code, data[position + 4:position + 4 + length]
        position += 4 + length


def find(options, code):
    """The first option with this code, or None."""
    return next((value for number, value in options if number == code), None)


@dataclass(frozen=True)
class Lease6:
    """An address, or a prefix written with its length, e.g. 2001:db8:8000::/56."""

    address: str
    preferred: int = 0
    valid: int = 0

    def option(self):
        network, _, length = self.address.partition("/")
        lifetimes = struct.pack("!II", self.preferred, self.valid)
        if length:
            return IA_PREFIX, lifetimes + bytes([int(length)]) + address_bytes(network)
        return IA_ADDRESS, address_bytes(network) + lifetimes

    @classmethod
    def of(cls, code, value):
        if code == IA_PREFIX:
            return cls(f"{address_text(value[9:25])}/{value[8]}", *struct.unpack("!II", value[:8]))
        return cls(address_text(value[:16]), *struct.unpack("!II", value[16:24]))


@dataclass
class IA:
    """An identity association: `kind` is IA_NA or IA_PD; `status` is the server's status code in it, if any."""

    kind: int
    iaid: int
    leases: list = field(default_factory=list)
    status: int | None = None

    def option(self):
        return self.kind, struct.pack("!III", self.iaid, 0, 0) + pack_options(lease.option() for lease in self.leases)

    @classmethod
    def of(cls, kind, value):
        inner = list(unpack_options(value[12:]))
        status = find(inner, STATUS_CODE)
        return cls(kind, int.from_bytes(value[:4], "big"),
                   [Lease6.of(code, data) for code, data in inner if code in (IA_ADDRESS, IA_PREFIX)],
                   status and int.from_bytes(status[:2], "big"))


@dataclass
class Message6:
    """A client's message, or the server's answer; options are a list of (code, bytes)."""

    type: int
    options: list = field(default_factory=list)
    transid: int = field(default_factory=lambda: random.getrandbits(24))

    def pack(self):
        return struct.pack("!I", self.type << 24 | self.transid) + pack_options(self.options)

    @classmethod
    def unpack(cls, data):
        """The innermost message, whatever relays are around it."""
        while data[0] == RELAY_REPLY:
            data = find(unpack_options(data[34:]), RELAY_MESSAGE)
        return cls(data[0], list(unpack_options(data[4:])), int.from_bytes(data[1:4], "big"))

    def option(self, code):
        return find(self.options, code)

    @property
    def ias(self):
        return [IA.of(code, value) for code, value in self.options if code in (IA_NA, IA_PD)]

    @property
    def leases(self):
        """All addresses and prefixes, as text, in order."""
        return [lease.address for ia in self.ias for lease in ia.leases]

    @property
    def status(self):
        """The status code of the whole message; a server need not send 0."""
        value = self.option(STATUS_CODE)
        return int.from_bytes(value[:2], "big") if value else 0


@dataclass(frozen=True)
class Relay6:
    """A relay agent: what it adds around a message on the way to the server."""

    link_address: str
    peer_address: str
    options: tuple = ()
    hops: int = 0

    def wrap(self, message):
        head = bytes([RELAY_FORWARD, self.hops]) + address_bytes(self.link_address) + address_bytes(self.peer_address)
        return head + pack_options([*self.options, (RELAY_MESSAGE, message)])


class Port6:
    """A UDP port on the clients' side of the link."""

    def __init__(self, link, address, port=CLIENT_PORT):
        self.udp = link.udp6_socket(address, port)

    def close(self):
        self.udp.close()

    def send(self, message, relays=()):
        """`relays` are given from the one next to the server to the one next to the client."""
        data = message.pack()
        for relay in reversed(relays):
            data = relay.wrap(data)
        self.udp.sendto(data, (ALL_SERVERS, SERVER_PORT))

    def receive(self, transid, timeout=5.0):
        """The answer to the message with this transaction id."""
        deadline = time.monotonic() + timeout
        while True:
            self.udp.settimeout(max(deadline - time.monotonic(), 0.001))
            try:
                answer = Message6.unpack(self.udp.recv(65536))
            except TimeoutError:
                raise NoAnswer(f"no answer to transaction {transid:#x} within {timeout:g} s") from None
            if answer.transid == transid:
                return answer


class Client6:
    """A client that asks for one address, or for what `na` and `pd` (lists of IAIDs) say.

    What it was given last is in `ias`. `options` go into every message, from `address`, else a link-local one.
    """

    def __init__(self, link, mac="02:00:00:00:00:01", duid=None, na=(1,), pd=(), options=(), relays=(),
                 address=None):
        # A relay next to the server speaks for the client, from the server's port.
        self.port = Port6(link, address or link_local(mac), SERVER_PORT if relays else CLIENT_PORT)
        self.relays = relays
        self.mac = mac
        self.duid = duid if duid is not None else b"\0\3\0\1" + hex_bytes(mac)
        self.options = [(OPTION_REQUEST, b"\0\x17\0\x18"), (ELAPSED_TIME, b"\0\0"), *options]
        self.ias = [*(IA(IA_NA, iaid) for iaid in na), *(IA(IA_PD, iaid) for iaid in pd)]
        self.server_id = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.port.close()

    @property
    def leases(self):
        return [lease.address for ia in self.ias for lease in ia.leases]

    def exchange(self, kind, ias=(), options=(), server_id=None, timeout=5.0):
        """Sends a message of this client and returns the answer, or raises NoAnswer."""
        server = [(SERVER_ID, server_id)] if server_id else []
        associations = [IA(ia.kind, ia.iaid, [Lease6(lease.address) for lease in ia.leases]).option() for ia in ias]
        message = Message6(kind, [(CLIENT_ID, self.duid), *server, *associations, *self.options, *options])
        self.port.send(message, self.relays)
        answer = self.port.receive(message.transid, timeout)
        if answer.type == REPLY and answer.leases:
            self.ias, self.server_id = answer.ias, answer.option(SERVER_ID)
        return answer

    def solicit(self, rapid_commit=False, options=(), timeout=5.0):
        rapid = [(RAPID_COMMIT, b"")] if rapid_commit else []
        return self.exchange(SOLICIT, self.ias, [*rapid, *options], timeout=timeout)

    def request(self, advertise, options=(), timeout=5.0):
        return self.exchange(REQUEST, advertise.ias, options, advertise.option(SERVER_ID), timeout)

    def sarr(self, options=(), timeout=5.0):
        """SOLICIT, ADVERTISE, REQUEST, REPLY; returns the last."""
        return self.request(self.solicit(options=options, timeout=timeout), options, timeout)

    def renew(self, timeout=5.0):
        return self.exchange(RENEW, self.ias, server_id=self.server_id, timeout=timeout)

    def rebind(self, timeout=5.0):
        return self.exchange(REBIND, self.ias, timeout=timeout)

    def confirm(self, timeout=5.0):
        return self.exchange(CONFIRM, self.ias, timeout=timeout)

    def release(self, timeout=5.0):
        return self.exchange(RELEASE, self.ias, server_id=self.server_id, timeout=timeout)

    def decline(self, timeout=5.0):
        """Declines the addresses; a prefix cannot be declined."""
        addresses = [ia for ia in self.ias if ia.kind == IA_NA]
        return self.exchange(DECLINE, addresses, server_id=self.server_id, timeout=timeout)

    def register(self, address, timeout=5.0):
        """Tells the server of an address that it has given itself (RFC 9686), from which it has to send."""
        informed = Lease6(address, 3000, 4000).option()
        return self.exchange(ADDR_REG_INFORM, options=[informed], timeout=timeout)

    def information_request(self, timeout=5.0):
        return self.exchange(INFORMATION_REQUEST, timeout=timeout)
