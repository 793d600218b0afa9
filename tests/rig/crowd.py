"""Clients that come and go at random, several at a time, for as long as a test needs them."""

import random
from concurrent.futures import ThreadPoolExecutor

from .dhcp4 import ACK, NOWHERE, Client4, NoAnswer, Wire4
from .dhcp6 import REPLY, Client6

PATIENCE = 0.5    # seconds without an answer after which a client tries something else


class Guest4:
    """A DHCPv4 client with a mind of its own; every second one has a client identifier."""

    def __init__(self, link, wire, number):
        mac = f"02:00:00:01:{number >> 8:02x}:{number & 255:02x}"
        self.client = Client4(link, mac, client_id=b"\0guest %d" % number if number % 2 else None)
        self.client.wire = wire

    @property
    def has_lease(self):
        return self.client.address != NOWHERE

    def come(self, _dice):
        ack = self.client.dora(timeout=PATIENCE)
        self.client.wire.answers.clear()
        assert ack.type != ACK or self.has_lease

    def stay(self, _dice):
        if self.client.renew(timeout=PATIENCE).type != ACK:
            self.forget()

    def leave(self):
        self.client.release()
        self.forget()

    def forget(self):
        """Goes without a word: the lease expires."""
        self.client.address = NOWHERE


class Guest6:
    """A DHCPv6 client with a mind of its own: an address, and for two in three a prefix too."""

    def __init__(self, link, _wire, number):
        mac = f"02:00:00:02:{number >> 8:02x}:{number & 255:02x}"
        self.client = Client6(link, mac, pd=[7] if number % 3 else [])

    @property
    def has_lease(self):
        return bool(self.client.leases)

    def come(self, dice):
        self.client.sarr(timeout=PATIENCE) if dice.random() < 0.5 else self.client.solicit(True, timeout=PATIENCE)

    def stay(self, dice):
        ask = self.client.renew if dice.random() < 0.5 else self.client.rebind
        if ask(timeout=PATIENCE).type != REPLY:
            self.forget()

    def leave(self):
        self.client.release(timeout=PATIENCE)
        self.forget()

    def forget(self):
        for ia in self.client.ias:
            ia.leases.clear()


def guests(link, family, count, tables=1, first=0):
    """`count` clients at so many tables; each table's go one after the other, the tables side by side."""
    kind = Guest4 if family == 4 else Guest6
    wires = [Wire4(link) if family == 4 else None for _ in range(tables)]
    link.wire4 = link.wire4 or wires[0]
    return [[kind(link, wires[table], number) for number in range(first + table, first + count, tables)]
            for table in range(tables)]


def crowd(tables, enough, most=3, seed=1):
    """Each guest does one random thing after the other, until `enough()`; a table holds `most` leases at once."""
    with ThreadPoolExecutor(len(tables)) as pool:
        list(pool.map(lambda number: party(tables[number], enough, most, random.Random(seed + number)),
                      range(len(tables))))


def party(table, enough, most, dice):
    while not enough():
        guest = dice.choice(table)
        staying = [other for other in table if other.has_lease]
        try:
            if not guest.has_lease and len(staying) < most:
                guest.come(dice)
            elif not guest.has_lease:
                dice.choice(staying).leave()
            elif (luck := dice.random()) < 0.5:
                guest.stay(dice)
            elif luck < 0.9:
                guest.leave()
            else:
                guest.forget()
        except NoAnswer:
            guest.forget()
