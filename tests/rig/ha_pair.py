"""Two servers that are a high-availability pair, each with clients of its own.

       this namespace                                    namespace of the standby
    primary --- vs === vc (clients)                   standby --- vs === vc (the same clients, after a failover)
            \\--- ha ============== veth ============== ha ---/
"""

import contextlib
import itertools
import json

from .configs import THREADS
from .lease_events import Listening
from .net import Link, inside, ip
from .wait import wait_until

counter = itertools.count(1)
ADDRESSES = {"primary": "10.9.0.1", "standby": "10.9.0.2"}


class Partner:
    """The standby's namespace, with a wire to its clients."""

    def __init__(self):
        self.namespace = f"standby-{next(counter)}"
        ip(f"netns add {self.namespace}")
        ip(f"link add ha type veth peer name ha netns {self.namespace}\n"
           f"addr add {ADDRESSES['primary']}/24 dev ha\nlink set ha up\n")
        ip(f"addr add {ADDRESSES['standby']}/24 dev ha\nlink set ha up\nlink set lo up\n", self.namespace)
        with self.inside():
            self.link = Link()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with self.inside():
            self.link.close()
        ip(f"link del ha\nnetns del {self.namespace}")

    def inside(self):
        return inside(self.namespace)


def high_availability(role):
    peers = [{"name": name, "url": f"http://{address}:8001/", "role": name, "auto-failover": True}
             for name, address in ADDRESSES.items()]
    threads = {"enable-multi-threading": True, "http-dedicated-listener": True, "http-listener-threads": 2,
               "http-client-threads": 2}
    return {"library": "libdhcp_ha.so", "parameters": {"high-availability": [{
        "this-server-name": role, "mode": "hot-standby", "heartbeat-delay": 200, "max-response-delay": 1000,
        "max-ack-delay": 1000, "max-unacked-clients": 0, "sync-timeout": 10000, "peers": peers,
        "multi-threading": threads}]}}


def server(family, role, directory, recorder, **config):
    """One of the two, not started."""
    return Listening(family, directory, recorder, directory=directory, libraries=[high_availability(role)], replay=True,
                     **THREADS, **config)


def state(kea):
    answer = kea.command("status-get")
    return answer["arguments"]["high-availability"][0]["ha-servers"]["local"]["state"]


def until_state(kea, wanted, timeout=30):
    def is_so():
        with contextlib.suppress(OSError, json.JSONDecodeError):
            return state(kea) == wanted
    wait_until(is_so, lambda: f"state {wanted} (now: {state(kea)})", timeout)


