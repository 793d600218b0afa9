"""Packets that are parked while something else happens: a reload, the end of Kea, more packets than may wait."""

import pytest

from rig.answers import answering
from rig.configs import SUBNET4
from rig.dhcp4 import ACK, NoAnswer, stranger
from rig.dhcp6 import Client6
from rig.gate import Gate
from rig.kea import Kea, hook, version
from rig.park import THREADING, ask_for, nothing_wrong, parking, serve, silent
from rig.recorder import Recorder
from rig.wait import quiet

CLIENTS = 3


def park(link, gate, count=CLIENTS):
    """Clients whose packets are parked, and how to wait for their answers."""
    clients = [stranger(link) for _ in range(count)]
    for client in clients:
        gate.shut(client)
    answers = [ask_for(client, client.discover()) for client in clients]
    gate.wait(count)
    return clients, answers


@THREADING
@pytest.mark.parametrize("others", [False, True], ids=["the same", "without us"])
def test_a_reload(link, tmp_path, threads, others):
    """Kea forgets what is parked; the clients ask again."""
    gate = Gate(tmp_path)
    with serve(tmp_path, parking(gate.script, concurrency=8), **threads) as kea:
        clients, answers = park(link, gate)
        if others:
            kea.configure({**SUBNET4, **threads})
        kea.reload()
        for client in clients:
            gate.open(client)
        silent(answers[0])
        for client in clients:
            assert client.dora().type == ACK
        if not others:
            kea.reload()
            assert clients[0].dora().type == ACK
            nothing_wrong(kea)


@THREADING
@pytest.mark.parametrize("family", [4, 6])
def test_the_end_of_kea(link, tmp_path, family, threads):
    gate = Gate(tmp_path)
    with serve(tmp_path, parking(gate.script, f"leases{family}_committed"), family=family, **threads) as kea:
        if family == 4:
            park(link, gate, 1)
        else:
            with Client6(link) as client:
                gate.shut(client)
                with pytest.raises(NoAnswer):
                    client.sarr(timeout=0.2)
            gate.wait()
        assert kea.status()["pending"] == 1


@THREADING
def test_a_reload_while_clients_come_and_go(link, tmp_path, threads):
    """Whatever moment a reload comes at: no packet stays behind, and Kea goes on."""
    recorder = Recorder(tmp_path, then="/bin/sleep 0.02")
    with serve(tmp_path, parking(recorder.script, concurrency=8), **threads) as kea:
        for _ in range(5):
            answers = [ask_for(client, client.discover()) for client in [stranger(link) for _ in range(4)]]
            kea.reload()
            assert stranger(link).dora().type == ACK
            for answer in answers:
                try:
                    assert answer(timeout=0.1).type == ACK
                except NoAnswer:
                    pass
        nothing_wrong(kea)


@THREADING
def test_more_packets_than_may_wait(link, tmp_path, threads):
    """Kea drops what comes at its `parked-packet-limit`, without asking anybody."""
    gate = Gate(tmp_path)
    limit = {"parked-packet-limit": 2}
    with serve(tmp_path, parking(gate.script, concurrency=8), **limit, **threads) as kea:
        clients, answers = park(link, gate, 2)
        late = stranger(link)
        offer = late.discover()
        silent(ask_for(late, offer))
        assert kea.status()["events"] == 2
        for client in clients:
            gate.open(client)
        assert [answer().type for answer in answers] == [ACK, ACK]
        assert late.request(offer).type == ACK
        nothing_wrong(kea)


@THREADING
def test_a_client_that_asks_again_while_it_waits(link, tmp_path, threads):
    """The second packet waits its turn behind the first, and each is answered."""
    gate = Gate(tmp_path)
    with serve(tmp_path, parking(gate.script), **threads) as kea:
        [client], [first] = park(link, gate, 1)
        offer = client.discover()
        second = ask_for(client, offer)
        silent(second)
        gate.open(client)
        assert first().yiaddr == second().yiaddr == offer.yiaddr
        nothing_wrong(kea)


def test_a_packet_without_an_answer(link, tmp_path):
    """A DHCPRELEASE is parked too."""
    recorder = Recorder(tmp_path)
    with serve(tmp_path, parking(recorder.script)) as kea:
        client = stranger(link)
        client.dora()
        client.release()
        assert recorder.wait(2)[1]["KEA_DELETED_LEASES4_SIZE"] == "1"
        quiet(kea)
        assert client.dora().type == ACK
        nothing_wrong(kea)


# What a script has wanted before the answer is sent

@pytest.mark.parametrize("wait", [True, "park"])
@THREADING
def test_nobody_is_told_who_has_not_asked(link, tmp_path, wait, threads):
    """The library is called where the answer is sent, for its own sake."""
    said = {"option-data": [{"name": "routers", "data": "192.0.2.1"}, {"name": "domain-name", "data": ""}]}
    script = parking(answering(tmp_path, {"leases4_committed": said}), answers=True, wait=wait)
    recorder = Recorder(tmp_path)
    other = {"script": str(recorder.script), "hook-points": ["buffer4_send"]}
    with serve(tmp_path, script, other, **threads) as kea:
        assert stranger(link, options=[(55, b"\3")]).dora().option(3) == bytes([192, 0, 2, 1])
        recorder.wait(2)
        assert set(recorder.hooks()) == {"buffer4_send"} and kea.status()["events"] == 1
        [line] = kea.said("ANSWER_REFUSED")
        assert ' at leases4_committed: "option-data": {"data":"","name":"domain-name"}: ' in line


@pytest.mark.parametrize("wait", [True, "park"])
@THREADING
def test_options_of_a_reply(link, tmp_path, wait, threads):
    said = {"option-data": [{"name": "dns-servers", "data": "2001:db8::53"}]}
    script = parking(answering(tmp_path, {"leases6_committed": said}), "leases6_committed", answers=True, wait=wait)
    with serve(tmp_path, script, family=6, **threads) as kea, Client6(link) as client:
        advertise = client.solicit()
        assert advertise.option(23) is None
        assert client.request(advertise).option(23) == bytes.fromhex("20010db8" + "0" * 22 + "53")
        nothing_wrong(kea)


# Refusals

@pytest.mark.parametrize("point, more", [("pkt4_receive", {}), ("pkt4_send", {"wait": "park"})])
def test_where_kea_cannot_park(tmp_path, link, point, more):
    script = answering(tmp_path, {})
    points = {"wait": "park", "hook-points": [point]} if not more else {"hook-points": [{"name": point, **more}]}
    log = Kea(4, SUBNET4, tmp_path, [hook(script, **points)]).expect_refusal()
    where = f"cannot park at {point}" if more else "parks at none of the selected hook points"
    able = "leases4_committed" if version() < (2, 6) else "subnet4_select, leases4_committed, lease4_offer"
    assert f'wait": "park": Kea {".".join(map(str, version()))} {where}; it can at: {able}\n' in log
