"""Where Kea waits and the script gives no verdict, `on-failure` decides, as docs/hook-points.md says for each point."""

import pytest

from rig import dhcp4, dhcp6
from rig.configs import SUBNETS, THREADS
from rig.dhcp4 import NoAnswer, stranger
from rig.dhcp6 import Client6
from rig.kea import Kea, hook, version
from rig.recorder import Printer
from rig.wait import wait_until

# What a client has got in the end if the script fails at this hook point and `on-failure` is skip, drop.
NOTHING, OFFER, ACK = "nothing", "an offer", "a lease"
EXCHANGE4 = {"buffer4_receive": (ACK, NOTHING), "pkt4_receive": (NOTHING, NOTHING),
             "subnet4_select": (NOTHING, NOTHING), "host4_identifier": (ACK, ACK), "ddns4_update": (ACK, ACK),
             "lease4_select": (NOTHING, NOTHING), "leases4_committed": (ACK, OFFER), "pkt4_send": (ACK, NOTHING),
             "buffer4_send": (NOTHING, NOTHING)}
EXCHANGE6 = {"buffer6_receive": (ACK, NOTHING), "pkt6_receive": (NOTHING, NOTHING),
             "subnet6_select": ("no address", NOTHING), "host6_identifier": (ACK, ACK),
             "lease6_select": ("no address", "no address"), "ddns6_update": (ACK, ACK),
             "leases6_committed": (ACK, OFFER), "pkt6_send": (ACK, NOTHING), "buffer6_send": (NOTHING, NOTHING)}

# What a client that has a lease does to it; skip and drop leave the lease as it is.
CHANGE4 = {"lease4_renew": "renew", "lease4_release": "release", "lease4_decline": "decline"}
CHANGE6 = {"lease6_renew": "renew", "lease6_rebind": "rebind", "lease6_release": "release",
           "lease6_decline": "decline"}

SERVER = {"host-reservation-identifiers": ["hw-address", "flex-id"], "ddns-send-updates": True,
          "expired-leases-processing": {"reclaim-timer-wait-time": 1, "hold-reclaimed-time": 0}}
if version() >= (3, 0):
    # It would not write a lease anew that has just begun.
    SERVER["cache-threshold"] = 0.0
FAMILIES = pytest.mark.parametrize("family", [4, 6], ids=["v4", "v6"])
VERDICTS = pytest.mark.parametrize("on_failure", ["continue", "skip", "drop"])
PATIENCE = 0.3


class Server(Kea):
    """A server that waits for a script, which crashes at one hook point of ours."""

    def __init__(self, family, tmp_path, points, on_failure, **config):
        self.victim = tmp_path / "victim"
        self.victim.write_text("none\n")
        crash = f'read -r victim <{self.victim}\n[ "$1" != "$victim" ] || kill -9 $$'
        self.printer = Printer(tmp_path, "$1 ${KEA_LEASE4_ADDRESS}${KEA_LEASE6_ADDRESS}", then=crash)
        parameters = {"hook_points": points, "on_failure": on_failure}
        super().__init__(family, {**SUBNETS[family], **SERVER, **config}, tmp_path,
                         [hook(self.printer.script, **parameters)])

    def crash_at(self, point):
        self.victim.write_text(point + "\n")

    def leases(self):
        """The lease file's lines: one for each change."""
        return self.lease_file.read_text().splitlines()


def client(link, family, number):
    if family == 4:
        return stranger(link, hostname=f"client{number}")
    fqdn = (dhcp6.CLIENT_FQDN, b"\1" + dhcp4.dns_labels(f"client{number}.example.org") + b"\0")
    return Client6(link, f"02:00:00:00:01:{number:02x}", options=[fqdn])


def come(client, timeout):
    """What the client gets of what it asks for."""
    got = NOTHING
    try:
        if isinstance(client, Client6):
            offer = client.solicit(timeout=timeout)
            if not offer.leases:
                return "no address"
            got = OFFER
            return ACK if client.request(offer, timeout=timeout).leases else "no address"
        offer = client.discover(timeout=timeout)
        got = OFFER
        return ACK if client.request(offer, timeout=timeout).type == dhcp4.ACK else "a refusal"
    except NoAnswer:
        return got


@FAMILIES
@VERDICTS
def test_a_client_that_comes(link, tmp_path, family, on_failure):
    exchange = EXCHANGE4 if family == 4 else EXCHANGE6
    config = THREADS if on_failure == "drop" else {}
    with Server(family, tmp_path, list(exchange), on_failure, **config) as kea:
        for number, (point, (skip, drop)) in enumerate(exchange.items(), 1):
            kea.crash_at(point)
            expected = {"continue": ACK, "skip": skip, "drop": drop}[on_failure]
            assert come(client(link, family, number), PATIENCE if expected in (NOTHING, OFFER) else 5) == expected, point
            assert kea.status()["failures"] >= number, f"{point} was not called"
            [line] = [line for line in kea.said("EVENT_FAILED") if f" at {point}: " in line]
            assert line.startswith(f"{kea.printer.script} at {point}: killed by SIGKILL; Kea goes on with: ")
            if expected != ACK or on_failure == "continue" or point.startswith("ddns"):
                assert line.endswith(": continue") == (expected == ACK), line
        kea.crash_at("none")
        assert come(client(link, family, 0), 5) == ACK


@FAMILIES
@VERDICTS
def test_a_client_that_has_a_lease(link, tmp_path, family, on_failure):
    changes = CHANGE4 if family == 4 else CHANGE6
    with Server(family, tmp_path, list(changes), on_failure) as kea:
        for number, (point, change) in enumerate(changes.items(), 1):
            guest = client(link, family, number)
            assert come(guest, 5) == ACK
            kea.crash_at(point)
            before = kea.leases()
            try:
                getattr(guest, change)(**({"timeout": PATIENCE} if family == 6 else {}))
            except NoAnswer:
                pass
            wait_until(lambda: kea.status()["failures"] == number, f"a failure at {point}")
            assert (kea.leases() != before) == (on_failure == "continue"), point


@pytest.mark.parametrize("family, on_failure", [(4, "continue"), (4, "skip"), (6, "skip"), (6, "drop")])
def test_a_lease_that_expires(link, tmp_path, family, on_failure):
    """With skip it is kept, and the hook point comes again."""
    point = f"lease{family}_expire"
    with Server(family, tmp_path, [point], on_failure, **{"valid-lifetime": 1}) as kea:
        kea.crash_at(point)
        assert come(client(link, family, 1), 5) == ACK
        before = kea.leases()
        if on_failure == "skip":
            lines = kea.printer.wait(2)
            assert lines[0] == lines[1] and kea.leases() == before
        else:
            wait_until(lambda: kea.leases() != before, "the lease's end")
            assert len(kea.printer.lines()) == 1
