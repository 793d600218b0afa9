#!/usr/bin/python3
"""Clients that are not signed in get the class "portal", as captive-portal.sh does it. For "mode": "daemon"."""

import contextlib
import json
import sqlite3
import sys
from pathlib import Path

DATABASE = sys.argv[1] if len(sys.argv) > 1 else "/var/lib/captive-portal/clients.db"    # "args" in Kea's configuration
READ_ONLY = f"{Path(DATABASE).as_uri()}?mode=ro"

SIGNED_IN = "SELECT count(*) FROM signed_in WHERE hw_address = ? AND until > unixepoch()"


def decide(hook, vars):
    """What Kea shall do, in the words of docs/answers.md; what is raised fails the event: on-failure."""
    address = vars["KEA_QUERY4_HWADDR"]
    if not address:    # Nobody has signed in without one.
        return {"next": "drop"}
    # Half a second for whoever writes there; "timeout" is longer. Opened anew, the file may be replaced.
    with contextlib.closing(sqlite3.connect(READ_ONLY, uri=True, timeout=0.5)) as database:
        [(signed_in,)] = database.execute(SIGNED_IN, [address])
    return {} if signed_in else {"client-classes": ["portal"]}


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
