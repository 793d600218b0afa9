"""The library as a file, and as a guest who costs nothing where he is not wanted."""

import re
import subprocess

import pytest

from rig.configs import SUBNETS
from rig.dhcp4 import ACK, stranger
from rig.dhcp6 import Client6
from rig.kea import HOOK, REPOSITORY, Kea, hook

KEAS_ENTRIES = {"version", "load", "unload", "multi_threading_compatible"}


def tool(*argv):
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def documented(family):
    """The hook points of the reference, by whether they are selected by default."""
    page = (REPOSITORY / "docs/hook-points.md").read_text()
    section = page.partition(f"## kea-dhcp{family}")[2].partition("\n## ")[0]
    points = {name: "*" in marks for name, marks in re.findall(r"^\| `(\w+)` ?([*°]*) \|", section, re.M)}
    # What is ours, and none of Kea's.
    ours = {f"lease{family}_changed", "load", "configured", "unload"}
    assert points.keys() > ours
    return {name: default for name, default in points.items() if name not in ours}


def test_only_what_kea_looks_up_is_exported():
    exported = {line.split()[-1] for line in tool("nm", "-D", "--defined-only", HOOK).splitlines()}
    assert exported == KEAS_ENTRIES | set(documented(4)) | set(documented(6))
    assert len(documented(4)) == 16 and len(documented(6)) == 16


def test_no_library_of_kea_is_needed():
    needed = re.findall(r"\(NEEDED\).*\[(.*)\]", tool("readelf", "-d", HOOK))
    assert "libc.so.6" in needed
    assert not [name for name in needed if "kea" in name]


def test_it_stays_in_memory():
    assert re.search(r"\(FLAGS_1\).*NODELETE", tool("readelf", "-d", HOOK))


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("selected", [None, ["pkt{}_send", "lease{}_renew"]], ids=["default", "two"])
def test_points_that_are_not_selected_cost_nothing(link, tmp_path, recorder, family, selected):
    """Kea, asked for all that it does, tells of no call at any of them."""
    parameters = {"hook_points": [name.format(family) for name in selected]} if selected else {}
    config = SUBNETS[family]
    with Kea(family, config, tmp_path, [hook(recorder.script, **parameters)], "DEBUG", 99) as kea:
        if family == 4:
            client = stranger(link)
            assert client.dora().type == client.renew().type == ACK
        else:
            client = Client6(link)
            assert client.sarr().leases and client.renew().leases
        told = set(re.findall(r"HOOKS_CALLOUT_CALLED hooks library with index 1 has called a callout on hook (\w+)",
                              kea.log()))
        wanted = set(parameters.get("hook_points", [name for name, default in documented(family).items() if default]))
        met = {name for name in wanted if not re.search("release|decline|expire|recover|rebind", name)}
        assert told == met == set(recorder.hooks())
        assert kea.said("LOADED")[0].partition(" at ")[2].split() == [name for name in documented(family) if name in wanted]
