"""The machine is up again: Kea has started by itself, and the events of before are handled."""

import json

from booted import machine
from booted.before_reboot import MEMORY
from booted.full import Trial


def test_all_events_of_before_are_handled():
    trial = Trial.__new__(Trial)
    trial.answered = json.loads(MEMORY.read_text())
    machine.wait_until(lambda: "DHCP4_STARTED" in machine.log(machine.unit(4)), lambda: machine.log(machine.unit(4)) or "Kea")
    print("rebooted", trial.check())
