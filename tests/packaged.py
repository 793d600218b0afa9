"""The installed Debian package: its example, as it is, and Kea as Debian's unit starts it. tests/deb runs this."""

import shutil
import subprocess
from pathlib import Path

import pytest

from rig.dhcp4 import Client4
from rig.kea import Kea, binary
from rig.net import Link
from rig.wait import wait_until

EXAMPLE = Path("/usr/share/doc/kea-hook-runscript/examples/debug/kea-dhcp4.conf")
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


@pytest.fixture(autouse=True)
def directories():
    """Empty ones, as systemd makes them, which end with the test's namespace."""
    for place in "/var/lib", "/var/log":
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", place], check=True)
    for directory in DIRECTORIES.values():
        Path(directory).mkdir(0o750, parents=True)
        shutil.chown(directory, "_kea", "_kea")


def test_the_packaged_example_serves_a_client_and_calls_its_script(tmp_path):
    calls = Path("/var/log/kea/debug.log")
    with Link(server="eth0") as link, UnitsKea(4, EXAMPLE, tmp_path) as kea:
        address = Client4(link).dora().yiaddr
        wait_until(lambda: calls.exists() and f"KEA_LEASE4_ADDRESS={address}\n" in calls.read_text(), f"{address} in {calls}")
        kea.wait_log("RUNSCRIPT_OUTPUT .*/kea-hook-runscript-debug.sh at pkt4_send: the variables are in /var/log/kea/debug.log")
    assert calls.owner() == "_kea"
