"""Whom the library trusts: with a program and the way to it, with a socket's, with `env`; and what the runner takes from a line."""

import json
import os
import shutil
import socket
import struct
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from rig.configs import SUBNET4
from rig.dhcp4 import OFFER, stranger
from rig.handlers import PROGRAM, handler
from rig.kea import RUNNER, Kea, hook, version
from rig.recorder import Recorder, write_script
from rig.since import since
from rig.wait import wait_until

POINT = ["pkt4_receive"]
NOBODY = 65534
OTHER_USERS = pytest.mark.skipif(Path("/proc/self/uid_map").read_text().split()[2] == "1",
                                 reason="an ordinary user's namespace has no other users")


@pytest.fixture
def place(tmp_path):
    """A script in a directory of its own, below another."""
    directory = tmp_path / "above" / "place"
    directory.mkdir(parents=True)
    for path in (directory, directory.parent):
        path.chmod(0o755)
    return Recorder(directory)


def above(recorder):
    return recorder.script.parent.parent


def refusal(directory, *entries, **options):
    kea = Kea(4, SUBNET4, directory, entries, **options)
    kea.expect_refusal()
    [line] = kea.said("LOAD_REFUSED")
    return line


def served(link, recorder):
    calls = len(recorder.calls())
    assert stranger(link).discover().type == OFFER
    assert recorder.wait(calls + 1)


# The way to a program

@pytest.mark.parametrize("mode", [0o777, 0o757], ids=oct)
def test_a_program_below_a_directory_that_everybody_may_write_is_refused(link, tmp_path, place, mode):
    above(place).chmod(mode)
    line = refusal(tmp_path, hook(place.script))
    assert (f'parameter "script": "{place.script}": is below {above(place)}, which may be written by everybody '
            f"(mode {mode:o})") in line and f"chmod o-w {above(place)}" in line


def test_so_is_one_that_a_link_in_such_a_directory_leads_to(link, tmp_path, place):
    open_to_all = tmp_path / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    (open_to_all / "link").symlink_to(place.script.parent)
    script = open_to_all / "link" / place.script.name
    assert f'"{script}": is below {open_to_all}, which may be written by everybody' in refusal(tmp_path, hook(script))


def test_so_is_one_that_is_too_far_to_be_looked_at(link, tmp_path):
    """A path in one piece is longer than the kernel takes; links lead there by parts."""
    far, further = "/".join(["a" * 250] * 14), "/".join(["b" * 250] * 5)
    here = os.open(".", os.O_RDONLY)
    os.chdir(tmp_path)
    os.makedirs(far)
    os.symlink(f"{far}/link", "link")
    os.chdir(far)
    os.symlink(f"{further}/script", "link")
    os.makedirs(further)
    os.chdir(further)
    write_script(Path("script"), "#!/bin/sh\n")
    os.chmod(".", 0o777)
    os.chdir(here)
    os.close(here)
    assert f'"{tmp_path}/link": cannot be looked at, on the way to it' in refusal(tmp_path, hook(tmp_path / "link"))


def test_so_is_a_runner(link, tmp_path, place):
    runner = shutil.copy(RUNNER, place.script.parent)
    above(place).chmod(0o777)
    line = refusal(tmp_path, hook("/bin/true", runner=runner))
    assert f'parameter "runner": "{runner}": is below {above(place)}, which may be written by everybody' in line


@pytest.mark.parametrize("mode", [0o1777, 0o1775, 0o755], ids=oct)
def test_a_sticky_directory_passes(link, tmp_path, place, mode):
    above(place).chmod(mode)
    with Kea(4, SUBNET4, tmp_path, [hook(place.script, hook_points=POINT)]) as kea:
        served(link, place)
        assert not kea.said("OTHERS_TRUSTED")


def test_a_read_only_mount_passes(link, tmp_path, place):
    script = write_script(above(place) / "script", "#!/bin/sh\n")
    above(place).chmod(0o777)
    subprocess.run(["mount", "--bind", above(place), above(place)], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", above(place)], check=True)
    try:
        with Kea(4, SUBNET4, tmp_path, [hook(script, hook_points=POINT)]) as kea:
            assert stranger(link).discover().type == OFFER
            assert not kea.said("OTHERS_TRUSTED") and not kea.said("EVENT_FAILED")
    finally:
        subprocess.run(["umount", above(place)], check=True)


def test_a_directory_that_a_group_may_write_is_warned_of(link, tmp_path, place):
    above(place).chmod(0o775)
    with Kea(4, SUBNET4, tmp_path, [hook(place.script, hook_points=POINT)]) as kea:
        served(link, place)
        [line] = kea.said("OTHERS_TRUSTED")
        assert line.startswith(f'"{place.script}": is below {above(place)}, which may be written by a group (mode 775, group 0)')
        assert line.endswith(f"chmod g-w {above(place)}")


def let_write(path, user):
    """As `setfacl -m u:user:rwx` does: (tag, permissions, id), acl(5)."""
    nobody = 0xffffffff
    entries = [(0x01, 7, nobody), (0x02, 7, user), (0x04, 5, nobody), (0x10, 7, nobody), (0x20, 5, nobody)]
    acl = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
    os.setxattr(path, "system.posix_acl_access", acl)


@OTHER_USERS
def test_an_access_control_list_counts_as_the_group_does(link, tmp_path, place):
    let_write(above(place), NOBODY)
    with Kea(4, SUBNET4, tmp_path, [hook(place.script, hook_points=POINT)]) as kea:
        served(link, place)
        assert f"is below {above(place)}, which may be written by a group (mode 775" in kea.said("OTHERS_TRUSTED")[0]
    let_write(place.script, NOBODY)
    assert f'"{place.script}": may be written by others than its owner (mode 775)' in refusal(tmp_path / "again", hook(place.script))


@OTHER_USERS
@pytest.mark.parametrize("whose", ["the program", "its directory", "one above"])
def test_a_foreign_owner_is_warned_of(link, tmp_path, place, whose):
    owned = {"the program": place.script, "its directory": place.script.parent, "one above": above(place)}[whose]
    os.chown(owned, NOBODY, NOBODY)
    with Kea(4, SUBNET4, tmp_path, [hook(place.script, hook_points=POINT)]) as kea:
        served(link, place)
        [line] = kea.said("OTHERS_TRUSTED")
        assert f"belongs to user {NOBODY}, neither root nor Kea's user" in line and "chown root" in line
        assert whose == "the program" or f"is below {owned}, which" in line


@OTHER_USERS
@since(3, 0)
@pytest.mark.parametrize("doubt", ["a group", "a foreign owner"])
def test_both_are_refused_where_kea_allows_one_directory(link, tmp_path, place, doubt):
    if doubt == "a group":
        above(place).chmod(0o775)
    else:
        os.chown(above(place), NOBODY, NOBODY)
    line = refusal(tmp_path, hook(place.script), strict=True,
                   environment={"KEA_HOOK_SCRIPTS_PATH": str(place.script.parent)})
    assert f'parameter "script": "{place.script}": is below {above(place)}, which ' in line


@pytest.mark.parametrize("mode", ["exec", "daemon"])
def test_a_directory_that_is_opened_later_is_seen_before_the_next_start(link, tmp_path, mode):
    """The runner looks again, with a daemon when another is to be started."""
    with handler("daemon", tmp_path) as one:
        directory = tmp_path / "above"
        directory.mkdir()
        directory.chmod(0o755)
        script = write_script(directory / "script", f'#!/bin/sh\n{"exit 0" if mode == "exec" else f"exec {one.script} $1"}\n')
        args = [str(one.diary)] if mode == "daemon" else []
        with Kea(4, SUBNET4, tmp_path, [hook(script, hook_points=POINT, mode=mode, args=args, concurrency=1)]) as kea:
            assert stranger(link).discover().type == OFFER and not kea.said("EVENT_FAILED")
            directory.chmod(0o777)
            if mode == "daemon":
                one.kill()
            assert stranger(link).discover().type == OFFER
            kea.wait_log(f"cannot start {script}: it is below {directory}, which may be written by everybody")


# The way to a socket

@contextmanager
def listening(directory, user):
    path = directory / "socket"
    command = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", sys.executable, PROGRAM,
               directory / "diary", path]
    with subprocess.Popen(command) as other:
        try:
            wait_until(path.exists, "the socket")
            yield path
        finally:
            other.kill()


@OTHER_USERS
@pytest.mark.parametrize("where", ["its directory", "one above"])
def test_a_socket_that_everybody_could_replace_is_refused(link, tmp_path, where):
    """The listener is whom the library obeys, today."""
    directory = tmp_path / "above" / "run"
    directory.mkdir(parents=True)
    os.chown(directory, NOBODY, NOBODY)
    for parent in (tmp_path, tmp_path.parent, directory.parent):
        parent.chmod(0o755)
    opened = directory if where == "its directory" else directory.parent
    with listening(directory, NOBODY) as path:
        opened.chmod(0o777)
        entry = hook(socket=str(path), hook_points=POINT)
        line = refusal(tmp_path / "kea", entry)
        assert f'parameter "socket": "{path}": is below {opened}, which may be written by everybody (mode 777)' in line
        opened.chmod(0o755)
        with Kea(4, SUBNET4, tmp_path / "kea", [entry]) as kea:
            assert stranger(link).discover().type == OFFER
            assert not kea.said("OTHERS_TRUSTED"), "the listener may own the directory"


# What env may say

ENV = [("LD_PRELOAD", "/tmp/hush"), ("LD_AUDIT", "hush"), ("BASH_ENV", "hush"), ("ENV", "hush"), ("BASH_FUNC_x%%", "hush"),
       ("PYTHONPATH", "hush"), ("PERL5OPT", "hush"), ("NODE_OPTIONS", "hush"), ("GLIBC_TUNABLES", "hush"), ("BROWSER", "hush"),
       ("PATH", "/usr/bin:hush"), ("PATH", "/usr/bin:"), ("PATH", ":/usr/bin")]


@since(3, 0)
@pytest.mark.parametrize("name, value", ENV, ids=[f"{name}={value}" for name, value in ENV])
def test_env_steers_nothing_where_kea_allows_one_directory(link, tmp_path, recorder, name, value):
    line = refusal(tmp_path, hook(recorder.script, env={name: value}), strict=True,
                   environment={"KEA_HOOK_SCRIPTS_PATH": str(tmp_path)})
    assert f'parameter "env.{name}": ' in line and "hush" not in line


@since(3, 0)
def test_each_entry_of_path_there_is_trusted_as_a_programs_directory(link, tmp_path, place):
    environment = {"KEA_HOOK_SCRIPTS_PATH": str(place.script.parent)}
    mine = tmp_path / "mine"
    mine.mkdir()
    entry = hook(place.script, hook_points=POINT, env={"PATH": f"/usr/bin:{mine}"})
    mine.chmod(0o775)
    line = refusal(tmp_path, entry, strict=True, environment=environment)
    assert f'parameter "env.PATH": {mine}: may be written by a group (mode 775' in line
    mine.chmod(0o755)
    with Kea(4, SUBNET4, tmp_path, [entry], strict=True, environment=environment):
        served(link, place)


@pytest.mark.skipif(version() >= (3, 0), reason="Kea 3 allows one directory only")
def test_elsewhere_env_may_hold_anything(link, tmp_path, recorder):
    env = {"LD_LIBRARY_PATH": "/nowhere", "PYTHONPATH": "x", "PATH": ":."}
    with Kea(4, SUBNET4, tmp_path, [hook(recorder.script, hook_points=POINT, env=env)]):
        served(link, recorder)
        assert env.items() <= recorder.calls()[0].env.items()


# Secrets

SECRETS = [
    {"script": "SCRIPT", "env": {"PASSWORD": "hush", "NUMBER": 1}},
    {"script": "SCRIPT", "env": {"PASSWORD=hush": "x"}},
    {"script": "SCRIPT", "env": ["PASSWORD=hush"]},
    {"script": "SCRIPT", "evn": {"PASSWORD": "hush"}},
    {"script": "SCRIPT", "PASSWORD": "hush"},
    {"script": "SCRIPT", "args": ["--password=hush", 1]},
    {"socket": "/run/socket", "env": {"PASSWORD": "hush"}},
    {"scripts": [{"script": "SCRIPT"}], "env": {"PASSWORD": "hush"}},
    {"scripts": {"script": "SCRIPT", "env": {"PASSWORD": "hush"}}},
    {"scripts": [[{"script": "SCRIPT", "env": {"PASSWORD": "hush"}}]]},
]


@pytest.mark.parametrize("parameters", SECRETS, ids=lambda parameters: json.dumps(parameters)[:60])
def test_a_refusal_tells_no_secret(link, tmp_path, recorder, parameters):
    parameters = json.loads(json.dumps(parameters).replace("SCRIPT", str(recorder.script)))
    line = refusal(tmp_path, {**hook(), "parameters": parameters})
    assert "hush" not in line and ("env" in line or "args" in line or "PASSWORD" in line or "evn" in line)


# What the runner takes from a line

@contextmanager
def lane(script):
    """A lane of a runner, without a library: whoever has its socket may write what he likes."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    subprocess.run([RUNNER, "run", "--", script], stdin=theirs, env={"KEPT": "1"}, check=True)
    theirs.close()
    end, its_end = socket.socketpair()
    with ours, end:
        socket.send_fds(ours, [b'{"lane":0}'], [its_end.fileno()])
        its_end.close()
        lines = end.makefile("rw")
        lines.write('{"hello":1}\n')
        lines.flush()
        assert json.loads(lines.readline())["hello"] == 1

        def tell(hook_point, variables):
            event = {"seq": 1, "hook": hook_point, "wait": True, "time": 0, "timeout": 10000, "keys": [], "vars": variables}
            lines.write(json.dumps(event) + "\n")
            lines.flush()
            return json.loads(lines.readline())
        yield tell


def test_a_line_cannot_add_to_the_environment(recorder):
    hostile = {"LD_PRELOAD": "/tmp/evil.so", "LD_AUDIT": "x", "PATH": "/tmp", "BASH_ENV": "/tmp/x", "ENV": "/tmp/x", "KEPT": "2",
               "KEA_RUNSCRIPT": "/tmp/evil", "KEA_QUERY4_OPTION_65536": "0x", "KEA_LEASES4_AT4294967296_ADDRESS": "x",
               "kea_version": "x", "KEA_VERSION\u0000": "x", "KEA_ＶＥＲＳＩＯＮ": "x", "-c": "x", "": "x"}
    own = {"KEA_HOOK_POINT": "pkt4_receive", "KEA_VERSION": "1", "KEA_QUERY4_OPTION_43_SUB_1": "0x01"}
    with lane(recorder.script) as tell:
        answer = tell("pkt4_receive", {**hostile, **own})
        [call] = recorder.wait(1)
        assert call.env == {"KEPT": "1", **own} and call.args == ["pkt4_receive"]
        assert answer["next"] == "continue"
        texts = [line["text"] for line in answer["log"]]
        assert len(texts) == len(hostile) and 'variable "LD_PRELOAD" left out: no variable has this name' in texts


@pytest.mark.parametrize("hook_point", ["-c", "", "/etc/passwd", "pkt4_receive\0x", "PKT4_RECEIVE", "pkt4_send"])
def test_a_line_cannot_choose_the_first_argument(recorder, hook_point):
    with lane(recorder.script) as tell:
        answer = tell(hook_point, {"KEA_HOOK_POINT": "pkt4_receive" if hook_point == "pkt4_send" else hook_point})
        assert answer["failure"]["kind"] == "start" and answer["failure"]["text"].startswith("not started: ")
        assert tell("pkt4_receive", {"KEA_HOOK_POINT": "pkt4_receive"})["next"] == "continue"
        assert [call.args for call in recorder.calls()] == [["pkt4_receive"]]
