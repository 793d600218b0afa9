"""Malformed reservations in answers: each is refused, and harms neither Kea nor who asks; valgrind looks on."""

import json
import random

import pytest

from rig.configs import SUBNETS
from rig.kea import HOOK, Kea, hook
from rig.memcheck import POSSIBLY_LOST, REACHABLE, Memcheck
from rig.recorder import write_script
from rig.reserver import client

EACH, PATIENCE = 2000, 120

DAEMON = """#!/usr/bin/python3
import json, sys
answers = [line.rstrip("\\n") for line in open({answers!r})]
told = 0
for line in sys.stdin:
    event = json.loads(line)
    if "hello" in event:
        print('{{"hello": 1}}', flush=True)
    else:
        print('{{"seq": %d, "reservation": %s}}' % (event["seq"], answers[told]), flush=True)
        told += 1
"""

NO_TEXTS = [None, 5, -1, 1.5, True, [], {}, [[]], {"a": 1}]
NO_LISTS = [None, 5, True, "x", {}, [None], [5], [[]], [{}], [""]]
LONG = ["x" * 20_000, "\0", "é" * 9000, "a\nb", "%s%n", "\\", "\"", " "]
OPTIONS = [[{}], [{"name": "routers", "data": "x"}], [{"name": 5}], [{"code": 0, "data": "1"}], [{"code": 70_000}], [{"name": "no-such"}],
           [{"name": "domain-name-servers", "data": "192.0.2.1", "always-send": 1}], [{"code": 6, "csv-format": False, "data": "0g"}],
           [{"code": 6, "csv-format": "x", "data": "00"}], [{"code": 6, "space": 7, "data": "00"}], [{"name": "x" * 20_000, "data": ""}]]
# Values that are wrong for a key; with any others beside them all of it is refused.
WRONG = {
    "ip-address": [*NO_TEXTS, *LONG, "192.0.2", "192.0.2.256", "::5", "0.0.0.0", "255.255.255.255", "203.0.113.5", "192.0.2.5/24"],
    "ip-addresses": [*NO_LISTS, ["192.0.2.5"], ["2001:db8::g"], ["2001:db8:9::5"], ["2001:db8::5/64"], ["::"] * 2000],
    "prefixes": [*NO_LISTS, ["2001:db8::"], ["2001:db8::/"], ["2001:db8::/0"], ["2001:db8::/129"], ["2001:db8::/300"], ["2001:db8::1/64"],
                 ["/64"], ["192.0.2.0/24"]],
    "hostname": [*NO_TEXTS, *LONG, "", "a b", "a..b", ".", "-" * 64],
    "option-data": [*NO_LISTS, *OPTIONS],
    "client-classes": [*NO_LISTS, ["x" * 256], ["\0"], ["a\nb"]],
    "user-context": [None, 5, True, "x", [], {"a": "x" * 20_000}],
    "next-server": [*NO_TEXTS, *LONG, "::5", "192.0.2.300"],
    "server-hostname": [*NO_TEXTS, "x" * 64, "\0"],
    "boot-file-name": [*NO_TEXTS, "x" * 128, "\0"],
    "hw-address": ["02:00:00:00:00:01", None, 5],
    "duid": ["00:01"],
    "subnet-id": [1, "x"],
    "": [None],
    "no-such-key": ["x", {}],
}
GOOD = {4: {"ip-address": "192.0.2.5", "hostname": "a", "client-classes": ["b"], "user-context": {}},
        6: {"ip-addresses": ["2001:db8::5"], "hostname": "a", "prefixes": ["2001:db8:7::/48"], "user-context": {}}}
NO_MAPS = [5, True, "x", [], {}, [[]], [{}], "null", 1e300]


def malformed(family, number, seed):
    chance = random.Random(seed)
    for _ in range(number):
        if chance.random() < 0.02:
            yield json.dumps(chance.choice(NO_MAPS))
            continue
        key = chance.choice(list(WRONG))
        good = {name: value for name, value in GOOD[family].items() if chance.random() < 0.5}
        yield json.dumps({**good, key: chance.choice(WRONG[key])})


@pytest.mark.long
@pytest.mark.parametrize("family", [4, 6])
def test_malformed_reservations(link, tmp_path, family):
    answers = tmp_path / "answers"
    answers.write_text("".join(line + "\n" for line in malformed(family, EACH, seed=family)))
    daemon = write_script(tmp_path / "daemon", DAEMON.format(answers=str(answers)))
    memcheck = Memcheck(tmp_path)
    library = hook(daemon, mode="daemon", answers=True, hook_points=[f"subnet{family}_select"], concurrency=1,
                   timeout=1000 * PATIENCE)
    with Kea(family, SUBNETS[family], tmp_path, [library], wrapper=memcheck.command, patience=PATIENCE) as kea:
        one = client(link, family)
        for _ in range(EACH):
            assert one.offered(PATIENCE) not in ([], {4: ["192.0.2.5"], 6: ["2001:db8::5"]}[family])
        status = kea.status()
        assert (status["refused"], status["failures"], status["done"]) == (EACH, 0, EACH), kea.said("EVENT_FAILED")
        assert kea.command("runscript-status")["arguments"]["reservations"] == 0
    ours = [finding for finding in memcheck.findings() if finding.concerns(HOOK.resolve())]
    # What Rust's library keeps of Kea's own thread is known by a pointer into its midst.
    assert not [str(finding) for finding in ours if finding.kind not in (REACHABLE, POSSIBLY_LOST)]
