"""Events are pending when the machine goes down."""

import json
from pathlib import Path

from booted import machine
from booted.full import JOURNAL, Trial
from booted.machine import sh

MEMORY = Path("/srv/vm/answered.json")


def test_events_are_pending():
    if not machine.has_locals():
        machine.add_rule(4, "include if exists <local/usr.sbin.kea-dhcp4>")
    with machine.wire() as link:
        trial = Trial(link, seconds=2, clients=8)
        for _ in range(4):
            trial.round()
        assert machine.status(4)["pending"] > 10
    MEMORY.write_text(json.dumps(trial.answered))
    # Kea starts where its interface is not there yet.
    sh("systemctl enable kea-dhcp4-server kea-runscript@journal.socket; sync")
    assert JOURNAL.exists()
