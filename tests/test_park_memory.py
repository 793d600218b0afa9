"""Parking makes no error of memory: changes, a drop, a reload and the end of Kea with packets parked, under valgrind."""

import pytest

from rig.configs import SUBNET4
from rig.dhcp4 import ACK, stranger
from rig.gate import Gate
from rig.kea import HOOK, Kea, hook, version
from rig.memcheck import POSSIBLY_LOST, REACHABLE, Memcheck
from rig.park import THREADING, ask_for, parking

PATIENCE = 120
SAID = '{"option-data":[{"name":"routers","data":"192.0.2.1"},{"name":"routers","data":"x"}],"boot-file-name":"f"}'


@pytest.mark.long
@THREADING
def test_no_errors_of_memory(link, tmp_path, threads):
    gate = Gate(tmp_path)
    points = ["leases4_committed", *(["subnet4_select", "lease4_offer"] if version() >= (2, 6) else [])]
    script = parking(gate.script, *points, answers=True, concurrency=4, timeout=60000)
    memcheck = Memcheck(tmp_path)
    with Kea(4, {**SUBNET4, **threads}, tmp_path, [hook(scripts=[script])], wrapper=memcheck.command,
             patience=PATIENCE) as kea:
        for verdict in [f"printf %s '{SAID}'", "exit 20", None, "a reload", "the end"]:
            client = stranger(link)
            offer = client.discover(timeout=PATIENCE)
            called = len(gate.printer.lines())
            gate.shut(client)
            answer = ask_for(client, offer)
            gate.printer.wait(called + 1, PATIENCE)
            if verdict is None:
                gate.open(client)
                assert answer(timeout=PATIENCE).type == ACK
            elif verdict == "a reload":
                kea.reload()
            elif verdict != "the end":
                gate.open(client, verdict)
    ours = [finding for finding in memcheck.findings() if finding.concerns(HOOK.resolve())]
    # Kea ends amid events, which are kept for a next load.
    assert not [str(finding) for finding in ours if finding.kind not in (REACHABLE, POSSIBLY_LOST)]
