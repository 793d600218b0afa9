"""Daemons, and servers on a socket, that read the lines themselves: what they say is done, and none is missed."""

import os
import re
import signal

import pytest

from rig import processes
from rig.configs import SUBNET4, THREADS
from rig.dhcp4 import ACK, OFFER, NoAnswer, stranger
from rig.handlers import MODES, handler
from rig.kea import Kea
from rig.wait import quiet, wait_until

POINT = "pkt4_receive"
THREADED = pytest.mark.parametrize("threads", [{}, THREADS], ids=["single", "threads"])


@pytest.fixture(params=MODES)
def one(request, tmp_path):
    with handler(request.param, tmp_path) as one:
        yield one


DAEMON = pytest.mark.parametrize("one", ["daemon"], indirect=True)


def does(link, deed):
    """A client that makes the handler do this."""
    return stranger(link, options=[(60, deed.encode())])


@THREADED
def test_one_start_for_all_events(link, tmp_path, one, threads):
    points = ["pkt4_receive", "lease4_select", "pkt4_send"]
    with Kea(4, {**SUBNET4, **threads}, tmp_path, [one.hook(hook_points=points, concurrency=3)]) as kea:
        clients = [stranger(link) for _ in range(5)]
        assert {client.discover().type for client in clients} == {OFFER}
        assert one.seen() == [(client.mac, point) for client in clients for point in points]
        numbers = [entry.seq for entry in one.events()]
        assert numbers == list(range(numbers[0], numbers[0] + 15))
        wait_until(lambda: len(set(one.hellos())) == 3, "the hello of all three lanes")
        assert one.diary.read_text().split()[4] == "kea-dhcp4"
        assert kea.status()["failures"] == 0
    wait_until(lambda: one.ends() == 3, "the end of all three lanes")
    wait_until(lambda: one.mode == "socket" or not one.pids(), "the end of all daemons")


@DAEMON
def test_its_answers(link, tmp_path, one):
    with Kea(4, SUBNET4, tmp_path, [one.hook(hook_points=["pkt4_receive", "pkt4_send"], answers=True)]) as kea:
        with pytest.raises(NoAnswer):
            does(link, "drop").discover(timeout=0.5)
        # It wishes for the same at pkt4_receive, where that has no effect.
        assert does(link, "wish").dora().file == b"wished"
        assert kea.status()["refused"] == 2
        [line] = kea.said("ANSWER_REFUSED")
        assert '"boot-file-name"' in line and POINT in line


@DAEMON
def test_nobody_asks(link, tmp_path, one):
    with Kea(4, SUBNET4, tmp_path, [one.hook(hook_points=[POINT])]) as kea:
        assert does(link, "wish").discover().type == OFFER
        quiet(kea)
        [line] = kea.said("ANSWER_REFUSED")
        assert POINT in line and '"answers" is off' in line


@DAEMON
def test_its_log(link, tmp_path, one):
    with Kea(4, SUBNET4, tmp_path, [one.hook(hook_points=[POINT])]) as kea:
        does(link, "log").discover()
        assert kea.said("OUTPUT")[0].endswith(f"at {POINT}: a word")
        assert kea.said("ERROR_OUTPUT")[0].endswith(f"at {POINT}: a cry")


FAILURES = {
    "hang": "no answer within 300 ms", "stubborn": "no answer within 300 ms", "half": "no answer within 300 ms",
    "close": "no answer within 300 ms|no answer: connection closed", "crash": "no answer: connection closed",
    "garbage": 'bad answer: "nonsense": ', "huge": "more than 262144 bytes in a line", "fail": "no database",
}


# One of each kind, and every pair of settings; src/dispatch/tests/ has the rest, on a server that the test plays itself.
@pytest.mark.parametrize("one, deed, on_failure, threads", [
    ("daemon", "hang", "continue", {}), ("daemon", "stubborn", "drop", THREADS), ("daemon", "close", "drop", {}),
    ("daemon", "crash", "continue", THREADS), ("daemon", "garbage", "drop", {}), ("daemon", "fail", "continue", THREADS),
    ("socket", "half", "continue", THREADS), ("socket", "crash", "drop", {}), ("socket", "huge", "continue", {})],
    indirect=["one"])
def test_it_fails(link, tmp_path, one, deed, on_failure, threads):
    """One event fails by `on-failure`, which is logged once; the next one works, on the only lane that there is."""
    parameters = {"hook_points": [POINT], "on_failure": on_failure, "concurrency": 1,
                  "timeout": 300 if "300" in FAILURES[deed] else 5000}
    with Kea(4, {**SUBNET4, **threads}, tmp_path, [one.hook(**parameters)]) as kea:
        if on_failure == "continue":
            assert does(link, deed).discover(timeout=2).type == OFFER
        else:
            with pytest.raises(NoAnswer):
                does(link, deed).discover(timeout=0.6)
        # A lane that has failed is not the next client's.
        wait_until(lambda: len(one.hellos()) == (1 if deed == "fail" else 2), "the lane of the next client")
        after = stranger(link)
        assert after.discover().type == OFFER
        assert (after.mac, POINT) in one.seen()
        [line] = kea.said("EVENT_FAILED")
        assert re.match(rf"{one.script if one.mode == 'daemon' else one.socket} at {POINT}: ({FAILURES[deed]})", line)
        assert line.endswith(f"; Kea goes on with: {on_failure}")
        assert kea.status()["failures"] == 1
        assert kea.status()["timeouts"] == int("no answer within" in line)
        assert "PANIC" not in kea.log()


@DAEMON
def test_it_says_too_much(link, tmp_path, one):
    """Two answers to one event: the second is none."""
    with Kea(4, SUBNET4, tmp_path, [one.hook(hook_points=[POINT], concurrency=1)]) as kea:
        assert does(link, "twice").discover().type == OFFER
        assert stranger(link).discover().type == OFFER
        answered, asked = map(int, re.search(r"it answers event (\d+) instead of (\d+)", kea.said("EVENT_FAILED")[0]).groups())
        assert asked == answered + 1
        assert stranger(link).discover().type == OFFER
        assert kea.status()["failures"] == 1


@DAEMON
def test_a_late_answer_is_no_answer_to_the_next(link, tmp_path, one):
    config = one.hook(hook_points=[POINT], answers=True, timeout=200, concurrency=1)
    with Kea(4, SUBNET4, tmp_path, [config]) as kea:
        assert does(link, "late").discover().type == OFFER
        assert kea.status()["timeouts"] == 1
        one.touch("go")
        quiet(kea)
        assert stranger(link).discover().type == OFFER
        assert len(one.hellos()) == 1, "it is still the same"
        assert kea.status()["failures"] == 1 and not kea.said("LANE_LOST")


@pytest.mark.parametrize("one, wait, threads", [
    ("daemon", True, {}), ("daemon", False, THREADS), ("socket", True, THREADS), ("socket", False, {})],
    indirect=["one"])
def test_killed_while_idle(link, tmp_path, one, wait, threads):
    with Kea(4, {**SUBNET4, **threads}, tmp_path, [one.hook(hook_points=[POINT], wait=wait, concurrency=1)]) as kea:
        macs = []
        for _ in range(3):
            wait_until(lambda: one.mode == "socket" or one.pids(), "a daemon")
            one.kill()
            one.launch()
            client = stranger(link)
            macs.append(client.mac)
            assert client.discover().type == OFFER
            quiet(kea)
        if wait:
            # Where there is nobody to be had, Kea does not wait.
            wait_until(lambda: kea.status()["down"] is None, "the handler")
            client = stranger(link)
            macs.append(client.mac)
            client.discover()
            assert [mac for mac, _ in one.seen()] == [mac for mac in macs if mac in dict(one.seen())]
            assert (client.mac, POINT) in one.seen()
        else:
            assert [mac for mac, _ in one.seen()] == macs
            assert kea.status()["failures"] == 0


@DAEMON
def test_a_slow_start(link, tmp_path, one):
    """At load Kea waits for it; later, events do."""
    one.touch("slow")
    kea = Kea(4, SUBNET4, tmp_path, [one.hook(hook_points=[POINT], concurrency=1)])
    kea.launch()
    try:
        wait_until(one.hellos, "the first hello")
        assert "DHCP4_STARTED" not in kea.log()
        one.touch("awake")
        kea.wait_log("DHCP4_STARTED")
        assert stranger(link).discover().type == OFFER
        (tmp_path / "awake").unlink()
        one.kill()
        one.launch()
        wait_until(lambda: len(one.hellos()) == 2, "the second hello")
        client = stranger(link)
        client.send(query := client.message(1))
        one.touch("awake")
        assert client.wire.receive(query.xid).type == OFFER
        assert one.seen()[-1] == (client.mac, POINT)
        assert kea.status()["failures"] == 0
    finally:
        kea.stop()


@pytest.mark.parametrize("one, gone", [("daemon", True), ("socket", False)], indirect=["one"])
def test_what_is_not_waited_for_is_not_lost(link, tmp_path, one, gone):
    """The handler hangs over an event of a client, dies, and comes back."""
    points = ["pkt4_receive", "lease4_select", "pkt4_send"]
    with Kea(4, SUBNET4, tmp_path, [one.hook(hook_points=points, wait=False, concurrency=1)]) as kea:
        slow = does(link, "late")
        assert slow.discover().type == OFFER
        one.wait(1)
        clients = [stranger(link) for _ in range(4)]
        assert {client.discover().type for client in clients} == {OFFER}
        assert kea.status()["pending"] == 15
        if gone:
            one.kill()
            one.launch()
            one.wait(2)
        one.touch("go")
        quiet(kea)
        expected = [(client.mac, point) for client in [slow, *clients] for point in points]
        assert one.seen() == [expected[0]] * gone + expected
        assert kea.status()["failures"] == 0


@pytest.mark.parametrize("one, threads", [("daemon", THREADS), ("socket", {})], indirect=["one"])
def test_reload_while_it_works(link, tmp_path, one, threads):
    """An event on a lane ends there, and those behind it wait for that."""
    points = ["pkt4_receive", "pkt4_send"]    # no leases: the two clients have nothing in common
    with Kea(4, {**SUBNET4, **threads}, tmp_path, [one.hook(hook_points=points, wait=False, concurrency=2)]) as kea:
        slow, quick = does(link, "late"), stranger(link)
        assert slow.discover().type == quick.discover().type == OFFER
        one.wait(3)
        kea.reload()
        again = stranger(link)
        assert again.discover().type == OFFER
        one.wait(5)
        assert [hook for mac, hook in one.seen() if mac == slow.mac] == points[:1]
        one.touch("go")
        quiet(kea)
        for client in (slow, quick, again):
            assert [hook for mac, hook in one.seen() if mac == client.mac] == points
        wait_until(lambda: one.mode == "socket" or len(one.pids()) == 2, "the end of the daemons of before")
        assert kea.status()["failures"] == 0


def test_what_is_queued_when_kea_ends(link, tmp_path, one):
    """The next Kea has it handled. What a daemon answers meanwhile counts; a server on a socket has its event a second time."""
    points = ["pkt4_receive", "lease4_select", "pkt4_send"]
    library = one.hook(hook_points=points, wait=False, concurrency=1)
    with Kea(4, SUBNET4, tmp_path, [library]) as kea:
        clients = [does(link, "late"), stranger(link)]
        assert {client.discover().type for client in clients} == {OFFER}
        one.wait(1)
    name = one.socket if one.mode == "socket" else one.script
    assert kea.said("LEFT") == [f"{name}: 5 events wait for their turn, 0 of them in memory alone, and 1 are being handled"]
    one.touch("go")
    wait_until(lambda: one.mode == "socket" or not one.pids() and not processes.runners(), "the end of all")
    expected = [(client.mac, point) for client in clients for point in points]
    assert one.seen() == expected[:1]
    with kea:
        quiet(kea)
        assert kea.status()["failures"] == 0
    assert one.seen() == expected[:1] + expected[one.mode == "daemon":]


def test_the_runner_is_killed(link, tmp_path):
    with handler("daemon", tmp_path) as one, Kea(4, SUBNET4, tmp_path, [one.hook(hook_points=[POINT])]) as kea:
        before = one.pids()
        processes.kill_runner()
        wait_until(lambda: not any(map(processes.alive, before)), "the end of the daemons with it")
        client = stranger(link)
        assert client.dora().type == ACK
        assert one.seen() == [(client.mac, POINT)] * 2
        assert kea.status()["failures"] == 0
        [line] = kea.said("HANDLER_LOST")


def test_its_last_words(link, tmp_path):
    with handler("daemon", tmp_path) as one, Kea(4, SUBNET4, tmp_path, [one.hook(hook_points=[POINT])]) as kea:
        assert does(link, "leave").discover().type == OFFER
        wait_until(lambda: len(kea.said("DAEMON_OUTPUT")) == 2, "what it said")
        words = [re.fullmatch(rf"{one.script}, lane \d+: (.*)", line)[1] for line in kea.said("DAEMON_OUTPUT")]
        assert words == ["I have had enough", "ended with exit status 3"]


def test_ends_again_and_again(link, tmp_path):
    """Pauses grow, and Kea does not wait for what does not come."""
    with handler("daemon", tmp_path) as one:
        with Kea(4, SUBNET4, tmp_path, [one.hook(hook_points=[POINT], concurrency=1)]) as kea:
            def given_up():
                for pid in one.pids():
                    os.kill(pid, signal.SIGKILL)
                return kea.status()["down"]
            wait_until(given_up, "the end of patience", 30)
            assert len(one.hellos()) <= 8
            assert stranger(link).discover(timeout=1).type == OFFER
            wait_until(lambda: kea.status()["down"] is None, "another start", 15)
            client = stranger(link)
            client.discover()
            assert one.seen()[-1] == (client.mac, POINT)
