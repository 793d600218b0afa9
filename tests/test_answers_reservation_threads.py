"""The first reservations of answers after Kea's start, in several threads at once."""

import json
import os
import threading
from contextlib import contextmanager
from socketserver import StreamRequestHandler, ThreadingUnixStreamServer

import pytest

from rig.configs import SUBNET4, THREADS
from rig.dhcp4 import DISCOVER
from rig.kea import Kea, hook
from rig.reserver import client, refused

ROUNDS = int(os.environ.get("ROUNDS", 200))
CLIENTS = range(3, 7)


class Lane(StreamRequestHandler):
    """Answers when all clients have asked."""

    together = threading.Barrier(len(CLIENTS))

    def handle(self):
        for line in self.rfile:
            event = json.loads(line)
            if "hello" in event:
                answer = {"hello": 1}
            else:
                address = f"192.0.2.{int(event['vars']['KEA_QUERY4_HWADDR'][-2:], 16)}"
                answer = {"seq": event["seq"], "reservation": {"ip-address": address}}
                self.together.wait(10)
            self.wfile.write(json.dumps(answer).encode() + b"\n")


class Server(ThreadingUnixStreamServer):
    daemon_threads = True
    request_queue_size = 64


@contextmanager
def server(path):
    with Server(str(path), Lane) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        yield
        serving.shutdown()


@pytest.mark.long
def test_the_first_ones_at_once(link, tmp_path):
    """Kea's parser of reservations fills its tables when it is used first, and takes no lock. Of 120 starts, one had Kea crash
    or refuse what it knows, when this library left that to its threads."""
    clients = [client(link, 4, number) for number in CLIENTS]
    library = hook(socket=str(tmp_path / "socket"), answers=True, hook_points=["subnet4_select"],
                   concurrency=8, timeout=5000)
    kea = Kea(4, {**SUBNET4, **THREADS}, tmp_path, [library])
    with server(tmp_path / "socket"):
        for _ in range(ROUNDS):
            with kea:
                asked = [one.message(DISCOVER) for one in clients]
                for one, message in zip(clients, asked):
                    one.send(message)
                offered = [one.wire.receive(message.xid).yiaddr for one, message in zip(clients, asked)]
                assert offered == [f"192.0.2.{number}" for number in CLIENTS] and refused(kea) == []
