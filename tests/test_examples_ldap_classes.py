"""examples/ldap-classes: the class and the boot file that a client's entry in a real OpenLDAP names."""

import json
import os
import re
import subprocess

import pytest

from rig.configs import THREADS
from rig.dhcp4 import ACK, CLIENT_ID, HOSTNAME, Client4, NoAnswer
from rig.examples import EXAMPLES, MODES, example
from rig.kea import Kea
from rig.ldap import Slapd

FOLDER = EXAMPLES / "ldap-classes"
README = (FOLDER / "README.md").read_text()
IN_THE_README, OTHER, STRANGER = "02:00:5e:10:00:01", "02:00:5e:10:00:0a", "02:00:5e:10:00:0b"
NAME = "cn=lobby-7,ou=devices,dc=example,dc=org"
NAME_SERVERS = 6
LOBBY = (600, bytes([192, 0, 2, 53]), b"/pxe/lobby.0")
NOTHING = (7200, None, b"")


def has_python_ldap():
    return subprocess.run(["/usr/bin/python3", "-c", "import ldap"], capture_output=True).returncode == 0


pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not (Slapd.can_run() and has_python_ldap()), reason="it takes slapd, ldap-utils and python3-ldap"),
]


@pytest.fixture(params=MODES.args[1])
def mode(request):
    return request.param


@pytest.fixture
def slapd(tmp_path):
    """With the entry that README.md shows."""
    [entry] = re.findall(r"(?:^    \w+: .*\n)+", README, re.M)
    with Slapd(tmp_path) as slapd:
        slapd.add(re.sub("^    ", "", entry, flags=re.M))
        yield slapd


def serve(tmp_path, mode, uri=Slapd.uri, **overrides):
    return Kea(4, example("ldap-classes", "kea-dhcp4.conf", mode, [uri, Slapd.base], **overrides), tmp_path)


def device(name, address, *lines):
    kinds = "objectClass: device\nobjectClass: ieee802Device\nobjectClass: bootableDevice"
    return "\n".join([f"dn: cn={name},{Slapd.base}", kinds, f"cn: {name}", f"macAddress: {address}", *lines])


def client(link, mac, options=()):
    return Client4(link, mac, options=[(55, bytes([NAME_SERVERS])), *options])


def seen(message):
    """How long the lease is, which name server the client is told, and which file."""
    return message.lease_time, message.option(NAME_SERVERS), message.file


def changed(kea):
    """As README.md says, for whoever cannot wait ten seconds."""
    assert kea.command("runscript-forget")["result"] == 0


def all_is_well(kea):
    return kea.status()["failures"] == kea.status()["refused"] == 0


@pytest.mark.parametrize("threads", [{}, THREADS], ids=["single", "threads"])
def test_what_the_readme_shows(link, tmp_path, slapd, mode, threads):
    with serve(tmp_path, mode, **threads) as kea:
        one = client(link, IN_THE_README)
        offer = one.discover()
        for message in offer, one.request(offer), one.renew(), one.reboot():
            assert seen(message) == LOBBY
        assert seen(client(link, STRANGER).dora()) == NOTHING
        assert all_is_well(kea)


def test_an_entry_that_is_new_changed_and_deleted(link, tmp_path, slapd, mode):
    with serve(tmp_path, mode) as kea:
        one = client(link, OTHER)
        assert seen(one.dora()) == NOTHING
        slapd.add(device("other", OTHER.upper(), "ou: lobby"))
        changed(kea)
        assert seen(one.renew()) == (*LOBBY[:2], b"")
        slapd.change(f"dn: cn=other,{slapd.base}\nchangetype: modify\ndelete: ou\n-\nadd: bootFile\nbootFile: /pxe/other.0\n")
        changed(kea)
        assert seen(one.renew()) == (*NOTHING[:2], b"/pxe/other.0")
        slapd.delete(f"cn=other,{slapd.base}")
        changed(kea)
        assert seen(one.renew()) == NOTHING
        assert all_is_well(kea)


def test_several_classes_and_odd_words(link, tmp_path, slapd, mode):
    slapd.add(device("other", OTHER, "ou: lobby", "ou: für Gäste", "bootFile: pxe/a,b :c (*)\\d'\"$(id).0"))
    classes = [{"name": "lobby", "valid-lifetime": 600},
               {"name": "für Gäste", "option-data": [{"name": "domain-name-servers", "data": "192.0.2.53"}]}]
    with serve(tmp_path, mode, client_classes=classes) as kea:
        assert seen(client(link, OTHER).dora()) == (*LOBBY[:2], b"pxe/a,b :c (*)\\d'\"$(id).0")
        assert all_is_well(kea)


def test_a_pool_that_asks_for_the_class(link, tmp_path, slapd, mode):
    pool = {"pool": "192.0.2.10 - 192.0.2.20", "client-class": "lobby"}
    with serve(tmp_path, mode, subnet4=[{"id": 1, "subnet": "192.0.2.0/24", "pools": [pool]}]):
        with pytest.raises(NoAnswer):
            client(link, STRANGER).discover(timeout=0.5)
        assert seen(client(link, IN_THE_README).dora()) == LOBBY


def test_a_server_that_is_down_and_comes_back(link, tmp_path, slapd, mode):
    with serve(tmp_path, mode) as kea:
        one = client(link, IN_THE_README)
        assert seen(one.dora()) == LOBBY
        slapd.stop()
        # What was said a moment ago.
        assert seen(one.renew()) == LOBBY
        assert seen(client(link, STRANGER).dora()) == NOTHING
        assert "Can't contact LDAP server" in kea.log()
        kea.stop()
        kea.start()
        ack = one.renew()
        assert (ack.type, seen(ack)) == (ACK, NOTHING)
        slapd.start()
        slapd.change(f"dn: {NAME}\nchangetype: modify\nreplace: bootFile\nbootFile: /pxe/new.0\n")
        assert seen(one.renew()) == (*LOBBY[:2], b"/pxe/new.0")


def test_a_server_that_hangs(link, tmp_path, slapd, mode):
    """The script's own time is up first: Kea hears why."""
    with serve(tmp_path, mode) as kea:
        one = client(link, IN_THE_README)
        assert seen(one.dora()) == LOBBY
        slapd.hang()
        # What was said a moment ago.
        assert seen(one.renew()) == LOBBY
        assert seen(client(link, STRANGER).discover()) == NOTHING
        assert {"exec": "ldapsearch ended with 124", "daemon": "TIMEOUT"}[mode] in kea.log()
        assert (kea.status()["failures"], kea.status()["timeouts"]) == (1, 0)
        slapd.go_on()
        slapd.delete(NAME)
        changed(kea)
        assert seen(one.renew()) == NOTHING


def test_a_server_that_is_nowhere(link, tmp_path, mode):
    """Nobody says that it is not there."""
    with serve(tmp_path, mode, "ldap://192.0.2.9:3890") as kea:
        assert seen(client(link, OTHER).discover()) == NOTHING
        assert (kea.status()["failures"], kea.status()["timeouts"]) == (1, 0)


def test_two_entries_are_an_error(link, tmp_path, slapd, mode):
    slapd.add(device("other", IN_THE_README))
    with serve(tmp_path, mode) as kea:
        assert seen(client(link, IN_THE_README).discover()) == NOTHING
        assert kea.status()["failures"] == 1
        assert "ize limit exceeded" in kea.log()


def test_what_a_client_says_changes_nothing(link, tmp_path, slapd, mode):
    said = b"*)(macAddress=*))(|(cn=*\0\\\xff"
    with serve(tmp_path, mode) as kea:
        options = [(CLIENT_ID, b"\0" + said), (HOSTNAME, said), (60, said)]
        assert seen(client(link, STRANGER, options).dora()) == NOTHING
        assert seen(client(link, said[:16].hex(":"), options).dora()) == NOTHING
        assert seen(client(link, IN_THE_README, options).dora()) == LOBBY
        assert all_is_well(kea)


@pytest.mark.parametrize("who", ["*", "02*", "*)(cn=*", "x)(|(macAddress=*)", "\\2a"])
def test_identifiers_that_are_none(tmp_path, slapd, mode, who):
    """Kea gives no such variables: the script does not rely on it."""
    variables = {"KEA_QUERY4_HWADDR": who}
    arguments = [slapd.uri, slapd.base]
    if mode == "exec":
        command, lines = [FOLDER / "ldap-classes.sh", "subnet4_select", *arguments], ""
    else:
        command = [FOLDER / "ldap-classes.py", *arguments]
        lines = json.dumps({"hello": 1}) + "\n" + json.dumps({"seq": 7, "hook": "subnet4_select", "vars": variables})
    done = subprocess.run(command, input=lines, env={**os.environ, **variables}, capture_output=True, text=True)
    if mode == "exec":
        assert (done.returncode, done.stdout) == (1, "")
    else:
        assert json.loads(done.stdout.splitlines()[1]) == {"seq": 7, "keep-for": 10, "reservation": None}


@pytest.mark.parametrize("said", ["*", "lobby-*", "x)(cn=*", "(\\2a)", "\\", "a b'\"$(id)"])
def test_the_line_that_escapes(slapd, said):
    """As README.md has it: what it makes finds what is called just that, and nothing else."""
    [line] = re.findall("^    (escaped=.*)$", README, re.M)
    command = ["sh", "-c", f'said=$1\n{line}\nprintf %s "$escaped"', "sh", said]
    escaped = subprocess.run(command, capture_output=True, text=True).stdout
    assert slapd.names(f"(cn={escaped})") == []
    slapd.change(f"dn: {NAME}\nchangetype: modify\nadd: cn\ncn: {said}\n")
    assert slapd.names(f"(cn={escaped})") == [NAME]


def test_who_has_no_address_is_not_looked_up(link, tmp_path, mode):
    """There is no server: it is not asked."""
    with serve(tmp_path, mode) as kea:
        assert seen(Client4(link, "", client_id=b"\0nameless").dora()) == NOTHING
        assert all_is_well(kea)
