"""Lease events of commands, which Kea calls no hook point for: an administrator's, and a high-availability partner's."""

import pytest

from rig.configs import SUBNET6, THREADS
from rig.dhcp6 import Client6
from rig.kea import Kea, hook
from rig.lease_events import Customer, Listening, texts

FAMILIES = pytest.mark.parametrize("family", [4, 6])
BOTH = pytest.mark.parametrize("threads", [{}, THREADS], ids=["single", "threads"])
LEASE = {4: {"ip-address": "192.0.2.20", "hw-address": "02:00:00:00:00:20", "subnet-id": 1},
         6: {"ip-address": "2001:db8::1020", "duid": "00:03:00:01:02:00:00:00:00:20", "iaid": 1, "subnet-id": 1}}
PREFIX = {"ip-address": "2001:db8:8000::", "prefix-len": 56, "type": "IA_PD", "iaid": 2,
          "duid": "00:03:00:01:02:00:00:00:00:20", "subnet-id": 1}


@BOTH
@FAMILIES
def test_a_lease_by_command(link, tmp_path, recorder, family, threads):
    lease, address = LEASE[family], LEASE[family]["ip-address"]
    with Listening(family, tmp_path, recorder, **threads) as kea:
        kea.done(f"lease{family}-add", lease)
        kea.done(f"lease{family}-update", {**lease, "hostname": "changed.example.org"})
        kea.done(f"lease{family}-del", {"ip-address": address})
        events = kea.told()
        assert texts(events) == [f"add {address}", f"renew {address}", f"del:deleted {address}"]
        assert events[1][f"KEA_LEASE{family}_HOSTNAME"] == "changed.example.org"
        assert events[1][f"KEA_OLD_LEASE{family}_HOSTNAME"] == ""


@FAMILIES
def test_a_lease_by_its_client(link, tmp_path, recorder, family):
    lease, address = LEASE[family], LEASE[family]["ip-address"]
    by = {"identifier-type": "hw-address", "identifier": lease["hw-address"]} if family == 4 else \
        {"identifier-type": "duid", "identifier": lease["duid"], "iaid": 1}
    with Listening(family, tmp_path, recorder) as kea:
        kea.done(f"lease{family}-add", lease)
        kea.done(f"lease{family}-del", {"subnet-id": 1, **by})
        assert texts(kea.told()) == [f"add {address}", f"del:deleted {address}"]


@FAMILIES
def test_a_wipe(link, tmp_path, recorder, family):
    with Listening(family, tmp_path, recorder) as kea:
        for last in "123":
            address = LEASE[family]["ip-address"][:-1] + last
            kea.done(f"lease{family}-add", {**LEASE[family], "ip-address": address})
        before = len(kea.told())
        kea.done(f"lease{family}-wipe", {"subnet-id": 1})
        gone = sorted(texts(kea.told())[before:])
        assert gone == [f"del:deleted {LEASE[family]['ip-address'][:-1]}{last}" for last in "123"]


def test_a_bulk(link, tmp_path, recorder):
    """As a partner sends it."""
    address, prefix = LEASE[6]["ip-address"], "2001:db8:8000::/56"
    with Listening(6, tmp_path, recorder) as kea:
        kea.done("lease6-bulk-apply", {"leases": [LEASE[6], PREFIX]})
        assert texts(kea.told()) == [f"add {address}", f"add {prefix}"]
        kea.done("lease6-bulk-apply", {"deleted-leases": [LEASE[6]], "leases": [{**PREFIX, "hostname": "new"}]})
        assert texts(kea.told())[2:] == [f"del:deleted {address}", f"renew {prefix}"]


def test_a_lease_that_a_bulk_names_twice(link, tmp_path, recorder):
    with Listening(6, tmp_path, recorder) as kea:
        kea.done("lease6-bulk-apply", {"leases": [LEASE[6], LEASE[6]]})
        kea.done("lease6-bulk-apply", {"deleted-leases": [LEASE[6], LEASE[6]]})
        address = LEASE[6]["ip-address"]
        assert texts(kea.told()) == [f"add {address}", f"del:deleted {address}"]


@FAMILIES
def test_commands_that_change_nothing(link, tmp_path, recorder, family):
    lease = LEASE[family]
    nonsense = [("add", {}), ("add", {**lease, "ip-address": "nonsense"}), ("add", {**lease, "subnet-id": 99}),
                ("update", lease), ("del", {"ip-address": lease["ip-address"]}), ("del", {"ip-address": 7}),
                ("del", {"subnet-id": 1, "identifier-type": "duid", "identifier": "zz"}), ("wipe", {"subnet-id": "x"}),
                ("get", {"ip-address": lease["ip-address"]})]
    if family == 6:
        nonsense += [("bulk-apply", {"leases": "x"}), ("bulk-apply", {"deleted-leases": [7], "leases": [[]]})]
    with Listening(family, tmp_path, recorder) as kea:
        for name, arguments in nonsense:
            assert kea.command(f"lease{family}-{name}", arguments)["result"] != 0, name
        assert texts(kea.told()) == []
        assert kea.done("list-commands")


@FAMILIES
def test_a_state_by_command(link, tmp_path, recorder, family):
    lease, address = LEASE[family], LEASE[family]["ip-address"]
    with Listening(family, tmp_path, recorder) as kea:
        kea.done(f"lease{family}-add", lease)
        kea.done(f"lease{family}-update", {**lease, "state": 1})
        kea.done(f"lease{family}-update", {**lease, "state": 0})
        assert texts(kea.told()) == [f"add {address}", f"del:declined {address}", f"add {address}"]


@FAMILIES
def test_what_a_client_and_commands_do_to_a_lease(link, tmp_path, recorder, family):
    with Listening(family, tmp_path, recorder) as kea, Customer(link, family) as client:
        address = client.get()
        kea.done(f"lease{family}-del", {"ip-address": address})
        again = client.renew() if family == 6 else client.get()
        assert texts(kea.told()) == [f"add {address}", f"del:deleted {address}", f"add {again}"]


def test_no_command_is_there_that_was_not(link, tmp_path, recorder):
    """Kea lists as a command whatever has a handler: ours is none."""
    ours = hook(recorder.script, hook_points=["lease6_changed"])
    with Kea(6, SUBNET6, tmp_path, [ours]) as kea, Client6(link) as client:
        client.sarr()
        assert not [name for name in kea.command("list-commands")["arguments"] if name.startswith("lease6-")]
        assert kea.command("lease6-del", {"ip-address": client.leases[0]})["result"] == 2
