"""Statements as a real dhcpd keeps them: what it writes into dhcpd.leases can be made anew at kea-omapi."""

import re
import shutil

import pytest

from rig.omapi import DHCPD_PORT, Bridge, Served, client, number, recorded_dhcpd
from rig.omapi_messages import asked

pytest.importorskip("pypureomapi", reason="tests/setup fetches it")
pytestmark = pytest.mark.skipif(not shutil.which("dhcpd", path="/usr/sbin"), reason="dhcpd is not packaged here any more")

STATEMENTS = [
    'option domain-name-servers 192.0.2.1, 192.0.2.2, 192.0.2.3;', "option routers 192.0.2.1, 192.0.2.2, 192.0.2.3, 192.0.2.4;",
    "option static-routes 10.0.0.0 192.0.2.1, 10.1.0.0 192.0.2.1;", "option slp-directory-agent true 192.0.2.1, 192.0.2.2;",
    "option pxe-interface-id 1 2 3;", 'option host-name "pc";', 'option root-path = concat("a", "b", "c");', "option interface-mtu 1500;",
    'filename "pxelinux.0"; next-server 192.0.2.9; server-name "boots";', "next-server = c0:00:02:05;", "deny booting;", "ignore booting;",
    'ddns-hostname "name";', 'option domain-search "a.example", "b.example";', "option unknown-224 1:2:ff;", "option ip-forwarding off;",
]
# Of a host in dhcpd.leases, but for statements.
OTHERS = re.compile(r"\s*(dynamic|deleted|hardware|uid|fixed-address|group)\b")


def made(port, name, serial, text):
    mac = bytes([2, 4, 4, 4, name == "theirs", serial])
    return asked(client(port), "host", create=True, name=f"{name}{serial}".encode(), hardware_address=mac, hardware_type=number(1),
                 statements=text.encode()).get("result", 0)


def test_what_dhcpd_has_written(link, tmp_path):
    with recorded_dhcpd(tmp_path):
        assert [made(DHCPD_PORT, "host", *one) for one in enumerate(STATEMENTS)] == [0] * len(STATEMENTS)
    leases = (tmp_path / "dhcpd.leases").read_text()
    kea = tmp_path / "kea"
    with Served(kea) as server, Bridge(kea) as bridge:
        for serial, text in enumerate(STATEMENTS):
            body = re.search(rf"host host{serial} {{(.*?)\n}}", leases, re.S)[1]
            written = "\n".join(line for line in body.splitlines() if line.strip() and not OTHERS.match(line))
            assert made(bridge.port, "ours", serial, text) == made(bridge.port, "theirs", serial, written) == 0, written
            ours, theirs = (server.host(f"02:04:04:04:0{n}:{serial:02x}") for n in (0, 1))
            for same in ("option-data", "boot-file-name", "next-server", "server-hostname", "client-classes", "hostname"):
                assert ours[same] == theirs[same], (text, written)
