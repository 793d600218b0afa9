"""What an answer's values are worth: in which order they take effect, and what Kea would ignore in them without a word."""

import pytest

from rig.answers import answerer, answering
from rig.configs import SUBNET4, SUBNET6, SUBNETS, THREADS
from rig.dhcp4 import stranger
from rig.dhcp6 import IA_NA, Client6
from rig.kea import Kea, hook, version
from rig.recorder import write_script
from rig.since import since

THREADING = pytest.mark.parametrize("threads", [{}, THREADS], ids=["single", "threads"])
BOOT_FILE, ROUTER_DISCOVERY, VENDOR_OPTIONS, STATIC_ROUTES, OURS = 67, 31, 43, 33, 222
BOOT_FILE_URL, PREFERENCE, DNS_SERVERS, STATUS = 59, 7, 23, 13


def serve(family, tmp_path, answers, **config):
    subnets = SUBNETS[family]
    return Kea(family, {**subnets, **config}, tmp_path, [answerer(tmp_path, answers)])


def nothing_refused(kea):
    assert kea.status()["refused"] == kea.status()["failures"] == 0, kea.said("(?:ANSWER_REFUSED|EVENT_FAILED)")


# The order

def with_known(family, address):
    """A subnet with a second pool, for a class."""
    subnet = SUBNETS[family][f"subnet{family}"][0]
    pools = [*subnet["pools"], {"pool": f"{address}-{address}", "client-class": "known"}]
    return {f"subnet{family}": [{**subnet, "pools": pools}], "client-classes": [{"name": "known"}]}


ADDRESSES = {4: "192.0.2.254", 6: "2001:db8::7"}


def offered(link, family):
    """The address that a client is offered."""
    if family == 4:
        return stranger(link).discover().yiaddr
    with Client6(link) as client:
        return client.solicit().leases[0]


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("order", [1, -1], ids=["class first", "address first"])
@THREADING
def test_an_address_of_a_pool_that_the_same_answer_opens(link, tmp_path, family, order, threads):
    address = ADDRESSES[family]
    answer = dict([("client-classes", ["known"]), ("ip-address", address)][::order])
    with serve(family, tmp_path, {f"lease{family}_select": answer}, **with_known(family, address), **threads) as kea:
        assert offered(link, family) == address
        nothing_refused(kea)


@pytest.mark.parametrize("order, is_given", [(1, True), (-1, False)], ids=["class first", "address first"])
def test_what_the_next_script_opens_comes_too_late(link, tmp_path, order, is_given):
    """Each script's changes stand in the scripts' order."""
    answers = [{"client-classes": ["known"]}, {"ip-address": ADDRESSES[4]}][::order]
    scripts = [{"script": str(answering(tmp_path, {"lease4_select": answer}, f"script{number}")), "answers": True,
                "on-failure": "continue", "hook-points": ["lease4_select"]} for number, answer in enumerate(answers)]
    with Kea(4, {**SUBNET4, **with_known(4, ADDRESSES[4])}, tmp_path, [hook(scripts=scripts)]) as kea:
        assert (offered(link, 4) == ADDRESSES[4]) == is_given
        assert bool(kea.said("ANSWER_REFUSED")) != is_given


# Values with commas between them

# An option, and how many of how many values Kea has room for; the option's code.
TOO_MANY4 = [
    ({"name": "boot-file-name", "data": "pxe/undionly,kpxe"}, 1, 2, BOOT_FILE),
    ({"name": "boot-file-name", "data": "pxe/undionly,"}, 1, 2, BOOT_FILE),
    ({"code": BOOT_FILE, "data": r"a\\,b", "csv-format": True}, 1, 2, BOOT_FILE),
    ({"name": "boot-file-name", "data": "a,,b"}, 1, 3, BOOT_FILE),
    ({"name": "boot-file-name", "data": r"a\b,c"}, 1, 2, BOOT_FILE),
    ({"name": "router-discovery", "data": "true, false"}, 1, 2, ROUTER_DISCOVERY),
    ({"name": "ours", "data": "7, seven, eight"}, 2, 3, OURS),
]
TOO_MANY6 = [
    ({"name": "bootfile-url", "data": "tftp://[2001:db8::1]/a,b"}, 1, 2, BOOT_FILE_URL),
    ({"name": "preference", "data": "7,8"}, 1, 2, PREFERENCE),
    ({"name": "ours", "data": "7, seven, eight"}, 2, 3, OURS),
]
TOO_MANY = [(4, *row) for row in TOO_MANY4] + [(6, *row) for row in TOO_MANY6]
OPTION_DEF = {"option-def": [{"name": "ours", "code": OURS, "type": "record", "record-types": "uint16, string"}]}


def answer_to(link, family):
    if family == 4:
        return stranger(link).dora()
    with Client6(link) as client:
        return client.sarr()


@pytest.mark.parametrize("family, option, room, values, code", TOO_MANY, ids=lambda value: str(value)[:60])
def test_more_values_than_an_option_has_room_for(link, tmp_path, family, option, room, values, code):
    with serve(family, tmp_path, {f"pkt{family}_send": {"option-data": [option]}}, **OPTION_DEF) as kea:
        answer = answer_to(link, family)
        assert answer.option(code) is None
        [line] = kea.said("ANSWER_REFUSED")
        assert f": has room for {room} of these {values} values: " in line
        assert r": write \, for a comma within a value, which is \\, in JSON; " in line


FITTING4 = [
    ({"name": "boot-file-name", "data": r"pxe/undionly\,kpxe"}, BOOT_FILE, b"pxe/undionly,kpxe"),
    ({"name": "boot-file-name", "data": r"a\\\,b"}, BOOT_FILE, rb"a\,b"),
    ({"name": "boot-file-name", "data": "'a,b'", "csv-format": False}, BOOT_FILE, b"a,b"),
    ({"code": 224, "data": "0102"}, 224, b"\1\2"),
    ({"name": "static-routes", "data": "192.0.2.1,192.0.2.2"}, STATIC_ROUTES, bytes([192, 0, 2, 1, 192, 0, 2, 2])),
    ({"name": "ours", "data": r"7, seven\, eight"}, OURS, b"\0\7seven, eight"),
    ({"name": "vendor-encapsulated-options"}, VENDOR_OPTIONS, b""),
]
FITTING6 = [
    ({"name": "bootfile-url", "data": r"tftp://[2001:db8::1]/a\,b"}, BOOT_FILE_URL, b"tftp://[2001:db8::1]/a,b"),
    ({"name": "status-code", "data": r"0, all\, and more"}, STATUS, b"\0\0all, and more"),
    ({"name": "ours", "data": r"7, seven\, eight"}, OURS, b"\0\7seven, eight"),
]
FITTING = [(4, *row) for row in FITTING4] + [(6, *row) for row in FITTING6]


@pytest.mark.parametrize("family, option, code, data", FITTING, ids=lambda value: str(value)[:60])
def test_as_many_values_as_an_option_has_room_for(link, tmp_path, family, option, code, data):
    with serve(family, tmp_path, {f"pkt{family}_send": {"option-data": [option]}}, **OPTION_DEF) as kea:
        answer = answer_to(link, family)
        nothing_refused(kea)
        assert answer.option(code) == data


@pytest.mark.parametrize("file", [b"pxe/undionly,kpxe", rb"a\,b", b"a,,b,"])
def test_commas_in_one_line_of_shell(link, tmp_path, file):
    """As docs/answers.md has it."""
    script = write_script(tmp_path / "script", r"""#!/bin/sh
PATH=/usr/bin:/bin
file=$KEA_QUERY4_OPTION60
escaped=$(printf %s "$file" | sed 's/[,\\]/\\&/g')
exec "$KEA_RUNSCRIPT" answer option-data:boot-file-name="$escaped"
""")
    with Kea(4, SUBNET4, tmp_path, [hook(script, answers=True, hook_points=["pkt4_send"])]) as kea:
        # A variable has two backslashes for one.
        assert stranger(link, options=[(60, file)]).dora().option(BOOT_FILE) == file.replace(b"\\", b"\\\\")
        nothing_refused(kea)


@since(2, 6)
@pytest.mark.parametrize("family, name, code", [(4, "v4-dnr", 162), (6, "v6-dnr", 144)])
def test_an_option_with_a_notation_of_its_own(link, tmp_path, family, name, code):
    address = "192.0.2.1" if family == 4 else "2001:db8::1"
    option = {"name": name, "data": f"100, resolver.example.org., {address}, alpn=dot port=853"}
    with serve(family, tmp_path, {f"pkt{family}_send": {"option-data": [option]}}) as kea:
        assert b"resolver" in answer_to(link, family).option(code)
        nothing_refused(kea)


# Classes that Kea does not know

@pytest.mark.parametrize("family", [4, 6])
@THREADING
def test_a_class_that_is_not_defined_is_spoken_of_once(link, tmp_path, family, threads):
    point = f"pkt{family}_receive"
    names = ["knwon", "known", "HA_other", "VENDOR_CLASS_x", "SKIP_DDNS"]
    subnet = {**SUBNETS[family][f"subnet{family}"][0]}
    # Its pool asks for a class that is defined nowhere, which Kea allows.
    subnet["pools"] = [{**subnet["pools"][0], "client-class": "knwon"}]
    config = {f"subnet{family}": [subnet], "client-classes": [{"name": "known"}], **threads}
    with serve(family, tmp_path, {point: {"client-classes": names}}, **config) as kea:
        line = f'{tmp_path}/answerer at {point}: no client class is called "knwon"; the client is of it all the same'
        for _ in range(2):
            assert offered(link, family)
        assert kea.said("CLASS_UNKNOWN") == [line]
        nothing_refused(kea)
        kea.reload()
        assert offered(link, family)
        assert kea.said("CLASS_UNKNOWN") == [line] * 2


def test_classes_without_end(link, tmp_path):
    """A script makes a name of whatever a client says."""
    script = write_script(tmp_path / "script", """#!/bin/sh
printf '{"client-classes":["%s"]}' "$KEA_QUERY4_HWADDR"
""")
    with Kea(4, SUBNET4, tmp_path, [hook(script, answers=True, hook_points=["pkt4_receive"])]) as kea:
        for _ in range(110):
            stranger(link).discover()
        assert len(kea.said("CLASS_UNKNOWN")) == len(set(kea.said("CLASS_UNKNOWN"))) == 100
        nothing_refused(kea)


# preferred-lft

def lifetimes(message):
    return {(lease.preferred, lease.valid) for ia in message.ias for lease in ia.leases}


def configured(threads):
    config = {"preferred-lifetime": 3000, "valid-lifetime": 4000, **threads}
    return {**config, "cache-threshold": 0.0} if version(6) >= (3, 0) else config


@THREADING
def test_another_preferred_lifetime(link, tmp_path, threads):
    answers = {"lease6_select": {"preferred-lft": 600}, "lease6_renew": {"preferred-lft": 0},
               "lease6_rebind": {"preferred-lft": 7, "valid-lft": 8}}
    with serve(6, tmp_path, answers, **configured(threads)) as kea, Client6(link, pd=[1]) as client:
        advertise = client.solicit()
        reply = client.request(advertise)
        assert lifetimes(advertise) == lifetimes(reply) == {(600, 4000)}
        assert lifetimes(client.renew()) == {(0, 4000)}
        assert lifetimes(client.rebind()) == {(7, 8)}
        # What the lease says: pref_lifetime is the column after subnet_id.
        assert [line.split(",")[5] for line in kea.lease_file.read_text().splitlines()[-2:]] == ["7", "7"]
        nothing_refused(kea)


@pytest.mark.parametrize("answer, given, refused", [
    ({"preferred-lft": 4001}, (3000, 4000), "4000"), ({"preferred-lft": 4294967295}, (3000, 4000), "4000"),
    ({"preferred-lft": 600, "valid-lft": 500}, (500, 500), "500"),
    ({"preferred-lft": 4001, "valid-lft": 5000}, (4001, 5000), None),
    ({"preferred-lft": 4294967295, "valid-lft": 4294967295}, (4294967295, 4294967295), None)], ids=str)
def test_preferred_no_longer_than_valid(link, tmp_path, answer, given, refused):
    with serve(6, tmp_path, {"lease6_select": answer}, **configured({})) as kea, Client6(link) as client:
        assert lifetimes(client.sarr()) == {given}
        if refused:
            [line] = kea.said("ANSWER_REFUSED")
            assert f": is longer than the lease is valid: {refused} seconds" in line
        else:
            nothing_refused(kea)


def test_preferred_and_keas_lease_cache(link, tmp_path):
    """A client that renews early is told what is left, as docs/answers.md says."""
    config = {"preferred-lifetime": 3000, "valid-lifetime": 4000, "cache-threshold": 0.5}
    with serve(6, tmp_path, {"lease6_renew": {"preferred-lft": 5}}, **config), Client6(link) as client:
        client.sarr()
        [(preferred, valid)] = lifetimes(client.renew())
        assert preferred in range(2990, 3001) and valid in range(3990, 4001)


def test_a_prefix_alone(link, tmp_path):
    """An answer to one of two leases."""
    script = write_script(tmp_path / "script", """#!/bin/sh
[ "$KEA_LEASE6_TYPE" != IA_PD ] || exec "$KEA_RUNSCRIPT" answer preferred-lft=60
""")
    with Kea(6, {**SUBNET6, **configured({})}, tmp_path,
             [hook(script, answers=True, hook_points=["lease6_select"])]) as kea, Client6(link, pd=[1]) as client:
        given = {ia.kind == IA_NA: ia.leases[0].preferred for ia in client.sarr().ias}
        assert given == {True: 3000, False: 60}
        nothing_refused(kea)
