"""Nothing is lost and all is in order when the service or Kea ends amid events; restarts take no longer than what runs; upgrades."""

import os
import shutil
import time
from pathlib import Path

import pytest

from booted import machine
from booted.machine import PACKAGE, sh, start, wait_until
from rig.dhcp4 import ACK, Client4

NAME = "journal"
UNIT = f"kea-runscript@{NAME}"
JOURNAL = Path("/var/lib/private/kea-runscript/journal/journal")
TOLD = {"wait": False, "hook_points": ["leases4_committed"], "concurrency": 4}

# A line at the start and one at the end.
SCRIPT = """\
#!/bin/sh
event="$KEA_LEASES4_AT0_HWADDR $KEA_EVENT_ID"
echo "> $event" >>journal
/bin/sleep {seconds}
echo "< $event" >>journal
"""


@pytest.fixture(scope="module")
def link():
    with machine.wire() as link:
        yield link


def journal(seconds):
    """The service of a script that takes so long."""
    script = Path("/usr/share/kea/scripts/journal.sh")
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text(SCRIPT.format(seconds=seconds))
    script.chmod(0o755)
    JOURNAL.unlink(missing_ok=True)
    return machine.service(NAME, script)


class Trial:
    """Clients whose leases are committed again and again; what was answered has to be in the journal, in order."""

    def __init__(self, link, seconds=0.3, clients=6):
        self.clients = [Client4(link, f"02:00:00:00:02:{n:02x}") for n in range(clients)]
        self.answered = {client.mac: 0 for client in self.clients}
        machine.configure(4, socket=journal(seconds), **TOLD)
        start(4)

    def round(self):
        for client in self.clients:
            assert client.dora(timeout=20).type == ACK
            self.answered[client.mac] += 1

    def check(self):
        wait_until(lambda: machine.status(4)["pending"] == 0, lambda: f"the end of all events: {machine.status(4)}", 180)
        ids = {mac: [] for mac in self.answered}
        for line in JOURNAL.read_text().splitlines():
            mark, mac, event = line.split()
            if mark == ">":
                ids[mac].append(event)
        for mac, count in self.answered.items():
            firsts = list(dict.fromkeys(ids[mac]))
            assert len(firsts) >= count, f"{mac}: {count} answers, {len(firsts)} events"
            order = [int(event.rpartition("-")[2]) for event in firsts]
            assert order == sorted(order), f"{mac}: {firsts}"
        return {"events": sum(map(len, ids.values())), "answers": sum(self.answered.values())}


DEEDS = {
    "killed": lambda: sh(f"systemctl kill -s KILL {UNIT}.service"),
    "restarted": lambda: sh(f"systemctl restart {UNIT}.service"),
    "stopped": lambda: sh(f"systemctl stop {UNIT}.service"),
}


@pytest.mark.parametrize("deed", DEEDS)
def test_the_service_ends_amid_events(link, deed):
    trial = Trial(link)
    for _ in range(3):
        trial.round()
        DEEDS[deed]()
        trial.round()
    print(deed, trial.check())


def test_the_service_is_masked_for_a_while(link):
    trial = Trial(link)
    trial.round()
    sh(f"systemctl mask --now {UNIT}.service {UNIT}.socket")
    trial.round()
    sh(f"systemctl unmask {UNIT}.service {UNIT}.socket && systemctl start {UNIT}.socket")
    trial.round()
    print("masked", trial.check())


def test_kea_is_killed_amid_events(link):
    if not machine.has_locals():
        machine.add_rule(4, "include if exists <local/usr.sbin.kea-dhcp4>")
    trial = Trial(link)
    for _ in range(3):
        trial.round()
        sh("systemctl kill -s KILL kea-dhcp4-server")
        wait_until(lambda: sh("systemctl show -P ActiveState kea-dhcp4-server").strip() != "active", "the end of Kea")
        start(4)
    print("Kea killed", trial.check())


def test_a_restart_of_kea_waits_for_what_runs_only(link):
    """100 events of a script that takes 2 s are pending."""
    trial = Trial(link, seconds=2, clients=10)
    for _ in range(10):
        trial.round()
    assert machine.status(4)["pending"] > 80
    began = time.monotonic()
    sh("systemctl restart kea-dhcp4-server")
    took = time.monotonic() - began
    print(f"restart: {took:.1f} s with 100 pending")
    assert took < 10
    wait_until(lambda: "DHCP4_STARTED" in machine.log(machine.unit(4)), "Kea")
    print("restarted", trial.check())


OLD = Path("/srv/vm/build/old.deb")


@pytest.mark.skipif(not OLD.exists(), reason="no package of before was given")
def test_an_upgrade_from_the_first_package(link):
    """Who has Kea start programs goes on with it, and is told; a line that was removed stays removed."""
    sh("systemctl stop kea-dhcp4-server kea-dhcp6-server; apt-get purge -q -y kea-hook-runscript")
    sh(f"apt-get install -q -y --allow-downgrades {OLD}")
    if not machine.has_locals():
        machine.add_rule(6, "include if exists <local/usr.sbin.kea-dhcp6>")
    shutil.copy(machine.ROUTES / "prefix-routes.sh", "/usr/share/kea/scripts")
    os.chmod(machine.SCRIPT, 0o755)
    machine.configure(6, script=machine.SCRIPT, hook_points=["leases6_committed"])
    start(6)
    machine.remove_rule(4, "include if exists <abstractions/kea-hook-runscript>")
    said = sh(f"apt-get install -q -y --allow-downgrades {PACKAGE} 2>&1")
    assert "so that kea-dhcp6 may go on starting programs" in said and "kea-dhcp4 may go on" not in said
    start(6)
    assert machine.EXEC in Path("/etc/apparmor.d/local/usr.sbin.kea-dhcp6").read_text()
    assert "kea-hook-runscript" not in Path("/etc/apparmor.d/local/usr.sbin.kea-dhcp4").read_text()
    machine.remove_rule(6, machine.EXEC)
    sh(f"apt-get install -q -y --reinstall {PACKAGE}")
    assert machine.EXEC not in Path("/etc/apparmor.d/local/usr.sbin.kea-dhcp6").read_text()
