"""kea-omapi on a booted system: its service, and what Kea's control socket takes on each release."""

import hmac
import json
import socket
import struct
import subprocess
from pathlib import Path

import pytest

from booted import machine
from booted.machine import FILES, LIBRARY, fails, score, sh, start, wait_until
from rig.kea import version

SERVICE = "kea-omapi"
DROP_IN = Path("/etc/systemd/system/kea-dhcp4-server.service.d/control-socket.conf")
KEYS = Path("/etc/kea-omapi/keys")
KEA = Path("/etc/kea/kea-dhcp4.conf")
SECRET = b"secret of 16 byt"
OPEN, UPDATE, STATUS = 1, 3, 5


def pairs(attributes):
    texts = [struct.pack("!H", len(name)) + name + struct.pack("!I", len(value)) + value for name, value in attributes.items()]
    return b"".join(texts) + b"\0\0"


class Client:
    """Speaks OMAPI with a key, hmac-md5."""

    def __init__(self):
        self.stream = socket.create_connection(("127.0.0.1", 7911), 20)
        self.authid = 0
        self.stream.sendall(struct.pack("!II", 100, 24))
        assert self.read(8) == struct.pack("!II", 100, 24)
        self.authid = self.ask("authenticator", name=b"k", algorithm=b"hmac-md5.SIG-ALG.REG.INT.")[1]

    def read(self, count):
        data = self.stream.recv(count, socket.MSG_WAITALL)
        assert len(data) == count
        return data

    def ask(self, kind, **attributes):
        """Opens an object. The answer's operation, its handle and its attributes."""
        named = {name.replace("_", "-").encode(): value for name, value in attributes.items()}
        signed = struct.pack("!IIIII", 16 if self.authid else 0, OPEN, 0, 1, 0) + pairs({b"type": kind.encode()}) + pairs(named)
        signature = hmac.digest(SECRET, signed, "md5") if self.authid else b""
        self.stream.sendall(struct.pack("!I", self.authid) + signed + signature)
        _, signed_bytes, operation, handle, _, _ = struct.unpack("!IIIIII", self.read(24))
        found = {}
        for _ in "message", "object":
            while length := int.from_bytes(self.read(2), "big"):
                name = self.read(length).decode()
                found[name] = self.read(int.from_bytes(self.read(4), "big"))
        self.read(signed_bytes)
        return operation, handle, found


def lease():
    """What a client is told of an address that is free."""
    operation, _, found = Client().ask("lease", ip_address=socket.inet_aton("192.0.2.10"))
    return found["state"] if operation == UPDATE else found["message"].decode()


def is_served():
    """Whether there is room for one more client."""
    with socket.create_connection(("127.0.0.1", 7911), 20) as stream:
        return stream.recv(8) != b""


FREE = struct.pack("!I", 1)
AWAY = "Kea does not answer"


@pytest.fixture(scope="module")
def link():
    with machine.wire() as link:
        yield link


def listening():
    """Waits until it serves."""
    wait_until(lambda: "listening on" in machine.log(SERVICE), lambda: f"kea-omapi ({machine.log(SERVICE)})")


def test_it_is_installed_and_not_started():
    sh(f"apt-get install -q -y --no-install-recommends {next(FILES.glob('build/kea-omapi_*.deb'))}")
    assert fails(f"systemctl is-enabled {SERVICE}") and fails(f"systemctl is-active {SERVICE}")


def test_without_keys_it_does_not_start():
    done = subprocess.run(["systemctl", "start", SERVICE], text=True, capture_output=True)
    assert "Assertion failed" in done.stderr, done.stderr


def test_what_the_control_socket_takes(link):
    KEYS.touch(mode=0o600)
    KEYS.write_text("key k { algorithm hmac-md5; secret c2VjcmV0IG9mIDE2IGJ5dA==; };\n")
    machine.configure(4)
    config = json.loads(KEA.read_text())
    config["Dhcp4"]["hooks-libraries"] = [{"library": str(LIBRARY.with_name("libdhcp_lease_cmds.so"))}]
    KEA.write_text(json.dumps(config))
    start(4)
    sh(f"systemctl enable --now {SERVICE}")
    listening()
    if version() < (3,):
        assert lease() == AWAY and "Permission denied" in machine.log(SERVICE)
        sh(f"install -D -m 644 /usr/share/doc/kea-omapi/examples/control-socket.conf {DROP_IN}; systemctl daemon-reload")
        start(4)
    assert lease() == FREE


def test_kea_and_the_service_may_die(link):
    sh("systemctl kill -s KILL kea-dhcp4-server")
    wait_until(lambda: lease() == AWAY, "the end of Kea")
    start(4)
    assert lease() == FREE
    sh(f"systemctl kill -s KILL {SERVICE}")
    wait_until(lambda: fails(f"systemctl is-active {SERVICE}"), "its end")
    wait_until(lambda: not fails(f"systemctl is-active {SERVICE}"), "its next start")
    listening()
    assert lease() == FREE


def test_its_sandbox_holds_all_its_clients():
    assert score(f"{SERVICE}.service") <= 1.5
    strangers = [socket.create_connection(("127.0.0.1", 7911), 20) for _ in range(300)]
    wait_until(lambda: "there are 256 clients" in machine.log(SERVICE), "the first client's end")
    for stranger in strangers:
        stranger.close()
    wait_until(is_served, "room for a client")
    assert lease() == FREE
    assert sh(f"systemctl show -P NRestarts {SERVICE}").strip() == "1"


def test_a_new_version_is_started_and_a_purge_leaves_nothing():
    before = sh(f"systemctl show -P MainPID {SERVICE}")
    sh(f"apt-get install -q -y --reinstall {next(FILES.glob('build/kea-omapi_*.deb'))}")
    assert sh(f"systemctl show -P MainPID {SERVICE}") not in (before, "0\n")
    listening()
    sh("apt-get purge -q -y kea-omapi")
    left = sh("find /etc /var/lib /run/kea-omapi -name '*kea-omapi*' -not -path '/var/lib/dpkg/*' 2>/dev/null || true")
    assert left == "" and fails(f"pgrep {SERVICE}")
    # That is an administrator's.
    DROP_IN.unlink(missing_ok=True)
    sh("systemctl daemon-reload")
