"""`systemctl stop` with KillMode=control-group: SIGTERM to Kea, the runner, scripts and their children, all at the same time."""

import os
import random
import signal
from contextlib import suppress

import pytest

from rig import intervals, processes
from rig.crash import seed, spool
from rig.kea import Kea, hook
from rig.load import CONFIG, Load
from rig.programs import compiled
from rig.recorder import write_script
from rig.wait import quiet, wait_until

ANSWERS = 20
LANES = 8
STOP = 10    # seconds: TimeoutStopSec

# Its child has the work, which takes 2 s.
MORTAL = '{program} "$@"; exit $?'
# Nobody stops it, nor its child.
IMMORTAL = 'trap "" TERM; {program} "$@"; exit $?'


def send(pids, number):
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def terminate(kea, dice):
    """SIGTERM to all, in any order; SIGKILL to those that have not ended in time, as systemd does."""
    everybody = processes.descendants([kea.pid, *processes.runners()])
    assert len(everybody) > LANES, "Kea, runner, shells and their children"
    send(dice.sample(everybody, len(everybody)), signal.SIGTERM)
    assert kea.process.wait(timeout=20) == 0
    kea.process = None
    with suppress(AssertionError):
        wait_until(lambda: not any(map(processes.alive, everybody)), "the end of the control group", STOP)
    send(processes.descendants(filter(processes.alive, everybody)), signal.SIGKILL)
    wait_until(lambda: not any(map(processes.alive, everybody)), "the end of the control group")


@pytest.mark.parametrize("mode, script", [
    pytest.param("exec", IMMORTAL, id="exec-immortal"),
    pytest.param("daemon", MORTAL, id="daemon-mortal"),
    pytest.param("exec", MORTAL, id="exec-mortal", marks=pytest.mark.long),
    pytest.param("daemon", IMMORTAL, id="daemon-immortal", marks=pytest.mark.long),
])
def test_all_are_told_to_end(link, tmp_path, mode, script):
    dice, log = random.Random(seed()), tmp_path / "log"
    shell = write_script(tmp_path / "shell", "#!/bin/sh\n" + script.format(program=compiled("intervals", tmp_path)))
    library = hook(shell, mode=mode, args=[str(log), "2000"], wait=False, concurrency=LANES, hook_points=["leases4_committed"],
                   **spool(tmp_path))
    load = Load(link, 4, 1)
    kea = Kea(4, CONFIG[4], tmp_path, [library])
    with kea:
        with load:
            load.wait(ANSWERS)
        wait_until(lambda: len(intervals.read(log)) >= LANES, "work on all lanes")
        terminate(kea, dice)
        kea.start()
        quiet(kea, 60)
    tries = intervals.read(log)
    print("counted", intervals.counts(load.answers, tries))
    faults = {**intervals.lasting_faults(load.answers, tries), **intervals.faults_of_order(load.answers, tries)}
    intervals.complain(faults)
