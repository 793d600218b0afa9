"""What programs/intervals.c notes: when a handler began with an event and when it had done; and what is wrong with it."""

import csv
from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import combinations, pairwise
from math import inf
from pathlib import Path

from .spans import by_key, overlapping, parties


@dataclass(frozen=True)
class Interval:
    """One try at an event."""

    start: int          # monotonic clock, ns
    end: int            # its start, if it was cut short
    done: bool
    since: int          # when the process began to serve
    hook: str
    event: str          # KEA_EVENT_ID
    attempt: int
    query: tuple        # hardware address and transaction of the packet
    keys: frozenset     # clients, addresses and prefixes that it is about

    @classmethod
    def of(cls, begin, end):
        start, _, _, since, hook, *variables = begin
        told = dict(variable.split("=", 1) for variable in variables)
        client = told.get("KEA_QUERY4_HWADDR") or told.get("KEA_QUERY6_DUID", "")[-17:]
        transaction = told.get("KEA_QUERY4_TRANSACTION_ID") or told.get("KEA_QUERY6_TRANSACTION_ID") or 0
        about = [variable for variable in variables if not is_plain(variable)]
        return cls(int(start), int(end or start), end is not None, int(since), hook, told["KEA_EVENT_ID"],
                   int(told["KEA_EVENT_ATTEMPT"]), (client, int(transaction)), parties(about)[1])

    @property
    def number(self):
        return int(self.event.rpartition("-")[2])

    @property
    def committed(self):
        """Whether the event tells what an answer has changed."""
        return self.hook.endswith("_committed")


def is_plain(variable):
    name = variable.partition("=")[0]
    return name.startswith("KEA_EVENT_") or name.endswith("_TRANSACTION_ID")


def read(path):
    """All tries so far, by start."""
    begun, found = {}, []
    for words in whole_lines(path):
        # A process is at work on one event at a time.
        moment, what, process = words[:3]
        before = begun.pop(process, None)
        if what == "begin":
            found += [Interval.of(before, None)] if before else []
            begun[process] = words
        else:
            found.append(Interval.of(before, moment))
    found += [Interval.of(words, None) for words in begun.values()]
    return sorted(found, key=lambda interval: interval.start)


def whole_lines(path):
    """The words of each line; of a process that was killed as it wrote, the last one is not whole."""
    lines = Path(path).read_text().splitlines() if Path(path).exists() else []
    return [line.removesuffix(" .").split(" ") for line in lines if line.endswith(" .")]


def lost(answers, tries):
    """Answers whose event nobody has worked on to its end."""
    handled = {one.query for one in tries if one.done and one.committed}
    return [answer for answer in answers if answer.query not in handled]


def overtaken(answers, tries):
    """Pairs of answers, of one client or about one lease, where the second was asked for when the first was there, and
    whose events came the other way round."""
    first = {}
    for one in tries:
        if one.committed:
            first.setdefault(one.query, one.start)
    groups = defaultdict(list)
    for answer in sorted(answers, key=lambda answer: answer.sent):
        for key in {answer.query[0], *answer.addresses}:
            groups[key].append(answer)
    return [(one, other) for group in groups.values() for one, other in combinations(group, 2)
            if one.received < other.sent and first.get(other.query, inf) < first.get(one.query, 0)]


def disorder(tries):
    """Pairs of events that share a key, and of which the later by its number was begun before the other. Where a daemon that
    is sent events ahead has died, those that it had not been heard of begin anew one after the other: of each event the
    first try counts, and the last."""
    pairs = []
    for key, line in by_key(tries).items():
        for way in (line, line[::-1]):
            order = list({one.event: one for one in way}.values())
            pairs += [(key, one, other) for one, other in pairwise(order[::1 if way is line else -1])
                      if other.number <= one.number]
    return pairs


def renamed(tries):
    """Answers whose event was told under several ids."""
    names = defaultdict(set)
    for one in tries:
        if one.committed:
            names[one.query].add(one.event)
    return [(query, events) for query, events in names.items() if len(events) > 1]


def miscounted(tries):
    """Pairs of tries of an event, the later of which bears a lower KEA_EVENT_ATTEMPT."""
    groups = defaultdict(list)
    for one in tries:
        groups[one.event].append(one)
    return [(one, other) for group in groups.values() for one, other in pairwise(group) if other.attempt < one.attempt]


def twice(tries):
    """Events that were begun more than once."""
    return [event for event, count in Counter(one.event for one in tries).items() if count > 1]


def lasting_faults(answers, tries):
    """What must not be, whatever has been killed."""
    return {"lost": lost(answers, tries), "under two ids": renamed(tries), "attempts that go back": miscounted(tries)}


def faults_of_order(answers, tries):
    """At once: pairs of tries that share a key and a moment."""
    return {"overtaken": overtaken(answers, tries), "out of order": disorder(tries), "at once": overlapping(tries)}


def complain(faults):
    """Fails with the first of each kind, if there is any."""
    wrong = {name: (len(found), found[0]) for name, found in faults.items() if found}
    assert not wrong, wrong


def counts(answers, tries):
    events = len({one.event for one in tries})
    return {"answers": len(answers), "events": events, "repeats": len(tries) - events,
            "cut short": sum(not one.done for one in tries)}


def unheard(lease_file, tries):
    """How many leases Kea has written down that no event tells of: their callout never came, as Kea was killed between the two."""
    events = {one.event: one for one in tries if one.committed}
    told = Counter(key for one in events.values() for key in one.keys)
    with open(lease_file, newline="") as file:
        written = Counter(row["address"] for row in csv.DictReader(file) if row["valid_lifetime"] != "0")
    return sum((written - told).values())
