"""Events that are handled again: their handler asks for it, it dies over them, or somebody kills it."""

import random
import re
from itertools import groupby, pairwise

import pytest

from rig import processes
from rig.configs import SUBNET4, THREADS
from rig.crash import at_random, seed
from rig.dhcp4 import DISCOVER, OFFER, NoAnswer, stranger
from rig.gate import Gate
from rig.handlers import MODES, handler
from rig.kea import Kea, hook
from rig.recorder import Printer
from rig.spool import spool
from rig.wait import quiet, wait_until

POINT = "pkt4_receive"
TOLD = {"wait": False, "hook_points": [POINT]}
NOT_YET = '[ "$KEA_QUERY4_OPTION60" != again ] || [ -e {path}/on ] || exit 75'
TEXT = "$KEA_QUERY4_HWADDR $KEA_QUERY4_TRANSACTION_ID $KEA_EVENT_ID $KEA_EVENT_ATTEMPT"


def does(link, deed):
    """A client that makes the handler do this."""
    return stranger(link, options=[(60, deed.encode())])


def ask(client):
    """A DISCOVER; returns its transaction."""
    query = client.message(DISCOVER)
    assert client.exchange(query).type == OFFER
    return str(query.xid)


def script(tmp_path, then):
    return Printer(tmp_path, TEXT, then=then.format(path=tmp_path))


def tries(printer, client):
    """Transaction, id and attempt of each try at a client's events."""
    return [line.split()[1:] for line in printer.lines() if line.startswith(client.mac)]


def test_exit_status_75(link, tmp_path):
    """The event comes again after a pause, what its client sends next waits for that, and others do not."""
    printer = script(tmp_path, NOT_YET)
    with Kea(4, SUBNET4, tmp_path, [hook(printer.script, concurrency=2, **TOLD)]) as kea:
        patient, other = does(link, "again"), stranger(link)
        first, second = ask(patient), ask(patient)
        for count in range(1, 6):
            ask(other)
            wait_until(lambda: len(tries(printer, other)) == count, "another client's event")
        wait_until(lambda: len(tries(printer, patient)) == 2, "the second try")
        status = wait_until(lambda: (status := kea.status())["deferred"] == 2 and status, "two answers")
        assert (status["pending"], status["spooled"], status["failures"]) == (2, 2, 0)
        (tmp_path / "on").touch()
        quiet(kea)
        (xid, identifier, _), *_ = seen = tries(printer, patient)
        assert seen[:3] == [[first, identifier, str(attempt)] for attempt in (1, 2, 3)]
        assert [(xid, attempt) for xid, _, attempt in seen[3:]] == [(second, "1")]
        # Once a minute; the second pause is longer.
        [line] = kea.said("DEFERRED")
        assert re.fullmatch(rf"{printer.script} at {POINT}: try 2 in 1\.0 s", line)
        assert kea.status()["done"] == 7 and not kea.said("ERROR_OUTPUT")


def test_what_is_put_off_is_not_being_handled(link, tmp_path):
    printer = script(tmp_path, NOT_YET)
    with Kea(4, SUBNET4, tmp_path, [hook(printer.script, concurrency=2, **TOLD)]) as kea:
        ask(does(link, "again"))
        wait_until(lambda: (status := kea.status())["deferred"] == 1 and status["in-flight"] == 0, "the first answer")
        assert kea.status()["pending"] == 1
    assert kea.said("LEFT")[0].endswith(": 1 events wait for their turn, 0 of them in memory alone, and 0 are being handled")


@pytest.mark.parametrize("mode", MODES)
def test_a_handlers_again(link, tmp_path, mode):
    with handler(mode, tmp_path) as one, Kea(4, SUBNET4, tmp_path, [one.hook(concurrency=2, **TOLD)]) as kea:
        patient, other = does(link, "again"), stranger(link)
        ask(patient), ask(patient)
        wait_until(lambda: kea.status()["deferred"] == 3, "three answers")
        ask(other)
        wait_until(lambda: (other.mac, POINT) in one.seen(), "another client's event")
        one.touch("on")
        quiet(kea)
        numbers = [entry.seq for entry in one.events() if entry.mac == patient.mac]
        first, second = (len(list(group)) for _, group in groupby(numbers))
        assert first >= 4 and second == 1
        status = kea.status()
        assert (status["done"], status["deferred"], status["failures"]) == (3, first - 1, 0)
        assert kea.said("DEFERRED")[0].endswith(f"at {POINT}: try 2 in 0.2 s") and not kea.said("LANE_LOST")


def test_again_is_no_answer_where_kea_waits(link, tmp_path):
    parameters = {"hook_points": [POINT], "concurrency": 1, "on_failure": "drop"}
    with handler("daemon", tmp_path) as one, Kea(4, SUBNET4, tmp_path, [one.hook(**parameters)]) as kea:
        with pytest.raises(NoAnswer):
            does(link, "again").discover(timeout=0.5)
        assert '"again" where Kea waits: only an event that it does not wait for can be tried later' in kea.said("EVENT_FAILED")[0]


@pytest.mark.parametrize("spooled", [True, False])
def test_what_was_put_off_goes_on_over_a_reload(link, tmp_path, spooled):
    printer = script(tmp_path, NOT_YET)
    with Kea(4, SUBNET4, tmp_path, [hook(printer.script, concurrency=2, **TOLD, **({} if spooled else {"spool": False}))]) as kea:
        patient = does(link, "again")
        first, second = ask(patient), ask(patient)
        wait_until(lambda: kea.status()["deferred"], "the first answer")
        kea.reload()
        (tmp_path / "on").touch()
        quiet(kea)
        assert [(xid, attempt) for xid, _, attempt in tries(printer, patient)] == [(first, "1"), (first, "2"), (second, "1")]


def test_what_was_put_off_goes_on_with_the_next_kea(link, tmp_path):
    printer = script(tmp_path, NOT_YET)
    kea = Kea(4, SUBNET4, tmp_path, [hook(printer.script, concurrency=2, **TOLD)])
    with kea:
        patient = does(link, "again")
        first, second = ask(patient), ask(patient)
        wait_until(lambda: kea.status()["deferred"], "the first answer")
    (tmp_path / "on").touch()
    with kea:
        quiet(kea)
    assert [xid for xid, *_ in tries(printer, patient)] == [first, first, second]
    assert len({identifier for _, identifier, _ in tries(printer, patient)}) == 2


# The handler dies

def test_an_event_that_kills_the_runner(link, tmp_path):
    """It is put aside after three deaths, and is not handled by the next Kea; its client's other events are, and all others'."""
    printer = script(tmp_path, '[ "$KEA_QUERY4_OPTION60" != kill ] || kill -9 $PPID')
    kea = Kea(4, SUBNET4, tmp_path, [hook(printer.script, concurrency=2, **TOLD)])
    with kea:
        killer, other = does(link, "kill"), stranger(link)
        deadly = ask(killer)
        killer.options = []
        after = ask(killer)
        for _ in range(3):
            ask(other)
        quiet(kea)
        assert [xid for xid, *_ in tries(printer, killer)] == [deadly] * 3 + [after]
        assert len({xid for xid, *_ in tries(printer, other)}) == 3
        [line] = kea.said("GIVEN_UP")
        assert line == f"{printer.script} at {POINT}: put aside: the runner died 3 times over this event"
        status = kea.status()
        assert (status["given-up"], status["failures"], status["spooled"]) == (1, 1, 0) and status["restarts"] >= 3
    assert deadly in (spool(tmp_path / "runscript", kea, printer.script) / "given-up.v1").read_text(errors="replace")
    count = len(printer.lines())
    with kea:
        quiet(kea)
        assert stranger(link).discover().type == OFFER
        quiet(kea)
    assert len(printer.lines()) == count + 1


def test_without_a_spool_it_is_lost(link, tmp_path):
    printer = script(tmp_path, "kill -9 $PPID")
    with Kea(4, SUBNET4, tmp_path, [hook(printer.script, spool=False, **TOLD)]) as kea:
        ask(stranger(link))
        quiet(kea)
        assert kea.said("EVENT_LOST") == [f"{printer.script} at {POINT}: given up: the runner died 3 times over this event"]
        assert len(printer.lines()) == 3 and kea.status()["given-up"] == 0 and not kea.said("GIVEN_UP")


@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.long)])
def test_events_are_not_to_blame_for_a_runner_that_is_killed(link, tmp_path, kills):
    """Nothing is put aside or lost, however often somebody else kills it, and each client's events are handled in order."""
    printer, dice = script(tmp_path, "/bin/sleep 0.1"), random.Random(seed())
    with Kea(4, SUBNET4, tmp_path, [hook(printer.script, concurrency=4, **TOLD)]) as kea:
        clients = [stranger(link) for _ in range(8)]
        asked = {client: [] for client in clients}
        for _ in range(kills):
            for client in clients:
                asked[client] += [ask(client) for _ in range(3)]
            goal = len(printer.lines()) + dice.randint(8, 16)
            wait_until(lambda: len(printer.lines()) >= goal, "scripts at work", 30)
            at_random(dice)
            processes.kill_runner()
        quiet(kea, 60)
        status = kea.status()
        assert (status["given-up"], status["failures"], status["dropped"]) == (0, 0, 0)
        assert not kea.said("EVENT_LOST")
    for client in clients:
        assert [xid for xid, _ in groupby(xid for xid, *_ in tries(printer, client))] == asked[client]
        assert all(int(one[2]) < int(other[2]) for one, other in pairwise(tries(printer, client)) if one[1] == other[1])


def test_what_kea_waits_for_goes_on_beside_an_event_that_is_handled_alone(link, tmp_path):
    """Events of its own client that come before it do so too."""
    gate = Gate(tmp_path)
    points = [{"name": POINT, "wait": False}, "lease4_select"]
    library = hook(gate.script, concurrency=3, hook_points=points, timeout=30000)
    with Kea(4, {**SUBNET4, **THREADS}, tmp_path, [library]) as kea:
        suspect, other = stranger(link), stranger(link)
        gate.shut(suspect)
        with pytest.raises(NoAnswer):
            suspect.discover(timeout=0.1)
        gate.wait()
        processes.kill_runner()
        gate.wait(2)
        assert other.discover().type == OFFER
        assert gate.printer.lines()[2:] == [f"{POINT} {other.mac}", f"lease4_select {other.mac}"]
        gate.open(suspect)
        quiet(kea)
        assert kea.status()["failures"] == 0
