"""An answer with `keep-for` is given again to its own client alone, and as long as it holds, at kea-dhcp6."""

import pytest

from rig.configs import SUBNET6, THREADS
from rig.dhcp6 import Client6, Relay6
from rig.kea import Kea
from rig.keep import TOLD, Keeper, keeping, says, tells

THREADING = pytest.mark.parametrize("threads", [{}, THREADS], ids=["single", "threads"])
USER_CLASS, VENDOR_CLASS, INTERFACE_ID, REMOTE_ID, ARCHITECTURE, LINK_LAYER = 15, 16, 18, 37, 61, 79
MAC, OTHER, DUID = "02:00:00:00:00:01", "02:00:00:00:00:02", b"\0\2\0\0\0\11\1"
LINK, PEER = "2001:db8::9", "fe80::ff:fe00:1"
PXE = (VENDOR_CLASS, b"\0\0\1\x57\0\11PXEClient")


def behind(link=LINK, peer=PEER, *options):
    return {"relays": (Relay6(link, peer, options),)}


# Each differs from another one in one thing.
CLIENTS = [
    {}, {"duid": DUID}, {"duid": DUID + b"\1"},
    behind(), behind("2001:db8::a"), behind(LINK, "fe80::ff:fe00:2"), behind(LINK, PEER, (INTERFACE_ID, b"port1")),
    behind(LINK, PEER, (INTERFACE_ID, b"port2")), behind(LINK, PEER, (INTERFACE_ID, b"port1"), (REMOTE_ID, b"\0\0\0\1r")),
    {"duid": DUID, **behind(LINK, PEER, (LINK_LAYER, b"\0\1\2\0\0\0\0\1"))},
    {"duid": DUID, **behind(LINK, PEER, (LINK_LAYER, b"\0\1\2\0\0\0\0\2"))},
    {"options": [PXE, (ARCHITECTURE, b"\0\7")]},
    {"options": [PXE, (ARCHITECTURE, b"\0\7"), (USER_CLASS, b"\0\4iPXE")]}, {"options": [(ARCHITECTURE, b"\0\0")]},
]


def told(message):
    return message.option(TOLD[6][1])


@THREADING
def test_nobody_gets_what_was_said_of_another(link, tmp_path, threads):
    keeper = Keeper(tmp_path, tells(6), family=6)
    with Kea(6, {**SUBNET6, **threads}, tmp_path, [keeping(keeper.script, ["pkt6_send"])]) as kea:
        def all_of_them():
            answers = []
            for who in CLIENTS:
                with Client6(link, **{"mac": MAC, **who}) as client:
                    answers += [client.solicit(rapid_commit=True), client.renew(), client.rebind(), client.information_request()]
            return [told(answer) for answer in answers]

        first = all_of_them()
        assert len(set(first)) == len(first) == len(keeper.asked()) == 4 * len(CLIENTS)
        assert [text.decode() for text in first] == keeper.asked()
        assert all_of_them() == first
        assert len(keeper.asked()) == kea.status()["kept"] == len(first)
        assert kea.status()["refused"] == kea.status()["failures"] == 0


@THREADING
def test_each_lease_has_an_answer_of_its_own(link, tmp_path, threads):
    """One packet renews an address and a prefix."""
    keeper = Keeper(tmp_path, f'[ $KEA_LEASE6_TYPE = IA_NA ] || {says("valid-lft=2222")}\n{says("valid-lft=1111")}', family=6)
    config = {**SUBNET6, **threads, "cache-max-age": 0}
    with Kea(6, config, tmp_path, [keeping(keeper.script, ["lease6_renew"])]) as kea, Client6(link, pd=[1]) as client:
        client.sarr()
        for count in range(3):
            renewed = client.renew()
            assert [lease.valid for ia in renewed.ias for lease in ia.leases] == [1111, 2222]
            assert (len(keeper.asked()), kea.status()["kept"]) == (2, 2 * count)


def test_what_is_kept_can_be_forgotten(link, tmp_path):
    keeper = Keeper(tmp_path, says("client-classes=known"), family=6)
    with Kea(6, SUBNET6, tmp_path, [keeping(keeper.script, ["pkt6_receive"])]) as kea:
        with Client6(link, MAC) as mine, Client6(link, OTHER, DUID) as other:
            def asked():
                before = len(keeper.asked())
                mine.solicit()
                other.solicit()
                return len(keeper.asked()) - before

            assert (asked(), asked()) == (2, 0)
            assert kea.command("runscript-forget", {"duid": f"00:03:00:01:{MAC}"})["text"] == "1 answer is forgotten"
            assert (asked(), asked()) == (1, 0)
            assert kea.command("runscript-forget", {"hw-address": MAC})["text"] == "1 answer is forgotten"
            assert (asked(), asked()) == (1, 0)
            kea.reload()
            assert (asked(), asked()) == (2, 0)
            assert kea.command("runscript-forget", {"client-id": "01:02:03"})["result"] == 1
            assert kea.command("runscript-forget")["text"] == "2 answers are forgotten"
            assert (asked(), asked()) == (2, 0)


@THREADING
def test_a_parked_packet(link, tmp_path, threads):
    keeper = Keeper(tmp_path, tells(6), family=6)
    library = keeping(keeper.script, ["leases6_committed"], wait="park")
    with Kea(6, {**SUBNET6, **threads}, tmp_path, [library]) as kea, Client6(link) as client:
        client.sarr()
        first = told(client.renew())
        assert [told(client.renew()) for _ in range(3)] == [first] * 3
        assert (len(keeper.asked()), kea.status()["kept"]) == (2, 3)
