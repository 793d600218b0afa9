"""What docs/hook-points.md says that no hook point hears."""

import json

import pytest

from rig.configs import SUBNETS
from rig.dhcp4 import stranger
from rig.dhcp6 import Client6
from rig.kea import HOOK, Kea, hook
from rig.others import together
from rig.wait import quiet, wait_until

LEASES = {4: [f"lease4_{what}" for what in ("select", "renew", "release", "decline", "expire", "recover")],
          6: [f"lease6_{what}" for what in ("select", "renew", "rebind", "release", "decline", "expire", "recover")]}
NOT_FOUND = 3


@pytest.fixture
def serve(tmp_path, recorder):
    """A server whose leases can be changed by command, with a script that hears all that there is of leases."""
    hooks = together(tmp_path)

    def kea(family, **config):
        ours = hook(recorder.script, wait=False, hook_points=[*LEASES[family], f"leases{family}_committed"])
        libraries = [{**ours, "library": f"{hooks}/{HOOK.name}"}, {"library": f"{hooks}/libdhcp_lease_cmds.so"}]
        subnets = SUBNETS[family]
        return Kea(family, {**subnets, **config}, tmp_path, libraries, environment={"KEA_HOOKS_PATH": str(hooks)})
    return kea


def done(answer):
    assert answer["result"] == 0, answer


@pytest.mark.parametrize("family", [4, 6])
def test_leases_that_a_command_changes(link, serve, recorder, family):
    lease = {"ip-address": "192.0.2.20", "hw-address": "02:00:00:00:00:20"} if family == 4 else \
        {"ip-address": "2001:db8::1020", "duid": "00:03:00:01:02:00:00:00:00:20", "iaid": 1}
    with serve(family) as kea:
        done(kea.command(f"lease{family}-add", {**lease, "subnet-id": 1}))
        done(kea.command(f"lease{family}-update", {**lease, "subnet-id": 1, "hostname": "changed.example.org"}))
        done(kea.command(f"lease{family}-del", {"ip-address": lease["ip-address"]}))
        done(kea.command(f"lease{family}-add", {**lease, "subnet-id": 1}))
        done(kea.command(f"lease{family}-wipe", {"subnet-id": 1}))
        # An event of a client's would come after these.
        if family == 4:
            address = stranger(link).dora().yiaddr
        else:
            with Client6(link) as client:
                [address] = client.sarr().leases
        quiet(kea)
        assert {call.get(f"KEA_LEASE{family}_ADDRESS", address) for call in recorder.wait(1)} == {address}


@pytest.mark.parametrize("family", [4, 6])
def test_leases_that_a_command_reclaims_are_heard(link, serve, recorder, family):
    lifetimes = {"valid-lifetime": 1} if family == 4 else {"valid-lifetime": 1, "preferred-lifetime": 1}
    with serve(family, **lifetimes, **{"expired-leases-processing": {"reclaim-timer-wait-time": 0}}) as kea:
        if family == 4:
            address = stranger(link).dora().yiaddr
        else:
            with Client6(link) as client:
                [address] = client.sarr().leases

        def heard():
            done(kea.command("leases-reclaim", {"remove": False}))
            return recorder.calls(f"lease{family}_expire")
        assert wait_until(heard, "the end of the lease")[0][f"KEA_LEASE{family}_ADDRESS"] == address


def heard_of_an_end(recorder):
    """Of some lease's: at a hook point of its own, or among those that a commit names."""
    return [call for call in recorder.calls()
            if call.hook in ("lease6_expire", "lease6_release") or call.get("KEA_DELETED_LEASES6_SIZE", "0") != "0"]


def reserved(kea, **reservation):
    """Has Kea read a configuration with this reservation."""
    whole = json.loads(kea.config_file.read_text())["Dhcp6"]
    whole["subnet6"][0]["reservations"] = [reservation]
    kea.configure(whole)
    kea.reload()


def test_a_lease_of_a_client_that_has_a_new_reservation(link, serve, recorder):
    with serve(6) as kea, Client6(link) as client:
        [before] = client.sarr().leases
        reserved(kea, duid=client.duid.hex(":"), **{"ip-addresses": ["2001:db8::1999"]})
        assert client.solicit().leases == ["2001:db8::1999"]
        assert kea.command("lease6-get", {"ip-address": before})["result"] == NOT_FOUND
        quiet(kea)
        assert not heard_of_an_end(recorder)


def test_a_lease_of_a_prefix_that_is_reserved_for_another(link, serve, recorder):
    with serve(6) as kea, Client6(link, na=[], pd=[1]) as client:
        [before] = client.sarr().leases
        reserved(kea, duid="00:03:00:01:02:00:00:00:00:99", prefixes=[before])
        client.renew()
        prefix = {"ip-address": before.partition("/")[0], "type": "IA_PD"}
        assert kea.command("lease6-get", prefix)["result"] == NOT_FOUND
        quiet(kea)
        assert not heard_of_an_end(recorder)
