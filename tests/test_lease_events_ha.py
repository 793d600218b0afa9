"""Lease events on a high-availability pair: the standby's script hears the same."""

import pytest

from rig.dhcp6 import Client6, link_local
from rig.ha_pair import Partner, server, until_state
from rig.lease_events import Customer, texts
from rig.recorder import Recorder
from rig.wait import wait_until

FAMILIES = pytest.mark.parametrize("family", [4, 6])


@pytest.fixture
def partner(link):
    with Partner() as partner:
        yield partner


@pytest.fixture
def pair(link, partner, tmp_path):
    """Both servers and their scripts, serving."""
    keas = []

    def start(family, **config):
        scripts = []
        for role in ("primary", "standby"):
            directory = tmp_path / role
            directory.mkdir()
            scripts.append(Recorder(directory))
            keas.append(server(family, role, directory, scripts[-1], **config))
        keas[0].start()
        with partner.inside():
            keas[1].start()
        for kea in keas:
            until_state(kea, "hot-standby")
        for script in scripts:
            wait_until(lambda script=script: script.calls() and script.calls()[-1]["KEA_ACTION"] == "replay-end",
                       "the replays")
        return keas, scripts
    yield start
    for kea in keas:
        if kea.alive():
            kea.stop()


def changes(kea):
    return [event for event in kea.told() if not event.text.startswith("replay")]


def actions(kea):
    """The partner does not say why a lease has been deleted."""
    return [(event["KEA_ACTION"], event.text.split()[-1]) for event in changes(kea)]


def until_the_same(one, other):
    wait_until(lambda: actions(one) == actions(other), lambda: f"the same events:\n{actions(one)}\n{actions(other)}")


@FAMILIES
def test_the_standby_hears_the_same(link, pair, family):
    (primary, standby), _ = pair(family)
    with Customer(link, family) as client:
        address = client.get()
        client.renew()
        client.release()
        wait_until(lambda: len(changes(primary)) == 3, "three events")
        until_the_same(primary, standby)
        assert actions(standby) == [("add", address), ("renew", address), ("del", address)]
        for event in changes(standby)[:2]:
            assert event["KEA_INTERFACE"] == "vs"


def test_a_failover(link, partner, pair):
    (primary, standby), _ = pair(6)
    with Client6(link, na=[1], pd=[2]) as client:
        address, prefix = client.sarr().leases
        until_the_same(primary, standby)
        assert {event["KEA_NEXT_HOP"] for event in changes(standby)} == {link_local(client.mac)}
        primary.kill()
        with partner.inside():
            moved = Client6(partner.link, client.mac, na=[1], pd=[2])
        with moved:
            moved.ias = client.ias

            def answered():
                try:
                    return moved.rebind(timeout=1).leases == [address, prefix]
                except AssertionError:
                    return False
            wait_until(answered, "the standby's answer", 30)
            events = changes(standby)[2:]
            assert texts(events)[:2] == [f"renew {address}", f"renew {prefix}"]
            assert events[1]["KEA_NEXT_HOP"] == link_local(client.mac)


def test_a_synchronisation_by_command(pair):
    """Its leases come by no command that tells of them."""
    (_, standby), (_, heard) = pair(4)

    def ends():
        return [call for call in heard.calls() if call["KEA_ACTION"] == "replay-end"]
    already = len(ends())
    standby.done("ha-sync", {"server-name": "primary", "max-period": 10})
    wait_until(lambda: len(ends()) > already, "a replay")


@FAMILIES
def test_a_standby_that_was_down(link, partner, pair, family):
    """What it has missed comes by a replay, once it has its partner's leases."""
    (primary, standby), (_, heard) = pair(family)
    with Customer(link, family, "02:00:00:00:00:01") as gone, Customer(link, family, "02:00:00:00:00:02") as new:
        gone.get()
        until_the_same(primary, standby)
        standby.kill()
        until_state(primary, "partner-down")
        gone.release()
        given = new.get()
        already = len(heard.calls())
        with partner.inside():
            standby.start()
        until_state(standby, "hot-standby")

        def last():
            events = texts(standby.told()[already:])
            begins = [at for at, text in enumerate(events) if text == "replay-begin"]
            return events[begins[-1]:] if begins else []

        def kept():
            """What the standby's database has now: Kea takes over what its partner has, and keeps the rest."""
            leases = standby.done(f"lease{family}-get-all")["leases"]
            return sorted(f"replay {lease['ip-address']}" for lease in leases if lease["state"] == 0 and lease["valid-lft"])
        wait_until(lambda: len(last()) > 2 and last()[-1] == "replay-end" and sorted(last()[1:-1]) == kept(),
                   lambda: f"a replay of {kept()} ({last()})", 30)
        assert f"replay {given}" in kept()
