"""A callout costs Kea's thread no more instructions than are on record. Unlike time, that is the same on a busy machine.

    UPDATE_INSTRUCTIONS=1 tests/run tests/test_instructions.py    # puts what is counted now on record
"""

import json
import os
import platform
from statistics import median

import pytest

from rig.callout import instructions
from rig.kea import REPOSITORY, hook, version
from rig.programs import compiled

RECORDS = REPOSITORY / "tests" / "bench" / "instructions.json"
KEA = ".".join(map(str, version()))
TOLERANCE = 0.1    # of the record; two runs of the same library differ by a hundredth at most
LANES = 8          # enough that one is always idle, so that an event never has to queue, however busy the machine is

LEASE_EVENTS = {4: {"hook_points": ["lease4_changed"], "replay": False}, 6: {"hook_points": ["lease6_changed"], "replay": False}}

CASES = {
    "pkt4_receive": {},
    "leases4_committed": {},
    "lease6_select": {},    # of a client behind two relays
    "leases6_committed": {},
    "leases4_committed, waiting": {"wait": True},
    "lease4_renew, kept": {"wait": True, "answers": True, "args": ["keep"]},
    # What lease events take of Kea, at its own hook points.
    "lease4_select, for lease4_changed": LEASE_EVENTS[4],
    "leases4_committed, for lease4_changed": LEASE_EVENTS[4],
    "lease6_select, for lease6_changed": LEASE_EVENTS[6],
    "leases6_committed, for lease6_changed": LEASE_EVENTS[6],    # of two leases
}


def records():
    return json.loads(RECORDS.read_text()) if RECORDS.exists() else {}


def put_on_record(case, count):
    all_records = records()
    all_records.setdefault(KEA, {})[case] = count
    RECORDS.write_text(json.dumps(all_records, indent=1, sort_keys=True) + "\n")


@pytest.mark.alone
@pytest.mark.skipif(platform.machine() != "x86_64", reason="the instructions on record are those of x86_64")
@pytest.mark.parametrize("case", CASES)
def test_a_callout_costs_what_is_on_record(case, tmp_path):
    hook_point = case.split(",")[0]
    parameters = {"wait": False, "hook_points": [hook_point], **CASES[case]}
    daemon = hook(compiled("echo", tmp_path), mode="daemon", concurrency=LANES, spool=False, **parameters)
    counts = instructions(daemon, hook_point, tmp_path, leases=1)
    count = round(median(counts))
    print(f"{case}: {count} instructions ({min(counts):.0f} to {max(counts):.0f})")
    if "UPDATE_INSTRUCTIONS" in os.environ:
        return put_on_record(case, count)
    record = records().get(KEA, {}).get(case)
    if record is None:
        pytest.skip(f"no record for Kea {KEA}: UPDATE_INSTRUCTIONS=1 tests/run tests/test_instructions.py makes one")
    assert count <= record * (1 + TOLERANCE), f"{count} instructions instead of {record}: a callout has become dearer"
    assert count >= record * (1 - TOLERANCE), (
        f"{count} instructions instead of {record}: a callout has become cheaper, and the record is to say so: "
        "UPDATE_INSTRUCTIONS=1 tests/run tests/test_instructions.py")
