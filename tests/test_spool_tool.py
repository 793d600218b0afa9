"""`kea-runscript spool`, and Kea's command `runscript-retry`: what waits, what was put aside, and what becomes of it."""

import json
import re
import subprocess
from datetime import datetime

import pytest

from rig import processes
from rig.configs import SUBNET4
from rig.dhcp4 import OFFER, stranger
from rig.gate import Gate
from rig.kea import TOOLS, Kea, hook
from rig.recorder import Recorder, write_script
from rig.wait import quiet, wait_until

POINT = ["pkt4_receive"]


def tool(*words, code=0):
    """What it prints, and what it complains of."""
    done = subprocess.run([TOOLS, "spool", *map(str, words)], capture_output=True, text=True, timeout=20)
    assert done.returncode == code, done.stderr
    return done.stdout, done.stderr


def listed(*words):
    """Its rows, by the names of the first line, and its last line."""
    out, err = tool(*words)
    assert not err
    *lines, last = out.splitlines()
    head, *rows = lines or [""]
    return [dict(zip(head.split(), row.split(maxsplit=4))) for row in rows], last


def spool(kea):
    """The directory of a server's only spool."""
    [directory] = (kea.directory / "runscript").glob("kea-dhcp4-*")
    return directory


def left_to_wait(link, kea, gate, count=3):
    """A server with events of one client, the first of which is being handled as long as the gate is shut."""
    client = stranger(link)
    gate.shut(client)
    for _ in range(count):
        assert client.discover().type == OFFER
    gate.wait()
    return client


def told_to_retry(kea, **arguments):
    answer = kea.command("runscript-retry", arguments or None)
    return answer["result"], answer["text"]


def test_what_waits_is_listed_beside_the_server_and_after_it(link, tmp_path):
    gate = Gate(tmp_path)
    with Kea(4, SUBNET4, tmp_path, [hook(gate.script, hook_points=POINT, wait=False)]) as kea:
        client = left_to_wait(link, kea, gate)
        directory = spool(kea)
        rows, last = listed(directory)
        assert [(row["tries"], row["hook-point"], row["clients-and-leases"]) for row in rows] == [
            (tries, *POINT, client.mac) for tries in "100"]
        ids = [row["id"] for row in rows]
        assert ids == sorted(set(ids)) and all(re.fullmatch(r"[0-9a-f]{16}-\d+", one) for one in ids)
        assert all(0 <= (datetime.now().astimezone() - datetime.fromisoformat(row["time"])).total_seconds() < 60 for row in rows)
        assert re.fullmatch(r"3 events, [1-9]\d* KiB on the disk", last)
        assert listed(directory, "--given-up") == ([], "0 events, 0 KiB on the disk")

        # All scripts' spools are in one directory.
        out, _ = tool(directory.parent)
        assert out.splitlines()[0] == f"{directory}:" and out.count(client.mac) == 3

        whole = [json.loads(line) for line in tool("--format", "json", directory)[0].splitlines()]
        assert [(one["id"], one["tries"], one["hook"]) for one in whole] == [(id, tries, *POINT) for id, tries in zip(ids, [1, 0, 0])]
        assert {one["vars"]["KEA_QUERY4_HWADDR"] for one in whole} == {client.mac}
        assert {one["spool"] for one in whole} == {str(directory)}

        kea.kill()
        assert [row["id"] for row in listed(directory)[0]] == ids
        # The runner ends what it had, which is over then.
        gate.open(client)
        wait_until(lambda: not processes.runners(), "the end of the runner")
        assert [row["id"] for row in listed(directory)[0]] == ids[1:]
        kea.start()
        quiet(kea)
        assert listed(directory)[0] == []
    assert len(gate.printer.lines()) == 3


def test_what_is_discarded_is_not_handled(link, tmp_path):
    gate = Gate(tmp_path)
    with Kea(4, SUBNET4, tmp_path, [hook(gate.script, hook_points=POINT, wait=False)]) as kea:
        client = left_to_wait(link, kea, gate)
        directory = spool(kea)
        out, err = tool("--discard", directory, code=1)
        assert "nothing is discarded: a server uses it" in err and not out
        kea.kill()
        _, err = tool("--discard", directory, code=1)
        assert "nothing is discarded: a runner is still at work" in err
        gate.open(client)
        wait_until(lambda: not processes.runners(), "the end of the runner")
        assert len(listed(directory)[0]) == 2
        # Who names the directory of all has not said which.
        _, err = tool("--discard", directory.parent, code=1)
        assert "name the spool of one script" in err
        assert tool("--discard", directory) == ("2 events discarded\n", "")
        assert listed(directory) == ([], "0 events, 0 KiB on the disk")
        kea.start()
        assert kea.status()["pending"] == 0
        assert client.discover().type == OFFER
        quiet(kea)
    assert len(gate.printer.lines()) == 2


def deadly(tmp_path):
    """A script that kills its runner until it is mended."""
    mended = tmp_path / "mended"
    return Recorder(tmp_path, then=f'[ -e {mended} ] || kill -9 $PPID'), mended


def put_aside(link, kea, count=1):
    for _ in range(count):
        assert stranger(link).discover().type == OFFER
    wait_until(lambda: kea.status()["given-up"] == count, lambda: f"{count} dead letters ({kea.status()})", 30)
    quiet(kea)


def test_what_was_put_aside_is_handled_once_the_script_is_mended(link, tmp_path):
    recorder, mended = deadly(tmp_path)
    with Kea(4, SUBNET4, tmp_path, [hook(recorder.script, hook_points=POINT, wait=False)]) as kea:
        assert told_to_retry(kea) == (3, "no event was put aside")
        put_aside(link, kea)
        deaths = recorder.calls()
        assert [call["KEA_EVENT_ATTEMPT"] for call in deaths] == ["1", "2", "3"]
        [row], last = listed("--given-up", spool(kea))
        assert (row["id"], row["tries"], row["hook-point"]) == (deaths[0]["KEA_EVENT_ID"], "-", *POINT)
        assert last.startswith("1 event, ")
        assert listed(spool(kea))[0] == []

        mended.touch()
        assert told_to_retry(kea) == (0, f"1 event of {recorder.script} is handled again")
        again = recorder.wait(4)[3]
        assert (again["KEA_EVENT_ID"], again["KEA_EVENT_ATTEMPT"]) == (row["id"], "1")
        assert again["KEA_EVENT_TIME"] == deaths[0]["KEA_EVENT_TIME"]
        quiet(kea)
        assert listed("--given-up", spool(kea))[0] == []
        assert told_to_retry(kea) == (3, "no event was put aside")


def test_it_is_put_aside_again_if_the_script_is_not_mended(link, tmp_path):
    recorder, mended = deadly(tmp_path)
    with Kea(4, SUBNET4, tmp_path, [hook(recorder.script, hook_points=POINT, wait=False)]) as kea:
        put_aside(link, kea)
        assert told_to_retry(kea)[0] == 0
        wait_until(lambda: kea.status()["given-up"] == 2, lambda: f"the second time ({kea.status()})", 30)
        [row], _ = listed("--given-up", spool(kea))
        assert {call["KEA_EVENT_ID"] for call in recorder.wait(6)} == {row["id"]}
    # What was put aside waits for an administrator, over a restart too.
    mended.touch()
    with Kea(4, SUBNET4, tmp_path, [hook(recorder.script, hook_points=POINT, wait=False)]) as kea:
        quiet(kea)
        assert len(recorder.calls()) == 6
        assert told_to_retry(kea, script=str(recorder.script)) == (0, f"1 event of {recorder.script} is handled again")
        assert recorder.wait(7)[6]["KEA_EVENT_ID"] == row["id"]
        quiet(kea)


def test_what_was_put_aside_can_be_discarded(link, tmp_path):
    recorder, mended = deadly(tmp_path)
    with Kea(4, SUBNET4, tmp_path, [hook(recorder.script, hook_points=POINT, wait=False)]) as kea:
        put_aside(link, kea)
        directory = spool(kea)
        assert "a server uses it" in tool("--given-up", "--discard", directory, code=1)[1]
    wait_until(lambda: not processes.runners(), "the end of the runner")
    assert tool("--discard", directory) == ("0 events discarded\n", "")
    assert tool("--given-up", "--discard", directory) == ("1 event discarded\n", "")
    mended.touch()
    with Kea(4, SUBNET4, tmp_path, [hook(recorder.script, hook_points=POINT, wait=False)]) as kea:
        assert told_to_retry(kea) == (3, "no event was put aside")


def test_only_the_script_that_is_named_is_retried(link, tmp_path):
    (one, mended), other = deadly(tmp_path), write_script(tmp_path / "other", "#!/bin/sh\n")
    scripts = [{"script": str(script), "hook-points": POINT, "wait": False} for script in (one.script, other)]
    with Kea(4, SUBNET4, tmp_path, [hook(scripts=scripts)]) as kea:
        put_aside(link, kea)
        mended.touch()
        assert told_to_retry(kea, script=str(other)) == (3, "no event was put aside")
        result, text = told_to_retry(kea, script=str(tmp_path / "nowhere"))
        assert result == 1 and "there is no script" in text
        assert told_to_retry(kea, scripts="all")[0] == 1
        assert told_to_retry(kea) == (0, f"1 event of {one.script} is handled again")
        one.wait(4)
        quiet(kea)


def test_without_a_spool_there_is_nothing_to_retry(link, tmp_path, recorder):
    with Kea(4, SUBNET4, tmp_path, [hook(recorder.script, hook_points=POINT, wait=False, spool=False)]) as kea:
        result, text = told_to_retry(kea)
        assert result == 1 and "there is no spool" in text


@pytest.mark.parametrize("discard", [False, True], ids=["list", "discard"])
def test_what_is_no_spool(tmp_path, discard):
    words = ["--discard"] if discard else []
    assert "No such file" in tool(*words, tmp_path / "nowhere", code=1)[1]
    assert "it is no spool, and there is none in it" in tool(*words, tmp_path, code=1)[1]
    (tmp_path / "link").symlink_to(tmp_path)
    assert "a symbolic link" in tool(*words, tmp_path / "link", code=1)[1]


def test_what_somebody_has_put_there_is_said_and_shown_safely(link, tmp_path):
    gate = Gate(tmp_path)
    with Kea(4, SUBNET4, tmp_path, [hook(gate.script, hook_points=POINT, wait=False)]) as kea:
        client = left_to_wait(link, kea, gate, 1)
        base = spool(kea).parent
        (base / "\x1b[31m").mkdir()
        (base / "link").symlink_to(spool(kea))
        (spool(kea) / "0000000001.v1").write_text("nonsense")
        (spool(kea) / "0000000001.v9").write_text("of the future")
        out, err = tool(base, code=1)
        assert out.count(client.mac) == 1
        assert r"\x1b[31m: it is no spool" in err and "link: it is a symbolic link" in err
        assert "0000000001.v1: damaged records are left out: 1" in err and "0000000001.v9: another version" in err
        assert "\x1b" not in out + err
        gate.open(client)
