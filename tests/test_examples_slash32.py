"""examples/slash32-leases: the routes to leased addresses follow Kea's leases."""

import socket
import subprocess

import pytest

from rig.clients import Dhcpcd
from rig.configs import THREADS
from rig.dhcp4 import Client4
from rig.examples import PROMPT, example, forget_routes, routes
from rig.kea import Kea
from rig.net import Link, ip
from rig.wait import wait_until

FIRST, SECOND, RESERVED = "203.0.113.10", "198.51.100.11", "192.0.2.12"
ONE, TWO, CUSTOMER = "02:00:00:00:00:01", "02:00:00:00:00:02", "02:00:00:00:00:0c"
GATEWAY = "10.0.0.1"

HERE = None, "vs"
SUBNET_MASK, ROUTERS, CLASSLESS_ROUTES, PARAMETER_REQUEST = 1, 3, 121, 55


@pytest.fixture
def link():
    """A server that shares no subnet with its clients."""
    with Link(server4=f"{GATEWAY}/32", client4="169.254.0.2/32") as link:
        yield link


def config(**overrides):
    return example("slash32-leases", "kea-dhcp4.conf", **overrides)


def until_routes(*addresses):
    expected = {address: HERE for address in addresses}
    wait_until(lambda: routes(4) == expected, lambda: f"routes to {addresses or 'nobody'} (there are {routes(4)})")


@pytest.mark.parametrize("threads", [{}, THREADS], ids=["single", "threads"])
def test_a_real_client(link, tmp_path, threads):
    # The way to the server that option 121 shows.
    ip(f"route add {GATEWAY} dev {link.client}\n", link.namespace)
    with Kea(4, config(renew_timer=1, **threads), tmp_path), Dhcpcd(link, 4, tmp_path) as client:
        assert client.wait("BOUND") == FIRST
        # Kea has waited for the script: the route was there before the client's answer.
        assert routes(4) == {FIRST: HERE}
        client.wait("RENEW")
        assert routes(4) == {FIRST: HERE}
        client.release()
        until_routes()


def test_the_route_to_a_client_that_is_gone_ends_with_its_lease(link, tmp_path):
    with Kea(4, config(valid_lifetime=2, **PROMPT), tmp_path), Dhcpcd(link, 4, tmp_path) as client:
        client.wait("BOUND")
        client.process.kill()
        assert routes(4) == {FIRST: HERE}
        until_routes()


def test_a_client_can_talk_to_the_world(link, tmp_path):
    ip("addr add 198.18.0.1/32 dev lo\n")
    with Kea(4, config(), tmp_path), socket.create_server(("198.18.0.1", 7777)) as world:
        client = Client4(link, options=[(PARAMETER_REQUEST, bytes([SUBNET_MASK, ROUTERS, CLASSLESS_ROUTES]))])
        ack = client.dora()
        way = classless_routes(ack.option(CLASSLESS_ROUTES))
        assert ack.option(SUBNET_MASK) == b"\xff" * 4
        assert way == [(f"{GATEWAY}/32", "0.0.0.0"), ("0.0.0.0/0", GATEWAY)]

        ip(f"addr add {ack.yiaddr}/32 dev {link.client}\n", link.namespace)
        for destination, router in way:
            hop = "" if router == "0.0.0.0" else f"via {router}"
            ip(f"route add {destination} {hop} dev {link.client} src {ack.yiaddr}\n", link.namespace)
        with link.inside():
            talk = socket.create_connection(("198.18.0.1", 7777), timeout=5)
        with talk:
            peer, address = world.accept()
            peer.close()
        assert address[0] == FIRST


def classless_routes(data):
    """Option 121 (RFC 3442): width, as many bytes of the destination as it needs, router."""
    routes = []
    while data:
        width, data = data[0], data[1:]
        size = (width + 7) // 8
        destination, router, data = data[:size].ljust(4, b"\0"), data[size:size + 4], data[size + 4:]
        routes.append((f"{socket.inet_ntoa(destination)}/{width}", socket.inet_ntoa(router)))
    return routes


def test_what_is_only_offered_has_no_route(link, tmp_path):
    whole = config()
    whole["hooks-libraries"][0]["parameters"]["replay"] = False
    with Kea(4, whole, tmp_path):
        client = Client4(link)
        offer = client.discover()
        assert (offer.yiaddr, routes(4)) == (FIRST, {})
        client.request(offer)
        assert routes(4) == {FIRST: HERE}
        # Kea calls lease4_renew for this one.
        forget_routes(4)
        client.discover()
        assert routes(4) == {}


def test_renew_rebind_reboot(link, tmp_path):
    with Kea(4, config(), tmp_path):
        client = Client4(link)
        client.dora()
        for again in (client.renew, client.rebind, client.reboot):
            again()
            assert routes(4) == {FIRST: HERE}
            # Routes come back after a reboot.
            forget_routes(4)
            again()
            assert routes(4) == {FIRST: HERE}


def test_hook_points_that_the_script_does_not_know_do_nothing(link, tmp_path):
    whole = config()
    del whole["hooks-libraries"][0]["parameters"]["hook-points"]
    with Kea(4, whole, tmp_path) as kea:
        client = Client4(link)
        client.dora()
        client.renew()
        assert routes(4) == {}
        assert "RUNSCRIPT_ERROR_OUTPUT" not in kea.log()


def test_a_neighbour_keeps_its_route(link, tmp_path):
    with Kea(4, config(), tmp_path):
        one, two = Client4(link, ONE), Client4(link, TWO)
        one.dora()
        two.dora()
        assert routes(4) == {FIRST: HERE, SECOND: HERE}
        one.release()
        until_routes(SECOND)
        # Not even if it is wished away.
        one.address = two.address
        one.release()
        one.dora()
        assert routes(4) == {FIRST: HERE, SECOND: HERE}


def test_a_declined_address_has_no_route(link, tmp_path):
    with Kea(4, config(), tmp_path):
        client = Client4(link)
        client.dora()
        client.decline()
        until_routes()
        assert client.dora().yiaddr == SECOND
        assert routes(4) == {SECOND: HERE}


def test_a_client_is_given_another_address(link, tmp_path):
    with Kea(4, config(), tmp_path) as kea:
        client = Client4(link, CUSTOMER)
        assert client.dora().yiaddr == RESERVED
        whole = config()
        subnets = whole["shared-networks"][0]["subnet4"]
        subnets[2]["reservations"] = []
        subnets[1]["reservations"] = [{"hw-address": CUSTOMER, "ip-address": SECOND}]
        kea.configure(whole)
        kea.reload()
        assert client.dora().yiaddr == SECOND
        assert routes(4) == {SECOND: HERE}


def test_the_next_owner_of_an_address(link, tmp_path):
    whole = config(valid_lifetime=1, expired_leases_processing={"reclaim-timer-wait-time": 0})
    del whole["shared-networks"][0]["subnet4"][1:]
    with Kea(4, whole, tmp_path) as kea:
        Client4(link, ONE).dora()
        other = Client4(link, TWO)
        wait_until(lambda: answered(other), f"{FIRST} for the next")
        assert routes(4) == {FIRST: HERE}
        assert "RUNSCRIPT_ERROR_OUTPUT" not in kea.log()


def answered(client):
    try:
        return client.dora(timeout=0.2)
    except AssertionError:
        return None


def test_routes_of_others_stay(link, tmp_path):
    ip(f"route add {FIRST} dev lo\nroute add {FIRST} dev {link.server} metric 2067 proto static table 7\n")
    before = others()
    with Kea(4, config(), tmp_path):
        client = Client4(link)
        client.dora()
        assert (routes(4), others()) == ({FIRST: HERE}, before)
        client.release()
        until_routes()
        assert others() == before


def others():
    """All routes but our own, as the kernel shows them."""
    lines = subprocess.run(["ip", "-4", "route", "show", "table", "all"], check=True, capture_output=True, text=True)
    return [line for line in lines.stdout.splitlines() if "proto 67" not in line]
