"""Real clients, run in the namespace of the link's clients."""

import re
import shlex
import signal
import subprocess
from pathlib import Path

from .recorder import Recorder
from .wait import wait_until

# Identity and leases stay in the client's own directory. dhcpcd finds no user to run as, and then stays who it is:
# an ordinary user's namespace has but one user.
START = """\
mount --bind "$1" /var/lib/dhcpcd
mount --bind /dev/null /etc/passwd
shift
exec /usr/sbin/dhcpcd "$@"
"""

# It asks at once, and waits for nobody but the server: no neighbour, no router, no device manager.
CONFIG = """\
script {script}
ipv{family}only
duid ll
nodelay
noarp
noipv6rs
nodev
interface {interface}
{wish}
"""

# How it tells its script what it was given, for each wish.
GIVEN = {"dhcp": "{new_ip_address}",
         "ia_na": "{new_dhcp6_ia_na1_ia_addr1}",
         "ia_pd": "{new_dhcp6_ia_pd1_prefix1}/{new_dhcp6_ia_pd1_prefix1_length}"}


class Dhcpcd:
    """dhcpcd, in the foreground: for one address, or with `prefix` for a delegated prefix.

    It ends without a word to the server, unless by `release`; entered again, it remembers its lease.
    """

    def __init__(self, link, family, directory, prefix=False):
        self.directory = Path(directory) / f"dhcpcd{family}"
        state, conf = self.directory / "state", self.directory / "conf"
        state.mkdir(parents=True)
        self.script = Recorder(self.directory, name="script")
        wish = "dhcp" if family == 4 else "ia_pd" if prefix else "ia_na"
        self.given = GIVEN[wish]
        conf.write_text(CONFIG.format(script=self.script.script, family=family, interface=link.client, wish=wish))
        self.argv = link.command("unshare", "--mount", "sh", "-euc", START, "sh", state,
                                 "--nobackground", "--debug", "--config", conf, link.client)
        self.process = None

    def __enter__(self):
        self.process = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=open(self.directory / "log", "ab"))
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=20)

    def wait(self, reason, given=None, timeout=20):
        """Waits until dhcpcd calls its script for this reason (BOUND, RENEW, BOUND6...), and was `given` this.

        Returns the address or prefix that it was given.
        """
        def seen():
            told = (self.given.format_map(call.env) for call in self.script.calls() if call.get("reason") == reason)
            return next((lease for lease in told if given in (None, lease)), None)

        def what():
            return f"{reason} {given or ''} in dhcpcd's script:\n{(self.directory / 'log').read_text()}"
        return wait_until(seen, what, timeout)

    def release(self):
        """Gives the lease back, and ends."""
        self.process.send_signal(signal.SIGALRM)
        self.process.wait(timeout=20)


class Dhclient:
    """ISC's dhclient, in the foreground, for a delegated prefix. Entered again, it has the same DUID."""

    def __init__(self, link, directory):
        self.directory = Path(directory) / "dhclient"
        self.directory.mkdir()
        self.script = Recorder(self.directory, name="script")
        self.argv = link.command("dhclient", "-6", "-P", "-d", "-cf", "/dev/null", "-lf", self.directory / "leases",
                                 "-pf", self.directory / "pid", "-sf", self.script.script)
        self.interface = link.client
        self.process = None

    def __enter__(self):
        self.process = subprocess.Popen([*self.argv, self.interface], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=open(self.directory / "log", "ab"))
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def wait(self, reason, timeout=20):
        """Waits until dhclient calls its script for this reason (BOUND6, RENEW6...); returns the prefix."""
        def seen():
            return next((call.get("new_ip6_prefix") for call in self.script.calls() if call.get("reason") == reason), None)
        return wait_until(seen, lambda: f"{reason} in dhclient's script:\n{(self.directory / 'log').read_text()}", timeout)

    def release(self):
        """Gives the prefix back, and ends."""
        self.process.kill()
        self.process.wait()
        subprocess.run([*self.argv, "-r", self.interface], check=True, capture_output=True, timeout=20)


def perfdhcp(link, family, *arguments, timeout=120):
    """Runs perfdhcp with these arguments, e.g. "-r", 100, "-n", 1000.

    Returns its counts by exchange, e.g. ["REQUEST-ACK"]["received"], and delays in ms, e.g. ["REQUEST-ACK"]["avg delay"];
    it may end with the last exchange half done.
    """
    argv = link.command("perfdhcp", f"-{family}", "-l", link.client, *arguments)
    # perfdhcp's code tells of lost packets too (3), which is for the test to judge.
    done = subprocess.run(argv, capture_output=True, text=True, timeout=timeout)
    sections = re.findall(r"\*\*\*Statistics for: ([\w-]+)\*\*\*\n(.*?)(?=\*\*\*|\Z)", done.stdout, re.S)
    assert done.returncode in (0, 3) and sections, f"{shlex.join(argv)}\n{done.stdout}{done.stderr}"
    numbers = r"^([\w ]+?)(?: packets)?: ([\d.]+)(?: ms)?$"
    return {exchange: {name: float(value) if "." in value else int(value)
                       for name, value in re.findall(numbers, body, re.M)} for exchange, body in sections}
