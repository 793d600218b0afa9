"""A slow script with a diary, and what an unload leaves of its events."""

import re

from . import processes
from .dhcp4 import OFFER, stranger
from .kea import hook
from .recorder import Printer
from .wait import wait_until

POINTS = ["pkt4_receive", "lease4_select", "pkt4_send"]    # what a DISCOVER meets


class Diary:
    """A slow script that notes its start and its end, its clients, and what it should have noted of each."""

    def __init__(self, link, directory, seconds=0.02, clients=4):
        event = "$KEA_QUERY4_HWADDR $KEA_QUERY4_TRANSACTION_ID $1"
        end = f'/bin/sleep {seconds}\nprintf "%s\\n" "< {event}" >>{directory}/printer.lines'
        self.printer = Printer(directory, f"> {event}", then=end)
        self.clients = [stranger(link) for _ in range(clients)]
        self.expected = {client.mac: [] for client in self.clients}

    def hook(self, **parameters):
        return hook(self.printer.script, **{"wait": False, "hook_points": POINTS, "concurrency": 2, **parameters})

    def round(self, timeout=2):
        """A DISCOVER of each client."""
        for client in self.clients:
            query = client.message(1)
            assert client.exchange(query, timeout=timeout).type == OFFER
            self.expected[client.mac] += [f"{mark} {client.mac} {query.xid} {point}" for point in POINTS for mark in "><"]

    def wait(self):
        count = sum(map(len, self.expected.values()))
        wait_until(lambda: len(self.printer.lines()) >= count,
                   lambda: f"{count} starts and ends (seen: {len(self.printer.lines())})", 30)

    def check(self):
        """Each client's events were handled once, in order, and none before the end of the one before."""
        self.wait()
        assert self.turns() == self.expected

    def turns(self):
        """What was noted of each client; clients may overtake each other."""
        return {mac: [line for line in self.printer.lines() if mac in line] for mac in self.expected}


def left(kea):
    """What each unload has left: events that wait for their turn, those of them in memory alone, and events being handled."""
    said = r"/printer: (\d+) events wait for their turn, (\d+) of them in memory alone, and (\d+) are being handled$"
    return [tuple(map(int, re.search(said, line).groups())) for line in kea.said("LEFT")]


def no_runner():
    wait_until(lambda: not processes.runners(), "the end of all runners")
