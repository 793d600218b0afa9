"""Packets that no honest client sends: valid ones, spoilt at random, but the same for the same seed."""

import random
import struct

from . import dhcp4, dhcp6
from .dhcp4 import Message4, agent_information, dns_labels
from .dhcp6 import Lease6, Message6, Relay6, link_local

ROUNDS = 3    # a packet is spoilt in one way or up to so many

TEXTS = [b"", b"\0", b"a\0b", b"\xff\xfe", b"two\nlines", b"\r\n", b"\x1b[31mred", b"\x7f", b"\xc3", b"\xc2\x85",
         "größe".encode(), b"\xed\xa0\x80", b"$(reboot)", b"`id`'\"; | &", b"%s%n%1", b"\\x00\\", b"=", b"..", b" ",
         b"a..b", b"-", "\u202etxt".encode(), b"x" * 255, b"x\0REGISTERED",
         "x\u2028REGISTERED".encode(), "\ufeff\ue000\uffff\U000e0001".encode(), b"\\x0a", b"KEA_A=b\nKEA_B=c"]

# Names in wire format whose labels are not what they should be.
NAMES = [b"", b"\0", b"\3a.b\0", b"\1a", b"\x3f" + b"a" * 63 + b"\0", b"\x40" + b"a" * 64 + b"\0", b"\xc0\0", b"\xc0\1",
         b"\2a\0\0", b"\3\xff\xfe\xfd\0", b"\4a\nb\x1b\0", b"\1" * 255, b"\7a", b"\0\0\0", b"\1 \0", b"\2\\.\0",
         b"".join(b"\1a" for _ in range(130)) + b"\0", dns_labels("a.b.example") + b"\0" + b"\xff" * 9]

# Of client identifiers, DUIDs and link-layer addresses.
LENGTHS = [0, 1, 2, 6, 7, 16, 20, 21, 32, 60, 128, 129, 255]


class Spoiler:
    """What both families have in common. `family` has the messages' form."""

    def __init__(self, seed):
        self.dice = random.Random(seed)

    def bytes(self, most=40):
        return self.dice.randbytes(self.dice.choice([0, 1, 2, 3, 4, self.dice.randrange(most)]))

    def spoil(self, message):
        """The bytes of this message, spoilt."""
        for _ in range(self.dice.randrange(ROUNDS)):
            self.dice.choice(self.of_message)(message)
        data = bytearray(self.pack(message))
        for _ in range(self.dice.randrange(ROUNDS)):
            data = self.dice.choice(self.of_bytes)(data)
        return bytes(data)

    # Of the bytes

    @property
    def of_bytes(self):
        return [self.flip_bits, self.flip_bits, self.truncate, self.lie_about_a_length, self.lie_about_a_length,
                self.add_rubbish, self.erase]

    def place(self, data):
        return self.dice.randrange(self.fixed(data), max(len(data), self.fixed(data) + 1))

    def flip_bits(self, data):
        for _ in range(self.dice.randrange(1, 9)):
            data[self.dice.randrange(len(data))] ^= 1 << self.dice.randrange(8)
        return data

    def truncate(self, data):
        return data[:self.place(data)]

    def add_rubbish(self, data):
        return data + self.dice.randbytes(self.dice.randrange(60))

    def erase(self, data):
        start = self.place(data)
        data[start:start + 20] = bytes(len(data[start:start + 20]))
        return data

    # Of the options

    def replace(self, message, code, value):
        message.options = [option for option in message.options if option[0] != code] + [(code, value)]

    def duplicate(self, message):
        message.options += [self.dice.choice(message.options)] * self.dice.choice([1, 2, 20]) if message.options else []

    def leave_out(self, message):
        if message.options:
            message.options.pop(self.dice.randrange(len(message.options)))

    def shuffle(self, message):
        self.dice.shuffle(message.options)

    def rubbish_as_value(self, message):
        if message.options:
            code, value = self.dice.choice(message.options)
            self.replace(message, code, self.dice.randbytes(len(value)) if self.dice.random() < 0.5 else self.bytes())

    def giant(self, message):
        self.replace(message, self.dice.choice(self.codes), self.dice.randbytes(self.dice.randrange(256, 1000)))

    def other_options(self, message):
        for _ in range(self.dice.randrange(1, 30)):
            message.options.append((self.dice.choice(self.codes), self.bytes()))

    def nested(self, message):
        """Options inside options inside options, as deep as they fit."""
        value = self.bytes()
        for _ in range(self.dice.randrange(1, 40)):
            value = self.option(self.dice.choice(self.codes), value[:self.room])
        self.replace(message, self.dice.choice(self.with_options), value)

    def hostile_text(self, message):
        self.replace(message, self.dice.choice(self.texts), self.dice.choice(TEXTS))

    def identifier(self):
        return self.dice.randbytes(self.dice.choice(LENGTHS))

    def odd_name(self):
        return self.dice.choice(NAMES)


class Spoiler4(Spoiler):
    codes = range(1, 255)
    with_options = (43, 82, 124, 125)
    texts = (12, 14, 15, 17, 18, 40, 60, 62, 66, 67, 77)
    room = 253
    pack = staticmethod(Message4.pack)

    @property
    def of_message(self):
        return [self.duplicate, self.leave_out, self.shuffle, self.rubbish_as_value, self.giant, self.other_options,
                self.nested, self.hostile_text, self.hostile_text, self.client_identifier, self.full_name,
                self.agent, self.header, self.overload]

    def letter(self, client):
        """A valid message of a client that has a lease, of any kind; what servers send to it too."""
        kind = self.dice.choice([1, 1, 3, 3, 3, 3, 4, 7, 8, self.dice.randrange(19)])
        about = self.dice.choice([{"ciaddr": client.address}, {}])
        options = [(dhcp4.REQUESTED_ADDRESS, dhcp4.address_bytes(client.address))] if not about or kind == 4 else []
        if kind in (4, 7) or self.dice.random() < 0.3:
            options.append((dhcp4.SERVER_ID, dhcp4.address_bytes(client.server_id)))
        if self.dice.random() < 0.2:
            options.append((dhcp4.LEASE_TIME, struct.pack("!I", self.dice.choice([0, 1, 60, 2**32 - 1]))))
        options += [(55, bytes(range(1, 60))), (125, struct.pack("!IB", 3561, 5) + b"\1\3abc")]
        message = client.message(kind, options, xid=self.dice.getrandbits(32), **about)
        if self.dice.random() < 0.3:
            message.giaddr, message.hops = "192.0.2.2", 1
            message.options.append(agent_information(b"port 7", b"remote"))
        if kind == 0:
            message.options = []    # BOOTP
        return message

    def fixed(self, data):
        return min(240, len(data) - 1)

    def option(self, code, value):
        return bytes([code, len(value)]) + value

    def lie_about_a_length(self, data):
        places, at = [], 240
        while at + 1 < len(data) and data[at] != 255:
            places.append(at + 1)
            at += 2 + data[at + 1]
        if places:
            data[self.dice.choice(places)] = self.dice.choice([0, 1, 254, 255, self.dice.randrange(256)])
        return data

    def client_identifier(self, message):
        self.replace(message, dhcp4.CLIENT_ID, self.identifier())

    def full_name(self, message):
        flags = self.dice.choice([0, 1, 4, 5, 15, 255])
        self.replace(message, dhcp4.CLIENT_FQDN, bytes([flags, 0, 0]) + self.odd_name())

    def agent(self, message):
        self.replace(message, *agent_information(self.identifier(), self.identifier(), sub_6=self.dice.choice(TEXTS),
                                                 sub_151=b"\0" + self.bytes()))

    def header(self, message):
        field, values = self.dice.choice([
            ("op", [0, 2, 255]), ("htype", [0, 6, 32, 255]), ("hops", [1, 16, 255]), ("flags", [0x8000, 0xffff]),
            ("secs", [0xffff]), ("ciaddr", ["255.255.255.255", "192.0.2.255", "127.0.0.1"]),
            ("giaddr", ["255.255.255.255", "10.0.0.1", "192.0.2.2"]), ("yiaddr", ["192.0.2.10"]),
            ("chaddr", [b"", b"\1", b"\1" * 16, bytes(6), b"\xff" * 7]), ("sname", [b"\xff" * 64, *TEXTS[:12]])])
        setattr(message, field, self.dice.choice(values))

    def overload(self, message):
        """Option 52: more options in the fields for names."""
        message.file = self.bytes(128)[:128]
        message.sname = self.option(12, self.dice.choice(TEXTS)[:60])[:64]
        self.replace(message, 52, bytes([self.dice.randrange(5)]))


class Spoiler6(Spoiler):
    codes = [*range(1, 150), 1000, 65535]
    with_options = (dhcp6.IA_NA, dhcp6.IA_TA, dhcp6.IA_PD, 5, 17, 26)
    texts = (15, 16, 18, 37, 38, 59, 60)
    room = 1000
    pack = staticmethod(Message6.pack)

    @property
    def of_message(self):
        return [self.duplicate, self.leave_out, self.shuffle, self.rubbish_as_value, self.giant, self.other_options,
                self.nested, self.hostile_text, self.duid, self.duid, self.full_name, self.associations, self.oddities]

    def letter(self, client):
        """A valid message of a client that has leases, of any kind."""
        kind = self.dice.choice([1, 1, 3, 3, 4, 5, 5, 6, 6, 8, 9, 11, self.dice.randrange(40)])
        server = [(dhcp6.SERVER_ID, client.server_id)] if kind in (3, 5, 8, 9) else []
        rapid = [(dhcp6.RAPID_COMMIT, b"")] if self.dice.random() < 0.5 else []
        lifetimes = self.dice.choice([(0, 0), (0, 0), (1, 1), (2**32 - 1, 2**32 - 1)])
        for ia in client.ias:
            ia.leases = [Lease6(lease.address, *lifetimes) for lease in ia.leases]
        name = dhcp6.CLIENT_FQDN, b"\1" + dns_labels("client.example") + b"\0"
        return Message6(kind, [(dhcp6.CLIENT_ID, client.duid), *server, *rapid, *(ia.option() for ia in client.ias),
                               *client.options, name], self.dice.getrandbits(24))

    def spoil(self, message):
        """Three in ten come through relays, some of them through more than there may be."""
        data = super().spoil(message)
        if self.dice.random() > 0.3:
            return data
        for hops in range(self.dice.choice([1, 1, 2, 3, 8, 31, 32, 33])):
            data = self.relay(hops).wrap(data)
        data = bytearray(data)
        if self.dice.random() < 0.4:
            data = self.dice.choice(self.of_bytes)(data)
        return bytes(data)

    def relay(self, hops):
        options = [(dhcp6.INTERFACE_ID, self.dice.choice(TEXTS)), (dhcp6.REMOTE_ID, b"\0\0\0\1" + self.bytes()),
                   (79, b"\0\1" + self.identifier()), (38, self.bytes()), (79, self.bytes())]
        link = self.dice.choice(["::", "2001:db8::1", "ff02::1", "::ffff:192.0.2.1"])
        some = self.dice.sample(options, self.dice.randrange(3)) if hops < 4 else []
        return Relay6(link, link_local("02:00:00:00:00:01"), tuple(some), self.dice.choice([hops, hops, 0, 255]))

    def fixed(self, data):
        return min(4, len(data) - 1)

    def option(self, code, value):
        return struct.pack("!HH", code, len(value)) + value

    def lie_about_a_length(self, data):
        places, at = [], 34 if data and data[0] in (12, 13) else 4
        while at + 4 <= len(data):
            places.append(at + 2)
            at += 4 + int.from_bytes(data[at + 2:at + 4], "big")
        if places:
            at = self.dice.choice(places)
            data[at:at + 2] = struct.pack("!H", self.dice.choice([0, 1, 3, 255, 65535, self.dice.randrange(2000)]))
        return data

    def duid(self, message):
        self.replace(message, dhcp6.CLIENT_ID, self.dice.choice([self.identifier(), b"\0\3\0\1" + self.identifier()]))

    def full_name(self, message):
        self.replace(message, dhcp6.CLIENT_FQDN, bytes([self.dice.choice([0, 1, 2, 4, 255])]) + self.odd_name())

    def associations(self, message):
        """Identity associations that hold too much, or what they should not."""
        inner = [Lease6("2001:db8::1000", 1, 1).option(), Lease6("2001:db8:8000::/56", 1, 1).option(),
                 Lease6("::/0").option(), Lease6("2001:db8::/255", 7, 3).option(), (13, b"\0\2" + self.bytes()),
                 (5, self.bytes()), (26, self.bytes()), (1, self.bytes())]
        for _ in range(self.dice.choice([1, 2, 30])):
            held = dhcp6.pack_options(self.dice.sample(inner, self.dice.randrange(4)))
            kind = self.dice.choice([dhcp6.IA_NA, dhcp6.IA_TA, dhcp6.IA_PD])
            message.options.append((kind, struct.pack("!III", self.dice.randrange(5), 0, 2**32 - 1) + held))

    def oddities(self, message):
        self.replace(message, *self.dice.choice([
            (dhcp6.OPTION_REQUEST, b"\0"), (dhcp6.OPTION_REQUEST, bytes(600)), (dhcp6.ELAPSED_TIME, b"\0"),
            (dhcp6.RELAY_MESSAGE, self.bytes()), (15, b"\0\5ab"), (15, b"\xff\xff"), (16, b"\0\0\1\x0a\0\0"),
            (79, b"\0\1" + self.identifier()), (dhcp6.STATUS_CODE, b"\0\7" + self.dice.choice(TEXTS)),
            (dhcp6.SERVER_ID, self.identifier())]))
