"""`load`, `configured` and `unload`: Kea's own life."""

import pytest

from rig.configs import SUBNET4, SUBNETS, THREADS
from rig.dhcp4 import stranger
from rig.kea import Kea, hook
from rig.recorder import Recorder
from rig.since import since
from rig.wait import quiet

FAMILIES = pytest.mark.parametrize("family", [4, 6])
POINTS = ["load", "configured", "unload"]


@pytest.mark.parametrize("threads", [{}, THREADS], ids=["single", "threads"])
@FAMILIES
def test_from_keas_start_to_its_end(link, tmp_path, recorder, family, threads):
    kea = Kea(family, {**SUBNETS[family], **threads}, tmp_path, [hook(recorder.script, hook_points=POINTS)])
    with kea:
        recorder.wait(1)
        kea.reload()
        recorder.wait(2)
        kea.reload()
        quiet(kea)
    assert recorder.hooks() == ["load", "configured", "configured", "unload"]
    with kea:
        pass
    assert recorder.hooks()[4:] == ["load", "unload"]
    assert recorder.calls()[0]["KEA_SERVER"] == f"kea-dhcp{family}"


def test_kea_waits_a_second_at_most(link, tmp_path):
    slow = Recorder(tmp_path, then="exec /bin/sleep 30", name="slow")
    with Kea(4, SUBNET4, tmp_path, [hook(slow.script, hook_points=POINTS[2:])]) as kea:
        kea.patience = 5
    assert slow.hooks() == ["unload"]


def test_kea_is_killed(link, tmp_path, recorder):
    kea = Kea(4, SUBNET4, tmp_path, [hook(recorder.script, hook_points=POINTS)])
    kea.start()
    recorder.wait(1)
    kea.kill()
    assert recorder.hooks() == ["load"]


@since(2, 6)
def test_a_mere_check(link, tmp_path, recorder):
    kea = Kea(4, SUBNET4, tmp_path, [hook(recorder.script, hook_points=POINTS)])
    assert kea.check("-T") == 0
    assert recorder.hooks() == []


def test_a_server_that_does_not_start(link, tmp_path, recorder):
    broken = {**SUBNET4, "hooks-libraries": [hook(recorder.script, hook_points=POINTS), {"library": "/nonexistent.so"}]}
    Kea(4, broken, tmp_path).expect_refusal()
    assert recorder.hooks() == []


def test_load_is_the_first(link, tmp_path, recorder):
    """Before whatever the spool has from before."""
    parameters = {"hook_points": ["load", "leases4_committed"], "wait": False, "concurrency": 1}
    down = Recorder(tmp_path, then="exit 75")
    kea = Kea(4, SUBNET4, tmp_path, [hook(down.script, **parameters)])
    with kea:
        stranger(link).dora()
        down.wait(2)
    again = Recorder(tmp_path)
    again.calls()
    already = len(again.calls())
    with kea:
        again.wait(already + 2)
        assert again.hooks()[already:already + 2] == ["load", "leases4_committed"]
