#!/usr/bin/python3
"""Gives clients the class and the boot file of an LDAP directory, as ldap-classes.sh does it. For "mode": "daemon"."""

import json
import sys

import ldap
from ldap.filter import filter_format

SERVER, BASE = sys.argv[1:]    # "args" in Kea's configuration


def decide(hook, vars):
    """What Kea shall do, in the words of docs/answers.md; what is raised fails the event: on-failure."""
    address = vars["KEA_QUERY4_HWADDR"]
    if not address:    # nothing to look up
        return {}
    entry = find(filter_format("(&(objectClass=ieee802Device)(macAddress=%s))", [address]))
    reservation = {}
    if "ou" in entry:
        reservation["client-classes"] = [name.decode() for name in entry["ou"]]
    if "bootFile" in entry:
        [file] = entry["bootFile"]    # or that is an error
        reservation["boot-file-name"] = file.decode()
    # Without an entry, nothing is reserved any more. Either holds for ten seconds.
    return {"keep-for": 10, "reservation": reservation or None}


def find(wanted):
    """The one entry; a second is an error. Connected anew, the server may have been started anew."""
    directory = ldap.initialize(SERVER)
    try:
        # A second to connect, and one for the answer; "timeout" in Kea's configuration is longer.
        directory.set_option(ldap.OPT_NETWORK_TIMEOUT, 1)
        directory.set_option(ldap.OPT_REFERRALS, 0)
        found = directory.search_ext_s(BASE, ldap.SCOPE_SUBTREE, wanted, ["ou", "bootFile"], timeout=1, sizelimit=1)
    finally:
        directory.unbind_s()
    return next((entry for name, entry in found if name), {})


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
