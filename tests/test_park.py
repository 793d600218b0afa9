"""`wait: "park"`: the packet waits for the script, and Kea goes on with others."""

import time

import pytest

from rig.answers import answering
from rig.configs import SUBNET4, SUBNET6
from rig.dhcp4 import ACK, OFFER, NoAnswer, stranger
from rig.dhcp6 import Client6
from rig.gate import Gate
from rig.park import MOMENT, THREADING, ask_for, nothing_wrong, parking, serve, silent
from rig.since import since
from rig.wait import quiet, wait_until

ROUTERS, LOG_SERVERS, DOMAIN_NAME = 3, 7, 15
ASK = [(55, bytes([ROUTERS, LOG_SERVERS, DOMAIN_NAME]))]


@pytest.mark.alone
@THREADING
def test_others_are_served_meanwhile(link, tmp_path, threads):
    gate = Gate(tmp_path)
    with serve(tmp_path, parking(gate.script), **threads) as kea:
        client = stranger(link)
        gate.shut(client)
        answer = ask_for(client, client.discover())
        gate.wait()
        assert stranger(link).dora().type == ACK
        silent(answer)
        opened = time.monotonic()
        gate.open(client)
        assert answer().yiaddr == "192.0.2.10"
        # Without being woken, Kea's loop would look after up to a second.
        assert time.monotonic() - opened < 0.5
        assert kea.command("runscript-status")["arguments"]["slowest-callout-us"] < 200_000
        nothing_wrong(kea)


@THREADING
def test_others_are_served_meanwhile_v6(link, tmp_path, threads):
    gate = Gate(tmp_path)
    with serve(tmp_path, parking(gate.script, "leases6_committed"), family=6, **threads) as kea, \
            Client6(link, "02:00:00:00:06:01") as client, Client6(link, "02:00:00:00:06:02") as other:
        gate.shut(client)
        advertise = client.solicit()
        with pytest.raises(NoAnswer):
            client.request(advertise, timeout=MOMENT)
        assert other.sarr().leases
        gate.open(client)
        assert client.request(advertise).leases == advertise.leases
        nothing_wrong(kea)


def test_many_at_once(link, tmp_path):
    """As many as Kea's `parked-packet-limit` lets wait, in whatever order the scripts end."""
    gate = Gate(tmp_path)
    with serve(tmp_path, parking(gate.script, concurrency=16)) as kea:
        clients = [stranger(link) for _ in range(16)]
        answers = []
        for client in clients:
            gate.shut(client)
            answers.append(ask_for(client, client.discover()))
        gate.wait(16)
        for client in reversed(clients):
            gate.open(client)
        assert len({answer().yiaddr for answer in answers}) == 16
        nothing_wrong(kea)


# What becomes of the packet

@THREADING
@pytest.mark.parametrize("on_failure", ["continue", "drop"])
@pytest.mark.parametrize("end", ["a time-out", "a crash"])
def test_no_verdict(link, tmp_path, end, on_failure, threads):
    gate = Gate(tmp_path)
    timeout = 300 if end == "a time-out" else 5000
    with serve(tmp_path, parking(gate.script, **{"on-failure": on_failure, "timeout": timeout}), **threads) as kea:
        client = stranger(link)
        gate.shut(client)
        answer = ask_for(client, client.discover())
        if end == "a crash":
            gate.open(client, "kill -9 $$")
        kea.wait_log(f"EVENT_FAILED .* at leases4_committed: .*; Kea goes on with: {on_failure}")
        if on_failure == "drop":
            silent(answer)
        else:
            assert answer().type == ACK
        assert stranger(link).dora().type == ACK


@THREADING
def test_a_verdict(link, tmp_path, threads):
    gate = Gate(tmp_path)
    with serve(tmp_path, parking(gate.script, answers=True), **threads) as kea:
        client = stranger(link)
        gate.shut(client)
        answer = ask_for(client, client.discover())
        gate.open(client, "exit 20")
        quiet(kea)
        silent(answer)
        # The client asks again, and nothing is left of the first time.
        assert client.dora().type == ACK
        nothing_wrong(kea)


@THREADING
def test_an_answer_changes_the_packet(link, tmp_path, threads):
    gate = Gate(tmp_path)
    said = '{"option-data":[{"name":"routers","data":"192.0.2.1"}],"next-server":"192.0.2.3","boot-file-name":"f"}'
    with serve(tmp_path, parking(gate.script, answers=True), **threads) as kea:
        client = stranger(link, options=ASK)
        gate.shut(client)
        answer = ask_for(client, client.discover())
        gate.open(client, f"printf %s '{said}'")
        ack = answer()
        assert (ack.option(ROUTERS), ack.siaddr, ack.file) == (bytes([192, 0, 2, 1]), "192.0.2.3", b"f")
        assert client.renew().option(ROUTERS) is None
        nothing_wrong(kea)


# Several scripts

SAYS = {name: {"option-data": [{"name": name, "data": data}]}
        for name, data in {"routers": "192.0.2.1", "log-servers": "192.0.2.2"}.items()}


@THREADING
def test_several_scripts_wait_for_the_slowest(link, tmp_path, threads):
    """Two that park and one that Kea just waits for; the later script's word counts though it comes first."""
    gate = Gate(tmp_path)
    other = answering(tmp_path, {"leases4_committed": {**SAYS["routers"], "next-server": "192.0.2.8"}}, "other")
    plain = answering(tmp_path, {"leases4_committed": SAYS["log-servers"]}, "plain")
    scripts = parking(gate.script, answers=True), parking(other, answers=True), parking(plain, answers=True, wait=True)
    with serve(tmp_path, *scripts, **threads) as kea:
        client = stranger(link, options=ASK)
        gate.shut(client)
        answer = ask_for(client, client.discover())
        wait_until(lambda: (kea.status(1)["events"], kea.status(1)["pending"]) == (1, 0), "the other's answer")
        silent(answer)
        gate.open(client, """printf '{"next-server":"192.0.2.9","server-hostname":"s"}'""")
        ack = answer()
        assert (ack.option(ROUTERS), ack.option(LOG_SERVERS)) == (bytes([192, 0, 2, 1]), bytes([192, 0, 2, 2]))
        assert (ack.siaddr, ack.sname) == ("192.0.2.8", b"s")
        nothing_wrong(kea)


@pytest.mark.parametrize("says", [("exit 20", {}, {}), ("exit 0", 20, {}), ("exit 0", {}, 20)],
                         ids=["slow", "fast", "plain"])
@THREADING
def test_the_severest_counts(link, tmp_path, says, threads):
    gate = Gate(tmp_path)
    slow, fast, plain = says
    scripts = (answering(tmp_path, {"leases4_committed": answer}, f"script{n}") for n, answer in enumerate([fast, plain]))
    scripts = parking(gate.script), parking(next(scripts)), parking(next(scripts), wait=True)
    with serve(tmp_path, *({**script, "answers": True, "on-failure": "continue"} for script in scripts), **threads) as kea:
        client = stranger(link)
        gate.shut(client)
        answer = ask_for(client, client.discover())
        gate.open(client, slow)
        wait_until(lambda: all(kea.status(n)["events"] == 1 and kea.status(n)["pending"] == 0 for n in range(3)),
                   "all verdicts")
        silent(answer)
        nothing_wrong(kea)


# Other hook points

TWO_SUBNETS4 = {"subnet4": [*SUBNET4["subnet4"], {"id": 2, "subnet": "198.51.100.0/24", "pools": [
    {"pool": "198.51.100.10-198.51.100.99"}], "option-data": [{"name": "routers", "data": "198.51.100.1"}]}]}
TWO_SUBNETS6 = {"subnet6": [*SUBNET6["subnet6"], {"id": 2, "subnet": "2001:db8:2::/64", "pools": [
    {"pool": "2001:db8:2::1000/116"}]}]}
KNOWN = {"client-classes": [{"name": "known", "option-data": [{"name": "domain-name", "data": "known"}]}]}


@since(2, 6)
@THREADING
@pytest.mark.parametrize("answer, address", [({}, "192.0.2.10"), ({"subnet-id": 2}, "198.51.100.10"), (10, None), (20, None)])
def test_the_subnet(link, tmp_path, answer, address, threads):
    script = answering(tmp_path, {"subnet4_select": answer})
    with serve(tmp_path, parking(script, "subnet4_select", answers=True), **{**TWO_SUBNETS4, **threads}) as kea:
        client = stranger(link, options=ASK)
        if address:
            assert client.dora().yiaddr == address and client.renew().yiaddr == address
        else:
            with pytest.raises(NoAnswer):
                client.discover(timeout=0.5)
        nothing_wrong(kea)


@since(2, 6)
@THREADING
@pytest.mark.parametrize("answer, prefix", [({}, "2001:db8::"), ({"subnet-id": 2}, "2001:db8:2:"), (10, None)])
def test_the_subnet_v6(link, tmp_path, answer, prefix, threads):
    script = answering(tmp_path, {"subnet6_select": answer})
    with serve(tmp_path, parking(script, "subnet6_select", answers=True), family=6, **{**TWO_SUBNETS6, **threads}) as kea, \
            Client6(link) as client:
        if prefix:
            [address] = client.sarr().leases
            assert address.startswith(prefix)
        else:
            assert client.solicit().leases == []
        nothing_wrong(kea)


@since(2, 6)
@THREADING
def test_every_hook_point_in_turn(link, tmp_path, threads):
    """A packet is parked several times on its way, and classes count from then on."""
    points = {"subnet4_select": {"client-classes": ["known"]}, "lease4_offer": SAYS["routers"],
              "leases4_committed": SAYS["log-servers"], "lease4_select": {"valid-lft": 1234}}
    with serve(tmp_path, parking(answering(tmp_path, points), *points, answers=True), **KNOWN, **threads) as kea:
        client = stranger(link, options=ASK)
        offer = client.discover()
        assert (offer.type, offer.option(ROUTERS)) == (OFFER, bytes([192, 0, 2, 1]))
        ack = client.request(offer)
        assert (ack.type, ack.option(ROUTERS), ack.option(LOG_SERVERS)) == (ACK, None, bytes([192, 0, 2, 2]))
        assert (ack.lease_time, ack.option(DOMAIN_NAME)) == (1234, b"known")
        nothing_wrong(kea)


@since(2, 6)
@THREADING
def test_an_offer_is_dropped(link, tmp_path, threads):
    with serve(tmp_path, parking(answering(tmp_path, {"lease4_offer": 20}), "lease4_offer", answers=True), **threads) as kea:
        with pytest.raises(NoAnswer):
            stranger(link).discover(timeout=0.5)
        nothing_wrong(kea)
