"""The daemons and the server of docs/lines.md."""

import re
import subprocess
import sys

import pytest

from rig.configs import SUBNET4
from rig.dhcp4 import ACK, Client4, NoAnswer, stranger
from rig.kea import REPOSITORY, Kea, hook
from rig.recorder import write_script
from rig.wait import quiet, wait_until

POINT = "pkt4_receive"


def of_the_docs(number):
    return re.findall(r"```python\n(.*?)```", (REPOSITORY / "docs" / "lines.md").read_text(), re.S)[number]


def test_the_daemon_of_the_docs(link, tmp_path):
    daemon = write_script(tmp_path / "mine.py", of_the_docs(0))
    parameters = {"answers": True, "on_failure": "drop", "hook_points": [POINT]}
    for mode, served in (("daemon", True), ("exec", False)):
        with Kea(4, SUBNET4, tmp_path / mode, [hook(daemon, mode=mode, **parameters)]) as kea:
            with pytest.raises(NoAnswer):
                stranger(link).discover(timeout=0.5)
            if served:
                assert Client4(link, "02:00:5e:00:00:01").dora().type == ACK
                assert kea.status()["failures"] == 0
            else:
                assert '"mode": "daemon" missing?' in kea.said("ERROR_OUTPUT")[0]


def test_the_daemon_of_the_docs_that_has_many_events(link, tmp_path):
    journal = tmp_path / "journal"
    daemon = write_script(tmp_path / "journal.py", of_the_docs(1).replace("/var/log/kea/events", str(journal)))
    with Kea(4, SUBNET4, tmp_path, [hook(daemon, mode="daemon", wait=False)]) as kea:
        clients = [stranger(link) for _ in range(5)]
        for client in clients:
            assert client.dora().type == ACK
        quiet(kea)
        assert kea.status()["failures"] == 0
    lines = [line.split() for line in journal.read_text().splitlines()]
    for client in clients:
        points = ["pkt4_receive", "subnet4_select", "lease4_select", "pkt4_send"]
        assert [point for point, mac in lines if mac == client.mac] == 2 * points


def test_the_server_of_the_docs(link, tmp_path):
    path = tmp_path / "socket"
    server = write_script(tmp_path / "server.py", of_the_docs(2).replace("/run/mine/socket", str(path)))
    with subprocess.Popen([sys.executable, server]) as process:
        try:
            wait_until(path.exists, "the socket")
            with Kea(4, SUBNET4, tmp_path, [hook(socket=str(path), hook_points=[POINT])]) as kea:
                assert stranger(link).dora().type == ACK
                assert (kea.status()["events"], kea.status()["failures"]) == (2, 0)
        finally:
            process.kill()
