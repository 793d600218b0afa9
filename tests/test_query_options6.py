"""Options of a DHCPv6 query that an answer sets, replaces or removes, a relay's too: what client and relay see of it."""

import struct

import pytest

from rig.answers import answerer, answering
from rig.configs import SUBNET6, THREADS
from rig.dhcp4 import dns_labels, hex_bytes
from rig.dhcp6 import (CLIENT_FQDN, INTERFACE_ID, OPTION_REQUEST, RAPID_COMMIT, RELAY_MESSAGE, RELAY_REPLY, REMOTE_ID, REPLY,
                       VENDOR_CLASS, Client6, Relay6, find, unpack_options)
from rig.kea import Kea, hook
from rig.query_options import query
from rig.recorder import Recorder

THREADING = pytest.mark.parametrize("threads", [{}, THREADS], ids=["single", "threads"])
LINK, PEER, OUTER = "2001:db8::1", "fe80::1", "2001:db8:f::1"
DOMAIN_SEARCH, USER_CLASS, CLIENT_LINK_LAYER = 24, 15, 79
POOL2 = "2001:db8:2::"
TWO_SUBNETS = {"subnet6": [{"id": 1, "subnet": "2001:db8::/64", "pools": [{"pool": "2001:db8::1000/116"}]}, {
    "id": 2, "subnet": f"{POOL2}/64", "interface-id": "line 7", "pools": [{"pool": f"{POOL2}1000/116"}]}]}
LINE7 = {"name": "interface-id", "data": "0x6c696e652037"}


def near(*options):
    return Relay6(LINK, PEER, options)


def far(*options):
    return Relay6(OUTER, PEER, options, hops=1)


def serve(tmp_path, *options, config=SUBNET6, **more):
    return Kea(6, {**config, **more}, tmp_path, [answerer(tmp_path, {"pkt6_receive": query(*options)})])


def nothing_refused(kea):
    assert kea.status()["refused"] == kea.status()["failures"] == 0, kea.said("(?:ANSWER_REFUSED|EVENT_FAILED)")


class Spy:
    """Sees what the relays get back beside the client's answer."""

    def __init__(self, client):
        self.udp, self.answers = client.port.udp, []
        client.port.udp = self

    def recv(self, size):
        self.answers.append(self.udp.recv(size))
        return self.answers[-1]

    def __getattr__(self, name):
        return getattr(self.udp, name)

    def echoed(self):
        """The interface ids of the last answer, as the relays get them, the one nearest to the server first."""
        message, ids = self.answers[-1], []
        while message[0] == RELAY_REPLY:
            options = list(unpack_options(message[34:]))
            ids.append(find(options, INTERFACE_ID))
            message = find(options, RELAY_MESSAGE)
        return ids


# Relays

@pytest.mark.parametrize("sent", [b"line 1", None])
@THREADING
def test_an_interface_id_chooses_the_subnet(link, tmp_path, sent, threads):
    relay = near((INTERFACE_ID, sent)) if sent else near()
    with serve(tmp_path, {**LINE7, "relay": 0}, config=TWO_SUBNETS, **threads) as kea:
        with Client6(link, relays=[relay]) as client:
            spy = Spy(client)
            assert client.sarr().leases[0].startswith(POOL2) and spy.echoed() == [b"line 7"]
        nothing_refused(kea)


@pytest.mark.parametrize("index, ids", [(0, [b"line 7", b"near"]), (1, [b"far", b"line 7"])])
def test_relays_have_the_numbers_of_the_variables(link, tmp_path, index, ids):
    recorder = Recorder(tmp_path)
    script = answering(tmp_path, {"pkt6_receive": query({**LINE7, "relay": index})})
    scripts = [{"script": str(script), "answers": True, "on-failure": "continue", "hook-points": ["pkt6_receive"]},
               {"script": str(recorder.script), "hook-points": ["pkt6_receive", "subnet6_select"]}]
    with Kea(6, TWO_SUBNETS, tmp_path, [hook(scripts=scripts)]) as kea:
        with Client6(link, relays=[far((INTERFACE_ID, b"far")), near((INTERFACE_ID, b"near"))]) as client:
            spy = Spy(client)
            client.solicit()
            assert spy.echoed() == ids
        at = {call.hook: call for call in recorder.wait(2)}
        nothing_refused(kea)
    told = {point: [call[f"KEA_QUERY6_RELAY{relay}_OPTION_18"] for relay in (0, 1)] for point, call in at.items()}
    in_hex = {name: "0x" + name.hex() for name in (b"far", b"near", b"line 7")}
    assert told == {"pkt6_receive": [in_hex[b"far"], in_hex[b"near"]], "subnet6_select": [in_hex[one] for one in ids]}


def test_an_interface_id_goes(link, tmp_path):
    with serve(tmp_path, {"code": INTERFACE_ID, "data": None, "relay": 0}, config=TWO_SUBNETS) as kea:
        with Client6(link, relays=[near((INTERFACE_ID, b"line 7"))]) as client:
            spy = Spy(client)
            assert client.sarr().leases[0].startswith("2001:db8::") and spy.echoed() == [None]
        nothing_refused(kea)


@pytest.mark.parametrize("data, found", [("9, 0x6f75727320", True), (None, False)], ids=str)
def test_the_class_of_a_remote_id(link, tmp_path, data, found):
    """Kea makes the test of such a class when it has looked for reservations."""
    remote_id = struct.pack("!I", 9) + b"ours "
    wanted = "ours " if data else "theirs"
    classes = [{"name": "line", "test": f"member('UNKNOWN') and substring(relay6[0].option[37].hex, 4, all) == '{wanted}'",
                "option-data": [{"name": "domain-search", "data": "line"}]}]
    option = {"code": REMOTE_ID, "data": data if data is None else remote_id.hex(), "csv-format": False, "relay": 0}
    with serve(tmp_path, option, **{"client-classes": classes}) as kea:
        sent = (REMOTE_ID, struct.pack("!I", 9) + b"theirs")
        with Client6(link, relays=[near(sent)], options=[(OPTION_REQUEST, bytes([0, DOMAIN_SEARCH]))]) as client:
            assert (client.sarr().option(DOMAIN_SEARCH) is not None) == found
        nothing_refused(kea)


def test_a_hardware_address_that_a_relay_has_not_told(link, tmp_path):
    mac = "02:00:00:00:00:77"
    reserved = {**SUBNET6["subnet6"][0], "reservations": [{"hw-address": mac, "ip-addresses": ["2001:db8::77"]}]}
    config = {"subnet6": [reserved], "mac-sources": ["client-link-addr-option"]}
    option = {"code": CLIENT_LINK_LAYER, "data": (b"\0\1" + hex_bytes(mac)).hex(), "csv-format": False, "relay": 0}
    with serve(tmp_path, option, config=config) as kea:
        with Client6(link, relays=[near()]) as client:
            assert client.sarr().leases == ["2001:db8::77"]
        nothing_refused(kea)


# The client's own

@pytest.mark.parametrize("data, sent, kind", [("", False, REPLY), (None, True, None)], ids=["set", "gone"])
@THREADING
def test_rapid_commit(link, tmp_path, data, sent, kind, threads):
    with serve(tmp_path, {"name": "rapid-commit", "data": data}, **threads) as kea, Client6(link) as client:
        answer = client.solicit(rapid_commit=sent)
        assert (answer.type == REPLY) == (kind == REPLY) == (answer.option(RAPID_COMMIT) is not None)
        nothing_refused(kea)


def test_what_the_client_asks_for(link, tmp_path):
    asked = {"option-data": [{"name": "dns-servers", "data": "2001:db8::1"}, {"name": "domain-search", "data": "d"}]}
    with serve(tmp_path, {"name": "oro", "data": "24"}, **asked) as kea, Client6(link) as client:
        answer = client.sarr()
        assert answer.option(23) is None and answer.option(DOMAIN_SEARCH) == b"\1d\0"
        nothing_refused(kea)


@pytest.mark.parametrize("code, sent, data", [
    (USER_CLASS, b"\0\4boot", None), (VENDOR_CLASS, struct.pack("!IH", 9, 4) + b"boot", None),
    (USER_CLASS, None, "0004626f6f74"), (VENDOR_CLASS, None, "000000090004626f6f74"),
    (USER_CLASS, b"\0\4boot", "00056f74686572")], ids=str)
def test_a_class(link, tmp_path, code, sent, data):
    """All of the code go, and one is there then."""
    whole = bytes.fromhex("0004626f6f74") if code == USER_CLASS else bytes.fromhex("000000090004626f6f74")
    classes = [{"name": "boots", "test": f"member('UNKNOWN') and option[{code}].hex == 0x{whole.hex()}",
                "option-data": [{"name": "domain-search", "data": "boots"}]}]
    option = {"code": code, "data": data, "csv-format": False}
    with serve(tmp_path, option, **{"client-classes": classes}) as kea:
        with Client6(link, options=[(code, sent)] * 2 if sent else []) as client:
            assert (client.sarr().option(DOMAIN_SEARCH) is not None) == bool(data and bytes.fromhex(data) == whole)
        nothing_refused(kea)


def test_the_clients_name(link, tmp_path):
    option = {"name": "client-fqdn", "data": "1, better.example.org."}
    with serve(tmp_path, option) as kea, Client6(link, options=[(OPTION_REQUEST, bytes([0, CLIENT_FQDN]))]) as client:
        assert client.sarr().option(CLIENT_FQDN)[1:] == dns_labels("better.example.org") + b"\0"
        assert ",better.example.org." in kea.lease_file.read_text()
        nothing_refused(kea)


def test_variables(link, tmp_path):
    points = ["pkt6_receive", "subnet6_select", "leases6_committed", "pkt6_send"]
    recorder = Recorder(tmp_path)
    script = answering(tmp_path, {"pkt6_receive": query(
        {"code": USER_CLASS, "data": None}, {"code": 65001, "data": "0x0102"}, {**LINE7, "relay": 0},
        {"code": REMOTE_ID, "data": None, "relay": 0})})
    scripts = [{"script": str(script), "answers": True, "on-failure": "continue", "hook-points": ["pkt6_receive"]},
               {"script": str(recorder.script), "hook-points": points}]
    with Kea(6, SUBNET6, tmp_path, [hook(scripts=scripts)]) as kea:
        relay = near((INTERFACE_ID, b"if"), (REMOTE_ID, b"\0\0\0\x09r"))
        with Client6(link, relays=[relay], options=[(USER_CLASS, b"\0\1a"), (USER_CLASS, b"\0\1b")]) as client:
            client.solicit(rapid_commit=True)
        nothing_refused(kea)
        at = {call.hook: call for call in recorder.calls()}
    names = ["OPTION_15", "OPTION_65001", "RELAY0_OPTION_18", "RELAY0_OPTION_37"]
    told = {point: [call.get(f"KEA_QUERY6_{name}") for name in names] for point, call in at.items()}
    wire = ["0x000161 0x000162", None, "0x6966", "0x0000000972"]
    assert told == {points[0]: wire, **{point: [None, "0x0102", "0x6c696e652037", None] for point in points[1:]}}
