"""kea-omapi against strangers, recorded changes, hostile frames and crowds; what it does not start with."""

import json
import shutil
import socket
import subprocess

import pytest

from rig.omapi import NAME, PROGRAM, SECRET, WRONG_SECRET, Bridge, Served, client, keys, number, omshell, raw

pypureomapi = pytest.importorskip("pypureomapi", reason="tests/setup fetches it")
MAC = "02:00:00:00:0a:01"


class Tap:
    """What pypureomapi writes from now on."""

    def __init__(self, omapi):
        self.written, self.omapi = [], omapi
        write = omapi.transport.write
        omapi.transport.write = lambda data: (self.written.append(data), write(data))

    def again(self, omapi=None, authid=None):
        """The last frame again, perhaps on another connection, whose key has another number; its status."""
        omapi, frame = omapi or self.omapi, self.written[-1]
        omapi.transport.write(frame if authid is None else number(authid) + frame[4:])
        return dict(omapi.receive_message().message)


def test_a_write_that_was_served_is_not_served_again(link, tmp_path):
    """Neither on its connection, nor on another, nor after a restart."""
    with Served(tmp_path) as kea, Bridge(tmp_path) as bridge:
        omapi = client(bridge.port)
        tap = Tap(omapi)
        omapi.add_host("192.0.2.210", MAC)
        omapi.del_host(MAC)
        added = tap.written[0]
        tap.written.append(added)
        assert tap.again()[b"message"] == b"this message was served before"
        other = client(bridge.port)
        assert tap.again(other, other.protocol.defauth)[b"message"] == b"this message was served before"
        bridge.kill()
        bridge.start()
        other = client(bridge.port)
        assert tap.again(other, other.protocol.defauth)[b"message"] == b"this message was served before"
        assert MAC not in json.dumps(kea.hosts())
        # The deletion speaks of a handle that nobody has there.
        tap.written = tap.written[2:3]
        assert b"message" in tap.again(other, other.protocol.defauth)
        assert "is not served again" in bridge.log()


@pytest.mark.skipif(not shutil.which("omshell"), reason="omshell is not packaged here any more")
def test_omshell_repeats_itself(link, tmp_path):
    """It counts its messages from the same number each time: the same commands are the same bytes, as if recorded."""
    host = ["new host", 'set name = "again"', "set hardware-address = 02:00:00:00:0c:02", "set hardware-type = 1", "create"]
    remove = ["new host", 'set name = "again"', "open", "remove"]
    for options, refused in (([], True), (["--allow-repeats"], False)):
        with Served(tmp_path), Bridge(tmp_path, *options, state=False) as bridge:
            assert "can't" not in omshell(bridge.port, "hmac-md5", *host) + omshell(bridge.port, "hmac-md5", *remove)
            said = omshell(bridge.port, "hmac-md5", *host)
            assert ("can't open object" in said) == refused, said
        assert "omshell repeats itself: --allow-repeats" in bridge.log()


def test_who_has_no_key_gets_nothing(link, tmp_path):
    with Served(tmp_path), Bridge(tmp_path) as bridge:
        with pytest.raises(pypureomapi.OmapiErrorNotFound):
            client(bridge.port, None, None).lookup_host("conf1")
        with pytest.raises(pypureomapi.OmapiError, match="wrong authenticator"):
            client(bridge.port, NAME, WRONG_SECRET).lookup_host("conf1")
        with pytest.raises(pypureomapi.OmapiError, match="non-update"):
            client(bridge.port, "other", SECRET)
        omapi = client(bridge.port)
        message = pypureomapi.OmapiMessage.open(b"host")
        message.obj.append((b"name", b"conf1"))
        # dhcpd serves the right key without a signature: its fault, and not ours.
        for signature in (b"", b"\0" * 16, b"\0" * 8):
            message.generate_tid()
            message.authid, message.signature = omapi.protocol.defauth, signature
            omapi.transport.write(message.as_string())
            answer = omapi.receive_message()
            assert answer.authid == 0 and dict(answer.message) == {b"result": number(393227)}
        assert omapi.lookup_host("conf1")["ip"] == "192.0.2.201"
        assert SECRET not in bridge.log() and WRONG_SECRET not in bridge.log()


def test_what_it_does_not_start_with(tmp_path):
    good, others, broken = (tmp_path / name for name in ("good", "others", "broken"))
    for path, text, mode in ((good, keys(), 0o600), (others, keys(), 0o640), (broken, "key k { secret c2VjcmV0 }", 0o600)):
        path.touch(mode)
        path.write_text(text)
        path.chmod(mode)
    for words, complaint in [
        ([], "--keys <FILE>"), (["--no-key", "--keys", good], "cannot be used"), (["--keys", tmp_path / "none"], "No such file"),
        (["--keys", others], "others may use it: chmod 0600"), (["--keys", broken], "key k: ';' expected"),
        (["--keys", tmp_path], "is no plain file"), (["--no-key", "--listen", "0.0.0.0:7911"], "--no-key 0.0.0.0:7911: is not loopback"),
        (["--keys", good, "--listen", "203.0.113.1:7911"], "--listen 203.0.113.1:7911: Cannot assign"),
        (["--keys", good, "--state", good], f"--state {good}: "),
    ]:
        done = subprocess.run([PROGRAM, "--control", tmp_path / "control", *words], capture_output=True, text=True, timeout=10)
        assert done.returncode and complaint in done.stderr, (words, done)
        assert "c2VjcmV0" not in done.stderr and SECRET not in done.stderr


def test_shutdown_is_refused_unless_allowed(link, tmp_path):
    with Served(tmp_path), Bridge(tmp_path) as bridge:
        with pytest.raises(pypureomapi.OmapiError, match="shutdown failed"):
            client(bridge.port).signal_shutdown()
        assert client(bridge.port).lookup_host("conf1")
    kea = Served(tmp_path).start()
    with Bridge(tmp_path, "--allow-shutdown") as bridge:
        client(bridge.port).signal_shutdown()
        assert kea.process.wait(timeout=10) == 0
        kea.process = None


def test_hostile_frames_are_refused_and_it_lives(link, tmp_path):
    with Served(tmp_path), Bridge(tmp_path) as bridge:
        header = bytes(24)
        for frame in (header + b"\0\1n" + number(65537), header + b"\xff\xff" + bytes(5000), b"\xff" * 5000,
                      header[:4] + number(1 << 31) + header[8:], header + b"\0\1n\0\0\0\0" * 300):
            with raw(bridge.port) as connection:
                connection.sendall(frame)
                try:
                    assert connection.recv(1) == b""
                except ConnectionResetError:
                    pass
        for startup in (number(101) + number(24), number(100) + number(20), b"GET / HT"):
            with socket.create_connection(("127.0.0.1", bridge.port), timeout=5) as connection:
                connection.sendall(startup)
                assert connection.recv(8) == number(100) + number(24) and connection.recv(1) == b""
        # One warning of its kind, however many come.
        assert bridge.log().count("64 KiB") + bridge.log().count("too long") + bridge.log().count("startup:") == 1
        assert client(bridge.port).lookup_host("conf1")["mac"] == "02:00:00:00:0f:01"


def test_who_has_a_key_is_served_however_many_strangers_come(link, tmp_path):
    with Served(tmp_path), Bridge(tmp_path) as bridge:
        omapi = client(bridge.port)
        omapi.lookup_host("conf1")
        crowd = [raw(bridge.port) for _ in range(400)]
        assert omapi.lookup_host("conf1")["mac"] == "02:00:00:00:0f:01"
        # One who comes now takes the place of the oldest stranger.
        for _ in range(20):
            assert client(bridge.port).lookup_host("conf1")
            crowd += [raw(bridge.port) for _ in range(20)]
        assert crowd[0].recv(1) == b"" and bridge.log().count("there are 256 clients") == 1
        for connection in crowd:
            connection.close()


def test_a_recorded_message_makes_nobody_known(link, tmp_path):
    """Its signature is right on each connection: who sends it is a stranger as before, and has to go for others."""
    with Served(tmp_path), Bridge(tmp_path) as bridge:
        omapi = client(bridge.port)
        tap = Tap(omapi)
        omapi.lookup_host("conf1")
        recorded = []
        for _ in range(256):
            recorded.append(raw(bridge.port))
            message = pypureomapi.OmapiMessage.open(b"authenticator")
            message.obj += [(b"name", NAME.encode()), (b"algorithm", b"hmac-md5.SIG-ALG.REG.INT.")]
            recorded[-1].sendall(message.as_string())
            handle = recorded[-1].recv(4096)[12:16]
            recorded[-1].sendall(handle + tap.written[-1][4:])
            assert recorded[-1].recv(4096)
        assert client(bridge.port).lookup_host("conf1")
        assert recorded[0].recv(1) == b""


def test_omshell_may_wait_for_its_user(link, tmp_path):
    """It signs nothing before its user says what to look for, and that may take longer than a stranger's ten seconds."""
    with Served(tmp_path), Bridge(tmp_path) as bridge:
        silent, named = raw(bridge.port), client(bridge.port)
        silent.settimeout(20)
        assert silent.recv(1) == b""
        assert named.lookup_host("conf1")["ip"] == "192.0.2.201"
        assert "has said, or signed, nothing for too long" in bridge.log()
