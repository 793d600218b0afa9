"""Each hook point of docs/hook-points.md is met on a real Kea, and each key that an answer may have there is taken."""

import json
import re
from functools import partial

import pytest

from rig import rows
from rig.answers import answering
from rig.configs import SUBNETS
from rig.dhcp4 import HOSTNAME, NoAnswer, dns_labels, stranger
from rig.dhcp6 import CLIENT_FQDN, Client6
from rig.kea import HOOK, Kea, hook
from rig.net import ip
from rig.others import together
from rig.since import since
from rig.wait import wait_until

KEYS = {
    "client-classes": ["known"], "query-option-data": [{"code": 77, "data": None}], "subnet-id": 1,
    "option-data": [{"code": 224, "csv-format": False, "data": "01"}],
    "next-server": "192.0.2.3", "server-hostname": "s", "boot-file-name": "f", "hostname": "better.example.org",
    "valid-lft": 600, "preferred-lft": 300, "ip-address": {4: "192.0.2.77", 6: "2001:db8::1077"}, "flex-id": "guest 7",
    "reservation": {4: {"ip-address": "192.0.2.7"}, 6: {"ip-addresses": ["2001:db8::7"]}},
}


def documented():
    """Each hook point with its family and its keys, skipped where Kea lacks it."""
    page = (rows.PAGES / "hook-points.md").read_text()
    for name, doc, keys in re.findall(r"^\| `(\w+)` ?[*°]* \| (.*) \| [^|]* \| ([^|]*) \|$", page, re.M):
        oldest = re.search(r"\. From Kea (\d+)\.(\d+) on\.", doc)
        marks = [since(*map(int, oldest.groups()))] if oldest else []
        # Kea's own life: test_lifecycle.py.
        if name in ("load", "configured", "unload"):
            continue
        yield pytest.param(6 if "6" in name else 4, name, re.findall(r"`([\w-]+)`", keys), id=name, marks=marks)


# What a client does, and what Kea is configured for besides.
SOON = {"expired-leases-processing": {"reclaim-timer-wait-time": 1}, "decline-probation-period": 1}
CASES4 = {
    "lease4_renew": (lambda client: (client.dora(), client.renew()), {}),
    "lease4_release": (lambda client: (client.dora(), client.release()), {}),
    "lease4_decline": (lambda client: (client.dora(), client.decline()), {}),
    "lease4_expire": (lambda client: client.dora(), {**SOON, "valid-lifetime": 1}),
    "lease4_recover": (lambda client: (client.dora(), client.decline()), SOON),
    "lease4_server_decline": (lambda client: pytest.raises(NoAnswer, client.discover, timeout=2), {}),
    "host4_identifier": (lambda client: client.dora(), {"host-reservation-identifiers": ["flex-id", "hw-address"]}),
}
CASES6 = {
    "lease6_renew": (lambda client: (client.sarr(), client.renew()), {}),
    "lease6_rebind": (lambda client: (client.sarr(), client.rebind()), {}),
    "lease6_release": (lambda client: (client.sarr(), client.release()), {}),
    "lease6_decline": (lambda client: (client.sarr(), client.decline()), {}),
    "lease6_expire": (lambda client: client.sarr(), {**SOON, "valid-lifetime": 1, "preferred-lifetime": 1}),
    "lease6_recover": (lambda client: (client.sarr(), client.decline()), SOON),
    "host6_identifier": (lambda client: client.sarr(), {"host-reservation-identifiers": ["flex-id", "duid"]}),
    "addr6_register": (lambda client: client.register("2001:db8::77"), {}),
}


def visit(link, family, name):
    """Has a client do what leads Kea there."""
    if family == 4:
        deed, _ = CASES4.get(name, (lambda client: client.dora(), {}))
        return deed(stranger(link, options=[(HOSTNAME, b"mine")]))
    deed, _ = CASES6.get(name, (lambda client: client.sarr(), {}))
    fqdn = (CLIENT_FQDN, b"\1" + dns_labels("mine.example.org") + b"\0")
    with Client6(link, options=[fqdn], address="2001:db8::77" if name == "addr6_register" else None) as client:
        return deed(client)


def pinging(link, directory, ours):
    """Kea's library that finds an address in use: somebody has it."""
    hooks = together(directory)
    if not (hooks / "libdhcp_ping_check.so").exists():
        pytest.skip("this Kea comes without the library that causes it, ping_check")
    ip("addr add 192.0.2.10/24 dev vc\n", link.namespace)
    pings = {"library": f"{hooks}/libdhcp_ping_check.so", "parameters": {"min-ping-requests": 1, "reply-timeout": 100}}
    return {"hooks": [{**ours, "library": f"{hooks}/{HOOK.name}"}, pings], "environment": {"KEA_HOOKS_PATH": str(hooks)}}


@pytest.mark.parametrize("family, name, keys", list(documented()))
def test_a_hook_point_with_all_its_keys(link, tmp_path, family, name, keys):
    answer = {key: KEYS[key][family] if isinstance(KEYS[key], dict) else KEYS[key] for key in keys}
    _, config = (CASES4 if family == 4 else CASES6).get(name, (None, {}))
    config = {**SUBNETS[family], "client-classes": [{"name": "known"}], **config}
    ours = hook(answering(tmp_path, {name: answer}), answers=True, wait=True, hook_points=[name])
    more = pinging(link, tmp_path, ours) if name == "lease4_server_decline" else {"hooks": [ours]}
    with Kea(family, config, tmp_path, severity="DEBUG", debuglevel=40, **more) as kea:
        visit(link, family, name)
        line = wait_until(partial(kea.said, "VERDICT"), "the hook point")[0]
        assert line.startswith(f"{tmp_path}/answerer at {name}, ")
        assert json.loads(line.partition(": continue")[2] or "{}") == answer
        assert kea.status()["refused"] == kea.status()["failures"] == 0, kea.said("(?:ANSWER_REFUSED|EVENT_FAILED)")
