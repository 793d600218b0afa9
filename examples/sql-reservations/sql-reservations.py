#!/usr/bin/python3
"""Reserves for each client what a database has for it, as sql-reservations.sh does it. For "mode": "daemon"."""

import contextlib
import json
import sqlite3
import sys
from pathlib import Path

DATABASE = sys.argv[1] if len(sys.argv) > 1 else "/var/lib/sql-reservations/hosts.db"    # "args" in Kea's configuration
READ_ONLY = f"{Path(DATABASE).as_uri()}?mode=ro"

# Who asks, and what a row says in Kea's own words; json_patch leaves out what is NULL.
LOOK_UP = {
    "subnet4_select": ("KEA_QUERY4_HWADDR", """
        SELECT json_patch('{}', json_object('ip-address', address, 'hostname', hostname, 'boot-file-name', boot_file,
                                            'option-data', json(options))) FROM hosts4 WHERE hw_address = ?"""),
    "subnet6_select": ("KEA_QUERY6_DUID", """
        SELECT json_patch('{}', json_object('ip-addresses', json_array(address), 'hostname', hostname,
                                            'option-data', json(options))) FROM hosts6 WHERE duid = ?"""),
}


def decide(hook, vars):
    """What Kea shall do, in the words of docs/answers.md; what is raised fails the event: on-failure."""
    name, select = LOOK_UP[hook]
    client = vars[name]
    if not client:    # nothing to look up
        return {}
    # Half a second for whoever writes there; "timeout" is longer. Opened anew, the file may be replaced.
    with contextlib.closing(sqlite3.connect(READ_ONLY, uri=True, timeout=0.5)) as database:
        row = database.execute(select, [client]).fetchone()
    # Without a row, None takes back what was reserved. Either holds for ten seconds.
    return {"keep-for": 10, "reservation": row and json.loads(row[0])}


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
