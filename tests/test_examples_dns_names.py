"""examples/dns-names: a real name server knows the names of Kea's clients."""

import shutil

import pytest

from rig.dhcp4 import Client4, fqdn
from rig.dhcp6 import CLIENT_FQDN, Client6
from rig.examples import PROMPT, example
from rig.kea import Kea
from rig.named import PORT, Named
from rig.wait import quiet, wait_until

pytestmark = pytest.mark.skipif(not shutil.which("named", path="/usr/sbin") or not shutil.which("nsupdate"),
                                reason="it takes BIND's name server and nsupdate")
ONE, TWO = "02:00:00:00:00:01", "02:00:00:00:00:02"
DUID = b"\0\3\0\1\2\0\0\0\0\1"


@pytest.fixture
def dns(link, tmp_path):
    with Named(tmp_path) as named:
        yield named


@pytest.fixture
def serve(tmp_path, dns):
    def kea(family, **config):
        arguments = ["--domain", "example.org", "--key", dns.key, "--port", PORT]
        whole = example("dns-names", f"kea-dhcp{family}.conf", args=arguments, **config)
        return Kea(family, whole, tmp_path / str(family))
    return kea


def client6(link, name, mac=ONE, **how):
    client = Client6(link, mac, **how)
    rename6(client, name)
    return client


def rename6(client, name):
    client.options = [*(option for option in client.options if option[0] != CLIENT_FQDN),
                      (CLIENT_FQDN, b"\1" + b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0")]


def client4(link, name, mac=ONE, **how):
    return Client4(link, mac, options=[fqdn(name)], **how)


def test_a_name_from_its_first_day_to_its_last(link, dns, serve):
    with serve(4) as kea:
        client = client4(link, "one.example.org")
        address = client.dora().yiaddr
        quiet(kea)
        assert (dns.ask("one.example.org", "A"), dns.name_of(address)) == ([address], ["one.example.org."])
        client.renew()
        quiet(kea)
        assert dns.ask("one.example.org", "A") == [address]
        client.options = [fqdn("other.example.org")]
        client.renew()
        quiet(kea)
        assert (dns.ask("one.example.org", "ANY"), dns.ask("other.example.org", "A")) == ([], [address])
        assert dns.name_of(address) == ["other.example.org."]
        client.release()
        wait_until(lambda: dns.ask("other.example.org", "ANY") == [] == dns.name_of(address), "the end of the name")


def test_ipv6(link, dns, serve):
    with serve(6) as kea, client6(link, "six.example.org") as client:
        [address] = client.sarr().leases
        quiet(kea)
        assert (dns.ask("six.example.org", "AAAA"), dns.name_of(address)) == ([address], ["six.example.org."])
        rename6(client, "seven.example.org")
        client.renew()
        quiet(kea)
        assert (dns.ask("six.example.org", "ANY"), dns.ask("seven.example.org", "AAAA")) == ([], [address])
        client.decline()
        wait_until(lambda: dns.ask("seven.example.org", "ANY") == [] == dns.name_of(address), "the end of the name")


def test_a_client_of_both_families(link, dns, serve):
    """It says by its client identifier that it is the same (RFC 4361)."""
    with serve(4) as four, serve(6) as six, client6(link, "both.example.org", duid=DUID) as client:
        [address6] = client.sarr().leases
        one = Client4(link, ONE, client_id=b"\xff\0\0\0\1" + DUID, options=[fqdn("both.example.org")])
        address4 = one.dora().yiaddr
        quiet(four)
        quiet(six)
        assert (dns.ask("both.example.org", "A"), dns.ask("both.example.org", "AAAA")) == ([address4], [address6])
        client.release()
        quiet(six)
        assert (dns.ask("both.example.org", "A"), dns.ask("both.example.org", "AAAA")) == ([address4], [])
        one.release()
        wait_until(lambda: dns.ask("both.example.org", "ANY") == [], "the end of the name")


@pytest.mark.parametrize("name", ["same.example.org", "printer.example.org"])
def test_a_name_that_is_anothers(link, dns, serve, name):
    """Another client's, or one that somebody has entered by hand."""
    with serve(4) as kea:
        first = client4(link, name, ONE).dora().yiaddr
        quiet(kea)
        [owner] = dns.ask(name, "A")
        assert owner == (first if name.startswith("same") else "192.0.2.250")
        thief = client4(link, name, TWO)
        address = thief.dora().yiaddr
        quiet(kea)
        kea.wait_log(f"{name}. is another's: {address} has no name")
        thief.release()
        quiet(kea)
        assert (dns.ask(name, "A"), dns.name_of(address)) == ([owner], [])


def test_the_end_of_a_client_that_says_nothing(link, dns, serve):
    with serve(4, valid_lifetime=2, **PROMPT) as kea:
        address = client4(link, "silent.example.org").dora().yiaddr
        wait_until(lambda: dns.ask("silent.example.org", "A") == [address], "the name")
        wait_until(lambda: dns.ask("silent.example.org", "ANY") == [] == dns.name_of(address), "the end of the name")
        assert kea.status()["failures"] == 0


def test_a_name_server_that_comes_later(link, tmp_path, serve, dns):
    with serve(4) as kea:
        dns.__exit__()
        address = client4(link, "late.example.org").dora().yiaddr
        wait_until(lambda: kea.status()["deferred"] > 0, "another try")
        dns.__enter__()
        wait_until(lambda: dns.ask("late.example.org", "A") == [address], "the name", 60)
        quiet(kea)


def test_a_name_server_that_has_forgotten(link, dns, serve):
    with serve(4) as kea:
        address = client4(link, "lost.example.org").dora().yiaddr
        quiet(kea)
    dns.forget("lost.example.org")
    assert dns.ask("lost.example.org", "ANY") == []
    with kea:
        wait_until(lambda: dns.ask("lost.example.org", "A") == [address], "the name")
        # What is begun goes on without Kea, at the name server of the next test.
        quiet(kea)


# Kea takes characters out, and the script takes no other name than one label in its domain.
@pytest.mark.parametrize("name, becomes", [("a b", "ab"), ("$(reboot)", "reboot"), ("x;y", "xy"), ("ünder", "nder"), ("-x", None),
                                           ("x" * 64, None), ("..", None), ("other.example.net", None), ("*", None)])
def test_names_that_are_none(link, dns, serve, name, becomes):
    with serve(4) as kea:
        address = Client4(link, ONE, hostname=name).dora().yiaddr
        quiet(kea)
        assert dns.name_of(address) == ([f"{becomes}.example.org."] if becomes else [])
        assert kea.status()["failures"] == 0
