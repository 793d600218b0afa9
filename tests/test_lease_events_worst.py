"""Lease events where Kea breaks off, threads race, clients ask for strange things, and databases change."""

import contextlib
import json

import pytest

from rig.configs import THREADS
from rig.dhcp4 import Client4, NoAnswer
from rig.dhcp6 import CLIENT_FQDN, IA, IA_NA, RAPID_COMMIT, SOLICIT, Client6, Message6
from rig.lease_events import POINT, Customer, Listening, texts
from rig.recorder import Printer
from rig.wait import quiet, wait_until

FAMILIES = pytest.mark.parametrize("family", [4, 6])
ONE, TWO = "02:00:00:00:00:01", "02:00:00:00:00:02"
# Kea cannot make a name of it, and throws when leases are written.
EMPTY_NAME = (CLIENT_FQDN, b"\1")
NAMES = {"dhcp-ddns": {"enable-updates": True}, "ddns-send-updates": True}


class Changes(Printer):
    """What the script was told of leases, in short."""

    def __init__(self, directory, family, then="exit 0"):
        super().__init__(directory, f"$1 $KEA_ACTION $KEA_REASON $KEA_LEASE{family}_ADDRESS", then)
        self.point = POINT[family]

    def told(self, kea):
        quiet(kea)
        return [" ".join(line.split()[1:]) for line in self.lines() if line.startswith(self.point)]


@FAMILIES
def test_a_full_parking_lot(link, tmp_path, family):
    """Kea drops a packet when it has written its leases, and calls no hook point."""
    gate = tmp_path / "gate"
    script = Changes(tmp_path, family, f'[ "$1" = leases{family}_committed ] && while [ -e {gate} ]; do /bin/sleep 0.05; done; exit 0')
    points = [{"name": f"leases{family}_committed", "wait": "park", "timeout": 10000}]
    with Listening(family, tmp_path, script, also=points, parameters={"concurrency": 4}, **{"parked-packet-limit": 1}) as kea, \
            Customer(link, family, ONE) as one, Customer(link, family, TWO) as two:
        address = one.get()
        gate.touch()
        with contextlib.suppress(NoAnswer, AssertionError):
            two.get()
        wait_until(lambda: sum(line.startswith("leases") for line in script.lines()) == 2, "the parked packet")
        with contextlib.suppress(NoAnswer, AssertionError):
            one.release()
        # Kea 3 keeps a released lease for its client, and so says what has ended it.
        ends = {f"del {reason} {address}" for reason in ("reclaimed", "released")}
        wait_until(lambda: any(line.partition(" ")[2] in ends for line in script.lines()), "the end of the lease")
        gate.unlink()


def test_a_name_that_kea_throws_at(link, tmp_path, recorder):
    with Listening(6, tmp_path, recorder, **NAMES) as kea, Client6(link, na=[], pd=[1], options=[EMPTY_NAME]) as client:
        with contextlib.suppress(NoAnswer):
            client.sarr(timeout=1)
        assert texts(kea.told()) == ["add 2001:db8:8000::/56"]


def test_a_renewal_that_kea_throws_at(link, tmp_path, recorder):
    with Listening(6, tmp_path, recorder, **NAMES) as kea, Client6(link, na=[], pd=[1]) as client:
        client.sarr()
        kea.changed({"pd-pools": [{"prefix": "2001:db8:9000::", "prefix-len": 36, "delegated-len": 56}]})
        client.options.append(EMPTY_NAME)
        with contextlib.suppress(NoAnswer):
            client.renew(timeout=1)
        assert texts(kea.told()) == ["add 2001:db8:8000::/56", "del:reclaimed 2001:db8:8000::/56", "add 2001:db8:9000::/56"]


def test_one_association_several_times(link, tmp_path, recorder):
    with Listening(6, tmp_path, recorder) as kea, Client6(link) as client:
        options = [(1, client.duid), (RAPID_COMMIT, b""), *[IA(IA_NA, 1).option()] * 5]
        message = Message6(SOLICIT, options)
        client.port.send(message)
        client.port.receive(message.transid)
        assert texts(kea.told()) == ["add 2001:db8::1000"]


@pytest.mark.parametrize("how", ["reservation", "command"])
def test_a_prefix_of_another_length(link, tmp_path, recorder, how):
    with Listening(6, tmp_path, recorder) as kea, Client6(link, na=[], pd=[1]) as client:
        client.sarr()
        lease = {"duid": client.duid.hex(":"), "iaid": 1, "subnet-id": 1}
        if how == "reservation":
            kea.changed({"reservations": [{"duid": lease["duid"], "prefixes": ["2001:db8:8000::/60"]}]})
            client.renew()
        else:
            kea.done("lease6-update", {"ip-address": "2001:db8:8000::", "prefix-len": 60, "type": "IA_PD", **lease})
        reason = {"reservation": "replaced", "command": "deleted"}[how]
        assert texts(kea.told()) == ["add 2001:db8:8000::/56", f"del:{reason} 2001:db8:8000::/56", "add 2001:db8:8000::/60"]


def test_a_temporary_address_by_command(link, tmp_path, recorder):
    lease = {"ip-address": "2001:db8::1777", "type": "IA_TA"}
    with Listening(6, tmp_path, recorder) as kea:
        kea.done("lease6-add", {**lease, "duid": "00:03:00:01:02:00:00:00:00:77", "iaid": 1, "subnet-id": 1})
        kea.done("lease6-del", lease)
        assert texts(kea.told()) == ["add 2001:db8::1777", "del:deleted 2001:db8::1777"]


def test_a_decline_that_a_script_drops(link, tmp_path):
    """Of two addresses, one is declined by then."""
    then = '[ "$1" = lease6_decline ] && [ "$KEA_LEASE6_ADDRESS" = 2001:db8::1001 ] && exit 20; exit 0'
    script = Changes(tmp_path, 6, then)
    parameters = {"answers": True, "on_failure": "continue"}
    points = [{"name": "lease6_decline", "wait": True}]
    with Listening(6, tmp_path, script, also=points, parameters=parameters) as kea, Client6(link, na=[1, 2]) as client:
        client.sarr()
        with contextlib.suppress(NoAnswer):
            client.decline(timeout=1)
        assert "del declined 2001:db8::1000" in script.told(kea)


def test_no_replay_ends_before_what_takes_its_place(link, tmp_path):
    """With `coalesce`, a lease's newer event takes the place of its replay."""
    gate = tmp_path / "gate"
    then = f'while [ "$KEA_ACTION" = renew ] && [ -e {gate} ]; do /bin/sleep 0.05; done'
    script = Changes(tmp_path, 6, then)
    with Listening(6, tmp_path, script, parameters={"coalesce": True, "concurrency": 2}) as kea, Client6(link) as client:
        [address] = client.sarr().leases
        quiet(kea)
        gate.touch()
        client.renew()
        wait_until(lambda: any("renew" in line for line in script.lines()), "the first renewal")
        kea.done("runscript-replay")
        wait_until(lambda: any("replay-begin" in line for line in script.lines()) and kea.status()["pending"] == 2, "the replay")
        client.renew()
        wait_until(lambda: kea.status()["coalesced"] == 1, "the second renewal")
        gate.unlink()
        wait_until(lambda: any("replay-end" in line for line in script.lines()), "the end of the replay")
        assert script.told(kea)[-3:] == ["replay-begin", f"renew {address}", "replay-end"]


@FAMILIES
def test_another_lease_database(link, tmp_path, recorder, family):
    def ends():
        return sum(call["KEA_ACTION"] == "replay-end" for call in recorder.calls())
    with Listening(family, tmp_path, recorder, replay=True) as kea, Customer(link, family) as client:
        wait_until(lambda: ends() == 1, "the first replay")
        client.get()
        [whole] = json.loads(kea.config_file.read_text()).values()
        kea.lease_file = tmp_path / "other.csv"
        kea.configure(whole)
        kea.reload()
        wait_until(lambda: ends() == 2, "a replay of the other one")


@FAMILIES
def test_ends_are_in_the_spool_where_kea_waits_for_clients(link, tmp_path, family):
    gate = tmp_path / "gate"
    script = Changes(tmp_path, family, f"while [ -e {gate} ]; do /bin/sleep 0.05; done")
    with Listening(family, tmp_path, script, parameters={"wait": True}) as kea, Customer(link, family) as client:
        address = client.get()
        gate.touch()
        kea.done(f"lease{family}-del", {"ip-address": address})
        assert kea.status()["spooled"] == 1
        gate.unlink()
        assert script.told(kea) == [f"add {address}", f"del deleted {address}"]


def holder(kea, address):
    lease = kea.command("lease4-get", {"ip-address": address}).get("arguments") or {}
    return lease.get("hw-address") if lease.get("state") == 0 and lease["valid-lft"] else None


def is_known(kea, script, address):
    """Whether the script has been told last what the database has."""
    held = holder(kea, address)
    quiet(kea)
    last = [line for line in script.lines() if line.split()[1] == address][-1]
    return last == f"add {address} {held}" if held == TWO else held is None and last.startswith("del")


@pytest.mark.long
def test_the_next_owner_of_a_lease(link, tmp_path):
    """Another thread gives a released address away before the release is told of."""
    script = Printer(tmp_path, "$KEA_ACTION $KEA_LEASE4_ADDRESS $KEA_LEASE4_HWADDR")
    with Listening(4, tmp_path, script, parameters={"concurrency": 2}, **THREADS) as kea:
        one, two = Client4(link, ONE), Client4(link, TWO)
        for _ in range(300):
            address = one.dora().yiaddr
            one.release()
            wanted = [(50, bytes(map(int, address.split(".")))), (54, bytes(map(int, link.server4.split("."))))]
            two.exchange(two.message(3, wanted))
            # The release, and its event, may still be on their way.
            wait_until(lambda address=address: is_known(kea, script, address), lambda: f"the same: {script.lines()[-6:]}")
            two.address, two.server_id = address, link.server4
            two.release()
            quiet(kea)
