"""`KEA_EVENT_ID`, `KEA_EVENT_TIME`, `KEA_EVENT_ATTEMPT`: which event it is, when it happened, and which try this is."""

import re
import time

import pytest

from rig.configs import SUBNET4, THREADS
from rig.dhcp4 import ACK, OFFER, stranger
from rig.kea import Kea, hook
from rig.recorder import Printer, Recorder
from rig.wait import quiet

POINTS = ["pkt4_receive", "lease4_select", "leases4_committed", "pkt4_send"]


def number(identifier):
    """An id's number, once all of it is as the docs say."""
    return int(re.fullmatch(r"[0-9a-f]{16}-([1-9][0-9]*)", identifier)[1])


@pytest.mark.parametrize("threads", [{}, THREADS], ids=["single", "threads"])
@pytest.mark.parametrize("wait", [True, False], ids=["wait", "nowait"])
def test_each_event_has_an_id_of_its_own(link, tmp_path, wait, threads):
    recorders = [Recorder(tmp_path, name=name) for name in ("one", "other")]
    scripts = [{"script": str(recorder.script), "hook-points": POINTS, "wait": wait} for recorder in recorders]
    before = time.time()
    with Kea(4, {**SUBNET4, **threads}, tmp_path, [hook(scripts=scripts)]) as kea:
        assert stranger(link).dora().type == ACK
        quiet(kea)
        calls = [recorder.calls() for recorder in recorders]
    for own in calls:
        # A DISCOVER meets all but leases4_committed.
        assert len(own) == 7
        numbers = [number(call["KEA_EVENT_ID"]) for call in own]
        assert numbers == sorted(numbers) and numbers[-1] < 2**53
        times = [float(call["KEA_EVENT_TIME"]) for call in own]
        assert before <= times[0] and times == sorted(times) and times[-1] <= time.time()
        assert {call["KEA_EVENT_ATTEMPT"] for call in own} == {"1"}
    assert len({call["KEA_EVENT_ID"] for own in calls for call in own}) == 14


def test_ids_go_on_over_a_reload_and_a_restart(link, tmp_path, recorder):
    client, seen = stranger(link), []
    library = hook(recorder.script, hook_points=["pkt4_receive"])
    with Kea(4, SUBNET4, tmp_path, [library]) as kea:
        assert client.discover().type == OFFER
        kea.reload()
        assert client.discover().type == OFFER
    with Kea(4, SUBNET4, tmp_path, [library]):
        assert client.discover().type == OFFER
    seen = [call["KEA_EVENT_ID"] for call in recorder.calls()]
    assert len(set(seen)) == 3
    first, second, third = map(number, seen)
    assert first < second < third
    assert seen[0][:16] == seen[1][:16] != seen[2][:16]


@pytest.mark.parametrize("wait", [True, False], ids=["wait", "nowait"])
def test_a_repeat_has_the_same_id_and_says_so(link, tmp_path, wait):
    printer = Printer(tmp_path, "$KEA_EVENT_ID $KEA_EVENT_TIME $KEA_EVENT_ATTEMPT", then="kill -9 $PPID")
    with Kea(4, SUBNET4, tmp_path, [hook(printer.script, hook_points=["pkt4_receive"], wait=wait, on_failure="continue")]) as kea:
        assert stranger(link).discover().type == OFFER
        quiet(kea)
        tries = [line.split() for line in printer.lines()]
    assert [attempt for *_, attempt in tries] == ["1", "2", "3"]
    assert len({(identifier, when) for identifier, when, _ in tries}) == 1


def test_the_lines_of_a_daemon_have_the_same_number(link, tmp_path):
    output = tmp_path / "seen"
    daemon = tmp_path / "daemon.py"
    daemon.write_text(f"""#!/usr/bin/python3
import json, sys
for line in sys.stdin:
    event = json.loads(line)
    if "hello" not in event:
        print(event["seq"], event["time"], event["vars"]["KEA_EVENT_ID"], event["vars"]["KEA_EVENT_TIME"],
              file=open("{output}", "a"))
    print(json.dumps({{"hello": 1}} if "hello" in event else {{"seq": event["seq"]}}), flush=True)
""")
    daemon.chmod(0o755)
    with Kea(4, SUBNET4, tmp_path, [hook(daemon, mode="daemon", hook_points=["pkt4_receive"])]):
        assert stranger(link).discover().type == OFFER
    seq, when, identifier, text = output.read_text().split()
    assert int(seq) == number(identifier)
    assert abs(float(when) - float(text)) < 1e-6
