"""`runscript-status`, and what `kea-runscript status` makes of it."""

import json
import re
import socket
import subprocess
import threading
import time
import unicodedata
from contextlib import contextmanager, suppress

import pytest

from rig import processes
from rig.configs import SUBNET4, SUBNET6
from rig.dhcp4 import ACK, OFFER, stranger
from rig.gate import Gate
from rig.kea import TOOLS, Kea, hook
from rig.recorder import Printer
from rig.wait import quiet, wait_until


def shown(*words, check=True):
    done = subprocess.run([TOOLS, "status", *map(str, words)], capture_output=True, text=True, timeout=20)
    assert (done.returncode == 0) == check, done.stderr
    return done.stdout if check else done.stderr


def row(text, script):
    """The numbers of a script's line in the table, by the names of the first line."""
    lines = text.splitlines()
    [line] = [line for line in lines if line.split()[1:2] == [str(script)]]
    return dict(zip(lines[0].split(), line.split()))


@pytest.mark.parametrize("wait", [True, False], ids=["wait", "nowait"])
def test_what_is_counted(link, tmp_path, wait):
    printer = Printer(tmp_path, "$1", then="/bin/sleep 0.1")
    with Kea(4, SUBNET4, tmp_path, [hook(printer.script, hook_points=["pkt4_receive"], wait=wait, concurrency=2)]) as kea:
        before = kea.status()
        assert (before["mode"], before["lanes"], before["latency-us"], before["last-error"]) == ("exec", 2, None, None)
        assert stranger(link).dora().type == ACK
        quiet(kea)
        status = kea.status()
        assert (status["events"], status["done"], status["pending"], status["in-flight"]) == (2, 2, 0, 0)
        assert status["oldest-ms"] is None
        assert 100_000 * 0.99 <= status["latency-us"]["p50"] <= status["latency-us"]["max"] < 5_000_000
        values = kea.command("statistic-get", {"name": "runscript.done"})["arguments"]["runscript.done"]
        assert values[0][0] == 2


def test_what_waits(link, tmp_path):
    gate = Gate(tmp_path)
    with Kea(4, SUBNET4, tmp_path, [hook(gate.script, hook_points=["pkt4_receive"], wait=False, concurrency=1)]) as kea:
        client = stranger(link)
        gate.shut(client)
        for _ in range(3):
            assert client.discover().type == OFFER
        status = wait_until(lambda: (status := kea.status())["oldest-ms"] and status["oldest-ms"] >= 50 and status, "50 ms")
        assert (status["pending"], status["in-flight"]) == (3, 1)
        gate.open(client)
        quiet(kea)


def test_the_last_error_and_restarts(link, tmp_path):
    printer = Printer(tmp_path, "$1")
    with Kea(4, SUBNET4, tmp_path, [hook(printer.script, hook_points=["pkt4_receive"], on_failure="continue")]) as kea:
        started = time.time()
        printer.script.unlink()
        assert stranger(link).discover().type == OFFER
        error = kea.status()["last-error"]
        assert "it is gone: put it back" in error["text"] and started - 1 <= error["time"] <= time.time()
        processes.kill_runner()
        wait_until(lambda: kea.status()["restarts"] >= 1, "a restart")


def test_the_table_is_of_both_servers(link, tmp_path):
    scripts = {family: Printer(tmp_path, "$1", name=f"printer{family}").script for family in (4, 6)}
    with Kea(4, SUBNET4, tmp_path, [hook(scripts[4], hook_points=["pkt4_receive"])]) as kea4, \
            Kea(6, SUBNET6, tmp_path, [hook(scripts[6], hook_points=["pkt6_receive"], wait=False)]) as kea6:
        assert stranger(link).discover().type == OFFER
        text = shown(kea4.socket, kea6.socket)
        mine = row(text, scripts[4])
        assert [mine[key] for key in ("server", "mode", "events", "done", "failures")] == ["kea-dhcp4", "exec", "1", "1", "0"]
        assert re.fullmatch(r"(\d+)/\1", mine["lanes"]) and float(mine["p50-ms"]) > 0
        assert row(text, scripts[6])["events"] == "0"
        both = json.loads(shown("--format", "json", kea4.socket, kea6.socket))
        assert [server["status"]["scripts"][0]["events"] for server in both] == [1, 0]


def test_it_says_what_is_wrong(link, tmp_path):
    with Kea(4, SUBNET4, tmp_path, [hook("/bin/false", hook_points=["pkt4_receive"], answers=True, on_failure="continue")]) as kea:
        assert stranger(link).discover().type == OFFER
        assert f"/bin/false: last-error: {kea.status()['last-error']['text']}\n" in shown(kea.socket)


def test_prometheus_takes_the_metrics(link, tmp_path):
    script = Printer(tmp_path, "$1", name='quoted "name"').script
    with Kea(4, SUBNET4, tmp_path, [hook(script, hook_points=["pkt4_receive"])]) as kea:
        assert stranger(link).discover().type == OFFER
        text = shown("--format", "prometheus", kea.socket)
    found = {name: float(value) for name, value in re.findall(r"^(\w+)\{.*\} (\S+)$", text, re.M)}
    assert found["kea_runscript_events_total"] == found["kea_runscript_done_total"] == 1
    assert found["kea_runscript_in_flight"] == 0 and found["kea_runscript_latency_seconds"] > 0
    assert "# TYPE kea_runscript_events_total counter\n" in text and "# TYPE kea_runscript_pending gauge\n" in text
    quoted = str(script).replace('"', '\\"')
    assert f'kea_runscript_events_total{{script="{quoted}",server="kea-dhcp4",socket="{kea.socket}"}} 1\n' in text
    assert found["kea_runscript_up"] == 1 and found["kea_runscript_lanes"] == found["kea_runscript_concurrency"] > 0


def test_watch_shows_it_again(link, tmp_path):
    script = Printer(tmp_path, "$1").script
    with Kea(4, SUBNET4, tmp_path, [hook(script, hook_points=["pkt4_receive"])]) as kea:
        with subprocess.Popen([TOOLS, "status", "--watch=1", kea.socket], stdout=subprocess.PIPE, text=True) as watch:
            lines = (line for line in watch.stdout if line.split()[1:2] == [str(script)])
            first = next(lines)
            assert stranger(link).discover().type == OFFER
            assert wait_until(lambda: next(lines) != first, "another line")
            watch.terminate()


def test_a_handler_that_is_down_shows(link, tmp_path):
    library = hook(socket=str(tmp_path / "nobody"), hook_points=["pkt4_receive"], required=False)
    with Kea(4, SUBNET4, tmp_path, [library]) as kea:
        assert re.search(r"^kea_runscript_up\{.*\} 0$", shown("--format", "prometheus", kea.socket), re.M)
        assert ": down: " in shown(kea.socket)


def test_one_server_of_several_answers(link, tmp_path):
    script = Printer(tmp_path, "$1").script
    with Kea(4, SUBNET4, tmp_path, [hook(script, hook_points=["pkt4_receive"])]) as kea4, Kea(6, SUBNET6, tmp_path, []) as kea6:
        done = subprocess.run([TOOLS, "status", kea6.socket, tmp_path / "nowhere", kea4.socket], capture_output=True, text=True)
    assert row(done.stdout, script)["events"] == "0"
    without, nowhere = done.stderr.splitlines()
    assert f"{kea6.socket}: 'runscript-status' command not supported; is the hook library loaded?" in without
    assert "No such file" in nowhere
    assert done.returncode == 1


@contextmanager
def impostor(path, serve):
    """Somebody else behind a control socket; serves one connection."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def work():
            with suppress(OSError), listener.accept()[0] as connection:
                serve(connection)
        thread = threading.Thread(target=work)
        thread.start()
        yield path
        thread.join()


def endless(connection):
    while True:
        connection.sendall(b"[" * 65536)


def test_an_endless_answer(tmp_path):
    with impostor(tmp_path / "control", endless) as path:
        assert "says more than 1048576 bytes: is it a Kea?" in shown(path, check=False)


@pytest.mark.parametrize("said", ["nonsense\x1b]0;title\x07", '{"result": 0, "arguments": {"scripts": [{"script": "x", "events": ["\x9b31m"]}]}}',
                                  '{"result": 1, "text": "\x1b[31m"}', "{}", "[]", '{"result": 0}'])
def test_odd_answers(tmp_path, said):
    with impostor(tmp_path / "control", lambda connection: connection.sendall(said.encode())) as path:
        done = subprocess.run([TOOLS, "status", path], capture_output=True, text=True, timeout=20)
    assert not [c for c in done.stdout + done.stderr if unicodedata.category(c) == "Cc" and c != "\n"]
    assert "panicked" not in done.stderr


def test_what_is_no_server(link, tmp_path):
    assert "No such file" in shown(tmp_path / "nowhere", check=False)
    # The tests' own /run has none.
    for family in "46":
        assert f"/run/kea/kea{family}-ctrl-socket: No such file" in shown(check=False)
