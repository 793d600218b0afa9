"""The spool's disk: full, standing still, and when it is written through."""

import os
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from rig import processes, seccomp
from rig.configs import SUBNET4, THREADS
from rig.dhcp4 import OFFER, Wire4, stranger
from rig.gate import Gate
from rig.kea import Kea, hook
from rig.recorder import Printer
from rig.wait import quiet, wait_until

POINT = "pkt4_receive"
TOLD = {"wait": False, "hook_points": [POINT]}

ROOM = 20 << 20


def test_a_full_disk(link, tmp_path):
    """Events are in memory then: each is handled, in its turn, and Kea does not wait. One line says so, until there is room again."""
    base = tmp_path / "base"
    base.mkdir(mode=0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={ROOM},mode=0700", "tmpfs", base], check=True)
    gate = Gate(tmp_path)
    library = hook(gate.script, spool=str(base), spool_limit=16, concurrency=2, **TOLD)
    with Kea(4, SUBNET4, tmp_path, [library]) as kea:
        clients = [stranger(link) for _ in range(10)]

        def tell(count):
            for _ in range(count):
                assert [client.discover().type for client in clients] == [OFFER] * len(clients)
        gate.shut(clients[0])
        tell(1)
        filler = base / "filler"
        with open(filler, "wb") as file:
            os.posix_fallocate(file.fileno(), 0, (left := os.statvfs(base)).f_bavail * left.f_bsize - 8192)
        tell(3)
        unspooled = kea.status()["unspooled"]
        assert 10 < unspooled < 30 and len(kea.said("SPOOL_FULL")) == 1
        assert kea.said("SPOOL_FULL")[0].endswith("alone: spool-limit is reached, or its disk is full")
        filler.unlink()
        tell(1)
        assert kea.status()["unspooled"] == unspooled
        with open(filler, "wb") as file:
            os.posix_fallocate(file.fileno(), 0, (left := os.statvfs(base)).f_bavail * left.f_bsize)
        tell(2)
        assert kea.status()["unspooled"] > unspooled and len(kea.said("SPOOL_FULL")) == 2
        gate.open(clients[0])
        quiet(kea)
        status = kea.status()
        assert (status["events"], status["done"], status["dropped"], status["failures"]) == (70, 70, 0, 0)
        assert sorted(gate.printer.lines()) == sorted([f"{POINT} {client.mac}" for client in clients] * 7)
        assert kea.command("runscript-status")["arguments"]["slowest-callout-us"] < 500_000


def test_it_is_written_through_to_the_disk(link, tmp_path):
    """By a thread of its own, as long as the parameter is there."""
    printer = Printer(tmp_path, "$1")
    with Kea(4, SUBNET4, tmp_path, [hook(printer.script, spool_sync=10, **TOLD)]) as kea:
        wait_until(lambda: "spool" in processes.threads(kea.pid), "the thread")
        assert stranger(link).discover().type == OFFER
        quiet(kea)
        kea.configure(SUBNET4, [hook(printer.script, **TOLD)])
        kea.reload()
        wait_until(lambda: "spool" not in processes.threads(kea.pid), "its end")


@pytest.mark.skipif(seccomp.AUDIT_ARCH is None, reason="the numbers of system calls are not known here")
def test_it_cannot_be_written_through_to_the_disk(link, tmp_path):
    """One line says so, and the events are in the spool all the same."""
    gate = Gate(tmp_path)
    library = hook(gate.script, spool_sync=10, **TOLD)
    with Kea(4, SUBNET4, tmp_path, [library], wrapper=seccomp.denying("fdatasync=EIO")) as kea:
        client = stranger(link)
        gate.shut(client)
        assert client.discover().type == OFFER
        wait_until(lambda: kea.said("SPOOL_NOT_SYNCED"), "the line")
        assert (status := kea.status())["unspooled"] == 0 and status["spooled"] == 1
        gate.open(client)
        quiet(kea)
        assert len(kea.said("SPOOL_NOT_SYNCED")) == 1 and len(gate.printer.lines()) == 1


STILL = 5    # seconds


@contextmanager
def disk(directory):
    """A disk of its own, which somebody can stop."""
    image = directory / "image"
    with open(image, "wb") as file:
        file.truncate(64 << 20)
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    place = directory / "disk"
    place.mkdir()
    subprocess.run(["mount", "-o", "loop", image, place], check=True)
    place.chmod(0o700)
    try:
        yield place
    finally:
        subprocess.run(["umount", place], check=True)


@contextmanager
def still(place):
    """Whoever writes there meanwhile waits, and no signal ends that."""
    subprocess.run(["fsfreeze", "--freeze", place], check=True)
    try:
        yield
    finally:
        subprocess.run(["fsfreeze", "--unfreeze", place], check=True)


def thread_states(pid):
    """Of each thread; D is one that no signal wakes (proc(5))."""
    return [path.read_text().rpartition(")")[2].split()[0] for path in Path(f"/proc/{pid}/task").glob("*/stat")]


@pytest.mark.long
@pytest.mark.skipif(not os.access("/dev/loop-control", os.W_OK), reason="needs root, and a loop device")
@pytest.mark.parametrize("threads", [{}, THREADS], ids=["single", "threads"])
def test_a_disk_that_stands_still(link, tmp_path, threads):
    """One packet's thread waits for the disk, as it would for Kea's own lease file; others go on without it, and each event is handled."""
    printer = Printer(tmp_path, "$1 $KEA_QUERY4_HWADDR")
    with disk(tmp_path) as place, ThreadPoolExecutor(1) as pool:
        library = hook(printer.script, spool=str(place / "base"), concurrency=2, **TOLD)
        with Kea(4, {**SUBNET4, **threads}, tmp_path, [library]) as kea:
            first, *others = [stranger(link) for _ in range(10)]
            # Two read at the same time.
            first.wire = Wire4(link)
            assert first.discover().type == OFFER
            quiet(kea)
            with still(place):
                until = time.monotonic() + STILL
                held = pool.submit(first.discover, timeout=STILL + 10)
                wait_until(lambda: "D" in thread_states(kea.pid), "a thread that waits for the disk")
                if threads:
                    assert [other.discover().type for other in others] == [OFFER] * len(others)
                    assert not held.done()
                wait_until(lambda: time.monotonic() >= until, "the time", STILL + 1)
            assert held.result().type == OFFER
            quiet(kea)
            status = kea.status()
            assert (status["done"], status["failures"], status["dropped"]) == (status["events"], 0, 0)
            assert status["unspooled"] == len(threads and others) and len(kea.said("SPOOL_FULL")) == bool(threads)
            assert len(printer.lines()) == 2 + len(threads and others)
            assert kea.command("runscript-status")["arguments"]["slowest-callout-us"] < (STILL + 1) * 1_000_000
