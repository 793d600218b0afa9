"""What a script finds when it runs: arguments, environment, descriptors, signals; and where its output goes."""

import os
import re

import pytest

from rig.configs import SUBNET4, THREADS
from rig.dhcp4 import ACK, OFFER, NoAnswer, stranger
from rig.kea import Kea, hook
from rig.processes import kill_runner
from rig.recorder import Printer, Recorder, write_script
from rig.wait import quiet, wait_until

POINT = ["pkt4_receive"]
MODES = pytest.mark.parametrize("wait, threads", [(True, THREADS), (False, {})], ids=["wait-threads", "nowait"])


def output(kea, count=1):
    """What scripts have printed, without the script's path and the hook point."""
    wait_until(lambda: len(kea.said("OUTPUT")) >= count, lambda: f"{count} lines of output ({kea.said('OUTPUT')})")
    return [line.split(" at pkt4_receive: ", 1)[1] for line in kea.said("OUTPUT")]


@MODES
def test_arguments_and_environment(link, tmp_path, recorder, wait, threads):
    args = ["", "two words", "--help", "-x", "--", "größe", "$(exit) `exit` '\""]
    env = {"PATH": "/usr/bin:/bin", "EMPTY": "", "TEXT": "größe = 'a b'", "KEA_EXTRA": "1", "KEA_HOOK_POINT": "ours wins"}
    parameters = {"wait": wait, "hook_points": POINT, "args": args, "env": env}
    with Kea(4, {**SUBNET4, **threads}, tmp_path, [hook(recorder.script, **parameters)],
             environment={"SECRET": "not for scripts"}):
        stranger(link).discover()
        [call] = recorder.wait(1)
        assert call.args == ["pkt4_receive", *args]
        others = {name: value for name, value in call.env.items() if not name.startswith("KEA_")}
        assert others == {name: value for name, value in env.items() if not name.startswith("KEA_")}
        assert (call["KEA_EXTRA"], call["KEA_HOOK_POINT"]) == ("1", "pkt4_receive")


@MODES
def test_nothing_in_the_environment_but_variables(link, tmp_path, recorder, wait, threads):
    with Kea(4, {**SUBNET4, **threads}, tmp_path, [hook(recorder.script, wait=wait, hook_points=POINT)]):
        stranger(link).discover()
        [call] = recorder.wait(1)
        # As in the runner's environment, whose KEA_PIDFILE_DIR and the like are not for scripts either.
        assert {name.split("_")[1] for name in call.env} == {"HOOK", "SERVER", "VERSION", "EVENT", "QUERY4"}


@MODES
def test_descriptors(link, tmp_path, wait, threads):
    config = hook("/bin/ls", args=["-l", "/proc/self/fd"], wait=wait, hook_points=POINT)
    with Kea(4, {**SUBNET4, **threads}, tmp_path, [config]) as kea:
        # One that is started while Kea has all its files open.
        kill_runner()
        stranger(link).discover()
        opened = dict(re.findall(r" (\d+) -> (\S+)", "\n".join(output(kea, 5))))
        opened = {int(number): re.sub(r"\d+", "N", target) for number, target in opened.items()}
        assert opened == {0: "/dev/null", 1: "pipe:[N]", 2: "pipe:[N]", 3: "/proc/N/fd"}    # 3 is ls's own


@MODES
def test_signals_and_process_group(link, tmp_path, wait, threads):
    # Without a shell, which has its own idea of signals.
    config = hook("/bin/cat", args=["/proc/self/status", "/proc/self/stat"], wait=wait, hook_points=POINT)
    with Kea(4, {**SUBNET4, **threads}, tmp_path, [config]) as kea:
        stranger(link).discover()
        wait_until(lambda: any("(cat)" in line for line in output(kea)), "the end of the output")
        lines = output(kea)
        status = dict(line.split(r":\x09", 1) for line in lines if r":\x09" in line)
        assert {int(status[name], 16) for name in ("SigPnd", "SigBlk", "SigIgn", "SigCgt")} == {0}
        pid, group, session, terminal = re.match(r"(\d+) \(cat\) \w \d+ (\d+) (\d+) (\d+) ", lines[-1]).groups()
        assert pid == group and terminal == "0"
        assert session not in (pid, str(os.getsid(kea.pid)))    # the runner's own


@MODES
def test_output_is_in_the_log(link, tmp_path, wait, threads):
    text = r"plain größe\n\033[31mred\033[0m C:\\\n\377\tend"
    script = write_script(tmp_path / "script", f"#!/bin/sh\nprintf '{text}'\nprintf 'oops\\n\\n' >&2\n")
    with Kea(4, {**SUBNET4, **threads}, tmp_path, [hook(script, wait=wait, hook_points=POINT)]) as kea:
        stranger(link).discover()
        output(kea, 3)
        place = f"{script} at pkt4_receive: "
        wait_until(lambda: len(kea.said("ERROR_OUTPUT")) == 2, "the error output")
        assert kea.said("OUTPUT") == [place + r"plain größe", place + "\\x1b[31mred\\x1b[0m C:\\", place + r"\xff\x09end"]
        assert kea.said("ERROR_OUTPUT") == [place + "oops", place]


def test_several_scripts_are_called_in_their_order(link, tmp_path):
    names = [Printer(tmp_path, name, name=f"script {name}").script for name in "cab"]
    for script in names:
        write_script(script, script.read_text().replace(f"script {script.name[-1]}.lines", "lines"))
    with Kea(4, SUBNET4, tmp_path, [hook(scripts=[{"script": str(script)} for script in names])]) as kea:
        assert stranger(link).dora().type == ACK
        lines = (tmp_path / "lines").read_text().split()
        assert len(lines) >= 18 and lines == list("cab") * (len(lines) // 3)
        assert [kea.status(n)["script"] for n in range(3)] == [str(script) for script in names]


@pytest.mark.parametrize("first, second", [("drop", "continue"), ("continue", "drop")])
def test_the_severest_of_several_verdicts_counts(link, tmp_path, first, second):
    crash = Recorder(tmp_path, then="kill -9 $$")
    scripts = [{"script": str(crash.script), "hook-points": POINT, "on-failure": what} for what in (first, second)]
    with Kea(4, SUBNET4, tmp_path, [hook(scripts=scripts)]):
        with pytest.raises(NoAnswer):
            stranger(link).discover(timeout=0.3)
        # A slow machine may be at the first still.
        assert len(crash.wait(2)) == 2


def test_some_points_wait_and_some_do_not(link, tmp_path):
    points = ["pkt4_receive", {"name": "pkt4_send", "wait": False, "timeout": 60000},
              {"name": "lease4_select", "timeout": 300}]
    printer = Printer(tmp_path, "$1", then='[ "$1" = pkt4_receive ] || /bin/sleep 1')
    with Kea(4, SUBNET4, tmp_path, [hook(printer.script, hook_points=points)]) as kea:
        assert stranger(link).discover().type == OFFER
        assert printer.wait(3) == ["pkt4_receive", "lease4_select", "pkt4_send"]
        assert "lease4_select: no end within 300 ms" in kea.log()
        quiet(kea)
        assert kea.status()["failures"] == 1
