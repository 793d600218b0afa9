"""What becomes of events that a daemon was sent ahead when Kea ends: its answers count, and the next Kea has the others handled."""

import os
import re
import signal

import pytest

from rig import processes
from rig.ahead import AHEAD, counts, deeds, hold, let_go, serve, tell, told
from rig.dhcp4 import stranger
from rig.handlers import handler
from rig.wait import quiet, wait_until


def end_at_work(link, tmp_path, one, *deeds, **parameters):
    """Kea ends while a lane is at work on the first of these events and has the others; returns it."""
    with serve(tmp_path, one, **parameters) as kea:
        hold(link, one)
        tell(stranger(link), "later", *deeds)
        let_go(one, len(deeds) + 1)
    assert kea.said("LEFT")[0].endswith(f" 0 events wait for their turn, 0 of them in memory alone, and {len(deeds) + 1} are being handled")
    return kea


def no_runner(patience=10):
    wait_until(lambda: not processes.runners(), "the end of the runner", patience)


def expect_all(kea, one, *expected):
    """They are handled without Kea, and not again with the next."""
    wait_until(lambda: deeds(one) == [*expected], lambda: f"all events ({deeds(one)})")
    no_runner()
    with kea:
        quiet(kea)
    assert deeds(one) == [*expected]


def test_what_is_queued(link, tmp_path):
    """Daemons finish what they have, and the rest waits for the next Kea."""
    with handler("daemon", tmp_path, AHEAD) as one:
        with serve(tmp_path, one) as kea:
            hold(link, one)
            client = stranger(link)
            tell(client, "later", "1", "2")
            let_go(one, 3)
            tell(client, "3", "4")
        assert kea.said("LEFT")[0].endswith(" 2 events wait for their turn, 0 of them in memory alone, and 3 are being handled")
        one.touch("on")
        no_runner()
        assert deeds(one) == ["later", "1", "2"] and not one.pids()
        with kea:
            quiet(kea)
        assert deeds(one) == ["later", "1", "2", "3", "4"]


def test_the_next_kea_waits_for_the_daemons_of_the_last(link, tmp_path):
    with handler("daemon", tmp_path, AHEAD) as one:
        with serve(tmp_path, one, 2) as kea:
            hold(link, one, 2)
            client = stranger(link)
            tell(client, "later", "1")
            let_go(one, 2, 2)
        with kea:
            tell(client, "2")
            tell(stranger(link), "3")
            wait_until(lambda: deeds(one) == ["later", "3"], "another client's event")
            one.touch("on")
            quiet(kea)
            assert counts(kea) == (0, 0, 0)
        assert deeds(one) == ["later", "3", "1", "2"]


def test_each_has_its_time(link, tmp_path):
    """Together they take longer than one may, with the second that a late answer has."""
    with handler("daemon", tmp_path, AHEAD) as one:
        names = ["nap"] * 4
        kea = end_at_work(link, tmp_path, one, *names, timeout=1000)
        one.touch("on")
        expect_all(kea, one, "later", *names)


def test_long_answers(link, tmp_path):
    """All of them together do not fit into a connection."""
    with handler("daemon", tmp_path, 32) as one:
        names = ["wordy"] * 32
        kea = end_at_work(link, tmp_path, one, *names)
        one.touch("on")
        expect_all(kea, one, "later", *names)


def test_a_daemon_that_does_not_leave(link, tmp_path):
    with handler("daemon", tmp_path, AHEAD) as one:
        one.touch("deaf")
        kea = end_at_work(link, tmp_path, one, "1", "2", timeout=1000)
        one.touch("on")
        wait_until(lambda: deeds(one) == ["later", "1", "2"], "all events")
        no_runner(1 + 1 + 3)
        assert not one.pids()
        (tmp_path / "deaf").unlink()
        expect_all(kea, one, "later", "1", "2")


BEHIND = ["2", "3", "4", "5", "6"]
UNANSWERED = {
    "hang": "no answer within 1000 ms; it is stopped",
    "huge": "more than 262144 bytes in a line: an answer may have no more; nothing more of it counts",
    "garbage": 'bad answer: "nonsense": standard output is for answers; print to standard error; nothing more of it counts',
    "twice": "bad answer: event [0-9]+ is answered twice; nothing more of it counts",
    "leave": "ended with exit status 3", "crash": "killed by SIGKILL"}


@pytest.mark.parametrize("deed, reason", UNANSWERED.items(), ids=UNANSWERED)
def test_what_is_not_answered(link, tmp_path, deed, reason):
    """The next Kea has it handled, and what is behind it, each in its turn; behind garbage, a daemon may have gone on."""
    with handler("daemon", tmp_path, AHEAD) as one:
        kea = end_at_work(link, tmp_path, one, "1", deed, *BEHIND, timeout=1000)
        one.touch("on")
        no_runner(1 + 1 + 3)
        assert deeds(one)[:3] == ["later", "1", deed] and not one.pids()
        assert re.search(rf"^kea-runscript-runner: {one.script}: {reason}$", kea.log(), re.M)
        before = len(deeds(one))
        with kea:
            quiet(kea)
            assert [line for line in dict.fromkeys(deeds(one)[before:]) if line != deed] == BEHIND
            # An event that is answered twice is answered.
            assert (deed in deeds(one)[before:]) == (deed != "twice")


def test_what_answers_say(link, tmp_path):
    with handler("daemon", tmp_path, AHEAD) as one:
        kea = end_at_work(link, tmp_path, one, "fail", "log")
        one.touch("on")
        expect_all(kea, one, "later", "fail", "log")
        lines = kea.log().splitlines()
        for text in "an event has failed: no database", "a word", "a cry":
            assert f"kea-runscript-runner: {one.script}: {text}" in lines


@pytest.mark.parametrize("dies", [False, True])
def test_kea_ends_after_a_reload(link, tmp_path, dies):
    """What the library has heard of counts."""
    with handler("daemon", tmp_path, AHEAD) as one:
        with serve(tmp_path, one, timeout=2000) as kea:
            hold(link, one)
            tell(stranger(link), "later", "1", "hang", "2", "3")
            let_go(one, 5)
            kea.reload()
            one.touch("on")
            wait_until(lambda: kea.status()["pending"] == 3, "the first answers")
        if dies:
            os.kill(told(one)[0].pid, signal.SIGKILL)
        no_runner(2 + 1 + 3)
        assert not one.pids()
        with kea:
            quiet(kea)
            assert deeds(one) == ["later", "1", "hang", "hang", "2", "3"]
            assert counts(kea) == (1, 1, 0)
