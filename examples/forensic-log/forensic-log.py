#!/usr/bin/python3
"""Writes down who had which address when, in the words of Kea's hook library legal_log. For "mode": "daemon"."""

import datetime
import json
import os
import sys

# "args" in Kea's configuration: the directory, and what the files' names begin with.
DIRECTORY, NAME = sys.argv[1], sys.argv[2]
TAIL = 1 << 20    # bytes of a file in which a repeated event is looked for
FOREVER = 0xffffffff


def entries(hook, vars):
    """What there is to say of an event: one line each lease."""
    if hook.startswith("leases"):
        leases = hook[:7].upper()
        renewed = vars.get("KEA_QUERY4_CIADDR", "0.0.0.0") != "0.0.0.0" or vars.get("KEA_QUERY6_TYPE") in ("RENEW", "REBIND")
        said = "has been renewed" if renewed else "has been assigned"
        given = [f"KEA_{leases}_AT{n}_" for n in range(int(vars[f"KEA_{leases}_SIZE"]))]
        # A declined lease is in the list too, and has an event of its own.
        return [entry(vars, lease, said, duration(vars[lease + "VALID_LIFETIME"]) + " to")
                for lease in given if vars[lease + "STATE"] == "default"]
    said = {"release": "has been released", "decline": "has been declined", "expire": "has expired"}[hook.rpartition("_")[2]]
    return [entry(vars, f"KEA_{hook[:6].upper()}_", said, " from")]


def entry(vars, lease, said, link):
    address = vars.get(lease + "DELEGATED_PREFIX") or vars[lease + "ADDRESS"]
    user_context = vars.get(lease + "USER_CONTEXT")
    return (f"Address: {address} {said}{link} a device with {device(vars, lease)}{''.join(way(vars))}"
            + (f", context: {user_context}" if user_context else ""))


def duration(seconds):
    seconds = int(seconds)
    if seconds == FOREVER:
        return " for infinite duration"
    days, hours, minutes, rest = seconds // 86400, seconds // 3600 % 24, seconds // 60 % 60, seconds % 60
    return f" for {f'{days} days ' if days else ''}{hours} hrs {minutes} mins {rest} secs"


def device(vars, lease):
    duid, hardware, client = (vars.get(lease + name) for name in ("CLIENT_DUID", "HWADDR", "CLIENT_ID"))
    # Only a query knows of what type a hardware address is.
    kind = vars.get("KEA_QUERY4_HWADDR_TYPE") or vars.get("KEA_QUERY6_HWADDR_TYPE")
    hardware = hardware and "hardware address: " + (f"hwtype={kind} " if kind else "") + hardware
    known = " and ".join(filter(None, [duid and f"DUID: {duid}", hardware]))
    return (known or "no hardware address") + (f", client-id: {client}" if client else "")


def way(vars):
    """The relays that the query has come by, with what they have added."""
    if vars.get("KEA_QUERY4_GIADDR", "0.0.0.0") != "0.0.0.0":
        yield f" connected via relay at address: {vars['KEA_QUERY4_GIADDR']}"
        yield identified(vars, "KEA_QUERY4_OPTION_82_SUB_", {1: "circuit-id", 2: "remote-id", 6: "subscriber-id"})
    for n in range(int(vars.get("KEA_QUERY6_RELAYS", 0))):
        relay = f"KEA_QUERY6_RELAY{n}_"
        yield (f" connected via relay at address: {vars[relay + 'PEER_ADDRESS']} for client on link address: "
               f"{vars[relay + 'LINK_ADDRESS']}, hop count: {vars[relay + 'HOPS']}")
        yield identified(vars, relay + "OPTION_", {37: "remote-id", 38: "subscriber-id", 18: "interface-id"})


def identified(vars, prefix, names):
    """Bytes of a relay, and their text if that can be read."""
    found = []
    for code, name in names.items():
        data = bytes.fromhex(vars.get(f"{prefix}{code}", "0x")[2:])
        text = data.decode("latin-1")
        if data:
            found.append(f"{name}: {data.hex(':')}" + (f" ({text})" if text.isascii() and text.isprintable() else ""))
    return ", identified by " + " and ".join(found) if found else ""


def write(event):
    """Appends what the file of the event's day does not have: of a repeated event, nothing."""
    when = datetime.datetime.fromtimestamp(event["time"]).astimezone()
    number = f", event: {event['vars']['KEA_EVENT_ID']}\n"
    path = os.path.join(DIRECTORY, f"{NAME}.{when:%Y%m%d}.txt")
    with open(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o640), "r+b", buffering=0) as file:
        # Many at once come in order, so that a repeat is near the end.
        end = file.seek(0, os.SEEK_END)
        file.seek(max(0, end - TAIL))
        tail = file.read()
        # Killed as it wrote: an entry without its end is none.
        file.truncate(end - len(tail) + tail.rfind(b"\n") + 1)
        there = tail.count(number.encode())
        lines = [f"{when:%Y-%m-%d %H:%M:%S %Z} {text}{number}" for text in entries(event["hook"], event["vars"])]
        file.write("".join(lines[there:]).encode())


# One event a line comes in, one answer a line goes out. The first is Kea's greeting.
event = None
for line in sys.stdin:
    event = json.loads(line)
    if "hello" in event:
        print(json.dumps({"hello": 1}), flush=True)
        continue
    try:
        write(event)
        answer = {}
    except OSError as error:
        # The disk is full, say: once more, later. With one lane, all others wait for it.
        answer = {"again": 0, "log": [{"level": "error", "text": str(error), "repeats": True}]}
    except Exception as error:
        answer = {"failure": {"kind": "exit", "text": f"{type(error).__name__}: {error}"}}
    print(json.dumps({"seq": event["seq"], **answer}), flush=True)
if event is None:
    sys.exit('no greeting on standard input: is "mode": "daemon" missing?')
