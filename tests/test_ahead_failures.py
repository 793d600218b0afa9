"""What becomes of events that were sent ahead when a handler fails, at a reload, and when Kea ends: none is lost."""

import os
import re
import signal

import pytest

from rig import processes
from rig.ahead import AHEAD, counts, deeds, hold, lanes, let_go, serve, tell, told
from rig.dhcp4 import stranger
from rig.handlers import handler
from rig.wait import quiet, wait_until


@pytest.fixture
def one(request, tmp_path):
    with handler(request.param, tmp_path, AHEAD) as one:
        yield one


# Where the two do not differ for the library; src/handler/tests/ has the same on a server that the test plays itself.
DAEMON = pytest.mark.parametrize("one", ["daemon"], indirect=True)


@DAEMON
def test_each_has_its_time(link, tmp_path, one):
    """It begins when the one before was answered, over a reload too."""
    with serve(tmp_path, one, timeout=1000) as kea:
        hold(link, one)
        tell(stranger(link), "nap", "nap")
        let_go(one, 2)
        kea.reload()
        quiet(kea)
        assert deeds(one) == ["nap"] * 2
        assert counts(kea) == (0, 0, 0)


@DAEMON
def test_no_answer(link, tmp_path, one):
    with serve(tmp_path, one, timeout=1000) as kea:
        hold(link, one)
        tell(stranger(link), "1", "hang", "2", "3")
        let_go(one, 4)
        quiet(kea)
        assert deeds(one) == ["1", "hang", "2", "3"]
        assert lanes(one, "1") == lanes(one, "hang") != lanes(one, "2", "3")
        assert len(kea.said("EVENT_FAILED")) == len(kea.said("LANE_LOST")) == 1
        assert counts(kea) == (1, 1, 0)
        wait_until(lambda: one.mode == "socket" or len(one.pids()) == 1, "the end of the one that hangs")


@DAEMON
def test_a_late_answer(link, tmp_path, one):
    """It comes in the second that is left: the lane goes on."""
    with serve(tmp_path, one, timeout=1000) as kea:
        hold(link, one)
        tell(stranger(link), "later", "1", "2")
        let_go(one, 3)
        wait_until(lambda: kea.status()["timeouts"] == 1, "the time-out")
        one.touch("on")
        quiet(kea)
        assert deeds(one) == ["later", "1", "2"] and len(lanes(one, "later", "1", "2")) == 1
        assert counts(kea) == (1, 1, 0) and not kea.said("LANE_LOST")


@pytest.mark.parametrize("one, deed, behind", [("daemon", "twice", ["2"]), ("socket", "huge", ["1", "2"])],
                         indirect=["one"])
def test_no_answer_at_all(link, tmp_path, one, deed, behind):
    """The first that has no answer fails, those behind it go to another lane. The old one may have looked at them already."""
    with serve(tmp_path, one) as kea:
        hold(link, one)
        tell(stranger(link), "later", deed, "1", "2")
        let_go(one, 4)
        one.touch("on")
        quiet(kea)
        [first] = lanes(one, deed)
        assert [entry.deed for entry in told(one) if (entry.pid, entry.lane) != first] == behind
        assert len(kea.said("EVENT_FAILED")) == len(kea.said("LANE_LOST")) == 1
        assert counts(kea) == (1, 0, 0)


@DAEMON
def test_it_dies_over_events(link, tmp_path, one, concurrency=3):
    """Three times at most over each, and all others are handled, once."""
    with serve(tmp_path, one, concurrency) as kea:
        hold(link, one, concurrency)
        names = ["later", "crash", "1", "leave", "2"]
        for name in names:
            tell(stranger(link), name)
        let_go(one, len(names), concurrency)
        one.touch("on")
        quiet(kea)
        # The first death counts for all that were there.
        assert sorted(deeds(one)) == ["1", "2", *["crash"] * 3, "later", *["leave"] * 2]
        [first] = lanes(one, "later")
        assert not any(before for lane, _, before in one.came() if lane != first), "each goes alone then"
        assert len(kea.said("EVENT_LOST")) == 1 and counts(kea) == (2, 0, 0)
    assert [line for line in kea.said("REPEATED") if "EVENT_LOST" in line and "1 more times" in line]


@DAEMON
def test_it_is_killed(link, tmp_path, one):
    with serve(tmp_path, one) as kea:
        hold(link, one)
        tell(stranger(link), "later", "1", "2")
        let_go(one, 3)
        one.wait(2)
        one.kill()
        one.launch()
        wait_until(lambda: len(deeds(one)) == 2, "the next one at work")
        one.touch("on")
        quiet(kea)
        assert deeds(one) == ["later", "later", "1", "2"]
        assert [len(before) for _, _, before in one.came()[4:]] == [0, 0, 0]
        assert counts(kea) == (0, 0, 0)


# Reload, and the end of Kea

def reload_at_work(kea, link, one, first, concurrency=1):
    """A lane has three events of a client when the reload comes, and there is a fourth."""
    hold(link, one, concurrency)
    client = stranger(link)
    tell(client, first, "1", "2")
    let_go(one, 3, concurrency)
    kea.reload()
    assert "3 events" in kea.said("TAKEN_OVER")[0]
    tell(client, "3")


@pytest.mark.parametrize("one, concurrency", [("daemon", 2), ("socket", 1)], indirect=["one"])
def test_reload(link, tmp_path, one, concurrency):
    with serve(tmp_path, one, concurrency) as kea:
        reload_at_work(kea, link, one, "later", concurrency)
        tell(stranger(link), "4")
        if concurrency > 1:
            wait_until(lambda: deeds(one) == ["later", "4"], "another client's event")
        one.touch("on")
        quiet(kea)
        assert [deed for deed in deeds(one) if deed != "4"] == ["later", "1", "2", "3"] and deeds(one).count("4") == 1
        assert len(lanes(one, "later", "1", "2")) == 1 and lanes(one, "later") != lanes(one, "3")
        assert counts(kea) == (0, 0, 0)
        wait_until(lambda: one.mode == "socket" or len(one.pids()) == concurrency, "the end of the old ones")


@DAEMON
def test_time_is_over_after_a_reload(link, tmp_path, one):
    """When the second that is left for its answer is over, the new one has those behind."""
    with serve(tmp_path, one, timeout=1000) as kea:
        reload_at_work(kea, link, one, "later")
        wait_until(lambda: kea.status()["timeouts"] == 1, "the time-out")
        quiet(kea)
        assert deeds(one) == ["later", "1", "2", "3"]
        assert lanes(one, "1", "2") == lanes(one, "3")
        assert counts(kea) == (1, 1, 0)


@DAEMON
def test_it_is_killed_after_a_reload(link, tmp_path, one):
    with serve(tmp_path, one) as kea:
        reload_at_work(kea, link, one, "later")
        if one.mode == "daemon":
            os.kill(told(one)[0].pid, signal.SIGKILL)
        else:
            one.kill()
            one.launch()
        wait_until(lambda: len(deeds(one)) == 2, "the new one at work")
        one.touch("on")
        quiet(kea)
        assert deeds(one) == ["later", "later", "1", "2", "3"]
        assert counts(kea) == (0, 0, 0)


def test_kea_ends(link, tmp_path):
    """Daemons finish what they have, and others that the runner starts do the rest."""
    with handler("daemon", tmp_path, AHEAD) as one:
        with serve(tmp_path, one) as kea:
            hold(link, one)
            client = stranger(link)
            tell(client, "later", "1", "2")
            let_go(one, 3)
            tell(client, "3", "4")
        assert "2 events not yet handled go on without Kea, 3 are being handled" in kea.said("HANDED_OVER")[0]
        one.touch("on")
        wait_until(lambda: len(deeds(one)) == 5, lambda: f"all events ({deeds(one)})")
        assert deeds(one) == ["later", "1", "2", "3", "4"]
        wait_until(lambda: not one.pids(), "the end of all")


# Nobody but the runner hears what daemons answer when Kea has ended.

def end_at_work(link, tmp_path, one, *deeds, **parameters):
    """Kea ends while a lane is at work on the first of these events and has the others; returns it."""
    with serve(tmp_path, one, **parameters) as kea:
        hold(link, one)
        tell(stranger(link), "later", *deeds)
        let_go(one, len(deeds) + 1)
    assert f"{len(deeds) + 1} are being handled" in kea.said("HANDED_OVER")[0]
    return kea


def expect_all(kea, one, *expected):
    wait_until(lambda: deeds(one) == [*expected], lambda: f"all events ({deeds(one)})")
    wait_until(lambda: not processes.runners(), "the end of the runner")
    assert one.ends() == 1 and "lost" not in kea.log()


def test_each_has_its_time_without_kea(link, tmp_path):
    """Together they take longer than one may, with the second that a late answer has."""
    with handler("daemon", tmp_path, AHEAD) as one:
        names = ["nap"] * 4
        kea = end_at_work(link, tmp_path, one, *names, timeout=1000)
        one.touch("on")
        expect_all(kea, one, "later", *names)


def test_long_answers_without_kea(link, tmp_path):
    """All of them together do not fit into a connection."""
    with handler("daemon", tmp_path, 32) as one:
        names = ["wordy"] * 32
        kea = end_at_work(link, tmp_path, one, *names)
        one.touch("on")
        expect_all(kea, one, "later", *names)


def test_a_daemon_that_does_not_leave_without_kea(link, tmp_path):
    """When it has answered all, a second is enough."""
    with handler("daemon", tmp_path, AHEAD) as one:
        one.touch("deaf")
        kea = end_at_work(link, tmp_path, one, "1", "2")
        one.touch("on")
        expect_all(kea, one, "later", "1", "2")


@pytest.mark.parametrize("deed, reason", [
    ("hang", "no answer in time; it is stopped"),
    ("huge", "more than 262144 bytes in a line: an answer may have no more; it is stopped"),
    ("leave", "ended with exit status 3"), ("crash", "killed by SIGKILL")])
def test_what_is_lost_without_kea(link, tmp_path, deed, reason):
    """One that hangs has the time of one event for it, not that of all which it has."""
    with handler("daemon", tmp_path, AHEAD) as one:
        kea = end_at_work(link, tmp_path, one, "1", deed, *"23456", timeout=2000)
        one.touch("on")
        wait_until(lambda: not processes.runners(), "the end of the runner", 2 + 1 + 3)
        assert deeds(one) == ["later", "1", deed] and not one.pids()
        assert f"kea-runscript: {one.script}: 6 events are lost: {reason}\n" in kea.log()


@pytest.mark.parametrize("deed, count, reason", [
    ("garbage", 3, '"nonsense": standard output is for answers; print to standard error'), ("twice", 2, "event [0-9]+ is answered twice")])
def test_what_is_no_answer_without_kea(link, tmp_path, deed, count, reason):
    with handler("daemon", tmp_path, AHEAD) as one:
        kea = end_at_work(link, tmp_path, one, "1", deed, "hang", "2", timeout=60_000)
        one.touch("on")
        wait_until(lambda: not processes.runners(), "the end of the runner")
        said = rf"kea-runscript: {one.script}: {count} events are lost: bad answer: {reason}; it is stopped\n"
        assert re.search(said, kea.log()) and not one.pids()


def test_what_answers_say_without_kea(link, tmp_path):
    with handler("daemon", tmp_path, AHEAD) as one:
        kea = end_at_work(link, tmp_path, one, "fail", "log")
        one.touch("on")
        expect_all(kea, one, "later", "fail", "log")
        lines = kea.log().splitlines()
        for text in "an event has failed: no database", "a word", "a cry":
            assert f"kea-runscript: {one.script}: {text}" in lines


def test_answers_come_faster_than_the_runner_hears_of_them(link, tmp_path):
    """It is stopped for a while, after a reload: then it knows all the same that nothing is lost."""
    with handler("daemon", tmp_path, 32) as one:
        with serve(tmp_path, one, 9) as kea:
            hold(link, one, 9)
            for _ in range(9):
                tell(stranger(link), "later", *["1"] * 32)
            let_go(one, 9 * 33, 9)
            [old] = processes.runners()
            kea.reload()
            os.kill(old, signal.SIGSTOP)
            one.touch("on")
            quiet(kea)
            os.kill(old, signal.SIGCONT)
            wait_until(lambda: len(processes.runners()) == 1, "the end of the old runner")
        assert len(deeds(one)) == 9 * 33 and " lost: " not in kea.log()


@pytest.mark.parametrize("dies", [False, True])
def test_kea_ends_after_a_reload(link, tmp_path, dies):
    """What the library has heard of is not lost."""
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
        wait_until(lambda: not processes.runners(), "the end of the runners", 2 + 1 + 3)
        assert not one.pids()
        reason = "killed by SIGKILL" if dies else "no answer in time; it is stopped"
        assert kea.log().count(" lost: ") == 1 and f"3 events are lost: {reason}\n" in kea.log()
