#!/usr/bin/python3
"""The access line that a client is on, as flexible-identifier.sh says it. For "mode": "daemon"."""

import json
import re
import sys


def decide(hook, vars):
    """What Kea shall do, in the words of docs/answers.md; what is raised fails the event."""
    if hook == "host4_identifier":
        named = "KEA_QUERY4_OPTION_82_SUB_1"    # Circuit ID (RFC 3046)
    else:
        nearest = int(vars["KEA_QUERY6_RELAYS"]) - 1    # to the client; 0 is the one nearest to the server
        named = f"KEA_QUERY6_RELAY{nearest}_OPTION_18"    # Interface-Id (RFC 8415)
    # Hexadecimal digits, two a byte; what is there twice is no line's name.
    line = re.fullmatch("0x([0-9a-f]+)", vars.get(named, ""))
    # ge-0/0/7:100 is line ge-0/0/7, here in VLAN 100.
    line = line and re.sub(rb":[0-9]+\Z", b"", bytes.fromhex(line[1]))
    return {"flex-id": "0x" + line.hex()} if line else {}


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
