"""Replay: all leases once more, for a script that cannot know of them."""

import json

import pytest

from rig.configs import SUBNET4, THREADS
from rig.dhcp6 import Client6, link_local
from rig.kea import Kea, hook
from rig.lease_events import Customer, Listening, texts
from rig.recorder import Printer, Recorder
from rig.wait import wait_until

FAMILIES = pytest.mark.parametrize("family", [4, 6])
BOTH = pytest.mark.parametrize("threads", [{}, THREADS], ids=["single", "threads"])
MAC = "02:00:00:00:00:%02x"


def until_replayed(recorder, times=1):
    def ends():
        return [call for call in recorder.calls() if call["KEA_ACTION"] == "replay-end"]
    return wait_until(lambda: len(ends()) >= times, f"{times} ends of replays")


@BOTH
@FAMILIES
def test_kea_starts(link, tmp_path, recorder, family, threads):
    with Listening(family, tmp_path, recorder, replay=True, **threads) as kea:
        until_replayed(recorder)
        clients = [Customer(link, family, MAC % n) for n in range(1, 4)]
        addresses = [client.get() for client in clients]
        events = texts(kea.told())
        assert events[:2] == ["replay-begin", "replay-end"] and sorted(events[2:]) == sorted(f"add {one}" for one in addresses)
    already = len(recorder.calls())
    with kea:
        until_replayed(recorder, 2)
        events = kea.told()[already:]
        first, *replayed, last = events
        assert (first.text, last.text) == ("replay-begin", "replay-end")
        assert sorted(texts(replayed)) == sorted(f"replay {address}" for address in addresses)
        for event in replayed:
            assert event["KEA_INTERFACE"] == "vs"
            assert event[f"KEA_SUBNET{family}_ID"] == "1"
    for client in clients:
        client.__exit__()


def test_what_is_known_of_a_prefix(link, tmp_path, recorder):
    with Listening(6, tmp_path, recorder, replay=True) as kea, Client6(link, na=[], pd=[1]) as client:
        until_replayed(recorder)
        [prefix] = client.sarr().leases
    with kea:
        until_replayed(recorder, 2)
        [event] = [event for event in kea.told() if event.text == f"replay {prefix}"]
        assert (event["KEA_INTERFACE"], event["KEA_NEXT_HOP"]) == ("vs", link_local(client.mac))


@FAMILIES
def test_what_is_over_is_not_replayed(link, tmp_path, recorder, family):
    keeps = {"expired-leases-processing": {"reclaim-timer-wait-time": 1, "hold-reclaimed-time": 3600}}
    with Listening(family, tmp_path, recorder, replay=True, **keeps) as kea, Customer(link, family, MAC % 1) as one, \
            Customer(link, family, MAC % 2) as two, Customer(link, family, MAC % 3) as three:
        until_replayed(recorder)
        [gone, declined, there] = [client.get() for client in (one, two, three)]
        one.release()
        two.decline()
        wait_until(lambda: sum(text.startswith("del") for text in texts(kea.told())) == 2, "both ends")
    already = len(recorder.calls())
    with kea:
        until_replayed(recorder, 2)
        assert texts(kea.told())[already:] == ["replay-begin", f"replay {there}", "replay-end"]


@FAMILIES
def test_a_reload_is_no_start(link, tmp_path, recorder, family):
    with Listening(family, tmp_path, recorder, replay=True) as kea, Customer(link, family) as client:
        until_replayed(recorder)
        address = client.get()
        kea.reload()
        client.renew()
        assert texts(kea.told()) == ["replay-begin", "replay-end", f"add {address}", f"renew {address}"]


@FAMILIES
def test_a_script_that_is_new(link, tmp_path, recorder, family):
    """It knows of nothing, and the others know of all."""
    other = Recorder(tmp_path, name="other")
    with Listening(family, tmp_path, recorder, replay=True) as kea, Customer(link, family) as client:
        address = client.get()
        until_replayed(recorder)
        already = len(kea.told())
        entry = hook(other.script, hook_points=[f"lease{family}_changed"])["parameters"]
        both(kea, entry)
        until_replayed(other)
        assert [call["KEA_ACTION"] for call in other.calls()] == ["replay-begin", "replay", "replay-end"]
        assert other.calls()[1][f"KEA_LEASE{family}_ADDRESS"] == address
        assert len(kea.told()) == already


def both(kea, entry):
    """Adds another script."""
    [whole] = json.loads(kea.config_file.read_text()).values()
    [library] = [one for one in whole["hooks-libraries"] if one.get("parameters", {}).get("script")]
    library["parameters"] = {"scripts": [library["parameters"], entry]}
    kea.configure(whole)
    kea.reload()


@FAMILIES
def test_switched_off(link, tmp_path, recorder, family):
    with Listening(family, tmp_path, recorder, replay=False) as kea, Customer(link, family) as client:
        address = client.get()
        assert texts(kea.told()) == [f"add {address}"]
        kea.done("runscript-replay")
        until_replayed(recorder)
        assert texts(kea.told())[1:] == ["replay-begin", f"replay {address}", "replay-end"]


@FAMILIES
def test_kea_serves_again(link, tmp_path, recorder, family):
    """As after a high-availability partner has handed over its leases."""
    with Listening(family, tmp_path, recorder, replay=True) as kea, Customer(link, family) as client:
        until_replayed(recorder)
        address = client.get()
        # Kea enables itself again. The library looks a few times a second whether Kea serves.
        kea.done("dhcp-disable", {"max-period": 2})
        until_replayed(recorder, 2)
        assert f"replay {address}" in texts(kea.told())


def test_by_command4(link, tmp_path, recorder):
    with Listening(4, tmp_path, recorder, replay=True) as kea:
        until_replayed(recorder)
        one, two = Customer(link, 4, MAC % 1, client_id=b"\1one"), Customer(link, 4, MAC % 2)
        first, second = one.get(), two.get()
        for arguments, expected in [({"ip-address": first}, [first]), ({"hw-address": MAC % 2}, [second]),
                                    ({"client-id": "01:6f:6e:65"}, [first]), ({"subnet-id": 1}, [first, second]),
                                    ({"subnet-id": 2}, []), ({"ip-address": "192.0.2.99"}, [])]:
            assert sorted(replayed(kea, arguments)) == sorted(f"replay {address}" for address in expected), arguments
        refused(kea, [{"ip-address": "2001:db8::1"}, {"duid": "01:02"}, {"hw-address": "x"}, {"ip-address": first, "subnet-id": 1},
                      {"nonsense": 1}, {"subnet-id": "1"}])


def test_by_command6(link, tmp_path, recorder):
    with Listening(6, tmp_path, recorder, replay=True) as kea, Client6(link, na=[1], pd=[2]) as client:
        until_replayed(recorder)
        address, prefix = client.sarr().leases
        for arguments, expected in [({"ip-address": address}, [address]), ({"ip-address": prefix}, [prefix]),
                                    ({"ip-address": prefix.partition("/")[0]}, [prefix]),
                                    ({"duid": client.duid.hex(":")}, [address, prefix])]:
            assert sorted(replayed(kea, arguments)) == sorted(f"replay {lease}" for lease in expected), arguments
        refused(kea, [{"ip-address": "192.0.2.1"}, {"hw-address": client.mac}, {"client-id": "01"}, {"duid": ""}, []])


def replayed(kea, arguments):
    already = len(kea.told())
    kea.done("runscript-replay", arguments)
    marker = len(kea.told())
    # Another replay ends after it.
    kea.done("runscript-replay")
    until_replayed(kea.recorder, 1 + sum(call["KEA_ACTION"] == "replay-end" for call in kea.recorder.calls()[:marker]))
    events = texts(kea.told())[already:]
    return events[:events.index("replay-begin")]


def refused(kea, all_arguments):
    already = len(kea.told())
    for arguments in all_arguments:
        answer = kea.command("runscript-replay", arguments)
        assert answer["result"] == 1, arguments
    assert len(kea.told()) == already


def test_nobody_hears_of_leases(link, tmp_path, recorder):
    with Kea(4, SUBNET4, tmp_path, [hook(recorder.script)]) as kea:
        answer = kea.command("runscript-replay")
        assert answer["result"] == 1 and "lease4_changed" in answer["text"]


@BOTH
def test_more_leases_than_there_is_room_for(link, tmp_path, recorder, threads):
    """A page is read when there is room; what packets bring in between is neither lost nor late."""
    printer = Printer(tmp_path, "$KEA_ACTION $KEA_LEASE6_ADDRESS")
    parameters = {"queue_limit": 20, "spool": False}
    with Listening(6, tmp_path, printer, replay=True, parameters=parameters, **threads) as kea:
        for n in range(300):
            kea.done("lease6-add", {"ip-address": f"2001:db8::{0x1000 + n:x}", "duid": f"00:03:00:01:02:00:00:00:{n >> 8:02x}:{n & 255:02x}",
                                    "iaid": 1, "subnet-id": 1})
            if n % 10 == 9:
                printer.wait(n + 1)
    already = len(printer.lines())
    with kea, Client6(link, "02:00:00:00:00:aa") as client:
        client.sarr()
        wait_until(lambda: "replay-end " in printer.lines()[already:], "the end of the replay", 30)
        lines = printer.lines()[already:]
        assert {line for line in lines if line.startswith("replay ")} >= {f"replay 2001:db8::{0x1000 + n:x}" for n in range(300)}
        wait_until(lambda: f"add {client.leases[0]}" in printer.lines()[already:], "the client's event")
        assert kea.status()["dropped"] == 0


@FAMILIES
def test_a_reload_amid_a_replay(link, tmp_path, family):
    slow = Recorder(tmp_path, then="/bin/sleep 0.2", name="slow")
    with Listening(family, tmp_path, slow, replay=True) as kea:
        for n in range(1, 4):
            with Customer(link, family, MAC % n) as client:
                client.get()
        until_replayed(slow)
        kea.told()
    already = len(slow.calls())
    with kea:
        wait_until(lambda: len(slow.calls()) > already + 1, "the first lease")
        kea.reload()
        until_replayed(slow, 2)
        events = texts(kea.told())[already:]
        last = len(events) - 1 - events[::-1].index("replay-begin")
        assert len({text for text in events[last:] if text.startswith("replay ")}) == 3 and events[-1] == "replay-end"


@FAMILIES
def test_only_the_newest_of_a_lease(link, tmp_path, family):
    """A script that is slow is told of what is the case, and not of what has been in between."""
    gate = tmp_path / "gate"
    slow = Recorder(tmp_path, then=f"while [ ! -e {gate} ]; do /bin/sleep 0.05; done", name="slow")
    parameters = {"coalesce": True, "concurrency": 1}
    with Listening(family, tmp_path, slow, parameters=parameters) as kea, Customer(link, family, MAC % 1) as one, \
            Customer(link, family, MAC % 2) as two:
        first = one.get()
        slow.wait(1)
        for _ in range(3):
            one.renew()
        second = two.get()
        two.renew()
        one.release()
        wait_until(lambda: kea.status()["coalesced"] == 4, lambda: f"four needless events ({kea.status()['coalesced']})")
        assert kea.status()["pending"] == 3 and kea.status()["spooled"] == 3
        gate.touch()
        assert texts(kea.told()) == [f"add {first}", f"renew {second}", f"del:released {first}"]
        assert (kea.status()["spooled"], kea.status()["done"]) == (0, 3)
