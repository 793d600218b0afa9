"""The commands for reservations: what clients, and an administrator, notice of them."""

import json
import re
import shutil

import pytest

from rig.configs import THREADS
from rig.control_agent import ControlAgent
from rig.dhcp4 import Client4
from rig.dhcp6 import Client6
from rig.kea import REPOSITORY, Kea, version
from rig.others import together
from rig.reservations import CONFIGURED, IS_ISCS, ISCS, OURS, Reserving

FAMILIES = pytest.mark.parametrize("family", [4, 6])
BOTH = pytest.mark.parametrize("threads", [{}, THREADS], ids=["single", "threads"])
MAC = "02:00:00:00:31:01"
# Where ISC's library has no database, it wants this word.
MEMORY = {"operation-target": "memory"}
OURS_ALONE = pytest.mark.skipif(IS_ISCS, reason="this Kea has ISC's library")

OF_2_2 = pytest.mark.skipif(version() >= (2, 6), reason="this Kea makes these options of their space's")


def reservation(family, address, mac=MAC, **more):
    where = {"ip-address": address} if family == 4 else {"ip-addresses": [address]}
    return {"subnet-id": 1, "hw-address": mac, **where, **more}


def offered(link, family, mac=MAC):
    """What a client that has nothing is offered."""
    if family == 4:
        return Client4(link, mac).discover().yiaddr
    with Client6(link, mac) as client:
        return client.solicit().leases[0]


@BOTH
@FAMILIES
def test_a_client_gets_what_is_reserved(link, tmp_path, family, threads):
    first, second = {4: ("192.0.2.222", "192.0.2.223"), 6: ("2001:db8::222", "2001:db8::223")}[family]
    with Reserving(family, tmp_path, **threads) as kea:
        assert offered(link, family) != first
        assert kea.reserve("add", reservation(family, first), **MEMORY) == {"result": 0, "text": "Host added."}
        assert offered(link, family) == first
        assert kea.reserve("update", reservation(family, second), **MEMORY) == {"result": 0, "text": "Host updated."}
        assert offered(link, family) == second
        answer = kea.command("reservation-del", {"subnet-id": 1, "ip-address": second, **MEMORY})
        assert answer == {"result": 0, "text": "Host deleted."}
        assert offered(link, family) not in (first, second)


def test_what_else_a_reservation_has(link, tmp_path):
    options = [{"name": "domain-name-servers", "data": "192.0.2.53"},
               {"space": "vendor-encapsulated-options-space", "code": 7, "csv-format": False, "data": "616263"},
               {"name": "vendor-encapsulated-options"}]
    with Reserving(4, tmp_path) as kea:
        more = {"hostname": "boots", "next-server": "192.0.2.7", "boot-file-name": "pxe.0", "option-data": options}
        assert kea.reserve("add", reservation(4, "192.0.2.222", **more), **MEMORY)["result"] == 0
        client = Client4(link, MAC)
        client.options.append((55, bytes([6, 12, 43])))
        offer = client.discover()
        assert (offer.yiaddr, offer.siaddr) == ("192.0.2.222", "192.0.2.7")
        assert (offer.option(6), offer.option(43)) == (bytes([192, 0, 2, 53]), b"\7\3abc")


@OF_2_2
def test_the_bytes_of_vendor_options(link, tmp_path):
    """As the docs have them, for a client that asks for nothing."""
    [option] = re.findall(r'`(\{ "name": "vendor-opts", [^}]*\})`', (REPOSITORY / "docs/reservations.md").read_text())
    option = json.loads(option)
    with Reserving(6, tmp_path) as kea, Client6(link, MAC) as client:
        assert kea.reserve("add", reservation(6, "2001:db8::222", **{"option-data": [option]}), **MEMORY)["result"] == 0
        assert client.solicit().option(17).hex().upper() == option["data"]


@OF_2_2
def test_the_bytes_of_vendor_options4(link, tmp_path):
    option = {"name": "vivso-suboptions", "csv-format": False, "always-send": True, "data": "0000118B0601040A000001"}
    with Reserving(4, tmp_path) as kea:
        assert kea.reserve("add", reservation(4, "192.0.2.222", **{"option-data": [option]}), **MEMORY)["result"] == 0
        assert Client4(link, MAC).discover().option(125).hex().upper() == option["data"]


@OURS_ALONE
@FAMILIES
def test_no_database_means_memory(link, tmp_path, family):
    address = {4: "192.0.2.222", 6: "2001:db8::222"}[family]
    with Reserving(family, tmp_path) as kea:
        assert kea.reserve("add", reservation(family, address))["result"] == 0
        assert kea.reserve("update", reservation(family, address, hostname="again"))["result"] == 0
        assert offered(link, family) == address
        assert kea.command("reservation-del", {"subnet-id": 1, "ip-address": address})["result"] == 0
        for verb, text in [("add", "Host database not available, cannot add host."),
                           ("update", "host database not available, cannot update host")]:
            answer = kea.reserve(verb, reservation(family, address), **{"operation-target": "database"})
            assert answer == {"result": 1, "text": text}


@FAMILIES
def test_memory_is_kept_by_config_write(link, tmp_path, family):
    address = {4: "192.0.2.222", 6: "2001:db8::222"}[family]
    with Reserving(family, tmp_path) as kea:
        kea.reserve("add", reservation(family, address), **MEMORY)
        assert kea.command("config-write", {"filename": str(kea.config_file)})["result"] == 0
        kea.reserve("add", reservation(family, address[:-1] + "9", "02:00:00:00:31:99"), **MEMORY)
        kea.reload()
        hosts = kea.command("reservation-get-all", {"subnet-id": 1})["arguments"]["hosts"]
        assert sorted(host["hw-address" if "hw-address" in host else "duid"] for host in hosts) == sorted(
            [MAC, *(CONFIGURED[family][key] for key in ("hw-address", "duid") if key in CONFIGURED[family])])
        assert offered(link, family) == address


def test_an_address_of_several_that_another_has(link, tmp_path):
    """Nothing of the reservation stays: Kea adds it in part before it finds that."""
    with Reserving(6, tmp_path) as kea:
        kea.reserve("add", reservation(6, "2001:db8::222"), **MEMORY)
        before = kea.command("reservation-get-all", {"subnet-id": 1})
        both = {"subnet-id": 1, "hw-address": "02:00:00:00:31:02", "ip-addresses": ["2001:db8::223", "2001:db8::222"]}
        assert kea.reserve("add", both, **MEMORY)["result"] == 1
        if not IS_ISCS:
            assert kea.command("reservation-get-all", {"subnet-id": 1}) == before
            # And what it was stays where it cannot be what it shall be.
            own = reservation(6, "2001:db8::223", "02:00:00:00:31:02")
            assert kea.reserve("add", own, **MEMORY)["result"] == 0
            before = kea.command("reservation-get-all", {"subnet-id": 1})
            assert kea.reserve("update", both, **MEMORY)["result"] == 1
            assert kea.command("reservation-get-all", {"subnet-id": 1}) == before


@FAMILIES
def test_pages(link, tmp_path, family):
    with Reserving(family, tmp_path) as kea:
        for n in range(1, 8):
            address = {4: f"192.0.2.{220 + n}", 6: f"2001:db8::22{n}"}[family]
            assert kea.reserve("add", reservation(family, address, f"02:00:00:00:31:{n:02x}"), **MEMORY)["result"] == 0
        seen, following = [], {}
        while (answer := kea.command("reservation-get-page", {"subnet-id": 1, "limit": 3, **following}))["result"] == 0:
            assert answer["arguments"]["count"] == len(answer["arguments"]["hosts"]) <= 3
            seen += answer["arguments"]["hosts"]
            following = answer["arguments"]["next"]
        assert answer["result"] == 3 and len(seen) == 8 == len({json.dumps(host) for host in seen})


def test_the_docs_have_all_messages():
    source = (REPOSITORY / "cpp-shim/reservations/log.cc").read_text()
    docs = (REPOSITORY / "docs/reservations.md").read_text()
    messages = set(re.findall(r'"(RESERVATIONS_[A-Z]+)"', source))
    assert len(messages) == 5 and messages == set(re.findall(r"^\| `(RESERVATIONS_[A-Z]+)`", docs, re.M))


@OURS_ALONE
def test_beside_iscs_library(link, tmp_path):
    """Subscribers of ISC's may have it."""
    hooks = together(tmp_path, OURS)
    shutil.copy(hooks / "libdhcp_lease_cmds.so", hooks / ISCS)
    libraries = [{"library": f"{hooks}/{name}"} for name in (OURS.name, ISCS)]
    said = Kea(4, {}, tmp_path, libraries, environment={"KEA_HOOKS_PATH": str(hooks)}).expect_refusal()
    assert "RESERVATIONS_REFUSED another library has these commands: take kea-hook-reservations.so or" in said


@pytest.mark.skipif(version() < (3,), reason="this Kea has no library of ISC's")
def test_a_kea_that_has_its_own(link, tmp_path):
    hooks = together(tmp_path, OURS)
    said = Kea(4, {}, tmp_path, [{"library": f"{hooks}/{OURS.name}"}], environment={"KEA_HOOKS_PATH": str(hooks)}).expect_refusal()
    assert "RESERVATIONS_REFUSED this Kea has ISC's own library for these commands: name libdhcp_host_cmds.so" in said


@FAMILIES
def test_over_http(link, tmp_path, family):
    address = {4: "192.0.2.222", 6: "2001:db8::222"}[family]
    with Reserving(family, tmp_path) as kea, ControlAgent(kea) as agent:
        assert agent.ask("reservation-add", {"reservation": reservation(family, address), **MEMORY}) == {
            "result": 0, "text": "Host added."}
        where = {"subnet-id": 1, "ip-address": address}
        assert agent.ask("reservation-get", where)["arguments"]["hw-address"] == MAC
        assert agent.ask("reservation-get", {**where, "subnet-id": 9})["result"] == 3
        assert offered(link, family) == address
