"""Old kernels, filters of system calls, low limits, a /dev that is all but empty: the library works, or Kea's log says what is
missing."""

import os
import re
import shlex
import signal

import pytest

from rig import processes, seccomp
from rig.configs import SUBNET4
from rig.dhcp4 import ACK, stranger
from rig.handlers import Handler
from rig.kea import RUNNER, Kea, hook
from rig.recorder import Printer, write_script
from rig.wait import wait_until

LOUD = r".* (?:WARN|ERROR|FATAL) .* RUNSCRIPT_.*"


def loud(kea):
    """Our lines in Kea's log that are warnings or worse."""
    return re.findall(LOUD, kea.log())


pytestmark = pytest.mark.skipif(seccomp.AUDIT_ARCH is None, reason="the numbers of system calls are not known here")

def shell(commands):
    """The wrapper of a command, for Kea(wrapper=), that does this before, in a mount namespace of its own."""
    return ["unshare", "--mount", "sh", "-euc", f'{commands}\nexec "$@"', "sh"]


# What is newer than Linux 4.19, or may be missing in a container's old profile: none of it is needed. Only glibc does not go on
# without clone3 where that is not permitted.
NEWER = ["clone.pidfd", "pidfd_open", "clone3", "close_range", "openat2", "faccessat2", "epoll_pwait2", "sched_getaffinity"]
MISSING = {
    "an old kernel": [f"{call}=ENOSYS" for call in NEWER],
    "an old filter": [f"{call}=EPERM" for call in NEWER if call != "clone3"] + ["clone3=ENOSYS"],
    "no waitid": ["waitid=EPERM"],
}


@pytest.mark.parametrize("missing", MISSING.values(), ids=MISSING)
def test_no_newer_call_is_needed(link, tmp_path, missing):
    """A client is served, and a script and a daemon hear of it, also after a reload."""
    printer, handler = Printer(tmp_path, "$1"), Handler("daemon", tmp_path)
    common = {"wait": True, "hook-points": ["lease4_select"]}
    daemon = {"script": str(handler.script), "mode": "daemon", "args": [str(handler.diary)]}
    library = hook(scripts=[{"script": str(printer.script), **common}, {**daemon, **common}])
    with Kea(4, SUBNET4, tmp_path, [library], wrapper=seccomp.denying(*missing)) as kea:
        for clients in (1, 2):
            assert stranger(link).dora().type == ACK
            assert len(printer.lines()) == len(handler.events()) == 2 * clients
            kea.reload()
        assert not loud(kea)


@pytest.mark.parametrize("proc", ["", "mount -t tmpfs tmpfs /proc"], ids=["/proc", "no /proc"])
def test_the_runner_has_nothing_of_keas_without_close_range(link, tmp_path, proc):
    """Ports would stay taken."""
    inherited = tmp_path / "inherited"
    inherited.touch()
    wrapper = [*seccomp.denying("close_range=ENOSYS"), *shell(f"exec 9<{inherited}\n{proc}")]
    with Kea(4, SUBNET4, tmp_path, [hook(Printer(tmp_path, "$1").script)], wrapper=wrapper) as kea:
        [pid] = processes.runners()
        # In a root of its own a path has more before it.
        has_it = [any(str(file).endswith(str(inherited)) for file in processes.files(one)) for one in (kea.pid, pid)]
        assert has_it == [True, False]


def runner(directory, before=()):
    """A runner that is started by this wrapper."""
    command = shlex.join([*before, str(RUNNER)])
    return str(write_script(directory / "runner", f'#!/bin/sh\nexec {command} "$@"\n'))


def refusal(directory, library, wrapper=()):
    """What Kea's log says of us when it does not start: one line, after what a daemon of a lane has said."""
    *said, line = re.findall(LOUD, Kea(4, SUBNET4, directory, [library], wrapper=wrapper).expect_refusal())
    assert all("RUNSCRIPT_DAEMON_OUTPUT" in before for before in said)
    assert "RUNSCRIPT_LOAD_REFUSED" in line and "is it a kea-runscript-runner" not in line
    return line


@pytest.mark.parametrize("call, error", [("setsid", "EPERM"), ("eventfd2", "ENOSYS"), ("signalfd4", "EPERM"), ("clone3", "EPERM")])
def test_a_call_that_the_runner_lacks_is_named(link, tmp_path, call, error):
    denied = runner(tmp_path, seccomp.denying(f"{call}={error}"))
    line = refusal(tmp_path, hook(Printer(tmp_path, "$1").script, runner=denied))
    assert f'parameter "runner": "{denied}": ' in line and f"{call}: not " in line and "seccomp" in line


def test_a_call_that_kea_lacks_is_named(link, tmp_path):
    line = refusal(tmp_path, hook(Printer(tmp_path, "$1").script), seccomp.denying("eventfd2=EPERM"))
    assert "eventfd2: not permitted" in line and "seccomp" in line


# A daemon that greets.
GREETS = "#!/bin/sh\n{first}\nread hello\necho '{{\"hello\":1}}'\nwhile read line; do :; done\n"
TOO_MANY = "too many open files: raise the limit .*LimitNOFILE.*"


@pytest.mark.parametrize("mode", ["exec", "daemon"])
def test_keas_limit_of_open_files_is_named(link, tmp_path, mode):
    library = hook(write_script(tmp_path / "script", GREETS.format(first="")), mode=mode, concurrency=256)
    assert re.search(TOO_MANY, refusal(tmp_path, library, ["prlimit", "--nofile=256:256"]))


@pytest.mark.parametrize("mode", ["exec", "daemon"])
def test_the_runners_limit_of_open_files_is_named(link, tmp_path, mode):
    """Kea goes on with the lanes that are there first, if there are any."""
    script = write_script(tmp_path / "script", GREETS.format(first=""))
    library = hook(script, mode=mode, concurrency=100, runner=runner(tmp_path, ["prlimit", "--nofile=24:24"]))
    kea = Kea(4, SUBNET4, tmp_path, [library])
    kea.launch()
    try:
        said = kea.wait_log(" RUNSCRIPT_(?:HANDLER_FAILED|LOAD_REFUSED) (.*)")[1]
        assert re.search(TOO_MANY, said) and not kea.said("HANDLER_LOST")
    finally:
        kea.kill()


NO_NULL = """
for name in urandom random; do touch {directory}/$name; mount --bind /dev/$name {directory}/$name; done
mount --rbind {directory} /dev
"""


@pytest.fixture
def without_null(tmp_path):
    """A wrapper that leaves /dev without null."""
    directory = tmp_path / "dev"
    directory.mkdir()
    return shell(NO_NULL.format(directory=directory))


def test_no_null_device_is_needed_for_a_daemon(link, tmp_path, without_null):
    handler = Handler("daemon", tmp_path)
    with Kea(4, SUBNET4, tmp_path, [handler.hook(wait=True, hook_points=["lease4_select"])], wrapper=without_null) as kea:
        assert stranger(link).dora().type == ACK
        assert len(handler.events()) == 2 and not loud(kea)


def test_a_missing_null_device_is_named(link, tmp_path, without_null):
    assert "/dev/null" in refusal(tmp_path, hook(Printer(tmp_path, "$1").script), without_null)


def test_nothing_of_the_control_groups_is_read(link, tmp_path):
    """Debian's AppArmor profile of Kea denies that, and the kernel's log says so. Who reads there waits for ever here."""
    trap = tmp_path / "trap"
    os.mkfifo(trap)
    with Kea(4, SUBNET4, tmp_path, [hook(Printer(tmp_path, "$1").script)], wrapper=shell(f"mount --bind {trap} /proc/$$/cgroup")) as kea:
        assert kea.status()["concurrency"] == len(os.sched_getaffinity(0))


# At SIGTERM: as most daemons, as one that ends in order, as a shell.
ENDS = {"by it": "", "with 0": "trap 'exit 0' TERM", "with 143": "trap 'exit 143' TERM"}


@pytest.mark.parametrize("trap", ENDS.values(), ids=ENDS)
def test_an_ordinary_stop_of_a_service_warns_of_nothing(link, tmp_path, trap):
    """systemd signals each process of the unit, and Kea may hear of its daemons' end before it looks at its own signal."""
    daemon = write_script(tmp_path / "daemon", GREETS.format(first=trap))
    with Kea(4, SUBNET4, tmp_path, [hook(daemon, mode="daemon", concurrency=2)]) as kea:
        def copies():
            return [pid for pid, argv in processes.processes().items() if argv[1:] == [str(daemon).encode()]]
        wait_until(lambda: len(copies()) == 2, "two copies")
        kea.process.send_signal(signal.SIGSTOP)
        for pid in processes.runners() + copies():
            os.kill(pid, signal.SIGTERM)
        kea.process.send_signal(signal.SIGCONT)
        wait_until(lambda: len(kea.said("LANE_LOST")) == 1, "the loss of a lane")
    assert not loud(kea)
