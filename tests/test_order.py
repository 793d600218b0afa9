"""Events about one client or lease are handled one after the other, in Kea's order; the rest side by side."""

import fcntl
import random
from dataclasses import replace

import pytest

from rig import spans
from rig.configs import SUBNET4, THREADS
from rig.crowd import crowd, guests
from rig.dhcp4 import Client4
from rig.kea import Kea, hook
from rig.programs import compiled
from rig.recorder import Recorder
from rig.spans import Span
from rig.wait import quiet, wait_until

CLIENTS, TABLES, CONCURRENCY = 50, 8, 8
EXPIRED = 20        # more clients, who come once and are not heard of again
LONGEST = 20_000    # of a script's random duration, in microseconds

# Fewer addresses than clients.
EXPIRY = {"valid-lifetime": 1, "expired-leases-processing": {"reclaim-timer-wait-time": 1, "hold-reclaimed-time": 0}}
POOLS4 = {**EXPIRY, "subnet4": [{"id": 1, "subnet": "192.0.2.0/24", "pools": [{"pool": "192.0.2.10 - 192.0.2.53"}]}]}
POOLS6 = {**EXPIRY, "preferred-lifetime": 1, "subnet6": [{
    "id": 1, "subnet": "2001:db8::/64", "interface": "vs", "rapid-commit": True,
    "pools": [{"pool": "2001:db8::1000 - 2001:db8::102b"}],
    "pd-pools": [{"prefix": "2001:db8:8000::", "prefix-len": 51, "delegated-len": 56}]}]}

HOOKS4 = ["lease4_select", "lease4_renew", "lease4_release", "leases4_committed", "lease4_expire"]
HOOKS6 = ["lease6_select", "lease6_renew", "lease6_rebind", "lease6_release", "leases6_committed", "lease6_expire"]


class Scripts:
    """The script under test, and before it one that keeps Kea's order: Kea waits for it where it calls."""

    def __init__(self, directory, hook_points, longest=LONGEST):
        self.span = compiled("span", directory)
        self.truth, self.log = directory / "truth", directory / "log"
        self.scripts = [
            self.entry(self.truth, 0, [name if isinstance(name, str) else name["name"] for name in hook_points], True),
            self.entry(self.log, longest, hook_points, False)]

    def entry(self, log, longest, hook_points, wait):
        return {"script": str(self.span), "args": [str(log), str(longest)], "hook-points": hook_points, "wait": wait,
                "concurrency": CONCURRENCY}

    def hook(self):
        return hook(scripts=self.scripts)

    def settled(self):
        """Kea's order and ours, if nothing is at work."""
        truth, log = spans.read(self.truth), spans.read(self.log)
        return (truth, log) if len(truth) == len(log) else None

    def have(self, events, expired):
        """Whether so many events have been, and so many of them expiries."""
        seen = self.truth.read_bytes() if self.truth.exists() else b""
        return seen.count(b"\n") >= events and seen.count(b"_expire ") >= expired


def play(link, tmp_path, family, config, scripts, events):
    """Lets the clients do as they please for so many events; returns Kea's order and ours."""
    tables = guests(link, family, CLIENTS, TABLES)
    [strangers] = guests(link, family, EXPIRED, first=CLIENTS)
    with Kea(family, config, tmp_path, [scripts.hook()]) as kea:
        for stranger in strangers:
            stranger.come(random)
        crowd(tables, lambda: scripts.have(events, EXPIRED))
        quiet(kea)
        # Leases go on to expire until Kea ends, and wait for its next start then.
        return wait_until(scripts.settled, "a moment in which all events are over")


def verdict(truth, log, threads):
    """Fails if the log is not what it should be; returns what it shows."""
    assert sorted(span.event for span in log) == sorted(span.event for span in truth), "an event is missing or doubled"
    overlapping = spans.overlapping(log)
    assert not overlapping, f"{len(overlapping)} at the same time, as {overlapping[0]}"
    wrong, looked_at, left_open = spans.disorder(truth, log, threads)
    assert not wrong, f"{len(wrong)} in the wrong order, as {wrong[0]}"
    assert left_open < looked_at / 10
    return {"events": len(log), "pairs": looked_at, "open": left_open, "at once": spans.most_at_once(log),
            "handed on": passed_on(truth), "expired": sum(span.hook.endswith("_expire") for span in log)}


def passed_on(truth):
    """How often an address or prefix went from one client to another."""
    clients = {span.client for span in truth}
    lines = [[span.client for span in line if span.client] for key, line in spans.by_key(truth).items()
             if key not in clients]
    return sum(one != other for line in lines for one, other in zip(line, line[1:]))


@pytest.mark.parametrize("threads", [{}, THREADS], ids=["single", "threads"])
@pytest.mark.parametrize("family, pools, hook_points, events",
                         [(4, POOLS4, HOOKS4, 2000), (6, POOLS6, HOOKS6, 1000)], ids=["v4", "v6"])
def test_each_in_its_turn(link, tmp_path, family, pools, hook_points, events, threads):
    scripts = Scripts(tmp_path, hook_points)
    seen = verdict(*play(link, tmp_path, family, {**pools, **threads}, scripts, events), bool(threads))
    print(seen)
    assert seen["events"] >= events and 4 <= seen["at once"] <= 8
    assert seen["handed on"] >= events / 20 and seen["expired"] >= EXPIRED


@pytest.mark.parametrize("threads", [{}, THREADS], ids=["single", "threads"])
def test_where_kea_waits_at_some_hook_points(link, tmp_path, threads):
    wait = {"lease4_renew", "leases4_committed"}
    scripts = Scripts(tmp_path, [{"name": name, "wait": name in wait} for name in HOOKS4], longest=8_000)
    seen = verdict(*play(link, tmp_path, 4, {**POOLS4, **threads}, scripts, 1000), bool(threads))
    print(seen)
    assert seen["at once"] >= 2 and seen["handed on"] >= 50


@pytest.mark.alone
@pytest.mark.parametrize("threads", [{}, THREADS], ids=["single", "threads"])
def test_kea_does_not_wait_for_a_script_that_hangs(link, tmp_path, threads):
    gate = open(tmp_path / "gate", "w")
    fcntl.flock(gate, fcntl.LOCK_EX)
    recorder = Recorder(tmp_path, then=f"exec /usr/bin/flock --shared {gate.name} /bin/true")
    library = hook(recorder.script, wait=False, concurrency=CONCURRENCY, hook_points=["lease4_select"])
    with Kea(4, {**SUBNET4, **threads}, tmp_path, [library]) as kea:
        for number in range(100):
            Client4(link, f"02:00:00:00:00:{number:02x}").dora()
        recorder.wait(CONCURRENCY)
        status = kea.command("runscript-status")["arguments"]
        print(f"slowest callout: {status['slowest-callout-us']} us")
        assert status["scripts"][0]["pending"] == 200
        assert status["slowest-callout-us"] < 100_000, "the scripts have not ended yet: Kea has waited for something"
        gate.close()
        offers_and_leases = [(call["KEA_QUERY4_HWADDR"], call["KEA_FAKE_ALLOCATION"])
                             for call in recorder.wait(200, timeout=30)]
    assert sorted(offers_and_leases) == [(f"02:00:00:00:00:{number:02x}", fake)
                                         for number in range(100) for fake in "01"]
    per_client = [fake for _, fake in sorted(offers_and_leases, key=lambda call: call[0])]
    assert per_client == ["1", "0"] * 100


# The checks above, on logs that are known to be right and wrong.

def runs(turns):
    """Clients a, b and c in this order at addresses 1, 2 and 3: each run takes 10 from its turn on."""
    return [Span(turn, turn + 10, f"event {number}", "lease4_select", client := "abc"[number % 3],
                 frozenset({client, str(number // 2 % 3)})) for number, turn in enumerate(turns)]


def test_the_check_is_content_with_order():
    truth = runs(range(0, 1200, 10))
    # Two that have nothing in common may change places, or go at the same time.
    log = runs([0, 10, 10, *range(30, 1200, 10)])
    assert not spans.overlapping(log) and spans.most_at_once(log) == 2
    assert not spans.disorder(truth, log, threads=True)[0]


def test_the_check_finds_disorder():
    turns = list(range(0, 1200, 10))
    truth = runs(turns)
    random.Random(1).shuffle(turns)
    assert len(spans.disorder(truth, runs(turns), threads=True)[0]) > 100
    # Events 0 and 3 are client a's.
    assert len(spans.disorder(truth, runs([30, 10, 20, 0, *range(40, 1200, 10)]), threads=True)[0]) > 0


def test_the_check_finds_two_at_the_same_time():
    assert spans.overlapping(runs([0, 10, 20, 25]))[0][0] == "1"


def test_the_check_leaves_open_only_what_kea_leaves_open():
    gone = Span(0, 1, "1", "leases4_committed", "a", frozenset({"a", "address"}))
    taken = Span(2, 3, "2", "lease4_select", "b", frozenset({"b", "address"}))
    next_of_a = Span(1, 2, "3", "lease4_select", "a", frozenset({"a"}))
    swapped = [taken, replace(gone, start=4, end=5)]
    assert spans.disorder([gone, taken], swapped, threads=True) == ([], 0, 1)
    assert len(spans.disorder([gone, taken], swapped, threads=False)[0]) == 1
    assert spans.certain(gone, taken, spans.ends([gone, next_of_a, taken]))
