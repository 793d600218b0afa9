"""What a handler says stands in Kea's log as one line of printable text, so much of it, at the level that it names."""

import itertools
import json
import re
import socketserver
import threading
import unicodedata

import pytest

from rig.answers import answering
from rig.configs import SUBNET4
from rig.dhcp4 import OFFER, VENDOR_CLASS, NoAnswer, stranger
from rig.handlers import MODES, handler
from rig.kea import Kea, hook
from rig.recorder import write_script
from rig.wait import quiet, wait_until

POINT = "pkt4_send"
# A line that Kea might have written, what sets a terminal's title, what turns the direction of writing, another line's end.
FORGED = "2026-01-01 00:00:00.000 ERROR [kea-dhcp4.dhcp4/1] FORGED %1"
HOSTILE = f"said\r\n{FORGED}\x1b]0;title\x07 \u202eltr\u2028{FORGED}"
UNSEEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
MIB = 1 << 20
ANSWER_BYTES = 256 * 1024


def raw_log(kea):
    """With the line ends that are there."""
    return kea.log_file.read_bytes().decode()


def assert_not_forged(kea):
    log = raw_log(kea)
    assert "FORGED" in log, "it has to be said at all"
    unseen = {c for c in log if unicodedata.category(c) in UNSEEN and c != "\n"}
    assert not unseen, unseen
    assert not [line for line in log.splitlines() if line.startswith(FORGED[:10])]


def alternately(cases):
    """Each in one of the modes: from a handler's line on, they are the same."""
    return zip(cases, itertools.cycle(MODES))


def ask(link, answered=True):
    """A packet at whose hook point the handler says what is in its words."""
    client = stranger(link, options=[(VENDOR_CLASS, b"say")])
    if answered:
        assert client.discover().type == OFFER
        return
    with pytest.raises(NoAnswer):
        client.discover(timeout=0.3)


def said(**answer):
    return json.dumps({"seq": "SEQ", **answer}, ensure_ascii=False).replace('"SEQ"', "SEQ")


# What a daemon or server says, each with a hostile text elsewhere.
SAYINGS = {
    "log": said(log=[{"level": level, "text": HOSTILE} for level in ("info", "warn", "error")]),
    "failure": said(failure={"kind": "exit", "text": HOSTILE}),
    "next": said(next=HOSTILE),
    "type": said(log=HOSTILE),
    "level": said(log=[{"level": HOSTILE, "text": ""}]),
    "key": said(**{HOSTILE: 1}),
    "value": said(**{"boot-file-name": HOSTILE * 3}),
    "option": said(**{"option-data": [{"name": HOSTILE, "data": "x"}]}),
    "option key": said(**{"option-data": [{HOSTILE: "x"}]}),
    "twice": f'{{"seq":SEQ,{json.dumps(HOSTILE)}:1,{json.dumps(HOSTILE)}:2}}',
    "no JSON": HOSTILE.replace("\n", " "),
    "unasked": said() + "\n" + HOSTILE.replace("\n", " "),
}


@pytest.mark.parametrize("what, mode", alternately(SAYINGS))
def test_what_a_handler_says_forges_no_line(link, tmp_path, mode, what):
    with handler(mode, tmp_path) as one:
        (tmp_path / "words").write_text(SAYINGS[what])
        parameters = {"answers": True, "on_failure": "continue", "hook_points": [POINT]}
        with Kea(4, SUBNET4, tmp_path, [one.hook(**parameters)]) as kea:
            ask(link)
            # What is said unasked is taken for the answer to the next one.
            ask(link)
        assert_not_forged(kea)


PRINTED = {
    "next": json.dumps({"next": HOSTILE}, ensure_ascii=False),
    "seq": json.dumps({"seq": HOSTILE}, ensure_ascii=False),
    "key": json.dumps({HOSTILE: 1}, ensure_ascii=False),
    "no JSON": HOSTILE,
}


@pytest.mark.parametrize("what", PRINTED)
def test_what_a_script_prints_forges_no_line(link, tmp_path, what):
    script = answering(tmp_path, {POINT: PRINTED[what]})
    script.write_text(script.read_text() + f"printf %s '{HOSTILE}' >&2\n")
    parameters = {"answers": True, "on_failure": "continue", "hook_points": [POINT]}
    with Kea(4, SUBNET4, tmp_path, [hook(script, **parameters)]) as kea:
        ask(link)
        kea.wait_log("RUNSCRIPT_(EVENT_FAILED|ANSWER_REFUSED)")
    assert_not_forged(kea)


@pytest.mark.parametrize("mode", MODES)
def test_a_first_line_that_is_no_hello(link, tmp_path, mode):
    """Again and again."""
    words = HOSTILE.replace("\n", " ")
    with garbage(mode, tmp_path, words) as (parameters, greetings):
        with Kea(4, SUBNET4, tmp_path, [hook(**parameters, required=False, hook_points=[POINT], concurrency=1)]) as kea:
            wait_until(lambda: greetings() >= 4, "some greetings")
            down = kea.status()["down"]
            assert down is None or not [c for c in down if unicodedata.category(c) in UNSEEN]
            log = raw_log(kea)
    assert_not_forged(kea)
    assert len(re.findall("its first line is no hello", log)) == 1


def test_a_daemon_that_ends_again_and_again(link, tmp_path):
    """What it says is there each time."""
    greetings = tmp_path / "daemon.greetings"
    script = write_script(tmp_path / "daemon", "#!/bin/sh\nread -r line\necho >>\"$0.greetings\"\n"
                          f"printf '%s\\n' '{HOSTILE}' >&2\nexit 7\n")
    daemon = hook(script, mode="daemon", required=False, hook_points=[POINT], concurrency=1)
    with Kea(4, SUBNET4, tmp_path, [daemon]) as kea:
        wait_until(lambda: len(greetings.read_bytes()) >= 4, "some starts")
        wait_until(lambda: len(re.findall("DAEMON_OUTPUT .*: said", kea.log())) >= 4, "its words")
        assert len(re.findall("DAEMON_OUTPUT .* ended with exit status 7", kea.log())) == 1
        assert "FORGED" in kea.status()["down"]
        assert not [c for c in kea.status()["down"] if unicodedata.category(c) in UNSEEN]
    assert_not_forged(kea)


class garbage:
    """A handler that says these words instead of a hello, as a daemon or as a server."""

    def __init__(self, mode, directory, words):
        self.mode, self.directory, self.words = mode, directory, words
        self.count, self.server = 0, None

    def __enter__(self):
        if self.mode == "daemon":
            script = write_script(self.directory / "daemon", "#!/bin/sh\nread -r line\necho >>\"$0.greetings\"\n"
                                  f"printf '%s\\n' '{self.words}'\nread -r line\n")
            greetings = self.directory / "daemon.greetings"
            return ({"script": script, "mode": "daemon"},
                    lambda: len(greetings.read_bytes()) if greetings.exists() else 0)
        outer = self

        class Lane(socketserver.StreamRequestHandler):
            def handle(self):
                self.rfile.readline()
                outer.count += 1
                self.wfile.write(outer.words.encode() + b"\n")

        path = str(self.directory / "server")
        self.server = socketserver.ThreadingUnixStreamServer(path, Lane)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return {"socket": path}, lambda: self.count

    def __exit__(self, *_):
        if self.server:
            self.server.shutdown()
            self.server.server_close()


def lines(count, text="x"):
    return said(log=[{"level": "info", "text": text}] * count)


FLOODS = {
    "5,000 lines": lines(5000),
    "100,000 lines": lines(100_000),
    "lines of 2,000 bytes": lines(110, "x" * 2000),
    "a text of 1 MiB": lines(1, "x" * MIB),
    "a text of 200,000 bytes": lines(1, "é" * 100_000),
    "a failure of 200,000 bytes": said(failure={"kind": "exit", "text": "x" * 200_000}),
    "an unknown level of 200,000 bytes": said(log=[{"level": "x" * 200_000, "text": ""}]),
    "a key of 200,000 bytes": said(**{"x" * 200_000: 1}),
    "a value of 200,000 bytes": said(**{"boot-file-name": "x" * 200_000}),
}


@pytest.mark.parametrize("what, mode", alternately(FLOODS))
def test_one_answer_does_not_rotate_the_log_away(link, tmp_path, mode, what):
    with handler(mode, tmp_path) as one:
        (tmp_path / "words").write_text(FLOODS[what])
        parameters = {"answers": True, "on_failure": "continue", "hook_points": [POINT]}
        with Kea(4, SUBNET4, tmp_path, [one.hook(**parameters)]) as kea:
            before = len(kea.log())
            ask(link)
            kea.wait_log("RUNSCRIPT_(EVENT_FAILED|ANSWER_REFUSED|OUTPUT)")
            quiet(kea)
        log = kea.log()[before:]
        assert len(log) < 101 * 1300, "100 lines of 1,000 bytes and their heads, at most"
        texts = [line.split(": ", 1)[1] for line in kea.said("(?:ERROR_)?OUTPUT") if POINT in line]
        assert all(len(text.encode()) <= 1000 for text in texts)
        if what == "5,000 lines":
            assert texts == ["x"] * 100 + ["4900 more lines of output left out"]
        if what == "lines of 2,000 bytes":
            assert texts == ["x" * 997 + "..."] * 100 + ["10 more lines of output left out"]
        if what in ("100,000 lines", "a text of 1 MiB"):
            assert not texts
            [failure] = kea.said("EVENT_FAILED")
            assert "more than 262144 bytes" in failure


@pytest.mark.parametrize("mode", MODES)
def test_levels_are_what_they_are_called(link, tmp_path, mode):
    levels = ["debug", "info", "warn", "warning", "error"]
    with handler(mode, tmp_path) as one:
        (tmp_path / "words").write_text(said(log=[{"level": level, "text": f"a {level}"} for level in levels]))
        with Kea(4, SUBNET4, tmp_path, [one.hook(hook_points=[POINT])], "DEBUG", 40) as kea:
            ask(link)
        seen = re.findall(rf"(\w+) +\[kea-dhcp4.runscript/\S+ RUNSCRIPT_\w+ .* at {POINT}: a (\w+)", kea.log())
        assert seen == [("DEBUG", "debug"), ("INFO", "info"), ("WARN", "warn"), ("WARN", "warning"), ("ERROR", "error")]


@pytest.mark.parametrize("wait", [True, False], ids=["wait", "nowait"])
def test_an_exit_status_at_each_packet(link, tmp_path, wait):
    """Once a minute, and the count; what the script says itself is there each time."""
    packets = 200
    script = write_script(tmp_path / "script", "#!/bin/sh\necho hm\nexit 3\n")
    with Kea(4, SUBNET4, tmp_path, [hook(script, wait=wait, hook_points=["pkt4_receive"])]) as kea:
        for _ in range(packets):
            assert stranger(link).discover().type == OFFER
        quiet(kea)
        assert kea.status()["failures"] == 0
        assert kea.said("ERROR_OUTPUT") == [f"{script} at pkt4_receive: exit status 3"]
    assert kea.said("REPEATED") == [
        f"RUNSCRIPT_ERROR_OUTPUT ({script}, pkt4_receive, warn) came {packets - 1} more times, which were not logged"]
    assert kea.said("OUTPUT") == [f"{script} at pkt4_receive: hm"] * packets


@pytest.mark.parametrize("mode", MODES)
def test_a_handlers_line_that_repeats(link, tmp_path, mode):
    with handler(mode, tmp_path) as one:
        (tmp_path / "words").write_text(said(log=[{"level": "error", "text": "no database", "repeats": True}]))
        with Kea(4, SUBNET4, tmp_path, [one.hook(hook_points=[POINT])]) as kea:
            for _ in range(5):
                ask(link)
    assert len(re.findall(r"ERROR .* at \w+: no database", kea.log())) == 1
    assert "came 4 more times" in "".join(kea.said("REPEATED"))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("too_much", [0, 1])
def test_an_answer_has_a_largest_size(link, tmp_path, mode, too_much):
    with handler(mode, tmp_path) as one:
        # A number has 16 digits.
        answer = said(**{"boot-file-name": "fits", "filler": ""})
        filler = "x" * (ANSWER_BYTES + too_much - len(answer) + len("SEQ") - 16)
        (tmp_path / "words").write_text(answer.replace('"filler": ""', f'"filler": "{filler}"'))
        parameters = {"answers": True, "on_failure": "drop", "hook_points": [POINT]}
        with Kea(4, SUBNET4, tmp_path, [one.hook(**parameters)]) as kea:
            if too_much:
                ask(link, answered=False)
                [failure] = kea.said("EVENT_FAILED")
                assert "more than 262144 bytes in a line: an answer may have no more" in failure
                return
            assert stranger(link, options=[(VENDOR_CLASS, b"say")]).discover().file == b"fits"


def test_a_scripts_largest_answer_beside_its_longest_log(link, tmp_path):
    """100 lines of quotation marks, which take twice as much on the way to Kea."""
    start, end = '{"boot-file-name":"fits","filler":"', '"}'
    printed = start + "x" * (ANSWER_BYTES - len(start + end)) + end
    (tmp_path / "printed").write_text(printed)
    (tmp_path / "lines").write_text(('"' * 2000 + "\n") * 150)
    script = write_script(tmp_path / "script", f"#!/bin/sh\n/bin/cat {tmp_path}/printed\n/bin/cat {tmp_path}/lines >&2\n")
    with Kea(4, SUBNET4, tmp_path, [hook(script, answers=True, on_failure="drop", hook_points=[POINT])]) as kea:
        assert stranger(link).discover().file == b"fits"
        texts = [line.split(": ", 1)[1] for line in kea.said("ERROR_OUTPUT")]
        assert texts == ['"' * 997 + "..."] * 100 + ["50 more lines of output left out"]
        (tmp_path / "printed").write_text(printed.replace("xx", "xxx", 1))
        with pytest.raises(NoAnswer):
            stranger(link).discover(timeout=0.3)
        [failure] = kea.said("EVENT_FAILED")
        assert "printed more than 262144 bytes" in failure
