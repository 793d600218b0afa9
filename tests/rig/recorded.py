"""The peer's recorded calls (tests/peer-calls), and by which rules ours are compared with them."""

import json
import os
import re
import time
import unicodedata
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

from .wait import TICK

FOLDER = Path(__file__).resolve().parents[1] / "peer-calls"

# Follows a lifetime in a text: the lease is some seconds old, and so much is gone of it.
AGE = "_less_age"

# The library under test is kea-hook-runscript 1.4.0 itself: where ours improves on it, the record holds as it is.
PEER = "HOOK_PEER" in os.environ


@dataclass(frozen=True)
class Record:
    """A recorded call."""

    n: int
    hook: str
    env: dict

    def but(self, changes):
        """The same call with other values of some variables."""
        return replace(self, env={**self.env, **changes})

    def text(self, pattern):
        """The first group of a pattern found in Kea's text of the lease or packet, or None."""
        texts = (value for name, value in self.env.items() if name.endswith("_DEBUG"))
        found = [match[1] for match in (re.search(pattern, text) for text in texts) if match]
        return found[0] if found else None


@dataclass(frozen=True)
class Case:
    """The recorded calls of one exchange."""

    family: int
    name: str
    records: tuple

    @property
    def config(self):
        name = f"kea-dhcp{self.family}.conf"
        return json.loads((FOLDER / name).read_text())[f"Dhcp{self.family}"]

    def steps(self):
        """The calls that one packet caused, or a timer while nothing was sent."""
        steps = []
        for record in self.records:
            timer = record.hook.endswith(("_expire", "_recover"))
            if record.hook.endswith("_receive") or timer and not is_timer(steps[-1]):
                steps.append([])
            steps[-1].append(record)
        return steps


def is_timer(step):
    return step[0].hook.endswith(("_expire", "_recover"))


def load(family):
    lines = (FOLDER / f"v{family}.jsonl").read_text().splitlines()
    for name, rows in groupby(map(json.loads, lines), key=lambda row: row["case"]):
        yield Case(family, name, tuple(Record(row["n"], row["hook"], row["env"]) for row in rows))


CASES = [*load(4), *load(6)]
VOCABULARY = {name for case in CASES for record in case.records for name in record.env}


def escape(data):
    """Client's bytes as our variables show them: printable UTF-8 as it is but \\, which is doubled, and else \\xHH."""
    value = data.decode("utf-8", "surrogateescape")
    return "".join(hexadecimal(char) if hostile(char) else char.replace("\\", "\\\\") for char in value)


def hostile(char):
    return unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def hexadecimal(char):
    return "".join(f"\\x{byte:02x}" for byte in char.encode("utf-8", "surrogateescape"))


def differences(records, calls, since, sent=None):
    """What distinguishes the calls from the recorded ones, as lines of text; nothing if they are the same.

    `since` is the time before the first packet, `sent` the bytes that this case's client sent as option 60.
    """
    expected, seen = [record.hook for record in records], [call.hook for call in calls]
    if expected != seen:
        return [f"expected {' '.join(expected)}", f"seen     {' '.join(seen)}"]
    return [f"{record.n} {record.hook}: {line}" for record, call in zip(records, calls)
            for line in call_differences(record, call, since, sent)]


def call_differences(record, call, since, sent):
    if len(call.args) != 1:
        yield f"arguments {call.args[1:]} besides the hook point"
    for name in sorted(name for name in call.env if not name.startswith("KEA_")):
        yield f"{name} is in the environment besides the variables"
    for name in sorted((VOCABULARY & call.env.keys()) - record.env.keys()):
        yield f"{name} is not in the record, but has the value {call[name]!r}"
    for name in sorted(record.env):
        wanted, value = expected_value(record, name, sent), call.get(name)
        if decided_by_time(record, name):
            ok = value is not None and plausible(name, value, since)
        elif AGE in wanted:
            ok = value is not None and run_down(wanted, value, since)
        else:
            ok = without_time(name, wanted, record.env) == without_time(name, value, call.env)
        if not ok:
            yield f"{name} is {value!r} instead of {wanted!r}"


# The rules: what time decides, and where ours is meant to differ from the peer's.

def decided_by_time(record, name):
    # Kea's timer finds a lease in the second in which it ends, or in the next.
    at_the_end = name.endswith("_IS_EXPIRED") and record.hook.endswith(("_expire", "_recover"))
    return at_the_end or name.endswith("_CLIENT_LAST_TRANSMISSION")


def plausible(name, value, since):
    return value in ("0", "1") if name.endswith("_IS_EXPIRED") else int(since - TICK) <= int(value) <= time.time()


def run_down(wanted, value, since):
    """Whether the texts differ only by the age of leases, a second at least, the same in both lifetimes of a lease."""
    whole = re.findall(rf"(\d+){AGE}", wanted)
    seen = re.fullmatch(re.sub(rf"\d+{AGE}", r"(\\d+)", re.escape(wanted)), value)
    ages = [int(lifetime) - int(left) for lifetime, left in zip(whole, seen.groups())] if seen else [0]
    return ages[::2] == ages[1::2] and 1 <= min(ages) and max(ages) <= int(time.time()) - int(since - TICK)


def without_time(name, value, env):
    """Kea's text of a lease names the time that CLIENT_LAST_TRANSMISSION also holds: the same in both."""
    cltt = env.get(name.replace("_DEBUG", "_CLIENT_LAST_TRANSMISSION"))
    if name.endswith("_DEBUG") and value is not None and cltt:
        return value.replace(f"\nCltt:          {cltt}\n", "\nCltt: CLIENT_LAST_TRANSMISSION\n")
    return value


def expected_value(record, name, sent):
    recorded = record.env[name]
    if PEER:
        return recorded
    if name.endswith("6_DUID"):
        # Always empty in the peer, which says it in the label all the same.
        duid = re.match(r"duid=\[([0-9a-f:]*)\]", record.env[name.replace("_DUID", "_LABEL")])
        return duid[1] if duid else ""
    if name.endswith("_OPTION60"):
        # The peer passed raw bytes, and lost what followed a NUL.
        return escape(sent if sent is not None else recorded.encode())
    return recorded
