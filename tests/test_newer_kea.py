"""What only newer versions of Kea have: hook points, arguments, states. Older ones refuse what they lack by name."""

import pytest

from rig.configs import SUBNET4, SUBNET6, SUBNETS
from rig.dhcp4 import ACK, OFFER, NoAnswer, stranger
from rig.dhcp6 import ADDR_REG_REPLY, Client6
from rig.kea import HOOK, Kea, hook, version
from rig.net import ip
from rig.recorder import Recorder
from rig.since import since

KEAS_HOOKS = "/usr/lib/x86_64-linux-gnu/kea/hooks"

# Pools with ids: address pools here, prefix pools there.
POOLS4 = {"subnet4": [{**SUBNET4["subnet4"][0], "pools": [{"pool": "192.0.2.10 - 192.0.2.250", "pool-id": 7}]}]}
POOLS6 = {"subnet6": [{**SUBNET6["subnet6"][0], "pools": [{"pool": "2001:db8::1000/116", "pool-id": 7}]}]}

NEWER = [(4, "lease4_offer", (2, 6)), (4, "lease4_server_decline", (2, 6)), (6, "addr6_register", (3, 0))]


@pytest.mark.parametrize("family, name, oldest", NEWER, ids=[row[1] for row in NEWER])
def test_a_hook_point_is_there_or_refused_by_name(link, tmp_path, recorder, family, name, oldest):
    kea = Kea(family, SUBNETS[family], tmp_path, [hook(recorder.script, hook_points=[name])])
    if version() >= oldest:
        with kea:
            assert kea.said("LOADED")[0].endswith(f" at {name}")
    else:
        log = kea.expect_refusal()
        since, ours = (".".join(map(str, numbers)) for numbers in (oldest, version()))
        assert (f'RUNSCRIPT_LOAD_REFUSED the configuration is refused: parameter "hook-points[0]": "{name}" is a hook '
                f"point of kea-dhcp{family} version {since} or newer, and this is {ours}: leave it out") in log


@since(2, 6)
@pytest.mark.parametrize("lifetime", [0, 60])
def test_an_offer(link, tmp_path, lifetime):
    recorder = Recorder(tmp_path)
    config = {**POOLS4, "offer-lifetime": lifetime}
    with Kea(4, config, tmp_path, [hook(recorder.script, hook_points=["lease4_select", "lease4_offer"])]):
        client = stranger(link)
        offered = client.discover().yiaddr
        [selected, offer] = recorder.wait(2)
        assert offer.hook == "lease4_offer"
        assert selected["KEA_OFFER_LIFETIME"] == offer["KEA_OFFER_LIFETIME"] == str(lifetime)
        assert (offer["KEA_LEASES4_SIZE"], offer["KEA_LEASES4_AT0_ADDRESS"]) == ("1", offered)
        # Kea says which pool it is when it stores the lease, which an offer is only with a lifetime.
        assert offer["KEA_LEASES4_AT0_POOL_ID"] == ("7" if lifetime else "0")
        assert offer["KEA_QUERY4_TYPE"] == "DHCPDISCOVER" and "KEA_OLD_LEASE4_ADDRESS" not in offer.env
        assert offer.get("KEA_RESPONSE4_TYPE") == ("DHCPOFFER" if version() >= (3, 0) else None)

        # A client that has a lease asks again.
        client.dora()
        client.discover()
        again = recorder.wait(3, "lease4_offer")[-1]
        assert again["KEA_OLD_LEASE4_ADDRESS"] == client.address


@since(2, 6)
def test_an_offer_may_be_dropped(link, tmp_path):
    recorder = Recorder(tmp_path, then="kill -9 $$")
    with Kea(4, SUBNET4, tmp_path, [hook(recorder.script, hook_points=["lease4_offer"], on_failure="drop")]):
        with pytest.raises(NoAnswer):
            stranger(link).discover(timeout=1)
        assert recorder.wait(1)


@since(3, 0)
def test_an_address_that_kea_declines_itself(link, tmp_path, recorder):
    """ping_check, a library that comes with Kea 3, finds that somebody answers at the offered address."""
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for library in (HOOK, f"{KEAS_HOOKS}/libdhcp_ping_check.so"):
        (hooks / str(library).rpartition("/")[2]).symlink_to(library)
    ip("addr add 192.0.2.10/24 dev vc\n", link.namespace)
    libraries = [{**hook(recorder.script, hook_points=["lease4_server_decline"]), "library": HOOK.name},
                 {"library": "libdhcp_ping_check.so", "parameters": {"min-ping-requests": 1, "reply-timeout": 100}}]
    with Kea(4, SUBNET4, tmp_path, libraries, environment={"KEA_HOOKS_PATH": str(hooks)}):
        with pytest.raises(NoAnswer):
            stranger(link).discover(timeout=2)
        [call] = recorder.wait(1)
        assert call["KEA_LEASE4_ADDRESS"] == "192.0.2.10" and call["KEA_LEASE4_STATE"] == "declined"
        assert call["KEA_QUERY4_TYPE"] == "DHCPDISCOVER"
        assert stranger(link).discover(timeout=5).yiaddr != "192.0.2.10"


@since(3, 0)
def test_an_address_that_a_client_registers(link, tmp_path, recorder):
    points = ["addr6_register", "leases6_committed"]
    with Kea(6, POOLS6, tmp_path, [hook(recorder.script, hook_points=points)]):
        with Client6(link, address="2001:db8::77") as client:
            assert client.register("2001:db8::77").type == ADDR_REG_REPLY
            [call, committed] = recorder.wait(2)
            assert (call.hook, committed.hook) == tuple(points)
            assert call["KEA_LEASE6_ADDRESS"] == committed["KEA_LEASES6_AT0_ADDRESS"] == "2001:db8::77"
            assert call["KEA_LEASE6_STATE"] == committed["KEA_LEASES6_AT0_STATE"] == "registered"
            types = call["KEA_QUERY6_TYPE"], call["KEA_RESPONSE6_TYPE"]
            assert types == ("ADDR_REG_INFORM", "ADDR_REG_REPLY")
            assert "KEA_OLD_LEASE6_ADDRESS" not in call.env
            client.register("2001:db8::77")
            again = recorder.wait(2, "addr6_register")[1]
            assert again["KEA_OLD_LEASE6_ADDRESS"] == "2001:db8::77" and again["KEA_OLD_LEASE6_STATE"] == "registered"


@since(3, 0)
def test_a_registration_may_be_refused(link, tmp_path):
    recorder = Recorder(tmp_path, then="kill -9 $$")
    with Kea(6, SUBNET6, tmp_path, [hook(recorder.script, hook_points=["addr6_register"], on_failure="drop")]):
        with Client6(link, address="2001:db8::77") as client, pytest.raises(NoAnswer):
            client.register("2001:db8::77", timeout=1)
        assert recorder.wait(1)


@pytest.mark.parametrize("family", [4, 6])
def test_the_answer_at_a_commit(link, tmp_path, recorder, family):
    point = f"leases{family}_committed"
    with Kea(family, SUBNETS[family], tmp_path, [hook(recorder.script, hook_points=[point])]):
        if family == 4:
            client = stranger(link)
            assert client.dora().type == ACK
        else:
            client = Client6(link)
            assert client.sarr().leases
        client.release()
        committed, released = recorder.wait(2)
        known = version() >= (3, 0)
        answer = "DHCPACK" if family == 4 else "REPLY"
        assert committed.get(f"KEA_RESPONSE{family}_TYPE") == (answer if known else None)
        # A DHCPRELEASE has no answer, a Release of DHCPv6 has.
        assert released.get(f"KEA_RESPONSE{family}_TYPE") == ("REPLY" if known and family == 6 else None)
        assert released[f"KEA_QUERY{family}_TYPE"] in ("DHCPRELEASE", "RELEASE")


@pytest.mark.parametrize("family", [4, 6])
def test_the_subnet_of_an_answer(link, tmp_path, recorder, family):
    with Kea(family, SUBNETS[family], tmp_path,
             [hook(recorder.script, hook_points=[f"pkt{family}_send"])]):
        if family == 4:
            assert stranger(link).discover().type == OFFER
        else:
            Client6(link).solicit()
        [sent] = recorder.wait(1)
        assert sent.get(f"KEA_SUBNET{family}_ID") == ("1" if version() >= (2, 6) else None)


@pytest.mark.parametrize("family", [4, 6])
def test_the_id_of_a_pool(link, tmp_path, recorder, family):
    known = version() >= (2, 4)
    config = {4: POOLS4, 6: POOLS6} if known else SUBNETS
    with Kea(family, config[family], tmp_path, [hook(recorder.script, hook_points=[f"leases{family}_committed"])]):
        if family == 4:
            stranger(link).dora()
        else:
            Client6(link).sarr()
        [call] = recorder.wait(1)
        assert call.get(f"KEA_LEASES{family}_AT0_POOL_ID") == ("7" if known else None)


@since(3, 0)
def test_a_released_lease_that_kea_keeps(link, tmp_path, recorder):
    """Lease affinity: it waits for its client to come back, and only then ends."""
    processing = {"reclaim-timer-wait-time": 1, "hold-reclaimed-time": 3600, "flush-reclaimed-timer-wait-time": 3600}
    config = {**SUBNET4, "expired-leases-processing": processing}
    with Kea(4, config, tmp_path, [hook(recorder.script, hook_points=["lease4_expire"])]):
        client = stranger(link)
        client.dora()
        client.release()
        [call] = recorder.wait(1)
        assert (call["KEA_LEASE4_ADDRESS"], call["KEA_LEASE4_STATE"]) == (client.address, "released")
