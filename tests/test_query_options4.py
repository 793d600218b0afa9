"""Options of a DHCPv4 query that an answer sets, replaces or removes: what the client and the relay see of it."""

import pytest

from rig.answers import answerer, answering
from rig.configs import SUBNET4, THREADS
from rig.dhcp4 import (CLIENT_ID, HOSTNAME, RELAY_AGENT_INFORMATION, VENDOR_CLASS, address_bytes, agent_information,
                       dns_labels, pack_option, stranger, unpack_options)
from rig.kea import Kea, hook
from rig.query_options import agent, query
from rig.recorder import Recorder, write_script

THREADING = pytest.mark.parametrize("threads", [{}, THREADS], ids=["single", "threads"])
RELAY, LOG_SERVERS, DOMAIN_NAME, SUBNET_SELECTION = "192.0.2.9", 7, 15, 118
BEHIND = {"relay": RELAY, "agent": agent_information(b"circuit", b"remote")}
TWO_SUBNETS = {"subnet4": [*SUBNET4["subnet4"], {
    "id": 2, "subnet": "198.51.100.0/24", "pools": [{"pool": "198.51.100.10-198.51.100.99"}]}]}
HEX = {"csv-format": False}


def serve(tmp_path, *options, config=SUBNET4, **more):
    return Kea(4, {**config, **more}, tmp_path, [answerer(tmp_path, {"pkt4_receive": query(*options)})])


def nothing_refused(kea):
    assert kea.status()["refused"] == kea.status()["failures"] == 0, kea.said("(?:ANSWER_REFUSED|EVENT_FAILED)")


def echoed(answer):
    """The sub-options of option 82 that the relay gets back; None if it gets none."""
    value = answer.option(RELAY_AGENT_INFORMATION)
    return None if value is None else dict(unpack_options(value))


# Option 82

@pytest.mark.parametrize("said", [{"name": "link-selection", "data": "198.51.100.0"}, {"code": 5, "data": "198.51.100.0"},
                                  {"code": 5, "data": "c6336400", **HEX}], ids=str)
@THREADING
def test_link_selection(link, tmp_path, said, threads):
    link_selection = {**said, "space": "dhcp-agent-options-space"}
    with serve(tmp_path, link_selection, config=TWO_SUBNETS, **threads) as kea:
        client = stranger(link, **BEHIND)
        ack = client.dora()
        assert ack.yiaddr.startswith("198.51.100.")
        assert echoed(ack) == {1: b"circuit", 2: b"remote", 5: address_bytes("198.51.100.0")}
        assert client.renew().yiaddr == ack.yiaddr
        nothing_refused(kea)


@pytest.mark.parametrize("relay", [RELAY, None], ids=["relayed", "direct"])
def test_option_82_is_made(link, tmp_path, relay):
    with serve(tmp_path, agent("link-selection", "198.51.100.0"), config=TWO_SUBNETS) as kea:
        ack = stranger(link, relay=relay).dora()
        assert ack.yiaddr.startswith("198.51.100.") and echoed(ack) == {5: address_bytes("198.51.100.0")}
        nothing_refused(kea)


def test_a_link_selection_of_the_relays_is_replaced_and_removed(link, tmp_path):
    relays = {"relay": RELAY, "agent": agent_information(b"circuit", sub_5=address_bytes("192.0.2.0"))}
    with serve(tmp_path / "set", agent("link-selection", "198.51.100.0"), config=TWO_SUBNETS) as kea:
        ack = stranger(link, **relays).dora()
        assert ack.yiaddr.startswith("198.51.100.") and echoed(ack)[5] == address_bytes("198.51.100.0")
        nothing_refused(kea)
    with serve(tmp_path / "gone", agent(5, None), config=TWO_SUBNETS) as kea:
        relays["agent"] = agent_information(b"circuit", sub_5=address_bytes("198.51.100.0"))
        ack = stranger(link, **relays).dora()
        assert ack.yiaddr.startswith("192.0.2.") and echoed(ack) == {1: b"circuit"}
        nothing_refused(kea)


@pytest.mark.parametrize("gone, left", [
    (["remote-id"], {1: b"circuit"}), ([2, 1], None), ([7], {1: b"circuit", 2: b"remote"})], ids=str)
def test_sub_options_go(link, tmp_path, gone, left):
    with serve(tmp_path, *(agent(code, None) for code in gone)) as kea:
        assert echoed(stranger(link, **BEHIND).dora()) == left
        nothing_refused(kea)


def test_option_82_as_a_whole(link, tmp_path):
    with serve(tmp_path / "set", {"code": 82, "data": "0x0103616263", **HEX}) as kea:
        assert echoed(stranger(link, **BEHIND).dora()) == {1: b"abc"}
        nothing_refused(kea)
    with serve(tmp_path / "gone", {"name": "dhcp-agent-options", "data": None}) as kea:
        assert echoed(stranger(link, **BEHIND).dora()) is None
        nothing_refused(kea)


@pytest.mark.parametrize("data", ["0x6c696e652037", "6c696e652037", "'line 7'"])
@THREADING
def test_a_reservation_by_circuit_id(link, tmp_path, data, threads):
    subnet = {**SUBNET4["subnet4"][0], "reservations": [{"circuit-id": "'line 7'", "ip-address": "192.0.2.200"}]}
    config = {"subnet4": [subnet], "host-reservation-identifiers": ["circuit-id"], **threads}
    with serve(tmp_path, agent("circuit-id", data), config=config) as kea:
        ack = stranger(link, **BEHIND).dora()
        assert ack.yiaddr == "192.0.2.200" and echoed(ack) == {1: b"line 7", 2: b"remote"}
        nothing_refused(kea)


@pytest.mark.parametrize("length", [1, 251])
def test_the_longest_sub_option(link, tmp_path, length):
    """Kea has to send it back, in one piece."""
    with serve(tmp_path, agent(150, "ab" * length)) as kea:
        assert echoed(stranger(link, relay=RELAY).dora()) == {150: b"\xab" * length}
        nothing_refused(kea)


# The client's own

# Kea makes the test of such a class when it has looked for reservations.
LATER = {"client-classes": [{"name": "boots", "test": "member('UNKNOWN') and option[60].hex == 'PXE'",
                             "option-data": [{"name": "domain-name", "data": "boots"}]}]}
ASK = (55, bytes([DOMAIN_NAME]))


@pytest.mark.parametrize("sent, data, domain", [
    ("PXE", None, None), ("PXE", "other", None), ("other", "PXE", b"boots"), (None, "PXE", b"boots")])
@THREADING
def test_the_class_of_a_vendor_class(link, tmp_path, sent, data, domain, threads):
    options = [ASK, *([(VENDOR_CLASS, sent.encode())] if sent else [])]
    with serve(tmp_path / "without", **LATER):
        assert stranger(link, options=options).dora().option(DOMAIN_NAME) == (b"boots" if sent == "PXE" else None)
    with serve(tmp_path / "with", {"name": "vendor-class-identifier", "data": data}, **LATER, **threads) as kea:
        assert stranger(link, options=options).dora().option(DOMAIN_NAME) == domain
        nothing_refused(kea)


def test_what_the_client_asks_for(link, tmp_path):
    asked = {"option-data": [{"name": "log-servers", "data": "192.0.2.1"}, {"name": "domain-name", "data": "d"}]}
    with serve(tmp_path, {"name": "dhcp-parameter-request-list", "data": "15, 28"}, **asked) as kea:
        ack = stranger(link, options=[(55, bytes([LOG_SERVERS]))]).dora()
        assert (ack.option(LOG_SERVERS), ack.option(DOMAIN_NAME)) == (None, b"d")
        nothing_refused(kea)


@pytest.mark.parametrize("data, address", [("192.0.2.77", "192.0.2.77"), (None, "192.0.2.10")])
def test_the_address_that_the_client_asks_for(link, tmp_path, data, address):
    with serve(tmp_path, {"name": "dhcp-requested-address", "data": data}) as kea:
        assert stranger(link).discover("192.0.2.55").yiaddr == address
        nothing_refused(kea)


def test_the_clients_name(link, tmp_path):
    with serve(tmp_path / "hostname", {"name": "host-name", "data": "better"}) as kea:
        assert stranger(link, hostname="mine").dora().option(HOSTNAME) == b"better"
        assert ",better," in kea.lease_file.read_text()
        nothing_refused(kea)
    name = {"name": "fqdn", "data": "5, 0, 0, better.example.org."}
    with serve(tmp_path / "fqdn", name, {"name": "host-name", "data": None}) as kea:
        assert dns_labels("better.example.org") in stranger(link, hostname="mine").dora().option(81)
        nothing_refused(kea)


def test_the_subnet_selection(link, tmp_path):
    with serve(tmp_path, {"name": "subnet-selection", "data": "198.51.100.0"}, config=TWO_SUBNETS) as kea:
        ack = stranger(link, relay=RELAY).dora()
        assert ack.yiaddr.startswith("198.51.100.") and ack.option(SUBNET_SELECTION) == address_bytes("198.51.100.0")
        nothing_refused(kea)


def test_the_client_identifier(link, tmp_path):
    """Without it, the client is known by its hardware address alone."""
    with serve(tmp_path / "gone", {"name": "dhcp-client-identifier", "data": None}) as kea:
        ack = stranger(link, client_id=b"\0rom").dora()
        assert ack.option(CLIENT_ID) is None and ":72:6f:6d" not in kea.lease_file.read_text()
        nothing_refused(kea)
    with serve(tmp_path / "set", {"name": "dhcp-client-identifier", "data": "0x006f7572"}) as kea:
        ack = stranger(link, client_id=b"\0rom").dora()
        assert ack.option(CLIENT_ID) == b"\0our" and "00:6f:75:72" in kea.lease_file.read_text()
        assert stranger(link).dora().yiaddr == ack.yiaddr
        nothing_refused(kea)


def test_an_option_of_ones_own(link, tmp_path):
    config = {"option-def": [{"name": "ours", "code": 222, "type": "record", "record-types": "uint16, string"}],
              "client-classes": [{"name": "seven", "test": "member('UNKNOWN') and option[222].hex == 0x0007736576656e",
                                  "option-data": [{"name": "domain-name", "data": "seven"}]}]}
    with serve(tmp_path, {"name": "ours", "data": "7, seven"}, **config) as kea:
        assert stranger(link, options=[ASK]).dora().option(DOMAIN_NAME) == b"seven"
        nothing_refused(kea)


# Words, and what wins over what

def test_in_one_line_of_shell(link, tmp_path):
    script = write_script(tmp_path / "script", """\
#!/bin/sh
exec "$KEA_RUNSCRIPT" answer query-option-data:82.link-selection=198.51.100.0 query-option-data:82.remote-id \\
    query-option-data:dhcp-agent-options.subscriber-id="$KEA_QUERY4_OPTION60" query-option-data:host-name
""")
    ours = hook(script, answers=True, hook_points=["pkt4_receive"])
    with Kea(4, TWO_SUBNETS, tmp_path, [ours]) as kea:
        ack = stranger(link, hostname="mine", options=[(VENDOR_CLASS, b"'\"{}")], **BEHIND).dora()
        assert ack.yiaddr.startswith("198.51.100.") and ack.option(HOSTNAME) is None
        assert echoed(ack) == {1: b"circuit", 5: address_bytes("198.51.100.0"), 6: b"'\"{}"}
        nothing_refused(kea)


def test_which_subnet_wins(link, tmp_path):
    selection = {"name": "subnet-selection", "data": "198.51.100.0"}
    with serve(tmp_path / "options", selection, agent(5, "192.0.2.0"), config=TWO_SUBNETS) as kea:
        assert stranger(link, relay=RELAY).dora().yiaddr.startswith("192.0.2.")
        nothing_refused(kea)
    answers = {"pkt4_receive": query(agent(5, "192.0.2.0")), "subnet4_select": {"subnet-id": 2}}
    with Kea(4, TWO_SUBNETS, tmp_path / "id", [answerer(tmp_path / "id", answers)]) as kea:
        assert stranger(link, relay=RELAY).dora().yiaddr.startswith("198.51.100.")
        nothing_refused(kea)


def test_what_goes_out_has_the_last_word(link, tmp_path):
    """The relay gets its own option back."""
    own = pack_option((1, b"circuit")) + pack_option((2, b"remote"))
    answers = {"pkt4_receive": query(agent(5, "198.51.100.0")),
               "pkt4_send": {"option-data": [{"code": 82, "data": own.hex(), **HEX}]}}
    with Kea(4, TWO_SUBNETS, tmp_path, [answerer(tmp_path, answers)]) as kea:
        ack = stranger(link, **BEHIND).dora()
        assert ack.yiaddr.startswith("198.51.100.") and echoed(ack) == {1: b"circuit", 2: b"remote"}
        nothing_refused(kea)


# What later hook points are told

def test_variables(link, tmp_path):
    points = ["pkt4_receive", "subnet4_select", "leases4_committed", "pkt4_send"]
    recorder = Recorder(tmp_path)
    script = answering(tmp_path, {"pkt4_receive": query(
        agent("circuit-id", "0x6e6577"), agent(5, "192.0.2.0"), agent("remote-id", None),
        {"code": 60, "data": None}, {"code": 77, "data": "0x0178", **HEX}, {"code": 12, "data": "better"})})
    scripts = [{"script": str(script), "answers": True, "on-failure": "continue", "hook-points": ["pkt4_receive"]},
               {"script": str(recorder.script), "hook-points": points}]
    options = [(VENDOR_CLASS, b"PXE"), (HOSTNAME, b"mine")]
    with Kea(4, SUBNET4, tmp_path, [hook(scripts=scripts)]) as kea:
        stranger(link, options=options, **BEHIND).dora()
        nothing_refused(kea)
        at = {call.hook: call for call in recorder.calls()}
    names = ["82", "82_SUB_1", "82_SUB_2", "82_SUB_5", "60", "77", "12"]
    told = {hook: [call.get(f"KEA_QUERY4_OPTION_{name}") for name in names] for hook, call in at.items()}
    sub1, sub2 = b"circuit", b"remote"
    came = pack_option((1, sub1)) + pack_option((2, sub2))
    now = pack_option((1, b"new")) + pack_option((5, address_bytes("192.0.2.0")))
    wire = [f"0x{value.hex()}" if value is not None else None
            for value in (came, sub1, sub2, None, b"PXE", None, b"mine")]
    changed = [f"0x{value.hex()}" if value is not None else None
               for value in (now, b"new", None, address_bytes("192.0.2.0"), None, b"\1x", b"better")]
    assert told == {"pkt4_receive": wire, **{point: changed for point in points[1:]}}
    assert at["pkt4_receive"]["KEA_QUERY4_RAI_CIRCUIT_ID"] != at["pkt4_send"]["KEA_QUERY4_RAI_CIRCUIT_ID"]
    # Kea has made that class when the packet came.
    assert all("VENDOR_CLASS_PXE" in call["KEA_QUERY4_CLASSES"].split("\n") for call in at.values())
