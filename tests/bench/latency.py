"""How long clients wait for Kea while a handler takes 200 ms for one client of a hundred: with no hook, with a packet
that is parked meanwhile, and with Kea waiting. Prints a table; asserts nothing about time.

    tests/run -s tests/bench/latency.py
"""

import select
import time
from statistics import median

from rig.configs import SUBNET4, THREADS
from rig.dhcp4 import ACK, REQUEST, Client4
from rig.kea import Kea, hook
from rig.programs import compiled

CLIENTS, SLOW = 100, 200     # clients, and milliseconds for the first of them
RATE, SECONDS, ROUNDS = 200, 5, 1

HOOKS = {"no hook": None, "park": "park", "wait": True}


def load(clients):
    """Renewals at an even rate; how long each took, of all clients but the first, in ms."""
    wire, sent, took = clients[0].wire, {}, []
    start, count, answered = time.monotonic(), 0, 0
    while answered < RATE * SECONDS:
        if count < RATE * SECONDS and time.monotonic() >= start + count / RATE:
            client = clients[count % len(clients)]
            query = client.message(REQUEST, ciaddr=client.address)
            sent[query.xid] = (count % len(clients), time.monotonic())
            client.send(query, unicast=True)
            count += 1
            continue
        due = start + count / RATE if count < RATE * SECONDS else time.monotonic() + 2
        ready, _, _ = select.select([wire.raw], [], [], max(due - time.monotonic(), 0))
        if not ready:
            assert count < RATE * SECONDS, "renewals were lost"
            continue
        now = time.monotonic()
        wire._read(now + 1, "nothing")
        for answer in wire.answers:
            who, when = sent.pop(answer.xid)
            assert answer.type == ACK
            answered += 1
            took += [1000 * (now - when)] if who else []
        wire.answers.clear()
    return sorted(took)


def measured(link, directory, threads, wait, daemon):
    clients = [Client4(link, f"02:00:00:00:01:{number:02x}") for number in range(CLIENTS)]
    ours = hook(daemon, mode="daemon", args=[clients[0].mac, str(SLOW)], hook_points=["leases4_committed"], wait=wait,
                concurrency=4)
    with Kea(4, {**SUBNET4, **threads}, directory, [] if wait is None else [ours]) as kea:
        for client in clients:
            assert client.dora().type == ACK
        took = load(clients)
        if wait is not None:
            status = kea.status()
            assert (status["failures"], status["pending"]) == (0, 0)
    return median(took), sum(took) / len(took), took[int(0.99 * len(took))]


def test_the_others(link, tmp_path):
    daemon = compiled("echo", tmp_path)
    print(f"\nlatency of {CLIENTS - 1} of {CLIENTS} clients, ms; medians of {ROUNDS} rounds (lowest to highest)")
    for name, threads in {"single": {}, "threads": THREADS}.items():
        results = {what: [] for what in HOOKS}
        for round in range(ROUNDS):
            for what, wait in HOOKS.items():
                results[what].append(measured(link, tmp_path / f"{name}{round}{what[:2]}", threads, wait, daemon))
        for what, rounds in results.items():
            columns = list(zip(*rounds))
            bare = [median(column) for column in zip(*results["no hook"])]
            shown = [f"{label} {median(column):7.3f} ({min(column):.3f} to {max(column):.3f}), {median(column) / base:6.2f} x"
                     for label, column, base in zip(("median", "mean", "99 %"), columns, bare)]
            print(f"  {name:8} {what:8}", "; ".join(shown))
