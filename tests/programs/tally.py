#!/usr/bin/env python3
"""A quick handler on standard input and output: tally.py FILE GATE

It answers each event, and writes a line for it to FILE: number, hardware address. Before GATE is there, it puts off each.
"""

import json
import os
import sys

FILE, GATE = sys.argv[1:]


def say(answer):
    print(json.dumps(answer), flush=True)


is_open = False
sys.stdin.readline()
say({"hello": 1, "ahead": 32})
with open(FILE, "a", buffering=1) as file:
    for event in map(json.loads, sys.stdin):
        is_open = is_open or os.path.exists(GATE)
        if is_open:
            print(event["seq"], event["vars"]["KEA_QUERY4_HWADDR"], file=file)
        say({"seq": event["seq"], **({} if is_open else {"again": 1})})
