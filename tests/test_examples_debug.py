"""examples/debug: the script's file and Kea's log tell of every call."""

import re

from rig.configs import SUBNET6
from rig.dhcp4 import Client4
from rig.dhcp6 import Client6
from rig.examples import example
from rig.kea import Kea
from rig.wait import wait_until

ENTRY = re.compile(r"^== (\w+) == \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\n((?:KEA_\w+=.*\n(?: {4}.*\n)*)+)\n", re.M)

DORA = ["pkt4_receive", "subnet4_select", "lease4_select", "pkt4_send"] * 2


def config(tmp_path, **overrides):
    whole = example("debug", "kea-dhcp4.conf", **overrides)
    whole["hooks-libraries"][0]["parameters"]["args"] = [str(tmp_path / "debug.log")]
    return whole


def wait_entries(tmp_path, count):
    """The file's entries (hook point, variables), and nothing else must stand in it."""
    log = tmp_path / "debug.log"
    wait_until(lambda: log.exists() and log.read_text().count("\n\n") >= count, f"{count} entries in {log}")
    assert ENTRY.sub("", log.read_text()) == ""
    return ENTRY.findall(log.read_text())


def test_each_call_is_in_the_file_and_in_keas_log(link, tmp_path):
    with Kea(4, config(tmp_path), tmp_path) as kea:
        Client4(link).dora()
        entries = wait_entries(tmp_path, len(DORA))
        assert [hook for hook, _ in entries] == DORA
        leased = entries[6][1]
        assert "KEA_FAKE_ALLOCATION=0\n" in leased and "KEA_LEASE4_ADDRESS=192.0.2.10\n" in leased
        assert "\nKEA_QUERY4_CLASSES=ALL\n    UNKNOWN\n" in leased
        for hook in DORA:
            kea.wait_log(f"RUNSCRIPT_OUTPUT .*/debug.sh at {hook}: the variables are in {tmp_path}/debug.log")
    assert (tmp_path / "debug.log").stat().st_mode & 0o777 == 0o640


def test_a_client_cannot_forge_an_entry(link, tmp_path):
    evil = "$(touch /run/evil)`touch /run/evil`\n\n== pkt4_send == 2026-01-01 00:00:00\nKEA_QUERY4_TYPE=FORGED\n\n'\";"
    with Kea(4, config(tmp_path), tmp_path):
        Client4(link, hostname=evil, options=[(60, evil.encode())]).dora()
        entries = wait_entries(tmp_path, len(DORA))
    assert [hook for hook, _ in entries] == DORA
    assert not any(line.startswith("KEA_QUERY4_TYPE=FORGED") for _, text in entries for line in text.splitlines())


def test_the_other_server(link, tmp_path):
    hooks = config(tmp_path)["hooks-libraries"]
    with Kea(6, SUBNET6, tmp_path, hooks), Client6(link) as client:
        client.sarr()
        entries = wait_entries(tmp_path, 8)
    assert entries[-1][0] == "pkt6_send" and "\nKEA_SERVER=kea-dhcp6\n" in entries[-1][1]


def test_a_file_that_cannot_be_written_is_complained_of(link, tmp_path):
    whole = config(tmp_path)
    whole["hooks-libraries"][0]["parameters"]["args"] = ["/nowhere/debug.log"]
    with Kea(4, whole, tmp_path) as kea:
        assert Client4(link).dora().yiaddr == "192.0.2.10"
        kea.wait_log("RUNSCRIPT_ERROR_OUTPUT .*/nowhere/debug.log")
