"""What a Kea that somebody has taken over, or anybody else, can have a service do: handle events, and no more."""

import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from rig import processes
from rig.configs import SUBNET4
from rig.dhcp4 import OFFER, stranger
from rig.kea import RUNNER, Kea
from rig.recorder import Recorder, write_script
from rig.service import Service
from rig.wait import wait_until

POINT = "pkt4_receive"
NOBODY = 65534


@pytest.fixture
def service(tmp_path, recorder):
    with Service(tmp_path, recorder.script, args=["ours"], env={"COLOUR": "red"}, concurrency=2) as service:
        yield service


class Taken:
    """Speaks to the service in Kea's place."""

    def __init__(self, service):
        self.connection = socket.socket(socket.AF_UNIX)
        self.connection.settimeout(20)
        self.connection.connect(str(service.path))
        self.lines = self.connection.makefile("rb")

    def greet(self):
        return self.say({"hello": 1})

    def say(self, line):
        self.connection.sendall(json.dumps(line).encode() + b"\n")
        return json.loads(self.lines.readline() or "null")

    def flood(self):
        """Sends events, and reads nothing, until the service does not either."""
        self.connection.settimeout(0.5)
        with suppress(TimeoutError):
            for seq in range(10_000):
                self.connection.sendall(json.dumps(event(seq)).encode() + b"\n")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.lines.close()
        self.connection.close()


def event(seq=1, hook=POINT, more=None, **variables):
    return {"seq": seq, "hook": hook, "wait": False, "time": 1.0, "timeout": 5000, "keys": [],
            "vars": {"KEA_HOOK_POINT": hook, **variables}, **(more or {})}


def test_a_line_chooses_nothing(service, recorder):
    """Neither program nor argument, nor a variable's name; and nothing is marked anywhere."""
    evil = {"script": "/bin/sh", "args": ["-c", "id"], "env": {"A": "B"}, "mode": "daemon", "user": "root", "at": 7}
    with Taken(service) as taken:
        assert taken.greet()["lanes"] == 2
        answer = taken.say(event(1, more=evil, LD_PRELOAD="/tmp/evil.so", PATH="/tmp", BASH_ENV="/tmp/x", COLOUR="blue",
                                 KEA_RUNSCRIPT="/tmp/evil", KEA_QUERY4_TYPE="x"))
        [call] = recorder.calls()
        assert call.args == [POINT, "ours"] and answer["next"] == "continue"
        assert {name: call.get(name) for name in ("COLOUR", "LD_PRELOAD", "PATH", "BASH_ENV", "KEA_QUERY4_TYPE")} == {
            "COLOUR": "red", "LD_PRELOAD": None, "PATH": None, "BASH_ENV": None, "KEA_QUERY4_TYPE": "x"}
        assert "evil" not in call.get("KEA_RUNSCRIPT", "")
        for hook in ("-c", "/bin/sh", "pkt4_receive; id", ""):
            assert taken.say(event(2, hook=hook))["failure"]["kind"] == "start"
        assert len(recorder.calls()) == 1


@pytest.mark.parametrize("mode", ["exec", "daemon"])
def test_a_line_without_an_end(tmp_path, mode):
    """100 MB of it: the connection is closed, and others are served."""
    script = write_script(tmp_path / "cat", "#!/bin/sh\nread -r l; echo '{\"hello\":1}'\nexec /bin/sleep 60\n")
    with Service(tmp_path, script, mode=mode, concurrency=2) as service, Taken(service) as taken:
        taken.greet()
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            for _ in range(100):
                taken.connection.sendall(b"x" * (1 << 20))
        wait_until(lambda: "a line has no end" in service.log(), "the service's word")
        assert processes.Footprint.of(service.pid).kilobytes < 64 * 1024
        with Taken(service) as another:
            assert another.greet()["hello"] == 1


ID = "9dee3a7ea28fb10f-{}"


def test_ids_take_no_memory(service):
    """Long ones, of events that nobody reads the answer of."""
    before = processes.Footprint.of(service.pid).kilobytes
    for _ in range(20):
        with Taken(service) as taken:
            taken.greet()
            for seq in range(3):
                taken.connection.sendall(json.dumps(event(seq, hook="none", KEA_EVENT_ID="f" * (3 << 20))).encode() + b"\n")
                taken.lines.readline()
    assert processes.Footprint.of(service.pid).kilobytes - before < 32 * 1024


def test_a_forged_id_hides_no_event(service, recorder):
    """An event that was not sent before is handled, whoever has named its id; one that comes again is not."""
    with Taken(service) as taken:
        taken.greet()
        assert taken.say(event(1, KEA_EVENT_ID=ID.format(1), KEA_EVENT_ATTEMPT="1"))["next"] == "continue"
    with Taken(service) as taken:
        taken.greet()
        for attempt, calls in [("1", 2), ("2", 2)]:
            assert taken.say(event(1, KEA_EVENT_ID=ID.format(1), KEA_EVENT_ATTEMPT=attempt))["next"] == "continue"
            assert len(recorder.calls()) == calls


def test_what_is_left_behind(tmp_path):
    """Thousands of events of one who has gone: no more than one is begun, and the next is greeted at once."""
    script = write_script(tmp_path / "slow", f"#!/bin/sh\necho >>{tmp_path}/runs\n/bin/sleep 0.5\n")
    with Service(tmp_path, script, concurrency=2) as service:
        with Taken(service) as taken:
            taken.greet()
            taken.flood()
        with Taken(service) as another:
            assert another.greet()["hello"] == 1
        assert len((tmp_path / "runs").read_text()) < 10


def test_who_does_not_read(tmp_path):
    """His connection is closed, others are greeted meanwhile, and the service ends when it is told to."""
    script = write_script(tmp_path / "loud", "#!/bin/sh\ni=0; while [ $i -lt 90 ]; do echo $i; i=$((i+1)); done\n")
    with Service(tmp_path, script, concurrency=2) as service:
        with Taken(service) as taken:
            taken.greet()
            taken.flood()
            taken.connection.shutdown(socket.SHUT_WR)
            with Taken(service) as another:
                assert another.greet()["hello"] == 1
            process = service.process
            os.kill(service.pid, signal.SIGTERM)
            wait_until(lambda: process.poll() is not None, "the end of the service", 20)


def test_who_says_nothing(service):
    with Taken(service) as taken:
        assert taken.lines.readline() == b""
    wait_until(lambda: "no greeting has come within 10 s" in service.log(), "the service's word")


def test_of_two_variables_of_one_name_a_daemon_gets_the_first(tmp_path):
    script = write_script(tmp_path / "daemon", f"#!/bin/sh\nread -r l; echo '{{\"hello\":1}}'\nread -r l; echo \"$l\" >{tmp_path}/line\n")
    with Service(tmp_path, script, mode="daemon") as service, Taken(service) as taken:
        taken.greet()
        text = json.dumps(event(1, KEA_QUERY4_TYPE="x"))
        taken.connection.sendall(text.replace('"KEA_QUERY4_TYPE"', '"KEA_HOOK_POINT": "evil", "KEA_QUERY4_TYPE"').encode() + b"\n")
        assert "evil" not in wait_until(lambda: (tmp_path / "line").exists() and (tmp_path / "line").read_text(), "the line")


def test_a_mount_that_is_read_only_here_proves_nothing(tmp_path):
    """In systemd's sandbox all are; outside, others may write there."""
    if Path("/proc/self/uid_map").read_text().split()[2] == "1":
        pytest.skip("an ordinary user's namespace has no other users")
    place = tmp_path / "place"
    place.mkdir()
    script = write_script(place / "script", f"#!/bin/sh\necho ran >{tmp_path}/ran\n")
    place.chmod(0o777)
    subprocess.run(f"mount --bind {place} {place} && mount -o remount,bind,ro {place}", shell=True, check=True)
    try:
        with Service(tmp_path, script) as service, Taken(service) as taken:
            taken.greet()
            assert "may be written by everybody" in taken.say(event())["failure"]["text"]
    finally:
        subprocess.run(["umount", place], check=True)
    assert not (tmp_path / "ran").exists()


def test_what_is_no_event(service):
    for line in (b"\0\n", b"[]\n", b"{}\n", b'{"seq":1}\n', b"\xff\xfe\n", b"\n"):
        with Taken(service) as taken:
            taken.greet()
            taken.connection.sendall(line)
            assert taken.lines.readline() == b""
    with Taken(service) as taken:
        taken.connection.sendall(b"nonsense\n")
        assert taken.lines.readline() == b""


def test_thousands_of_connections(link, tmp_path, service, recorder):
    """Two times `concurrency` are taken; the others wait, and Kea's own is served when they are gone."""
    many = []
    try:
        for _ in range(10_000):
            one = socket.socket(socket.AF_UNIX)
            one.setblocking(False)
            many.append(one)
            one.connect(str(service.path))
    except (BlockingIOError, OSError):
        many[-1].close()
    assert len(many) > 50
    assert len(list(Path(f"/proc/{service.pid}/fd").iterdir())) < 40
    assert processes.Footprint.of(service.pid).threads < 12
    for one in many:
        one.close()
    with Kea(4, SUBNET4, tmp_path, [service.hook(hook_points=[POINT])]):
        assert stranger(link).discover().type == OFFER
    recorder.wait(1)


WHO = """\
import socket, sys
one = socket.socket(socket.AF_UNIX)
one.connect(sys.argv[1])
one.sendall(b'{"hello":1}\\n')
print(one.recv(100).decode())
"""


def test_who_is_served(tmp_path, service):
    """Root and Kea's user, and nobody else."""
    if Path("/proc/self/uid_map").read_text().split()[2] == "1":
        pytest.skip("an ordinary user's namespace has no other users")
    for parent in (tmp_path, tmp_path.parent):
        parent.chmod(0o755)
    service.path.chmod(0o777)

    def said(*who):
        done = subprocess.run([*who, sys.executable, "-c", WHO, service.path], capture_output=True, text=True)
        return done.stdout.strip()
    assert said().startswith('{"hello":1')
    assert said("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups") == ""
    wait_until(lambda: f"user {NOBODY} is neither root nor `kea-user`" in service.log(), "the service's word")


@pytest.mark.parametrize("spoil, reason", [
    (lambda file: file.chmod(0o666), "may be written by others"),
    (lambda file: os.chown(file, NOBODY, NOBODY), "belongs to user 65534"),
    (lambda file: file.write_text("{"), "is not JSON"),
    (lambda file: file.write_text('{"script": "/bin/true", "scrpt": 1}'), "is unknown; the parameters are: script, mode"),
    (lambda file: file.write_text('{"script": "true"}'), 'parameter "script": "true": give an absolute path'),
    (lambda file: file.unlink(), "No such file"),
], ids=["writable", "foreign", "no JSON", "unknown", "relative", "missing"])
def test_a_file_that_is_refused(tmp_path, spoil, reason):
    if Path("/proc/self/uid_map").read_text().split()[2] == "1":
        pytest.skip("an ordinary user's namespace has no other users")
    service = Service(tmp_path, Recorder(tmp_path).script)
    spoil(service.file)
    done = subprocess.run([RUNNER, "serve", "--config", service.file], capture_output=True, text=True, timeout=20)
    assert done.returncode == 1 and done.stderr.startswith(f"kea-runscript-runner: {service.file}: ") and reason in done.stderr
