"""What programs/span.c notes, and what is to be found in it: each event in its turn, none beside one of its kin."""

import re
from bisect import bisect_right
from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import combinations, pairwise
from pathlib import Path


@dataclass(frozen=True)
class Span:
    """One run of a script."""

    start: int
    end: int
    event: str
    hook: str
    client: str | None      # who sent the packet; None for a timer's events
    keys: frozenset         # clients, addresses and prefixes that it is about

    @classmethod
    def of(cls, line):
        start, end, event, hook, *variables = line.split(" ")
        return cls(int(start), int(end), event, hook, *parties(variables))


def parties(variables):
    """Who has sent the packet, and all clients, addresses and prefixes that the event is about."""
    client, keys = None, set()
    for subject, fields in subjects(variables).items():
        who = fields.get("CLIENT_DUID") or fields.get("DUID") or fields.get("CLIENT_ID") or fields.get("HWADDR")
        keys |= {who, fields.get("ADDRESS")} - {None, ""}
        if subject.startswith("KEA_QUERY"):
            client = who
    return client, frozenset(keys)


def subjects(variables):
    """The variables by what they describe: KEA_QUERY4_, KEA_LEASE4_, KEA_LEASES6_AT0_ ..."""
    found = defaultdict(dict)
    for variable in variables:
        name, value = variable.split("=", 1)
        subject, field = re.fullmatch(r"(KEA_(?:QUERY\d|LEASE\d|(?:DELETED_)?LEASES\d_AT\d+)_)(\w+)", name).groups()
        found[subject][field] = value
    return found


def read(path):
    """All runs so far, by start. What stands behind the last line feed is still being written."""
    lines = Path(path).read_text().split("\n")[:-1] if Path(path).exists() else []
    return sorted(map(Span.of, lines), key=lambda span: span.start)


def by_key(spans):
    found = defaultdict(list)
    for span in spans:
        for key in span.keys:
            found[key].append(span)
    return found


def overlapping(spans):
    """Pairs of runs that share a key and a moment."""
    return [(key, one, other) for key, line in by_key(spans).items() for one, other in pairwise(line)
            if other.start < one.end]


def most_at_once(spans):
    moments = sorted([(span.start, 1) for span in spans] + [(span.end, -1) for span in spans])
    running, most = 0, 0
    for _, change in moments:
        running += change
        most = max(most, running)
    return most


def numbered(spans):
    """Each run's event with its number among those that look the same to the last byte."""
    seen = Counter()
    for span in spans:
        seen[span.event] += 1
        yield (span.event, seen[span.event]), span


def disorder(truth, spans, threads):
    """Pairs of events that share a key and ran in another order than Kea had them.

    `truth` are the same events as a script noted them for which Kea waited; `threads`: Kea had several. Returns the
    pairs, and how many of all were looked at and how many left open.
    """
    place = {event: span.start for event, span in numbered(spans)}
    over = ends(truth)
    wrong, looked_at, left_open = [], 0, 0
    for key, line in by_key_numbered(truth).items():
        for (one, first), (other, second) in combinations(line, 2):
            if threads and not certain(first, second, over):
                left_open += 1
                continue
            looked_at += 1
            if place[one] > place[other]:
                wrong.append((key, first, second))
    return wrong, looked_at, left_open


def by_key_numbered(spans):
    found = defaultdict(list)
    for event, span in numbered(spans):
        for key in span.keys:
            found[key].append((event, span))
    return found


def ends(truth):
    """By client, the starts of its events: an event's callout is over when the client's next one begins."""
    found = defaultdict(list)
    for span in truth:
        found[span.client].append(span.start)
    return found


def certain(first, second, over):
    """Whether Kea with threads had these two one after the other.

    It works on one packet of a client at a time. But it may offer an address to two clients at once, tell of a
    release when another client has the address already, or have two clients ask for the same. Then the second is
    the second only if the first's packet, or the timer's turn, went on before the second's script began.
    """
    if first.client == second.client:
        return True
    starts = over[first.client]
    next_one = bisect_right(starts, first.start)
    return next_one < len(starts) and starts[next_one] <= second.start
