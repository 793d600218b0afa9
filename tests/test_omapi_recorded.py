"""The recorded clients' frames once more, byte for byte but for handles and signatures, at kea-omapi in front of a real Kea: its
answers beside those that a real dhcpd gave."""

import binascii
import hmac
import json
import socket
import struct

import pytest

from rig.kea import REPOSITORY
from rig.omapi import ALGORITHMS, Bridge, Served, keys, lease, secret

HEADER = struct.Struct("!6I")
OPERATIONS = {"open": 1, "refresh": 2, "update": 3, "notify": 4, "status": 5, "delete": 6}
# Values that are handles, and those that time and chance decide.
HANDLES = {"subnet", "pool"}
CHANCE = {"ends", "starts", "cltt", "tstp"}
MODES = ["md5", "omshell-md5", *(f"omshell-{algorithm.removeprefix('hmac-')}" for algorithm in ALGORITHMS[1:])]
# Where kea-omapi answers otherwise, and why; docs/omapi.md has them.
DIFFERENT = {
    "lookup-host-by-ip": "finds the host",
    "add-host-duplicate-ip": "Kea has one reservation of an address in a subnet",
    "delete-lease": "no remote-handle",
    "release-lease": "no remote-handle",
    "lookup-lease-released": "Kea has forgotten whose the lease was",
    "empty-signature": "dhcpd serves it, which is its fault",
    "shutdown": "is not allowed",
}


class Player:
    """Plays a client, and remembers which handle of the recorded server's is which of ours."""

    def __init__(self, port, algorithm, secret):
        self.port, self.digest = port, algorithm.removeprefix("hmac-")
        self.key = binascii.a2b_base64(secret)
        self.connections, self.handles = {}, {}

    def connection(self, number):
        if number not in self.connections:
            self.connections[number] = socket.create_connection(("127.0.0.1", self.port), timeout=5), {}
        return self.connections[number]

    def send(self, frame):
        connection, handles = self.connection(frame["connection"])
        if "startup" in frame:
            connection.sendall(bytes.fromhex(frame["hex"]))
            return
        data = bytes.fromhex(frame["hex"])
        authid, length, *middle, = HEADER.unpack_from(data)
        middle[1] = handles.get(middle[1], middle[1])
        data = HEADER.pack(handles.get(authid, authid), length, *middle) + data[HEADER.size:]
        if length:
            body = data[4:-length]
            # A signature that was wrong stays so.
            right = hmac.new(self.key, bytes.fromhex(frame["hex"])[4:-length], self.digest).hexdigest() == frame["signature"]
            data = data[:4] + body + (hmac.new(self.key, body, self.digest).digest() if right else data[-length:])
        connection.sendall(data)

    def answer(self, frame):
        """What comes where the recorded server said this."""
        connection, handles = self.connection(frame["connection"])
        if "startup" in frame:
            return {"startup": list(struct.unpack("!II", self.read(connection, 8)))}
        authid, length, operation, handle, tid, rid = HEADER.unpack(self.read(connection, HEADER.size))
        answer = {"authid": authid, "authlen": length, "op": operation, "handle": handle, "rid": rid,
                  "message": self.attributes(connection), "object": self.attributes(connection)}
        self.read(connection, length)
        return answer

    def attributes(self, connection):
        found = []
        while length := int.from_bytes(self.read(connection, 2), "big"):
            name = self.read(connection, length).decode()
            found.append([name, self.read(connection, int.from_bytes(self.read(connection, 4), "big")).hex()])
        return found

    def read(self, connection, count):
        data = b""
        while len(data) < count:
            more = connection.recv(count - len(data))
            if not more:
                raise ConnectionResetError
            data += more
        return data

    def learn(self, recorded, answer):
        _, handles = self.connection(recorded["connection"])
        pairs = [(recorded["handle"], answer["handle"])]
        for (name, there), (_, here) in zip(recorded["object"], answer["object"], strict=False):
            if name in HANDLES:
                pairs.append((int(there, 16), int(here, 16)))
        for there, here in pairs:
            if there:
                handles.setdefault(there, here)

    def comparable(self, frame, handles, there):
        known = lambda number: handles.get(number, number) if there else number
        frame = {key: frame[key] for key in ("authid", "authlen", "op", "handle", "rid", "message", "object")}
        frame["op"] = OPERATIONS.get(frame["op"], frame["op"])
        frame["authid"], frame["handle"] = known(frame["authid"]), known(frame["handle"])
        frame["object"] = [[name, "" if name in CHANCE or bytes.fromhex(value)[:3] == b"nh6" else
                            known(int(value, 16)) if name in HANDLES and there else int(value, 16) if name in HANDLES else value]
                           for name, value in frame["object"]]
        return frame


def play(player, conversation):
    """What is answered otherwise."""
    for frame in conversation["frames"]:
        if "hex" in frame and frame["dir"] == "c2s":
            player.send(frame)
        elif "hex" in frame:
            answer = player.answer(frame)
            if "startup" in frame:
                assert answer["startup"] == frame["startup"]
                continue
            player.learn(frame, answer)
            handles = player.connection(frame["connection"])[1]
            there, here = player.comparable(frame, handles, True), player.comparable(answer, handles, False)
            if there != here:
                return f"dhcpd {there}; kea-omapi {here}"
    return None


@pytest.mark.parametrize("mode", MODES)
def test_the_recorded_answers(link, tmp_path, mode):
    algorithm = f"hmac-{mode.rpartition('-')[2]}"
    paths = sorted((REPOSITORY / "tests/omapi").glob(f"{mode}-*.json"))
    different, frames = {}, 0
    # The recorded omshell had another secret than the recorded pypureomapi.
    wanted = secret(algorithm).lstrip("+") if mode == "omshell-md5" else secret(algorithm)
    with Served(tmp_path), Bridge(tmp_path, key=keys(algorithm).replace(secret(algorithm), wanted)) as bridge:
        lease(link)
        player = Player(bridge.port, algorithm, wanted)
        for path in paths:
            conversation = json.loads(path.read_text())
            firsts = {frame["connection"]: frame for frame in reversed(conversation["frames"]) if "hex" in frame}
            for number, first in firsts.items():
                if number not in player.connections and "startup" not in first:
                    open_again(player, number, algorithm)
            try:
                difference = play(player, conversation)
            except ConnectionResetError:
                difference = "hung up"
            frames += sum("hex" in frame and frame["dir"] == "s2c" for frame in conversation["frames"])
            if difference:
                different[conversation["case"]] = difference
    print(f"{mode}: {len(paths) - len(different)} of {len(paths)} conversations as recorded, {frames} answers")
    for case, difference in different.items():
        print(f"{case} ({DIFFERENT.get(case, 'UNEXPECTED')}): {difference}")
    assert different.keys() <= DIFFERENT.keys()


def open_again(player, number, algorithm):
    """A connection whose beginning no conversation has: startup, and the key, which was handle 1."""
    attribute = lambda name, value: struct.pack("!H", len(name)) + name + struct.pack("!I", len(value)) + value
    connection, handles = player.connection(number)
    connection.sendall(struct.pack("!II", 100, 24) + HEADER.pack(0, 0, 1, 0, 1, 0) + attribute(b"type", b"authenticator") + b"\0\0"
                       + attribute(b"name", b"defomapi") + attribute(b"algorithm", f"{algorithm}.SIG-ALG.REG.INT.".encode()) + b"\0\0")
    player.answer({"connection": number, "startup": True})
    handles[1] = player.answer({"connection": number})["handle"]
