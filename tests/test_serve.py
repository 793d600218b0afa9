"""`kea-runscript-runner serve`: what scripts and daemons get behind a socket is what they get from the runner inside Kea."""

import os
import signal
import subprocess

import pytest

from rig import processes
from rig.configs import SUBNET4
from rig.dhcp4 import ACK, OFFER, NoAnswer, stranger
from rig.gate import Gate
from rig.kea import RUNNER, Kea, hook
from rig.recorder import Printer, Recorder, write_script
from rig.service import Service
from rig.wait import quiet, wait_until

POINT = "pkt4_receive"
TOLD = {"wait": False, "hook_points": [POINT]}


def test_a_script(link, tmp_path):
    """Its arguments and environment are the file's; what it prints, and how it ends, is in Kea's log."""
    recorder = Recorder(tmp_path, "echo good; echo bad >&2; exit 3")
    with Service(tmp_path, recorder.script, args=["-x", "two words"], env={"COLOUR": "red"}) as service:
        with Kea(4, SUBNET4, tmp_path, [service.hook(hook_points=[POINT, "leases4_committed"])]) as kea:
            client = stranger(link)
            assert client.dora().type == ACK
            calls = recorder.wait(3)
            assert [call.hook for call in calls] == [POINT, POINT, "leases4_committed"]
            assert calls[0].args == [POINT, "-x", "two words"]
            own = {name: value for name, value in calls[0].env.items() if not name.startswith("KEA_")}
            assert own == {"COLOUR": "red"} and calls[0]["KEA_QUERY4_HWADDR"] == client.mac
            assert kea.said("OUTPUT")[0].endswith(": good") and kea.said("ERROR_OUTPUT")[0].endswith(": bad")
            assert kea.said("ERROR_OUTPUT")[1].endswith(": exit status 3")
            assert kea.status()["done"] == 3
    assert service.log() == ""


def test_an_answer(link, tmp_path):
    """KEA_RUNSCRIPT is there for it."""
    script = write_script(tmp_path / "answers", '#!/bin/sh\n"$KEA_RUNSCRIPT" answer next=drop\n')
    with Service(tmp_path, script) as service:
        with Kea(4, SUBNET4, tmp_path, [service.hook(hook_points=[POINT], answers=True)]) as kea:
            with pytest.raises(NoAnswer):
                stranger(link).discover(timeout=0.5)
            assert kea.status()["failures"] == 0 and kea.status()["done"] == 1


def test_a_time_out(link, tmp_path):
    """The script and its children are asked to end, then forced to; the connection goes on."""
    script = write_script(tmp_path / "hangs", "#!/bin/sh\ntrap '' TERM\n/bin/sleep 60 &\nwait\nwait\n")
    with Service(tmp_path, script) as service:
        with Kea(4, SUBNET4, tmp_path, [service.hook(concurrency=1, timeout=300, **TOLD)]) as kea:
            assert stranger(link).discover().type == OFFER
            quiet(kea)
            assert "no end within 300 ms; stopped with SIGKILL" in kea.said("EVENT_FAILED")[0]
            assert kea.status()["restarts"] == 0 and not kea.said("HANDLER_LOST")
            wait_until(lambda: len(processes.descendants(processes.runners())) == 1, "the end of the script's child")


def test_the_files_time_out_is_the_most(link, tmp_path):
    gate = Gate(tmp_path)
    with Service(tmp_path, gate.script, timeout=200) as service:
        with Kea(4, SUBNET4, tmp_path, [service.hook(hook_points=[POINT], timeout=60_000)]) as kea:
            client = stranger(link)
            gate.shut(client)
            assert client.discover().type == OFFER
            assert "no end within 200 ms" in kea.said("EVENT_FAILED")[0]


def test_lanes_are_the_smaller_of_both(link, tmp_path):
    """The library makes no more than the file says; the rest is no failure."""
    gate = Gate(tmp_path)
    with Service(tmp_path, gate.script, concurrency=2) as service:
        with Kea(4, SUBNET4, tmp_path, [service.hook(concurrency=5, **TOLD)]) as kea:
            wait_until(lambda: kea.status()["lanes"] == 2, "the lanes")
            clients = [stranger(link) for _ in range(4)]
            for client in clients:
                gate.shut(client)
                assert client.discover().type == OFFER
            gate.wait(2)
            status = kea.status()
            assert (status["lanes"], status["pending"], len(gate.printer.lines())) == (2, 4, 2)
            for client in clients[:2]:
                gate.open(client)
            gate.wait(4)
            for client in clients[2:]:
                gate.open(client)
            quiet(kea)
            assert kea.status()["done"] == 4 and not kea.said("HANDLER_FAILED")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_it_ends_amid_events(link, tmp_path, number):
    """Nothing is lost, nor out of its order; told to end, it finishes what it has begun, and no event fails."""
    gate = Gate(tmp_path)
    with Service(tmp_path, gate.script, concurrency=2) as service:
        with Kea(4, SUBNET4, tmp_path, [service.hook(concurrency=2, **TOLD)]) as kea:
            slow, other = stranger(link), stranger(link)
            gate.shut(slow)
            for _ in range(3):
                assert slow.discover().type == OFFER
                assert other.discover().type == OFFER
            wait_until(lambda: kea.status()["done"] == 3, "the other client's events")
            gate.wait(4)
            process = service.process
            os.kill(service.pid, number)
            if number == signal.SIGTERM:
                wait_until(lambda: "lane" in processes.threads(process.pid), "a lane that is at work")
                assert processes.alive(process.pid)
                gate.open(slow)
            wait_until(lambda: process.poll() is not None, "its end")
            if number == signal.SIGKILL:
                gate.open(slow)
            quiet(kea)
            status = kea.status()
            assert (status["done"], status["failures"], status["dropped"]) == (6, 0, 0)
            seen = [line.split()[1] for line in gate.printer.lines()]
            assert seen.count(other.mac) == 3 and seen.count(slow.mac) == (3 if number == signal.SIGTERM else 4)


def test_a_kea_that_was_killed_has_left_it_at_work(link, tmp_path):
    """It finishes what it was sent before it serves the next Kea, and does nothing of that again."""
    out = tmp_path / "out"
    script = write_script(tmp_path / "slow", f'#!/bin/sh\necho "> $KEA_EVENT_ID" >>{out}\n/bin/sleep 1.5\necho "< $KEA_EVENT_ID" >>{out}\n')
    with Service(tmp_path, script) as service:
        kea = Kea(4, SUBNET4, tmp_path, [service.hook(**TOLD)])
        client = stranger(link)
        kea.start()
        assert [client.discover().type for _ in range(2)] == [OFFER] * 2
        wait_until(out.exists, "the first")
        kea.kill()
        with kea:
            quiet(kea, 20)
            assert kea.status()["done"] == 2
        first, second = lines = out.read_text().split()[1::4]
        assert out.read_text().split() == [mark for one in lines for mark in (">", one, "<", one)] and first != second


def test_it_is_not_there_for_a_while(link, tmp_path):
    printer = Printer(tmp_path, "$KEA_QUERY4_HWADDR")
    with Service(tmp_path, printer.script) as service:
        with Kea(4, SUBNET4, tmp_path, [service.hook(**TOLD)]) as kea:
            client = stranger(link)
            assert client.discover().type == OFFER
            with service.masked():
                assert [client.discover().type for _ in range(3)] == [OFFER] * 3
                assert kea.status()["spooled"] >= 3
            quiet(kea, 20)
            assert printer.lines() == [client.mac] * 4 and kea.status()["done"] == 4


DAEMON = """\
#!/usr/bin/python3
import json, os, sys, time
for line in sys.stdin:
    event = json.loads(line)
    if "hello" in event:
        answer = {"hello": 1, "ahead": 8}
        print("here", os.getpid(), sys.argv[1:], os.environ.get("COLOUR"), file=sys.stderr, flush=True)
    else:
        with open(PATH, "a") as diary:
            print(event["vars"]["KEA_QUERY4_HWADDR"], event["timeout"], "at" in event, file=diary)
        if os.path.exists(PATH + ".die"):
            os.unlink(PATH + ".die")
            os._exit(3)
        if os.path.exists(PATH + ".hang"):
            os.unlink(PATH + ".hang")
            time.sleep(60)
        answer = {"seq": event["seq"], "log": [{"level": "info", "text": "noted"}]}
    print(json.dumps(answer), flush=True)
"""


@pytest.fixture
def daemon(tmp_path):
    script = write_script(tmp_path / "daemon", DAEMON.replace("PATH", repr(str(tmp_path / "diary"))))
    with Service(tmp_path, script, mode="daemon", args=["a"], env={"COLOUR": "red"}, timeout=2000, concurrency=1) as service:
        yield service


def test_a_daemon(link, tmp_path, daemon):
    with Kea(4, SUBNET4, tmp_path, [daemon.hook(**TOLD)]) as kea:
        clients = [stranger(link) for _ in range(5)]
        assert {client.discover().type for client in clients} == {OFFER}
        quiet(kea)
        lines = [line.split() for line in (tmp_path / "diary").read_text().splitlines()]
        assert [line[0] for line in lines] == [client.mac for client in clients]
        assert all(int(line[1]) <= 2000 and line[2] == "False" for line in lines)
        assert kea.said("ERROR_OUTPUT")[0].endswith("['a'] red") and kea.said("OUTPUT")[0].endswith("noted")
        assert kea.status()["done"] == 5
    wait_until(lambda: len(processes.descendants(processes.runners())) == 1, "the end of the daemon")


def test_a_daemon_that_dies(link, tmp_path, daemon):
    """Its event is given to the next one."""
    with Kea(4, SUBNET4, tmp_path, [daemon.hook(**TOLD)]) as kea:
        (tmp_path / "diary.die").touch()
        client = stranger(link)
        assert client.discover().type == OFFER
        quiet(kea)
        assert (tmp_path / "diary").read_text().count(client.mac) == 2
        assert (kea.status()["done"], kea.status()["failures"]) == (1, 0)
    assert "ended with exit status 3" in daemon.log()


def test_a_daemon_that_ends_while_there_is_nothing_to_do(link, tmp_path, daemon):
    """What Kea waits for next does not fail with it."""
    with Kea(4, SUBNET4, tmp_path, [daemon.hook(hook_points=[POINT])]) as kea:
        client = stranger(link)
        assert client.discover().type == OFFER
        [mine] = [pid for pid in processes.children(daemon.pid)]
        os.kill(mine, signal.SIGKILL)
        wait_until(lambda: kea.status()["restarts"] == 1 and kea.status()["down"] is None, "another daemon")
        assert client.discover().type == OFFER
        assert (kea.status()["done"], kea.status()["failures"]) == (2, 0)


def test_a_daemon_that_answers_twice(link, tmp_path):
    """Nothing counts as handled that was not."""
    script = write_script(tmp_path / "twice", f"""\
#!/usr/bin/python3
import json, os, sys
for line in sys.stdin:
    event = json.loads(line)
    answer = {{"hello": 1, "ahead": 8}} if "hello" in event else {{"seq": event["seq"]}}
    print(json.dumps(answer), flush=True)
    if "seq" in answer:
        print(event["vars"]["KEA_QUERY4_HWADDR"], file=open("{tmp_path}/diary", "a"))
        if not os.path.exists("{tmp_path}/once"):
            open("{tmp_path}/once", "w").close()
            print(json.dumps(answer), flush=True)
""")
    with Service(tmp_path, script, mode="daemon", concurrency=1) as service:
        with Kea(4, SUBNET4, tmp_path, [service.hook(**TOLD)]) as kea:
            clients = [stranger(link) for _ in range(6)]
            assert {client.discover().type for client in clients} == {OFFER}
            quiet(kea)
            assert set((tmp_path / "diary").read_text().split()) == {client.mac for client in clients}


def test_a_daemon_that_hangs(link, tmp_path, daemon):
    """The event fails at the file's time-out, and the next one comes to another daemon."""
    with Kea(4, SUBNET4, tmp_path, [daemon.hook(**TOLD)]) as kea:
        (tmp_path / "diary.hang").touch()
        clients = [stranger(link) for _ in range(2)]
        assert {client.discover().type for client in clients} == {OFFER}
        quiet(kea)
        assert "no answer within" in kea.said("EVENT_FAILED")[0]
        assert (kea.status()["done"], kea.status()["failures"]) == (1, 1)
        assert (tmp_path / "diary").read_text().count(clients[1].mac) == 1


def test_it_listens_itself(link, tmp_path):
    """Where no systemd does: for Kea's user and group alone."""
    printer = Printer(tmp_path, "$KEA_QUERY4_HWADDR")
    service = Service(tmp_path, printer.script, socket=str(tmp_path / "own.sock"))
    service.path = tmp_path / "own.sock"
    with subprocess.Popen([RUNNER, "serve", "--config", service.file]) as process:
        try:
            wait_until(service.path.exists, "the socket")
            assert service.path.stat().st_mode & 0o777 == 0o660
            with Kea(4, SUBNET4, tmp_path, [hook(socket=str(service.path), **TOLD)]) as kea:
                client = stranger(link)
                assert client.discover().type == OFFER
                quiet(kea)
            assert printer.lines() == [client.mac]
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
