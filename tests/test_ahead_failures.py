"""What becomes of events that were sent ahead when a handler fails, and at a reload: none is lost."""

import os
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


# Where the two do not differ for the library; src/dispatch/tests/ has the same on a server that the test plays itself.
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


@pytest.mark.parametrize("deadly", [["crash"], ["crash", "leave"]], ids=["one", "two"])
@DAEMON
def test_it_dies_over_events(link, tmp_path, one, deadly, concurrency=1):
    """Three times at most over each, and all others are handled, once."""
    with serve(tmp_path, one, concurrency) as kea:
        hold(link, one, concurrency)
        names = ["later", deadly[0], "1", *deadly[1:], "2"]
        for name in names:
            tell(stranger(link), name)
        let_go(one, len(names), concurrency)
        one.touch("on")
        quiet(kea)
        assert sorted(name for name in deeds(one) if name not in deadly) == ["1", "2", "later"]
        # The first death counts for all that were there.
        assert all(2 <= deeds(one).count(name) <= 3 for name in deadly), deeds(one)
        [first] = lanes(one, "later")
        assert not any(before for lane, _, before in one.came() if lane != first), "each goes alone then"
        assert len(kea.said("GIVEN_UP")) == 1 and counts(kea) == (len(deadly), 0, 0)
        assert kea.status()["given-up"] == len(deadly)


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


# Reload

def reload_at_work(kea, link, one, first, concurrency=1):
    """A lane has three events of a client when the reload comes, and there is a fourth."""
    hold(link, one, concurrency)
    client = stranger(link)
    tell(client, first, "1", "2")
    let_go(one, 3, concurrency)
    kea.reload()
    assert kea.said("LEFT")[0].endswith(" 3 are being handled")
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
