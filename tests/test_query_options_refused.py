"""Options of a query that Kea does not take are refused, and whatever is made of them, Kea lives and serves its clients."""

import json

import pytest

from rig.answers import answerer
from rig.configs import SUBNET4, SUBNET6, SUBNETS
from rig.dhcp4 import DISCOVER, INFORM, REQUEST, agent_information, stranger
from rig.dhcp6 import (CLIENT_ID, IA_NA, INFORMATION_REQUEST, INTERFACE_ID, RAPID_COMMIT, SOLICIT, Client6, Message6,
                       Relay6)
from rig.kea import Kea, version
from rig.query_options import agent, obeying, query, wish
from rig.wait import wait_until

HEX = {"csv-format": False}
FIXED4, FIXED6 = [53, 54], [1, 2, 3, 4, 5, 9, 25, 26, 87]
TAKEN, ASKED_FOR = "by it Kea has taken the message", "Kea answers each one that the client has sent"

# Before 2.6, Kea takes no client identifier of so many bytes.
LONG_ID = [({"code": 61, "data": "01" * 129}, "128")] if version() < (2, 6) else []
REFUSED4 = [
    ({"code": 53, "data": "3"}, TAKEN), ({"name": "dhcp-message-type", "data": None}, TAKEN),
    ({"code": 54, "data": "192.0.2.1"}, TAKEN),
    ({"name": "nonsense", "data": "x"}, "does not exist"), ({"name": "nonsense", "data": None}, "has this name"),
    ({"name": "host-name", "code": 15, "data": "x"}, "does not match"),
    ({"name": "host-name", "code": 15, "data": None}, "has the code of another option: domain-name"),
    ({"code": 50, "data": "192.0.2.300"}, "192.0.2.300"), ({"code": 50, "data": "c00002", **HEX}, "truncated"),
    ({"code": 12, "data": ""}, ""), ({"code": 12, "data": "a, b"}, "has room for 1 of these 2 values"),
    ({"code": 81, "data": "00", **HEX}, ""), *LONG_ID,
    ({"code": 256, "data": "00"}, "256"), ({"code": 255, "data": "00"}, "reserved for END"),
    ({"code": 250, "data": "xyz"}, "not a valid string of hexadecimal digits"),
    ({"code": 250, "data": "00", "relay": 0}, "names a relay: that is DHCPv6"),
    ({"code": 60, "data": "x", "space": "dhcp6"}, "reserved for DHCPv6 server"),
    ({"code": 1, "data": "00", "space": "vendor-4491"}, "give the option around it"),
    ({"code": 1, "data": None, "space": "x y"}, "invalid option space name"),
    (agent("link-selection", "x"), "does not match option definition"), (agent(5, "c000", **HEX), ""),
    (agent("nonsense", "00"), "does not exist"), (agent(255, "00"), "give one from 1 to 254"),
    (agent(150, "ab" * 252), "option 82 has room for 253 bytes"), (agent(150, "ab" * 300), ""),
    ({"code": 82, "data": "01fc" + "ab" * 252, **HEX}, "option 82 has room for 253 bytes"),
]
REFUSED6 = [
    *(({"code": code, "data": None}, "") for code in FIXED6), ({"code": 3, "data": "1, 0, 0"}, ASKED_FOR),
    ({"code": 1, "data": "00030001020000000001"}, "takes no answer to another DUID"),
    ({"code": 2, "data": None}, TAKEN), ({"code": 9, "data": "00", "relay": 0}, "that a relay forwards"),
    ({"name": "interface-id", "data": "00", "relay": 1}, "it has passed 1, and relay 0 is the nearest to the server"),
    ({"name": "nonsense", "data": "x"}, "does not exist"), ({"code": 6, "data": "x"}, ""),
    ({"code": 39, "data": "", **HEX}, ""), ({"code": 79, "data": "0001" + "ab" * 21, **HEX, "relay": 0}, "up to 20 bytes"), ({"code": 16, "data": "00", **HEX}, ""), (agent(1, "00"), "another option space"),
]


@pytest.mark.parametrize("family, option, reason", [(4, *row) for row in REFUSED4] + [(6, *row) for row in REFUSED6],
                         ids=lambda value: str(value)[:80])
def test_refused(link, tmp_path, family, option, reason):
    """The rest of the answer holds."""
    relay = (Relay6("2001:db8::1", "fe80::1", ((INTERFACE_ID, b"if"),)),)
    config = {**SUBNETS[family], "client-classes": [{"name": "seen"}]}
    answer = {**query(option), "client-classes": ["seen"]}
    with Kea(family, config, tmp_path, [answerer(tmp_path, {f"pkt{family}_receive": answer})]) as kea:
        if family == 4:
            assert stranger(link, relay="192.0.2.9", agent=agent_information(b"c")).dora().yiaddr
        else:
            with Client6(link, relays=relay) as client:
                assert client.sarr().leases
        assert kea.status()["refused"] == 2 and kea.status()["failures"] == 0
        [line] = kea.said("ANSWER_REFUSED")
        assert f'"query-option-data": {json.dumps(option, separators=(",", ":"), sort_keys=True)[:60]}' in line
        assert reason in line


def test_a_client_without_any_identity(link, tmp_path):
    answer = query({"name": "dhcp-client-identifier", "data": None})
    with Kea(4, SUBNET4, tmp_path, [answerer(tmp_path, {"pkt4_receive": answer})]) as kea:
        assert stranger(link).dora().yiaddr
        nameless = stranger(link, client_id=b"\0nameless")
        nameless.chaddr, nameless.mac = b"", ""
        assert nameless.dora().yiaddr
        assert "cannot go: the client has no hardware address" in kea.said("ANSWER_REFUSED")[0]


# Whatever an answer says

DATA = ["", "00", "0001", "00000001", "ff" * 5, "03616263", "00000009046578616d", "c0000201", "00" * 12, "01" * 17, "41" * 200]


@pytest.mark.long
def test_every_option_of_dhcpv4(link, tmp_path):
    """Kea casts what it has read to the classes that it expects."""
    config = {**SUBNET4, "client-classes": [{"name": "later", "test": "member('UNKNOWN') and option[60].exists"}],
              "match-client-id": True}
    with Kea(4, config, tmp_path, [obeying(4, tmp_path)]) as kea:
        count = 0
        for code in range(1, 255):
            for data in DATA:
                option = {"code": code, "data": data, **HEX}
                count += said4(link, [option], [agent(code, data, **HEX)])
            count += said4(link, [{"code": code, "data": None}], [agent(code, None)])
            done(kea, count)
        assert stranger(link).dora().yiaddr
        lived_well(kea, count)


def said4(link, *wishes):
    """Sends what each wish is made of, in the states of a client; how many messages."""
    for options in wishes:
        client = stranger(link, options=[wish(4, *options), (60, b"PXE"), (12, b"mine")], relay="192.0.2.9",
                          agent=agent_information(b"c", b"r"))
        client.send(client.message(DISCOVER))
        client.send(client.message(REQUEST, [(50, bytes([192, 0, 2, 20]))]))
        client.send(client.message(INFORM, ciaddr="192.0.2.240"))
    return 3 * len(wishes)


def done(kea, count):
    wait_until(lambda: kea.status()["events"] >= count and kea.status()["pending"] == 0, "all messages", 60)


def lived_well(kea, count):
    """Kea has taken some of the options, others were refused, and it has given up no packet over them."""
    assert kea.status()["failures"] == 0 and 0 < kea.status()["refused"] < count / 2
    assert "EXCEPTION" not in kea.log()


@pytest.mark.long
def test_every_option_of_dhcpv6(link, tmp_path):
    relay = (Relay6("2001:db8::1", "fe80::1", ((INTERFACE_ID, b"if"),)),)
    with Kea(6, SUBNET6, tmp_path, [obeying(6, tmp_path)]) as kea, Client6(link, relays=relay) as client:
        count = 0
        for code in [*range(1, 150), 1000]:
            for data in [*DATA, None]:
                for more in {}, {"relay": 0}:
                    wishes = wish(6, {"code": code, "data": data, **HEX, **more})
                    for kind in SOLICIT, INFORMATION_REQUEST:
                        ias = [(IA_NA, count.to_bytes(4, "big") + bytes(8)), (RAPID_COMMIT, b"")] if kind == SOLICIT else []
                        duid = b"\0\3\0\1" + count.to_bytes(6, "big")
                        client.port.send(Message6(kind, [(CLIENT_ID, duid), *ias, wishes]), relay)
                        count += 1
            done(kea, count)
        # The first one's socket is full.
        with Client6(link, "02:00:00:00:00:02", relays=relay) as another:
            assert another.sarr().leases
        lived_well(kea, count)
