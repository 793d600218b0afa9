"""kea-omapi where clients collide, where others have made reservations, where Kea refuses half, and against recorded messages."""

import json
import signal
import socket
import struct
import threading

import pytest

from rig.kea import Kea
from rig.omapi import LEASED, NAME, Bridge, Served, attributes, client, lease, number, state
from rig.omapi_messages import asked, deleted, message, opened, updated
from rig.wait import wait_until

pypureomapi = pytest.importorskip("pypureomapi", reason="tests/setup fetches it")
MAC = "02:00:00:00:0a:01"
ip = pypureomapi.pack_ip
EXISTS, NOT_FOUND, AWAY, CONFLICT = 18, 23, 40, 393223


def at_once(*works):
    """What each work has brought; they begin together."""
    barrier, found = threading.Barrier(len(works)), [None] * len(works)

    def run(place, work):
        barrier.wait()
        found[place] = work()
    threads = [threading.Thread(target=run, args=one) for one in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def subnets(*ids, **reservation):
    """Subnets that have a reservation of one client each, if one is given: `{id}` in it is the subnet's."""
    def place(id):
        reserved = {key.replace("_", "-"): value.format(id=id) for key, value in reservation.items()}
        return {"id": id, "subnet": f"192.0.{id}.0/24", "pools": [], "reservations": [{"hw-address": MAC, **reserved}] if reserved else []}
    return [place(id) for id in ids]


def places(kea):
    return sorted((host["subnet-id"], host.get("ip-address")) for host in kea.hosts() if host["hw-address"] == MAC)


def test_a_signed_message_means_nothing_else_behind_another_startup(link, tmp_path):
    """A lookup whose value is a whole create, for who says that headers are longer."""
    with Served(tmp_path) as kea, Bridge(tmp_path) as bridge:
        omapi = client(bridge.port)
        written, write = [], omapi.transport.write
        omapi.transport.write = lambda data: (written.append(data), write(data))

        def pair(name, value):
            return struct.pack("!H", len(name)) + name + number(len(value)) + value
        evil = (pair(b"type", b"host") + pair(b"create", number(1)) + b"\0\0" + pair(b"name", b"evil")
                + pair(b"hardware-address", b"\2\0\0\0\6\6"))
        assert asked(omapi, "host", name=evil)["result"] == NOT_FOUND
        frame = written[-1]
        longer = frame.index(evil) - 24
        with socket.create_connection(("127.0.0.1", bridge.port), timeout=5) as stranger:
            stranger.sendall(number(100) + number(24 + longer))
            key = pair(b"name", NAME.encode()) + pair(b"algorithm", b"hmac-md5.SIG-ALG.REG.INT.") + b"\0\0"
            stranger.sendall(struct.pack("!6I", 0, 0, 1, 0, 77, 0) + bytes(longer) + pair(b"type", b"authenticator") + b"\0\0" + key)
            assert stranger.recv(8) == number(100) + number(24)
            try:
                assert stranger.recv(1) == b""
            except ConnectionResetError:
                pass
        assert "header size is not 24" in bridge.log() and "evil" not in json.dumps(kea.hosts())


def test_a_name_of_thousands_of_bytes_is_not_asked_for(link, tmp_path):
    with Served(tmp_path) as kea, Bridge(tmp_path) as bridge:
        omapi = client(bridge.port)
        omapi.lookup_host("conf1")
        assert asked(omapi, "host", name=b"n" * 12000)["result"] == NOT_FOUND
        assert asked(omapi, "host", create=True, name=b"n" * 256, hardware_address=b"\2\0\0\0\6\6")["result"] == 393219
        assert kea.command("reservation-get-by-hostname", {"hostname": "n" * 12000})["result"] == 3


def test_a_client_with_a_reservation_in_each_subnet(link, tmp_path):
    """Handles tell them apart, and none goes where another is."""
    with Served(tmp_path, subnets(2, 3, ip_address="192.0.{id}.10", hostname="laptop")) as kea, Bridge(tmp_path) as bridge:
        omapi = client(bridge.port)
        third = opened(omapi, "host", ip_address=ip("192.0.3.10"))
        assert updated(omapi, third, ip_address=ip("192.0.2.99")) == EXISTS
        assert updated(omapi, third, ip_address=ip("192.0.3.11")) == 0
        assert places(kea) == [(2, "192.0.2.10"), (3, "192.0.3.11")]
        assert deleted(omapi, third) == 0
        assert places(kea) == [(2, "192.0.2.10")]
        # What one key finds and the name does not is no host, as at dhcpd.
        assert asked(omapi, "host", name=b"nobody", hardware_address=pypureomapi.pack_mac(MAC))["result"] == CONFLICT


def test_what_others_have_reserved_stays_in_its_subnet(link, tmp_path):
    with Served(tmp_path, subnets(2, hostname="noaddress")) as kea, Bridge(tmp_path) as bridge:
        for mac, address in (("02:00:00:00:0a:02", "192.0.2.77"), ("02:00:00:00:0a:03", "203.0.113.7")):
            reservation = {"subnet-id": 0, "hw-address": mac, "ip-address": address}
            assert kea.command("reservation-add", {"reservation": reservation, "operation-target": "memory"})["result"] == 0
        omapi = client(bridge.port)
        before = {host["hw-address"]: (host["subnet-id"], host.get("ip-address")) for host in kea.hosts()}
        # The last two have no name: what is shown instead finds them.
        for name in (b"noaddress", b"nh020000000a02", b"nh020000000a03"):
            assert updated(omapi, opened(omapi, "host", name=name), statements=b"option routers 192.0.2.1;") == 0, name
        assert {host["hw-address"]: (host["subnet-id"], host.get("ip-address")) for host in kea.hosts()} == before
        assert len([host for host in kea.hosts() if host["option-data"]]) == 3
        # None of them is at no address.
        assert asked(omapi, "host", ip_address=bytes(4))["result"] == NOT_FOUND


def test_changes_at_once_are_made_one_after_the_other(link, tmp_path):
    with Served(tmp_path, subnets(2, 3, 4)) as kea, Bridge(tmp_path) as bridge:
        one, other = client(bridge.port), client(bridge.port)
        for n in range(40):
            name, mac = f"h{n}".encode(), pypureomapi.pack_mac(MAC)
            assert asked(one, "host", create=True, name=name, hardware_address=mac, ip_address=ip("192.0.2.20"))["operation"] == 3
            handles = [opened(omapi, "host", name=name) for omapi in (one, other)]
            moved = at_once(lambda: updated(one, handles[0], ip_address=ip("192.0.3.10")),
                            lambda: updated(other, handles[1], ip_address=ip("192.0.4.10")))
            # To the other, the first one's host is gone from where it was.
            assert sorted(moved) == [0, NOT_FOUND] and len(places(kea)) == 1
            handles = [opened(omapi, "host", name=name) for omapi in (one, other)]
            address = places(kea)[0][1] + "1"
            changed = at_once(lambda: updated(one, handles[0], ip_address=ip(address)),
                              lambda: updated(other, handles[1], statements=b'filename "f";'))
            host = kea.host(MAC)
            assert changed == [0, 0] and (host["ip-address"], host["boot-file-name"]) == (address, "f")
            one.del_host(MAC)
            assert places(kea) == []


def test_a_lease_is_changed_whole_or_not_at_all(link, tmp_path):
    with Served(tmp_path) as kea, Bridge(tmp_path) as bridge:
        lease(link)
        omapi = client(bridge.port)
        assert updated(omapi, opened(omapi, "lease", ip_address=ip(LEASED)), state=number(1), pool=number(0)) == 6
        assert kea.command("lease4-get", {"ip-address": LEASED})["result"] == 0
        assert updated(omapi, opened(omapi, "lease", ip_address=ip(LEASED)), client_hostname=b"x") == 0
        assert "changed lease" not in bridge.log()


def test_leases_are_freed_without_the_reservation_commands(link, tmp_path):
    served = Served(tmp_path)
    hooks = served.environment["KEA_HOOKS_PATH"]
    subnet = {"id": 1, "subnet": "192.0.2.0/24", "pools": [{"pool": "192.0.2.100 - 192.0.2.120"}]}
    kea = Kea(4, {"subnet4": [subnet], "valid-lifetime": 3600}, tmp_path, [{"library": f"{hooks}/libdhcp_lease_cmds.so"}],
              environment={"KEA_HOOKS_PATH": hooks})
    with kea, Bridge(tmp_path) as bridge:
        lease(link)
        omapi = client(bridge.port)
        assert updated(omapi, opened(omapi, "lease", ip_address=ip(LEASED)), state=number(1)) == 0
        assert kea.command("lease4-get", {"ip-address": LEASED})["result"] == 3


def test_what_changed_nothing_may_come_again(link, tmp_path):
    """The same bytes, as omshell sends them."""
    kea = Served(tmp_path)
    made = message("host", create=True, name=b"again", hardware_address=b"\2\0\0\0\6\6")
    with Bridge(tmp_path) as bridge:
        def again(result):
            omapi = client(bridge.port)
            made.transaction_id, made.authid = 7, omapi.protocol.defauth
            assert attributes(omapi.query_server(made)).get("result", 0) == result, bridge.log()
        again(AWAY)
        bridge.kill()
        bridge.start()
        with kea:
            again(0)
            again(6)
            omapi = client(bridge.port)
            assert deleted(omapi, opened(omapi, "host", name=b"again")) == 0
            again(6)
        assert "host again is refused: socket is not connected (40)" in bridge.log()


def test_what_kea_could_not_do_is_done_when_it_is_back(link, tmp_path):
    with Served(tmp_path) as kea, Bridge(tmp_path) as bridge:
        omapi = client(bridge.port, timeout=30)
        omapi.add_group("lab", 'option domain-name "old";')
        omapi.add_host_with_group("192.0.2.130", MAC, "lab")
        deleted(omapi, opened(omapi, "group", name=b"lab"))
        kea.process.send_signal(signal.SIGSTOP)
        try:
            assert asked(omapi, "group", create=True, name=b"lab", statements=b'option domain-name "new";')["result"] == AWAY
        finally:
            kea.process.send_signal(signal.SIGCONT)
        # Nobody asks for anything.
        wait_until(lambda: kea.host(MAC)["option-data"][0]["data"] == b"new".hex().upper(), "the new statements", 30)
        assert state(bridge) == {"lab": 'option domain-name "new";'} and "Kea answers again" in bridge.log()


def test_a_reservation_with_an_odd_user_context(link, tmp_path):
    with Served(tmp_path) as kea, Bridge(tmp_path) as bridge:
        reservation = {"hw-address": MAC, "subnet-id": 1, "ip-address": "192.0.2.77", "hostname": "odd", "user-context": {"omapi": "yes"}}
        assert kea.command("reservation-add", {"reservation": reservation, "operation-target": "memory"})["result"] == 0
        omapi = client(bridge.port)
        assert updated(omapi, opened(omapi, "host", name=b"odd"), statements=b"option routers 192.0.2.1;") == 0
        assert kea.host(MAC)["user-context"]["omapi"]["name"] == "odd"


class Cut:
    """A control socket in front of Kea's, which carries a command out and hangs up, as a Kea does that is killed amid one."""

    def __init__(self, path, kea):
        self.kea, self.command = str(kea), None
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(16)
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection, socket.socket(socket.AF_UNIX) as kea:
                kea.connect(self.kea)
                command = connection.recv(1 << 16)
                kea.sendall(command)
                is_cut = json.loads(command)["command"] == self.command
                while data := kea.recv(1 << 16):
                    if not is_cut:
                        connection.sendall(data)
                self.command = None if is_cut else self.command


def test_kea_ends_before_it_has_answered(link, tmp_path):
    """A move is finished all the same; a host that was made is not made again by who has recorded that."""
    with Served(tmp_path, subnets(2, 3)) as kea:
        cut = Cut(tmp_path / "cut", tmp_path / "control4")
        with Bridge(tmp_path, control=tmp_path / "cut") as bridge:
            wait_until(lambda: "Kea answers" in bridge.log(), "Kea")
            omapi = client(bridge.port, timeout=30)
            omapi.add_host_supersede("192.0.2.10", MAC, "pc", hostname="pc")
            handle = opened(omapi, "host", name=b"pc")
            cut.command = "reservation-del"
            assert updated(omapi, handle, ip_address=ip("192.0.3.10")) == AWAY
            wait_until(lambda: places(kea) == [(3, "192.0.3.10")], "the end of the move")
            cut.command = "reservation-add"
            made = message("host", create=True, name=b"new", hardware_address=b"\2\0\0\0\6\6")
            assert attributes(omapi.query_server(made))["result"] == AWAY
            omapi.del_host("02:00:00:00:06:06")
            assert attributes(omapi.query_server(made))["result"] == 6
        cut.listener.close()
