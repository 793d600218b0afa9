"""The parameter `socket`: who may listen there, and what happens while nobody does."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from rig.configs import SUBNET4
from rig.dhcp4 import ACK, OFFER, NoAnswer, stranger
from rig.handlers import PROGRAM, handler
from rig.kea import Kea, hook
from rig.wait import wait_until

POINT = "pkt4_receive"
NOBODY = 65534


def config(path, **parameters):
    return hook(socket=str(path), **{"hook_points": [POINT], **parameters})


def refusal(directory, path):
    [line] = [line for line in Kea(4, SUBNET4, directory, [config(path)]).expect_refusal().splitlines()
              if "RUNSCRIPT_LOAD_REFUSED" in line]
    assert f'parameter "socket": "{path}": ' in line
    return line


def test_nobody_has_made_it(link, tmp_path):
    assert "start the handler, or mend the path" in refusal(tmp_path, tmp_path / "socket")


def test_nobody_listens(link, tmp_path):
    with socket.socket(socket.AF_UNIX) as gone:
        gone.bind(str(tmp_path / "socket"))
    assert "nobody listens there" in refusal(tmp_path, tmp_path / "socket")


def test_it_is_no_socket(link, tmp_path):
    (tmp_path / "socket").touch()
    assert "nobody listens there" in refusal(tmp_path, tmp_path / "socket")


def test_a_datagram_socket(link, tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(str(tmp_path / "socket"))
        assert "wrong type" in refusal(tmp_path, tmp_path / "socket")


def test_it_does_not_say_hello(link, tmp_path):
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "socket"))
        silent.listen(64)
        kea = Kea(4, SUBNET4, tmp_path, [config(tmp_path / "socket", concurrency=1)])
        kea.launch()
        try:
            connection, _ = silent.accept()
            with connection:
                assert connection.recv(100).startswith(b'{"hello":1,"server":"kea-dhcp4"')
                connection.sendall(b'{"hello":2}\n')
                wait_until(lambda: not kea.alive(), "the end of Kea")
            assert "it speaks version 2 of the lines and this library 1" in kea.said("LOAD_REFUSED")[0]
        finally:
            kea.kill()


def test_it_is_started_anew_at_load(link, tmp_path):
    """Whoever listened has ended with connections that he had not greeted; who comes after him greets them."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        listener.listen(64)
        kea = Kea(4, SUBNET4, tmp_path, [config(tmp_path / "socket", concurrency=1, wait=False)])
        kea.launch()
        try:
            listener.accept()[0].close()
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b'{"hello":1}\n')
                kea.wait_log("RUNSCRIPT_LOADED")
        finally:
            kea.kill()


@pytest.mark.parametrize("owner, served", [(0, False), (NOBODY, True), (1234, False)])
def test_whom_we_obey(link, tmp_path, owner, served):
    """Somebody else than root and Kea's user listens: he has to own the directory, whoever may write there."""
    if Path("/proc/self/uid_map").read_text().split()[2] == "1":
        pytest.skip("an ordinary user's namespace has no other users")
    directory = tmp_path / "run"
    directory.mkdir()
    directory.chmod(0o755 if served else 0o777)
    os.chown(directory, owner, owner)
    for parent in (tmp_path, tmp_path.parent):
        parent.chmod(0o755)
    path = directory / "socket"
    command = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", sys.executable, PROGRAM,
               directory / "diary", path]
    with subprocess.Popen(command) as other:
        try:
            wait_until(path.exists, "the socket")
            if served:
                with Kea(4, SUBNET4, tmp_path / "kea", [config(path)]):
                    assert stranger(link).discover().type == OFFER
                    diary = directory / "diary"
                    wait_until(lambda: len(diary.read_text().splitlines()) == 1 + os.cpu_count(), "all hellos")
            else:
                assert "user 65534, is neither root, nor Kea's user, nor the owner" in refusal(tmp_path / "kea", path)
        finally:
            other.kill()


@pytest.mark.parametrize("on_failure", ["continue", "drop"])
def test_it_is_not_required(link, tmp_path, on_failure):
    """Nobody is there at load; he comes, goes, and comes back."""
    with handler("socket", tmp_path) as one:
        one.kill()
        parameters = {"hook_points": [POINT], "required": False, "on_failure": on_failure}
        with Kea(4, SUBNET4, tmp_path, [one.hook(**parameters)]) as kea:
            assert "nobody listens" in kea.said("HANDLER_FAILED")[0]
            for _ in range(2):
                if on_failure == "continue":
                    assert stranger(link).discover(timeout=1).type == OFFER
                else:
                    with pytest.raises(NoAnswer):
                        stranger(link).discover(timeout=0.3)
                one.launch()
                wait_until(lambda: kea.status()["down"] is None, "the connection", 20)
                client = stranger(link)
                assert client.dora().type == ACK
                assert one.seen()[-2:] == [(client.mac, POINT)] * 2
                one.kill()
                wait_until(lambda: kea.status()["down"], "the end")


def test_what_is_queued_waits_for_it(link, tmp_path):
    with handler("socket", tmp_path) as one:
        one.kill()
        parameters = {"hook_points": [POINT], "required": False, "wait": False}
        with Kea(4, SUBNET4, tmp_path, [one.hook(**parameters)]) as kea:
            clients = [stranger(link) for _ in range(3)]
            assert {client.discover().type for client in clients} == {OFFER}
            assert kea.status()["pending"] == 3
            kea.reload()
            assert kea.said("LEFT")[0].startswith(f"{one.socket}: 3 events wait for their turn")
            one.launch()
            one.wait(3)
            assert sorted(one.seen()) == [(client.mac, POINT) for client in clients]
