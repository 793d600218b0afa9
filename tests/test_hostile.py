"""Whatever strangers send, Kea lives and serves its clients, and scripts see nothing that could hurt them."""

import os
import re
import socket
import subprocess

import pytest

from rig.configs import SUBNET6
from rig.dhcp6 import Client6
from rig.kea import Kea, hook, version
from rig.programs import compiled
from rig.recorder import Recorder
from rig.siege import Strangers4, Strangers6, besiege
from rig.wait import quiet, wait_until

PACKETS = 4000
SEED = int(os.environ.get("HOSTILE_SEED", "1"))    # another one is another set of packets

FAULTS = r".*(?:HOOKS_CALLOUT_E|(?:WARN|ERROR) +\[\S+\.runscript/).*"

# What makes leases end.
SHORT = {"decline-probation-period": 1, "min-valid-lifetime": 1, "max-valid-lifetime": 7200,
         "expired-leases-processing": {"reclaim-timer-wait-time": 1}}

HOOKS = {
    4: ["buffer4_receive", "pkt4_receive", "subnet4_select", "host4_identifier", "ddns4_update", "lease4_select",
        "lease4_renew", "lease4_release", "lease4_decline", "leases4_committed", "pkt4_send", "buffer4_send",
        "lease4_expire", "lease4_recover", *(["lease4_offer"] if version() >= (2, 6) else [])],
    6: ["buffer6_receive", "pkt6_receive", "subnet6_select", "host6_identifier", "ddns6_update", "lease6_select",
        "lease6_renew", "lease6_rebind", "lease6_release", "lease6_decline", "leases6_committed", "pkt6_send",
        "buffer6_send", "lease6_expire", "lease6_recover"]}


class Inspector:
    """A script that looks at all variables, for all hook points."""

    def __init__(self, family, directory):
        self.program, self.log = compiled("inspect", directory), directory / "inspected"
        self.hook = hook(self.program, args=[str(self.log)], wait=False, debug=True, concurrency=4,
                         queue_limit=1_000_000, hook_points=HOOKS[family])

    def lines(self):
        return self.log.read_text(errors="replace").split("\n")[:-1] if self.log.exists() else []

    def hook_points(self):
        return {line.split(" ")[0] for line in self.lines()}

    def complaints(self):
        return [line for line in self.lines() if " " in line]


@pytest.fixture
def name_server():
    """Where Kea sends its updates of DNS."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 53001))
        yield udp


@pytest.mark.long
@pytest.mark.parametrize("family, strangers", [(4, Strangers4), (6, Strangers6)], ids=["v4", "v6"])
def test_strangers(link, tmp_path, name_server, family, strangers):
    with Kea(family, strangers.config, tmp_path / "alone") as kea:
        alone = besiege(kea, strangers(link, SEED), PACKETS)
    inspector = Inspector(family, tmp_path)
    with Kea(family, strangers.config, tmp_path / "with", [inspector.hook]) as kea:
        together = besiege(kea, strangers(link, SEED), PACKETS)
        script = nothing_amiss(kea)
        kea.configure({**strangers.config, **SHORT}, [inspector.hook])
        kea.reload()
        besiege(kea, strangers(link, SEED), PACKETS // 10)
        wait_until(lambda: inspector.hook_points() >= set(HOOKS[family]), lambda: "every hook point (missing: "
                   f"{set(HOOKS[family]) - inspector.hook_points()})")
        nothing_amiss(kea)
    print(script, together)
    assert not inspector.complaints(), "\n".join(inspector.complaints()[:20])
    assert len(inspector.lines()) > script["events"] > 4 * PACKETS
    assert not re.findall(FAULTS, kea.log())
    # Kea has done exactly what it does without the library, with all packets, of which it understood most.
    assert together == alone
    assert together[f"pkt{family}-received"] >= PACKETS > 2 * together[f"pkt{family}-parse-failed"]


def nothing_amiss(kea):
    """What the library has counted at the end of all events."""
    quiet(kea, 120)
    counted = kea.status()
    assert counted["failures"] == counted["timeouts"] == counted["dropped"] == 0
    return counted


def test_the_largest_packets(link, tmp_path):
    recorder = Recorder(tmp_path)
    codes = range(1000, 1400)
    config = {**SUBNET6,
              "option-def": [{"name": f"big-{code}", "code": code, "type": "binary"} for code in codes],
              "option-data": [{"name": f"big-{code}", "csv-format": False, "data": "ab" * 150, "always-send": True}
                              for code in codes]}
    points = ["buffer6_receive", "pkt6_receive", "pkt6_send", "buffer6_send"]
    with Kea(6, config, tmp_path, [hook(recorder.script, debug=True, hook_points=points)]):
        # Of its packet, Kea 2.2 reads 1500 bytes only, and is content with the options that are whole.
        many = [(2000 + n, b"x" * 8) for n in range(5000)]
        answer = Client6(link, options=many).solicit()
        calls = recorder.wait(4)
    assert len(answer.pack()) > 60_000 and [call.hook for call in calls] == points
    for call in calls[2:]:
        assert call["KEA_TRUNCATED"] == "KEA_RESPONSE6_DEBUG" and "KEA_RESPONSE6_DEBUG" not in call.env
        assert all(call[f"KEA_RESPONSE6_OPTION_{code}"] == "0x" + "ab" * 150 for code in codes)
    assert all(call["KEA_QUERY6_OPTION_2100"] == "0x" + "78" * 8 for call in calls[:3])


@pytest.mark.parametrize("variable", [
    b"KEA_QUERY4_OPTION60=a\x1b[31m", b"KEA_QUERY4_OPTION60=\xff", b"KEA_QUERY4_OPTION60=two\nlines",
    b"KEA_LEASE4_HOSTNAME=\xc2\x85", b"KEA_LEASE4_HOSTNAME=\xed\xa0\x80", b"KEA_QUERY4_OPTION_12=0x123",
    b"KEA_QUERY6_RELAY3_OPTION_18_SUB_1=0x12  0x", b"KEA_QUERY4_HWADDR=zz", b"KEA_QUERY6_DUID=0x00", b"KEA_A b=1",
    b"PATH=/bin", b"KEA_QUERY6_DEBUG=\r", b"KEA_HOOK_POINT=other", b"KEA_QUERY4_RELAYED=2", b"KEA_QUERY4_OPTION_x=0x",
    b"KEA_QUERY4_CLASSES=ALL\nREGISTERED", b"KEA_QUERY4_CLASSES=VENDOR_CLASS_x\n",
    b"KEA_LEASES4_AT0_CLIENT_ID=\n", b"KEA_LEASE4_HOSTNAME=a\\b", b"KEA_LEASE4_HOSTNAME=\xe2\x80\xa8",
    b"KEA_LEASE4_HOSTNAME=\xee\x80\x80", b"KEA_LEASE4_USER_CONTEXT=text", b"KEA_QUERY4_TYPES=x"])
def test_the_inspector_finds(tmp_path, variable):
    inspector = Inspector(4, tmp_path)
    environment = {b"KEA_HOOK_POINT": b"pkt4_receive", b"KEA_SERVER": b"kea-dhcp4", b"KEA_VERSION": b"2.2.0",
                   b"KEA_QUERY6_DEBUG": "zwei\nZeilen, größer".encode(), b"KEA_QUERY4_OPTION_12": b"0x12 0x", b"KEA_LEASE4_HOSTNAME": rb"a\\b\x0a",
                   b"KEA_QUERY4_CLASSES": rb"ALL" b"\n" rb"VENDOR_CLASS_x\x00REGISTERED",
                   b"KEA_QUERY4_OPTION_125_ENTERPRISE_9_SUB_1": b"0x", b"KEA_LEASES4_AT12_IS_EXPIRED": b"1"}
    run = [inspector.program, "pkt4_receive", inspector.log]
    subprocess.run(run, env=environment, check=True)
    assert not inspector.complaints()
    name, value = variable.split(b"=", 1)
    subprocess.run(run, env={**environment, name: value}, check=True)
    assert len(inspector.complaints()) == 1
