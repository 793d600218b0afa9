"""The spool: events that Kea does not wait for are handled, whatever is wrong with the place where they are kept."""

import subprocess
import time
from pathlib import Path

import pytest

from rig.configs import SUBNET4
from rig.dhcp4 import OFFER, stranger
from rig.kea import Kea, hook
from rig.recorder import Printer
from rig.wait import quiet, wait_until

POINT = "pkt4_receive"


def printer(directory, then=""):
    return Printer(directory, "$KEA_QUERY4_HWADDR $KEA_EVENT_ATTEMPT", then=then)


def library(script, directory, **parameters):
    return hook(script, wait=False, hook_points=[POINT], **{"spool": str(directory / "spool"), **parameters})


def discover(link, count):
    """So many events, each of a client of its own; returns the clients."""
    clients = [stranger(link) for _ in range(count)]
    assert {client.discover().type for client in clients} == {OFFER}
    return [client.mac for client in clients]


def handled(one):
    return sorted(line.split()[0] for line in one.lines())


def own(directory):
    """The directory of the one script."""
    [path] = (directory / "spool").iterdir()
    return path


def gate(directory):
    return f"until [ -e {directory}/go ]; do /bin/sleep 0.02; done"


def left(link, tmp_path, one, count):
    """Kea ends with so many events in the spool, of which one is being handled."""
    with Kea(4, SUBNET4, tmp_path, [library(one.script, tmp_path, concurrency=1)]):
        clients = discover(link, count)
        one.wait(1)
    (tmp_path / "go").touch()
    return clients


def test_it_is_kea_users_alone(link, tmp_path):
    one = printer(tmp_path)
    with Kea(4, SUBNET4, tmp_path, [library(one.script, tmp_path, spool_sync=10)]) as kea:
        discover(link, 1)
        quiet(kea)
        path = own(tmp_path)
        assert path.name.startswith("kea-dhcp4-printer-") and path.stat().st_mode & 0o777 == 0o700
        assert kea.status()["spool"] == str(path)
        threads = Path(f"/proc/{kea.process.pid}/task").glob("*/comm")
        assert "spool\n" in [thread.read_text() for thread in threads]


def test_without_a_spool_events_are_handled_all_the_same(link, tmp_path):
    """Another server has it."""
    one, other = printer(tmp_path), tmp_path / "other"
    with Kea(4, SUBNET4, tmp_path, [library(one.script, tmp_path)]) as first:
        wait_until(lambda: first.status()["spool"], "the spool")
        with Kea(4, SUBNET4, other, [library(one.script, tmp_path)]) as second:
            [line] = wait_until(lambda: second.said("SPOOL_OFF"), "the warning")
            assert "another server uses it: give each server a directory of its own" in line
            assert second.status()["spool"] is None


@pytest.mark.parametrize("fault", ["mode", "link"])
def test_a_named_one_that_cannot_be_used_is_refused(link, tmp_path, fault):
    one = printer(tmp_path)
    with Kea(4, SUBNET4, tmp_path, [library(one.script, tmp_path)]) as kea:
        wait_until(lambda: kea.status()["spool"], "the spool")
    path = own(tmp_path)
    if fault == "mode":
        path.chmod(0o755)
    else:
        path.symlink_to(path.rename(tmp_path / "elsewhere"))
    kea = Kea(4, SUBNET4, tmp_path, [library(one.script, tmp_path)])
    with pytest.raises(AssertionError):
        kea.start()
    assert '"spool"' in kea.said("LOAD_REFUSED")[0]


def test_a_full_disk_costs_no_event(link, tmp_path):
    spool = tmp_path / "spool"
    spool.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=0700", "tmpfs", spool], check=True)
    one = printer(tmp_path, gate(tmp_path))
    with Kea(4, SUBNET4, tmp_path, [library(one.script, tmp_path, spool_limit=16)]) as kea:
        clients = discover(link, 200)
        assert 0 < kea.status()["unspooled"] < 200 and len(kea.said("SPOOL_FULL")) == 1
        (tmp_path / "go").touch()
        quiet(kea)
    assert handled(one) == sorted(clients)
    subprocess.run(["umount", spool], check=True)


def test_damage_costs_what_it_touches(link, tmp_path):
    one = printer(tmp_path, gate(tmp_path))
    clients = left(link, tmp_path, one, 4)
    [segment] = own(tmp_path).glob("*.v1")
    damaged = segment.read_bytes().replace(clients[2].encode(), b"02:00:00:00:00:00")
    segment.write_bytes(damaged)
    (own(tmp_path) / "0000000007.v2").write_text("another version's")
    with Kea(4, SUBNET4, tmp_path, [library(one.script, tmp_path)]) as kea:
        wait_until(lambda: kea.status()["spool"], "the spool")
        quiet(kea)
        assert len(kea.said("SPOOL_DAMAGED")) == 2
    assert set(handled(one)) == {*clients} - {clients[2]}


def test_what_is_too_old_is_dropped(link, tmp_path):
    one = printer(tmp_path, gate(tmp_path))
    left(link, tmp_path, one, 3)
    since = (tmp_path / "go").stat().st_mtime
    wait_until(lambda: time.time() - since > 1.5, "their age")
    with Kea(4, SUBNET4, tmp_path, [library(one.script, tmp_path, spool_max_age=1)]) as kea:
        wait_until(lambda: kea.said("TOO_OLD"), "the end of the old")
        quiet(kea)
        assert kea.status()["dropped"] == 2
    assert len(one.lines()) == 1



def test_try_later(link, tmp_path):
    one = printer(tmp_path, "[ $KEA_EVENT_ATTEMPT != 1 ] || exit 75")
    with Kea(4, SUBNET4, tmp_path, [library(one.script, tmp_path)]) as kea:
        [mac] = discover(link, 1)
        wait_until(lambda: len(one.lines()) == 2, "the second try")
        quiet(kea)
        assert one.lines() == [f"{mac} 1", f"{mac} 2"]
        assert kea.status()["deferred"] == 1 and len(kea.said("DEFERRED")) == 1


@pytest.mark.parametrize("kept", [True, False])
def test_one_that_kills_its_runner_is_put_aside(link, tmp_path, kept):
    """Without a spool it is lost."""
    one = printer(tmp_path, "kill -9 $PPID")
    parameters = {} if kept else {"spool": False}
    with Kea(4, SUBNET4, tmp_path, [library(one.script, tmp_path, **parameters)]) as kea:
        discover(link, 1)
        wait_until(lambda: kea.said("GIVEN_UP" if kept else "EVENT_LOST"), "its end", 20)
        quiet(kea)
        assert kea.status()["given-up"] == int(kept) and len(one.lines()) == 3
