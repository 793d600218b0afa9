"""Variables in hex have the bytes that a client sent, whatever Kea makes of them, and what other libraries have changed."""

import struct

import pytest

from rig.configs import SUBNET4, SUBNET6
from rig.dhcp4 import DISCOVER, Client4, stranger
from rig.dhcp6 import CLIENT_ID, SOLICIT, Client6, Message6, Relay6
from rig.kea import HOOK, Kea, hook
from rig.others import together
from rig.programs import library

POINTS4 = ["buffer4_receive", "pkt4_receive", "subnet4_select"]
POINTS6 = ["buffer6_receive", "pkt6_receive", "subnet6_select"]

CISCO, OTHER = struct.pack("!I", 9), struct.pack("!I", 10)

# Option 52 and what it announces in the fields of the boot file and the server's name.
FILE, SNAME = b"\x3c\x02fi\xff", b"\x3c\x02sn\x4d\x01u\xff"


def told4(link, recorder, **message):
    """What the script is told of a client's message, which Kea may drop at any of the hook points."""
    client = Client4(link)
    packet = client.message(DISCOVER, message.pop("options", ()), **message)
    client.send(packet)
    stranger(link).discover()
    return of_transaction(recorder, "KEA_QUERY4", packet.xid)


def told6(link, recorder, options, relays=()):
    with Client6(link, relays=relays) as client, Client6(link, "02:00:00:00:00:02") as another:
        packet = Message6(SOLICIT, [(CLIENT_ID, client.duid), *(ia.option() for ia in client.ias), *options])
        client.port.send(packet, relays)
        another.solicit()
    return of_transaction(recorder, "KEA_QUERY6", packet.transid)


def of_transaction(recorder, whose, number):
    calls = [call for call in recorder.calls() if call[f"{whose}_TRANSACTION_ID"] == str(number)]
    assert calls
    return calls


@pytest.fixture
def kea4(link, tmp_path, recorder):
    with Kea(4, SUBNET4, tmp_path, [hook(recorder.script, hook_points=POINTS4)]):
        yield


@pytest.fixture
def kea6(link, tmp_path, recorder):
    with Kea(6, SUBNET6, tmp_path, [hook(recorder.script, hook_points=POINTS6)]):
        yield


@pytest.mark.parametrize("code, value", [
    (43, "0105aa"), (43, "ff"), (43, "706c61696e2074657874"), (43, "0102aabb"), (43, ""),
    (60, "78005245474953544552454400"), (81, "040000" + "03" + "41620078"), (81, "05000003414263"), (82, "010561"),
    (82, "ff"), (124, "00000009" + "027078" + "0000000a" + "0171"), (125, "0000"), (61, "ff" * 20), (224, "00"),
    (125, "00000009" + "04" + "0102abcd" + "0000000a" + "03" + "0201cc"), (12, "61002e"), (93, "0001"), (55, ""),
    (150, "c0000201ff")])
def test_dhcp4(link, recorder, kea4, code, value):
    for call in told4(link, recorder, options=[(code, bytes.fromhex(value))]):
        assert call.get(f"KEA_QUERY4_OPTION_{code}") == "0x" + value


def test_parts_are_joined(link, recorder, kea4):
    parts = [(77, b"\1a"), (60, b"MSFT"), (77, b"\1b"), (60, b" 5.0")]
    for call in told4(link, recorder, options=[*parts, (43, bytes(range(256)) * 2)]):
        assert call["KEA_QUERY4_OPTION_77"] == "0x01610162"
        assert call["KEA_QUERY4_OPTION_60"] == "0x" + b"MSFT 5.0".hex()
        assert call["KEA_QUERY4_OPTION_43"] == "0x" + (bytes(range(256)) * 2).hex()


@pytest.mark.parametrize("overload, found, user_class", [
    (1, b"ab" + b"fi", None), (2, b"ab" + b"sn", "0x75"), (3, b"ab" + b"fi" + b"sn", "0x75"), (0, b"ab", None)])
def test_options_in_other_fields(link, recorder, kea4, overload, found, user_class):
    options = [(52, bytes([overload])), (60, b"ab")]
    for call in told4(link, recorder, options=options, file=FILE, sname=SNAME):
        assert call["KEA_QUERY4_OPTION_60"] == "0x" + found.hex()
        assert call.get("KEA_QUERY4_OPTION_77") == user_class


def test_several_enterprises4(link, recorder, kea4):
    both = CISCO + b"\x04\1\2\xab\xcd" + OTHER + b"\x03\1\1\xcc"
    for call in told4(link, recorder, options=[(125, both)]):
        assert call["KEA_QUERY4_OPTION_125_ENTERPRISE_9_SUB_1"] == "0xabcd"
        assert call["KEA_QUERY4_OPTION_125_ENTERPRISE_10_SUB_1"] == "0xcc"
        assert "KEA_QUERY4_OPTION_125_SUB_1" not in call.env


def test_an_enterprise_without_sub_options_is_another4(link, recorder, kea4):
    for call in told4(link, recorder, options=[(125, OTHER + b"\0" + CISCO + b"\3\1\1\xab")]):
        assert call["KEA_QUERY4_OPTION_125_ENTERPRISE_9_SUB_1"] == "0xab"
        assert "KEA_QUERY4_OPTION_125_SUB_1" not in call.env


def test_an_enterprise_without_sub_options_is_another6(link, recorder, kea6):
    for call in told6(link, recorder, [(17, OTHER), (17, CISCO + bytes.fromhex("00010001ab"))]):
        assert call["KEA_QUERY6_OPTION_17_ENTERPRISE_9_SUB_1"] == "0xab"
        assert "KEA_QUERY6_OPTION_17_SUB_1" not in call.env


def test_one_enterprise4(link, recorder, kea4):
    for call in told4(link, recorder, options=[(125, CISCO + b"\x07\1\2\xab\xcd\2\1\3")]):
        for whose in "", "ENTERPRISE_9_":
            assert [call[f"KEA_QUERY4_OPTION_125_{whose}SUB_{code}"] for code in (1, 2)] == ["0xabcd", "0x03"]


def test_a_definition_of_a_class(link, tmp_path, recorder):
    """Kea unpacks option 43 by definitions of the packet's classes, some time after it has come."""
    config = {**SUBNET4, "client-classes": [{"name": "phones", "test": "option[60].exists", "option-def": [
        {"name": "vendor-encapsulated-options", "code": 43, "type": "string"}]}]}
    with Kea(4, config, tmp_path, [hook(recorder.script, hook_points=POINTS4)]):
        for call in told4(link, recorder, options=[(60, b"p"), (43, b"text\0\0")]):
            assert call["KEA_QUERY4_OPTION_43"] == "0x746578740000"


def changed(family, config, directory, recorder, points):
    """A Kea with a library before ours that changes options."""
    hooks = together(directory, library("changer", directory))
    ours = {**hook(recorder.script, hook_points=points), "library": str(hooks / HOOK.name)}
    return Kea(family, config, directory, [{"library": f"{hooks}/changer.so"}, ours],
               environment={"KEA_HOOKS_PATH": str(hooks)})


def test_what_another_library_has_changed4(link, tmp_path, recorder):
    options = [(43, bytes.fromhex("0105aa")), (77, b"\1a"), (125, CISCO + b"\x03\1\1\xcc" + OTHER + b"\0")]
    with changed(4, SUBNET4, tmp_path, recorder, POINTS4):
        before, *after = told4(link, recorder, options=options)
    assert (before["KEA_QUERY4_OPTION_43"], before["KEA_QUERY4_OPTION_77"]) == ("0x0105aa", "0x0161")
    assert [call.hook for call in after] == POINTS4[1:]
    for call in after:
        assert call["KEA_QUERY4_OPTION_43"] == call["KEA_QUERY4_OPTION_224"] == "0x" + b"new".hex()
        assert "KEA_QUERY4_OPTION_77" not in call.env
        assert call["KEA_QUERY4_OPTION_125"] == "0x" + (CISCO + b"\x03\1\1\xcc" + OTHER + b"\0").hex()


@pytest.mark.parametrize("code, value", [
    (16, "00000009" + "000c" + "7800" + "52454749535445524544"), (16, "00000009" + "0001"), (17, "0000"),
    (17, "00000009" + "0001000200"), (39, "00" + "03414263"), (39, "00" + "0341426300"), (15, "000161"), (15, "0009"),
    (6, "17"), (24, "0341"), (60000, "")])
def test_dhcp6(link, recorder, kea6, code, value):
    for call in told6(link, recorder, [(code, bytes.fromhex(value))]):
        assert call.get(f"KEA_QUERY6_OPTION_{code}") == "0x" + value


@pytest.mark.parametrize("code, value", [
    (16, "00000009" + "000c" + "7800" + "52454749535445524544"), (18, "00"), (17, "00000009" + "0001000100"),
    (37, "00000009ff"), (39, "00" + "0341426300"), (15, "000161"), (60000, "")])
def test_dhcp6_of_relays(link, recorder, kea6, code, value):
    option = (code, bytes.fromhex(value))
    relays = [Relay6("2001:db8::ffff", "fe80::1", (option, (60001, b"\1"))), Relay6("2001:db8::fffe", "fe80::2", (option,))]
    for call in told6(link, recorder, [], relays):
        assert [call.get(f"KEA_QUERY6_RELAY{n}_OPTION_{code}") for n in range(2)] == ["0x" + value] * 2
        assert f"KEA_QUERY6_OPTION_{code}" not in call.env


def test_several_options6(link, recorder, kea6):
    one, other = CISCO + bytes.fromhex("00010002abcd"), OTHER + bytes.fromhex("00010001cc")
    relays = [Relay6("2001:db8::ffff", "fe80::1", ((17, other),)), Relay6("2001:db8::fffe", "fe80::2", ((17, one), (17, other)))]
    for call in told6(link, recorder, [(17, one), (17, other)], relays):
        for whose in "KEA_QUERY6", "KEA_QUERY6_RELAY1":
            assert call[f"{whose}_OPTION_17"] == f"0x{one.hex()} 0x{other.hex()}"
            assert call[f"{whose}_OPTION_17_ENTERPRISE_9_SUB_1"] == "0xabcd"
            assert call[f"{whose}_OPTION_17_ENTERPRISE_10_SUB_1"] == "0xcc"
            assert f"{whose}_OPTION_17_SUB_1" not in call.env
        assert call["KEA_QUERY6_RELAY0_OPTION_17_SUB_1"] == "0xcc"


def test_what_another_library_has_changed6(link, tmp_path, recorder):
    options = [(16, CISCO + b"\0\1a"), (15, b"\0\1a"), (17, CISCO + b"\0\1\0\2\0")]
    with changed(6, SUBNET6, tmp_path, recorder, POINTS6):
        before, *after = told6(link, recorder, options)
    assert (before["KEA_QUERY6_OPTION_16"], before["KEA_QUERY6_OPTION_15"]) == ("0x00000009000161", "0x000161")
    for call in after:
        assert call["KEA_QUERY6_OPTION_16"] == call["KEA_QUERY6_OPTION_60000"] == "0x" + b"new".hex()
        assert "KEA_QUERY6_OPTION_15" not in call.env
        assert call["KEA_QUERY6_OPTION_17"] == "0x000000090001000200"
