#!/usr/bin/python3
"""Drops the packets of clients that are in a list, as block-list.sh does it. For "mode": "daemon"."""

import functools
import json
import os
import sys

LIST = sys.argv[1] if len(sys.argv) > 1 else "/etc/kea/block-list"    # "args" in Kea's configuration


def decide(hook, vars):
    """What Kea shall do, in the words of docs/answers.md; what is raised fails the event: on-failure."""
    # Of a DHCPv6 client Kea may not know the hardware address, but it has a DUID.
    names = ("KEA_QUERY4_HWADDR", "KEA_QUERY6_HWADDR", "KEA_QUERY6_DUID")
    who = {vars[name] for name in names if vars.get(name)}
    if not who:    # nothing to look up
        return {"next": "drop"}
    file = os.stat(LIST)
    blocked = clients(file.st_ino, file.st_size, file.st_mtime_ns)
    return {"next": "drop"} if who & blocked else {}


@functools.lru_cache(maxsize=1)
def clients(*_):
    """The list, read again when the file has changed: a client a line, and what follows "#" is a remark."""
    with open(LIST, encoding="utf-8-sig", errors="replace") as lines:
        return {line.partition("#")[0].strip().lower() for line in lines}


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
