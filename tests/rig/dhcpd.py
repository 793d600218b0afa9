"""A real dhcpd, at the clients' link."""

import shutil
import subprocess
from pathlib import Path

from .wait import wait_until


class Dhcpd:
    def __init__(self, directory, config):
        self.directory, self.log_file = Path(directory), Path(directory) / "dhcpd.log"
        (self.directory / "dhcpd.conf").write_text(config + "ping-check false;\n")
        (self.directory / "dhcpd.leases").touch()

    def __enter__(self):
        # AppArmor's profile is of the path that Debian installs.
        command = [shutil.copy("/usr/sbin/dhcpd", "/run"), "-4", "-f", "-d", "vs"]
        for option, name in {"-cf": "dhcpd.conf", "-lf": "dhcpd.leases", "-pf": "dhcpd.pid"}.items():
            command += [option, self.directory / name]
        with open(self.log_file, "wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        wait_until(lambda: "Server starting service" in self.log_file.read_text(), lambda: f"dhcpd ({self.log_file.read_text()})")
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
