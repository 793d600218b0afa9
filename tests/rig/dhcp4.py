"""DHCPv4 clients made of packets: every byte is ours, whatever a real client would never send included."""

import contextlib
import itertools
import random
import socket
import struct
import time
from dataclasses import dataclass, field

DISCOVER, OFFER, REQUEST, DECLINE, ACK, NAK, RELEASE, INFORM = range(1, 9)
NOWHERE, EVERYBODY = "0.0.0.0", "255.255.255.255"
MAGIC = b"\x63\x82\x53\x63"
HEADER = struct.Struct("!BBBBIHH4s4s4s4s16s64s128s")

HOSTNAME, REQUESTED_ADDRESS, LEASE_TIME, MESSAGE_TYPE, SERVER_ID = 12, 50, 51, 53, 54
VENDOR_CLASS, CLIENT_ID, CLIENT_FQDN, RELAY_AGENT_INFORMATION = 60, 61, 81, 82


class NoAnswer(AssertionError):
    """The server did not answer in time."""


def hex_bytes(text):
    """02:00:5e to bytes."""
    return bytes.fromhex(text.replace(":", ""))


def address_bytes(text):
    return socket.inet_aton(text)


@dataclass
class Message4:
    """A DHCPv4 message; options are a list of (code, bytes), sent as they are, and split where longer than 255."""

    chaddr: bytes = b""
    options: list = field(default_factory=list)
    op: int = 1
    htype: int = 1
    hops: int = 0
    xid: int = field(default_factory=lambda: random.getrandbits(32))
    secs: int = 0
    flags: int = 0
    ciaddr: str = NOWHERE
    yiaddr: str = NOWHERE
    siaddr: str = NOWHERE
    giaddr: str = NOWHERE
    sname: bytes = b""
    file: bytes = b""

    def pack(self):
        addresses = map(address_bytes, (self.ciaddr, self.yiaddr, self.siaddr, self.giaddr))
        fixed = HEADER.pack(self.op, self.htype, len(self.chaddr), self.hops, self.xid, self.secs, self.flags,
                            *addresses, self.chaddr, self.sname, self.file)
        return fixed + MAGIC + b"".join(map(pack_option, self.options)) + b"\xff"

    @classmethod
    def unpack(cls, data):
        op, htype, hlen, hops, xid, secs, flags, *addresses, chaddr, sname, file = HEADER.unpack_from(data)
        return cls(chaddr[:hlen], list(unpack_options(data[HEADER.size + len(MAGIC):])), op, htype, hops, xid, secs,
                   flags, *map(socket.inet_ntoa, addresses), sname.rstrip(b"\0"), file.rstrip(b"\0"))

    def option(self, code):
        """The option's bytes, its parts joined; None if it is absent."""
        parts = [value for number, value in self.options if number == code]
        return b"".join(parts) if parts else None

    @property
    def type(self):
        return self.option(MESSAGE_TYPE)[0]

    @property
    def server_id(self):
        return socket.inet_ntoa(self.option(SERVER_ID))

    @property
    def lease_time(self):
        return int.from_bytes(self.option(LEASE_TIME), "big")


def pack_option(option):
    code, value = option
    parts = [value[start:start + 255] for start in range(0, len(value), 255)] or [b""]
    return b"".join(bytes([code, len(part)]) + part for part in parts)


def unpack_options(data):
    position = 0
    while position < len(data) and data[position] != 255:
        if data[position] == 0:
            position += 1
            continue
        code, length = data[position], data[position + 1]
        yield code, data[position + 2:position + 2 + length]
        position += 2 + length


def fqdn(name, flags=1):
    """Option 81 in its canonical wire format."""
    return CLIENT_FQDN, bytes([flags | 4, 0, 0]) + dns_labels(name) + b"\0"


def dns_labels(name):
    """The labels of a domain name, without the root's."""
    return b"".join(bytes([len(label)]) + label.encode() for label in name.rstrip(".").split("."))


def agent_information(circuit_id=None, remote_id=None, **others):
    """Option 82; further sub-options as `sub_<code>=bytes`."""
    subs = [(1, circuit_id), (2, remote_id), *((int(name[4:]), value) for name, value in others.items())]
    return RELAY_AGENT_INFORMATION, b"".join(pack_option(sub) for sub in subs if sub[1] is not None)


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xffff) + (total >> 16)
    return ~(total + (total >> 16)) & 0xffff


def frame(payload, mac, destination_mac, source, destination, source_port, destination_port):
    """Ethernet, IPv4 and UDP around the message; UDP may go without a checksum."""
    udp = struct.pack("!HHHH", source_port, destination_port, 8 + len(payload), 0) + payload
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, socket.IPPROTO_UDP, 0,
                         address_bytes(source), address_bytes(destination))
    header = header[:10] + struct.pack("!H", checksum(header)) + header[12:]
    return hex_bytes(destination_mac) + hex_bytes(mac) + b"\x08\x00" + header + udp


class Wire4:
    """Messages to the server and its answers, for all clients of a link."""

    def __init__(self, link):
        self.link = link
        self.raw = link.raw_socket()
        self.answers = []

    def close(self):
        self.raw.close()

    def send(self, message, source=NOWHERE, unicast=False):
        """Sends as a client, or as a relay does if giaddr is set."""
        mac, port = (self.link.client_mac, 67) if message.giaddr != NOWHERE else (self.sender_mac(message), 68)
        there = (self.link.server_mac, source, self.link.server4) if unicast else ("ff" * 6, source, EVERYBODY)
        self.raw.send(frame(message.pack(), mac, *there, port, 67))

    def make_room(self):
        """A socket that is full of others' answers, such as perfdhcp's, would drop the one to come."""
        self.raw.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                self._keep(self.raw.recv(65536))
        self.raw.setblocking(True)

    def sender_mac(self, message):
        return message.chaddr.hex() if len(message.chaddr) == 6 else self.link.client_mac

    def receive(self, xid, timeout=5.0):
        """The answer to the message with this transaction id; others' answers are kept for them."""
        deadline = time.monotonic() + timeout
        while True:
            for answer in self.answers:
                if answer.xid == xid:
                    self.answers.remove(answer)
                    return answer
            self._read(deadline, f"no answer to transaction {xid:#x} within {timeout:g} s")

    def _read(self, deadline, complaint):
        self.raw.settimeout(max(deadline - time.monotonic(), 0.001))
        try:
            data = self.raw.recv(65536)
        except TimeoutError:
            raise NoAnswer(complaint) from None
        self._keep(data)

    def _keep(self, data):
        ip = data[14:]
        udp = ip[(ip[0] & 15) * 4:]
        if ip[9] == socket.IPPROTO_UDP and udp[:2] == b"\0\x43" and udp[8] == 2:
            self.answers.append(Message4.unpack(udp[8:]))


class Client4:
    """A client. What it was given last is in `address` and `server_id`.

    `options` go into every message, `relay` is the address of the agent it is behind, `agent` that agent's option 82.
    """

    def __init__(self, link, mac="02:00:00:00:00:01", client_id=None, hostname=None, options=(), relay=None,
                 agent=None, htype=1):
        link.wire4 = link.wire4 or Wire4(link)
        self.wire = link.wire4
        self.mac, self.chaddr = mac, hex_bytes(mac)
        self.htype = htype
        self.relay = relay
        self.options = [*([(CLIENT_ID, client_id)] if client_id is not None else []),
                        *([(HOSTNAME, hostname.encode())] if hostname is not None else []), *options]
        self.agent = [agent] if agent else []
        self.address, self.server_id = NOWHERE, None

    def message(self, kind, options=(), **fields):
        """A message of this client, with these options besides its own."""
        if self.relay:
            fields = {"giaddr": self.relay, "hops": 1, **fields}
        return Message4(self.chaddr, [(MESSAGE_TYPE, bytes([kind])), *options, *self.options, *self.agent],
                        htype=self.htype, **fields)

    def send(self, message, unicast=False):
        source = self.relay or message.ciaddr
        self.wire.send(message, source, unicast or bool(self.relay))

    def exchange(self, message, unicast=False, timeout=5.0):
        """Sends the message and returns the answer, or raises NoAnswer."""
        self.wire.make_room()
        self.send(message, unicast)
        answer = self.wire.receive(message.xid, timeout)
        if answer.type == ACK and answer.yiaddr != NOWHERE:
            self.address, self.server_id = answer.yiaddr, answer.server_id
        return answer

    def discover(self, requested=None, options=(), timeout=5.0):
        wish = [(REQUESTED_ADDRESS, address_bytes(requested))] if requested else []
        return self.exchange(self.message(DISCOVER, [*wish, *options]), timeout=timeout)

    def request(self, offer, options=(), timeout=5.0):
        """Takes an offer (SELECTING)."""
        chosen = [(REQUESTED_ADDRESS, address_bytes(offer.yiaddr)), (SERVER_ID, offer.option(SERVER_ID))]
        return self.exchange(self.message(REQUEST, [*chosen, *options]), timeout=timeout)

    def dora(self, requested=None, options=(), timeout=5.0):
        """DISCOVER, OFFER, REQUEST, ACK; returns the last."""
        return self.request(self.discover(requested, options, timeout), options, timeout)

    def reboot(self, address=None, timeout=5.0):
        """Asks for the address it remembers (INIT-REBOOT)."""
        wish = [(REQUESTED_ADDRESS, address_bytes(address or self.address))]
        return self.exchange(self.message(REQUEST, wish), timeout=timeout)

    def renew(self, timeout=5.0):
        return self.exchange(self.message(REQUEST, ciaddr=self.address), unicast=True, timeout=timeout)

    def rebind(self, timeout=5.0):
        return self.exchange(self.message(REQUEST, ciaddr=self.address), timeout=timeout)

    def inform(self, address=None, timeout=5.0):
        return self.exchange(self.message(INFORM, ciaddr=address or self.address), timeout=timeout)

    def release(self):
        """Sends; there is no answer."""
        server = [(SERVER_ID, address_bytes(self.server_id))]
        self.send(self.message(RELEASE, server, ciaddr=self.address), unicast=True)

    def decline(self):
        """Sends; there is no answer."""
        refused = [(REQUESTED_ADDRESS, address_bytes(self.address)), (SERVER_ID, address_bytes(self.server_id))]
        self.send(self.message(DECLINE, refused))


numbers = itertools.count(1)


def stranger(link, **how):
    """A client that no server has seen before."""
    number = next(numbers)
    return Client4(link, f"02:00:00:ff:{number >> 8:02x}:{number & 255:02x}", **how)
