"""The servers that are measured: Kea with one library or none, each in a network namespace of its own."""

import contextlib
import os
import re
import shutil
import signal
import time
from collections import Counter
from dataclasses import astuple, dataclass
from ipaddress import ip_address
from pathlib import Path

from rig import processes
from rig.kea import HOOK, Kea
from rig.net import CLONE_NEWNET, Link, ip, libc, setns
from rig.wait import wait_until

# Clients get leases of the first subnet; those that are there beforehand are of the second.
SUBNETS = {4: [{"id": 1, "subnet": "10.0.0.0/8", "pools": [{"pool": "10.128.0.0/9"}]},
               {"id": 2, "subnet": "172.16.0.0/12"}],
           6: [{"id": 1, "subnet": "2001:db8::/64", "interface": "vs", "pools": [{"pool": "2001:db8:0:0:8000::/65"}]},
               {"id": 2, "subnet": "2001:db8:0:1::/64"}]}
FIRST_LEASE = {4: "172.16.0.0", 6: "2001:db8:0:1::"}
LIFETIME = 10_000_000


@dataclass(frozen=True)
class Setting:
    """What all subjects of a comparison have in common."""

    family: int
    threads: bool
    leases: int

    def __str__(self):
        return f"DHCPv{self.family}, {'multi' if self.threads else 'single'}-threaded, {self.leases:,} leases"

    @property
    def config(self):
        return {f"subnet{self.family}": SUBNETS[self.family], "valid-lifetime": LIFETIME,
                "multi-threading": {"enable-multi-threading": self.threads}}


def write_leases(setting, directory):
    """A lease file as Kea leaves behind; its header is Kea's own, which each version has another of."""
    with namespace(), Link(), Kea(setting.family, setting.config, directory / "header") as kea:
        columns = wait_until(lambda: kea.lease_file.read_text(), "a lease file").strip().split(",")
    given = {"valid_lifetime": LIFETIME, "pref_lifetime": LIFETIME, "expire": int(time.time()) + LIFETIME,
             "subnet_id": 2, "prefix_len": 128, "lease_type": 0, "hostname": "", "user_context": "", "client_id": "",
             "address": "{address}", "hwaddr": "{mac}", "duid": "00:03:00:01:{mac}"}
    row = ",".join(str(given.get(column, 0)) for column in columns) + "\n"
    first = ip_address(FIRST_LEASE[setting.family])
    path = directory / "leases.csv"
    with open(path, "w") as file:
        file.write(",".join(columns) + "\n")
        for number in range(setting.leases):
            mac = f"02:00:ff:{number >> 16:02x}:{number >> 8 & 255:02x}:{number & 255:02x}"
            file.write(row.format(address=first + number, mac=mac))
    return path


@contextlib.contextmanager
def namespace():
    """This thread is in a new network namespace, which lasts as long as something is in it."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        assert libc.unshare(CLONE_NEWNET) == 0
        yield
    finally:
        setns(home)
        os.close(home)


@dataclass(frozen=True)
class Events:
    """What has become of events, of all or since a moment."""

    seconds: float
    events: int
    pending: int
    dropped: int

    @property
    def handled(self):
        return self.events - self.pending - self.dropped

    def until(self, later):
        return Events(*(now - then for now, then in zip(astuple(later), astuple(self))))


class Server:
    """Kea with this library (an entry of hooks-libraries, or None), on a wire of its own, with leases of before."""

    def __init__(self, setting, library, directory, leases):
        # From Kea 2.6 on, libraries may be in one directory only.
        where = {"KEA_HOOKS_PATH": str(Path(library["library"]).parent)} if library else {}
        self.family, self.directory = setting.family, Path(directory)
        self.ours = library is not None and Path(library["library"]) == HOOK
        with namespace():
            self.network = os.readlink("/proc/thread-self/ns/net")
            self.link = Link(server4="10.0.0.1/8", client4="10.0.0.2/8")
            self.kea = Kea(setting.family, setting.config, directory, [library] if library else [], environment=where,
                           patience=300)
            shutil.copy(leases, self.kea.lease_file)
            self.kea.launch()

    def refusal(self):
        """Waits until Kea serves; why it does not, if so."""
        try:
            self.kea.wait_log(rf"DHCP{self.family}_STARTED")
        except AssertionError:
            return re.findall(r"ERROR .*?\] (.*)", self.kea.log())[0]
        return None

    def close(self):
        runners = self.runners()
        if self.kea.alive():
            self.kea.stop()
        # It would go on with what it has not handled yet.
        for runner in filter(processes.alive, runners):
            os.kill(runner, signal.SIGKILL)
        ip(f"netns del {self.link.namespace}")
        shutil.rmtree(self.directory)

    def runners(self):
        """Our runner, if there is one: it is in Kea's namespace."""
        return [pid for pid in processes.runners() if os.readlink(f"/proc/{pid}/ns/net") == self.network]

    def complaints(self):
        """How often Kea has logged each warning and error since it has started to serve."""
        served = self.kea.log().partition(f"DHCP{self.family}_STARTED")[2]
        return dict(Counter(re.findall(r"(?:WARN|ERROR) +\[.*?\] (\w+)", served)))

    def events(self):
        """What has become of our library's events so far."""
        status = self.kea.status()
        return Events(time.monotonic(), status["events"], status["pending"], status["dropped"])

    def unread(self):
        """Bytes of packets that Kea has not read yet."""
        if self.family == 4:
            rows = Path(f"/proc/{self.kea.pid}/net/packet").read_text().splitlines()[1:]
            return sum(int(row.split()[6]) for row in rows)
        rows = Path(f"/proc/{self.kea.pid}/net/udp6").read_text().splitlines()[1:]
        return sum(int(row.split()[4].partition(":")[2], 16) for row in rows)

    def idle(self):
        """Whether all that came of the packets is done too: events are handled, scripts have ended."""
        if self.unread():
            return False
        return self.kea.status()["pending"] == 0 if self.ours else not processes.children(self.kea.pid)

    def memory(self):
        """Megabytes that Kea and, if it is ours, the runner hold: all, and what is no file's (heap and stacks)."""
        return {"Kea": memory(self.kea.pid), **{"the runner": memory(runner) for runner in self.runners()}}


def memory(pid):
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return {name: int(re.search(rf"^{field}:\s+(\d+)", lines, re.M)[1]) / 1024
            for name, field in (("VmRSS", "Rss"), ("anonymous", "Anonymous"))}
