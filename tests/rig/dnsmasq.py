"""A real dnsmasq on the server's side of the wire, in Kea's place."""

import shutil
import subprocess

from .wait import wait_until


class Dnsmasq:
    def __init__(self, directory, script, *options):
        self.command = [shutil.which("dnsmasq", path="/usr/sbin:/usr/bin"), "--keep-in-foreground", "--no-daemon", "--port=0",
                        "--conf-file=/dev/null", "--user=root", "--interface=vs", "--log-dhcp", f"--dhcp-script={script}",
                        f"--dhcp-leasefile={directory}/dnsmasq.leases", "--script-on-renewal", *options]
        self.log_file = directory / "dnsmasq.log"

    def __enter__(self):
        with open(self.log_file, "wb") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        wait_until(lambda: "DHCP" in self.log_file.read_text(), lambda: f"dnsmasq ({self.log_file.read_text()})")
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
