#!/usr/bin/python3
# pkt4_receive: a client that begins anew within ten seconds is refused. For "mode": "daemon" with "concurrency": 1.
import json, sys, time
served = {}    # when each client was, the longest ago first
for event in map(json.loads, sys.stdin):
    answer, now = {"hello": 1} if "hello" in event else {"seq": event["seq"]}, time.monotonic()
    while served and now - next(iter(served.values())) >= 10:
        del served[next(iter(served))]
    client = event.get("vars", {})
    if client.get("KEA_QUERY4_TYPE") == "DHCPDISCOVER" and served.setdefault(client["KEA_QUERY4_HWADDR"], now) != now:
        answer["next"] = "drop"
    print(json.dumps(answer), flush=True)
