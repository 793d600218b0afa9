"""The rig itself: a Kea without a hook serves each of its clients."""

import os
import subprocess

import pytest

from rig import dhcp4, dhcp6
from rig.clients import Dhcpcd, perfdhcp
from rig.configs import SUBNET4, SUBNET6
from rig.dhcp4 import Client4, NoAnswer
from rig.dhcp6 import Client6, Lease6, Relay6
from rig.kea import Kea


def test_four_messages_and_their_end(link, tmp_path):
    with Kea(4, SUBNET4, tmp_path) as kea:
        client = Client4(link, hostname="alpha")
        ack = client.dora()
        assert (ack.type, ack.yiaddr) == (dhcp4.ACK, "192.0.2.10")
        assert client.renew().type == client.rebind().type == client.reboot().type == dhcp4.ACK
        assert client.inform().type == dhcp4.ACK
        client.release()
        kea.wait_log("DHCP4_RELEASE .*192.0.2.10 was released")


def test_a_relay_is_answered(link, tmp_path):
    with Kea(4, SUBNET4, tmp_path):
        client = Client4(link, relay="192.0.2.9", agent=dhcp4.agent_information(b"port 7"))
        ack = client.dora()
        assert (ack.giaddr, ack.option(82)) == ("192.0.2.9", b"\x01\x06port 7")


def test_nobody_answers_where_there_is_no_subnet(link, tmp_path):
    with Kea(4, {"subnet4": []}, tmp_path):
        with pytest.raises(NoAnswer):
            Client4(link).discover(timeout=0.5)


def test_solicit_to_release(link, tmp_path):
    with Kea(6, {**SUBNET6, "preferred-lifetime": 3600}, tmp_path):
        client = Client6(link, pd=[7])
        client.sarr()
        assert client.leases == ["2001:db8::1000", "2001:db8:8000::/56"]
        assert client.ias[0].leases[0] == Lease6("2001:db8::1000", 3600, 7200)
        assert client.renew().leases == client.rebind().leases == client.leases
        assert client.confirm().status == 0
        assert client.information_request().type == dhcp6.REPLY
        assert client.release().status == 0


def test_rapid_commit(link, tmp_path):
    with Kea(6, SUBNET6, tmp_path):
        assert Client6(link).solicit(rapid_commit=True).type == dhcp6.REPLY


def test_two_relays_are_answered(link, tmp_path):
    relays = [Relay6("::", "fe80::1", hops=1), Relay6("2001:db8::1", "fe80::2", ((dhcp6.INTERFACE_ID, b"eth0"),))]
    with Kea(6, SUBNET6, tmp_path):
        assert Client6(link, relays=relays).sarr().leases == ["2001:db8::1000"]


@pytest.mark.parametrize("family, config, prefix, given", [(4, SUBNET4, False, "192.0.2."),
                                                           (6, SUBNET6, False, "2001:db8::1"),
                                                           (6, SUBNET6, True, "2001:db8:8")])
def test_dhcpcd(link, tmp_path, family, config, prefix, given):
    with Kea(family, config, tmp_path) as kea, Dhcpcd(link, family, tmp_path, prefix) as client:
        lease = client.wait("BOUND" if family == 4 else "BOUND6")
        assert lease.startswith(given)
        client.release()
        kea.wait_log(f"DHCP{family}_RELEASE.* {lease} .*released")


@pytest.mark.alone
@pytest.mark.parametrize("family, config, exchange", [(4, SUBNET4, "REQUEST-ACK"), (6, SUBNET6, "REQUEST-REPLY")])
def test_perfdhcp(link, tmp_path, family, config, exchange):
    with Kea(family, config, tmp_path):
        counts = perfdhcp(link, family, "-r", 100, "-n", 50, "-R", 50)[exchange]
        # What comes later than a second perfdhcp takes for lost.
        assert counts["sent"] >= counts["received"] >= 45


def test_a_server_that_must_not_start(link, tmp_path):
    said = Kea(4, {"subnet4": [{"subnet": "nonsense"}]}, tmp_path).expect_refusal()
    assert "nonsense" in said


def test_commands_and_reload(link, tmp_path):
    with Kea(4, {"subnet4": []}, tmp_path) as kea:
        kea.configure(SUBNET4)
        kea.reload()
        assert kea.command("config-get")["arguments"]["Dhcp4"]["subnet4"][0]["subnet"] == "192.0.2.0/24"
        assert Client4(link).dora().type == dhcp4.ACK


def test_the_recorder_keeps_each_call_whole(recorder):
    value = b"two\nlines, " + b"\xff" * 60000
    runs = [subprocess.Popen([recorder.script, f"hook{n}", ""], env={"N": str(n), b"KEA_VALUE": value})
            for n in range(20)]
    assert [run.wait(timeout=20) for run in runs] == [0] * 20
    calls = recorder.calls()
    assert sorted(call.hook for call in calls) == sorted(f"hook{n}" for n in range(20))
    for call in calls:
        assert call.args == [call.hook, ""]
        assert call.env == {"N": call.hook[4:], "KEA_VALUE": os.fsdecode(value)}
