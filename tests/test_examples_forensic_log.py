"""examples/forensic-log: a line for each lease that is assigned, renewed, released, declined or expired, and none twice."""

import random
import re
import time
from pathlib import Path

import pytest

from rig.crash import VICTIMS, kill, seed, spool
from rig.dhcp4 import ACK, Client4, agent_information
from rig.dhcp6 import Client6, Relay6
from rig.examples import PROMPT, example
from rig.kea import Kea
from rig.load import CONFIG, Load
from rig.recorder import write_script
from rig.wait import quiet, wait_until

STAMP = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \S+ "
EVENT = r", event: [0-9a-f]{16}-\d+"
MAC = "02:00:5e:10:00:01"
# Else a renewal soon after the lease commits nothing, from Kea 2.6 or 3.0 on.
NO_CACHE = {"cache_max_age": 0}


def config(tmp_path, family=4, **overrides):
    return example("forensic-log", f"kea-dhcp{family}.conf", args=[tmp_path, "forensic"], **overrides)


def text(tmp_path):
    return "".join(file.read_text() for file in sorted(tmp_path.glob("forensic.*.txt")))


def lines(tmp_path, count):
    """What stands between time and event, once there are so many lines."""
    wait_until(lambda: text(tmp_path).count("\n") >= count, lambda: f"{count} lines ({text(tmp_path)})")
    found = re.findall(f"^{STAMP}(.*){EVENT}$", text(tmp_path), re.M)
    assert len(found) == text(tmp_path).count("\n") == count
    return found


def test_a_lease_of_dhcpv4(link, tmp_path):
    with Kea(4, config(tmp_path, valid_lifetime=7384, **NO_CACHE), tmp_path) as kea:
        client = Client4(link, MAC, client_id=b"\1id")
        assert client.dora().type == client.renew().type == ACK
        client.release()
        assert client.dora().type == ACK
        client.decline()
        quiet(kea)
        assigned, renewed, released, again, declined = lines(tmp_path, 5)
    device = f"a device with hardware address: hwtype=1 {MAC}, client-id: 01:69:64"
    assert assigned == f"Address: 192.0.2.10 has been assigned for 2 hrs 3 mins 4 secs to {device}"
    assert renewed == f"Address: 192.0.2.10 has been renewed for 2 hrs 3 mins 4 secs to {device}"
    assert released == f"Address: 192.0.2.10 has been released from {device}"
    # Whether the same address comes again is Kea's business.
    address = re.match(r"Address: (192\.0\.2\.\d+) ", again)[1]
    assert again == assigned.replace("192.0.2.10 ", f"{address} ")
    assert declined == f"Address: {address} has been declined from {device}"


def test_the_relay_of_dhcpv4(link, tmp_path):
    agent = agent_information(b"port 7", b"\x01\xff", sub_6=b"a) b\n")
    with Kea(4, config(tmp_path, valid_lifetime=0xffffffff), tmp_path):
        assert Client4(link, MAC, relay="192.0.2.2", agent=agent).dora().type == ACK
        [line] = lines(tmp_path, 1)
    assert line == (f"Address: 192.0.2.10 has been assigned for infinite duration to a device with hardware address: hwtype=1 {MAC} "
                    "connected via relay at address: 192.0.2.2, identified by circuit-id: 70:6f:72:74:20:37 (port 7) and "
                    "remote-id: 01:ff and subscriber-id: 61:29:20:62:0a")


def test_a_lease_that_expires(link, tmp_path):
    with Kea(4, config(tmp_path, valid_lifetime=1, **PROMPT), tmp_path):
        assert Client4(link, MAC).dora().type == ACK
        assigned, expired = lines(tmp_path, 2)
    assert assigned.startswith("Address: 192.0.2.10 has been assigned for 0 hrs 0 mins 1 secs to a device with")
    assert expired == f"Address: 192.0.2.10 has expired from a device with hardware address: {MAC}"


def test_leases_of_dhcpv6(link, tmp_path):
    relay = Relay6("2001:db8::7", "fe80::7", ((18, b"eth7"), (37, b"\0\0\0\x09\xff")), 1)
    with Kea(6, config(tmp_path, 6, valid_lifetime=93784, **NO_CACHE), tmp_path), Client6(link, MAC, relays=[relay]) as client:
        [address] = client.sarr().leases
        client.renew()
        client.release()
        assigned, renewed, released = lines(tmp_path, 3)
    way = (" connected via relay at address: fe80::7 for client on link address: 2001:db8::7, hop count: 1, "
           "identified by remote-id: 00:00:00:09:ff and interface-id: 65:74:68:37 (eth7)")
    device = rf"a device with DUID: [0-9a-f:]+( and hardware address: (hwtype=1 )?{MAC})?"
    for line, words in [(assigned, "has been assigned for 1 days 2 hrs 3 mins 4 secs to "),
                        (renewed, "has been renewed for 1 days 2 hrs 3 mins 4 secs to "), (released, "has been released from ")]:
        assert re.fullmatch(f"Address: {address} {words}{device}{re.escape(way)}", line), line


def test_a_repeat_adds_no_line(link, tmp_path):
    """The program dies between its line and its answer, each third time, and is told the event again."""
    whole = config(tmp_path, valid_lifetime=3600)
    parameters = whole["hooks-libraries"][0]["parameters"]
    answered = "        answer = {}\n"
    text = Path(parameters["script"]).read_text()
    assert answered in text
    dies = f"""\
        with open("{tmp_path}/written", "a+") as written:
            written.write("x")
        if os.path.getsize("{tmp_path}/written") % 3 == 0:
            os.kill(os.getpid(), 9)
"""
    parameters["script"] = str(write_script(tmp_path / "forensic-log.py", text.replace(answered, answered + dies)))
    with Kea(4, whole, tmp_path) as kea:
        clients = [Client4(link, f"02:00:5e:10:01:{n:02x}") for n in range(10)]
        for client in clients:
            assert client.dora().type == ACK
        quiet(kea, 60)
        found = lines(tmp_path, len(clients))
        assert [line.split()[1] for line in found] == [client.address for client in clients]
        assert (tmp_path / "written").stat().st_size == 14
        assert kea.status()["failures"] == 0


def test_half_a_line_is_taken_back(link, tmp_path):
    today = tmp_path / f"forensic.{time.strftime('%Y%m%d')}.txt"
    today.write_text("a line of before\n2026-01-01 00:00:00 UTC Address: 192.0.2")
    with Kea(4, config(tmp_path, valid_lifetime=3600), tmp_path) as kea:
        assert Client4(link, MAC).dora().type == ACK
        quiet(kea)
    before, line = text(tmp_path).splitlines()
    assert before == "a line of before"
    assert re.fullmatch(f"{STAMP}Address: 192.0.2.10 .*{EVENT}", line)


def test_what_cannot_be_written_is_written_later(link, tmp_path):
    directory = tmp_path / "nowhere"
    with Kea(4, config(directory), tmp_path) as kea:
        assert Client4(link, MAC).dora().type == ACK
        kea.wait_log("RUNSCRIPT_ERROR_OUTPUT .*No such file or directory")
        directory.mkdir()
        quiet(kea)
        assert kea.status()["failures"] == 0
    [file] = directory.iterdir()
    assert "has been assigned" in file.read_text()


def test_it_says_that_it_is_a_daemon(link, tmp_path):
    whole = config(tmp_path)
    del whole["hooks-libraries"][0]["parameters"]["mode"]
    with Kea(4, whole, tmp_path) as kea:
        assert Client4(link, MAC).dora().type == ACK
        kea.wait_log('RUNSCRIPT_ERROR_OUTPUT .*is "mode": "daemon" missing')


def sign(client):
    """Has the client's relay add the transaction to each of its messages: so it stands in the log."""
    client.relay, exchange = "192.0.2.2", client.exchange

    def signed(message, *args, **how):
        message.options.append(agent_information(sub_6=b"%08x" % message.xid))
        return exchange(message, *args, **how)
    client.exchange = signed


@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.long)])
def test_kills_of_kea_and_the_runner(link, tmp_path, kills):
    """No line is missing for an answer that a client has seen, and none stands there twice."""
    dice = random.Random(seed())
    load = Load(link, 4, 1)
    for guest in sum(load.tables, []):
        sign(guest.client)
    whole = config(tmp_path, **{**CONFIG[4], "valid-lifetime": 7384})
    whole["hooks-libraries"][0]["parameters"].update(spool(tmp_path))
    kea = Kea(4, whole, tmp_path)
    with kea:
        for _ in range(kills):
            with load:
                load.wait(dice.randint(10, 60))
                kill(kea, dice.choice(VICTIMS), dice)
        quiet(kea, 60)
    found = text(tmp_path).splitlines()
    given = {(int(transaction, 16), address) for address, transaction in
             re.findall(r"Address: (\S+) has been (?:assigned|renewed) .* subscriber-id: \S+ \((\w{8})\)", text(tmp_path))}
    missing = [answer for answer in load.answers if (answer.query[1], *answer.addresses) not in given]
    print(f"counted {len(load.answers)} answers, {len(found)} lines, {len(missing)} missing")
    assert not missing, f"{len(missing)} of {len(load.answers)} are missing, as {missing[0]}"
    assert all(re.fullmatch(f"{STAMP}Address: .*{EVENT}", line) for line in found)
    assert len({line.rpartition(" ")[2] for line in found}) == len(found)
