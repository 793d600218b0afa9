"""perfdhcp as a measure: how long exchanges take, and the highest rate at which next to none is dropped."""

import itertools
import re
import time
from dataclasses import dataclass
from math import sqrt

from rig.clients import perfdhcp

EXCHANGES = {4: ("DISCOVER-OFFER", "REQUEST-ACK"), 6: ("SOLICIT-ADVERTISE", "REQUEST-REPLY")}
runs = itertools.count(1)
PATIENCE = 0.1          # seconds that a client waits for each answer: with more, a short probe would measure queues;
INTERVALS = 3           # or so many times what is between two exchanges, if that is longer
SECONDS, LONGEST = 1.2, 5
FEWEST = 200            # exchanges that a probe ought to have, if they take no longer than LONGEST
DROPS = 0.01            # the share of exchanges that may fail


@dataclass(frozen=True)
class Load:
    """What came of exchanges at an even rate."""

    rate: float         # exchanges a second that were asked for
    sent: int           # exchanges begun,
    answered: int       # and finished
    delay: float        # ms, of both answers together, on average
    late: bool          # whether perfdhcp itself could not keep up

    @property
    def served(self):
        return not self.late and self.answered > (1 - DROPS) * self.sent


def exchanges(link, family, rate, number):
    """Runs this many whole exchanges, DORA or SARR, with new clients, at this rate."""
    rate, mac = max(round(rate), 1), f"02{next(runs):04x}000000"
    # It numbers its clients from here on; DHCPv6's have it in their DUID.
    base = "mac=" + ":".join(re.findall("..", mac))
    patience, begin = max(PATIENCE, INTERVALS / rate), time.monotonic()
    # One thread of perfdhcp's is enough at these rates, and leaves more of a small machine to Kea.
    counts = perfdhcp(link, family, "-g", "single", "-r", rate, "-n", number, "-R", number, "-b", base,
                      "-d", patience, "-W", round(2 * patience * 1e6))
    late = time.monotonic() - begin > number / rate + 2 * patience + 0.5
    first, second = (counts[name] for name in EXCHANGES[family])
    return Load(rate, first["sent"], second["received"], first.get("avg delay", 0) + second.get("avg delay", 0), late)


def probe(link, family, rate):
    return exchanges(link, family, rate, round(rate * min(max(SECONDS, FEWEST / rate), LONGEST)))


def highest(attempt, guess, stride, resolution):
    """The probe with the highest rate that is served, if any is; `attempt(rate)` makes one.

    From the guess on, it strides until one is served and one is not, then halves what lies between, in ratio, down to
    the resolution, or to the next whole number: perfdhcp knows no others.
    """
    best = worst = None
    rate = guess
    while not best or not worst or worst > max(best.rate * resolution, best.rate + 1):
        if rate < 0.5:
            return None
        load = attempt(rate)
        if load.served:
            best = load
        else:
            worst = rate
        if best and worst:
            rate = sqrt(best.rate * worst)
        else:
            rate = rate * stride if best else rate / stride
            stride = stride ** 1.5
    return best
