"""kea-omapi in front of a Kea, a real dhcpd beside it, and the clients of both: pypureomapi and omshell, as they are."""

import base64
import json
import os
import socket
import struct
import subprocess
import sys
from pathlib import Path

from .dhcp4 import Client4
from .dhcpd import Dhcpd
from .kea import REPOSITORY, Kea
from .others import together
from .reservations import IS_ISCS, ISCS, OURS
from .wait import wait_until

PROGRAM = Path(os.environ.get("OMAPI_UNDER_TEST", REPOSITORY / "build" / "kea-omapi")).absolute()
ALGORITHMS = ["hmac-md5", "hmac-sha1", "hmac-sha224", "hmac-sha256", "hmac-sha384", "hmac-sha512"]
NAME, SECRET = "defomapi", "+bFQtBCta6j2vWkjPkNFtgA=="
WRONG_SECRET = "AAAAAAAAAAAAAAAAAAAAAA=="
DHCPD_PORT = 7912
LEASED, LEASED_MAC = "192.0.2.100", "02:00:00:00:00:11"

# A wheel is an archive that Python can read from; tests/setup fetches it.
for wheel in sorted((REPOSITORY / "build" / "pypi").glob("pypureomapi-1.1-*.whl")):
    sys.path.insert(0, str(wheel))


def secret(algorithm):
    """A secret for each algorithm; that of hmac-md5 is pypureomapi's own example, which is longer than it should be."""
    return SECRET if algorithm == "hmac-md5" else base64.b64encode(b"k" * 32).decode()


def keys(algorithm="hmac-md5", name=NAME):
    return f"key {name} {{ algorithm {algorithm}; secret {secret(algorithm)}; }};\n"


class Served(Kea):
    """A Kea with what kea-omapi needs, and the hosts of the recorded dhcpd."""

    def __init__(self, directory, subnets=None, hosts=None, libraries=lambda hooks: [], **config):
        directory.mkdir(exist_ok=True)
        hooks = directory / "hooks"
        hooks = hooks if hooks.exists() else together(directory, OURS)
        reservation = {"hw-address": "02:00:00:00:0f:01", "ip-address": "192.0.2.201", "hostname": "conf1"}
        nogroup = {"hw-address": "02:00:00:00:0f:02", "user-context": {"omapi": {"name": "nogroup1"}},
                   "client-classes": ["any"]}
        subnet = {"id": 1, "subnet": "192.0.2.0/24", "pools": [{"pool": "192.0.2.100 - 192.0.2.120"}],
                  "reservations-global": True, "reservations": [reservation]}
        whole = {"subnet4": subnets or [subnet], "reservations": [nogroup], "valid-lifetime": 3600, **config}
        if hosts:
            whole["hosts-database"] = hosts
        everything = [*libraries(hooks), {"library": f"{hooks}/libdhcp_lease_cmds.so"},
                      {"library": f"{hooks}/{ISCS if IS_ISCS else OURS.name}"}]
        super().__init__(4, whole, directory, everything, environment={"KEA_HOOKS_PATH": str(hooks)})

    def hosts(self):
        """All reservations that it has."""
        found, at = [], {}
        while (page := self.command("reservation-get-page", {"limit": 500, **at}))["result"] == 0:
            found += page["arguments"]["hosts"]
            at = {key: page["arguments"]["next"][key] for key in ("from", "source-index")}
        return found

    def host(self, mac):
        [found] = [host for host in self.hosts() if host.get("hw-address") == mac]
        return found


class Bridge:
    """kea-omapi, until it is left. Its port is `port`, what it says `log()`."""

    def __init__(self, directory, *options, control=None, key=None, state=True, listen="127.0.0.1:0"):
        self.directory = directory
        key_file = directory / "keys"
        if key != "":
            key_file.touch(mode=0o600)
            key_file.write_text(key or keys())
        who = ["--no-key"] if key == "" else ["--keys", key_file]
        where = ["--state", directory / "state"] if state else []
        self.log_file = directory / "kea-omapi.log"
        self.command = [PROGRAM, "--listen", listen, "--control", control or directory / "control4", *who, *where, *options]
        self.process = None

    def start(self):
        already = len(self.log())
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen(list(map(str, self.command)), stdin=subprocess.DEVNULL, stdout=log, stderr=log)

        def listening():
            assert self.process.poll() is None, self.log()
            lines = [line for line in self.log()[already:].splitlines() if "listening on" in line]
            return lines and int(lines[0].rpartition(":")[2])
        self.port = wait_until(listening, lambda: f"kea-omapi ({self.log()})")
        return self

    def log(self):
        return self.log_file.read_text() if self.log_file.exists() else ""

    def kill(self):
        self.process.kill()
        self.process.wait()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        died = self.process.poll()
        self.kill()
        assert died is None, f"kea-omapi had ended by itself, with code {died}: {self.log()[-2000:]}"


def client(port, name=NAME, key=SECRET, timeout=5):
    """pypureomapi."""
    import pypureomapi
    return pypureomapi.Omapi("127.0.0.1", port, name and name.encode(), key and key.encode(), timeout=timeout)


def raw(port):
    """A connection on which both have said their startup."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=5)
    connection.sendall(number(100) + number(24))
    assert connection.recv(8) == number(100) + number(24)
    return connection


def omshell(port, algorithm, *lines, name=NAME, key=None):
    """What omshell prints."""
    first = ["server 127.0.0.1", f"port {port}", f"key-algorithm {algorithm}", f"key {name} {key or secret(algorithm)}", "connect"]
    done = subprocess.run(["omshell"], input="\n".join([*first, *lines]) + "\n", capture_output=True, text=True, timeout=20)
    return done.stdout + done.stderr


def recorded_dhcpd(directory, algorithm="hmac-md5"):
    """The recorded dhcpd, with OMAPI at a port of ours."""
    text = (REPOSITORY / "tests/omapi/dhcpd-md5.conf").read_text()
    start, end = text.index("key "), text.index("omapi-key")
    return Dhcpd(directory, (text[:start] + keys(algorithm) + text[end:]).replace("7911", str(DHCPD_PORT)))


def lease(link, mac=LEASED_MAC, hostname="client-eleven"):
    """The lease that the recorded conversations speak of."""
    ack = Client4(link, mac, hostname=hostname).dora(requested=LEASED)
    assert ack.yiaddr == LEASED
    return ack


def number(value):
    return struct.pack("!I", value)


def attributes(response):
    """An answer of pypureomapi's as a map, its operation and status among it."""
    found = {name.decode(): value for name, value in [*response.message, *response.obj]}
    if "result" in found:
        found["result"] = int.from_bytes(found["result"], "big")
    return {"operation": response.opcode, **found}


def state(bridge):
    """The groups that the bridge has on disk."""
    return json.loads((bridge.directory / "state/groups").read_text())
