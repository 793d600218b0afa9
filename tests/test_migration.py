"""docs/migration.md: programs that were written for another server are called here as they are there.

Each server is a real one, on the same wire, for the same clients.
"""

import json
import re
import shutil
import time

import pytest

from rig.configs import SUBNET4
from rig.dhcpd import Dhcpd
from rig.dhcp4 import Client4
from rig.dhcp6 import Client6
from rig.dnsmasq import Dnsmasq
from rig.examples import example
from rig.kea import HOOK, REPOSITORY, Kea
from rig.net import ip
from rig.recorder import Recorder
from rig.replay6 import wait_past
from rig.wait import quiet

PAGE = (REPOSITORY / "docs" / "migration.md").read_text()
MAC = "02:00:00:0a:00:01"
README = (REPOSITORY / "examples/dnsmasq-script/README.md").read_text()
# What a test's own seconds decide.
TIMES = {"DNSMASQ_LEASE_EXPIRES", "DNSMASQ_TIME_REMAINING"}

dhcpd = pytest.mark.skipif(not shutil.which("dhcpd", path="/usr/sbin"), reason="dhcpd is not packaged here any more")


@pytest.mark.parametrize("number, hook_point, variable", [
    (0, "lease4_select", "KEA_LEASE4_ADDRESS"), (1, "leases4_committed", "LEASES4_AT0_ADDRESS")], ids=["1.4.0", "isc"])
def test_the_pages_configurations(link, tmp_path, recorder, number, hook_point, variable):
    """With our paths. What the scripts find in detail is compared in test_peer_calls.py and test_dialect.py."""
    entry = json.loads(re.findall(r"```json\n(.*?)```", PAGE, re.S)[number])
    entry["library"] = str(HOOK)
    entry["parameters"] |= {key: str(recorder.script) for key in ("script", "name") if key in entry["parameters"]}
    with Kea(4, SUBNET4, tmp_path, [entry]):
        ack = Client4(link, MAC).dora()
        assert recorder.wait(1, hook_point)[-1][variable] == ack.yiaddr


def of_dnsmasq(calls):
    """Arguments and variables of each call that the two servers can agree on."""
    return [(call.args, {name: value for name, value in call.env.items() if name.startswith("DNSMASQ_")}) for call in calls]


def live(link, client, recorder):
    """A lease's whole life, each step when the program has been told of the one before."""
    is_v4 = isinstance(client, Client4)
    client.dora() if is_v4 else client.sarr()
    recorder.wait(1)
    if is_v4:
        # A server may look by ARP where its answer has to go.
        ip(f"addr replace {client.address}/32 dev {link.client}\n", link.namespace)
    # dnsmasq says nothing of a renewal in the second of the lease.
    wait_past(time.time())
    client.renew()
    recorder.wait(2)
    client.release()
    recorder.wait(3)


def compare(theirs, ours):
    """Each call has the same arguments; theirs has all variables of ours, and more that the example's README.md names."""
    for (wanted, there), (args, here) in zip(of_dnsmasq(theirs), of_dnsmasq(ours), strict=True):
        assert args == wanted and here.keys() & TIMES == there.keys() & TIMES
        assert [name for name in there.keys() - here.keys() - {"DNSMASQ_LOG_DHCP"} if f"`{name}`" not in README] == []
        for name in here:
            # The two leases are some seconds apart; each lifetime is counted from the beginning.
            assert here[name] == there[name] or name == "DNSMASQ_LEASE_EXPIRES" or (
                name == "DNSMASQ_TIME_REMAINING" and abs(int(here[name]) - int(there[name])) <= 2), name


def test_dnsmasqs_script4(link, tmp_path):
    theirs, ours = Recorder(tmp_path, name="theirs"), Recorder(tmp_path, name="ours")
    options = [(60, b"phone 7")]
    with Dnsmasq(tmp_path, theirs.script, "--no-ping", "--dhcp-range=192.0.2.10,192.0.2.10,3600", "--domain=example.org", "--dhcp-authoritative"):
        live(link, Client4(link, MAC, client_id=b"\1\2\0\0\x0a\0\1", hostname="alpha", options=options), theirs)
    config = example("dnsmasq-script", "kea-dhcp4.conf", args=[ours.script], ddns_qualifying_suffix="example.org")
    with Kea(4, config, tmp_path):
        live(link, Client4(link, MAC, client_id=b"\1\2\0\0\x0a\0\1", hostname="alpha", options=options), ours)
    compare(theirs.calls(), ours.calls())


def test_dnsmasqs_script6(link, tmp_path):
    theirs, ours = Recorder(tmp_path, name="theirs"), Recorder(tmp_path, name="ours")

    with Dnsmasq(tmp_path, theirs.script, "--dhcp-range=2001:db8::1000,2001:db8::1000,64,3600", "--dhcp-authoritative"):
        live(link, Client6(link, link.client_mac), theirs)
    config = example("dnsmasq-script", "kea-dhcp6.conf", args=[ours.script])
    config["subnet6"][0]["pools"] = [{"pool": "2001:db8::1000/128"}]
    with Kea(6, config, tmp_path):
        live(link, Client6(link, link.client_mac), ours)
    compare(theirs.calls(), ours.calls())


def prompt(config):
    """A lease that has ended is noticed within a second."""
    config["expired-leases-processing"] |= {"reclaim-timer-wait-time": 1}
    return {**config, "decline-probation-period": 1}


@pytest.mark.parametrize("family", [4, 6])
def test_who_has_been_away_is_added_again(link, tmp_path, recorder, family):
    config = prompt(example("dnsmasq-script", f"kea-dhcp{family}.conf", args=[recorder.script], valid_lifetime=2))
    with Kea(family, config, tmp_path):
        client = Client4(link, MAC) if family == 4 else Client6(link, MAC)
        for count in (1, 3, 5):
            client.dora() if family == 4 else client.sarr()
            recorder.wait(count)
            if count == 1:
                client.release()
            recorder.wait(count + 1)
    assert [call.args[0] for call in recorder.calls()] == ["add", "del"] * 3


@pytest.mark.parametrize("family", [4, 6])
def test_what_is_declined_ends_once(link, tmp_path, recorder, family):
    config = prompt(example("dnsmasq-script", f"kea-dhcp{family}.conf", args=[recorder.script], valid_lifetime=2))
    with Kea(family, config, tmp_path) as kea:
        client = Client4(link, MAC) if family == 4 else Client6(link, MAC)
        client.dora() if family == 4 else client.sarr()
        client.decline()
        kea.wait_log("DECLINED_RECOVERED")
        quiet(kea)
    assert [call.args[0] for call in recorder.calls()] == ["add", "del"]


def test_a_name_is_no_option(link, tmp_path, recorder):
    with Kea(4, example("dnsmasq-script", "kea-dhcp4.conf", args=[recorder.script]), tmp_path):
        address = Client4(link, MAC, hostname="--all").dora().yiaddr
        [call] = recorder.wait(1)
        assert call.args == ["add", MAC, address] and "DNSMASQ_DOMAIN" not in call.env


def test_a_lease_for_ever(link, tmp_path, recorder):
    with Kea(4, example("dnsmasq-script", "kea-dhcp4.conf", args=[recorder.script], valid_lifetime=0xffffffff), tmp_path):
        Client4(link, MAC).dora()
        [call] = recorder.wait(1)
        assert call["DNSMASQ_LEASE_EXPIRES"] == "0" and "DNSMASQ_TIME_REMAINING" not in call.env


def test_dhcpds_program_hears_of_each_end_once(link, tmp_path, recorder):
    """Of one that is released, one that is declined, and one that runs out."""
    config = prompt(example("dhcpd-execute", "kea-dhcp4.conf", args=[recorder.script], valid_lifetime=2))
    with Kea(4, config, tmp_path) as kea:
        clients = [Client4(link, f"02:00:00:0a:00:{number:02x}") for number in range(3)]
        for client in clients:
            client.dora()
        clients[0].release()
        clients[1].decline()
        recorder.wait(5)
        kea.wait_log("DECLINED_RECOVERED")
        quiet(kea)
    ends = [call.args[:2] for call in recorder.calls() if call.args[0] != "commit"]
    assert ends == [["release", clients[0].address], ["expiry", clients[2].address]]


def executing(directory, program):
    """A real dhcpd, with the statements of the example's README.md."""
    readme = (REPOSITORY / "examples/dhcpd-execute/README.md").read_text()
    [statement] = re.findall(r"^    on commit \{.*?^    \}$", readme, re.S | re.M)
    statements = [statement.replace("commit", event).replace("/usr/local/sbin/dhcp-event", str(program))
                  for event in ("commit", "release", "expiry")]
    return Dhcpd(directory, "\n".join([
        "authoritative; ddns-update-style none; default-lease-time 3600; min-lease-time 1;",
        "subnet 192.0.2.0 netmask 255.255.255.0 { range 192.0.2.10 192.0.2.10; }", *statements, ""]))


@dhcpd
def test_dhcpds_execute(link, tmp_path):
    theirs, ours = Recorder(tmp_path, name="theirs"), Recorder(tmp_path, name="ours")
    with executing(tmp_path, theirs.script):
        live(link, Client4(link, MAC, hostname="alpha"), theirs)
    with Kea(4, example("dhcpd-execute", "kea-dhcp4.conf", args=[ours.script]), tmp_path):
        live(link, Client4(link, MAC, hostname="alpha"), ours)
    assert [call.args for call in ours.calls()] == [call.args for call in theirs.calls()]
    assert ours.calls()[0].args == ["commit", "192.0.2.10", "2:0:0:a:0:1", "alpha"]
