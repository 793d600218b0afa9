"""A mistake in the parameters refuses the load with one line that says what helps; whatever is right works."""

import json
import re
import shutil

import pytest

from rig.configs import SUBNET4, SUBNET6, SUBNETS
from rig.dhcp4 import ACK, stranger
from rig.dhcp6 import Client6
from rig.kea import TOOLS, Kea, hook
from rig.processes import runners
from rig.recorder import Recorder, write_script
from rig.wait import wait_until

NAMES4 = "pkt4_receive, subnet4_select, host4_identifier"

# One of each kind of mistake; src/config/tests/refused.rs has the others of those that can be told without a look at files.
# Parameters ("SCRIPT" is one that could be run, "DIR" its directory), and what the refusal says: key, value, remedy.
REFUSED = [
    (None, '"script"', "missing", "give the absolute path"),
    ({"script": "SCRIPT", "scirpt": "x"}, '"scirpt"', "", "is unknown; the parameters are: script, wait, "),
    ({"script": 5}, '"script"', "5", "give a string"),
    ({"script": "my/script.sh"}, '"script"', '"my/script.sh"', "give an absolute path"),
    ({"script": "SCRIPT", "name": "SCRIPT"}, '"name"', '"SCRIPT"', 'another name of "script": give one'),
    ({"script": "SCRIPT", "hook-points": ["pkt4_recieve"]}, '"hook-points[0]"', '"pkt4_recieve"', NAMES4),
    ({"script": "SCRIPT", "hook-points": [{"name": "pkt4_send", "timeout": 0}]}, '"hook-points[0].timeout"', "0",
     "from 1 to 3600000"),
    ({"script": "SCRIPT", "env": {"A": 1}}, '"env.A"', "", "give a string"),
    ({"script": "SCRIPT", "timeout": 1.5}, '"timeout"', "1.5", "milliseconds from 1 to 3600000"),
    ({"script": "SCRIPT", "answers": True, "wait": False}, '"answers"', "true", 'waits nowhere for an answer: set "wait"'),
    ({"scripts": [{"script": "SCRIPT"}], "wait": True}, '"wait"', "true", "stands inside one of its maps"),
    ({"scripts": [{"script": "SCRIPT"}, {"script": "SCRIPT", "timeout": 0}]}, '"scripts[1].timeout"', "0", "from 1 to"),
    # What is there, and may be run.
    ({"script": "DIR/missing"}, '"script"', '"DIR/missing"', "create it, or mend the path"),
    ({"script": "DIR/plain"}, '"script"', '"DIR/plain"', "chmod a+rx"),
    ({"script": "DIR"}, '"script"', '"DIR"', "is a directory; name a program"),
    ({"script": "/dev/null"}, '"script"', '"/dev/null"', "is not a file; name a program"),
    ({"scripts": [{"script": "SCRIPT"}, {"script": "DIR/missing"}]}, '"script', '"DIR/missing"', "create it"),
    ({"script": "SCRIPT", "spool": "DIR/missing/spool"}, '"spool"', '"DIR/missing" does not exist', "make it, or name another"),
    ({"script": "SCRIPT", "runner": "DIR/missing"}, '"runner"', '"DIR/missing"', "mend the path"),
    ({"script": "SCRIPT", "runner": "DIR/plain"}, '"runner"', '"DIR/plain"', "must be executable"),
    ({"script": "SCRIPT", "runner": "SCRIPT"}, '"runner"', '"SCRIPT"', "is it a kea-runscript-runner of this version?"),
    # As in a configuration from when they were one program.
    ({"script": "SCRIPT", "runner": "DIR/kea-runscript"}, '"runner"', '"DIR/kea-runscript"', "kea-runscript-runner does: name that"),
    ({"script": "SCRIPT", "answers": True}, '"on-failure" is missing', '"drop" or "skip" if it guards', '"continue" if its'),
    ({"script": "DIR/missing", "mode": "daemon"}, '"script"', '"DIR/missing"', "create it"),
    ({"script": "SCRIPT", "mode": "daemon"}, "SCRIPT", "ended with exit status 0", "says no hello"),
    ({"socket": "/run/socket"}, '"socket"', '"/run/socket"', "start the handler, or mend the path"),
    ({"socket": "DIR/plain"}, '"socket"', '"DIR/plain"', "nobody listens there"),
    ({"socket": "/run/socket", "script": "SCRIPT"}, '"script"', '"SCRIPT"', "nothing is started"),
]


def filled_in(value, tmp_path):
    """The value with SCRIPT and DIR replaced."""
    text = json.dumps(value).replace("SCRIPT", str(tmp_path / "script")).replace("DIR", str(tmp_path))
    return json.loads(text)


@pytest.fixture
def script(tmp_path):
    (tmp_path / "plain").touch(0o644)
    shutil.copy(TOOLS, tmp_path)
    return write_script(tmp_path / "script", "#!/bin/sh\nexit 0\n")


@pytest.mark.parametrize("parameters, key, value, remedy", REFUSED, ids=lambda value: json.dumps(value)[:60])
def test_refused(link, tmp_path, script, parameters, key, value, remedy):
    library = {**hook(), "parameters": filled_in(parameters, tmp_path)}
    if parameters is None:
        del library["parameters"]
    kea = Kea(4, SUBNET4, tmp_path, [library])
    kea.expect_refusal()
    [line] = kea.said("LOAD_REFUSED")
    for part in (key, value, remedy):
        assert filled_in(part, tmp_path) in line
    assert not kea.said("LOADED")
    wait_until(lambda: not runners(), "the end of the runner")


def test_refused_for_kea_dhcp6_too(link, tmp_path, script):
    kea = Kea(6, SUBNET6, tmp_path, [hook(script, hook_points=["pkt4_send"])])
    kea.expect_refusal()
    [line] = kea.said("LOAD_REFUSED")
    assert 'parameter "hook-points[0]": "pkt4_send" is a hook point of kea-dhcp4, and this is kea-dhcp6' in line


def test_listed_twice(link, tmp_path, script):
    kea = Kea(4, SUBNET4, tmp_path, [hook(script), hook(script)])
    kea.expect_refusal()
    [line] = kea.said("LOAD_REFUSED")
    assert 'listed twice in hooks-libraries: list it once, with the parameter "scripts"' in line
    wait_until(lambda: not runners(), "the end of the runner")


@pytest.mark.parametrize("family, config", [(4, SUBNET4), (6, SUBNET6)])
def test_a_mere_check_of_the_configuration(link, tmp_path, script, family, config):
    kea = Kea(family, config, tmp_path, [hook(script)])
    assert kea.check() == 0
    kea.configure({f"subnet{family}": [{"subnet": "nonsense"}]}, [hook(script)])
    assert kea.check() != 0
    assert not re.search(r"RUNSCRIPT_|kea-runscript-runner:", kea.log())


@pytest.mark.parametrize("parameters", [
    {"sync": True}, {"timeout": 1}, {"timeout": 3600000}, {"queue-limit": 1, "concurrency": 1},
    {"concurrency": 256}, {"concurrency": 256, "queue-limit": 1000000, "answers": False, "wait": False},
    {"answers": True, "on-failure": "drop"}, {"answers": False, "mode": "exec", "replay": False, "coalesce": False, "dialect": "runscript"},
    {"hook-points": [{"name": "lease4_select"}]}], ids=str)
def test_bounds_and_defaults_are_taken(link, tmp_path, recorder, parameters):
    points = {"hook-points": ["lease4_select"]}
    library = {**hook(), "parameters": {"name": str(recorder.script), **points, **parameters}}
    with Kea(4, SUBNET4, tmp_path, [library]) as kea:
        assert stranger(link).dora().type == ACK
        if parameters != {"timeout": 1}:
            assert [call["KEA_FAKE_ALLOCATION"] for call in recorder.wait(2)] == ["1", "0"]
        [line] = kea.said("LOADED")
        assert re.fullmatch(rf"version [\d.]+ calls {recorder.script}, mode exec with \d+ lanes?: Kea .*waits? at lease4_select", line)


@pytest.mark.parametrize("name", ["two words", "größe 日本.sh", "it's \"$HOME\" `x` \\ %s"])
@pytest.mark.parametrize("family", [4, 6])
def test_odd_paths(link, tmp_path, family, name):
    recorder = Recorder(tmp_path)
    odd = recorder.script.rename(tmp_path / name)
    with Kea(family, SUBNETS[family], tmp_path, [hook(odd)]) as kea:
        assert stranger(link).dora().type == ACK if family == 4 else Client6(link).sarr().leases
        recorder.wait(6)
        assert name in kea.said("LOADED")[0]
        assert not kea.said("EVENT_FAILED")
