"""The package on a booted system: what it takes from Kea's sandbox, the guide's way, and the other one. In this order."""

import shutil
import subprocess
from pathlib import Path

import pytest

from booted import machine
from booted.machine import EXEC, PACKAGE, ROUTES, SCRIPT, SOCKET, fails, said, score, sh, start, wait_until
from rig.dhcp6 import Client6

SERVICE = "kea-runscript@prefix-routes"
SPOOL = ["/var/lib/kea/runscript/ rw,", "/var/lib/kea/runscript/** rwk,"]
customers = iter(range(1, 1000))


@pytest.fixture(scope="module")
def link():
    with machine.wire() as link:
        yield link


def delegated(link):
    """A new client's prefix."""
    with Client6(link, f"02:00:00:00:01:{next(customers):02x}", na=(), pd=(1,)) as client:
        client.sarr(timeout=20)
        return client.leases[0]


def has_route(link):
    prefix = delegated(link)
    wait_until(lambda: any(route.startswith(prefix) for route in machine.routes()), lambda: f"{prefix} in {machine.routes()}")


def test_the_package_adds_the_spools_rule_and_nothing_else():
    before = {family: machine.rules(family) for family in (4, 6)}
    sh(f"apt-get install -q -y {PACKAGE}")
    for family in (4, 6):
        more = [line for line in machine.rules(family) if line not in before[family]]
        assert more == (SPOOL if machine.has_locals() else []), more
    assert machine.denied() == []


def test_the_guides_three_commands(link):
    sh(f"cd {ROUTES} && install -m 755 -D -t /usr/share/kea/scripts prefix-routes.sh && cp -r service/* /etc"
       " && systemctl enable --now kea-runscript@prefix-routes.socket")
    machine.configure()
    start(6)
    has_route(link)
    assert said(6, "SPOOL_OFF") == [] if machine.has_locals() else said(6, "SPOOL_OFF")


def test_a_prefix_that_is_none_of_ours_gets_no_route(link):
    Path("/etc/kea-runscript/prefix-routes.json").write_text(
        (ROUTES / "service/kea-runscript/prefix-routes.json").read_text().replace("2001:db8:8000::/36", "2001:db8:f000::/36"))
    sh(f"systemctl restart {SERVICE}.service")
    machine.forget_routes()
    delegated(link)
    wait_until(lambda: "it is none of 2001:db8:f000::/36" in " ".join(said(6, "ERROR_OUTPUT")), "the script's word")
    assert machine.routes() == {}
    sh(f"cp {ROUTES}/service/kea-runscript/prefix-routes.json /etc/kea-runscript && systemctl restart {SERVICE}.service")
    has_route(link)


def test_its_sandboxes_and_keas(link):
    sh("systemctl enable --now kea-runscript@plain.socket")
    network = machine.DOC / "examples/systemd/network.conf"
    place = machine.drop_in("kea-runscript@talks", "")
    shutil.copy(network, place)
    sh("systemctl daemon-reload")
    scores = [score(name) for name in ("kea-runscript@plain.service", f"{SERVICE}.service", "kea-runscript@talks.service")]
    place = machine.drop_in("kea-dhcp6-server", "")
    shutil.copy(machine.DOC / "examples/systemd/kea.conf", place)
    sh("systemctl daemon-reload")
    start(6)
    has_route(link)
    keas = score("kea-dhcp6-server.service")
    machine.undo(place)
    print("scores: plain, route, network, Kea:", scores, keas)
    assert scores[0] <= 1.5 and scores[1] <= 1.5 and scores[2] <= 3 and keas <= 2.0, (scores, keas)


def test_what_a_kea_that_was_taken_over_can_run_and_signal():
    """A program in Kea's place, under Kea's profile."""
    sh(f"systemctl start {SERVICE}.service")
    helper = sh(f"systemctl show -P MainPID {SERVICE}.service").strip()
    shutil.copy("/srv/vm/build/taken", "/usr/local/bin/taken")
    command = f"mount --bind /usr/local/bin/taken /usr/sbin/kea-dhcp6 && exec setpriv --reuid=_kea --regid=_kea --init-groups " \
              f"/usr/sbin/kea-dhcp6 {helper}"
    text = subprocess.run(["unshare", "--mount", "sh", "-ec", command], text=True, capture_output=True).stdout
    print(text)
    lines = text.splitlines()
    assert len(lines) == 7 and all(line.endswith(("Permission denied", "Operation not permitted")) for line in lines), text
    assert sh(f"systemctl show -P MainPID {SERVICE}.service").strip() == helper


def test_exec_is_refused_and_the_refusal_says_what_helps(link):
    machine.configure(script=SCRIPT, hook_points=[{"name": "lease6_changed", "wait": True}])
    start(6, served=False)
    [line] = said(6, "LOAD_REFUSED")
    local = "/etc/apparmor.d/local/usr.sbin.kea-dhcp6"
    assert f'add the line "{EXEC}" to {local}' in line and '"socket" instead of "script" (service.md)' in line
    place = machine.drop_in("kea-dhcp6-server", "AmbientCapabilities=CAP_NET_ADMIN")
    machine.add_rule(6, EXEC)
    start(6)
    machine.forget_routes()
    has_route(link)
    # To the letter on Debian 13 and later; on 12 the profile has the line itself.
    machine.undo(place)
    place = machine.drop_in("kea-dhcp6-server", "NoNewPrivileges=yes")
    start(6, served=False)
    [line] = said(6, "LOAD_REFUSED")
    assert "NoNewPrivileges=yes" in line and "service.md" in line
    machine.undo(place)
    machine.remove_rule(6, EXEC)
    start(6, served=False)


def test_nothing_else_was_denied():
    ours = [line for line in machine.denied() if "kea-runscript-runner" not in line and '"/usr/bin/' not in line]
    if not machine.has_locals():
        ours = [line for line in ours if "/var/lib/kea/runscript" not in line]
    assert ours == []


def test_a_removed_line_stays_removed_and_a_removal_leaves_profiles_that_load():
    if machine.has_locals():
        line = "include if exists <abstractions/kea-hook-runscript>"
        machine.remove_rule(4, line)
        sh("dpkg-trigger --no-await /etc/apparmor.d/usr.sbin.kea-dhcp4; dpkg --triggers-only --pending")
        sh(f"apt-get install -q -y --reinstall {PACKAGE}")
        assert line not in Path("/etc/apparmor.d/local/usr.sbin.kea-dhcp4").read_text()
        assert line in Path("/etc/apparmor.d/local/usr.sbin.kea-dhcp6").read_text()
    machine.configure(socket=SOCKET)
    start(6)
    sh("apt-get remove -q -y kea-hook-runscript")
    assert sh("systemctl is-active kea-dhcp6-server").strip() == "active", "a Kea that runs goes on"
    sh("systemctl reload apparmor")
    assert fails("grep -qs kea-hook-runscript /etc/apparmor.d/local/*")
    assert sh(f"systemctl is-active {SERVICE}.socket || true").strip() != "active", "its services have ended"
    # Not purged.
    sh(f"apt-get install -q -y {PACKAGE}")
    if machine.has_locals():
        sh("grep -q kea-hook-runscript /etc/apparmor.d/local/usr.sbin.kea-dhcp4 /etc/apparmor.d/local/usr.sbin.kea-dhcp6")
    sh("apt-get purge -q -y kea-hook-runscript")
    assert not Path("/var/lib/kea/runscript").exists() and not Path("/var/lib/kea-hook-runscript").exists()
    assert not list(Path("/etc/systemd/system/sockets.target.wants").glob("kea-runscript@*"))
    sh(f"apt-get install -q -y {PACKAGE}")
    sh("systemctl enable --now kea-runscript@prefix-routes.socket")
    start(6)
