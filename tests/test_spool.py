"""The spool's directory: where it is, whose it is, and what becomes of events where it cannot be used."""

import os

import pytest

from rig.configs import SUBNET4, SUBNET6
from rig.dhcp4 import OFFER, stranger
from rig.dhcp6 import Client6
from rig.gate import Gate
from rig.kea import Kea, hook
from rig.recorder import Printer
from rig.since import since
from rig.spool import segments, spool
from rig.wait import quiet, wait_until

POINT = "pkt4_receive"
TOLD = {"wait": False, "hook_points": [POINT]}
# A second server: the first has the port.
NOWHERE = {**SUBNET4, "interfaces-config": {"interfaces": []}}


def modes(*paths):
    return [oct(path.stat().st_mode & 0o7777) for path in paths]


def solicit(link, count=1):
    with Client6(link) as client:
        for _ in range(count):
            client.solicit()


def kea6(tmp_path, script, **parameters):
    """A DHCPv6 server, whose data directory is the test's on each version of Kea."""
    return Kea(6, SUBNET6, tmp_path, [hook(script, wait=False, hook_points=["pkt6_receive"], **parameters)])


def test_by_default_it_is_in_keas_data_directory(link, tmp_path):
    gate = Gate(tmp_path)
    with kea6(tmp_path, gate.script) as kea, Client6(link) as client:
        own = spool(tmp_path / "runscript", kea, gate.script)
        assert kea.status()["spool"] == str(own) and modes(own.parent, own) == ["0o700", "0o700"]
        gate.shut(client)
        client.solicit()
        status = wait_until(lambda: (status := kea.status())["in-flight"] and status, "the event")
        assert (status["pending"], status["spooled"], status["unspooled"]) == (1, 1, 0)
        assert modes(*own.iterdir()) == ["0o600"] * len(list(own.iterdir()))
        gate.open(client)
        quiet(kea)
        assert kea.status()["spooled"] == 0
        assert not kea.said("SPOOL_OPENED"), "there was nothing from before"


def test_one_that_is_named(link, tmp_path):
    """Two scripts of one name have directories of their own."""
    (tmp_path / "other").mkdir()
    scripts = [Printer(directory, "$1").script for directory in (tmp_path, tmp_path / "other")]
    base = tmp_path / "base"
    entries = [{"script": str(script), "spool": str(base), "wait": False, "hook-points": [POINT]} for script in scripts]
    with Kea(4, SUBNET4, tmp_path, [hook(scripts=entries)]) as kea:
        assert stranger(link).discover().type == OFFER
        quiet(kea)
    assert sorted(base.iterdir()) == sorted(spool(base, kea, script) for script in scripts)


def test_a_start_when_all_has_been_handled(link, tmp_path):
    """There is nothing to say of the spool, and nothing old in it."""
    printer = Printer(tmp_path, "$1")
    kea = Kea(4, SUBNET4, tmp_path, [hook(printer.script, spool=str(tmp_path / "base"), **TOLD)])
    own = spool(tmp_path / "base", kea, printer.script)
    with kea:
        assert stranger(link).discover().type == OFFER
        quiet(kea)
    before = segments(own)
    with kea:
        wait_until(lambda: segments(own) and not set(segments(own)) & set(before), "a new segment alone")
        assert not kea.said("SPOOL_OPENED") and not kea.said("LEFT")


def test_none(link, tmp_path):
    printer = Printer(tmp_path, "$1")
    with kea6(tmp_path, printer.script, spool=False) as kea:
        solicit(link)
        quiet(kea)
        status = kea.status()
        assert (status["spool"], status["done"], status["unspooled"]) == (None, 1, 0)
        assert not (tmp_path / "runscript").exists() and not kea.said("SPOOL_OFF")


def test_none_where_kea_waits_everywhere(link, tmp_path):
    printer = Printer(tmp_path, "$1")
    base = tmp_path / "base"
    with Kea(4, SUBNET4, tmp_path, [hook(printer.script, spool=str(base), hook_points=[POINT])]) as kea:
        assert stranger(link).discover().type == OFFER
        assert kea.status()["done"] == 1 and kea.status()["spool"] is None and not base.exists()


def a_file(base, _):
    base.touch()


def not_keas(_, own):
    own.mkdir(parents=True)
    os.chown(own, 1, 1)


def open_to_others(_, own):
    own.mkdir(parents=True)
    own.chmod(0o755)


def a_link(base, own):
    base.mkdir()
    (base / "elsewhere").mkdir()
    own.symlink_to(base / "elsewhere")


UNUSABLE = {a_file: "not a directory", not_keas: "must belong to Kea's user alone: chown it to that user, and chmod it to 0700",
            open_to_others: "must belong to Kea's user alone: chown it to that user, and chmod it to 0700",
            a_link: "is not a directory (a symbolic link is none either): remove it, or name another"}
UNUSABLES = pytest.mark.parametrize("spoil, reason", UNUSABLE.items(), ids=[spoil.__name__ for spoil in UNUSABLE])


@UNUSABLES
def test_the_default_one_cannot_be_used(link, tmp_path, spoil, reason):
    """One warning, and events are in memory."""
    printer = Printer(tmp_path, "$1")
    kea = kea6(tmp_path, printer.script)
    own = spool(tmp_path / "runscript", kea, printer.script)
    spoil(own.parent, own)
    with kea:
        solicit(link, 3)
        quiet(kea)
        [line] = kea.said("SPOOL_OFF")
        assert line.startswith(f'{printer.script}: events are in memory alone, and lost if Kea ends: "{own}"') and reason in line.replace("Not", "not")
        status = kea.status()
        assert (status["spool"], status["done"], status["unspooled"]) == (None, 3, 0)


@UNUSABLES
def test_one_that_is_named_cannot_be_used(link, tmp_path, spoil, reason):
    printer, base = Printer(tmp_path, "$1"), tmp_path / "base"
    kea = Kea(4, SUBNET4, tmp_path, [hook(printer.script, spool=str(base), **TOLD)])
    spoil(base, spool(base, kea, printer.script))
    kea.expect_refusal()
    [line] = kea.said("LOAD_REFUSED")
    assert 'parameter "spool": ' in line and reason in line


def test_another_server_has_it(link, tmp_path):
    printer, base = Printer(tmp_path, "$1"), str(tmp_path / "base")
    library = hook(printer.script, spool=base, **TOLD)
    with Kea(4, SUBNET4, tmp_path, [library]) as kea:
        own = spool(base, kea, printer.script)
        with Kea(4, NOWHERE, tmp_path / "other", [library]) as other:
            other.wait_log("RUNSCRIPT_SPOOL_OFF")
            [line] = other.said("SPOOL_OFF")
            assert f'"{own}": another server uses it: give each server a directory of its own' in line
            assert other.status()["spool"] is None
            # Nor does a reload stop its service.
            other.reload()
            wait_until(lambda: len(other.said("SPOOL_OFF")) == 2, "the same line")
        assert stranger(link).discover().type == OFFER
        quiet(kea)
        assert kea.status()["spool"] == str(own) and printer.lines() == [POINT]


def test_events_that_are_too_old(link, tmp_path):
    """They are dropped when their turn has come."""
    gate = Gate(tmp_path)
    with Kea(4, SUBNET4, tmp_path, [hook(gate.script, spool_max_age=1, concurrency=1, **TOLD)]) as kea:
        clients = [stranger(link) for _ in range(4)]
        gate.shut(clients[0])
        for client in clients:
            assert client.discover().type == OFFER
        wait_until(lambda: (kea.status()["oldest-ms"] or 0) > 1100, "a second")
        late = stranger(link)
        assert late.discover().type == OFFER
        gate.open(clients[0])
        quiet(kea)
        assert gate.printer.lines() == [f"{POINT} {clients[0].mac}", f"{POINT} {late.mac}"]
        assert kea.status()["dropped"] == 3 and kea.status()["failures"] == 0
        assert kea.said("TOO_OLD") == [f"{gate.script} at {POINT}: an event was older than spool-max-age, and is dropped"]


@since(2, 6)
def test_a_check_of_the_configuration_leaves_it_alone(link, tmp_path):
    """`kea-dhcp4 -T` loads the library for real, beside a running server or after its end."""
    gate = Gate(tmp_path)
    kea = Kea(4, SUBNET4, tmp_path, [hook(gate.script, concurrency=1, **TOLD)])
    with kea:
        client = stranger(link)
        gate.shut(client)
        for _ in range(3):
            assert client.discover().type == OFFER
        gate.wait()
        own = spool(tmp_path / "runscript", kea, gate.script)
        before = {path: path.read_bytes() for path in own.iterdir()}
        assert kea.check("-T") == 0
        assert {path: path.read_bytes() for path in own.iterdir()} == before
        assert kea.status()["pending"] == 3 and gate.printer.lines() == [f"{POINT} {client.mac}"]
    assert kea.check("-T") == 0
    gate.open(client)
    with kea:
        quiet(kea)
    assert gate.printer.lines() == [f"{POINT} {client.mac}"] * 3 and not kea.said("SPOOL_OFF")
