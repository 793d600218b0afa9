#!/usr/bin/python3
"""Known clients and others, as known-clients.sh does it. For "mode": "daemon"."""

import functools
import json
import os
import re
import sys

REGISTRY, RESTRICTED = sys.argv[1], int(sys.argv[2])    # "args" in Kea's configuration
DEFAULT = "00000000"    # the id of what those get that are not in the registry


def decide(hook, vars):
    """What Kea shall do, in the words of docs/answers.md; what is raised fails the event: on-failure."""
    kind, name = ("HW_ADDR", "KEA_QUERY4_HWADDR") if "4_" in hook else ("DUID", "KEA_QUERY6_DUID")
    who = bare(vars[name])
    if not who:    # nothing to look up
        return {"next": "drop"}
    file = os.stat(REGISTRY)
    users = registry(file.st_ino, file.st_size, file.st_mtime_ns)
    # This entry is no client's.
    known = users.get((kind, who)) if who != DEFAULT else None
    user = known or users.get((kind, DEFAULT), {})
    if hook in ("subnet4_select", "subnet6_select"):
        return {} if known else {"subnet-id": RESTRICTED}
    if hook == "pkt6_send":
        return {"option-data": options(user, bootfile="bootfile-url")}
    if vars["KEA_RESPONSE4_TYPE"] == "DHCPNAK":    # It has no such options.
        return {}
    field = {"boot-file-name": user["bootfile"]} if "bootfile" in user else {}
    return {"option-data": options(user, bootfile="boot-file-name", tftp_server="tftp-server-name"), **field}


def options(user, **names):
    """What the user has of these. A comma would end the value, and a backslash may stand before one."""
    return [{"name": name, "data": re.sub(r"[,\\]", r"\\\g<0>", user[key])} for key, name in names.items() if key in user]


@functools.lru_cache(maxsize=1)
def registry(*_):
    """The users by type and id, read again when the file has changed."""
    with open(REGISTRY, encoding="utf-8") as lines:
        users = [json.loads(line) for line in lines if line.strip()]
    return {(user["type"], bare(user["id"])): user for user in users}


def bare(identifier):
    return identifier.replace(":", "").lower()


# One event a line comes in, one answer a line goes out. The first is Kea's greeting.
event = None
for line in sys.stdin:
    event = json.loads(line)
    try:
        answer = {"hello": 1} if "hello" in event else {"seq": event["seq"], **decide(event["hook"], event["vars"])}
    except Exception as error:
        answer = {"seq": event["seq"], "failure": {"kind": "exit", "text": f"{type(error).__name__}: {error}"}}
    print(json.dumps(answer), flush=True)
if event is None:
    sys.exit('no greeting on standard input: is "mode": "daemon" missing?')
