"""The end of Kea while scripts are at work, and its next start: nothing is lost, doubled or out of turn."""

import pytest

from rig import processes
from rig.configs import SUBNET4
from rig.dhcp4 import ACK, stranger
from rig.diary import Diary, left, no_runner
from rig.kea import Kea
from rig.wait import quiet, wait_until


@pytest.mark.parametrize("reloads", [0, 2])
@pytest.mark.parametrize("end", ["SIGTERM", "shutdown"])
def test_kea_stops_while_events_are_queued(link, tmp_path, end, reloads):
    """What runs is finished without Kea, the rest when it is there again."""
    diary = Diary(link, tmp_path)
    kea = Kea(4, SUBNET4, tmp_path, [diary.hook()])
    with kea:
        diary.round()
        for _ in range(reloads):
            diary.round()
            kea.reload()
        diary.round()
        if end == "shutdown":
            assert kea.command("shutdown")["result"] == 0
            kea.process.wait(timeout=20)
            kea.process = None
    waiting, in_memory, running = left(kea)[-1]
    assert waiting and running and in_memory == 0
    no_runner()
    lines = diary.printer.lines()
    assert len(lines) == sum(map(len, diary.expected.values())) - 2 * waiting
    with kea:
        kea.wait_log("RUNSCRIPT_SPOOL_OPENED")
        quiet(kea)
    diary.check()


def test_without_a_spool_what_is_queued_is_lost_with_kea(link, tmp_path):
    diary = Diary(link, tmp_path)
    with Kea(4, SUBNET4, tmp_path, [diary.hook(spool=False)]) as kea:
        diary.round()
    [(waiting, in_memory, running)] = left(kea)
    assert running and waiting == in_memory > 0
    no_runner()
    lines = len(diary.printer.lines())
    with kea:
        quiet(kea)
    assert len(diary.printer.lines()) == lines == sum(map(len, diary.expected.values())) - 2 * waiting


def test_a_new_kea_while_scripts_of_the_old_one_run(link, tmp_path):
    """Neither they nor the runner hold what belongs to Kea: ports, sockets, files."""
    diary = Diary(link, tmp_path, seconds=0.4)
    with Kea(4, SUBNET4, tmp_path, [diary.hook()]) as kea:
        processes.kill_runner()
        wait_until(processes.runners, "another, started while Kea has all its files open")
        diary.round()
    [old] = processes.runners()
    held = [path for path in processes.files(old) if path.is_relative_to(tmp_path)]
    # The last says that it is at work.
    assert sorted(path.name.partition(".")[0] for path in held) == sorted([kea.log_file.stem, "at-work"])
    with kea:
        assert len(processes.runners()) == 2
        assert stranger(link).dora().type == ACK
        quiet(kea)
    no_runner()
    diary.check()


def test_kea_is_killed(link, tmp_path):
    """What runs is finished, no runner stays, and the rest is handled when Kea is there again."""
    diary = Diary(link, tmp_path, seconds=0.5)
    kea = Kea(4, SUBNET4, tmp_path, [diary.hook()]).start()
    diary.round()
    diary.printer.wait(2)
    kea.kill()
    assert processes.runners()
    no_runner()
    at_work = {client.mac for client in diary.clients[:2]}
    assert diary.turns() == {mac: lines[:2] if mac in at_work else [] for mac, lines in diary.expected.items()}
    with kea:
        quiet(kea)
    diary.check()


def test_no_runner_waits_for_a_kea_that_is_gone(link, tmp_path):
    diary = Diary(link, tmp_path)
    kea = Kea(4, SUBNET4, tmp_path, [diary.hook()]).start()
    kea.kill()
    no_runner()
