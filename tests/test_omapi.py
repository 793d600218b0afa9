"""kea-omapi in front of a real Kea: unmodified pypureomapi and omshell, beside a real dhcpd."""

import json
import os
import re
import shutil
import signal
import socket

import pytest

from rig.dhcp4 import Client4, NoAnswer
from rig.kea import REPOSITORY, version
from rig.omapi import (ALGORITHMS, DHCPD_PORT, LEASED, LEASED_MAC, WRONG_SECRET, Bridge, Served, client, keys, lease,
                       number, omshell, recorded_dhcpd)
from rig.omapi_calls import calls, outcome
from rig.wait import wait_until

pypureomapi = pytest.importorskip("pypureomapi", reason="tests/setup fetches it")
DHCPD = shutil.which("dhcpd", path="/usr/sbin")
OUTCOMES = REPOSITORY / "tests/omapi/outcomes"
dhcpd = pytest.mark.skipif(not DHCPD, reason="dhcpd is not packaged here any more")
MAC = "02:00:00:00:0a:01"
# Asked for by a client: router, host name, domain name, classless routes.
WANTED = [(55, bytes([3, 12, 15, 121]))]

# Where kea-omapi does otherwise, and why; docs/omapi.md has them.
DIFFERENT = {
    "lookup_host_by_ip": "finds the host",
    "lease by handle": "dhcpd tells the handle of an earlier update, remote-handle",
    "add_host, same address": "Kea has one reservation of an address in a subnet",
}


def outcomes(port):
    connected = client(port)
    return {name: outcome(connected, pypureomapi, call) for name, call in calls()}


@pytest.fixture
def theirs(link, tmp_path):
    """A real dhcpd's outcomes; recorded ones where none is packaged any more. UPDATE_RECORDS=1 records them anew."""
    if not DHCPD:
        return json.loads(OUTCOMES.read_text())
    with recorded_dhcpd(tmp_path):
        lease(link)
        found = json.loads(json.dumps(outcomes(DHCPD_PORT)))
    if os.environ.get("UPDATE_RECORDS"):
        OUTCOMES.write_text(json.dumps(found, indent=1) + "\n")
    return found


def test_each_call_ends_as_at_a_real_dhcpd(link, tmp_path, theirs):
    with Served(tmp_path), Bridge(tmp_path) as bridge:
        lease(link)
        compare(theirs, json.loads(json.dumps(outcomes(bridge.port))))


def compare(theirs, ours):
    different = {name: (theirs[name], ours[name]) for name in theirs if theirs[name] != ours[name]}
    print(f"{len(theirs) - len(different)} of {len(theirs)} calls end alike, at {'a' if DHCPD else 'the recorded'} dhcpd and Kea {version()}")
    for name, (there, here) in different.items():
        print(f"{name}: dhcpd {there!r}; kea-omapi {here!r}; {DIFFERENT.get(name, 'UNEXPECTED')}")
    assert theirs.keys() == ours.keys() and different.keys() == DIFFERENT.keys()


@dhcpd
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_omshell_shows_the_same(link, tmp_path, algorithm):
    """Connects, finds a lease by address and hardware address, makes, opens, changes and removes a host, makes a group;
    with a wrong secret and a wrong name it does not."""
    host = ["new host", 'set name = "shell1"']
    named = [*host, "set hardware-address = 02:00:00:00:0c:01", "set hardware-type = 1"]
    scripts = [
        [], ["new lease", f"set ip-address = {LEASED}", "open"],
        ["new lease", f"set hardware-address = {LEASED_MAC}", "set hardware-type = 1", "open"],
        [*named, "set ip-address = 192.0.2.230", 'set statements = "option host-name \\"shell1\\";"', "create"],
        [*host, "open"], [*host, "open", "set ip-address = 192.0.2.231", "update", "refresh"],
        [*named, "create"], [*host, "open", "remove"], [*host, "open"],
        ["new group", 'set name = "sg"', 'set statements = "option domain-name \\"x.example\\";"', "create"],
    ]
    again = ["new host", 'set name = "conf1"', "open"]

    def shown(port):
        said = [omshell(port, algorithm, *script) for script in scripts]
        said.append(omshell(port, algorithm, *again, key=WRONG_SECRET))
        said.append(omshell(port, algorithm, *again, name="nokeyname"))
        return [masked(text) for text in said]

    def masked(text):
        varies = ("subnet", "pool", "ends", "starts", "cltt")
        return [line.split(" = ")[0] if line.split(" = ")[0] in varies else line for line in text.splitlines()]

    with recorded_dhcpd(tmp_path, algorithm):
        lease(link)
        theirs = shown(DHCPD_PORT)
    with Served(tmp_path), Bridge(tmp_path, key=keys(algorithm)) as bridge:
        lease(link)
        ours = shown(bridge.port)
    assert ours == theirs


def test_a_client_gets_what_was_added_and_no_more_when_it_is_deleted(link, tmp_path):
    with Served(tmp_path), Bridge(tmp_path) as bridge:
        omapi = client(bridge.port)
        omapi.add_host_supersede("192.0.2.210", MAC, "pc1", hostname="pc1", router="192.0.2.254", domain="example.org",
                                 statements="supersede classless-static-routes 08:0a:c0:00:02:fd;")
        ack = Client4(link, MAC, hostname="mine", options=WANTED).dora()
        assert (ack.yiaddr, ack.option(3), ack.option(12), ack.option(15), ack.option(121)) == (
            "192.0.2.210", bytes([192, 0, 2, 254]), b"pc1", b"example.org", bytes.fromhex("080ac00002fd"))
        assert omapi.lookup_ip(MAC) == "192.0.2.210"
        omapi.del_host(MAC)
        for verb in ("made", "deleted"):
            assert re.search(rf"kea-omapi: 127\.0\.0\.1:\d+, key defomapi: {verb} host pc1\n", bridge.log())
        offer = Client4(link, MAC, options=WANTED).discover()
        assert offer.yiaddr != "192.0.2.210" and not offer.option(3) and not offer.option(15)


def test_every_kind_of_host(link, tmp_path):
    with Served(tmp_path), Bridge(tmp_path) as bridge:
        omapi = client(bridge.port)
        omapi.add_host("192.0.2.211", "02:00:00:00:0a:02")
        assert Client4(link, "02:00:00:00:0a:02").dora().yiaddr == "192.0.2.211"
        omapi.add_host_supersede_name("192.0.2.212", "02:00:00:00:0a:03", "pc3")
        ack = Client4(link, "02:00:00:00:0a:03", options=WANTED).dora()
        assert (ack.yiaddr, ack.option(12)) == ("192.0.2.212", b"pc3")
        omapi.add_group("lab", 'option domain-name "lab.example.org"; filename "pxe.0"; next-server 192.0.2.9;')
        omapi.add_host_with_group("192.0.2.213", "02:00:00:00:0a:04", "lab")
        ack = Client4(link, "02:00:00:00:0a:04", options=WANTED).dora()
        assert (ack.yiaddr, ack.option(15), ack.file, ack.siaddr) == ("192.0.2.213", b"lab.example.org", b"pxe.0", "192.0.2.9")
        with pytest.raises(pypureomapi.OmapiError, match="changing group"):
            omapi.change_group("pc3", "lab")
        ack = Client4(link, "02:00:00:00:0a:03", options=WANTED).dora()
        # As in dhcpd, a group takes the place of a host's own statements.
        assert (ack.yiaddr, ack.option(15), ack.option(12)) == ("192.0.2.212", b"lab.example.org", None)
        omapi.add_host_supersede("192.0.2.214", "02:00:00:00:0a:05", "pc5", statements="deny booting;")
        with pytest.raises(NoAnswer):
            Client4(link, "02:00:00:00:0a:05").discover(timeout=1)
        omapi.add_host_without_ip("02:00:00:00:0a:06")
        assert Client4(link, "02:00:00:00:0a:06").dora().yiaddr.startswith("192.0.2.1")


def test_a_lease_is_freed(link, tmp_path):
    with Served(tmp_path) as kea, Bridge(tmp_path) as bridge:
        lease(link)
        omapi = client(bridge.port)
        found = pypureomapi.OmapiMessage.open(b"lease")
        found.obj.append((b"ip-address", pypureomapi.pack_ip(LEASED)))
        free = pypureomapi.OmapiMessage.update(omapi.query_server(found).handle)
        free.update_object({b"ends": number(1)})
        assert omapi.query_server(free).opcode == 5
        assert omapi.lookup_by_lease(ip=LEASED)["state"] == 1
        free = pypureomapi.OmapiMessage.update(omapi.query_server(found).handle)
        free.update_object({b"state": number(1)})
        assert dict(omapi.query_server(free).message) == {b"result": number(0)}
        assert kea.command("lease4-get", {"ip-address": LEASED})["result"] == 3


def test_kea_may_go_and_come(link, tmp_path):
    kea = Served(tmp_path)
    with Bridge(tmp_path) as bridge:
        omapi = client(bridge.port)
        message = pypureomapi.OmapiMessage.open(b"host")
        message.obj.append((b"name", b"conf1"))
        for _ in range(2):
            answer = dict(omapi.query_server(message).message)
            assert answer == {b"result": number(40), b"message": b"Kea does not answer"}
            with pytest.raises(pypureomapi.OmapiError, match="add failed"):
                omapi.add_host("192.0.2.210", MAC)
            with kea:
                assert omapi.lookup_host("conf1")["ip"] == "192.0.2.201"
                omapi.add_host("192.0.2.210", MAC)
                omapi.del_host(MAC)
            message.generate_tid()


def test_kea_may_hang(link, tmp_path):
    with Served(tmp_path) as kea, Bridge(tmp_path) as bridge:
        omapi = client(bridge.port, timeout=30)
        omapi.lookup_host("conf1")
        kea.process.send_signal(signal.SIGSTOP)
        try:
            message = pypureomapi.OmapiMessage.open(b"host")
            message.obj.append((b"name", b"conf1"))
            assert dict(omapi.query_server(message).message)[b"message"] == b"Kea does not answer"
        finally:
            kea.process.send_signal(signal.SIGCONT)
        assert omapi.lookup_host("conf1")["ip"] == "192.0.2.201"


def test_ipv6_and_several_listeners(link, tmp_path):
    with Served(tmp_path), Bridge(tmp_path, "--listen", "[::1]:7913", "--listen", "127.0.0.2:7914", key="") as bridge:
        for family, address in ((socket.AF_INET6, ("::1", 7913)), (socket.AF_INET, ("127.0.0.2", 7914))):
            with socket.socket(family) as connection:
                connection.settimeout(5)
                connection.connect(address)
                assert connection.recv(8) == number(100) + number(24)
        assert client(bridge.port, None, None).lookup_host("conf1")["ip"] == "192.0.2.201"
        # As at a dhcpd that has no key.
        with pytest.raises(pypureomapi.OmapiError, match="non-update"):
            client(bridge.port)


def test_what_kea_lacks_is_named(link, tmp_path):
    kea = Served(tmp_path)
    kea.configure({"subnet4": [{"id": 1, "subnet": "192.0.2.0/24"}]})
    with kea, Bridge(tmp_path) as bridge:
        omapi = client(bridge.port)
        with pytest.raises(pypureomapi.OmapiError):
            omapi.add_host("192.0.2.210", MAC)
        for text in (r"no lease4-get, .*: they come with libdhcp_lease_cmds.so", r"no reservation-add, .*: they come with kea-hook-res",
                     r"no command reservation-\S+: it comes with kea-hook-reservations.so", "no \"reservations-global\"", "no \"hosts-database\""):
            wait_until(lambda: re.search(text, bridge.log()), text)


def test_a_new_subnet_is_known_at_once(link, tmp_path):
    with Served(tmp_path) as kea, Bridge(tmp_path) as bridge:
        omapi = client(bridge.port)
        with pytest.raises(pypureomapi.OmapiError):
            omapi.add_host("198.51.100.10", MAC)
        config = json.loads(kea.config_file.read_text())["Dhcp4"]
        config["subnet4"].append({"id": 2, "subnet": "198.51.100.0/24", "pools": [{"pool": "198.51.100.100-198.51.100.110"}]})
        answer = kea.command("config-set", {"Dhcp4": config})
        assert answer["result"] == 0, answer
        omapi.add_host("198.51.100.10", MAC)
        assert kea.host(MAC)["subnet-id"] == 2
        assert omapi.lookup_by_lease(ip="198.51.100.100")["state"] == 1


def test_a_host_goes_to_another_subnet(link, tmp_path):
    subnets = [{"id": id, "subnet": f"192.0.{id}.0/24", "pools": []} for id in (2, 3)]
    with Served(tmp_path, subnets) as kea, Bridge(tmp_path) as bridge:
        omapi = client(bridge.port)
        omapi.add_host_supersede("192.0.2.10", MAC, "pc1", hostname="pc1")
        message = pypureomapi.OmapiMessage.open(b"host")
        message.obj.append((b"name", b"pc1"))
        handle = omapi.query_server(message).handle
        for address, subnet in (("192.0.3.10", 3), ("192.0.2.11", 2)):
            change = pypureomapi.OmapiMessage.update(handle)
            change.update_object({b"ip-address": pypureomapi.pack_ip(address)})
            assert dict(omapi.query_server(change).message) == {b"result": number(0)}
            host = kea.host(MAC)
            assert (host["subnet-id"], host["ip-address"], host["hostname"]) == (subnet, address, "pc1")
        change = pypureomapi.OmapiMessage.update(handle)
        change.update_object({b"ip-address": b""})
        omapi.query_server(change)
        host = kea.host(MAC)
        assert host["subnet-id"] == 0 and "ip-address" not in host
        assert (tmp_path / "state/redo").read_text() == "null"


def test_a_group_that_is_made_anew_is_in_its_hosts(link, tmp_path):
    """Also of hosts whose rewriting was cut off: the next start makes them agree."""
    with Served(tmp_path) as kea, Bridge(tmp_path) as bridge:
        omapi = client(bridge.port)
        omapi.add_group("lab", "option routers 192.0.2.254;")
        for number_ in range(20):
            omapi.add_host_with_group(f"192.0.2.{130 + number_}", f"02:00:00:00:0b:{number_:02x}", "lab")

        def routers():
            return {option["data"] for host in kea.hosts() for option in host["option-data"] if option["code"] == 3}
        assert routers() == {"C00002FE"}
        message = pypureomapi.OmapiMessage.open(b"group")
        message.obj.append((b"name", b"lab"))
        omapi.query_server(pypureomapi.OmapiMessage.delete(omapi.query_server(message).handle))
        assert routers() == {"C00002FE"}
        omapi.add_group("lab", "option routers 192.0.2.253;")
        assert routers() == {"C00002FD"}
        bridge.kill()
        (tmp_path / "state/groups").write_text(json.dumps({"lab": "option routers 192.0.2.252;"}))
        bridge.start()
        client(bridge.port).add_host_without_ip(MAC)
        assert routers() == {"C00002FC"}


def test_odd_names_and_values(link, tmp_path):
    """What a client may name a host comes back as it was; what Kea could not keep is refused, and nothing is left of it."""
    names = ["größe", 'a"b', "a\\b", "a/b", "日本 👍", "x" * 255, "\u00e9\u202e", "ends with é"]
    with Served(tmp_path) as kea, Bridge(tmp_path) as bridge:
        omapi = client(bridge.port)

        def made(name, mac=MAC, **more):
            message = pypureomapi.OmapiMessage.open(b"host")
            message.message += [(b"create", number(1))]
            message.obj += [(b"name", name), (b"hardware-address", mac)]
            message.obj += [(key.replace("_", "-").encode(), value) for key, value in more.items()]
            return dict(omapi.query_server(message).message)
        for serial, name in enumerate(names):
            mac = bytes([2, 0, 0, 0, 0x0e, serial])
            statements = f"# {name}\n\toption host-name \"größe\";\r\n".encode()
            assert made(name.encode(), mac, statements=statements) == {}
            found = omapi.lookup_by_host(name=name)
            assert (found["name"].decode(), found["hardware-address"]) == (name, pypureomapi.unpack_mac(mac))
            context = kea.host(found["hardware-address"])["user-context"]["omapi"]
            # Kea writes what is not ASCII byte by byte.
            assert context["statements"].encode("latin1") == statements
            omapi.del_host(found["hardware-address"])
        before = kea.hosts()
        for name, mac, more in [(b"\xff", b"\2\0\0\0\0\1", {}), (b"a\0b", b"\2\0\0\0\0\1", {}), (b"a\nb", b"\2\0\0\0\0\1", {}),
                                (b"long", b"\2" * 21, {}), (b"none", b"", {}), (b"v6", b"\2" * 6, {"ip_address": b"\x20" * 16}),
                                (b"s", b"\2" * 6, {"statements": b"option host-name \"\xff\";"}),
                                (b"s", b"\2" * 6, {"statements": b"option host-name \"a\0\";"}),
                                (b"ip", b"\2" * 6, {"ip_address": b"\0" * 4}), (b"ip", b"\2" * 6, {"ip_address": b"\xff" * 4})]:
            assert made(name, mac, **more)[b"result"] != number(0), (name, mac, more)
        assert kea.hosts() == before
        assert made(b"eui", b"\2" * 20) == {} and omapi.lookup_host("conf1")


def test_a_group_that_kea_refuses_stops_nobody(link, tmp_path):
    """Kea reads these bytes as an option of vendors, and does not understand them."""
    with Served(tmp_path) as kea, Bridge(tmp_path) as bridge:
        omapi = client(bridge.port)
        omapi.add_group("lab", "option routers 192.0.2.254;")
        omapi.add_host_with_group("192.0.2.130", MAC, "lab")
        message = pypureomapi.OmapiMessage.open(b"group")
        message.obj.append((b"name", b"lab"))
        omapi.query_server(pypureomapi.OmapiMessage.delete(omapi.query_server(message).handle))
        omapi.add_group("lab", "option vivso 01;")
        assert "C00002FE" in json.dumps(kea.host(MAC)) and f"{omapi.lookup_host_host(MAC)['name']} the first of them" in bridge.log()
        with pytest.raises(pypureomapi.OmapiError, match="add failed"):
            omapi.add_host_with_group("192.0.2.131", "02:00:00:00:0b:01", "lab")
        omapi.add_host("192.0.2.132", "02:00:00:00:0b:02")
        bridge.kill()
        bridge.start()
        client(bridge.port).add_host("192.0.2.133", "02:00:00:00:0b:03")
