"""The installed Debian package: its example, as its README has it installed, and Kea as Debian's unit starts it. tests/deb runs this."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from rig.dhcp4 import Client4
from rig.kea import Kea, binary, version
from rig.net import Link
from rig.wait import wait_until

EXAMPLE = Path("/usr/share/doc/kea-hook-runscript/examples/debug/kea-dhcp4.conf")
SCRIPTS = Path("/usr/share/kea/scripts")
DIRECTORIES = {"KEA_DHCP_DATA_DIR": "/var/lib/kea", "KEA_LOG_FILE_DIR": "/var/log/kea",
               "KEA_PIDFILE_DIR": "/run/kea", "KEA_LOCKFILE_DIR": "/run/lock/kea"}
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
