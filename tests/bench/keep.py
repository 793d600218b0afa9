"""What it gains that answers are kept (`keep-for`), with a waiting daemon in C at the default hook points, beside the same
without, and a library that does nothing. Asserts nothing about time; the figures are kept for report.py.

    tests/run -s tests/bench/keep.py
"""

import contextlib
import faulthandler
import os
import random
import select
import socket
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor

import figures
from lease_events import processor_time
from load import PATIENCE, Load, exchanges, highest, probe
from rig.dhcp4 import ACK, DISCOVER, MESSAGE_TYPE, REQUEST, REQUESTED_ADDRESS, SERVER_ID, Message4, address_bytes
from rig.kea import hook
from rig.net import ip
from rig.programs import compiled, library
from rig.wait import wait_until
from servers import Server, Setting, write_leases

ROUNDS = int(os.environ.get("ROUNDS", 5))
SETTING = Setting(4, False, 1000)
SERVER, RELAY = "10.0.0.1", "10.0.0.3"
KNOWN = 500                     # clients that renew
FLOOD, FLOOD_RATE = 10_000, 500     # exchanges of new ones, and how many a second
NOTHING, WAITING, KEEPING = "a library that does nothing", "daemon, waiting", "daemon, waiting, keep-for"
POINTS = ["pkt4_receive", "subnet4_select", "lease4_select", "lease4_renew", "pkt4_send"]
UNITS = {"Kea's processor time of a renewal": "µs", "Renewals a second": "renewals/s", "Exchanges a second": "exchanges/s",
         "Events of known clients that were answered from memory": "%"}


class Relay:
    """A relay agent, with clients behind it that have a lease."""

    def __init__(self, link):
        ip(f"addr add {RELAY}/8 dev {link.client}\n", link.namespace)
        with link.inside():
            self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self.udp.bind((RELAY, 67))
        self.udp.setblocking(False)
        self.renewals = [self.renewal(number) for number in range(KNOWN)]
        self.count = 0

    def renewal(self, number):
        """The message, for which a new client gets a lease first."""
        chaddr = bytes([2, 0, 0x5e, 0x77, number >> 8, number & 255])
        offer = self.exchange(chaddr, DISCOVER)
        given = [(REQUESTED_ADDRESS, address_bytes(offer.yiaddr)), (SERVER_ID, offer.option(SERVER_ID))]
        ack = self.exchange(chaddr, REQUEST, given)
        assert ack.type == ACK
        return self.message(chaddr, REQUEST, ciaddr=ack.yiaddr).pack()

    def message(self, chaddr, kind, options=(), **fields):
        return Message4(chaddr, [(MESSAGE_TYPE, bytes([kind])), *options], giaddr=RELAY, hops=1, **fields)

    def exchange(self, chaddr, kind, options=()):
        message = self.message(chaddr, kind, options)
        self.udp.sendto(message.pack(), (SERVER, 67))
        assert select.select([self.udp], [], [], 5)[0], "no answer"
        return Message4.unpack(self.udp.recv(65536))

    def load(self, rate, number):
        """So many renewals at an even rate; the clients take turns."""
        # What has come late is none of these.
        self.answers()
        sent = answered = 0
        start = time.monotonic()
        end = start + number / rate + PATIENCE
        while (now := time.monotonic()) < end and answered < number:
            while sent < min(number, (now - start) * rate):
                packet = self.renewals[self.count % KNOWN]
                self.udp.sendto(packet[:4] + self.count.to_bytes(4, "big") + packet[8:], (SERVER, 67))
                sent, self.count = sent + 1, self.count + 1
            select.select([self.udp], [], [], 0.0005)
            answered += self.answers()
        late = sent < number or time.monotonic() - start > number / rate + 2 * PATIENCE + 0.5
        return Load(rate, number, answered, 0, late)

    def answers(self):
        """How many ACKs have come."""
        count = 0
        with contextlib.suppress(BlockingIOError):
            while True:
                yiaddr = self.udp.recv(2048)[16:20]
                count += yiaddr != bytes(4)
        return count


@contextlib.contextmanager
def serving(libraries, name, directory, leases):
    server = Server(SETTING, libraries[name], directory / "server", leases)
    try:
        assert not server.refusal()
        yield server
        assert not server.complaints()
    finally:
        server.close()


def libraries(directory):
    daemon = compiled("echo", directory)
    waiting = {"mode": "daemon", "answers": True}
    return {NOTHING: {"library": str(library("empty", directory)), "parameters": {"hook-points": POINTS}},
            WAITING: hook(daemon, **waiting), KEEPING: hook(daemon, args=["keep"], **waiting)}


def best(server, attempt, guesses):
    """The highest rate; near what the rounds before have found, if there were any."""
    def when_idle(rate):
        wait_until(server.idle, "end of the packets", timeout=60)
        return attempt(rate)
    guess, stride = (guesses[-1], 1.05) if guesses else (1500, 1.4)
    return highest(when_idle, guess * 1.04 ** random.uniform(-0.5, 0.5), stride, 1.04).rate


def measure(server, found, name):
    relay = Relay(server.link)
    renewals, new = found["Renewals a second"][name], found["Exchanges a second"][name]
    # All that is to be kept of them is.
    relay.load(500, 2 * KNOWN)
    found["Kea's processor time of a renewal"][name].append(cost(server, relay))
    renewals.append(best(server, lambda rate: relay.load(rate, round(rate * 1.5)), renewals))
    new.append(best(server, lambda rate: probe(server.link, 4, rate), new))
    time_of_one = found["Kea's processor time of a renewal"][name][-1]
    print(f"{name}: {time_of_one:.0f} µs a renewal, {renewals[-1]:.0f} renewals/s, {new[-1]:.0f} exchanges/s", flush=True)


def cost(server, relay):
    """Kea's processor time of a renewal, in microseconds. Where it does not wait, the rate is that's inverse, on a busy machine too."""
    before = processor_time(server.kea.pid)
    answered = relay.load(500, 4 * KNOWN).answered
    wait_until(server.idle, "end of the packets", timeout=60)
    return (processor_time(server.kea.pid) - before) / (answered + relay.answers()) * 1e6


def test_rates(tmp_path):
    faulthandler.cancel_dump_traceback_later()
    leases, subjects = write_leases(SETTING, tmp_path), libraries(tmp_path)
    found = defaultdict(lambda: defaultdict(list))
    for _ in range(ROUNDS):
        for name in subjects:
            with serving(subjects, name, tmp_path, leases) as server:
                measure(server, found, name)
    for table, beside in (("Renewals a second", "Renewals"), ("Exchanges a second", "New clients")):
        for name in (WAITING, KEEPING):
            pairs = zip(found[table][name], found[table][NOTHING])
            found[f"{beside}, beside {NOTHING}"][name] = [mine / nothings for mine, nothings in pairs]
    keep("rates", found, leave_out=["Exchanges a second"])


def test_flood(tmp_path):
    leases, subjects = write_leases(SETTING, tmp_path), libraries(tmp_path)
    found = defaultdict(lambda: defaultdict(list))
    with serving(subjects, KEEPING, tmp_path, leases) as server, ThreadPoolExecutor() as pool:
        relay = Relay(server.link)
        relay.load(500, 2 * KNOWN)

        def share(renew):
            """How many events of these renewals are not asked about, in percent."""
            before = server.kea.status()["kept"]
            answered = sum(load.answered for load in renew())
            wait_until(server.idle, "end of the packets", timeout=60)
            answered += relay.answers()
            return [100 * (server.kea.status()["kept"] - before) / (len(POINTS) - 1) / answered]

        def beside(flood):
            while not flood.done():
                yield relay.load(100, 100)

        table = found["Events of known clients that were answered from memory"]
        table["before"] = share(lambda: [relay.load(500, KNOWN)])
        flood = pool.submit(exchanges, server.link, 4, FLOOD_RATE, FLOOD)
        table["beside the flood"] = share(lambda: beside(flood))
        table["after the flood"] = share(lambda: [relay.load(500, KNOWN)])
        print(f"the flood: {flood.result()}, {server.kea.status()['kept-answers']} answers kept", flush=True)
    keep("flood", found)


def keep(name, found, leave_out=()):
    all_of_them = [figures.Figure(table, UNITS.get(table, "×"), str(SETTING), subject, tuple(round(value, 3) for value in values))
                   for table, rows in found.items() for subject, values in rows.items()]
    for one in all_of_them:
        print(f"  {one.table:60} {one.subject:32} {one.middle:9.2f} ({min(one.values):.2f} to {max(one.values):.2f})")
    # throughput.py has that table, with subjects of its own.
    figures.keep(f"keep-{name}", [one for one in all_of_them if one.table not in leave_out])
