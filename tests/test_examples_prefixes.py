"""examples/ipv6-prefix-delegation: the routes to delegated prefixes follow Kea's leases."""

import re
import shutil
import subprocess

import pytest

from rig.clients import Dhclient, Dhcpcd, perfdhcp
from rig.configs import THREADS
from rig.dhcp6 import SERVER_PORT, Client6, Port6, Relay6, link_local
from rig.examples import PROMPT, allowed, example, forget_routes, routes
from rig.kea import HOOK, Kea
from rig.net import ip
from rig.others import together
from rig.wait import quiet, wait_until

FIRST, SECOND, OTHER = "2001:db8:8000::/56", "2001:db8:8000:100::/56", "2001:db8:8fff::/56"
ONE, TWO = "02:00:00:00:00:01", "02:00:00:00:00:02"


def config(**overrides):
    return example("ipv6-prefix-delegation", "kea-dhcp6.conf", **overrides)


def reserved(prefix, mac, **overrides):
    """The configuration with a prefix reserved for a client."""
    whole = config(**overrides)
    whole["subnet6"][0]["reservations"] = [{"hw-address": mac, "prefixes": [prefix]}]
    return whole


def customer(link, mac=ONE, pd=(1,), **how):
    """A client that asks for a prefix, and for nothing else."""
    return Client6(link, mac, na=(), pd=pd, **how)


def via(mac):
    return link_local(mac), "vs"


def until_routes(expected):
    wait_until(lambda: routes(6) == expected, lambda: f"the routes {expected} (there are {routes(6)})")


@pytest.mark.parametrize("threads", [{}, THREADS], ids=["single", "threads"])
def test_a_real_client_from_its_first_day_to_its_last(link, tmp_path, threads):
    client = Dhcpcd(link, 6, tmp_path, prefix=True)
    with Kea(6, config(renew_timer=1, **threads), tmp_path):
        with client:
            given = client.wait("BOUND6")
            # Kea has waited for the script: the route was there before the client's answer.
            assert routes(6) == {given: via(link.client_mac)}
            client.wait("RENEW6", given)
            assert routes(6) == {given: via(link.client_mac)}

        # The client comes back with another interface, and so with another link-local address. It rebinds.
        ip(f"addr flush dev {link.client} scope link\naddr add fe80::7777/64 dev {link.client} nodad\n", link.namespace)
        with client:
            client.wait("REBIND6", given)
            assert routes(6) == {given: ("fe80::7777", "vs")}
            client.release()
            until_routes({})


@pytest.mark.skipif(not shutil.which("dhclient"), reason="Debian 14 has no dhclient")
def test_isc_s_client_from_its_first_day_to_its_last(link, tmp_path):
    client = Dhclient(link, tmp_path)
    with Kea(6, config(renew_timer=1), tmp_path):
        with client:
            given = client.wait("BOUND6")
            assert routes(6) == {given: via(link.client_mac)}
            client.wait("RENEW6")
            assert routes(6) == {given: via(link.client_mac)}
            client.release()
            until_routes({})


def test_the_route_to_a_client_that_is_gone_ends_with_its_lease(link, tmp_path):
    with Kea(6, config(valid_lifetime=3, preferred_lifetime=2, **PROMPT), tmp_path):
        with Dhcpcd(link, 6, tmp_path, prefix=True) as client:
            given = client.wait("BOUND6")
            client.process.kill()
            assert routes(6) == {given: via(link.client_mac)}
            until_routes({})


def test_a_real_client_is_given_another_prefix(link, tmp_path):
    with Kea(6, config(renew_timer=1), tmp_path) as kea, Dhcpcd(link, 6, tmp_path, prefix=True) as client:
        client.wait("BOUND6")
        kea.configure(reserved(OTHER, link.client_mac, renew_timer=1))
        kea.reload()
        client.wait("RENEW6", OTHER)
        assert routes(6) == {OTHER: via(link.client_mac)}


def test_what_is_only_offered_has_no_route(link, tmp_path):
    with Kea(6, config(), tmp_path), customer(link) as client:
        advertise = client.solicit()
        assert (advertise.leases, routes(6)) == ([FIRST], {})
        client.request(advertise)
        assert routes(6) == {FIRST: via(ONE)}


def test_hook_points_that_the_script_does_not_know_do_nothing(link, tmp_path):
    whole = config()
    del whole["hooks-libraries"][0]["parameters"]["hook-points"]
    with Kea(6, whole, tmp_path) as kea, customer(link) as client:
        client.sarr()
        client.renew()
        client.release()
        assert routes(6) == {}
        assert "RUNSCRIPT_ERROR_OUTPUT" not in kea.log()


def test_rapid_commit(link, tmp_path):
    whole = config()
    whole["subnet6"][0]["rapid-commit"] = True
    with Kea(6, whole, tmp_path), customer(link) as client:
        client.solicit(rapid_commit=True)
        assert routes(6) == {FIRST: via(ONE)}


def test_several_prefixes_and_an_address(link, tmp_path):
    with Kea(6, config(), tmp_path), Client6(link, ONE, na=[1], pd=[2, 3]) as client:
        client.sarr()
        assert len(client.leases) == 3
        assert routes(6) == {FIRST: via(ONE), SECOND: via(ONE)}
        client.rebind()
        assert routes(6) == {FIRST: via(ONE), SECOND: via(ONE)}
        client.decline()
        assert routes(6) == {FIRST: via(ONE), SECOND: via(ONE)}
        client.release()
        assert routes(6) == {}


def test_a_neighbour_keeps_its_route(link, tmp_path):
    with Kea(6, config(), tmp_path), customer(link, ONE) as one, customer(link, TWO) as two:
        one.sarr()
        two.sarr()
        one.release()
        assert routes(6) == {SECOND: via(TWO)}
        # Not even if it is wished away.
        one.ias = two.ias
        one.release()
        one.renew()
        assert routes(6)[SECOND] == via(TWO)


def test_the_next_owner_of_a_prefix(link, tmp_path):
    whole = config(valid_lifetime=1, preferred_lifetime=1, expired_leases_processing={"reclaim-timer-wait-time": 0})
    whole["subnet6"][0]["pd-pools"][0]["prefix-len"] = 56
    with Kea(6, whole, tmp_path) as kea, customer(link, ONE) as one, customer(link, TWO) as two:
        one.sarr()
        # Kea tells of the first owner's end in the midst of the second one's beginning.
        wait_until(lambda: two.sarr().leases == [FIRST], f"{FIRST} for the next")
        assert routes(6) == {FIRST: via(TWO)}
        assert "RUNSCRIPT_ERROR_OUTPUT" not in kea.log()


@pytest.mark.alone
def test_a_crowd(link, tmp_path):
    with Kea(6, config(args=["2001:db8::2"], **THREADS), tmp_path) as kea:
        def leases():
            return set(re.findall("DHCP6_PD_LEASE_ALLOC .* for prefix ([0-9a-f:]+/56)", kea.log()))

        def are_many():
            """A busy machine drops packets, and other clients come the next time."""
            perfdhcp(link, 6, "-e", "prefix-only", "-r", 50, "-n", 100, "-R", 100)
            return len(leases()) >= 90
        wait_until(are_many, "90 prefixes", 60)
        # perfdhcp leaves while the last packets are on their way.
        wait_until(lambda: set(routes(6)) == leases() and kea.status()["pending"] == 0, "a route to each prefix")


def test_a_relayed_client_is_reached_via_the_relay_next_to_us(link, tmp_path):
    relays = [Relay6("2001:db8::1", "fe80::aaaa", hops=1), Relay6("2001:db8::1", "fe80::bbbb")]
    with Kea(6, config(), tmp_path):
        with customer(link, ONE, relays=relays) as client:
            client.sarr()
            assert routes(6) == {FIRST: via(ONE)}
        # The same client behind another relay.
        with customer(link, TWO, duid=client.duid, relays=relays[1:]) as moved:
            moved.ias, moved.server_id = client.ias, client.server_id
            moved.renew()
            assert routes(6) == {FIRST: via(TWO)}
            moved.release()
            assert routes(6) == {}


def test_a_relay_elsewhere_has_no_route_and_is_complained_of(link, tmp_path):
    with Kea(6, config(args=["2001:db8::2"]), tmp_path) as kea, \
            customer(link, relays=[Relay6("2001:db8::1", "fe80::bbbb")]) as client:
        # On our link, with a global address that the arguments name.
        speak_from(client, link, "2001:db8::2")
        client.sarr()
        assert routes(6) == {FIRST: ("2001:db8::2", "vs")}
        client.release()
        # Behind a router.
        ip(f"route add 2001:db8:77::/64 via 2001:db8::2 dev {link.server}\n")
        speak_from(client, link, "2001:db8:77::9")
        assert client.sarr().leases == [FIRST]
        assert routes(6) == {}
        kea.wait_log(f"RUNSCRIPT_ERROR_OUTPUT .* no route to {FIRST} via 2001:db8:77::9")


def speak_from(relay, link, address):
    """Gives the relay this address."""
    relay.port.close()
    relay.port = Port6(link, address, SERVER_PORT)


# Kea 2.2.0 to 3.0.4 forget these leases and call no hook point of their own that says so.
@pytest.mark.parametrize("prefix, owner, again", [(OTHER, ONE, Client6.sarr), (FIRST, TWO, Client6.renew)],
                         ids=["solicit", "reserved-for-another"])
def test_a_prefix_that_kea_takes_away_in_silence(link, tmp_path, prefix, owner, again):
    with Kea(6, config(), tmp_path) as kea, customer(link) as client:
        client.sarr()
        kea.configure(reserved(prefix, owner))
        kea.reload()
        given = again(client).leases[0]
        assert given != FIRST
        until_routes({given: via(ONE)})


@pytest.mark.parametrize("again", [Client6.renew, Client6.rebind, Client6.sarr], ids=["renew", "rebind", "solicit"])
def test_a_subnet_that_is_renumbered(link, tmp_path, again):
    """The prefixes that clients have are in no pool any more."""
    new = "2001:db8:9000::"
    with Kea(6, config(), tmp_path) as kea, customer(link) as client:
        client.sarr()
        assert routes(6) == {FIRST: via(ONE)}
        whole = config()
        whole["subnet6"][0]["pd-pools"][0]["prefix"] = new
        kea.configure(whole)
        kea.reload()
        again(client)
        if again != Client6.sarr:
            # What Kea says to a client with such a prefix: it is over. The client asks for another.
            client.sarr()
        until_routes({f"{new}/56": via(ONE)})


def test_routes_of_others_stay(link, tmp_path):
    ip(f"route add {FIRST} via fe80::99 dev {link.server}\n"
       f"route add {FIRST} via fe80::98 dev {link.server} metric 2067 proto static table 7\n")
    before = others()
    with Kea(6, config(), tmp_path), customer(link) as client:
        client.sarr()
        assert (routes(6), others()) == ({FIRST: via(ONE)}, before)
        client.release()
        assert (routes(6), others()) == ({}, before)


def others():
    """All routes but our own, as the kernel shows them."""
    lines = subprocess.run(["ip", "-6", "route", "show", "table", "all"], check=True, capture_output=True, text=True)
    return [line for line in lines.stdout.splitlines() if "proto 67" not in line]


@pytest.mark.parametrize("cache", [{}, {"cache_threshold": 0.5}], ids=["no-cache", "cache"])
def test_routes_come_back_after_a_reboot(link, tmp_path, cache):
    with Kea(6, config(**cache), tmp_path) as kea, customer(link) as client:
        client.sarr()
        kea.kill()
        forget_routes(6)
        kea.start()
        # No client has said a word.
        until_routes({FIRST: via(ONE)})
        # Those that come back are one more way, also where Kea gives what it has in its cache.
        for again in (client.renew, client.rebind, client.sarr):
            forget_routes(6)
            again()
            assert routes(6) == {FIRST: via(ONE)}


def test_routes_from_before_lease_events_stay(link, tmp_path):
    """Until the client renews, and tells where it is."""
    with Kea(6, config(), tmp_path) as kea, customer(link) as client:
        client.sarr()
        kea.wait_log("RUNSCRIPT_REPLAYED")
        quiet(kea)
        kea.kill()
        forget_routes(6)
        already = len(kea.log())
        kea.lease_file.write_text(re.sub(r'\{ ?"runscript[^}]*\}', "", kea.lease_file.read_text()))
        ip(f"route add {FIRST} via fe80::42 dev {link.server} proto 67 metric 2067 expires 1000\n")
        kea.start()
        kea.wait_log("RUNSCRIPT_REPLAYED", since=already)
        quiet(kea)
        assert routes(6) == {FIRST: ("fe80::42", "vs")}
        client.renew()
        assert routes(6) == {FIRST: via(ONE)}


def test_routes_of_what_has_ended_meanwhile_go(link, tmp_path):
    """While Kea was down."""
    with Kea(6, config(), tmp_path) as kea, customer(link, ONE) as one, customer(link, TWO) as two:
        one.sarr()
        two.sarr()
        until_routes({FIRST: via(ONE), SECOND: via(TWO)})
        kea.kill()
        lines = kea.lease_file.read_text().splitlines(keepends=True)
        kea.lease_file.write_text("".join(line for line in lines if not line.startswith(FIRST.partition("/")[0] + ",")))
        kea.start()
        until_routes({SECOND: via(TWO)})


@pytest.mark.parametrize("command", ["lease6-del", "lease6-wipe"])
def test_leases_that_a_command_deletes(link, tmp_path, command):
    hooks, whole = together(tmp_path), config()
    [ours] = whole["hooks-libraries"]
    ours["library"] = f"{hooks}/{HOOK.name}"
    whole["hooks-libraries"] = [ours, {"library": f"{hooks}/libdhcp_lease_cmds.so"}]
    arguments = {"lease6-del": {"ip-address": FIRST.partition("/")[0], "type": "IA_PD"}, "lease6-wipe": {"subnet-id": 1}}
    with Kea(6, whole, tmp_path, environment={"KEA_HOOKS_PATH": str(hooks)}) as kea, customer(link) as client:
        client.sarr()
        assert routes(6) == {FIRST: via(ONE)}
        assert kea.command(command, arguments[command])["result"] == 0
        until_routes({})


@pytest.mark.parametrize("right", ["net_admin", "net_raw"])
def test_a_server_that_is_not_root_needs_the_right_to_change_routes(link, tmp_path, monkeypatch, right):
    monkeypatch.setenv("KEA_DHCP6", allowed("kea-dhcp6", tmp_path, "net_bind_service", right))
    with Kea(6, config(), tmp_path) as kea, customer(link) as client:
        client.sarr()
        if right == "net_admin":
            assert routes(6) == {FIRST: via(ONE)}
        else:
            kea.wait_log("RUNSCRIPT_ERROR_OUTPUT .* Operation not permitted")
