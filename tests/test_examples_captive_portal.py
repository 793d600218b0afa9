"""examples/captive-portal: who is not signed in gets the portal's pool, a short lease and its address."""

import contextlib
import re
import sqlite3

import pytest

from rig.configs import THREADS
from rig.dhcp4 import ACK, CLIENT_ID, DISCOVER, HOSTNAME, NAK, Client4, NoAnswer
from rig.examples import EXAMPLES, MODES, example
from rig.kea import Kea
from rig.wait import wait_until

pytestmark = MODES

GUEST, MEMBER = "02:00:5e:10:00:0a", "02:00:5e:10:00:01"
PARAMETER_REQUEST, CAPTIVE_PORTAL = 55, 114
PORTAL = (True, 120, b"https://portal.example.org/api")
OPEN = (False, 7200, None)


@pytest.fixture
def database(tmp_path):
    """The database, made as README.md says, with what it says there."""
    create, insert = re.findall("sqlite3 clients.db (?:'(.*)'|\"(.*)\")", readme())
    with contextlib.closing(sqlite3.connect(tmp_path / "clients.db", isolation_level=None)) as database:
        database.execute(create[0])
        database.execute(insert[1])
        yield database


def readme():
    return (EXAMPLES / "captive-portal" / "README.md").read_text()


def config(tmp_path, mode, timeout=None, **overrides):
    whole = example("captive-portal", "kea-dhcp4.conf", mode, [tmp_path / "clients.db"], **overrides)
    [point] = whole["hooks-libraries"][0]["parameters"]["hook-points"]
    point["timeout"] = timeout or point["timeout"]
    return whole


def sign_in(database, mac, seconds):
    database.execute("INSERT OR REPLACE INTO signed_in VALUES (?, unixepoch() + ?)", [mac, seconds])


def client(link, mac, options=(), **how):
    return Client4(link, mac, options=[(PARAMETER_REQUEST, bytes([1, CAPTIVE_PORTAL])), *options], **how)


def seen(message):
    """Whether the address is of the portal's pool, the lease's time, and where to sign in."""
    assert message.type == ACK
    return int(message.yiaddr.rpartition(".")[2]) >= 200, message.lease_time, message.option(CAPTIVE_PORTAL)


def answered(someone, timeout=1.5):
    try:
        return someone.dora(timeout=timeout)
    except NoAnswer:
        return None


@pytest.mark.parametrize("threads", [{}, THREADS], ids=["single", "threads"])
def test_guests_and_members(link, tmp_path, database, mode, threads):
    sign_in(database, "02:00:5E:10:00:0C", 3600)
    sign_in(database, "02:00:5e:10:00:0d", 0)
    with Kea(4, config(tmp_path, mode, **threads), tmp_path) as kea:
        assert seen(client(link, GUEST).dora()) == PORTAL
        assert seen(client(link, MEMBER).dora()) == OPEN
        assert seen(client(link, "02:00:5e:10:00:0c").dora()) == OPEN
        # Its time is over.
        assert seen(client(link, "02:00:5e:10:00:0d").dora()) == PORTAL
        assert kea.status()["failures"] == kea.status()["refused"] == 0


def test_a_guest_signs_in(link, tmp_path, database, mode):
    with Kea(4, config(tmp_path, mode), tmp_path):
        guest = client(link, GUEST)
        assert seen(guest.dora()) == PORTAL
        sign_in(database, GUEST, 3600)
        # At its next renewal it gets another address, or none and asks anew.
        answer = guest.renew()
        assert seen(guest.dora() if answer.type == NAK else answer) == OPEN
        sign_in(database, GUEST, 0)
        answer = guest.renew()
        assert seen(guest.dora() if answer.type == NAK else answer) == PORTAL


def test_a_database_that_is_locked(link, tmp_path, database, mode):
    """The script's own time is up first: Kea hears why."""
    with Kea(4, config(tmp_path, mode), tmp_path) as kea:
        database.execute("BEGIN EXCLUSIVE")
        assert not answered(client(link, MEMBER))
        assert "database is locked" in kea.log()
        assert (kea.status()["failures"] >= 1, kea.status()["timeouts"]) == (True, 0)
        database.execute("COMMIT")
        assert seen(client(link, MEMBER).dora()) == OPEN


def test_a_database_that_is_locked_for_a_moment(link, tmp_path, database, mode):
    with Kea(4, config(tmp_path, mode, timeout=5000), tmp_path) as kea:
        database.execute("BEGIN EXCLUSIVE")
        member = client(link, MEMBER)
        discover = member.message(DISCOVER)
        member.send(discover)
        with pytest.raises(NoAnswer):
            member.wire.receive(discover.xid, timeout=0.2)
        database.execute("COMMIT")
        assert member.wire.receive(discover.xid).yiaddr.startswith("192.0.2.")
        assert kea.status()["failures"] == 0


def test_a_script_that_is_too_slow(link, tmp_path, database, mode):
    """The hook point's time is up first: Kea waits no longer, whatever the script does."""
    with Kea(4, config(tmp_path, mode, timeout=300), tmp_path) as kea:
        database.execute("BEGIN EXCLUSIVE")
        assert not answered(client(link, MEMBER), 0.6)
        assert kea.status()["timeouts"] >= 1
        database.execute("COMMIT")
        member = client(link, MEMBER)
        assert seen(wait_until(lambda: answered(member, 0.6), "an answer")) == OPEN


@pytest.mark.parametrize("content", [None, b"no database" * 100])
def test_without_a_database_nobody_gets_past_the_portal(link, tmp_path, mode, content):
    if content:
        (tmp_path / "clients.db").write_bytes(content)
    with Kea(4, config(tmp_path, mode), tmp_path) as kea:
        assert not answered(client(link, MEMBER))
        assert kea.status()["failures"] >= 1
        assert (tmp_path / "clients.db").exists() == bool(content)


def test_who_has_no_address_is_refused(link, tmp_path, database, mode):
    """Whatever the portal has written."""
    sign_in(database, "", 3600)
    with Kea(4, config(tmp_path, mode), tmp_path) as kea:
        assert not answered(client(link, "", client_id=b"\0nameless"), 0.7)
        assert seen(client(link, MEMBER).dora()) == OPEN
        assert kea.status()["failures"] == 0


def test_what_a_client_says_changes_nothing(link, tmp_path, database, mode):
    said = b"' OR 1=1; DROP TABLE signed_in; --\"\n.quit\0\\\xff"
    with Kea(4, config(tmp_path, mode), tmp_path) as kea:
        options = [(CLIENT_ID, b"\0" + said), (HOSTNAME, said), (60, said)]
        assert seen(client(link, GUEST, options).dora()) == PORTAL
        assert seen(client(link, MEMBER).dora()) == OPEN
        assert kea.status()["failures"] == kea.status()["refused"] == 0
