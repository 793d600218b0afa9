"""Kea in a container: process 1, read-only root, Docker's filter of system calls, no /dev/shm, user nobody."""

import csv
import re
import tempfile
from pathlib import Path

import pytest

from rig import processes
from rig.clients import perfdhcp
from rig.configs import SUBNET4
from rig.container import Contained, inhabitants, possible
from rig.dhcp4 import ACK, stranger
from rig.kea import hook
from rig.recorder import write_script
from rig.wait import quiet, wait_until

pytestmark = pytest.mark.skipif(not possible(), reason="needs root, and a library that nobody can read")


@pytest.fixture
def place():
    """A directory that nobody can enter, in the /run that is ours: pytest's own are closed to others."""
    directory = Path(tempfile.mkdtemp(dir="/run", prefix="container-"))
    directory.chmod(0o755)
    return directory


LEAVES_A_CHILD = "(/bin/sleep 0.05 &)"
WAITS = "until [ -e {home}/gate ]; do /bin/sleep 0.02; done"


class Script:
    """It writes a line for each event into Kea's directory."""

    def __init__(self, place, then):
        self.home, self.lines_file = place / "kea", place / "kea" / "lines"
        text = f"#!/bin/sh\necho $1 >>{self.lines_file}\n{then.format(home=self.home)}\n"
        self.path = write_script(place / "script", text)

    def lines(self):
        return self.lines_file.read_text().splitlines() if self.lines_file.exists() else []

    def gate(self):
        """Opens what waits for it."""
        (self.home / "gate").touch()


def test_what_a_script_leaves_running_is_no_zombie(link, place):
    script = Script(place, f"{LEAVES_A_CHILD}; exit 3")
    with Contained(4, SUBNET4, place / "kea", [hook(script.path, hook_points=["lease4_select", "pkt4_send"])]) as kea:
        for _ in range(6):
            assert stranger(link).dora().type == ACK
        wait_until(lambda: len(script.lines()) == 24, "24 events")
        kea.wait_for_no_zombie()
        # What a script says by its end, its lane has heard.
        assert kea.status()["failures"] == 0 and len(re.findall("exit status 3", kea.log())) == 2


@pytest.mark.parametrize("mode", ["exec", "daemon"])
def test_no_runner_is_a_zombie(link, place, mode):
    """After a reload, and when the script is not configured any more."""
    script = write_script(place / "script", "#!/bin/sh\nread hello\necho '{\"hello\":1}'\nwhile read line; do :; done\n")
    with Contained(4, SUBNET4, place / "kea", [hook(script, mode=mode)]) as kea:
        for _ in range(4):
            kea.reload()
        wait_until(lambda: len(processes.runners()) == 1, "the end of the others")
        kea.wait_for_no_zombie()
        kea.configure(SUBNET4)
        kea.reload()
        wait_until(lambda: list(inhabitants()) == [1], lambda: f"Kea alone ({inhabitants()})")


def test_a_runner_that_is_killed_is_no_zombie(link, place):
    with Contained(4, SUBNET4, place / "kea", [hook(Script(place, "").path)]) as kea:
        processes.kill_runner()
        kea.wait_log("RUNSCRIPT_HANDLER_LOST")
        wait_until(lambda: len(processes.runners()) == 1, "another runner")
        kea.wait_for_no_zombie()


def test_a_runner_that_goes_on_after_a_reload_is_no_zombie_later(link, place):
    """Its script is not configured any more."""
    script, other = Script(place, WAITS), write_script(place / "other", "#!/bin/sh\n")
    parameters = {"wait": False, "hook_points": ["pkt4_receive"]}
    with Contained(4, SUBNET4, place / "kea", [hook(script.path, **parameters)]) as kea:
        stranger(link).dora()
        wait_until(script.lines, "an event")
        kea.configure(SUBNET4, [hook(other, **parameters)])
        kea.reload()
        assert len(processes.runners()) == 2
        script.gate()
        wait_until(lambda: len(processes.runners()) == 1, "the end of the old one")
        kea.wait_for_no_zombie()


def test_what_ends_with_kea_goes_on_with_the_next(link, place):
    script = Script(place, WAITS)
    kea = Contained(4, SUBNET4, place / "kea", [hook(script.path, wait=False, hook_points=["pkt4_receive"], concurrency=1)])
    with kea:
        stranger(link).dora()
        wait_until(script.lines, "an event")
    assert not inhabitants()
    assert kea.said("LEFT") == [
        f"{script.path}: 1 events wait for their turn, 0 of them in memory alone, and 1 are being handled"]
    script.gate()
    with kea:
        quiet(kea)
        # The first began anew.
        assert len(script.lines()) == 3 and kea.status()["failures"] == 0


DAEMON = """#!/bin/sh
read hello
echo '{{"hello":1}}'
while read -r line; do
    echo "$line" >>{lines}
    seq=${{line#*\\"seq\\":}}
    echo "{{\\"seq\\":${{seq%%,*}}}}"
done
"""

# Of an hour's leases each second is a hundredth of one, and so is its lifetime.
BRIEF = {"valid-lifetime": 2, "renew-timer": 1, "rebind-timer": 2,
         "expired-leases-processing": {"reclaim-timer-wait-time": 1, "flush-reclaimed-timer-wait-time": 3600,
                                       "hold-reclaimed-time": 3600, "max-reclaim-leases": 0, "max-reclaim-time": 0}}
POINTS = ["leases4_committed", "lease4_expire"]


def rows(kea):
    """Of each address, what became of its lease: 0 when it was given or renewed, 2 when it had ended."""
    with open(kea.lease_file) as file:
        return [(row["address"], row["state"]) for row in csv.DictReader(file)]


def all_have_ended(kea):
    states = dict(rows(kea)).values()
    return len(states) > 100 and set(states) == {"2"}


def expected(kea):
    """How many events of each hook point there have to be: each has its row in Kea's lease file."""
    states = [state for _, state in rows(kea)]
    return {"leases4_committed": states.count("0"), "lease4_expire": states.count("2")}


def counted(lines):
    return {point: sum(point in line for line in lines) for point in POINTS}


def test_an_hour_of_leases(link, place):
    """Compressed: many clients come, renew and go; reloads meanwhile; the stop, and the next start."""
    script = Script(place, LEAVES_A_CHILD)
    journal = place / "kea" / "journal"
    daemon = write_script(place / "daemon", DAEMON.format(lines=journal))
    common = {"wait": False, "hook-points": POINTS, "concurrency": 2}
    library = hook(scripts=[{"script": str(script.path), **common}, {"script": str(daemon), "mode": "daemon", **common}])
    kea = Contained(4, {**SUBNET4, **BRIEF}, place / "kea", [library])
    with kea:
        for turn in range(3):
            perfdhcp(link, 4, "-r", 50, "-R", 40, "-n", 40, "-f", 20, "-b", f"mac=02:00:00:00:{turn + 1:02x}:00", "-p", 2)
            kea.reload()
        wait_until(lambda: all_have_ended(kea), lambda: f"all leases' end ({expected(kea)})")
        quiet(kea)
        assert counted(script.lines()) == counted(journal.read_text().splitlines()) == expected(kea)
        kea.wait_for_no_zombie()
        # At the stop there is something to do.
        perfdhcp(link, 4, "-r", 200, "-R", 60, "-n", 60, "-b", "mac=02:00:00:00:09:00")
    assert not inhabitants()
    with kea:
        quiet(kea)
    # What was being handled when Kea was stopped may have begun anew.
    again = sum(map(int, re.findall(r"RUNSCRIPT_LEFT .* and (\d+) are being handled", kea.log())))
    for lines in script.lines(), journal.read_text().splitlines():
        assert 0 <= counted(lines)["leases4_committed"] - expected(kea)["leases4_committed"] <= again
    assert not re.findall(".* (?:WARN|ERROR) .* RUNSCRIPT_.*", kea.log())
