"""An answer with `keep-for` is given again to its own client alone, and as long as it holds, at kea-dhcp4."""

import pytest

from rig.configs import SUBNET4, THREADS
from rig.dhcp4 import (CLIENT_ID, HOSTNAME, INFORM, RELAY_AGENT_INFORMATION, VENDOR_CLASS, Client4, NoAnswer,
                       agent_information, stranger)
from rig.kea import Kea
from rig.keep import TOLD, Keeper, keeping, says, tells
from rig.wait import wait_until

THREADING = pytest.mark.parametrize("threads", [{}, THREADS], ids=["single", "threads"])
USER_CLASS, ARCHITECTURE = 77, 93
MAC, OTHER = "02:00:00:00:00:01", "02:00:00:00:00:02"
HERE, THERE = "192.0.2.9", "198.51.100.9"
NETWORKS = {"subnet4": [*SUBNET4["subnet4"], {"id": 2, "subnet": "198.51.100.0/24", "pools": [
    {"pool": "198.51.100.10-198.51.100.99"}]}]}
IS_KNOWN = says("client-classes=known")

# Each differs from another one in one thing.
CLIENTS = [
    {}, {"mac": OTHER}, {"client_id": b"\1\2\3"}, {"client_id": b"\1\2\4"}, {"mac": OTHER, "client_id": b"\1\2\3"},
    {"relay": HERE}, {"relay": THERE}, {"relay": HERE, "agent": agent_information(b"port1")},
    {"relay": HERE, "agent": agent_information(b"port2")}, {"relay": HERE, "agent": agent_information(b"port1", b"r")},
    {"relay": THERE, "agent": agent_information(b"port1")},
    # What boots: a ROM, iPXE, an installer, another firmware.
    {"options": [(VENDOR_CLASS, b"PXEClient:Arch:00007"), (ARCHITECTURE, b"\0\7")]},
    {"options": [(VENDOR_CLASS, b"PXEClient:Arch:00007"), (ARCHITECTURE, b"\0\7"), (USER_CLASS, b"iPXE")]},
    {"options": [(VENDOR_CLASS, b"anaconda")]}, {"options": [(ARCHITECTURE, b"\0\0")]},
]


def told(message):
    return message.option(TOLD[4][1])


def is_new(keeper, deed):
    """Whether the script was asked for what a client does."""
    before = len(keeper.asked())
    deed()
    return len(keeper.asked()) > before


@THREADING
def test_nobody_gets_what_was_said_of_another(link, tmp_path, threads):
    keeper = Keeper(tmp_path, tells(4))
    with Kea(4, {**NETWORKS, **threads}, tmp_path, [keeping(keeper.script, ["pkt4_send"])]) as kea:
        def all_of_them():
            answers = []
            for who in CLIENTS:
                client = Client4(link, **{"mac": MAC, **who})
                offer = client.discover()
                answers += [offer, client.request(offer), client.inform()]
            return [told(answer) for answer in answers]

        first = all_of_them()
        assert len(set(first)) == len(first) == len(keeper.asked()) == 3 * len(CLIENTS)
        assert [text.decode() for text in first] == keeper.asked()
        # Some take a lease from each other, which are told apart all the same, and keep it from then on.
        assert all_of_them() == first
        before = kea.status()
        assert all_of_them() == first
        assert (kea.status()["events"], kea.status()["kept"]) == (before["events"], before["kept"] + len(first))
        assert kea.status()["refused"] == kea.status()["failures"] == 0


@THREADING
def test_a_renewal_is_not_asked_about(link, tmp_path, threads):
    keeper = Keeper(tmp_path, says("valid-lft=1234"))
    with Kea(4, {**SUBNET4, **threads}, tmp_path, [keeping(keeper.script, ["lease4_renew"])]) as kea:
        client = stranger(link)
        client.dora()
        assert is_new(keeper, client.renew)
        for _ in range(5):
            assert client.renew().lease_time == 1234
        assert (len(keeper.asked()), kea.status()["kept"], kea.status()["kept-answers"]) == (1, 5, 1)


def test_an_answer_for_one_address_is_none_for_another(link, tmp_path):
    keeper = Keeper(tmp_path, says("valid-lft=$((1000 + ${KEA_LEASE4_ADDRESS##*.}))"))
    with Kea(4, SUBNET4, tmp_path, [keeping(keeper.script, ["lease4_select"])]) as kea:
        client = stranger(link)
        for _ in range(2):
            for number in (50, 60):
                offer = client.discover(f"192.0.2.{number}")
                assert (offer.yiaddr, offer.lease_time) == (f"192.0.2.{number}", 1000 + number)
        assert (len(keeper.asked()), kea.status()["kept"]) == (2, 2)


def test_who_moves_gets_what_was_said_of_him_there(link, tmp_path):
    """A class opens a pool, in one of two networks."""
    keeper = Keeper(tmp_path, f'[ "$KEA_QUERY4_GIADDR" = {HERE} ] || {says("next=drop")}\n{IS_KNOWN}')
    guarded = {"subnet4": [{**subnet, "client-class": "known"} for subnet in NETWORKS["subnet4"]]}
    with Kea(4, guarded, tmp_path, [keeping(keeper.script, ["pkt4_receive"])]) as kea:
        for _ in range(3):
            assert Client4(link, relay=HERE).discover()
            before = kea.status()
            Client4(link, relay=THERE).wire.send(Client4(link, relay=THERE).message(1), THERE, True)
            wait_until(lambda: kea.status()["events"] + kea.status()["kept"] > before["events"] + before["kept"], "a drop")
        assert len(keeper.asked()) == 2


def test_it_ends_after_its_time(link, tmp_path):
    keeper = Keeper(tmp_path, says("client-classes=known", time=1))
    with Kea(4, SUBNET4, tmp_path, [keeping(keeper.script, ["pkt4_receive"])]) as kea:
        client = stranger(link)
        client.discover()
        wait_until(lambda: client.discover() and kea.status()["kept"], "an answer from memory")
        wait_until(lambda: client.discover() and len(keeper.asked()) == 2, "the end of the answer's time")


@THREADING
def test_a_reload_forgets_all(link, tmp_path, threads):
    keeper = Keeper(tmp_path, IS_KNOWN)
    with Kea(4, {**SUBNET4, **threads}, tmp_path, [keeping(keeper.script, ["pkt4_receive"])]) as kea:
        client = stranger(link)
        assert is_new(keeper, client.discover) and not is_new(keeper, client.discover)
        kea.reload()
        assert kea.status()["kept-answers"] == kea.status()["kept"] == 0
        assert is_new(keeper, client.discover) and not is_new(keeper, client.discover)


def test_a_reload_with_something_unfinished_forgets_all(link, tmp_path):
    """The script's side in Kea goes on then."""
    late, client = stranger(link), stranger(link)
    keeper = Keeper(tmp_path, f"""[ $1 = pkt4_receive ] || [ $KEA_QUERY4_HWADDR != {late.mac} ] || exec /bin/sleep 100
[ $1 = pkt4_receive ] || exit 0
{IS_KNOWN}""")
    points = ["pkt4_receive", {"name": "pkt4_send", "wait": False}]
    with Kea(4, SUBNET4, tmp_path, [keeping(keeper.script, points, concurrency=4)]) as kea:
        late.discover()
        for count in (1, 1):
            client.discover()
            assert len(keeper.asked("pkt4_receive")) == 1 + count
        wait_until(lambda: len(keeper.asked("pkt4_send")) == 3, "what is not waited for")
        kea.reload()
        assert kea.status()["pending"] == 1
        client.discover()
        assert len(keeper.asked("pkt4_receive")) == 3


def test_what_is_kept_can_be_forgotten(link, tmp_path):
    keeper = Keeper(tmp_path, IS_KNOWN)
    with Kea(4, SUBNET4, tmp_path, [keeping(keeper.script, ["pkt4_receive"])]) as kea:
        mine, named, other = Client4(link, MAC), Client4(link, MAC, client_id=b"\1\2\3"), Client4(link, OTHER)

        def asked():
            """Of which of them the script is asked now."""
            return [is_new(keeper, client.discover) for client in (mine, named, other)]

        def forget(arguments, result, text):
            answer = kea.command("runscript-forget", arguments)
            assert (answer["result"], answer["text"]) == (result, text)

        forget(None, 3, "no answer was kept, and nothing reserved by one")
        assert asked() == [True, True, True]
        assert asked() == [False, False, False]
        forget({"client-id": "01:02:03"}, 0, "1 answer is forgotten")
        assert asked() == [False, True, False]
        forget({"hw-address": MAC}, 0, "2 answers are forgotten")
        assert asked() == [True, True, False]
        forget({"hw-address": "02:00:00:00:00:03"}, 3, "no answer was kept, and nothing reserved by one")
        forget({}, 0, "3 answers are forgotten")
        assert asked() == [True, True, True]
        for arguments in ({"duid": "01:02:03"}, {"hw-address": "here"}, {"hw-address": MAC, "client-id": "01:02:03"}):
            answer = kea.command("runscript-forget", arguments)
            assert answer["result"] == 1 and answer["text"].startswith("the arguments are wrong: give none for all")
        assert asked() == [False, False, False]


@THREADING
def test_who_is_refused_is_refused_again(link, tmp_path, threads):
    keeper = Keeper(tmp_path, says("next=drop"))
    with Kea(4, {**SUBNET4, **threads}, tmp_path, [keeping(keeper.script, ["pkt4_receive"])]) as kea:
        client = stranger(link)
        for _ in range(3):
            with pytest.raises(NoAnswer):
                client.discover(timeout=0.3)
        assert (len(keeper.asked()), wait_until(lambda: kea.status()["kept"] == 2, "the drops")) == (1, True)


def test_variables_that_are_named_count_too(link, tmp_path):
    keeper = Keeper(tmp_path, says("option-data:merit-dump=$KEA_QUERY4_OPTION_12"))

    def named(name):
        return Client4(link, MAC, options=[(HOSTNAME, name)] if name is not None else [])

    def answers():
        # Each of them twice.
        return [told(named(name).dora()) for name in (b"a", b"b", b"a", b"b")]

    with Kea(4, SUBNET4, tmp_path / "one", [keeping(keeper.script, ["pkt4_send"])]):
        assert answers() == [b"0x61"] * 4
    by = keeping(keeper.script, ["pkt4_send"], keep_by=["KEA_QUERY4_OPTION_12"])
    with Kea(4, SUBNET4, tmp_path / "other", [by]) as kea:
        assert answers() == [b"0x61", b"0x62"] * 2
        assert kea.status()["kept"] == 4


def test_who_does_not_say_who_he_is(link, tmp_path):
    """No hardware address, no client identifier: they would all be one."""
    keeper = Keeper(tmp_path, IS_KNOWN)
    with Kea(4, SUBNET4, tmp_path, [keeping(keeper.script, ["pkt4_receive"])]) as kea:
        for count in (1, 2):
            nobody = Client4(link, "")
            nobody.send(nobody.message(INFORM, ciaddr="192.0.2.77"))
            wait_until(lambda count=count: len(keeper.asked()) == count, "the packet")
        Client4(link, "", client_id=b"\1\2").discover()
        assert (kea.status()["kept"], kea.status()["kept-answers"], kea.status()["refused"]) == (0, 1, 0)


def test_the_bytes_that_came_count_too(link, tmp_path):
    """Kea makes one of what differs on the wire: sub-options of the relay's, in another order."""
    keeper = Keeper(tmp_path, tells(4))
    agents = [b"\1\1a\2\1b", b"\2\1b\1\1a", b"\1\1a\2\1b\0"]
    with Kea(4, SUBNET4, tmp_path, [keeping(keeper.script, ["pkt4_send"])]):
        clients = [Client4(link, MAC, client_id=b"\1\2", relay=HERE, agent=(RELAY_AGENT_INFORMATION, agent)) for agent in agents]
        assert len({told(client.dora()) for client in clients}) == len(agents)
        assert CLIENT_ID in dict(clients[0].options) and len(keeper.asked()) == 2 * len(agents)
