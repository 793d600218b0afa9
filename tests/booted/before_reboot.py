"""Events are pending when the machine goes down."""

import json
from pathlib import Path

from booted import machine
from booted.full import JOURNAL, Trial
from booted.machine import sh

MEMORY = Path("/srv/vm/answered.json")
# Kea's interface, which is the tests' own before.
WIRE = """\
[Unit]
Before=kea-dhcp4-server.service
[Service]
Type=oneshot
ExecStart=ip link add eth0 type dummy
ExecStart=ip link set eth0 up
[Install]
WantedBy=multi-user.target
"""


def test_events_are_pending():
    if not machine.has_locals():
        machine.add_rule(4, "include if exists <local/usr.sbin.kea-dhcp4>")
    with machine.wire() as link:
        trial = Trial(link, seconds=2, clients=8)
        for _ in range(4):
            trial.round()
        assert machine.status(4)["pending"] > 10
    MEMORY.write_text(json.dumps(trial.answered))
    Path("/etc/systemd/system/wire.service").write_text(WIRE)
    sh("systemctl enable wire kea-dhcp4-server kea-runscript@journal.socket; sync")
    assert JOURNAL.exists()
