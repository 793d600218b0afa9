"""The built files are hardened as Debian hardens its own."""

import platform
import re
import subprocess
from collections import Counter

import pytest

from rig.kea import HOOK, RUNNER, TOOLS
from rig.reservations import OURS as RESERVATIONS

FILES = pytest.mark.parametrize("file", [HOOK, RESERVATIONS, RUNNER, TOOLS], ids=lambda file: file.name)


def readelf(option, file):
    return subprocess.run(["readelf", "-W", option, file], check=True, capture_output=True, text=True).stdout


@FILES
def test_nothing_can_be_relocated_once_it_runs(file):
    assert "GNU_RELRO" in readelf("-l", file) and re.search(r"\(FLAGS_1\).*\bNOW\b", readelf("-d", file))


@FILES
def test_no_stack_is_executable(file):
    assert re.search(r"GNU_STACK .* RW +0", readelf("-l", file))


@pytest.mark.parametrize("file", [RUNNER, TOOLS], ids=lambda file: file.name)
def test_programs_are_loaded_anywhere(file):
    assert re.search(r"\(FLAGS_1\).*\bPIE\b", readelf("-d", file))


def test_the_runner_is_small():
    """It stays as long as Kea does: what only the tools need is not in it."""
    of_tools = {file: Counter(re.findall(r" FUNC .*(clap|comfy_table|prometheus)", readelf("-s", file))) for file in (RUNNER, TOOLS)}
    # The compiler makes one of functions that are the same, under any one's name: some of std's have such a name.
    assert of_tools[RUNNER].total() * 20 < of_tools[TOOLS].total()
    assert min(of_tools[TOOLS][crate] for crate in ("clap", "comfy_table", "prometheus")) > 5


@pytest.mark.parametrize("library", [HOOK, RESERVATIONS], ids=lambda file: file.name)
def test_the_shim_guards_its_stack(library):
    assert "__stack_chk_fail" in readelf("--dyn-syms", library)


@pytest.mark.parametrize("library", [HOOK, RESERVATIONS], ids=lambda file: file.name)
def test_libraries_show_what_kea_looks_up_and_no_more(library):
    shown = set(re.findall(r" GLOBAL DEFAULT +\d+ (\w+)$", readelf("--dyn-syms", library), re.M))
    keas = {"version", "load", "unload", "multi_threading_compatible"}
    assert keas <= shown and all(name in keas or re.match(r"[a-z]+[46]s?_[a-z0-9_]+$|leases[46]_committed$", name) for name in shown)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="a mark of this architecture")
def test_the_shim_is_entered_at_its_marks_alone():
    """What Kea calls begins with endbr64 (-fcf-protection)."""
    said = subprocess.run(["objdump", "-d", "--disassemble=pkt4_receive", HOOK], check=True, capture_output=True, text=True).stdout
    [first, *_] = re.findall(r"^ +\w+:\t[\w ]+\t(.*)$", said, re.M)
    assert first.strip() == "endbr64"
