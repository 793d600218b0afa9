"""`lease4_changed` and `lease6_changed`: one event for what a packet does to a lease, and for its end."""

import json
import time

import pytest

from rig.configs import THREADS
from rig.dhcp4 import fqdn
from rig.dhcp6 import CLIENT_FQDN, Client6, Relay6, link_local
from rig.lease_events import PROMPT, Customer, Listening, texts
from rig.recorder import Recorder
from rig.since import since
from rig.wait import wait_until

FAMILIES = pytest.mark.parametrize("family", [4, 6])
BOTH = pytest.mark.parametrize("threads", [{}, THREADS], ids=["single", "threads"])
FIRST = {4: "192.0.2.10", 6: "2001:db8::1000"}
OTHER = {4: "192.0.2.77", 6: "2001:db8::1999"}


def reservation(family, address, **whose):
    key = {4: "ip-address", 6: "ip-addresses"}[family]
    return {"reservations": [{**whose, key: address if family == 4 else [address]}]}


@BOTH
@FAMILIES
def test_from_a_leases_first_day_to_its_last(link, tmp_path, recorder, family, threads):
    with Listening(family, tmp_path, recorder, **threads) as kea, Customer(link, family) as client:
        client.ask()
        address = client.get()
        client.renew()
        client.release()
        wait_until(lambda: len(recorder.calls()) >= 3, "the release")
        assert texts(kea.told()) == [f"add {address}", f"renew {address}", f"del:released {address}"]


@FAMILIES
def test_a_lease_that_is_kept_for_its_client(link, tmp_path, recorder, family):
    """Kea keeps a released lease for a while: its end is no second end."""
    keeps = {"expired-leases-processing": {"reclaim-timer-wait-time": 1, "hold-reclaimed-time": 3600}}
    with Listening(family, tmp_path, recorder, also=[f"lease{family}_expire"], **keeps) as kea, \
            Customer(link, family) as client:
        address = client.get()
        client.release()
        recorder.wait(2)
        again = client.get()
        assert texts(kea.told()) == [f"add {address}", f"del:released {address}", f"add {again}"]


@FAMILIES
def test_the_end_of_a_client_that_says_nothing(link, tmp_path, recorder, family):
    with Listening(family, tmp_path, recorder, **PROMPT, **short(family)) as kea, Customer(link, family) as client:
        address = client.get()
        recorder.wait(2)
        events = kea.told()
        assert texts(events) == [f"add {address}", f"del:expired {address}"]
        assert events[1]["KEA_INTERFACE"] == "vs"
        assert f"KEA_QUERY{family}_TYPE" not in events[1].call.env


def short(family):
    return {"valid-lifetime": 1} if family == 4 else {"valid-lifetime": 1, "preferred-lifetime": 1}


@FAMILIES
def test_a_client_that_comes_back_too_late(link, tmp_path, recorder, family):
    never = {"expired-leases-processing": {"reclaim-timer-wait-time": 0}}
    with Listening(family, tmp_path, recorder, **never, **short(family)) as kea, Customer(link, family) as client:
        address, over = client.get(), time.time() + 2.1
        wait_until(lambda: time.time() > over, "the end of the lease")
        client.renew()
        assert texts(kea.told()) == [f"add {address}", f"del:expired {address}", f"add {address}"]


@FAMILIES
def test_an_address_that_is_declined(link, tmp_path, recorder, family):
    probation = {"decline-probation-period": 1, **PROMPT}
    with Listening(family, tmp_path, recorder, also=[f"lease{family}_recover"], **probation) as kea, \
            Customer(link, family) as client:
        address = client.get()
        client.decline()
        recorder.wait(1, f"lease{family}_recover")
        assert texts(kea.told()) == [f"add {address}", f"del:declined {address}"]


@FAMILIES
def test_another_reservation_and_a_renewal(link, tmp_path, recorder, family):
    with Listening(family, tmp_path, recorder) as kea, Customer(link, family, "02:00:00:00:00:01") as client:
        before = client.get()
        kea.changed(reservation(family, OTHER[family], **{"hw-address": "02:00:00:00:00:01"}))
        if family == 4:
            # A NAK sends the client back to where it began.
            client.get()
        else:
            client.renew()
        # What is undone comes before what is done in its place.
        assert texts(kea.told())[-2:] == [f"del:replaced {before}", f"add {OTHER[family]}"]
        assert kea.told()[-1]["KEA_IS_RESERVED"] == "1" and kea.told()[0]["KEA_IS_RESERVED"] == "0"


def test_another_reservation_and_a_solicit(link, tmp_path, recorder):
    """Kea deletes the old lease before the client has the new one, and tells nobody."""
    with Listening(6, tmp_path, recorder) as kea, Customer(link, 6) as client:
        before = client.get()
        kea.changed(reservation(6, OTHER[6], duid=client.client.duid.hex(":")))
        client.ask()
        assert texts(kea.told())[-1] == f"del:reclaimed {before}"
        assert client.get() == OTHER[6]
        assert texts(kea.told())[-2:] == [f"del:reclaimed {before}", f"add {OTHER[6]}"]


@pytest.mark.parametrize("how", ["solicit", "renew", "rebind"])
def test_a_prefix_that_is_reserved_for_another_now(link, tmp_path, recorder, how):
    with Listening(6, tmp_path, recorder) as kea, Client6(link, na=[], pd=[1]) as client:
        [before] = client.sarr().leases
        kea.changed({"reservations": [{"duid": "00:03:00:01:02:00:00:00:00:99", "prefixes": [before]}]})
        getattr(client, how)()
        events = [text for text in texts(kea.told()) if before in text and not text.startswith("replay")]
        assert events == [f"add {before}", f"del:reclaimed {before}"]


@pytest.mark.parametrize("how", ["renew", "rebind"])
def test_an_address_outside_of_all_pools_now(link, tmp_path, recorder, how):
    """Kea deletes the lease, and lists it as if it had been renewed."""
    with Listening(6, tmp_path, recorder) as kea, Client6(link) as client:
        [before] = client.sarr().leases
        kea.changed({"pools": [{"pool": "2001:db8::2000-2001:db8::2fff"}]})
        getattr(client, how)()
        events = [text for text in texts(kea.told()) if before in text]
        assert events == [f"add {before}", f"del:reclaimed {before}"]
        there = {lease["ip-address"] for lease in kea.done("lease6-get-all")["leases"] if lease["valid-lft"]}
        assert there == {text.split()[1] for text in texts(kea.told()) if text.startswith("add")} - {before}


@FAMILIES
def test_what_the_lease_was_before(link, tmp_path, recorder, family):
    names = {4: lambda name: fqdn(name), 6: lambda name: (CLIENT_FQDN, b"\1" + name_bytes(name))}[family]
    updates = {"ddns-send-updates": False} if family == 4 else {"ddns-send-updates": True}
    with Listening(family, tmp_path, recorder, **updates) as kea, Customer(link, family) as client:
        client.client.options.append(names("old.example.org"))
        client.get()
        client.client.options[-1] = names("new.example.org")
        client.renew()
        added, renewed = kea.told()
        assert added[f"KEA_LEASE{family}_HOSTNAME"].rstrip(".") == "old.example.org"
        assert f"KEA_OLD_LEASE{family}_HOSTNAME" not in added.call.env
        assert renewed[f"KEA_LEASE{family}_HOSTNAME"].rstrip(".") == "new.example.org"
        assert renewed[f"KEA_OLD_LEASE{family}_HOSTNAME"].rstrip(".") == "old.example.org"


def name_bytes(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


@FAMILIES
def test_a_lease_that_is_given_once_more_from_keas_cache(link, tmp_path, recorder, family):
    with Listening(family, tmp_path, recorder, **{"cache-threshold": 0.5}) as kea, Customer(link, family) as client:
        address = client.get()
        before = kea.lease_file.read_text()
        client.renew()
        client.get()
        assert texts(kea.told()) == [f"add {address}", f"reused {address}", f"reused {address}"]
        assert kea.lease_file.read_text() == before


def test_a_prefix_beside_an_address(link, tmp_path, recorder):
    parameters = {"other_leases": True}
    with Listening(6, tmp_path, recorder, parameters=parameters) as kea, Client6(link, na=[1], pd=[2]) as client:
        address, prefix = client.sarr().leases
        events = kea.told()
        assert texts(events) == [f"add {address}", f"add {prefix}"]
        for event, other in zip(events, (prefix, address), strict=True):
            name = "DELEGATED_PREFIX" if "/" in other else "ADDRESS"
            assert (event["KEA_OTHER_LEASES6_SIZE"], event[f"KEA_OTHER_LEASES6_AT0_{name}"]) == ("1", other)


def test_where_a_client_is(link, tmp_path, recorder):
    with Listening(6, tmp_path, recorder, **PROMPT, **short(6)) as kea, Client6(link) as client:
        [address] = client.sarr().leases
        recorder.wait(2)
        for event in kea.told():
            assert (event["KEA_INTERFACE"], event["KEA_NEXT_HOP"]) == ("vs", link_local(client.mac)), event.text
            assert (event["KEA_RELAY_LINK_ADDRESS"], event["KEA_RELAY_PEER_ADDRESS"]) == ("", "")


def test_where_a_client_behind_relays_is(link, tmp_path, recorder):
    relays = [Relay6("2001:db8::7", "fe80::1", hops=1), Relay6("2001:db8::8", "fe80::2")]
    with Listening(6, tmp_path, recorder, **PROMPT, **short(6)) as kea, Client6(link, relays=relays) as client:
        client.sarr()
        recorder.wait(2)
        for event in kea.told():
            assert (event["KEA_INTERFACE"], event["KEA_NEXT_HOP"]) == ("vs", link_local(client.mac)), event.text
            assert (event["KEA_RELAY_LINK_ADDRESS"], event["KEA_RELAY_PEER_ADDRESS"]) == ("2001:db8::8", "fe80::2")


def test_where_a_dhcpv4_client_behind_a_relay_is(link, tmp_path, recorder):
    with Listening(4, tmp_path, recorder) as kea, Customer(link, 4, relay="192.0.2.9") as client:
        client.get()
        [event] = kea.told()
        assert (event["KEA_INTERFACE"], event["KEA_NEXT_HOP"]) == ("vs", "192.0.2.9")


@pytest.mark.parametrize("how", ["sarr", "renew", "rebind"])
def test_another_link_local_address(link, tmp_path, recorder, how):
    """Also where the client asks anew for what it has, of which Kea tells only when the lease is written."""
    with Listening(6, tmp_path, recorder, **PROMPT, **{"valid-lifetime": 3, "preferred-lifetime": 2}) as kea, \
            Client6(link) as client:
        client.sarr()
        with Client6(link, duid=client.duid, address="fe80::7777") as moved:
            moved.ias, moved.server_id = client.ias, client.server_id
            getattr(moved, how)()
        recorder.wait(3)
        assert [event["KEA_NEXT_HOP"] for event in kea.told()] == [link_local(client.mac), "fe80::7777", "fe80::7777"]
        assert texts(kea.told())[-1].startswith("del:expired")


def test_what_others_keep_with_a_lease_stays(link, tmp_path, recorder):
    extended = {"store-extended-info": True}
    relays = [Relay6("2001:db8::7", "fe80::1")]
    with Listening(6, tmp_path, recorder, **extended) as kea, Client6(link, relays=relays) as client:
        [address] = client.sarr().leases
        kept = context(kea, address)
        assert kept.keys() == {"ISC", "runscript"}
        lease = {"ip-address": address, "duid": client.duid.hex(":"), "iaid": 1, "subnet-id": 1}
        kea.done("lease6-update", {**lease, "user-context": {"owner": "me"}})
        # A command that says nothing of it does not take it away.
        assert context(kea, address) == {"owner": "me", "runscript": kept["runscript"]}
        client.renew()
        assert context(kea, address)["owner"] == "me"


def context(kea, address):
    return kea.done("lease6-get", {"ip-address": address})["user-context"]


@pytest.mark.parametrize("text", ["", "vs", "vs nonsense", "v\\u0000s fe80::1", "../../etc fe80::1", "vs fe80::1 x y",
                                  "vs fe80::1 fe80::1", "vs fe80::1 fe80::1 fe80::1 more", "x" * 10000, "$(id) fe80::1;id"])
def test_what_is_kept_with_a_lease_may_be_anybodys(link, tmp_path, recorder, text):
    lease = {"ip-address": "2001:db8::1777", "duid": "00:03:00:01:02:00:00:00:00:77", "iaid": 1, "subnet-id": 1}
    with Listening(6, tmp_path, recorder) as kea:
        kea.done("lease6-add", {**lease, "user-context": {"runscript": text}})
        [event] = kea.told()
        assert (event["KEA_ACTION"], event["KEA_INTERFACE"], event["KEA_NEXT_HOP"]) == ("add", "", "")


@FAMILIES
def test_the_subnet(link, tmp_path, recorder, family):
    option = {4: [{"name": "domain-name", "data": "sub.example.org"}],
              6: [{"name": "domain-search", "data": "sub.example.org, example.net"}]}[family]
    servers = {4: {"name": "domain-name-servers", "data": "192.0.2.53, 192.0.2.54"},
               6: {"name": "dns-servers", "data": "2001:db8::53, 2001:db8::54"}}[family]
    with Listening(family, tmp_path, recorder, **{"option-data": [servers]}) as kea:
        kea.changed({"option-data": option, "user-context": {"site": "Office"}, "ddns-qualifying-suffix": "dyn.example.org"})
        with Customer(link, family) as client:
            client.get()
        [event] = [event for event in kea.told() if event.text.startswith("add")]
        subnet = {name.removeprefix(f"KEA_SUBNET{family}_"): value for name, value in event.call.env.items()
                  if name.startswith(f"KEA_SUBNET{family}_")}
        assert json.loads(subnet.pop("USER_CONTEXT")) == {"site": "Office"}
        assert subnet == {
            "ID": "1", "PREFIX": {4: "192.0.2.0", 6: "2001:db8::"}[family], "PREFIXLEN": {4: "24", 6: "64"}[family],
            "DDNS_SUFFIX": "dyn.example.org", "DOMAIN_NAME": {4: "sub.example.org", 6: "sub.example.org example.net"}[family],
            "DNS_SERVERS": servers["data"].replace(",", "")}


@FAMILIES
def test_kea_waits_for_scripts_with_packets_only(link, tmp_path, family):
    gate = tmp_path / "gate"
    slow = Recorder(tmp_path, then=f"while [ -e {gate} ]; do /bin/sleep 0.05; done; echo done >>$0.done", name="slow")
    done = tmp_path / "slow.done"
    with Listening(family, tmp_path, slow, parameters={"wait": True}) as kea, Customer(link, family) as client:
        address = client.get()
        assert done.read_text() == "done\n"
        gate.touch()
        kea.done(f"lease{family}-del", {"ip-address": address})
        assert done.read_text() == "done\n"
        gate.unlink()
        assert texts(kea.told()) == [f"add {address}", f"del:deleted {address}"]


@FAMILIES
def test_what_kea_has_waited_for_in_vain_is_told_again(link, tmp_path, family):
    """The script is too slow, and stopped: it has not made its route."""
    first = "[ -e $0.slow ] || { /bin/touch $0.slow; exec /bin/sleep 60; }; echo done >>$0.done"
    slow = Recorder(tmp_path, then=first, name="slow")
    with Listening(family, tmp_path, slow, parameters={"wait": True, "timeout": 300}) as kea, \
            Customer(link, family) as client:
        address = client.get()
        kea.wait_log("RUNSCRIPT_EVENT_FAILED .* no end within 300 ms; .*Kea goes on with: continue")
        wait_until((tmp_path / "slow.done").exists, "another try")
        assert texts(kea.told()) == [f"add {address}", f"add {address}"]


@since(2, 6)
def test_an_offer_that_is_stored_is_no_lease(link, tmp_path, recorder):
    with Listening(4, tmp_path, recorder, **{"offer-lifetime": 60}) as kea, Customer(link, 4) as client:
        offer = client.ask()
        assert texts(kea.told()) == []
        client.client.request(offer)
        assert texts(kea.told()) == [f"add {offer.yiaddr}"]


def test_rapid_commit(link, tmp_path, recorder):
    with Listening(6, tmp_path, recorder) as kea, Client6(link) as client:
        [address] = client.solicit(rapid_commit=True).leases
        assert texts(kea.told()) == [f"add {address}"]
