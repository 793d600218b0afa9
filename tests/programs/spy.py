#!/usr/bin/python3
"""What a program can do that runs as Kea's user: notes it beside itself, at each event.

spy.py HOOK-POINT, once per event, or spy.py alone, as a daemon. The file `pid` beside it names Kea's process.
"""

import ctypes
import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
SETS = {"CapInh": "inheritable", "CapPrm": "permitted", "CapEff": "effective", "CapAmb": "ambient", "CapBnd": "bounding"}


def opens(path, mode):
    try:
        with open(path, mode) as file:
            file.read(1) if mode == "rb" else None
        return True
    except PermissionError:
        return False


def dies_by():
    """The signal that comes when whoever has started this ends (PR_GET_PDEATHSIG)."""
    number = ctypes.c_int()
    ctypes.CDLL(None).prctl(2, ctypes.byref(number))
    return number.value


def look():
    kea = Path("/proc", (HERE / "pid").read_text())
    status = dict(line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":\t" in line)
    route = ["/usr/sbin/ip", "route", "replace", "198.51.100.0/24", "dev", "vs"]
    found = {
        **{name: int(status[field], 16) for field, name in SETS.items()},
        "dies by": dies_by(),
        "environ": opens(kea / "environ", "rb"),
        "mem": opens(kea / "mem", "r+b"),
        "route": subprocess.run(route, stderr=subprocess.DEVNULL).returncode == 0,
    }
    (HERE / "found.new").write_text(json.dumps(found))
    (HERE / "found.new").rename(HERE / "found")


if len(sys.argv) > 1:
    look()
else:
    for line in sys.stdin:
        event = json.loads(line)
        if "seq" in event:
            look()
        print(json.dumps({"seq": event["seq"]} if "seq" in event else {"hello": 1}), flush=True)
