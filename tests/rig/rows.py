"""Which rows of the reference in docs/ have been met on a real Kea: a run of all tests fails if one has not.

Hook points, and the keys that an answer may have there, have a test for each row: test_rows.py.
"""

import re
from pathlib import Path

PAGES = Path(__file__).resolve().parents[2] / "docs"

# A message, a parameter, or a key of runscript-status that was more than nothing.
MET = set()

# What no test can cause, and why. One that is met all the same does not belong here.
UNMET = {
    "RUNSCRIPT_PANIC": "it would be a defect of the library's; src/guard.rs has a test",
    "RUNSCRIPT_SHIM_FAILED": "no packet is known over which Kea's own code throws there",
}


def documented():
    """All rows, by their names."""
    messages = re.findall(r"^\| `(RUNSCRIPT_\w+)` \|", (PAGES / "messages.md").read_text(), re.M)
    parameters = re.findall(r"^\| `([\w-]+)`(?:, alias `([\w-]+)`)? \|", (PAGES / "parameters.md").read_text(), re.M)
    status = re.findall(r"^\| `([\w-]+)` \| .* \|", (PAGES / "operation.md").read_text().partition("## Looking inside")[2], re.M)
    return {*messages, *(name for names in parameters for name in names if name), *status}


def read_log(log):
    MET.update(re.findall(r"\] (RUNSCRIPT_\w+)", log))


def read_parameters(parameters):
    """Some are no maps: a test of what is refused has written them."""
    for one in [parameters, *parameters.get("scripts", [])]:
        MET.update(one if isinstance(one, dict) else [])


def read_status(answer):
    for script in answer.get("arguments", {}).get("scripts", []):
        MET.update(key for key, value in script.items() if value)


def complaints():
    """What a run of all tests has to say of itself."""
    missing = [f"{row} is met by no test" for row in documented() - MET - set(UNMET)]
    return sorted(missing + [f"{row} is met, and rig/rows.py says that none can" for row in MET & set(UNMET)])
