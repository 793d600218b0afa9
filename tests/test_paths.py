"""Where Kea lets libraries and scripts be, and whom it trusts to write them."""

import shutil

import pytest

from rig.configs import SUBNET4
from rig.dhcp4 import OFFER, stranger
from rig.kea import HOOK, RUNNER, TOOLS, Kea, hook, version
from rig.processes import runners
from rig.recorder import Recorder, write_script
from rig.since import since

POINT = ["pkt4_receive"]


def served(link, recorder):
    """A client has its answer, and the script was called for it."""
    calls = len(recorder.calls())
    assert stranger(link).discover().type == OFFER
    assert recorder.wait(calls + 1)


def kea(tmp_path, entry, **environment):
    return Kea(4, SUBNET4, tmp_path, [entry], environment=environment, strict=True)


@pytest.mark.parametrize("named", ["by its path", "by its name"])
@since(3, 0)
def test_a_script_in_the_scripts_directory(link, tmp_path, recorder, named):
    script = recorder.script if named == "by its path" else recorder.script.name
    with kea(tmp_path, hook(script, hook_points=POINT), KEA_HOOK_SCRIPTS_PATH=f"{tmp_path}/"):
        served(link, recorder)


@pytest.mark.parametrize("parameter", ["script", "runner"])
@since(3, 0)
def test_a_program_elsewhere_is_refused(link, tmp_path, parameter):
    """By default the directory is Kea's own."""
    elsewhere = write_script(tmp_path / "elsewhere", "#!/bin/sh\n")
    entry = hook(**{"script": "admin-utils.sh", parameter: str(elsewhere)})
    log = kea(tmp_path, entry).expect_refusal()
    assert (f'RUNSCRIPT_LOAD_REFUSED the configuration is refused: parameter "{parameter}": "{elsewhere}": is not in '
            "/usr/share/kea/scripts, the only directory") in log
    assert "KEA_HOOK_SCRIPTS_PATH" in log and not runners()


@pytest.mark.parametrize("directory", ["", "/"])
@since(3, 0)
def test_a_directory_that_is_none_allows_nothing(link, tmp_path, recorder, directory):
    log = kea(tmp_path, hook(recorder.script), KEA_HOOK_SCRIPTS_PATH=directory).expect_refusal()
    assert f'"{recorder.script}": no directory is allowed: KEA_HOOK_SCRIPTS_PATH' in log


@pytest.mark.parametrize("named", ["by its path", "by its name"])
@since(3, 0)
def test_kea_can_be_told_to_allow_any_place(link, tmp_path, recorder, named):
    script = recorder.script if named == "by its path" else recorder.script.name
    with Kea(4, SUBNET4, tmp_path, [hook(script, hook_points=POINT)],
             environment={"KEA_HOOK_SCRIPTS_PATH": str(tmp_path)}):
        served(link, recorder)


@pytest.mark.skipif(version() >= (3, 0), reason="Kea 3 has a directory for scripts")
def test_an_older_kea_allows_any_place(link, tmp_path, recorder):
    with kea(tmp_path, hook(recorder.script, hook_points=POINT), KEA_HOOK_SCRIPTS_PATH="/nowhere"):
        served(link, recorder)


@since(2, 6, 3)
def test_a_library_elsewhere_is_refused_by_kea(link, tmp_path, recorder):
    elsewhere = shutil.copy(HOOK, tmp_path)
    log = kea(tmp_path, {**hook(recorder.script), "library": elsewhere}).expect_refusal()
    assert f"invalid path specified: '{tmp_path}'" in log and str(HOOK.parent) in log


@since(2, 6, 3)
def test_a_library_in_the_hooks_directory_may_be_named_alone(link, tmp_path, recorder):
    with Kea(4, SUBNET4, tmp_path, [{**hook(recorder.script, hook_points=POINT), "library": HOOK.name}]):
        served(link, recorder)


@pytest.mark.parametrize("mode", [0o775, 0o757, 0o777], ids=oct)
def test_a_script_that_others_may_write_is_refused(link, tmp_path, recorder, mode):
    recorder.script.chmod(mode)
    log = Kea(4, SUBNET4, tmp_path, [hook(recorder.script)]).expect_refusal()
    assert (f'RUNSCRIPT_LOAD_REFUSED the configuration is refused: parameter "script": "{recorder.script}": '
            f"may be written by others than its owner (mode {mode:o})") in log and "chmod go-w" in log


def test_a_runner_that_others_may_write_is_refused(link, tmp_path, recorder):
    runner = shutil.copy(RUNNER, tmp_path)
    (tmp_path / RUNNER.name).chmod(0o777)
    log = Kea(4, SUBNET4, tmp_path, [hook(recorder.script, runner=runner)]).expect_refusal()
    assert f'parameter "runner": "{runner}": may be written by others than its owner (mode 777)' in log


def test_tools_that_others_may_write_are_refused(link, tmp_path, recorder):
    """The script calls them."""
    runner, tools = (shutil.copy(file, tmp_path) for file in (RUNNER, TOOLS))
    (tmp_path / TOOLS.name).chmod(0o777)
    log = Kea(4, SUBNET4, tmp_path, [hook(recorder.script, runner=runner, answers=True)]).expect_refusal()
    assert f"{tools}: may be written by others than its owner (mode 777)" in log


@pytest.mark.parametrize("missing", [RUNNER, TOOLS], ids=lambda file: file.name)
def test_a_program_of_ours_that_is_missing_is_named(link, tmp_path, recorder, missing):
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    library, *_ = [shutil.copy(file, hooks) for file in (HOOK, RUNNER, TOOLS) if file != missing]
    entry = {**hook(recorder.script, answers=True), "library": library}
    log = Kea(4, SUBNET4, tmp_path, [entry], environment={"KEA_HOOKS_PATH": str(hooks)}).expect_refusal()
    places = ", ".join(f"{place}/{missing.name}" for place in (hooks, "/usr/sbin", "/usr/local/sbin"))
    assert f"{missing.name} is in none of: {places}; " in log and "install it" in log


def test_a_script_that_others_may_write_later_is_not_run(link, tmp_path):
    recorder = Recorder(tmp_path)
    with Kea(4, SUBNET4, tmp_path, [hook(recorder.script, hook_points=POINT)]) as kea:
        recorder.script.chmod(0o775)
        assert stranger(link).discover().type == OFFER
        kea.wait_log("RUNSCRIPT_EVENT_FAILED .* may be written by others than its owner")
        assert not recorder.calls()
        recorder.script.chmod(0o755)
        served(link, recorder)
