"""What Kea's log says of scripts, in plain words."""

import json
import re
import sys

import pytest

from rig.answers import answerer
from rig.configs import SUBNET4, SUBNET6, SUBNETS, THREADS
from rig.dhcp4 import ACK, DISCOVER, OFFER, stranger
from rig.dhcp6 import Client6
from rig.handlers import handler
from rig.kea import Kea, hook, version
from rig.park import ask_for
from rig.recorder import write_script
from rig.wait import quiet, wait_until

THREADING = pytest.mark.parametrize("threads", [{}, THREADS], ids=["single", "threads"])


# A verdict leaves a trace

def shown(kea):
    """What is said of each verdict, without the script."""
    return [line.partition(" at ")[2] for line in kea.said("VERDICT")]


@pytest.mark.parametrize("answer, said", [
    (0, "continue"), (10, "skip"), (20, "drop"), ({"next": "drop"}, "drop"),
    ({"client-classes": ["ALL"], "colour": "red"}, 'continue {"client-classes":["ALL"],"colour":"red"}'),
    (3, "no verdict: exit status 3")], ids=str)
@pytest.mark.parametrize("wait", [True, "park"])
@THREADING
def test_what_a_script_has_said(link, tmp_path, answer, said, wait, threads):
    point = "pkt4_receive" if wait is True else "leases4_committed"
    if wait == "park" and said == "skip":
        pytest.skip("leases4_committed knows no skip")
    with Kea(4, {**SUBNET4, **threads}, tmp_path, [answerer(tmp_path, {point: answer}, wait=wait)], "DEBUG", 40) as kea:
        client = stranger(link)
        if wait == "park":
            offer = client.discover()
            ask_for(client, offer)
            about = subjects(client.mac, offer.yiaddr)
        else:
            client.send(client.message(DISCOVER))
            about = client.mac
        wait_until(lambda: kea.said("VERDICT"), "the verdict")
        assert shown(kea) == [f"{point}, {about}: {said}"]


def subjects(*texts):
    return ", ".join(sorted(texts))


def test_the_verdict_on_a_lease_names_it(link, tmp_path):
    with Kea(6, SUBNET6, tmp_path, [answerer(tmp_path, {"lease6_select": {"valid-lft": 600}})], "DEBUG", 40) as kea:
        with Client6(link, pd=[1]) as client:
            leases = client.sarr().leases
        lines = shown(kea)
        duid = client.duid.hex(":")
        assert len(lines) == 4
        for lease in leases:
            assert f'lease6_select, {subjects(duid, lease)}: continue {{"valid-lft":600}}' in lines


@pytest.mark.parametrize("severity, level", [("INFO", 0), ("DEBUG", 39)])
def test_no_verdict_is_shown_unless_asked_for(link, tmp_path, severity, level):
    with Kea(4, SUBNET4, tmp_path, [answerer(tmp_path, {"pkt4_receive": 0})], severity, level) as kea:
        assert stranger(link).dora().type == ACK
        assert kea.status()["events"] == 2 and not kea.said("VERDICT")


def test_verdicts_of_our_logger_alone(link, tmp_path):
    """By the name that docs/messages.md has for it; what nobody waits for has no verdict."""
    points = ["pkt4_receive", {"name": "pkt4_send", "wait": False}]
    kea = Kea(4, SUBNET4, tmp_path, [hook("/bin/true", hook_points=points)])
    ours = {**kea.logger, "name": "kea-dhcp4.runscript", "severity": "DEBUG", "debuglevel": 40}
    kea.configure({**SUBNET4, "loggers": [kea.logger, ours]}, [hook("/bin/true", hook_points=points)])
    with kea:
        client = stranger(link)
        assert client.dora().type == ACK
        quiet(kea)
        assert kea.said("VERDICT") == [f"/bin/true at pkt4_receive, {client.mac}: continue"] * 2
        assert " DEBUG [kea-dhcp4.runscript" in kea.log() and " DEBUG [kea-dhcp4.packets" not in kea.log()


# What is at work

@pytest.mark.parametrize("family", [4, 6])
def test_what_the_library_does_is_said_when_it_is_loaded(link, tmp_path, family):
    committed, expire, receive = f"leases{family}_committed", f"lease{family}_expire", f"pkt{family}_receive"
    select = f"subnet{family}_select"
    points = [{"name": expire, "wait": False}, receive, {"name": committed, "wait": "park"}, select]
    subnets = SUBNETS[family]
    with Kea(family, subnets, tmp_path, [hook("/bin/true", hook_points=points, concurrency=3)]) as kea:
        said = (f"/bin/true, mode exec with 3 lanes: Kea waits at {receive} {select}, parks at {committed}, "
                f"does not wait at {expire}")
        assert kea.said("LOADED")[0].partition(" calls ")[2] == said


def test_where_kea_cannot_park_it_is_said_that_it_waits(link, tmp_path):
    points = ["pkt4_receive", "subnet4_select", "leases4_committed"]
    with handler("daemon", tmp_path) as one:
        with Kea(4, SUBNET4, tmp_path, [one.hook(wait="park", hook_points=points, concurrency=2)]) as kea:
            parks = "subnet4_select leases4_committed" if version() >= (2, 6) else "leases4_committed"
            waits = " ".join(point for point in points if point not in parks.split())
            assert kea.said("LOADED")[0].endswith(f", mode daemon with 2 lanes: Kea waits at {waits}, parks at {parks}")


def test_lines_of_a_daemons_copies_name_the_lane(link, tmp_path):
    """Which copy it was that has spoken, and which lane is lost with it."""
    daemon = write_script(tmp_path / "daemon", """#!/bin/sh
read -r line; echo '{"hello":1}'
echo "I am $$" >&2
read -r line; exit 3
""")
    with Kea(4, SUBNET4, tmp_path, [hook(daemon, mode="daemon", hook_points=["pkt4_receive"], concurrency=2)]) as kea:
        wait_until(lambda: len(kea.said("DAEMON_OUTPUT")) == 2, "both copies")
        lanes = {re.fullmatch(rf"{daemon}, lane (\d+): I am \d+", line)[1] for line in kea.said("DAEMON_OUTPUT")}
        assert len(lanes) == 2
        assert stranger(link).discover().type == OFFER
        [lost] = [re.match(rf"{daemon}: lane (\d+) is lost: ", line)[1]
                  for line in wait_until(lambda: kea.said("LANE_LOST"), "the lost lane")]
        assert lost in lanes
        wait_until(lambda: f"{daemon}, lane {lost}: ended with exit status 3" in kea.said("DAEMON_OUTPUT"), "its end")


# What is no answer

PYTHON = f"""#!{sys.executable}
import json, sys
json.loads(sys.stdin.readline())
print(json.dumps({{"hello": 1}}), flush=True)
for line in sys.stdin:
    event = json.loads(line)
    print(%s, flush=True)
    print(json.dumps({{"seq": event["seq"], "next": "continue"}}), flush=True)
"""
PRINTS = {"'looking up ' + event['hook']": "looking up pkt4_receive", "''": "", "[1]": "[1]", "7": "7"}


@pytest.mark.parametrize("code, printed", PRINTS.items())
def test_a_stray_print_of_a_daemon(link, tmp_path, code, printed):
    daemon = write_script(tmp_path / "daemon", PYTHON % code)
    with Kea(4, SUBNET4, tmp_path, [hook(daemon, mode="daemon", hook_points=["pkt4_receive"], concurrency=1)]) as kea:
        assert stranger(link).dora().type == ACK
        words = f'"{printed}": standard output is for answers; print to standard error'
        assert f": bad answer: {words}; Kea goes on with: continue" in kea.said("EVENT_FAILED")[0]
        assert words in kea.said("LANE_LOST")[0]


def test_a_daemon_that_prints_first(link, tmp_path):
    daemon = write_script(tmp_path / "daemon", "#!/bin/sh\necho starting\nread -r line\necho '{\"hello\":1}'\nread -r line\n")
    log = Kea(4, SUBNET4, tmp_path, [hook(daemon, mode="daemon")]).expect_refusal()
    assert 'its first line is no hello: "starting": standard output is for answers; print to standard error' in log


def test_a_daemon_that_prints_unasked(link, tmp_path):
    daemon = write_script(tmp_path / "daemon", "#!/bin/sh\nread -r line\necho '{\"hello\":1}'\n"
                          "while [ ! -e \"$0.go\" ]; do /bin/sleep 0.05; done\necho done\nread -r line\n")
    with Kea(4, SUBNET4, tmp_path, [hook(daemon, mode="daemon", concurrency=1)]) as kea:
        (tmp_path / "daemon.go").touch()
        kea.wait_log("RUNSCRIPT_LANE_LOST")
        assert '"done": standard output is for answers; print to standard error' in kea.said("LANE_LOST")[0]


def test_a_server_that_says_something_else(link, tmp_path):
    with handler("socket", tmp_path) as one:
        (tmp_path / "words").write_text("looking it up")
        with Kea(4, SUBNET4, tmp_path, [one.hook(hook_points=["pkt4_receive"])]) as kea:
            assert stranger(link, options=[(60, b"say")]).dora().type == ACK
            assert ': bad answer: "looking it up": the connection is for answers; see lines.md; ' in kea.said("EVENT_FAILED")[0]


@pytest.mark.parametrize("printed", ["known", "client-classes=known", "[]", "42", "null", '"drop"'])
def test_a_script_that_prints_no_object(link, tmp_path, printed):
    script = write_script(tmp_path / "script", f"#!/bin/sh\necho '{printed}'\n")
    with Kea(4, SUBNET4, tmp_path, [hook(script, answers=True, hook_points=["pkt4_receive"])]) as kea:
        assert stranger(link).dora().type == ACK
        said = f'what it printed is no JSON object: "{printed}\\x0a": standard output is for the answer; print to standard error'
        assert said in kea.said("EVENT_FAILED")[0]


# serde's words for what is not what it wants.
RUSTS = re.compile(r"\b(u8|u16|u32|u64|usize|i64|f64|struct|enum|variant|Timeout|Answer|LogLine|Failure|Some|None|Err|Ok)\b")
ODD = [{"seq": "1"}, {"seq": -1}, {"seq": 1.5}, {"seq": None}, {"next": 7}, {"next": "explode"}, {"log": 1}, {"log": ["x"]},
       {"log": [{"level": "loud", "text": ""}]}, {"log": [{"level": "info"}]}, {"log": [{"level": 1, "text": ""}]},
       {"failure": "x"}, {"failure": {"kind": "Timeout", "text": ""}}, {"failure": {"kind": 1, "text": ""}},
       {"failure": {"kind": "exit"}}, {"failure": {"kind": {"exit": 1}, "text": ""}}, {"failure": []}]


def test_what_is_wrong_with_an_answer_is_said_in_plain_words(link, tmp_path):
    """All that is odd, one answer after the other."""
    daemon = write_script(tmp_path / "daemon", f"""#!{sys.executable}
import itertools, json, os, sys
sys.stdin.readline()
print(json.dumps({{"hello": 1}}), flush=True)
event = json.loads(sys.stdin.readline())
for number in itertools.count():
    try:
        os.mkdir(f"{{sys.argv[0]}}.{{number}}")
        break
    except FileExistsError:
        pass
odd = json.loads({json.dumps(json.dumps(ODD))})[number]
print(json.dumps({{"seq": event["seq"], **odd}}), flush=True)
sys.stdin.readline()
""")
    copies = hook(daemon, mode="daemon", hook_points=["pkt4_receive"], concurrency=len(ODD) + 1)
    with Kea(4, SUBNET4, tmp_path, [copies], "DEBUG", 40) as kea:
        for _ in ODD:
            stranger(link).discover()
        for odd, line in zip(ODD, kea.said("VERDICT"), strict=True):
            reason = line.partition("no verdict: bad answer: ")[2].partition(': "{')[0]
            # What the answer itself says is quoted.
            assert reason and not RUSTS.search(re.sub("`[^`]*`", "", reason)), (odd, line)


def test_a_time_out_is_called_so(link, tmp_path):
    with Kea(4, SUBNET4, tmp_path, [answerer(tmp_path, {"pkt4_receive": 0}, timeout=100)]) as kea:
        write_script(tmp_path / "answerer", "#!/bin/sh\nexec /bin/sleep 60\n")
        assert stranger(link).dora().type == ACK
        assert "no end within 100 ms" in kea.said("EVENT_FAILED")[0]
        assert "Timeout" not in kea.log()
