"""Whatever a script does, Kea answers its clients in time, and its log says once what is wrong and what helps."""

import itertools
import os
import re
import signal

import pytest

from rig import processes
from rig.configs import SUBNET4, THREADS
from rig.dhcp4 import ACK, DISCOVER, OFFER, stranger
from rig.kea import Kea, hook
from rig.recorder import Printer, write_script
from rig.wait import quiet, wait_until

POINT = "lease4_select"    # comes twice in DORA
MODES = pytest.mark.parametrize("wait, threads", [(True, {}), (True, THREADS), (False, {})],
                                ids=["wait", "wait-threads", "nowait"])


def kea4(tmp_path, script, threads=None, **parameters):
    """A server that calls this script at one hook point."""
    return Kea(4, {**SUBNET4, **(threads or {})}, tmp_path, [hook(script, hook_points=[POINT], **parameters)])


def sh(tmp_path, lines):
    return write_script(tmp_path / "script", f"#!/bin/sh\n{lines}\n")


def await_failures(kea, count):
    wait_until(lambda: kea.status()["failures"] >= count, lambda: f"{count} failures ({kea.status()})")
    assert kea.status()["failures"] == count


def removed(script):
    script.unlink()


def not_executable(script):
    script.chmod(0o644)


def directory(script):
    script.unlink()
    script.mkdir()


def no_interpreter(script):
    write_script(script, "#!/nowhere/sh -e\n")


def windows_line_ends(script):
    write_script(script, "#!/bin/sh\r\nexit 0\r\n")


def no_first_line(script):
    write_script(script, "exit 0\n")


BREAKAGES = {removed: "gone: put it back", not_executable: "not executable: chmod", directory: "is a directory",
             no_interpreter: r"\(/nowhere/sh -e\) is missing: install it or correct the line",
             windows_line_ends: "carriage return .*sed -i", no_first_line: "no `#!` line: make #!/bin/sh"}


@MODES
@pytest.mark.parametrize("breakage", BREAKAGES, ids=lambda breakage: breakage.__name__)
def test_broken_while_kea_runs(link, tmp_path, breakage, wait, threads):
    printer = Printer(tmp_path, "$1")
    content = printer.script.read_text()
    with kea4(tmp_path, printer.script, threads, wait=wait) as kea:
        assert stranger(link).dora().type == ACK
        printer.wait(2)
        breakage(printer.script)
        assert stranger(link).dora().type == stranger(link).dora().type == ACK
        await_failures(kea, 4)
        [line] = kea.said("EVENT_FAILED")
        assert re.match(rf"{printer.script} at {POINT}: cannot start .*{BREAKAGES[breakage]}", line)

        if printer.script.is_dir():
            printer.script.rmdir()
        write_script(printer.script, content)
        assert stranger(link).dora().type == ACK
        printer.wait(4)
        assert kea.status()["failures"] == 4
    [line] = kea.said("REPEATED")
    assert re.search(rf"EVENT_FAILED .*{POINT}.* came 3 more times", line)


# A script that never ends, with a child in its process group, and how it takes being told to.
HANGS = "/bin/sleep 1000 &\necho $$ >>{pids}\nwhile :; do /bin/sleep 1000; done"
STUBBORN = {"": "SIGTERM", "trap 'echo tidied up; exit 0' TERM": "SIGTERM", "trap '' TERM": "SIGKILL"}


@MODES
@pytest.mark.parametrize("trap", STUBBORN, ids=["ends", "tidies up", "ignores"])
def test_a_script_that_hangs(link, tmp_path, trap, wait, threads):
    pids = tmp_path / "pids"
    script = sh(tmp_path, trap + "\n" + HANGS.format(pids=pids))
    with kea4(tmp_path, script, threads, wait=wait, timeout=300) as kea:
        # One that waited for more than the time-out, a second for SIGKILL as it may be, would be late.
        assert stranger(link).dora(timeout=1).type == ACK
        await_failures(kea, 2)
        [line] = kea.said("EVENT_FAILED")
        assert line.startswith(f"{script} at {POINT}: no end within 300 ms")
        assert wait or f"stopped with {STUBBORN[trap]}" in line
        assert kea.status()["timeouts"] == 2
        groups = pids.read_text().split()
        assert groups
        wait_until(lambda: not any(map(processes.group, groups)), "the end of all that the script had started")
        quiet(kea)
        assert ("tidied up" in kea.log()) == ("tidied" in trap)


@pytest.mark.alone
@pytest.mark.parametrize("count", [1, 4])
def test_two_clients_and_a_script_that_hangs(link, tmp_path, count):
    """They wait side by side, even if their events have to wait for each other."""
    script = sh(tmp_path, "exec /bin/sleep 1000")
    with kea4(tmp_path, script, THREADS, timeout=700, concurrency=count):
        clients = [stranger(link), stranger(link)]
        queries = [client.message(DISCOVER) for client in clients]
        for client, query in zip(clients, queries):
            client.send(query)
        # One after the other would be 1.4 seconds.
        offers = [clients[0].wire.receive(query.xid, timeout=1.2 - 0.2 * n) for n, query in enumerate(queries)]
        assert [offer.type for offer in offers] == [OFFER, OFFER]


@MODES
def test_what_a_script_leaves_running(link, tmp_path, wait, threads):
    child = tmp_path / "child"
    script = sh(tmp_path, f"[ -e {child} ] && exit 0\n(/bin/sleep 0.2; echo later; exec /bin/sleep 1000) &\n"
                          f"echo $! >{child}\nexit 0")
    with kea4(tmp_path, script, threads, wait=wait) as kea:
        assert stranger(link).dora(timeout=2).type == ACK
        quiet(kea)

        def told():
            stranger(link).discover()
            return f"{script} at {POINT}: left running: later" in kea.said("OUTPUT")
        wait_until(told, "what the child has written")
        pid = int(child.read_text())
        assert processes.alive(pid)
        assert not kea.said("EVENT_FAILED")
        os.kill(pid, signal.SIGKILL)


ENDLESS = {"exec /usr/bin/yes": "OUTPUT", "exec /usr/bin/yes >&2": "ERROR_OUTPUT",
           "exec /bin/cat /dev/zero": "OUTPUT"}


@MODES
@pytest.mark.parametrize("flood", ENDLESS, ids=["output", "error output", "one line"])
def test_output_without_end(link, tmp_path, flood, wait, threads):
    with kea4(tmp_path, sh(tmp_path, flood), threads, wait=wait, timeout=300) as kea:
        assert stranger(link).dora(timeout=2).type == ACK
        await_failures(kea, 2)
        quiet(kea)
        lines = kea.said(ENDLESS[flood])
        if "yes" in flood:
            assert lines.count(f"{kea.directory}/script at {POINT}: y") >= 100
            assert any(re.search(r"[1-9]\d+ more lines of output left out", line) for line in kea.said("ERROR_OUTPUT"))
        else:
            assert rf"\x00\x00" in lines[0] and lines[0].endswith("...")
        assert len(kea.log()) < 100_000
        [runner] = processes.runners()
        assert processes.Footprint.of(runner).kilobytes < 30_000, "the runner keeps what it should forget"


@MODES
def test_a_script_that_crashes(link, tmp_path, wait, threads):
    script = sh(tmp_path, "ulimit -c 0\nkill -SEGV $$")
    with kea4(tmp_path, script, threads, wait=wait) as kea:
        assert stranger(link).dora().type == ACK
        await_failures(kea, 2)
        [line] = kea.said("EVENT_FAILED")
        outcome = "goes on with: continue" if wait else "has not waited"
        assert line == f"{script} at {POINT}: killed by SIGSEGV; Kea {outcome}"


def exit_statuses(kea):
    """How many there were besides 0, by the log of a server that has ended: lines, and the counts of what was kept back."""
    counts = re.findall(r"RUNSCRIPT_REPEATED RUNSCRIPT_ERROR_OUTPUT .* came (\d+) more times", kea.log())
    return len(re.findall(r"RUNSCRIPT_ERROR_OUTPUT .*: exit status \d+", kea.log())) + sum(map(int, counts))


@MODES
def test_exit_statuses_are_told_and_change_nothing(link, tmp_path, wait, threads):
    """Nor are they failures: `on-failure` would drop the packets."""
    status = tmp_path / "status"
    script = sh(tmp_path, f"read -r status <{status}\nexit $status")
    with kea4(tmp_path, script, threads, wait=wait, on_failure="drop") as kea:
        for number in [0, 3, 1, 10, 20, 126, 127, 255]:
            status.write_text(f"{number}\n")
            assert stranger(link).dora().type == ACK
            quiet(kea)
        assert kea.said("ERROR_OUTPUT") == [f"{script} at {POINT}: exit status 3"]
        assert kea.status()["failures"] == 0
    assert exit_statuses(kea) == 2 * 7


@MODES
def test_closed_outputs_are_no_failure(link, tmp_path, wait, threads):
    printer = Printer(tmp_path, "$1", then="exec <&- >&- 2>&-\nexit 0")
    with kea4(tmp_path, printer.script, threads, wait=wait) as kea:
        assert stranger(link).dora().type == ACK
        printer.wait(2)
        quiet(kea)
        assert kea.status()["failures"] == 0
        assert not kea.said("ERROR_OUTPUT")


@pytest.mark.parametrize("wait", [True, False], ids=["wait", "nowait"])
def test_no_exit_status_is_lost_or_mixed_up(link, tmp_path, wait):
    """Kea takes the status of any child that it finds, when its lease file clean-up ends: not of our scripts."""
    script = sh(tmp_path, 'echo "$KEA_LEASE4_ADDRESS"\nexit $((${KEA_LEASE4_ADDRESS##*.} % 2))')
    config = {**SUBNET4, "lease-database": {"lfc-interval": 1}}
    with Kea(4, config, tmp_path, [hook(script, wait=wait, hook_points=[POINT, "lease4_renew"])]) as kea:
        def told():
            """The end of each event's address."""
            return [int(octet) for octet in re.findall(r"RUNSCRIPT_OUTPUT .* at \w+: 192\.0\.2\.(\d+)", kea.log())]
        clients = itertools.cycle([stranger(link) for _ in range(100)])
        while len(told()) < 200 or kea.log().count("LFC_EXECUTE") < 3:
            for client in itertools.islice(clients, 10):
                assert client.dora().type == ACK
            quiet(kea)
        assert len(told()) == kea.status()["events"]
        assert kea.status()["failures"] == 0
    assert exit_statuses(kea) == sum(octet % 2 for octet in told())
