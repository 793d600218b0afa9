"""The runner may be killed, stopped or missing, or too slow for its events: Kea answers, and every event is handled."""

import os
import shutil
import signal
from itertools import groupby

import pytest

from rig import processes
from rig.configs import SUBNET4, THREADS
from rig.dhcp4 import ACK, DISCOVER, OFFER, NoAnswer, stranger
from rig.kea import RUNNER, Kea, hook
from rig.recorder import Printer, write_script
from rig.wait import quiet, wait_until

POINTS = ["pkt4_receive", "lease4_select", "pkt4_send"]    # what a DISCOVER meets
THREADED = pytest.mark.parametrize("threads", [{}, THREADS], ids=["single", "threads"])
TOLD = pytest.mark.parametrize("wait", [True, False], ids=["wait", "nowait"])


class Gate:
    """A script tells of its client and hook point, and does not end before the gate is open."""

    def __init__(self, directory):
        self.key = directory / "key"
        self.printer = Printer(directory, "$KEA_QUERY4_HWADDR $1", then=f"until [ -e {self.key} ]; do /bin/sleep 0.02; done")

    def open(self):
        self.key.touch()


@pytest.fixture
def gate(tmp_path):
    gate = Gate(tmp_path)
    yield gate
    gate.open()


@THREADED
@TOLD
def test_killed_while_idle(link, tmp_path, wait, threads):
    printer = Printer(tmp_path, "$KEA_QUERY4_HWADDR $1")
    with Kea(4, {**SUBNET4, **threads}, tmp_path, [hook(printer.script, wait=wait, hook_points=POINTS)]) as kea:
        expected = []
        for _ in range(3):
            processes.kill_runner()
            client = stranger(link)
            assert client.discover().type == OFFER
            expected += [f"{client.mac} {point}" for point in POINTS]
            quiet(kea)
        assert printer.lines() == expected
        assert kea.status()["failures"] == 0
        [line] = kea.said("HANDLER_LOST")
        assert line.startswith(f"{printer.script}: the runner is gone")


@THREADED
def test_killed_while_scripts_run(link, tmp_path, gate, threads):
    config = hook(gate.printer.script, wait=False, hook_points=POINTS, concurrency=2)
    with Kea(4, {**SUBNET4, **threads}, tmp_path, [config]) as kea:
        clients = [stranger(link) for _ in range(5)]
        for client in clients:
            assert client.discover().type == OFFER
        # Two scripts run when the runner is killed; then either alone, for it may be to blame.
        for count in (2, 3):
            gate.printer.wait(count)
            processes.kill_runner()
        gate.printer.wait(4)
        gate.open()
        quiet(kea)
        lines = gate.printer.lines()
        # Two that are started at once may print in either order.
        assert sorted(lines[:2]) == lines[2:4]
        # One was handled three times and one twice, nothing else was.
        assert len(lines) == len(clients) * len(POINTS) + 3
        for client in clients:
            own = [line for line, _ in groupby(line for line in lines if line.startswith(client.mac))]
            assert own == [f"{client.mac} {point}" for point in POINTS]
        assert kea.status()["failures"] == 0


@THREADED
def test_killed_while_kea_waits(link, tmp_path, gate, threads):
    with Kea(4, {**SUBNET4, **threads}, tmp_path, [hook(gate.printer.script, hook_points=["pkt4_receive"])]) as kea:
        client = stranger(link)
        query = client.message(DISCOVER)
        client.send(query)
        gate.printer.wait(1)
        processes.kill_runner()
        gate.printer.wait(2)
        gate.open()
        assert client.wire.receive(query.xid).type == OFFER
        assert kea.status()["failures"] == 0


@THREADED
@TOLD
def test_a_script_that_kills_its_runner(link, tmp_path, wait, threads):
    """Its event is given up, the others are not."""
    printer = Printer(tmp_path, "$KEA_QUERY4_HWADDR", then='[ "$KEA_QUERY4_OPTION60" = kill ] && kill -9 $PPID')
    parameters = {"wait": wait, "hook_points": ["pkt4_receive"], "on_failure": "continue"}
    with Kea(4, {**SUBNET4, **threads}, tmp_path, [hook(printer.script, **parameters)]) as kea:
        killer, other = stranger(link, options=[(60, b"kill")]), stranger(link)
        assert killer.discover().type == OFFER
        quiet(kea)
        assert printer.lines() == [killer.mac] * 3
        assert other.discover().type == OFFER
        assert printer.wait(4)[3] == other.mac
        [line] = kea.said("EVENT_FAILED" if wait else "GIVEN_UP")
        assert line.startswith(f"{printer.script} at pkt4_receive: ") and "the runner died 3 times over this" in line
        assert (kea.status()["failures"], kea.status()["given-up"]) == (1, 0 if wait else 1)


DIES_YOUNG = """#!/usr/bin/python3
# The first of its kind greets on its first lane and dies over the first event, before it greets on its second.
import array, os, socket, sys

try:
    os.mkdir(sys.argv[0] + ".died")
except FileExistsError:
    os.execv("{runner}", ["{runner}", *sys.argv[1:]])
if os.fork():
    os._exit(0)
control = socket.socket(fileno=0)

def lane():
    _, [(_, _, descriptor)], _, _ = control.recvmsg(64, socket.CMSG_SPACE(4))
    return socket.socket(fileno=array.array("i", descriptor)[0])

first, second = lane(), lane()
first.recv(4096)
first.sendall(b'{{"hello":1}}\\n')
while not first.recv(65536).endswith(b"\\n"):
    pass
for end in first, second:
    end.close()
    # The library gives the lane up.
    control.recv(64)
"""


def test_a_runner_that_dies_before_all_its_lanes_are_there(link, tmp_path):
    """It has worked: what Kea waits for waits for the next."""
    printer = Printer(tmp_path, "$KEA_QUERY4_HWADDR")
    runner = write_script(tmp_path / "runner", DIES_YOUNG.format(runner=RUNNER))
    library = hook(printer.script, runner=str(runner), hook_points=["pkt4_receive"], concurrency=2, on_failure="drop")
    with Kea(4, SUBNET4, tmp_path, [library]) as kea:
        client = stranger(link)
        assert client.discover(timeout=5).type == OFFER
        assert printer.lines() == [client.mac]
        assert kea.status()["failures"] == 0
        assert kea.said("HANDLER_LOST") and not kea.said("HANDLER_FAILED")


@THREADED
@pytest.mark.parametrize("on_failure", ["continue", "drop"])
def test_stopped_while_kea_waits(link, tmp_path, on_failure, threads):
    printer = Printer(tmp_path, "$KEA_QUERY4_HWADDR")
    parameters = {"timeout": 300, "on_failure": on_failure, "hook_points": ["pkt4_receive"]}
    with Kea(4, {**SUBNET4, **threads}, tmp_path, [hook(printer.script, **parameters)]) as kea:
        [runner] = processes.runners()
        os.kill(runner, signal.SIGSTOP)
        for _ in range(3):    # more than there are lanes
            if on_failure == "continue":
                assert stranger(link).discover(timeout=1).type == OFFER
            else:
                with pytest.raises(NoAnswer):
                    stranger(link).discover(timeout=0.5)
        wait_until(lambda: kea.status()["timeouts"] == 3, "three time-outs")
        os.kill(runner, signal.SIGCONT)
        quiet(kea)
        client = stranger(link)
        assert client.dora(timeout=1).type == ACK
        assert printer.lines()[-2:] == [client.mac] * 2
        assert kea.status()["failures"] == 3
        assert not kea.said("HANDLER_LOST")


def test_stopped_while_kea_does_not_wait(link, tmp_path):
    printer = Printer(tmp_path, "$KEA_QUERY4_HWADDR $1")
    config = hook(printer.script, wait=False, hook_points=POINTS, concurrency=1)
    with Kea(4, SUBNET4, tmp_path, [config]) as kea:
        [runner] = processes.runners()
        os.kill(runner, signal.SIGSTOP)
        clients = [stranger(link) for _ in range(5)]
        for client in clients:
            assert client.discover(timeout=1).type == OFFER
        assert kea.status()["pending"] == 15
        os.kill(runner, signal.SIGCONT)
        quiet(kea)
        assert printer.lines() == [f"{client.mac} {point}" for client in clients for point in POINTS]


@THREADED
def test_more_events_than_queue_limit(link, tmp_path, gate, threads):
    config = hook(gate.printer.script, wait=False, hook_points=["pkt4_receive"], concurrency=1, queue_limit=3, spool=False)
    with Kea(4, {**SUBNET4, **threads}, tmp_path, [config]) as kea:
        clients = [stranger(link) for _ in range(8)]
        for client in clients:
            assert client.discover(timeout=1).type == OFFER
        status = kea.status()
        assert (status["events"], status["pending"], status["dropped"]) == (8, 4, 4)
        shown = kea.command("statistic-get", {"name": "runscript.dropped"})["arguments"]
        assert shown["runscript.dropped"][0][0] == 4
        [line] = wait_until(lambda: kea.said("EVENT_DROPPED"), "a line about what was dropped")
        assert line == f"{gate.printer.script}: queue-limit reached: 1 events dropped, the oldest first"
        gate.open()
        quiet(kea)
        assert gate.printer.lines() == [f"{client.mac} pkt4_receive" for client in [clients[0], *clients[5:]]]
    assert any("EVENT_DROPPED" in line and "3 more times" in line for line in kea.said("REPEATED"))


@TOLD
def test_a_script_that_is_not_required_comes_later(link, tmp_path, wait):
    printer = Printer(tmp_path, "$1")
    hidden = printer.script.rename(tmp_path / "hidden")
    parameters = {"wait": wait, "required": False, "hook_points": ["pkt4_receive"]}
    with Kea(4, SUBNET4, tmp_path, [hook(printer.script, **parameters)]) as kea:
        [line] = kea.said("HANDLER_FAILED")
        assert f'"{printer.script}"' in line and "create it" in line
        assert stranger(link).dora().type == ACK
        hidden.rename(printer.script)

        def called():
            assert stranger(link).dora().type == ACK
            return printer.lines()
        wait_until(called, "a call of the script")


@TOLD
def test_a_runner_that_is_not_required_comes_later(link, tmp_path, wait):
    printer, runner = Printer(tmp_path, "$KEA_QUERY4_HWADDR"), tmp_path / "runner"
    parameters = {"wait": wait, "required": False, "hook_points": ["pkt4_receive"], "runner": str(runner)}
    with Kea(4, SUBNET4, tmp_path, [hook(printer.script, **parameters)]) as kea:
        [line] = kea.said("HANDLER_FAILED")
        assert str(runner) in line
        before, after = stranger(link), stranger(link)
        assert before.dora().type == ACK
        assert str(runner) in kea.status()["down"]
        shutil.copy(RUNNER, tmp_path / "copy").rename(runner)
        wait_until(lambda: kea.status()["down"] is None, "the runner's start")
        assert after.dora().type == ACK
        quiet(kea)
        # What Kea did not wait for has been kept.
        assert sorted(printer.lines()) == ([] if wait else [before.mac] * 2) + [after.mac] * 2


@THREADED
def test_a_burst_finds_idle_lanes(link, tmp_path, gate, threads):
    config = hook(gate.printer.script, wait=False, hook_points=["pkt4_receive"], concurrency=4, queue_limit=1, spool=False)
    with Kea(4, {**SUBNET4, **threads}, tmp_path, [config], severity="DEBUG", debuglevel=40) as kea:
        kea.wait_log("RUNSCRIPT_HANDLER_STARTED.* 4 lanes")
        for client in [stranger(link) for _ in range(5)]:
            client.send(client.message(DISCOVER))
        wait_until(lambda: kea.status()["events"] == 5, "all events")
        assert (kea.status()["pending"], kea.status()["dropped"]) == (5, 0)
        gate.open()
        quiet(kea)
        assert kea.status()["failures"] == 0
