"""What a program may do that Kea's user runs: what Kea has for its own work it does not hand on, so that Kea's memory is its own."""

import json
import os
import pwd
import shutil
import signal
from pathlib import Path

import pytest

from rig import processes
from rig.configs import SUBNET4
from rig.dhcp4 import OFFER, stranger
from rig.kea import Kea, hook
from rig.programs import SOURCES
from rig.wait import wait_until

pytestmark = pytest.mark.skipif(Path("/proc/self/uid_map").read_text().split()[2] == "1",
                                reason="an ordinary user's namespace has no other users")

POINT = ["pkt4_receive"]
BITS = {"net_bind_service": 1 << 10, "net_admin": 1 << 12, "net_raw": 1 << 13}
DEBIANS = ["net_bind_service", "net_raw"]
MODES = pytest.mark.parametrize("mode", ["exec", "daemon"])


def bits(names):
    return sum(BITS[name] for name in names)


def as_kea(capabilities):
    """Runs a command as Debian's units do: user _kea, with ambient capabilities."""
    names = ",".join(["-all", *(f"+{name}" for name in capabilities)])
    return ["setpriv", "--reuid=_kea", "--regid=_kea", "--init-groups", f"--inh-caps={names}", f"--ambient-caps={names}"]


def found(link, tmp_path, mode, wrapper, **parameters):
    """What a program finds at its first event, and what its runner is permitted."""
    directory = tmp_path / "kea"
    directory.mkdir()
    owner = pwd.getpwnam("_kea") if wrapper else pwd.getpwuid(0)
    os.chown(directory, owner.pw_uid, owner.pw_gid)
    for parent in (tmp_path, tmp_path.parent):
        parent.chmod(0o755)
    spy = shutil.copy(SOURCES / "spy.py", directory)
    Path(spy).chmod(0o755)
    entry = hook(spy, mode=mode, hook_points=POINT, concurrency=1, **parameters)
    with Kea(4, SUBNET4, directory, [entry], wrapper=wrapper) as kea:
        (directory / "pid").write_text(str(kea.pid))
        assert stranger(link).discover().type == OFFER
        wait_until((directory / "found").exists, lambda: f"the program's findings ({kea.log()[-1000:]})")
        [runner] = processes.runners()
        status = dict(line.split(":\t", 1) for line in Path(f"/proc/{runner}/status").read_text().splitlines())
        runner = [int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")]
        seen = json.loads((directory / "found").read_text())
        assert seen["dies by"] == signal.SIGKILL, "it dies with its runner, whatever the kernel makes of capabilities"
        return seen, runner


@MODES
@pytest.mark.parametrize("added", [[], ["net_admin"]], ids=["debian", "net_admin added"])
def test_what_kea_has_for_its_own_work_is_not_handed_on(link, tmp_path, mode, added):
    seen, runner = found(link, tmp_path, mode, as_kea(DEBIANS + added))
    assert not seen["environ"] and not seen["mem"], "Kea's memory is its own"
    for name in ("inheritable", "permitted", "effective", "ambient"):
        assert seen[name] == bits(added)
    assert runner == [bits(added)] * 4, "a program may take the runner over, and shall gain nothing by that"
    assert seen["route"] == bool(added), "what an administrator has added stays"
    assert seen["bounding"] & bits(DEBIANS), "a program may still start one that has capabilities of its own"


@MODES
@pytest.mark.parametrize("kept, names", [
    (["net_raw"], ["CAP_NET_RAW"]), (["net_bind_service"], ["Net_Bind_Service"]),
    (DEBIANS, ["net_raw", "cap_net_bind_service"])], ids=["one", "the other", "both"])
def test_keep_capabilities(link, tmp_path, mode, kept, names):
    """With both a program has no less than Kea, which is then open to it: docs/operation.md says so."""
    seen, runner = found(link, tmp_path, mode, as_kea(DEBIANS), keep_capabilities=names)
    assert seen["permitted"] == seen["ambient"] == bits(kept) and runner == [bits(kept)] * 4
    assert seen["environ"] == seen["mem"] == (kept == DEBIANS)


@MODES
def test_root_is_root(link, tmp_path, mode):
    """Nothing of this protects a Kea that runs as root: docs/operation.md says so."""
    seen, _ = found(link, tmp_path, mode, [])
    assert seen["environ"] and seen["mem"] and seen["permitted"] & bits(DEBIANS) == bits(DEBIANS)


@pytest.mark.parametrize("name", ["CAP_NET_ROW", "CAP_NET_ADMIN"])
def test_what_is_none_of_keas_own_is_refused(link, tmp_path, recorder, name):
    kea = Kea(4, SUBNET4, tmp_path, [hook(recorder.script, keep_capabilities=[name])])
    kea.expect_refusal()
    [line] = kea.said("LOAD_REFUSED")
    assert f'parameter "keep-capabilities": "{name}" is none of those' in line and "AmbientCapabilities=" in line
