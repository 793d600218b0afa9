"""Other hook libraries that park the same packets: whoever lets one go on, it waits for our scripts' verdict."""

import pytest

from rig.answers import answering
from rig.configs import THREADS
from rig.dhcp4 import ACK, OFFER, NoAnswer, stranger
from rig.gate import Gate
from rig.others import Backup, together
from rig.park import THREADING, ask_for, nothing_wrong, parking, serve, silent
from rig.programs import library
from rig.since import since
from rig.wait import quiet, wait_until

ORDER = pytest.mark.parametrize("order", ["first", "last"], ids=["theirs first", "ours first"])
WAITING = pytest.mark.parametrize("wait", [True, "park"], ids=["wait", "park"])


@pytest.mark.pairs
@ORDER
@WAITING
@pytest.mark.parametrize("verdict", ["continue", "drop"])
def test_high_availability(link, tmp_path, order, wait, verdict):
    gate = Gate(tmp_path)
    script = parking(gate.script, answers=True, wait=wait)
    hooks = together(tmp_path)
    with Backup() as backup, serve(tmp_path, script, hooks=hooks, **{order: backup.libraries(hooks)}, **THREADS) as kea:
        client = stranger(link, options=[(55, b"\3")])
        gate.shut(client)
        answer = ask_for(client, client.discover())
        gate.wait()
        # Its thread is ours where we just wait, and the other library is not asked before we are through.
        if order == "first" or wait == "park":
            wait_until(lambda: backup.updates, "the update of the backup")
        silent(answer)
        said = """printf '{"option-data":[{"name":"routers","data":"192.0.2.1"}]}'"""
        gate.open(client, {"continue": said, "drop": "exit 20"}[verdict])
        if verdict == "continue":
            assert answer().option(3) == bytes([192, 0, 2, 1])
        else:
            quiet(kea)
            silent(answer)
        assert client.dora().type == ACK
        nothing_wrong(kea)


@pytest.mark.pairs
@ORDER
@WAITING
@THREADING
def test_nothing_is_lost_between_them(link, tmp_path, order, wait, threads):
    script = parking(answering(tmp_path, {"leases4_committed": {"boot-file-name": "f"}}), answers=True, wait=wait)
    hooks = together(tmp_path)
    with Backup() as backup, serve(tmp_path, script, hooks=hooks, **{order: backup.libraries(hooks)}, **threads) as kea:
        clients = [stranger(link) for _ in range(12)]
        answers = [ask_for(client, client.discover()) for client in clients]
        assert {answer().file for answer in answers} == {b"f"}
        nothing_wrong(kea)


@pytest.mark.parametrize("point", ["leases4_committed", pytest.param("subnet4_select", marks=since(2, 6))])
def test_the_verdict_comes_while_another_library_is_at_work(link, tmp_path, point):
    """Its callout comes after ours, in the packet's thread; the packet goes on when both are through."""
    hooks = together(tmp_path)
    slow = {"library": str(library("slow", hooks))}
    script = parking(answering(tmp_path, {point: {}}), point, answers=True)
    with serve(tmp_path, script, hooks=hooks, last=[slow], **THREADS) as kea:
        clients = [stranger(link) for _ in range(3)]
        answers = [ask_for(client, client.discover()) for client in clients]
        assert {answer().type for answer in answers} == {ACK}
        nothing_wrong(kea)


@WAITING
def test_another_library_lets_it_go_on_before_we_are_asked(link, tmp_path, wait):
    hooks = together(tmp_path)
    slow = {"library": str(library("slow", hooks))}
    gate = Gate(tmp_path)
    script = parking(gate.script, answers=True, wait=wait)
    with Backup() as backup, serve(tmp_path, script, hooks=hooks, first=[*backup.libraries(hooks), slow], **THREADS) as kea:
        for verdict in ["exit 20", """printf '{"boot-file-name":"f"}'"""]:
            client = stranger(link)
            gate.shut(client)
            answer = ask_for(client, client.discover())
            gate.open(client, verdict)
            if verdict == "exit 20":
                quiet(kea)
                silent(answer)
            else:
                assert answer().file == b"f"
        nothing_wrong(kea)


@since(3, 0)
@pytest.mark.pairs
@ORDER
@THREADING
@pytest.mark.parametrize("wait, verdict", [(True, "continue"), (True, "drop"), ("park", "continue"), ("park", "drop")])
def test_ping_check(link, tmp_path, order, wait, verdict, threads):
    """It parks an offer for as long as a ping takes."""
    hooks = together(tmp_path)
    pings = {"library": f"{hooks}/libdhcp_ping_check.so",
             "parameters": {"min-ping-requests": 1, "reply-timeout": 50, "ping-cltt-secs": 0}}
    gate = Gate(tmp_path)
    script = parking(gate.script, "lease4_offer", answers=True, wait=wait)
    with serve(tmp_path, script, hooks=hooks, **{order: [pings]}, **threads) as kea:
        client = stranger(link)
        gate.shut(client)
        query = client.message(1)
        client.send(query)
        gate.wait()
        silent(lambda timeout: client.wire.receive(query.xid, timeout))
        gate.open(client, {"continue": """printf '{"boot-file-name":"f"}'""", "drop": "exit 20"}[verdict])
        if verdict == "continue":
            answer = client.wire.receive(query.xid)
            assert (answer.type, answer.file) == (OFFER, b"f")
        else:
            with pytest.raises(NoAnswer):
                client.wire.receive(query.xid, 0.5)
        assert stranger(link).discover().type == OFFER
        nothing_wrong(kea)
