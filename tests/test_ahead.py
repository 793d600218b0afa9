"""Handlers that take further events before they have answered the first: those of one client in order, none twice."""

import pytest

from rig.ahead import AHEAD, POINT, counts, deeds, hold, lanes, let_go, serve, tell
from rig.dhcp4 import ACK, VENDOR_CLASS, stranger
from rig.handlers import MODES, handler
from rig.park import ask_for
from rig.wait import quiet, wait_until

COMMITTED = "leases4_committed"


@pytest.fixture(params=MODES)
def one(request, tmp_path):
    with handler(request.param, tmp_path, AHEAD) as one:
        yield one


@pytest.mark.parametrize("concurrency", [1, 3])
def test_one_lane_has_all_that_stand_one_behind_the_other(link, tmp_path, one, concurrency):
    """Those of one client; with one lane only, all."""
    with serve(tmp_path, one, concurrency) as kea:
        hold(link, one, concurrency)
        names = ["later", "1", "2", "3", "4", "5"]
        clients = [stranger(link) for _ in names] if concurrency == 1 else [stranger(link)] * len(names)
        for client, name in zip(clients, names):
            tell(client, name)
        let_go(one, len(names), concurrency)
        wait_until(lambda: kea.status()["pending"] == len(names), "the answers to those before")
        assert wait_until(lambda: deeds(one), "the first at work") == names[:1]
        one.touch("on")
        quiet(kea)
        assert deeds(one) == names and len(lanes(one, *names)) == 1
        assert counts(kea) == (0, 0, 0)


@pytest.mark.parametrize("said, most", [(0, 0), (1, 1), (3, 3), (32, 32), (1000, 32)])
def test_no_more_than_it_says(link, tmp_path, said, most):
    with handler("daemon", tmp_path, said) as one, serve(tmp_path, one) as kea:
        hold(link, one)
        names = ["later", *map(str, range(40))]
        tell(stranger(link), *names)
        let_go(one, 1 + most)
        one.touch("on")
        quiet(kea)
        assert deeds(one) == names
        assert max(len(before) for _, _, before in one.came()) == most


def test_what_is_no_number(link, tmp_path):
    with handler("daemon", tmp_path, -1) as one:
        assert "its first line is no hello" in serve(tmp_path, one).expect_refusal()


def test_independent_ones_are_shared_among_idle_lanes(link, tmp_path, one):
    """Another client gets the address that one has released, and that one another: both wait for the release alone."""
    with serve(tmp_path, one, 2, hook_points=["lease4_select", "lease4_release"]) as kea:
        hold(link, one, 2)
        one.touch("go")
        first, second = stranger(link), stranger(link)
        address = first.dora().yiaddr
        quiet(kea)
        (tmp_path / "go").unlink()
        first.options = [(VENDOR_CLASS, b"late")]
        first.release()
        one.wait(5)
        second.options = first.options = [(VENDOR_CLASS, b"later")]
        assert second.dora(requested=address).yiaddr == address
        assert first.discover().yiaddr != address
        one.touch("go")
        wait_until(lambda: deeds(one).count("later") == 2, "both at work side by side")
        one.touch("on")
        quiet(kea)
        assert counts(kea) == (0, 0, 0)


def test_a_crowd_over_reloads(link, tmp_path, one):
    with serve(tmp_path, one, 3) as kea:
        clients = [stranger(link) for _ in range(6)]
        names = [str(number) for number in range(30)]
        for name in names:
            if name in ("10", "20"):
                kea.reload()
            for client in clients:
                tell(client, name)
        quiet(kea)
        for client in clients:
            assert [entry.deed for entry in one.events() if entry.mac == client.mac] == names
        assert counts(kea) == (0, 0, 0)


# Those that Kea waits for

@pytest.mark.parametrize("wait", [True, "park"])
def test_none_where_kea_waits_too(link, tmp_path, one, wait):
    """Neither those of strangers nor, behind the event that it waits for, those of the same client."""
    points = [{"name": POINT, "wait": False}, COMMITTED]
    with serve(tmp_path, one, 2, hook_points=points, wait=wait) as kea:
        hold(link, one)
        for _ in range(4):
            tell(stranger(link), *"123456789")
        client = stranger(link)
        offer = client.discover()
        client.options = [(VENDOR_CLASS, b"nap")]
        answer = ask_for(client, offer)
        client.options = []
        one.wait(3)
        tell(client, *"123456789")
        assert answer().type == ACK
        one.touch("go")
        quiet(kea)
        assert not any(before for _, _, before in one.came())
        assert counts(kea) == (0, 0, 0)


def test_the_lane_for_those_that_kea_waits_for_is_kept(link, tmp_path, one):
    """A client's event that it waits for goes before others, and brings none along that would hold up the next."""
    points = [{"name": POINT, "wait": False}, COMMITTED]
    with serve(tmp_path, one, 2, hook_points=points, wait=True) as kea:
        hold(link, one)
        tell(stranger(link), "late")
        for _ in range(2):
            assert stranger(link).dora(timeout=2).type == ACK
        assert counts(kea) == (0, 0, 0)


def test_kea_does_not_wait_for_others_on_its_clients_lane(link, tmp_path, one):
    """What a client has sent before is not stuck behind another client's."""
    points = [{"name": POINT, "wait": False}, COMMITTED]
    with serve(tmp_path, one, 2, hook_points=points, wait=True) as kea:
        hold(link, one)
        slow, client = stranger(link), stranger(link)
        tell(slow, "later")
        tell(client, "1")
        one.touch("go")
        wait_until(lambda: "later" in deeds(one), "the slow one at work")
        assert client.dora(timeout=2).type == ACK
        assert counts(kea) == (0, 0, 0)
