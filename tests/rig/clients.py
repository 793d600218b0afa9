"""Real clients, run in the namespace of the link's clients."""

import re
import shlex
import signal
import subprocess
from pathlib import Path

from .recorder import Recorder
from .wait import wait_until

# What a dhclient-script does of what Kea could notice: the interface has the address. The recorder notes the rest.
CONFIGURE = """\
case $reason in
    BOUND|RENEW|REBIND|REBOOT) /sbin/ip addr replace "$new_ip_address/24" dev "$interface" ;;
    BOUND6|RENEW6|REBIND6) [ -z "$new_ip6_address" ] ||
        /sbin/ip addr replace "$new_ip6_address/$new_ip6_prefixlen" dev "$interface" nodad ;;
esac
exit 0"""


class Dhclient:
    """ISC's dhclient, in the foreground, until `stop`: for one address, or with `prefix` for a delegated prefix."""

    def __init__(self, link, family, directory, prefix=False):
        self.directory = Path(directory) / f"dhclient{family}"
        self.directory.mkdir()
        self.script = Recorder(self.directory, then=CONFIGURE, name="script")
        (self.directory / "conf").write_text("timeout 20;\nretry 1;\ninitial-interval 1;\n")
        self.argv = link.command("dhclient", f"-{family}", *(["-P"] if prefix else []), "-v",
                                 "-cf", self.directory / "conf", "-lf", self.directory / "leases",
                                 "-pf", self.directory / "pid", "-sf", self.script.script)
        self.link = link
        self.process = None

    def __enter__(self):
        self.process = subprocess.Popen([*self.argv, "-d", self.link.client], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=open(self.directory / "log", "wb"))
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=20)

    def wait(self, reason, timeout=20):
        """The variables that dhclient gave its script for this reason (BOUND, RENEW, BOUND6...)."""
        def seen():
            return next((call.env for call in self.script.calls() if call.get("reason") == reason), None)
        return wait_until(seen, lambda: f"{reason} in dhclient's script:\n{(self.directory / 'log').read_text()}",
                          timeout)

    def release(self):
        """Gives the lease back, and ends."""
        subprocess.run([*self.argv, "-r", self.link.client], check=True, timeout=20, capture_output=True)
        self.process.wait(timeout=20)


def perfdhcp(link, family, *arguments, timeout=120):
    """Runs perfdhcp with these arguments, e.g. "-r", 100, "-n", 1000.

    Returns its counts by exchange, e.g. ["REQUEST-ACK"]["received"]; it may end with the last exchange half done.
    """
    argv = link.command("perfdhcp", f"-{family}", "-l", link.client, *arguments)
    # perfdhcp's code tells of lost packets too (3), which is for the test to judge.
    done = subprocess.run(argv, capture_output=True, text=True, timeout=timeout)
    sections = re.findall(r"\*\*\*Statistics for: ([\w-]+)\*\*\*\n(.*?)\n\n", done.stdout, re.S)
    assert done.returncode in (0, 3) and sections, f"{shlex.join(argv)}\n{done.stdout}{done.stderr}"
    return {exchange: {name: int(value) for name, value in re.findall(r"^([\w ]+?)(?: packets)?: (\d+)$", body, re.M)}
            for exchange, body in sections}
