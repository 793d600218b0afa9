"""A script that sends Kea a command: it must not be one that Kea waits for (docs/operation.md)."""

import sys

import pytest

from rig.configs import SUBNET4, THREADS
from rig.dhcp4 import ACK, stranger
from rig.kea import Kea, hook
from rig.recorder import write_script
from rig.wait import quiet, wait_until

ASKS = f"""#!{sys.executable}
import json, socket, sys
with socket.socket(socket.AF_UNIX) as control:
    control.connect(sys.argv[2])
    control.sendall(json.dumps({{"command": sys.argv[3]}}).encode())
    answer = control.recv(65536)
open(sys.argv[0] + ".answer", "wb").write(answer)
"""


def serve(tmp_path, wait, command, timeout, **config):
    script = write_script(tmp_path / "asks", ASKS)
    kea = Kea(4, {**SUBNET4, **config}, tmp_path)
    ours = hook(script, wait=wait, hook_points=["leases4_committed"], timeout=timeout, args=[str(kea.socket), command])
    kea.configure({**SUBNET4, **config}, [ours])
    return kea


@pytest.mark.parametrize("wait", [False, "park"])
@pytest.mark.parametrize("threads", [{}, THREADS], ids=["single", "threads"])
def test_where_kea_is_free_it_answers(link, tmp_path, wait, threads):
    with serve(tmp_path, wait, "version-get", 10_000, **threads) as kea:
        assert stranger(link).dora().type == ACK
        answer = tmp_path / "asks.answer"
        wait_until(lambda: answer.exists() and b'"result": 0' in answer.read_bytes(), "Kea's answer")
        quiet(kea)
        assert kea.status()["failures"] == 0


@pytest.mark.parametrize("threads, command", [({}, "version-get"), (THREADS, "config-reload")], ids=["single", "threads"])
def test_where_kea_waits_the_script_waits_for_itself(link, tmp_path, threads, command):
    with serve(tmp_path, True, command, 1000, **threads) as kea:
        assert stranger(link).dora().type == ACK
        kea.wait_log("RUNSCRIPT_EVENT_FAILED")
        assert "no end within 1000 ms" in kea.said("EVENT_FAILED")[0]
        assert not (tmp_path / "asks.answer").exists()
