"""examples/known-clients: a registry as Kea's user_chk has it; strangers get another subnet, friends their boot files."""

import json
import re

import pytest

from rig.configs import THREADS
from rig.dhcp4 import ACK, HOSTNAME, NAK, Client4, NoAnswer
from rig.dhcp6 import INFORMATION_REQUEST, REPLY, Client6, Message6
from rig.examples import EXAMPLES, MODES, example
from rig.kea import Kea

pytestmark = MODES

FRIEND, STRANGER = "02:00:5e:10:00:0a", "02:00:5e:10:00:0b"
TFTP_SERVER, BOOT_FILE, BOOT_URL = 66, 67, 59
KNOWN, RESTRICTED = "192.0.2.", "198.51.100."
KNOWN6, RESTRICTED6 = "2001:db8:1::", "2001:db8:2::"


def config(tmp_path, mode, family=4, **overrides):
    return example("known-clients", f"kea-dhcp{family}.conf", mode, [tmp_path / "registry", "2"], **overrides)


def register(tmp_path, *entries, kind="HW_ADDR"):
    """Puts a new registry into the place of the old."""
    lines = [json.dumps({"type": kind, **entry}) for entry in entries]
    (tmp_path / "new").write_text("\n".join([*lines, ""]))
    (tmp_path / "new").rename(tmp_path / "registry")


def nothing_refused(kea):
    assert kea.status()["refused"] == kea.status()["failures"] == 0, kea.said("(?:ANSWER_REFUSED|EVENT_FAILED)")


def boot(message):
    """What a client is told to boot: field `file`, options 67 and 66."""
    return message.file, message.option(BOOT_FILE), message.option(TFTP_SERVER)


@pytest.mark.parametrize("threads", [{}, THREADS], ids=["single", "threads"])
def test_friends_and_strangers(link, tmp_path, mode, threads):
    register(tmp_path, {"id": FRIEND.upper(), "bootfile": r"/pxe/a,b\,c.0", "tftp_server": "tftp.example.org"},
             {"id": "02005e10000c"}, {"id": "02:00:5e:10:00:0d", "tftp_server": "192.0.2.5", "room": "7"})
    with Kea(4, config(tmp_path, mode, **threads), tmp_path) as kea:
        friend = Client4(link, FRIEND)
        offer = friend.discover()
        ack = friend.request(offer)
        for message in offer, ack, friend.renew():
            assert message.yiaddr.startswith(KNOWN)
            assert boot(message) == (rb"/pxe/a,b\,c.0", rb"/pxe/a,b\,c.0", b"tftp.example.org")
        plain, served = Client4(link, "02:00:5e:10:00:0c").dora(), Client4(link, "02:00:5e:10:00:0d").dora()
        assert (plain.yiaddr.startswith(KNOWN), boot(plain)) == (True, (b"", None, None))
        assert (served.yiaddr.startswith(KNOWN), boot(served)) == (True, (b"", None, b"192.0.2.5"))

        stranger = Client4(link, STRANGER)
        for message in stranger.dora(), stranger.renew():
            assert (message.type, message.lease_time) == (ACK, 600)
            assert message.yiaddr.startswith(RESTRICTED) and boot(message) == (b"", None, None)
        nothing_refused(kea)


def test_a_stranger_registers(link, tmp_path, mode):
    default = {"id": "00000000", "bootfile": "/pxe/register.0"}
    register(tmp_path, default)
    with Kea(4, config(tmp_path, mode, authoritative=True), tmp_path) as kea:
        client = Client4(link, STRANGER)
        ack = client.dora()
        assert ack.yiaddr.startswith(RESTRICTED) and boot(ack)[:2] == (b"/pxe/register.0", b"/pxe/register.0")
        register(tmp_path, default, {"id": STRANGER})
        # What Kea makes of a renewal is another matter: the address says which subnet it is of.
        assert client.renew().yiaddr == ack.yiaddr
        nak = client.reboot()
        assert (nak.type, boot(nak)) == (NAK, (b"", None, None))
        ack = client.dora()
        assert ack.yiaddr.startswith(KNOWN) and boot(ack) == (b"", None, None)
        nothing_refused(kea)


def test_dhcpv6(link, tmp_path, mode):
    friend, stranger = b"\0\3\0\1\2\0\x5e\x10\0\x0a", b"\0\2\0\0\x0d\xe9'\"\n$(id)\\\0"
    register(tmp_path, {"id": friend.hex(":"), "bootfile": "tftp://[2001:db8::5]/a"}, {"id": "00000000"}, kind="DUID")
    with Kea(6, config(tmp_path, mode, 6), tmp_path) as kea:
        with Client6(link, duid=friend) as client:
            reply = client.sarr()
            assert reply.leases[0].startswith(KNOWN6) and reply.option(BOOT_URL) == b"tftp://[2001:db8::5]/a"
        with Client6(link, duid=stranger) as client:
            reply = client.sarr()
            assert reply.leases[0].startswith(RESTRICTED6) and reply.option(BOOT_URL) is None
            register(tmp_path, {"id": stranger.hex()}, kind="DUID")
            assert client.sarr().leases[0].startswith(KNOWN6)
        nothing_refused(kea)


@pytest.mark.parametrize("registry", [None, '{ "type": "HW_ADDR", "id": "02005e10000a" }\n{ "type": "HW'])
def test_without_the_registry_nobody_is_served(link, tmp_path, mode, registry):
    if registry:
        (tmp_path / "registry").write_text(registry)
    with Kea(4, config(tmp_path, mode), tmp_path) as kea:
        client = Client4(link, FRIEND)
        with pytest.raises(NoAnswer):
            client.dora(timeout=0.7)
        assert kea.status()["failures"] >= 1
        register(tmp_path, {"id": FRIEND})
        assert client.dora().yiaddr.startswith(KNOWN)


def test_what_a_client_says_changes_nothing(link, tmp_path, mode):
    register(tmp_path, {"id": FRIEND})
    with Kea(4, config(tmp_path, mode), tmp_path) as kea:
        for said in b"'\"; exit 0 #\n\0\\\xff", b'","subnet-id":1,"x":"', b"\n{}\n":
            options = [(HOSTNAME, said), (60, said), (61, b"\0" + said)]
            assert Client4(link, STRANGER, options=options).dora().yiaddr.startswith(RESTRICTED)
        nothing_refused(kea)


@pytest.mark.parametrize("ids", [[], [""], [":"]], ids=str)
def test_who_has_no_address_is_refused(link, tmp_path, mode, ids):
    register(tmp_path, {"id": FRIEND}, *({"id": empty} for empty in ids))
    with Kea(4, config(tmp_path, mode), tmp_path) as kea:
        with pytest.raises(NoAnswer):
            Client4(link, "", client_id=b"\0nameless").dora(timeout=0.7)
        assert Client4(link, FRIEND).dora().yiaddr.startswith(KNOWN)
        nothing_refused(kea)


def test_who_has_no_duid_is_refused(link, tmp_path, mode):
    """Kea itself drops such a client, unless it asks for nothing but options."""
    register(tmp_path, {"id": "00000000"}, {"id": ""}, kind="DUID")
    with Kea(6, config(tmp_path, mode, 6), tmp_path) as kea, Client6(link) as client:
        assert client.information_request().type == REPLY
        nameless = Message6(INFORMATION_REQUEST, client.options)
        client.port.send(nameless)
        with pytest.raises(NoAnswer):
            client.port.receive(nameless.transid, 0.7)
        nothing_refused(kea)


def test_the_entry_for_all_others_is_nobodys(link, tmp_path, mode):
    """A client may have the address 00:00:00:00, or that DUID."""
    default = {"id": "00000000", "bootfile": "/pxe/register.0"}
    register(tmp_path, default)
    with Kea(4, config(tmp_path, mode), tmp_path) as kea:
        ack = Client4(link, "00:00:00:00", client_id=b"\0nobody").dora()
        assert ack.yiaddr.startswith(RESTRICTED) and boot(ack)[0] == b"/pxe/register.0"
        nothing_refused(kea)
    register(tmp_path, {"id": "00000000"}, kind="DUID")
    with Kea(6, config(tmp_path, mode, 6), tmp_path) as kea, Client6(link, duid=bytes(4)) as client:
        assert client.sarr().leases[0].startswith(RESTRICTED6)
        nothing_refused(kea)


def test_a_registry_of_another_system(link, tmp_path, mode):
    """Empty lines, spaces, carriage returns."""
    (tmp_path / "registry").write_bytes(f'\r\n  {{ "type": "HW_ADDR", "id": "{FRIEND}" }}  \r\n\r\n'.encode())
    with Kea(4, config(tmp_path, mode), tmp_path) as kea:
        assert Client4(link, FRIEND).dora().yiaddr.startswith(KNOWN)
        assert Client4(link, STRANGER).dora().yiaddr.startswith(RESTRICTED)
        nothing_refused(kea)


def test_the_registry_that_the_readme_shows(link, tmp_path, mode):
    shown = re.findall("^    ({.*})$", (EXAMPLES / "known-clients" / "README.md").read_text(), re.M)
    (tmp_path / "registry").write_text("\n".join(shown))
    with Kea(4, config(tmp_path, mode), tmp_path):
        assert boot(Client4(link, "02:00:5e:10:00:01").dora()) == (b"/pxe/lobby.0", b"/pxe/lobby.0", b"tftp.example.org")
        assert boot(Client4(link, STRANGER).dora())[0] == b"/pxe/register.0"
