"""Answers: how Kea goes on, what is refused, and what is no answer at all. What each key changes: test_answers4, -6."""

import json

import pytest

from rig.answers import answerer, answering, says
from rig.configs import SUBNET4, SUBNET6, THREADS
from rig.dhcp4 import ACK, HOSTNAME, NoAnswer, stranger
from rig.dhcp6 import Client6
from rig.kea import RUNNER, Kea, hook
from rig.recorder import write_script
from rig.wait import wait_until

THREADING = pytest.mark.parametrize("threads", [{}, THREADS], ids=["single", "threads"])
LIMIT = 256 * 1024


def serve(tmp_path, answers, config=SUBNET4, **parameters):
    return Kea(4, config, tmp_path, [answerer(tmp_path, answers, **parameters)])


def served(link):
    """Whether a stranger gets a lease."""
    try:
        return stranger(link).dora(timeout=1).type == ACK
    except NoAnswer:
        return False


# How Kea goes on

@pytest.mark.parametrize("answer, goes_on", [
    (0, True), (10, False), (20, False), ("", True), ("\n \n", True), ("{}", True), ({"next": "continue"}, True),
    ({"next": "skip"}, False), ({"next": "drop"}, False)], ids=str)
@THREADING
def test_the_script_decides(link, tmp_path, answer, goes_on, threads):
    with serve(tmp_path, {"pkt4_receive": answer}, {**SUBNET4, **threads}) as kea:
        assert served(link) == goes_on
        status = kea.status()
        assert (status["failures"], status["refused"]) == (0, 0)
        assert not kea.said("(?:ERROR_)?OUTPUT")


@pytest.mark.parametrize("answer, leases", [(10, 0), (20, None)])
def test_skip_is_not_drop(link, tmp_path, answer, leases):
    with Kea(6, SUBNET6, tmp_path, [answerer(tmp_path, {"subnet6_select": answer})]), Client6(link) as client:
        if leases is None:
            with pytest.raises(NoAnswer):
                client.solicit(timeout=0.5)
        else:
            assert len(client.solicit().leases) == leases


# No answer

FAILURES = [
    (1, "exit status 1"), (3, "exit status 3"), (127, "exit status 127"),
    ("nonsense", "what it printed is no JSON object: "), ("[]", "no JSON object"), ("{", "no JSON object"),
    ("{}{}", "no JSON object"), ('{"next":"continue","next":"skip"}', "duplicate field"),
    ({"next": "maybe"}, '"next" is "maybe": give "continue", "skip" or "drop"'), ({"next": 1}, '"next" is 1'),
    ({"seq": 1}, 'the key "seq", which is not its own to say'), ({"log": []}, 'the key "log"'),
    ({"x": "y" * LIMIT}, "printed more than 262144 bytes"),
]


@pytest.mark.parametrize("answer, text", FAILURES, ids=lambda value: str(value)[:40])
def test_what_is_no_answer(link, tmp_path, answer, text):
    big = tmp_path / "big"
    big.write_text(answer if isinstance(answer, str) else json.dumps(answer))
    script = f"/bin/cat {big}" if len(big.read_text()) > 1000 else says(answer)
    script = write_script(tmp_path / "script", f"#!/bin/sh\n{script}\n")
    with Kea(4, SUBNET4, tmp_path, [hook(script, answers=True, hook_points=["pkt4_receive"], on_failure="drop")]) as kea:
        assert not served(link)
        [line] = kea.said("EVENT_FAILED")
        assert text in line and line.endswith("; Kea goes on with: drop")
        assert kea.status()["failures"] >= 1 and kea.status()["refused"] == 0


@pytest.mark.parametrize("end", ["kill -9 $$", "exec /bin/sleep 60", "exit 1", "printf x"])
@pytest.mark.parametrize("on_failure", ["continue", "drop"])
def test_half_an_answer_is_none(link, tmp_path, end, on_failure):
    script = write_script(tmp_path / "script", "#!/bin/sh\n" + says({"next": "skip", "option-data": []}) + f"\n{end}\n")
    parameters = {"hook_points": ["pkt4_send"], "timeout": 200, "on_failure": on_failure}
    with Kea(4, SUBNET4, tmp_path, [hook(script, answers=True, **parameters)]) as kea:
        assert served(link) == (on_failure == "continue")
        status = kea.status()
        assert status["failures"] == status["events"] and status["refused"] == 0


def test_printing_without_end(link, tmp_path):
    parameters = {"answers": True, "hook_points": ["pkt4_receive"], "timeout": 300}
    with Kea(4, SUBNET4, tmp_path, [hook("/usr/bin/yes", **parameters)]) as kea:
        assert served(link)
        assert "no end within 300 ms" in kea.said("EVENT_FAILED")[0]
        assert not kea.said("OUTPUT")


# Refused

REFUSED = [
    ("pkt4_send", {"valid-lft": 7}, '"valid-lft": 7: has no effect at this hook point; it has at: lease4_select, '),
    ("pkt4_receive", {"colour": "red"}, '"colour": "red": is no key of an answer; these are: next, client-classes, '),
    ("pkt4_receive", {"client-classes": "known"}, '"client-classes": "known": give a list'),
    ("pkt4_receive", {"client-classes": [7]}, '"client-classes": 7: give a string'),
    ("pkt4_receive", {"client-classes": ["known", "known"]}, '"client-classes": "known": is given twice: give it once'),
    ("subnet4_select", {"subnet-id": 77}, '"subnet-id": 77: no subnet has this id'),
    ("subnet4_select", {"subnet-id": "2"}, '"subnet-id": "2": give a whole number from 1 to 4294967295'),
    ("lease4_select", {"valid-lft": 0}, '"valid-lft": 0: give a whole number'),
    ("lease4_select", {"valid-lft": 4294967296}, '"valid-lft": 4294967296: give a whole number'),
    ("ddns4_update", {"hostname": "a b"}, '"hostname": "a b": give a domain name'),
    ("pkt4_send", {"next-server": "2001:db8::1"}, '"next-server": "2001:db8::1": give an IPv4 address'),
    ("pkt4_send", {"server-hostname": "x" * 65}, "is 65 bytes long: give 64 at most"),
    ("pkt4_send", {"boot-file-name": "x" * 129}, "is 129 bytes long: give 128 at most"),
    ("pkt4_send", {"boot-file-name": None}, '"boot-file-name": null: give a string'),
    ("pkt4_send", {"next": "skip"}, '"next": "skip": has no effect at this hook point: Kea goes on'),
    ("pkt4_send", 10, '"next": "skip": has no effect at this hook point: Kea goes on'),
]
OPTIONS = [
    ({"name": "routers", "data": "nonsense"}, '"data":"nonsense"'), ({"name": "no-such-option", "data": "x"}, "does not exist"),
    ({"code": 300, "data": "01", "csv-format": False}, "300"), ({"data": "x"}, "give the option's name or code"),
    ({"name": "routers", "data": 7}, "give name, space and data as strings"), ("routers", "give a map such as"),
    ({"name": "routers", "data": "192.0.2.1", "always-send": True}, '"always-send" is unknown here; the keys are: name, '),
    ({"code": "3", "data": "192.0.2.1"}, "give the code as a number from 1 to 65535"),
    ({"code": 223, "data": "0g", "csv-format": False}, "223"),
    ({"space": "vendor-4491", "code": 1, "csv-format": False, "data": "01"}, "is of another option space: give the"),
]
REFUSED += [("pkt4_send", {"option-data": [option]}, reason) for option, reason in OPTIONS]


@pytest.mark.parametrize("point, answer, reason", REFUSED, ids=lambda value: str(value)[:60])
def test_refused(link, tmp_path, point, answer, reason):
    with serve(tmp_path, {point: answer}) as kea:
        client = stranger(link, options=[(HOSTNAME, b"name")])
        assert client.dora().type == ACK
        [line] = kea.said("ANSWER_REFUSED")
        assert line.startswith(f"{tmp_path}/answerer at {point}: ") and line.endswith("; the rest of the answer holds")
        assert reason in line
        # The second is counted, but not logged again.
        assert (kea.status()["refused"], kea.status()["failures"]) == (2, 0)
        answer = kea.command("statistic-get", {"name": "runscript.refused"})
        assert answer["arguments"]["runscript.refused"][0][0] == 2


@THREADING
def test_the_rest_is_applied(link, tmp_path, threads):
    options = [{"name": "log-servers", "data": "nonsense"}, {"name": "routers", "data": "192.0.2.5"},
               {"name": "routers", "data": "192.0.2.6"}]
    answer = {"subnet-id": 1, "next-server": "x", "colour": "red", "option-data": options, "boot-file-name": "file"}
    with serve(tmp_path, {"pkt4_send": answer}, {**SUBNET4, **threads}) as kea:
        ack = stranger(link).dora()
        assert (ack.option(3), ack.file, ack.siaddr) == (bytes([192, 0, 2, 5]), b"file", "0.0.0.0")
        assert kea.status()["refused"] == 2 * 5
        # Options alike are one kind of refusal, and another's second time is logged later.
        assert len(kea.said("ANSWER_REFUSED")) == 4


def test_nothing_is_changed_where_kea_does_not_go_on(link, tmp_path):
    """The first of two scripts opens a pool, the second sends everybody away."""
    first = answering(tmp_path, {"pkt4_receive": {"client-classes": ["x"]}}, "first")
    second = answering(tmp_path, {"pkt4_receive": {"next": "drop", "client-classes": ["x"]}}, "second")
    scripts = [{"script": str(script), "answers": True, "on-failure": "continue",
                "hook-points": ["pkt4_receive"]} for script in (first, second)]
    with Kea(4, SUBNET4, tmp_path, [hook(scripts=scripts)]) as kea:
        assert not served(link)
        assert kea.status(0)["refused"] == kea.status(1)["refused"] == 0


def test_of_two_scripts_the_last_word_counts(link, tmp_path):
    answers = [{"boot-file-name": "one", "server-hostname": "one", "valid-lft": 1}, {"boot-file-name": "two"}]
    scripts = [{"script": str(answering(tmp_path, {"pkt4_send": answer}, f"script{number}")), "answers": True,
                "on-failure": "continue", "hook-points": ["pkt4_send"]} for number, answer in enumerate(answers)]
    with Kea(4, SUBNET4, tmp_path, [hook(scripts=scripts)]) as kea:
        ack = stranger(link).dora()
        assert (ack.file, ack.sname) == (b"two", b"one")
        assert (kea.status(0)["refused"], kea.status(1)["refused"]) == (2, 0)


# Only told

def test_where_kea_does_not_wait_the_script_is_only_told(link, tmp_path):
    points = [{"name": "pkt4_receive", "wait": False}, "pkt4_send"]
    script = answering(tmp_path, {"pkt4_receive": {"next": "drop"}, "pkt4_send": {"boot-file-name": "file"}})
    with Kea(4, SUBNET4, tmp_path, [hook(script, answers=True, hook_points=points)]) as kea:
        assert stranger(link).dora().file == b"file"
        wait_until(lambda: len(kea.said("OUTPUT")) == 2, "the output")
        assert kea.said("OUTPUT")[0] == f'{script} at pkt4_receive: {{"next": "drop"}}'


def test_standard_error_is_logged_and_standard_output_is_not(link, tmp_path):
    script = write_script(tmp_path / "script", "#!/bin/sh\necho oops >&2\necho '{}'\n")
    with Kea(4, SUBNET4, tmp_path, [hook(script, answers=True, hook_points=["pkt4_receive"])]) as kea:
        assert served(link)
        assert kea.said("ERROR_OUTPUT") == [f"{script} at pkt4_receive: oops"] * 2 and not kea.said("OUTPUT")


# A stranger's words

WORDS = ['x"],"next":"skip","x":["', '"', '"],"client-classes":["vip', '"]}\n{"next":"skip', "\x01", 'x"]} #']


@pytest.mark.parametrize("word", WORDS, ids=ascii)
def test_a_clients_words_that_break_a_careless_scripts_answer(link, tmp_path, word):
    """A script that does not quote. What is still an object then, each key once, cannot be told from what it meant."""
    text = """printf '{"next":"continue","client-classes":["%s"]}' "$KEA_QUERY4_OPTION60"\n"""
    script = write_script(tmp_path / "script", f"#!/bin/sh\n{text}")
    parameters = {"answers": True, "hook_points": ["pkt4_receive"], "on_failure": "drop"}
    with Kea(4, SUBNET4, tmp_path, [hook(script, **parameters)]) as kea:
        with pytest.raises(NoAnswer):
            stranger(link, options=[(60, word.encode())]).discover(timeout=0.5)
        assert "what it printed is no JSON object" in kea.said("EVENT_FAILED")[0]
        assert stranger(link, options=[(60, b"MSFT 5.0")]).dora().type == ACK


# In one line of shell

@pytest.mark.parametrize("wrapped", [False, True], ids=["own", "wrapped"])
def test_words_become_an_answer(link, tmp_path, wrapped):
    """Wherever the runner is."""
    own = {"runner": str(write_script(tmp_path / "runner", f'#!/bin/sh\nexec {RUNNER} "$@"\n'))} if wrapped else {}
    lines = """case $1 in
pkt4_receive) exec "$KEA_RUNSCRIPT" answer client-classes=known client-classes=other ;;
pkt4_send) exec "$KEA_RUNSCRIPT" answer option-data:routers="192.0.2.1, 192.0.2.2" boot-file-name="$KEA_QUERY4_OPTION60" ;;
esac"""
    script = write_script(tmp_path / "script", f"#!/bin/sh\n{lines}\n")
    classes = {"client-classes": [{"name": "known", "next-server": "192.0.2.7"}]}
    points = ["pkt4_receive", "pkt4_send"]
    with Kea(4, {**SUBNET4, **classes}, tmp_path, [hook(script, answers=True, hook_points=points, **own)]) as kea:
        hostile = b'x","next":"drop'
        ack = stranger(link, options=[(60, hostile)]).dora()
        assert (ack.siaddr, ack.file) == ("192.0.2.7", hostile)
        assert ack.option(3) == bytes([192, 0, 2, 1, 192, 0, 2, 2])
        assert kea.status()["failures"] == kea.status()["refused"] == 0


def test_wrong_words_are_a_failure(link, tmp_path):
    script = write_script(tmp_path / "script", '#!/bin/sh\nexec "$KEA_RUNSCRIPT" answer colour=red\n')
    parameters = {"answers": True, "hook_points": ["pkt4_receive"], "on_failure": "drop"}
    with Kea(4, SUBNET4, tmp_path, [hook(script, **parameters)]) as kea:
        assert not served(link)
        assert "colour=red: no such key; the keys are: next, client-classes, " in kea.said("ERROR_OUTPUT")[0]
        assert "exit status 1" in kea.said("EVENT_FAILED")[0]
