"""The sanitizers find what is there: faults planted in another library, in the same server."""

import pytest

from rig import sanitizer
from rig.configs import SUBNET4
from rig.kea import HOOK, Kea, hook
from rig.others import together
from rig.programs import library
from rig.recorder import write_script

FAULTS = {"address": {"overflow": "heap-buffer-overflow", "undefined": "signed integer overflow"},
          "thread": {"race": "data race"}}


@pytest.mark.parametrize("fault", FAULTS[sanitizer.KIND])
def test_a_planted_fault_is_found(link, tmp_path, fault):
    faulty = library("faulty", tmp_path, "-g", "-Wl,--exclude-libs,ALL", *sanitizer.FLAGS[sanitizer.KIND])
    hooks = together(tmp_path, faulty)
    ours = {**hook(write_script(tmp_path / "script", "#!/bin/sh\n")), "library": str(hooks / HOOK.name)}
    theirs = {"library": str(hooks / faulty.name), "parameters": {"fault": fault}}
    with Kea(4, SUBNET4, tmp_path, [ours, theirs], environment={"KEA_HOOKS_PATH": str(hooks)}):
        pass
    [found] = sanitizer.faults(faulty)
    assert FAULTS[sanitizer.KIND][fault] in found.title
    assert any(function.startswith((fault, "(anonymous namespace)::" + fault)) for _, stack in found.stacks for function, _ in stack), found
