"""Handlers at their worst, and too many of them: Kea goes on, and no event blocks others for ever."""

import json
import socket
import threading
from contextlib import contextmanager

import pytest

from rig.configs import SUBNET4, SUBNET6, THREADS
from rig.dhcp4 import ACK, OFFER, stranger
from rig.dhcp6 import Client6
from rig.handlers import handler
from rig.kea import Kea, hook
from rig.recorder import Printer, Recorder
from rig.wait import quiet, wait_until

POINT = "pkt4_receive"
HELLO = b'{"hello":1}\n'


@contextmanager
def server(directory, serve, most=1_000_000):
    """Something that listens; `serve(connection)` for each connection, of `most` at most."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(directory / "socket"))
        # One more may be waiting, taken or not.
        listener.listen(1 if most == 1 else 64)

        def accept():
            for _ in range(most):
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=serve, args=[connection], daemon=True).start()
        threading.Thread(target=accept, daemon=True).start()
        yield directory / "socket"
        listener.shutdown(socket.SHUT_RDWR)


def test_an_event_that_nobody_reads_to_its_end(link, tmp_path):
    """It is given up after three lanes."""
    def serve(connection):
        with connection:
            connection.makefile("r").readline()
            connection.sendall(HELLO)
            connection.recv(10)
    with server(tmp_path, serve) as path:
        config = hook(socket=str(path), hook_points=[POINT], concurrency=1)
        with Kea(4, SUBNET4, tmp_path, [config]) as kea:
            assert stranger(link).discover().type == OFFER
            quiet(kea)
            [line] = kea.said("EVENT_FAILED")
            assert "the server hung up 3 times over this event" in line
            assert kea.status()["failures"] == 1


def test_a_server_that_takes_one_connection_only(link, tmp_path):
    """What Kea does not wait for goes over it too, though one lane is kept for the rest where there are more."""
    seen = []

    def serve(connection):
        lines = connection.makefile("r")
        lines.readline()
        connection.sendall(HELLO)
        for line in lines:
            seen.append(line)
            connection.sendall(b'{"seq":%d}\n' % json.loads(line)["seq"])
    points = [POINT, {"name": "pkt4_send", "wait": False}]
    with server(tmp_path, serve, most=1) as path:
        with Kea(4, SUBNET4, tmp_path, [hook(socket=str(path), hook_points=points, concurrency=2)]) as kea:
            assert stranger(link).discover().type == OFFER
            quiet(kea, 10)
            assert len(seen) == 2


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_daemon_that_does_not_heed_the_end_of_its_input(link, tmp_path, when):
    """It is stopped a second after its last answer at a reload, so that what was queued need not wait for it."""
    with handler("daemon", tmp_path) as one:
        one.touch("deaf")
        config = one.hook(hook_points=[POINT], wait=False, concurrency=1)
        with Kea(4, SUBNET4, tmp_path, [config]) as kea:
            slow, other = stranger(link, options=[(60, b"late")]), stranger(link)
            assert slow.discover().type == other.discover().type == OFFER
            one.wait(1)
            if when == "before":
                one.touch("go")
            kea.reload()
            one.touch("go")
            quiet(kea)
            assert [mac for mac, _ in one.seen()] == [slow.mac, other.mac]
            wait_until(lambda: len(one.pids()) == 1, "the end of the old daemons")


def test_a_reload_while_long_lines_are_not_read(link, tmp_path):
    """A server has said that it takes events ahead, and reads them one by one: Kea does not wait for that, nor cut a line."""
    seen, gates = [], [threading.Event(), threading.Event()]

    def serve(connection):
        lines = connection.makefile("r")
        lines.readline()
        connection.sendall(b'{"hello":1,"ahead":32}\n')
        for line in lines:
            event = json.loads(line)
            seen.append(event["vars"]["KEA_QUERY6_TRANSACTION_ID"])
            for gate in gates[len(seen) - 1:len(seen)]:
                gate.wait()
            connection.sendall(b'{"seq":%d}\n' % event["seq"])
    with server(tmp_path, serve) as path:
        config = hook(socket=str(path), hook_points=["pkt6_send"], wait=False, concurrency=1, debug=True)
        with Kea(6, SUBNET6, tmp_path, [config]) as kea:
            client = Client6(link, options=[(200 + number, b"ten bytes.") for number in range(80)])
            for _ in range(34):
                client.solicit()
            gates[0].set()
            wait_until(lambda: len(seen) == 2, "the second event")
            kea.reload()
            gates[1].set()
            client.solicit()
            quiet(kea)
            assert len(seen) == len(set(seen)) == 35


def test_parked_packets_leave_a_lane_to_those_that_kea_waits_for(link, tmp_path):
    recorder = Recorder(tmp_path, then='[ "$1" != leases4_committed ] || while [ ! -e "$0.go" ]; do /bin/sleep 0.02; done')
    config = hook(recorder.script, wait="park", hook_points=[POINT, "leases4_committed"], concurrency=2)
    with Kea(4, {**SUBNET4, **THREADS}, tmp_path, [config]) as kea:
        parked = [stranger(link) for _ in range(2)]
        for client in parked:
            offer = client.discover()
            client.send(client.message(3, [(50, socket.inet_aton(offer.yiaddr)), (54, offer.option(54))]))
        recorder.wait(1, "leases4_committed")
        wait_until(lambda: kea.status()["pending"] == 2, "both packets in the parking lot")
        assert stranger(link).discover(timeout=2).type == OFFER
        assert len(recorder.calls("leases4_committed")) == 1
        (tmp_path / "recorder.go").touch()
        quiet(kea)


def test_a_lane_is_kept_for_whom_kea_waits(link, tmp_path):
    """Scripts that nobody waits for hang; other clients are served."""
    printer = Printer(tmp_path, "$1", then=f'[ "$1" = {POINT} ] || until [ -e {tmp_path}/go ]; do /bin/sleep 0.05; done')
    points = [POINT, {"name": "pkt4_send", "wait": False}]
    with Kea(4, SUBNET4, tmp_path, [hook(printer.script, hook_points=points, concurrency=2, timeout=60_000)]) as kea:
        for _ in range(3):
            assert stranger(link).discover().type == OFFER
        assert printer.wait(4).count("pkt4_send") == 1
        (tmp_path / "go").touch()
        quiet(kea)
        assert printer.lines().count("pkt4_send") == 3


def test_more_lanes_than_kea_can_count_descriptors(link, tmp_path):
    """Kea's select(2) takes no descriptor above 1023, and aborts at one."""
    recorders = [Recorder(tmp_path, name=f"script{number}") for number in range(5)]
    scripts = [{"script": str(recorder.script), "concurrency": 256, "hook-points": [POINT]} for recorder in recorders]
    config = hook(scripts=scripts)
    with Kea(4, SUBNET4, tmp_path, [config], wrapper=["prlimit", "--nofile=8192"]) as kea:
        assert stranger(link).dora().type == ACK
        kea.reload()
        assert stranger(link).dora().type == ACK
        assert all(len(recorder.calls()) == 4 for recorder in recorders)
