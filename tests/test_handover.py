"""Events on their way from one configuration to the next, when something goes wrong just then."""

import os
import signal
from itertools import groupby

import pytest

from rig import processes
from rig.ahead import serve
from rig.configs import SUBNET4
from rig.dhcp4 import DISCOVER, OFFER, VENDOR_CLASS, stranger
from rig.handlers import handler
from rig.kea import Kea, hook
from rig.recorder import Printer
from rig.wait import quiet, wait_until

POINT = "pkt4_receive"
EVENTS = 300


def gated(directory, name="printer", text="$KEA_QUERY4_TRANSACTION_ID"):
    """A script that does not end before the file `go` is there."""
    return Printer(directory, text, then=f"until [ -e {directory}/go ]; do /bin/sleep 0.05; done", name=name)


def queue(kea, link, count):
    """Lets so many events queue up, of a handful of clients; returns the transaction ids of each."""
    clients = [stranger(link) for _ in range(5)]
    queries = [clients[n % 5].message(DISCOVER) for n in range(count)]
    for n, query in enumerate(queries):
        clients[n % 5].exchange(query)
    assert kea.status()["pending"] == count
    return [[str(query.xid) for query in queries[n::5]] for n in range(5)]


def turns(lines, clients):
    """Each client's events in the order in which they began; what began anew before the next one stands there once."""
    return [[event for event, _ in groupby(line for line in lines if line in events)] for events in clients]


@pytest.mark.parametrize("fate", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "stopped"])
def test_the_runner_cannot_take_what_is_handed_over(link, tmp_path, fate):
    """It all stays with Kea then: nothing is lost, and what the runner has already read of it is not done twice."""
    printer = gated(tmp_path)
    with Kea(4, SUBNET4, tmp_path, [hook(printer.script, wait=False, hook_points=[POINT], concurrency=2)]) as kea:
        expected = queue(kea, link, EVENTS)
        printer.wait(2)
        [runner] = processes.runners()
        os.kill(runner, fate)
        kea.reload()
        (tmp_path / "go").touch()
        if processes.alive(runner):
            os.kill(runner, signal.SIGCONT)
        quiet(kea)
        again = printer.lines()
        assert turns(again, expected) == expected
        assert EVENTS <= len(again) <= EVENTS + (2 if fate == signal.SIGKILL else 0)    # two were at work
        assert not kea.said("EVENT_LOST")


def test_nobody_listens_to_the_runner_for_a_while(link, tmp_path):
    """The library is out of the configuration while the runner works off the rest, and then in it again."""
    printer = Printer(tmp_path, "$KEA_QUERY4_TRANSACTION_ID", then=f"until [ -e {tmp_path}/go ]; do /bin/sleep 0.05; done\n"
                      "n=0; while [ $n -lt 60 ]; do echo $n and a line that fills the connection; n=$((n + 1)); done")
    with Kea(4, SUBNET4, tmp_path, [hook(printer.script, wait=False, hook_points=[POINT], concurrency=2)]) as kea:
        ours = {name: value for name, value in kea.command("config-get")["arguments"].items() if name.startswith("Dhcp")}
        without = {"Dhcp4": {**ours["Dhcp4"], "hooks-libraries": []}}
        expected = queue(kea, link, EVENTS)
        assert kea.command("config-set", without)["result"] == 0
        (tmp_path / "go").touch()
        printer.wait(EVENTS, 60)
        assert kea.command("config-set", ours)["result"] == 0
        quiet(kea)
        assert turns(printer.lines(), expected) == expected and len(printer.lines()) == EVENTS
        assert not kea.said("HANDLER_LOST")


def test_events_stay_with_their_script(link, tmp_path):
    """Another script stands before it in the new configuration."""
    first, second = Printer(tmp_path, "$1", name="first"), Printer(tmp_path, "$1", name="second")
    waits = {"script": str(first.script), "wait": False, "hook-points": [POINT]}
    other = {"script": str(second.script), "wait": False, "hook-points": ["lease4_release"]}
    nowhere = {**waits, "required": False, "runner": str(tmp_path / "missing")}
    with Kea(4, SUBNET4, tmp_path, [hook(scripts=[nowhere])]) as kea:
        queue(kea, link, 3)
        kea.configure(SUBNET4, [hook(scripts=[other, waits])])
        kea.reload()
        assert first.wait(3) == [POINT] * 3
        quiet(kea)
        assert not second.lines()


def test_a_lane_is_kept_for_whom_kea_waits(link, tmp_path):
    """Scripts that nobody waits for hang; other clients are served."""
    printer = Printer(tmp_path, "$1", then=f'[ "$1" = {POINT} ] || until [ -e {tmp_path}/go ]; do /bin/sleep 0.05; done')
    points = [POINT, {"name": "pkt4_send", "wait": False}]
    with Kea(4, SUBNET4, tmp_path, [hook(printer.script, hook_points=points, concurrency=2, timeout=60_000)]) as kea:
        for _ in range(3):
            assert stranger(link).discover().type == OFFER
        assert printer.wait(4).count("pkt4_send") == 1
        (tmp_path / "go").touch()
        quiet(kea)
        assert printer.lines().count("pkt4_send") == 3


def test_a_runner_that_lingers_takes_no_answers(link, tmp_path):
    """An older runner has not ended yet when Kea does: what fails in the next one is said all the same."""
    def event(deed):
        client.exchange(client.message(DISCOVER, options=[(VENDOR_CLASS, deed)]))

    with handler("daemon", tmp_path) as one:
        with serve(tmp_path, one, timeout=60_000) as kea:
            client = stranger(link)
            event(b"later")
            one.wait(1)
            [first] = processes.runners()
            kea.reload()
            event(b"nap")
            event(b"fail")
            kea.reload()
            os.kill(first, signal.SIGSTOP)
            one.touch("on")
            one.wait(2)
        wait_until(lambda: len(processes.runners()) == 1, "the end of the later runners")
        assert "an event has failed: no database" in kea.log()
        os.kill(first, signal.SIGCONT)
        wait_until(lambda: not processes.runners(), "the end of the first runner")


@pytest.mark.parametrize("reloads", [0, 1, 3])
def test_order_when_kea_ends(link, tmp_path, reloads):
    """One client's events go on one after the other, whichever runner has them."""
    gate = f"until [ -e {tmp_path}/go ]; do /bin/sleep 0.05; done; /bin/sleep 0.1"
    name = "$KEA_QUERY4_TRANSACTION_ID"
    printer = Printer(tmp_path, f"begin {name}", then=f"{gate}; echo end {name} >> {tmp_path}/printer.lines")
    with Kea(4, SUBNET4, tmp_path, [hook(printer.script, wait=False, hook_points=[POINT], concurrency=2)]) as kea:
        client, expected = stranger(link), []
        for _ in range(reloads + 1):
            for query in [client.message(DISCOVER) for _ in range(2)]:
                client.exchange(query)
                expected += [f"begin {query.xid}", f"end {query.xid}"]
            printer.wait(1)
            if len(expected) < 4 * (reloads + 1):
                kea.reload()
    (tmp_path / "go").touch()
    wait_until(lambda: not processes.runners(), "the end of the runners")
    assert printer.lines() == expected
