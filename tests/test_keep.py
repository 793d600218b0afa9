"""Which answers with `keep-for` are kept, where, and how many."""

import re

import pytest

from rig.answers import answering
from rig.configs import SUBNET4, THREADS
from rig.dhcp4 import DISCOVER, NoAnswer, stranger
from rig.gate import Gate
from rig.kea import Kea
from rig.keep import Keeper, keeping, says
from rig.wait import wait_until

IS_KNOWN = says("client-classes=known")
THREADING = pytest.mark.parametrize("threads", [{}, THREADS], ids=["single", "threads"])
POINT = "pkt4_receive"


def serve(tmp_path, keeper, point=POINT, config=None, **parameters):
    return Kea(4, {**SUBNET4, **(config or {})}, tmp_path, [keeping(keeper.script, [point], **parameters)])


@pytest.mark.parametrize("point, then", [
    (POINT, """echo '{"keep-for":60}'; exit 1"""), (POINT, """echo '{"keep-for":60}'; kill -9 $$"""),
    (POINT, "echo nonsense"), ("pkt4_send", """echo '{"keep-for":60,"next":"skip"}'"""),
    (POINT, """echo '{"keep-for":60,"client-classes":["known",""]}'"""), (POINT, """echo '{"keep-for":60,"colour":"red"}'"""),
    # Kea's word on it, at once and when the answer is sent.
    ("subnet4_select", says("subnet-id=9")), ("leases4_committed", says("option-data:nothing=1"))])
@THREADING
def test_what_is_no_good_answer_is_not_kept(link, tmp_path, point, then, threads):
    keeper = Keeper(tmp_path, then)
    with serve(tmp_path, keeper, point, threads) as kea:
        client = stranger(link)
        for _ in range(3):
            client.dora()
        status = kea.status()
        assert len(keeper.asked()) == status["events"] >= 3
        assert (status["kept"], status["kept-answers"]) == (0, 0)
        assert status["refused"] + status["failures"] == status["events"]


@pytest.mark.parametrize("value", ["0", "86401", "1.5", '"60"', "-1", "null"])
def test_a_time_that_will_not_do(link, tmp_path, value):
    keeper = Keeper(tmp_path, f"""echo '{{"keep-for":{value},"client-classes":["known"]}}'""")
    guarded = {"subnet4": [{**SUBNET4["subnet4"][0], "pools": [{"pool": "192.0.2.10-192.0.2.20", "client-class": "known"}]}]}
    with serve(tmp_path, keeper, config=guarded) as kea:
        # The rest holds.
        assert stranger(link).dora()
        [line] = kea.said("ANSWER_REFUSED")
        assert f'"keep-for": {value}: give a whole number of seconds from 1 to 86400' in line.replace('\\"', '"')
        assert (kea.status()["refused"], kea.status()["kept-answers"]) == (2, 0)


def test_where_no_packet_is_asked_about(link, tmp_path):
    soon = {"expired-leases-processing": {"reclaim-timer-wait-time": 1}, "valid-lifetime": 1}
    keeper = Keeper(tmp_path, says())
    with serve(tmp_path, keeper, "lease4_expire", soon) as kea:
        stranger(link).dora()
        [line] = wait_until(lambda: kea.said("ANSWER_REFUSED"), "the refusal")
        assert '"keep-for": 60: has no effect at this hook point: it has where a packet is asked about' in line
        assert kea.status()["kept-answers"] == 0


@pytest.mark.parametrize("answers", [True, False])
def test_where_nobody_waits_for_an_answer(link, tmp_path, answers):
    """A daemon can say it there."""
    daemon = tmp_path / "daemon"
    daemon.write_text("""#!/usr/bin/python3
import json, sys
print('{"hello":1}', flush=True)
next(sys.stdin)
for line in sys.stdin:
    print(json.dumps({"seq": json.loads(line)["seq"], "keep-for": 60}), flush=True)
""")
    daemon.chmod(0o755)
    points = [POINT, {"name": "pkt4_send", "wait": False}] if answers else [POINT]
    parameters = {"mode": "daemon", "answers": answers}
    library = keeping(daemon, points)
    library["parameters"].update(parameters)
    if not answers:
        del library["parameters"]["on-failure"]
    with Kea(4, SUBNET4, tmp_path, [library]) as kea:
        client = stranger(link)
        client.dora()
        client.dora()
        remedy = "Kea does not wait here" if answers else 'the parameter "answers" is off'
        assert remedy in wait_until(lambda: kea.said("ANSWER_REFUSED"), "the refusal")[0]
        assert kea.status()["kept"] == (2 if answers else 0)


def test_an_answer_that_is_too_long(link, tmp_path):
    keeper = Keeper(tmp_path, f"""printf '{{"keep-for":60,"client-classes":['
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do printf '"%s%0200d",' $i 0; done
echo '"known"]}}'""")
    with serve(tmp_path, keeper) as kea:
        client = stranger(link)
        client.dora()
        client.dora()
        [line] = kea.said("ANSWER_REFUSED")
        assert re.search(r'"keep-for": 60: takes \d+ bytes, with what it is about; 4096 at most are kept', line)
        assert (len(keeper.asked()), kea.status()["kept-answers"]) == (4, 0)


def test_there_is_room_for_so_many(link, tmp_path):
    keeper = Keeper(tmp_path, IS_KNOWN)
    with serve(tmp_path, keeper, keep_limit=3) as kea:
        for _ in range(10):
            stranger(link).discover()
        assert (kea.status()["kept-answers"], kea.status()["keep-limit"]) == (3, 3)


def test_none_is_kept_and_none_refused(link, tmp_path):
    keeper = Keeper(tmp_path, IS_KNOWN)
    with serve(tmp_path, keeper, keep_limit=0) as kea:
        client = stranger(link)
        client.dora()
        client.dora()
        assert (len(keeper.asked()), kea.status()["kept-answers"], kea.status()["refused"]) == (4, 0, 0)


@THREADING
def test_a_flood_costs_nobody_who_came_back(link, tmp_path, threads):
    keeper = Keeper(tmp_path, IS_KNOWN)
    with serve(tmp_path, keeper, config=threads, keep_limit=50) as kea:
        # Passers-by, some of whom were there before.
        for _ in range(60):
            stranger(link).discover()
        known = [stranger(link) for _ in range(20)]
        for client in known:
            client.discover()
            client.discover()
        assert kea.status()["kept"] == len(known)
        for _ in range(200):
            stranger(link).discover()
        before = len(keeper.asked())
        for client in known:
            client.discover()
        assert (len(keeper.asked()) - before, kea.status()["kept-answers"]) == (0, 50)


@THREADING
def test_a_parked_packet(link, tmp_path, threads):
    keeper = Keeper(tmp_path, says("option-data:merit-dump=$said"))
    # Else Kea 3 commits nothing at a renewal, which is another event.
    config = {**threads, "cache-max-age": 0}
    with serve(tmp_path, keeper, "leases4_committed", config, wait="park") as kea:
        clients = [stranger(link), stranger(link)]
        first = [client.dora().option(14) for client in clients]
        assert [text.decode() for text in first] == keeper.asked()
        for _ in range(3):
            assert [client.renew().option(14) for client in clients] == first
        assert (len(keeper.asked()), kea.status()["kept"], kea.status()["failures"]) == (2, 6, 0)


def test_each_script_has_a_memory_of_its_own(link, tmp_path):
    keeper, other = Keeper(tmp_path, IS_KNOWN), Keeper(tmp_path, "exit 0", name="other")
    scripts = [keeping(one.script, [POINT])["parameters"] for one in (keeper, other)]
    library = {**keeping(keeper.script, [POINT]), "parameters": {"scripts": scripts}}
    with Kea(4, SUBNET4, tmp_path, [library]) as kea:
        client = stranger(link)
        for _ in range(3):
            client.discover()
        assert (len(keeper.asked()), len(other.asked())) == (1, 3)
        assert (kea.status(0)["kept"], kea.status(1)["kept"]) == (2, 0)
        statistic = kea.command("statistic-get", {"name": "runscript.kept"})["arguments"]
        assert statistic["runscript.kept"][0][0] == 2


def test_an_answer_from_before_is_not_kept(link, tmp_path):
    """The command comes while the script is at work, on what may have changed since."""
    gate = Gate(tmp_path)
    # What it says where no gate is shut.
    library = keeping(gate.script, [POINT], env={"code": says()})
    with Kea(4, {**SUBNET4, **THREADS}, tmp_path, [library]) as kea:
        client = stranger(link)
        message = client.message(DISCOVER)
        gate.shut(client)
        client.send(message)
        gate.wait()
        assert kea.command("runscript-forget")["result"] == 3
        gate.open(client, says())
        client.wire.receive(message.xid)
        assert (kea.status()["kept-answers"], kea.status()["refused"]) == (0, 0)
        client.discover()
        assert kea.status()["kept-answers"] == 1


def test_the_log_says_what_is_given_again(link, tmp_path):
    answers = {POINT: {"client-classes": ["known"], "keep-for": 60}}
    library = keeping(answering(tmp_path, answers), [POINT])
    with Kea(4, SUBNET4, tmp_path, [library], severity="DEBUG", debuglevel=40) as kea:
        client = stranger(link)
        client.discover()
        client.discover()
        first, second = kea.said("VERDICT")
        assert first.endswith(': continue {"client-classes":["known"],"keep-for":60}')
        assert second == first.partition(": continue")[0] + ': kept, continue "client-classes": "known"'


@pytest.mark.parametrize("parameters, words", [
    ({"keep_by": ["KEA_QUERY4_HOSTNAM"]}, 'parameter "keep-by": "KEA_QUERY4_HOSTNAM" is no variable that answers'),
    ({"keep_limit": -1}, 'parameter "keep-limit": -1: give a whole number of answers from 0 to 1000000')])
def test_parameters_that_will_not_do(link, tmp_path, parameters, words):
    keeper = Keeper(tmp_path, "exit 0")
    assert words in serve(tmp_path, keeper, **parameters).expect_refusal()
    with pytest.raises(NoAnswer):
        stranger(link).discover(timeout=0.1)
