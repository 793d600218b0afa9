"""The parameter `dialect`: a script that was written for ISC's libdhcp_run_script finds here what it finds there.

ISC's own library is in the same Kea, so both are called for the same packets and leases.
"""

from contextlib import suppress

import pytest

from rig import processes
from rig.configs import SUBNET4, SUBNET6, SUBNETS, THREADS
from rig.dhcp4 import ACK, Client4, NoAnswer, agent_information, stranger
from rig.dhcp6 import INTERFACE_ID, Client6, Relay6
from rig.isc import SideBySide
from rig.kea import Kea, hook
from rig.programs import library
from rig.recorder import Printer, Recorder, write_script
from rig.since import since
from rig.wait import quiet, wait_until

ISCS4 = {"lease4_renew", "lease4_release", "lease4_decline", "leases4_committed", "lease4_expire", "lease4_recover"}
ISCS6 = {"lease6_renew", "lease6_rebind", "lease6_release", "lease6_decline", "leases6_committed", "lease6_expire",
         "lease6_recover"}


def test_each_hook_point4(link, tmp_path):
    subnet = {**SUBNET4["subnet4"][0], "valid-lifetime": 5}
    config = {"subnet4": [subnet], "decline-probation-period": 1,
              "expired-leases-processing": {"reclaim-timer-wait-time": 1, "hold-reclaimed-time": 0}}
    with SideBySide(4, config, tmp_path) as both:
        one, other, relayed = stranger(link, hostname="höst"), stranger(link, client_id=b"\xff\1\2\3"), \
            stranger(link, relay="192.0.2.9", agent=agent_information(b"port 7", b"r"))
        for client in (one, other, relayed):
            client.dora()
        one.renew()
        other.release()
        one.decline()
        wait_until(lambda: {call.hook for call in both.ordered.calls()} == ISCS4, "each hook point", 20)
        calls = both.compare()
    [renewal] = [call for call in calls if call.hook == "lease4_renew"]
    assert renewal["PKT4_HWADDR"] == one.mac and renewal["LEASE4_HWADDR_TYPE"] == "1"
    circuit = [call.get("QUERY4_OPTION_82_SUB_OPTION_1") for call in calls if call.get("QUERY4_HWADDR") == relayed.mac]
    assert set(circuit) == {"0x706F72742037"}


def test_each_hook_point6(link, tmp_path):
    subnet = {**SUBNET6["subnet6"][0], "valid-lifetime": 6, "preferred-lifetime": 5}
    config = {"subnet6": [subnet], "decline-probation-period": 1,
              "expired-leases-processing": {"reclaim-timer-wait-time": 1, "hold-reclaimed-time": 0}}
    with SideBySide(6, config, tmp_path) as both:
        relays = [Relay6("::", "fe80::1", hops=1), Relay6("2001:db8::1", "fe80::2", ((INTERFACE_ID, b"eth0"), (38, b"me")))]
        several, other = Client6(link, na=[1, 2], pd=[7]), Client6(link, "02:00:00:00:00:02")
        rapid = Client6(link, "02:00:00:00:00:03")
        relayed = Client6(link, "02:00:00:00:00:04", relays=relays)
        for client in (several, other, relayed):
            client.sarr()
        rapid.solicit(rapid_commit=True)
        several.renew()
        several.rebind()
        several.release()
        other.decline()
        wait_until(lambda: {call.hook for call in both.ordered.calls()} >= ISCS6, "each hook point", 20)
        calls = both.compare()
    renewals = [call for call in calls if call.hook == "lease6_renew"]
    assert sorted(call["PKT6_IA_IA_TYPE"] for call in renewals) == ["25", "3", "3"]


@pytest.mark.parametrize("family", [4, 6])
def test_a_reservation_has_changed(link, tmp_path, family):
    """The old lease is deleted for the new one."""
    address = {4: "192.0.2.77", 6: "2001:db8::77"}[family]
    mac = "02:00:00:00:00:01"
    entry = {"hw-address": mac, **({"ip-address": address} if family == 4 else {"ip-addresses": [address]})}
    base = SUBNETS[family]
    [subnet] = base[f"subnet{family}"]
    reserved = {f"subnet{family}": [{**subnet, "reservations": [entry]}]}
    with SideBySide(family, base, tmp_path) as both:
        client = Client4(link, mac) if family == 4 else Client6(link, mac)
        client.dora() if family == 4 else client.sarr()
        both.settle(1)
        both.reconfigure(reserved)
        client.dora() if family == 4 else client.sarr()
        both.settle(2)
        both.compare()
    assert both.ours.calls()[-1][f"LEASES{family}_AT0_ADDRESS"] == address


@since(3, 0)
def test_an_address_that_a_client_registers(link, tmp_path):
    with SideBySide(6, SUBNET6, tmp_path) as both:
        with Client6(link, address="2001:db8::77") as client:
            client.register("2001:db8::77")
            both.settle(2)
            client.register("2001:db8::77")
            both.settle(4)
            calls = both.compare()
    first, again = [call for call in calls if call.hook == "addr6_register"]
    assert first["ADDRESS6"] == again["OLD_LEASE6_ADDRESS"] == "2001:db8::77" and "OLD_LEASE6_ADDRESS" not in first.env


@pytest.mark.parametrize("family", [4, 6])
def test_what_another_library_has_kea_skip_or_drop(link, tmp_path, family):
    """ISC's library is called for neither, and so is ours in its dialect; in our own it is for what is skipped."""
    release, decline = f"lease{family}_release", f"lease{family}_decline"
    recorder = Recorder(tmp_path)
    own = {"script": str(recorder.script), "wait": False, "hook-points": [release, decline]}
    base = SUBNETS[family]
    with SideBySide(family, base, tmp_path, ["skipper.so"], [own], [library("skipper", tmp_path)]) as both:
        one, other = (stranger(link), stranger(link)) if family == 4 else (Client6(link), Client6(link, "02:00:00:00:00:02"))
        for client in (one, other):
            client.dora() if family == 4 else client.sarr()
        one.release()
        if family == 4:
            other.decline()
        else:
            with suppress(NoAnswer):
                other.decline(timeout=1)
        recorder.wait(1)
        assert {release, decline}.isdisjoint(call.hook for call in both.compare())
    assert recorder.hooks() == [release]


@pytest.mark.parametrize("threads", [{}, THREADS], ids=["single", "threads"])
def test_sync(link, tmp_path, threads):
    """The client's answer comes after the script's end. ISC's library takes the parameter, and does not heed it."""
    printer = Printer(tmp_path, "$1 $LEASES4_AT0_ADDRESS", then="/bin/sleep 0.3; : >$0.ended")
    with Kea(4, {**SUBNET4, **threads}, tmp_path, [hook(name=str(printer.script), dialect="isc", sync=True)]):
        ack = stranger(link).dora()
        assert ack.type == ACK and (tmp_path / "printer.ended").exists()
        assert printer.lines() == [f"leases4_committed {ack.yiaddr}"]


def test_other_hook_points_have_our_variables_too(link, tmp_path, recorder):
    points = ["pkt4_receive", "leases4_committed"]
    with Kea(4, SUBNET4, tmp_path, [hook(recorder.script, dialect="isc", hook_points=points)]) as kea:
        client = stranger(link)
        client.dora()
        quiet(kea)
        received, _, committed = recorder.wait(3)
    assert received["QUERY4_HWADDR"] == received["KEA_QUERY4_HWADDR"] == client.mac
    assert received["QUERY4_TYPE"] == "DHCPDISCOVER" and "KEA_QUERY4_OPTION_53" in received.env
    everywhere = {"KEA_HOOK_POINT", "KEA_SERVER", "KEA_VERSION", "KEA_EVENT_TIME", "KEA_EVENT_ID", "KEA_EVENT_ATTEMPT"}
    assert {name for name in committed.env if name.startswith("KEA_")} == everywhere


@pytest.mark.parametrize("said, is_warned", [
    ({"sync": False}, True), ({"name": None}, True), ({"name": None, "dialect": "runscript"}, False),
    ({"sync": False, "dialect": "isc"}, False), ({}, False)], ids=str)
def test_iscs_words_without_a_dialect(link, tmp_path, recorder, said, is_warned):
    said = {key: str(recorder.script) if value is None else value for key, value in said.items()}
    parameters = said if "name" in said else {"script": str(recorder.script), **said}
    with Kea(4, SUBNET4, tmp_path, [hook(**parameters)]) as kea:
        lines = kea.said("DIALECT_UNSAID")
    assert len(lines) == is_warned
    assert not lines or '"dialect" to "isc"' in lines[0]


def test_no_such_dialect(link, tmp_path, recorder):
    log = Kea(4, SUBNET4, tmp_path, [hook(recorder.script, dialect="dnsmasq")]).expect_refusal()
    assert 'parameter "dialect": "dnsmasq": give "runscript" or "isc"' in log


# Scripts in the manner of those that people write for ISC's library. Each keeps its file beside itself.

EVERY_INDEX = """\
#!/bin/bash
case $1 in leases4_committed|leases6_committed) ;; *) exit 0 ;; esac
for list in LEASES4 DELETED_LEASES4 LEASES6 DELETED_LEASES6; do
    eval "size=\\${${list}_SIZE:-0}"
    i=0
    while [ "$i" -lt "$size" ]; do
        eval "echo $list $i \\$${list}_AT${i}_ADDRESS \\$${list}_AT${i}_VALID_LIFETIME \\$${list}_AT${i}_STATE" >>"$0.file"
        i=$((i + 1))
    done
done
"""

THE_FIRST = """\
#!/bin/sh
if [ "$1" = leases6_committed ] && [ "$LEASES6_SIZE" -gt 0 ]; then
    [ "$LEASES6_AT0_TYPE" = IA_PD ] && echo "route add $LEASES6_AT0_ADDRESS/$LEASES6_AT0_PREFIX_LEN via $QUERY6_REMOTE_ADDR dev $QUERY6_IFACE_NAME" >>"$0.file"
fi
if [ "$1" = leases4_committed ]; then echo "$LEASES4_AT0_ADDRESS $LEASES4_AT0_HWADDR" >>"$0.file"; fi
exit 0
"""

DELETES_FIRST = """\
#!/bin/bash
export PATH=/usr/bin:/bin
exec 9>"$0.lock"
flock 9
touch "$0.file"
drop() { sed -i "\\|^$1 |d" "$0.file"; }
case $1 in
leases4_committed) f=4 ;; leases6_committed) f=6 ;;
lease4_release|lease4_expire) drop "$LEASE4_ADDRESS"; exit ;;
lease6_release|lease6_expire) drop "$LEASE6_ADDRESS"; exit ;;
*) exit ;;
esac
deleted=DELETED_LEASES${f}_SIZE; made=LEASES${f}_SIZE
for ((i = 0; i < ${!deleted}; i++)); do at=DELETED_LEASES${f}_AT${i}_ADDRESS; drop "${!at}"; done
for ((i = 0; i < ${!made}; i++)); do
    at=LEASES${f}_AT${i}_ADDRESS; name=LEASES${f}_AT${i}_HOSTNAME
    drop "${!at}"
    echo "${!at} ${!name}" >>"$0.file"
done
"""

PYTHON = """\
#!/usr/bin/python3
import os, re, sys
point, env = sys.argv[1], os.environ
found = re.match(r"leases([46])_committed", point)
if found:
    family = found[1]
    for kind in ("LEASES", "DELETED_LEASES"):
        for i in range(int(env.get(f"{kind}{family}_SIZE", 0))):
            of = f"{kind}{family}_AT{i}_"
            mine = {name.removeprefix(of): value for name, value in env.items() if name.startswith(of) and "CLTT" not in name}
            print(kind, i, sorted(mine.items()), file=open(sys.argv[0] + ".file", "a"))
else:
    one = {name: value for name, value in env.items() if re.match(r"LEASE[46]_(?!CLTT)|QUERY[46]_(?!TXID|REMOTE_PORT)|REMOVE|PKT", name)}
    print(point, sorted(one.items()), file=open(sys.argv[0] + ".file", "a"))
"""

STRICT = """\
#!/bin/sh
set -eu
unknown_handle() { echo "unhandled: $*" >>"$0.file"; exit 123; }
case "$1" in
lease4_renew) echo "renew $LEASE4_ADDRESS $SUBNET4_NAME $PKT4_HWADDR $PKT4_CLIENT_ID" >>"$0.file" ;;
lease4_expire) echo "expire $LEASE4_ADDRESS $REMOVE_LEASE" >>"$0.file" ;;
lease4_release) echo "release $LEASE4_ADDRESS $QUERY4_CIADDR" >>"$0.file" ;;
leases4_committed) echo "committed $LEASES4_SIZE $DELETED_LEASES4_SIZE $QUERY4_RELAYED" >>"$0.file" ;;
lease6_renew) echo "renew $LEASE6_ADDRESS $LEASE6_PREFIX_LEN $PKT6_IA_IAID" >>"$0.file" ;;
lease6_release) echo "release $LEASE6_ADDRESS $QUERY6_CLIENT_ID" >>"$0.file" ;;
leases6_committed) echo "committed $LEASES6_SIZE $DELETED_LEASES6_SIZE $QUERY6_PROTO" >>"$0.file" ;;
*) unknown_handle "$@" ;;
esac
exit 0
"""

SCRIPTS = {"every-index": EVERY_INDEX, "the-first": THE_FIRST, "deletes-first": DELETES_FIRST, "python": PYTHON, "strict": STRICT}


class Kept:
    """A script and its file."""

    def __init__(self, directory, name, body):
        self.script = write_script(directory / name, body)
        self.file = directory / f"{name}.file"


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("body", SCRIPTS.values(), ids=SCRIPTS)
def test_scripts_as_people_write_them(link, tmp_path, family, body):
    """The files that they keep are the same."""
    iscs, ours = Kept(tmp_path, "one", body), Kept(tmp_path, "two", body)
    base = SUBNETS[family]
    with SideBySide(family, base, tmp_path, scripts=(iscs, ours)) as both:
        def done(count):
            """ISC's library keeps no order, so each step is let come to its end."""
            wait_until(lambda: len(both.ordered.calls()) >= count, f"{count} calls")
            quiet(both.kea)
            # Its children are our runner, and ISC's scripts.
            wait_until(lambda: {*processes.children(both.kea.pid)} <= {*processes.runners()}, "the end of ISC's script")
        if family == 4:
            client = stranger(link, hostname="alpha")
            client.dora()
            done(1)
            client.renew()
            done(3)
            client.release()
            done(4)
            stranger(link, hostname="beta").dora()
            done(5)
        else:
            client = Client6(link, na=[1, 2], pd=[7])
            client.sarr()
            done(1)
            client.renew()
            done(5)
            client.release()
            done(9)
            Client6(link, "02:00:00:00:00:02", na=[], pd=[3]).sarr()
            done(10)
    # The calls of one packet are in no order there.
    there, here = (sorted(kept.file.read_text().splitlines()) for kept in (iscs, ours))
    assert there == here != []
