"""Answers with `query-option-data`, and a program that answers what the client's own packet tells it to."""

import json

from .kea import hook
from .recorder import write_script

AGENT_SPACE = "dhcp-agent-options-space"
# The option by which a client tells the program below what to answer.
WISH = {4: 250, 6: 65000}

OBEYS = """\
#!/usr/bin/python3
import json, sys
for line in sys.stdin:
    event = json.loads(line)
    wish = event.get("vars", {}).get("KEA_QUERY%s_OPTION_%s", "0x")
    options = json.loads(bytes.fromhex(wish[2:]) or "[]")
    answer = {"hello": 1} if "hello" in event else {"seq": event["seq"], "query-option-data": options}
    print(json.dumps(answer), flush=True)
"""


def query(*options):
    """An answer that makes these options of the query."""
    return {"query-option-data": list(options)}


def agent(option, data, **more):
    """A sub-option of option 82, by name or code; None removes it."""
    return {"name" if isinstance(option, str) else "code": option, "data": data, "space": AGENT_SPACE, **more}


def obeying(family, directory):
    """The library with a daemon that makes those options of the query that the client names: see `wish`."""
    program = write_script(directory / "obeys.py", OBEYS % (family, WISH[family]))
    return hook(program, mode="daemon", answers=True, hook_points=[f"pkt{family}_receive"])


def wish(family, *options):
    """The client's option for it."""
    return WISH[family], json.dumps(options, separators=(",", ":")).encode()
