"""examples/block-list: clients of a list get no answer, all others do."""

import pytest

from rig.configs import THREADS
from rig.dhcp4 import ACK, CLIENT_ID, HOSTNAME, Client4, NoAnswer
from rig.dhcp6 import INFORMATION_REQUEST, REPLY, Client6, Message6
from rig.examples import MODES, example
from rig.kea import Kea

pytestmark = MODES

NUISANCE, OTHER = "02:00:5e:10:00:0a", "02:00:5e:10:00:0b"
# What would break quoting, lines and JSON.
HOSTILE = b"'\"; exit 0 #\n$(touch /run/evil)\0\\\xff"
PATIENCE = 0.7


def config(tmp_path, mode, family=4, **overrides):
    return example("block-list", f"kea-dhcp{family}.conf", mode, [tmp_path / "list"], **overrides)


def served(link, mac, **how):
    try:
        return Client4(link, mac, **how).dora(timeout=PATIENCE).type == ACK
    except NoAnswer:
        return False


def served6(link, mac, **how):
    with Client6(link, mac, **how) as client:
        try:
            return bool(client.sarr(timeout=PATIENCE).leases)
        except NoAnswer:
            return False


@pytest.mark.parametrize("threads", [{}, THREADS], ids=["single", "threads"])
def test_who_is_in_the_list_gets_no_answer(link, tmp_path, mode, threads):
    (tmp_path / "list").write_text(f"# nuisances\n\n02:00:00:00:00:01\n {NUISANCE.upper()}\t# asks all day\n")
    with Kea(4, config(tmp_path, mode, **threads), tmp_path) as kea:
        assert not served(link, NUISANCE)
        assert served(link, OTHER)
        # It is the whole address that counts.
        assert served(link, NUISANCE + ":01")
        assert kea.status()["failures"] == kea.status()["refused"] == 0


def test_the_list_may_change(link, tmp_path, mode):
    (tmp_path / "list").write_text("")
    with Kea(4, config(tmp_path, mode), tmp_path):
        client = Client4(link, NUISANCE)
        assert client.dora().type == ACK
        (tmp_path / "list").write_text(f"{NUISANCE}\n")
        with pytest.raises(NoAnswer):
            client.renew(timeout=PATIENCE)
        # Another file takes the place of the old one, as editors do it.
        (tmp_path / "new").write_text(f"{OTHER}\n")
        (tmp_path / "new").rename(tmp_path / "list")
        assert client.renew().type == ACK
        assert not served(link, OTHER)


def test_dhcpv6(link, tmp_path, mode):
    (tmp_path / "list").write_text(f"\n{NUISANCE}\n")
    with Kea(6, config(tmp_path, mode, 6), tmp_path) as kea:
        assert not served6(link, NUISANCE)
        assert served6(link, OTHER)
        assert kea.status()["failures"] == 0


@pytest.mark.parametrize("on_failure, expected", [("drop", False), ("continue", True)])
def test_without_the_list_on_failure_decides(link, tmp_path, mode, on_failure, expected):
    whole = config(tmp_path, mode)
    assert whole["hooks-libraries"][0]["parameters"]["on-failure"] == "drop"
    whole["hooks-libraries"][0]["parameters"]["on-failure"] = on_failure
    with Kea(4, whole, tmp_path) as kea:
        assert served(link, OTHER) == expected
        assert kea.status()["failures"] >= 1
        assert "No such file" in kea.log()
        # It comes back.
        (tmp_path / "list").write_text(f"{NUISANCE}\n")
        assert served(link, OTHER)
        assert not served(link, NUISANCE)


def test_what_a_client_says_changes_nothing(link, tmp_path, mode):
    (tmp_path / "list").write_text(f"{NUISANCE}\n")
    said = {"options": [(CLIENT_ID, b"\0" + HOSTILE), (HOSTNAME, HOSTILE), (60, HOSTILE), (77, HOSTILE)]}
    with Kea(4, config(tmp_path, mode), tmp_path) as kea:
        assert not served(link, NUISANCE, **said)
        assert served(link, OTHER, **said)
        assert kea.status()["failures"] == 0


LISTS = {"empty": b"", "empty lines": b"\n\n", "spaces": b"  \n\t\n", "CRLF": b"\r\n\r\n", "remarks": b"# nobody\n  # yet\n"}


@pytest.mark.parametrize("content", LISTS.values(), ids=LISTS)
def test_who_has_no_address_is_refused_whatever_the_list_says(link, tmp_path, mode, content):
    (tmp_path / "list").write_bytes(content)
    with Kea(4, config(tmp_path, mode), tmp_path) as kea:
        # It has a client identifier, or Kea would drop it by itself.
        assert not served(link, "", client_id=b"\0nameless")
        assert served(link, OTHER)
        assert kea.status()["failures"] == 0


LINES = {"spaces": b"\t %s  \t\n", "CRLF": b"%s\r\n", "CRLF and a remark": b"%s \r# all day\r\n", "no end": b"%s",
         "a remark": b"%s#all day\n", "not text": b"%s # \xff\xfe\0\n", "upper case": b"%s\n"}


def test_a_list_may_begin_with_a_byte_order_mark(link, tmp_path, mode):
    (tmp_path / "list").write_text(f"{NUISANCE}\n", encoding="utf-8-sig")
    with Kea(4, config(tmp_path, mode), tmp_path):
        assert not served(link, NUISANCE)
        assert served(link, OTHER)


@pytest.mark.parametrize("how, line", LINES.items(), ids=LINES)
def test_however_a_line_is_written(link, tmp_path, mode, how, line):
    mac = NUISANCE.upper() if how == "upper case" else NUISANCE
    (tmp_path / "list").write_bytes(b"# \xfcber\r\n\r\n" + line % mac.encode())
    with Kea(4, config(tmp_path, mode), tmp_path) as kea:
        assert not served(link, NUISANCE)
        assert served(link, OTHER)
        assert kea.status()["failures"] == 0


def test_a_remark_blocks_nobody(link, tmp_path, mode):
    (tmp_path / "list").write_text(f"# {NUISANCE}\n{OTHER} # {NUISANCE}\n")
    with Kea(4, config(tmp_path, mode), tmp_path):
        assert served(link, NUISANCE)
        assert not served(link, OTHER)


UNKNOWN = b"\0\2\0\0\x0d\xe9unknown"


def test_a_client_whose_hardware_address_kea_does_not_know_is_listed_by_its_duid(link, tmp_path, mode):
    who = {"mac": "02:00:5e:10:00:0c", "duid": UNKNOWN, "address": "fe80::7"}
    (tmp_path / "list").write_text("\n")
    with Kea(6, config(tmp_path, mode, 6), tmp_path) as kea:
        assert served6(link, **who)
        (tmp_path / "list").write_text(f"\n{UNKNOWN.hex(':').upper()} # asks all day\n")
        assert not served6(link, **who)
        # One whose address is known may be listed by its DUID as well.
        (tmp_path / "list").write_text("00:03:00:01:" + OTHER)
        assert not served6(link, OTHER)
        assert served6(link, **who) and served6(link, NUISANCE)
        assert kea.status()["failures"] == 0


def test_who_has_neither_duid_nor_address_is_refused(link, tmp_path, mode):
    """Kea itself drops such a client, unless it asks for nothing but options."""
    (tmp_path / "list").write_text("\n\n")
    with Kea(6, config(tmp_path, mode, 6), tmp_path) as kea, Client6(link, address="fe80::7") as client:
        assert client.information_request().type == REPLY
        nameless = Message6(INFORMATION_REQUEST, client.options)
        client.port.send(nameless)
        with pytest.raises(NoAnswer):
            client.port.receive(nameless.transid, PATIENCE)
        assert kea.status()["failures"] == 0
