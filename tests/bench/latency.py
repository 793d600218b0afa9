"""How long clients wait for Kea while a handler takes 200 ms for one client of a hundred: with no hook, with the packet
parked meanwhile, and with Kea waiting. Prints a table; asserts nothing about time.

    tests/run -s tests/bench/latency.py
"""

import select
import time
from statistics import median

from rig.dhcp4 import ACK, REQUEST, Client4
from rig.kea import Kea, hook
from rig.programs import compiled

CLIENTS, SLOW = 1000, 200    # clients, and the milliseconds that each hundredth takes
RATE, SECONDS, ROUNDS = 1000, 3, 5

THREADS = {"multi-threading": {"enable-multi-threading": True, "thread-pool-size": 2, "packet-queue-size": 64}}
SUBNET = {"subnet4": [{"id": 1, "subnet": "192.0.0.0/16", "pools": [{"pool": "192.0.4.0 - 192.0.20.0"}]}]}
HOOKS = {"no hook": None, "park": "park", "wait": True}


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
            status = kea.status()
            assert status["failures"] == 0
    return median(took), sum(took) / len(took), took[int(0.99 * len(took))], lost


def test_the_others(link, tmp_path):
    daemon = compiled("echo", tmp_path)
    print(f"\nlatency of the others, ms, at {RATE} renewals a second; medians of {ROUNDS} rounds (lowest to highest)")
    for name, threads in {"single": {}, "threads": THREADS}.items():
        results = {what: [] for what in HOOKS}
        for round in range(ROUNDS):
            for what, wait in HOOKS.items():
                results[what].append(measured(link, tmp_path / f"{name}{round}{what[:2]}", threads, wait, daemon))
        for what, rounds in results.items():
            *columns, lost = zip(*rounds)
            bare = [median(column) for column in zip(*results["no hook"])]
            shown = [f"{label} {median(column):7.3f} ({min(column):.3f} to {max(column):.3f}), {median(column) / base:6.2f} x"
                     for label, column, base in zip(("median", "mean", "99 %"), columns, bare)]
            print(f"  {name:8} {what:8}", "; ".join(shown), f"; lost {median(lost)}")
