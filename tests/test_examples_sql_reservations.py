"""examples/sql-reservations: what a database's row says is reserved when Kea asks again."""

import contextlib
import csv
import json
import os
import re
import sqlite3
import subprocess
from ipaddress import ip_address

import pytest

from rig.configs import THREADS
from rig.dhcp4 import CLIENT_ID, DISCOVER, HOSTNAME, NAK, Client4, NoAnswer
from rig.dhcp6 import OPTION_REQUEST
from rig.examples import EXAMPLES, MODES, example
from rig.kea import Kea
from rig.reserver import client

pytestmark = MODES

FOLDER = EXAMPLES / "sql-reservations"
FAMILIES = pytest.mark.parametrize("family", [4, 6])
# The first two are in no pool, the third is.
FIRST = {4: "192.0.2.11", 6: "2001:db8:1::11"}
SECOND = {4: "192.0.2.12", 6: "2001:db8:1::12"}
IN_A_POOL = {4: "192.0.2.150", 6: "2001:db8:1::1050"}
# The pools' first addresses.
POOL = {4: ip_address("192.0.2.100"), 6: ip_address("2001:db8:1::1000")}
PARAMETER_REQUEST, ROUTERS, BOOT_URL = 55, 3, 59


class Hosts(sqlite3.Connection):
    """The database, made as README.md says, with what it says there."""

    def put(self, asking, address):
        table = "hosts4 (hw_address" if isinstance(asking, Client4) else "hosts6 (duid"
        self.execute(f"INSERT OR REPLACE INTO {table}, address) VALUES (?, ?)", [asking.name, address])

    def remove(self, asking):
        self.execute("DELETE FROM hosts4 WHERE hw_address = ?", [asking.name])
        self.execute("DELETE FROM hosts6 WHERE duid = ?", [asking.name])


@pytest.fixture
def hosts(tmp_path):
    commands = re.findall(r'^    (sqlite3 hosts\.db "(?:[^"\\]|\\.)*")$', (FOLDER / "README.md").read_text(), re.M)
    assert len(commands) == 4
    for command in commands:
        subprocess.run(["sh", "-c", command], cwd=tmp_path, check=True)
    connection = sqlite3.connect(tmp_path / "hosts.db", isolation_level=None, factory=Hosts)
    with contextlib.closing(connection) as hosts:
        yield hosts


def serve(tmp_path, mode, family=4, timeout=None, **overrides):
    config = example("sql-reservations", f"kea-dhcp{family}.conf", mode, [tmp_path / "hosts.db"], **overrides)
    [point] = config["hooks-libraries"][0]["parameters"]["hook-points"]
    point["timeout"] = timeout or point["timeout"]
    return Kea(family, config, tmp_path)


def changed(kea):
    """As README.md says, for whoever cannot wait ten seconds."""
    assert kea.command("runscript-forget")["result"] == 0


def all_is_well(kea):
    return kea.status()["failures"] == kea.status()["refused"] == 0


def from_the_pool(family, addresses):
    [address] = addresses
    return ip_address(address) >= POOL[family]


@pytest.mark.parametrize("threads", [{}, THREADS], ids=["single", "threads"])
def test_what_the_readme_shows(link, tmp_path, hosts, mode, threads):
    printer = Client4(link, "02:00:5e:10:00:01", hostname="its-own", options=[(PARAMETER_REQUEST, bytes([ROUTERS]))])
    with serve(tmp_path, mode, **threads) as kea:
        offer = printer.discover()
        for message in offer, printer.request(offer), printer.renew(), printer.reboot():
            assert (message.yiaddr, message.file, message.option(ROUTERS)) == ("192.0.2.10", b"/pxe/printer.0", bytes([192, 0, 2, 1]))
        assert message.option(HOSTNAME) == b"printer"
        assert from_the_pool(4, client(link, 4).joins())
        assert all_is_well(kea)


@pytest.mark.parametrize("threads", [{}, THREADS], ids=["single", "threads"])
def test_what_the_readme_shows_of_dhcpv6(link, tmp_path, hosts, mode, threads):
    with client(link, 6, duid=bytes.fromhex("0003000102005e100001")) as printer, serve(tmp_path, mode, 6, **threads) as kea:
        printer.options = [(OPTION_REQUEST, bytes([0, BOOT_URL]))]
        advertise = printer.solicit()
        for message in advertise, printer.request(advertise), printer.renew():
            assert (message.leases, message.option(BOOT_URL)) == (["2001:db8:1::10"], b"tftp://[2001:db8::5]/printer.efi")
        with open(kea.lease_file) as file:
            assert [row["hostname"] for row in csv.DictReader(file)][-1] == "printer"
        with client(link, 6, 2) as stranger:
            assert from_the_pool(6, stranger.joins())
        assert all_is_well(kea)


@FAMILIES
def test_a_row_that_is_new_changed_and_deleted(link, tmp_path, hosts, mode, family):
    one = client(link, family)
    with serve(tmp_path, mode, family) as kea:
        assert from_the_pool(family, one.joins())
        for address in FIRST, SECOND, IN_A_POOL:
            hosts.put(one, address[family])
            changed(kea)
            if family == 4:
                # The address that it has is not its own any more.
                assert one.renew().type == NAK
            else:
                assert one.renews() == [address[6]]
            assert one.offered() == [address[family]]
            assert one.joins() == [address[family]] == one.renews()
        hosts.put(one, FIRST[family])
        changed(kea)
        assert one.joins() == [FIRST[family]]
        hosts.remove(one)
        changed(kea)
        assert from_the_pool(family, one.offered())
        assert all_is_well(kea)


@FAMILIES
@pytest.mark.parametrize("content", [None, b"no database" * 100], ids=["missing", "broken"])
def test_without_a_database_clients_keep_what_they_have(link, tmp_path, hosts, mode, family, content):
    one, two = client(link, family), client(link, family, 2)
    hosts.put(one, FIRST[family])
    hosts.put(two, SECOND[family])
    database, aside = tmp_path / "hosts.db", tmp_path / "aside"
    with serve(tmp_path, mode, family) as kea:
        assert one.joins() == [FIRST[family]]
        database.rename(aside)
        if content:
            database.write_bytes(content)
        # Kea knows no reservation then, but the lease.
        kea.stop()
        kea.start()
        assert one.renews() == [FIRST[family]] == one.offered()
        assert from_the_pool(family, two.offered())
        assert kea.status()["failures"] >= 3
        assert database.exists() == bool(content)
        aside.rename(database)
        assert two.joins() == [SECOND[family]]


def test_a_database_that_is_locked(link, tmp_path, hosts, mode):
    """The script's own time is up first: Kea hears why."""
    one = client(link, 4)
    hosts.put(one, FIRST[4])
    with serve(tmp_path, mode, timeout=5000) as kea:
        assert one.joins() == [FIRST[4]]
        hosts.execute("BEGIN EXCLUSIVE")
        # Nobody looks: that is what was said a moment ago.
        assert one.renews() == [FIRST[4]]
        assert from_the_pool(4, client(link, 4, 2).offered())
        assert "database is locked" in kea.log()
        assert (kea.status()["failures"], kea.status()["timeouts"]) == (1, 0)
        hosts.execute("COMMIT")
        hosts.put(one, SECOND[4])
        changed(kea)
        assert one.joins() == [SECOND[4]]


def test_a_database_that_is_locked_for_a_moment(link, tmp_path, hosts, mode):
    one = client(link, 4)
    hosts.put(one, FIRST[4])
    with serve(tmp_path, mode, timeout=5000) as kea:
        hosts.execute("BEGIN EXCLUSIVE")
        discover = one.message(DISCOVER)
        one.send(discover)
        with pytest.raises(NoAnswer):
            one.wire.receive(discover.xid, timeout=0.2)
        hosts.execute("COMMIT")
        assert one.wire.receive(discover.xid).yiaddr == FIRST[4]
        assert all_is_well(kea)


def test_a_row_that_kea_refuses(link, tmp_path, hosts, mode):
    one = client(link, 4)
    hosts.put(one, "198.51.100.1")
    with serve(tmp_path, mode) as kea:
        assert from_the_pool(4, one.joins())
        [refused] = kea.said("ANSWER_REFUSED")
        assert "is not of 192.0.2.0/24" in refused
        hosts.put(one, FIRST[4])
        assert one.joins() == [FIRST[4]]


SAID = b"' OR 1=1; DROP TABLE hosts4; --\"\n.quit\0\\\xff"


def test_what_a_client_says_changes_nothing(link, tmp_path, hosts, mode):
    with serve(tmp_path, mode) as kea:
        options = [(CLIENT_ID, b"\0" + SAID), (HOSTNAME, SAID), (60, SAID)]
        assert from_the_pool(4, [Client4(link, "02:00:00:00:51:01", options=options).dora().yiaddr])
        assert from_the_pool(4, [Client4(link, SAID[:16].hex(":"), options=options).dora().yiaddr])
        assert Client4(link, "02:00:5e:10:00:01", options=options).dora().yiaddr == "192.0.2.10"
        assert all_is_well(kea)


def test_a_duid_of_any_bytes(link, tmp_path, hosts, mode):
    with client(link, 6, duid=b"\0\2" + SAID) as one, serve(tmp_path, mode, 6) as kea:
        assert from_the_pool(6, one.joins())
        hosts.put(one, FIRST[6])
        changed(kea)
        assert one.joins() == [FIRST[6]]
        assert all_is_well(kea)


def test_identifiers_that_are_none(mode, tmp_path, hosts):
    """Kea gives no such variables: the script does not rely on it."""
    for who in "' OR 1=1 --", "x' OR hw_address LIKE '%", "02:00:5e:10:00:01'--", "02:00:5e:10:00:01\n":
        variables = {"KEA_QUERY4_HWADDR": who}
        if mode == "exec":
            command, lines = [FOLDER / "sql-reservations.sh", "subnet4_select", tmp_path / "hosts.db"], ""
        else:
            command = [FOLDER / "sql-reservations.py", tmp_path / "hosts.db"]
            lines = json.dumps({"hello": 1}) + "\n" + json.dumps({"seq": 7, "hook": "subnet4_select", "vars": variables})
        done = subprocess.run(command, input=lines, env={**os.environ, **variables}, capture_output=True, text=True)
        if mode == "exec":
            assert (done.returncode, done.stdout) == (1, "")
        else:
            assert json.loads(done.stdout.splitlines()[1]) == {"seq": 7, "keep-for": 10, "reservation": None}


def test_who_has_no_address_is_not_looked_up(link, tmp_path, hosts, mode):
    hosts.execute("INSERT INTO hosts4 (hw_address, address) VALUES ('', ?)", [FIRST[4]])
    with serve(tmp_path, mode) as kea:
        assert from_the_pool(4, [Client4(link, "", client_id=b"\0nameless").dora().yiaddr])
        assert all_is_well(kea)


def test_another_duid_takes_nothing_back(link, tmp_path, hosts, mode):
    """With the same hardware address in it, by which Kea would know both if nobody told it."""
    one = client(link, 6)
    own = one.duid
    hosts.put(one, FIRST[6])
    with serve(tmp_path, mode, 6):
        assert one.offered() == [FIRST[6]]
        one.duid = b"\0\1\0\1\0\0\0\0" + own[4:]
        assert from_the_pool(6, one.offered())
        # What Kea has is all that counts then.
        (tmp_path / "hosts.db").unlink()
        one.duid = own
        assert one.joins() == [FIRST[6]]
