"""A crowd at a server, beside the test, and the answers that it has seen."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from . import dhcp4, dhcp6
from .crowd import crowd, guests
from .wait import wait_until

# Clients at tables: the clients of a table ask one after the other, the tables side by side. All of them find an address.
CLIENTS, TABLES = 24, 3

POOLS = {4: {"subnet4": [{"id": 1, "subnet": "192.0.2.0/24", "pools": [{"pool": "192.0.2.10 - 192.0.2.249"}]}]},
         6: {"subnet6": [{"id": 1, "subnet": "2001:db8::/64", "interface": "vs", "rapid-commit": True,
                          "pools": [{"pool": "2001:db8::1000 - 2001:db8::104f"}],
                          "pd-pools": [{"prefix": "2001:db8:8000::", "prefix-len": 48, "delegated-len": 56}]}]}}

# A renewal soon after the lease commits it anew, with a newer Kea too; a released lease is free at once.
CONFIG = {family: {"valid-lifetime": 3600, "cache-max-age": 0, "expired-leases-processing": {"hold-reclaimed-time": 0}, **pools}
          for family, pools in POOLS.items()}


@dataclass(frozen=True)
class Answer:
    """An ACK, or a REPLY, that a client has seen."""

    query: tuple        # hardware address and transaction
    addresses: tuple
    sent: int           # monotonic clock, ns: when the client asked
    received: int


class Load:
    """Clients that come, stay and leave, each time that it is entered; `room()` says whether they may go on."""

    def __init__(self, link, family, seed, clients=CLIENTS, room=lambda: True):
        self.tables = guests(link, family, clients, TABLES)
        self.seed, self.room = seed, room
        self.answers = []
        self.pool = ThreadPoolExecutor(1)
        self.party, self.over = None, True
        for guest in sum(self.tables, []):
            self.watch(guest.client)

    def watch(self, client):
        """Has each answer of this client written down."""
        exchange = client.exchange

        def watched(*args, **how):
            sent = time.monotonic_ns()
            answer = exchange(*args, **how)
            if (transaction := committed(answer)) is not None:
                self.answers.append(Answer((client.mac, transaction), addresses(answer), sent, time.monotonic_ns()))
            return answer
        client.exchange = watched

    def __enter__(self):
        self.over = False
        # They do something else than the last time.
        self.seed += TABLES
        self.party = self.pool.submit(crowd, self.tables, self.enough, len(self.tables[0]), self.seed)
        return self

    def __exit__(self, *_):
        self.over = True
        self.party.result()

    def enough(self):
        if not self.over:
            wait_until(lambda: self.over or self.room(), "room for more events", 60)
        return self.over

    def wait(self, count):
        """Until they have seen so many answers more."""
        goal = len(self.answers) + count
        wait_until(lambda: len(self.answers) >= goal or self.party.done(), lambda: f"{goal} answers ({len(self.answers)})", 60)
        assert not self.party.done(), self.party.exception()


def committed(answer):
    """The transaction of an answer that changes leases, or None."""
    if isinstance(answer, dhcp6.Message6):
        return answer.transid if answer.type == dhcp6.REPLY else None
    return answer.xid if answer.type == dhcp4.ACK else None


def addresses(answer):
    leases = answer.leases if isinstance(answer, dhcp6.Message6) else [answer.yiaddr]
    return tuple(lease.partition("/")[0] for lease in leases)
