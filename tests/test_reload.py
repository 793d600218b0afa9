"""A new configuration while scripts are at work: nothing is lost, doubled or out of turn."""

import os
import shutil
import signal

import pytest

from rig import processes
from rig.configs import SUBNET4, THREADS
from rig.dhcp4 import ACK, OFFER, NoAnswer, stranger
from rig.diary import POINTS, Diary, left, no_runner
from rig.kea import RUNNER, Kea, hook
from rig.recorder import Printer
from rig.wait import quiet, wait_until

THREADED = pytest.mark.parametrize("threads", [{}, THREADS], ids=["single", "threads"])


def without_us(kea, *hooks):
    """The configuration with these libraries instead of ours."""
    config = {name: value for name, value in kea.command("config-get")["arguments"].items() if name.startswith("Dhcp")}
    config[f"Dhcp{kea.family}"]["hooks-libraries"] = list(hooks)
    for library in hooks:
        kea.keep_to_directory(library)
    return config


def config_reload(kea):
    kea.reload()


def sighup(kea):
    already = len(kea.log())
    kea.process.send_signal(signal.SIGHUP)
    kea.wait_log("RUNSCRIPT_LOADED", since=already)


@THREADED
@pytest.mark.parametrize("reload", [config_reload, sighup], ids=lambda function: function.__name__)
def test_reload_while_scripts_run(link, tmp_path, reload, threads):
    diary = Diary(link, tmp_path)
    with Kea(4, {**SUBNET4, **threads}, tmp_path, [diary.hook()]) as kea:
        for _ in range(3):
            diary.round()
        reload(kea)
        [(waiting, _, running)] = left(kea)
        assert waiting and running, "there was nothing to do when the reload came"
        assert kea.status()["pending"] > 0
        for _ in range(3):
            diary.round()
        quiet(kea)
        diary.check()
        assert len(processes.runners()) == 1
        assert not [line for message in ("EVENT_FAILED", "EVENT_LOST", "HANDLER_LOST") for line in kea.said(message)]
    no_runner()


@THREADED
def test_reloads_in_quick_succession(link, tmp_path, threads):
    diary = Diary(link, tmp_path)
    with Kea(4, {**SUBNET4, **threads}, tmp_path, [diary.hook()]) as kea:
        for _ in range(4):
            diary.round()
            diary.round()
            kea.reload()
            kea.reload()
        assert len(left(kea)) == 8
        diary.round()
        quiet(kea)
        diary.check()
        assert len(processes.runners()) == 1
    no_runner()


def test_reload_while_there_is_no_runner(link, tmp_path):
    diary, runner = Diary(link, tmp_path), tmp_path / "runner"
    with Kea(4, SUBNET4, tmp_path, [diary.hook(required=False, runner=str(runner))]) as kea:
        diary.round()
        kea.reload()
        assert left(kea) == [(len(POINTS) * len(diary.clients), 0, 0)]
        diary.round()
        shutil.copy(RUNNER, tmp_path / "copy").rename(runner)
        quiet(kea)
        diary.check()


@pytest.mark.parametrize("fate", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "stopped"])
def test_reload_when_the_runner_is(link, tmp_path, fate):
    """What it was at work on begins anew if it was killed; nothing else does."""
    diary = Diary(link, tmp_path)
    with Kea(4, SUBNET4, tmp_path, [diary.hook()]) as kea:
        for _ in range(3):
            diary.round()
        [runner] = processes.runners()
        os.kill(runner, fate)
        kea.reload()
        diary.round()
        if fate == signal.SIGSTOP:
            os.kill(runner, signal.SIGCONT)
        quiet(kea)
        assert {mac: list(dict.fromkeys(lines)) for mac, lines in diary.turns().items()} == diary.expected
        again = len(diary.printer.lines()) - sum(map(len, diary.expected.values()))
        assert 0 <= again <= (2 if fate == signal.SIGKILL else 0)
        assert not kea.said("EVENT_LOST")


def test_events_stay_with_their_script(link, tmp_path):
    """Another script stands before it in the new configuration."""
    first, second = Printer(tmp_path, "$1", name="first"), Printer(tmp_path, "$1", name="second")
    waits = {"script": str(first.script), "wait": False, "hook-points": POINTS}
    other = {"script": str(second.script), "wait": False, "hook-points": ["lease4_release"]}
    nowhere = {**waits, "required": False, "runner": str(tmp_path / "missing")}
    with Kea(4, SUBNET4, tmp_path, [hook(scripts=[nowhere])]) as kea:
        assert stranger(link).discover().type == OFFER
        kea.configure(SUBNET4, [hook(scripts=[other, waits])])
        kea.reload()
        assert first.wait(3) == POINTS
        quiet(kea)
        assert not second.lines()


@THREADED
def test_the_library_is_taken_out_and_put_back(link, tmp_path, threads):
    """What is queued waits for that."""
    diary = Diary(link, tmp_path)
    with Kea(4, {**SUBNET4, **threads}, tmp_path) as kea:
        before, plain, ours = processes.threads(kea.pid), without_us(kea), without_us(kea, diary.hook())
        for _ in range(3):
            assert kea.command("config-set", ours)["result"] == 0
            assert "runscript" in processes.threads(kea.pid)
            diary.round()
            assert kea.command("config-set", plain)["result"] == 0
            assert left(kea)[-1][0] > 0
            processes.wait_for_threads(kea.pid, before)
            assert stranger(link).dora().type == ACK
        assert kea.command("config-set", ours)["result"] == 0
        quiet(kea)
        diary.check()
        assert kea.command("config-set", plain)["result"] == 0
        no_runner()
        assert kea.command("runscript-status")["result"] == 2    # unknown
        shown = kea.command("statistic-get-all")["arguments"]
        assert not [name for name in shown if name.startswith("runscript.")]


def test_a_spool_is_given(link, tmp_path):
    """What was in memory before goes on."""
    diary = Diary(link, tmp_path)
    with Kea(4, SUBNET4, tmp_path, [diary.hook(spool=False)]) as kea:
        diary.round()
        kea.configure(SUBNET4, [diary.hook()])
        kea.reload()
        diary.round()
        assert kea.status()["spooled"]
        quiet(kea)
        diary.check()
        assert not kea.said("EVENT_LOST")


def test_another_spool_is_given(link, tmp_path):
    """What is in the old one waits until the script has that again."""
    diary = Diary(link, tmp_path)
    with Kea(4, SUBNET4, tmp_path, [diary.hook(spool=str(tmp_path / "old"))]) as kea:
        diary.round()
        waited = kea.status()["pending"]
        kea.configure(SUBNET4, [diary.hook(spool=str(tmp_path / "new"))])
        kea.reload()
        quiet(kea)
        assert waited > 2 and left(kea)[0][1] == 0
        assert len(diary.printer.lines()) < sum(map(len, diary.expected.values()))
        kea.configure(SUBNET4, [diary.hook(spool=str(tmp_path / "old"))])
        kea.reload()
        quiet(kea)
        diary.check()


def test_reloads_leave_nothing_behind(link, tmp_path):
    diary = Diary(link, tmp_path, seconds=0, clients=2)
    with Kea(4, {**SUBNET4, **THREADS}, tmp_path, [diary.hook()]) as kea:
        diary.round()
        quiet(kea)
        before, threads = processes.Footprint.of(kea.pid), processes.threads(kea.pid)
        for _ in range(20):
            diary.round()
            kea.reload()
        quiet(kea)
        wait_until(lambda: processes.Footprint.of(kea.pid).descriptors <= before.descriptors, "the last closed file")
        wait_until(lambda: len(processes.runners()) == 1, "the end of former runners")
        processes.wait_for_threads(kea.pid, threads)
        diary.check()


BAD = {"parameter": lambda diary: diary.hook(timeout="soon"), "runner": lambda diary: diary.hook(runner="/nowhere"),
       "second script": lambda diary: hook(scripts=[diary.hook()["parameters"], {"script": "/nowhere"}])}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_a_bad_configuration(link, tmp_path, bad):
    """Kea refuses it, does not serve, and is its old self after a good one; the events of before are not lost."""
    diary = Diary(link, tmp_path)
    with Kea(4, SUBNET4, tmp_path, [diary.hook()]) as kea:
        good = without_us(kea, diary.hook())
        without = processes.threads(kea.pid)
        without.remove("runscript")
        diary.round()
        answer = kea.command("config-set", without_us(kea, bad(diary)))
        # 1 is an error; Kea 3 says 5, an error that it does not recover from.
        assert answer["result"] in (1, 5) and "failed to load" in answer["text"]
        [line] = kea.said("LOAD_REFUSED")
        assert "timeout" in line or "/nowhere" in line
        processes.wait_for_threads(kea.pid, without)
        with pytest.raises(NoAnswer):
            stranger(link).discover(timeout=0.3)
        assert kea.command("config-set", good)["result"] == 0
        diary.round()
        quiet(kea)
        diary.check()
        assert len(processes.runners()) == 1
