"""How long clients wait for Kea while a handler takes 200 ms for one client of a hundred: with no hook, with the packet
parked meanwhile, and with Kea waiting. Asserts nothing about time; the figures are kept for report.py.

    tests/run -s tests/bench/latency.py
"""

import os
import select
import time
from collections import defaultdict
from statistics import mean, median

import figures
import pytest
from rig.dhcp4 import ACK, REQUEST, Client4
from rig.kea import Kea, hook
from rig.programs import compiled

CLIENTS, SLOW = 1000, 200    # clients, and the milliseconds that each hundredth takes
RATE, SECONDS, ROUNDS = 1000, 3, int(os.environ.get("ROUNDS", 5))

THREADS = {"multi-threading": {"enable-multi-threading": True, "thread-pool-size": 2, "packet-queue-size": 64}}
SUBNET = {"subnet4": [{"id": 1, "subnet": "192.0.0.0/16", "pools": [{"pool": "192.0.4.0 - 192.0.20.0"}]}]}
HOOKS = {figures.BARE: None, "daemon, park": "park", "daemon, waiting": True}
SETTINGS = {"single": ("single-threaded", {}), "threads": ("multi-threaded", THREADS)}
LATENCY = "Latency of the others while one client of a hundred is slow"
LOST = "Renewals lost while one client of a hundred is slow"


def is_slow(number):
    return number % 100 == 50


def mac(number):
    return f"02:00:00:{'ff' if is_slow(number) else '00'}:{number >> 8:02x}:{number & 255:02x}"


def load(clients):
    """Renewals at an even rate; how long each took, of all clients but the slow ones, in ms."""
    wire, sent, took = clients[0].wire, {}, []
    start, count, answered = time.monotonic(), 0, 0
    while answered < RATE * SECONDS:
        if count < RATE * SECONDS and time.monotonic() >= start + count / RATE:
            client = clients[count % len(clients)]
            query = client.message(REQUEST, ciaddr=client.address)
            sent[query.xid] = (is_slow(count % len(clients)), time.monotonic())
            client.send(query, unicast=True)
            count += 1
            continue
        due = start + count / RATE if count < RATE * SECONDS else time.monotonic() + 2
        ready, _, _ = select.select([wire.raw], [], [], max(due - time.monotonic(), 0))
        if not ready and count == RATE * SECONDS:
            break    # the rest is lost
        if not ready:
            continue
        now = time.monotonic()
        wire._read(now + 1, "nothing")
        for answer in wire.answers:
            slow, when = sent.pop(answer.xid)
            assert answer.type == ACK
            answered += 1
            took += [] if slow else [1000 * (now - when)]
        wire.answers.clear()
    return sorted(took), RATE * SECONDS - answered


def measured(link, directory, threads, wait, daemon):
    clients = [Client4(link, mac(number)) for number in range(CLIENTS)]
    ours = hook(daemon, mode="daemon", args=["02:00:00:ff", str(SLOW)], hook_points=["leases4_committed"], wait=wait,
                concurrency=16)
    with Kea(4, {**SUBNET, **threads}, directory, [] if wait is None else [ours]) as kea:
        for client in clients:
            assert client.dora().type == ACK
        took, lost = load(clients)
        if wait is not None:
            assert kea.status()["failures"] == 0
        delays = {"median": median(took), "mean": mean(took), "99 % at most": took[int(0.99 * len(took))]}
        return {what: round(delay, 3) for what, delay in delays.items()}, lost


@pytest.mark.parametrize("name", SETTINGS)
def test_the_others(link, tmp_path, name):
    daemon = compiled("echo", tmp_path)
    setting, threads = SETTINGS[name]
    found = defaultdict(list)
    for number in range(ROUNDS):
        for subject, wait in HOOKS.items():
            took, lost = measured(link, tmp_path / f"{number}{subject[-4:]}", threads, wait, daemon)
            print(f"{setting}: {subject}: {took} ms, {lost} lost", flush=True)
            for what, value in took.items():
                found[LATENCY, "ms", f"{setting}, {what}", subject].append(value)
            found[LOST, f"of {RATE * SECONDS:,}", setting, subject].append(lost)
    figures.keep(f"latency-{name}", [figures.Figure(*place, tuple(values)) for place, values in found.items()])
