"""kea-omapi is killed amid changes. What is in Kea afterwards is whole, and groups and hosts agree after its next start."""

import contextlib
import os
import random
import threading
import time

import pytest

from rig.omapi import Bridge, Served, client, state
from rig.wait import wait_until

pypureomapi = pytest.importorskip("pypureomapi", reason="tests/setup fetches it")
KILLS = int(os.environ.get("KILLS", 0))
SEED = int(os.environ.get("SEED", 0)) or random.SystemRandom().getrandbits(32)
GROUPS = ["lab0", "lab1"]


def statements(byte):
    return f'option routers 192.0.2.{byte}; filename "f{byte}";'


class Writer(threading.Thread):
    """Adds hosts, gives them another group, makes groups anew and deletes hosts, until the bridge is gone. What was
    acknowledged is kept."""

    def __init__(self, port, number, first, there):
        super().__init__(daemon=True)
        self.port, self.number, self.first, self.there = port, number, first, there
        self.dice, self.steps = random.Random(f"{SEED}-{number}-{first}"), 0

    def run(self):
        try:
            omapi = client(self.port)
            while True:
                # One whose addition was cut off may be there, or not.
                with contextlib.suppress(pypureomapi.OmapiErrorNotFound):
                    self.step(omapi)
                self.steps += 1
        except (pypureomapi.OmapiError, OSError):
            pass

    def step(self, omapi):
        what = self.dice.random()
        if what < 0.4 or not self.there:
            self.first += 1
            mac = f"02:00:00:{self.number:02x}:{self.first >> 8:02x}:{self.first & 255:02x}"
            self.there[mac] = None
            omapi.add_host_with_group(f"10.{self.number}.{self.first >> 8}.{self.first & 255}", mac, self.dice.choice(GROUPS))
            self.there[mac] = True
        elif what < 0.8:
            self.change_group(omapi, self.dice.choice(list(self.there)))
        elif what < 0.9:
            mac = self.dice.choice(list(self.there))
            self.there[mac] = None
            omapi.del_host(mac)
            del self.there[mac]
        elif self.number == 0:
            self.make_group_anew(omapi)

    def handle(self, omapi, kind, name, value):
        found = pypureomapi.OmapiMessage.open(kind)
        found.obj.append((name, value))
        return omapi.query_server(found).handle

    def change_group(self, omapi, mac):
        """The address to another subnet, too: that takes two commands."""
        handle = self.handle(omapi, b"host", b"hardware-address", pypureomapi.pack_mac(mac))
        change = pypureomapi.OmapiMessage.update(handle)
        change.update_object({b"group": self.dice.choice(GROUPS).encode()})
        omapi.query_server(change)
        if self.dice.random() < 0.5:
            second = self.dice.choice((10, 11))
            change = pypureomapi.OmapiMessage.update(handle)
            change.update_object({b"ip-address": bytes([second, self.number, *pypureomapi.pack_mac(mac)[4:]])})
            omapi.query_server(change)

    def make_group_anew(self, omapi):
        group = self.dice.choice(GROUPS)
        omapi.query_server(pypureomapi.OmapiMessage.delete(self.handle(omapi, b"group", b"name", group.encode())))
        omapi.add_group(group, statements(self.dice.randrange(1, 255)))


def check(kea, bridge, there):
    hosts = {}
    for host in kea.hosts():
        if "omapi" in host.get("user-context", {}) and "ip-address" in host:
            assert host["hw-address"] not in hosts, f"{host} and {hosts[host['hw-address']]}"
            hosts[host["hw-address"]] = host
    for mac, is_there in there.items():
        assert mac in hosts or not is_there, f"{mac} was acknowledged"
    groups = state(bridge)
    for mac, host in hosts.items():
        ours = host["user-context"]["omapi"]
        assert ours["name"] and ours["group"] in GROUPS
        number, high, low = (int(part, 16) for part in mac.split(":")[3:])
        assert host["ip-address"] in (f"10.{number}.{high}.{low}", f"11.{number}.{high}.{low}")
        assert host["subnet-id"] == int(host["ip-address"].split(".")[0])
        # A group that is deleted at the moment leaves its hosts as they are.
        if ours["group"] in groups:
            assert ours["template"] == groups[ours["group"]]
        byte = int(ours["template"].split(";")[0].rpartition(".")[2])
        assert host["boot-file-name"] == f"f{byte}" and host["option-data"][0]["data"] == f"C00002{byte:02X}"
    return len(hosts)


def kill_often(link, tmp_path, kills):
    dice = random.Random(SEED)
    subnets = [{"id": 10, "subnet": "10.0.0.0/8"}, {"id": 11, "subnet": "11.0.0.0/8"}]
    with Served(tmp_path, subnets) as kea, Bridge(tmp_path) as bridge:
        omapi = client(bridge.port)
        for group in GROUPS:
            omapi.add_group(group, statements(7))
        there, firsts = [{}, {}], [0, 0]
        unfinished = most = 0
        for _ in range(kills):
            writers = [Writer(bridge.port, number, firsts[number], there[number]) for number in (0, 1)]
            for writer in writers:
                writer.start()
            wait_until(lambda: any(writer.steps for writer in writers), "the first change")
            time.sleep(dice.uniform(0, 0.4))
            bridge.kill()
            for writer in writers:
                writer.join(10)
            firsts = [writer.first for writer in writers]
            unfinished += (tmp_path / "state/redo").exists() and (tmp_path / "state/redo").read_text() != "null"
            bridge.start()
            # The first change waits until what was begun is finished; this one is refused.
            with pytest.raises(pypureomapi.OmapiError):
                client(bridge.port).add_host_supersede("203.0.113.1", "02:00:00:ff:00:00", "x")
            most = max(most, check(kea, bridge, {**there[0], **there[1]}))
            wait_until(lambda: (tmp_path / "state/redo").read_text() == "null" if unfinished else True, "the redo")
        assert most
        print(f"{kills} kills, seed {SEED}: {unfinished} amid a change of several commands, up to {most} hosts, all whole")


def test_kills(link, tmp_path):
    kill_often(link, tmp_path, 20)


@pytest.mark.long
def test_many_kills(link, tmp_path):
    kill_often(link, tmp_path, KILLS or 200)
