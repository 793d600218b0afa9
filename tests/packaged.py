"""The installed Debian packages: the example, as its README has it installed, Kea as Debian's unit starts it, and kea-omapi in front
of it. tests/deb runs this."""

import json
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from rig.dhcp4 import Client4
from rig.kea import Kea, binary, version
from rig.net import Link
from rig.omapi import Bridge, keys, omshell
from rig.wait import wait_until

EXAMPLE = Path("/usr/share/doc/kea-hook-runscript/examples/debug/kea-dhcp4.conf")
SCRIPTS = Path("/usr/share/kea/scripts")
DIRECTORIES = {"KEA_DHCP_DATA_DIR": "/var/lib/kea", "KEA_LOG_FILE_DIR": "/var/log/kea",
               "KEA_PIDFILE_DIR": "/run/kea", "KEA_LOCKFILE_DIR": "/run/lock/kea"}
CONTROL = "/run/kea/kea4-ctrl-socket"
CAPABILITIES = "+net_bind_service,+net_raw"
AS_KEA = ["setpriv", "--reuid=_kea", "--regid=_kea", "--init-groups",
          f"--inh-caps={CAPABILITIES}", f"--ambient-caps={CAPABILITIES}"]


class UnitsKea(Kea):
    """A server with Debian's user, directories and capabilities, and a configuration that is taken as it is."""

    program = staticmethod(binary)

    def __init__(self, family, config_file, directory):
        super().__init__(family, {}, directory, environment=DIRECTORIES, wrapper=AS_KEA, strict=True)
        self.config_file = config_file


@pytest.fixture
def script():
    """Installed, until the test's namespace ends."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", SCRIPTS], check=True)
    subprocess.run(["install", "-m", "755", "-D", "-t", SCRIPTS, EXAMPLE.with_name("debug.sh")], check=True)


@pytest.fixture
def directories():
    """Empty ones, as systemd makes them, which end with the test's namespace. They hide what dpkg knows."""
    for place in "/var/lib", "/var/log":
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", place], check=True)
    for directory in DIRECTORIES.values():
        Path(directory).mkdir(0o750, parents=True, exist_ok=True)
        shutil.chown(directory, "_kea", "_kea")


def test_the_package_brings_no_program_that_kea_may_run():
    files = subprocess.run(["dpkg", "-L", "kea-hook-runscript"], check=True, capture_output=True, text=True).stdout
    assert str(EXAMPLE) in files and str(SCRIPTS) not in files


def test_the_packaged_example_serves_a_client_and_calls_its_script(tmp_path, script, directories):
    calls = Path("/var/log/kea/debug.log")
    with Link(server="eth0") as link, UnitsKea(4, EXAMPLE, tmp_path) as kea:
        address = Client4(link).dora().yiaddr
        wait_until(lambda: calls.exists() and f"KEA_LEASE4_ADDRESS={address}\n" in calls.read_text(), f"{address} in {calls}")
        kea.wait_log("RUNSCRIPT_OUTPUT .*/debug.sh at pkt4_send: the variables are in /var/log/kea/debug.log")
    assert calls.owner() == "_kea"


def test_the_packaged_reservation_commands(tmp_path, directories):
    [library] = map(str, Path("/usr/lib").glob("*/kea/hooks/kea-hook-reservations.so"))
    config = Path("/var/lib/kea/kea-dhcp4.conf")
    config.write_text(json.dumps({"Dhcp4": {"interfaces-config": {"interfaces": []}, "hooks-libraries": [{"library": library}]}}))
    kea = UnitsKea(4, config, tmp_path)
    if version() >= (3,):
        assert "libdhcp_host_cmds.so" in kea.expect_refusal()
    else:
        with kea:
            kea.wait_log("RESERVATIONS_LOADED")


class Installed(Bridge):
    """kea-omapi, of the package, in front of a Kea that has its control socket where Debian has it."""

    def __init__(self, directory, **options):
        directory.mkdir()
        super().__init__(directory, control=CONTROL, **options)
        self.command[0] = "/usr/sbin/kea-omapi"


@pytest.fixture
def served(tmp_path, directories):
    """A Kea with what kea-omapi needs, as the packages have it."""
    hooks = next(Path("/usr/lib").glob("*/kea/hooks"))
    libraries = ["libdhcp_lease_cmds.so", "libdhcp_host_cmds.so" if version() >= (3,) else "kea-hook-reservations.so"]
    config = Path("/var/lib/kea/kea-dhcp4.conf")
    config.write_text(json.dumps({"Dhcp4": {
        "interfaces-config": {"interfaces": []}, "control-socket": {"socket-type": "unix", "socket-name": CONTROL},
        "hooks-libraries": [{"library": str(hooks / library)} for library in libraries],
        "subnet4": [{"id": 1, "subnet": "192.0.2.0/24", "pools": [{"pool": "192.0.2.100 - 192.0.2.120"}]}]}}))
    kea = UnitsKea(4, config, tmp_path)
    kea.environment = {**kea.environment, "KEA_CONTROL_SOCKET_DIR": "/run/kea"}
    kea.socket = CONTROL
    with kea:
        yield kea


def test_the_packaged_omapi_makes_a_host(served, tmp_path):
    """By the bytes of pypureomapi's add_host."""
    with Installed(tmp_path / "omapi", key="") as bridge, socket.create_connection(("127.0.0.1", bridge.port), 20) as server:
        for name in "nokey-01-connect", "nokey-04-add-host":
            frames = json.loads((Path(__file__).with_name("omapi") / f"{name}.json").read_text())["frames"]
            server.sendall(bytes.fromhex("".join(frame["hex"] for frame in frames if frame["dir"] == "c2s")))
        # The last attribute of the answer.
        answer = b""
        while not answer.endswith(b"\0\0\0\4\0\0\0\1\0\0"):
            chunk = server.recv(65536)
            assert chunk, answer
            answer += chunk
    host = served.command("reservation-get", {"subnet-id": 1, "ip-address": "192.0.2.210"})["arguments"]
    assert host["hw-address"] == "02:00:00:00:0b:01"


@pytest.mark.skipif(not shutil.which("omshell"), reason="omshell is not packaged here any more")
def test_omshell_finds_a_free_address(served, tmp_path):
    with Installed(tmp_path / "omapi", key=keys("hmac-sha256")) as bridge:
        said = omshell(bridge.port, "hmac-sha256", "new lease", "set ip-address = 192.0.2.100", "open")
    assert "state = 00:00:00:01" in said, said
