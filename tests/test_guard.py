"""A script that refuses clients lets nobody in because it is slow: `on-failure` is named, and means it."""

import json
import re

import pytest

from rig.configs import SUBNET4, SUBNET6
from rig.dhcp4 import ACK, DISCOVER, OFFER, Client4, NoAnswer, stranger
from rig.dhcp6 import SOLICIT, Client6, Message6
from rig.dhcp6 import CLIENT_ID as DUID
from rig.kea import HOOK, REPOSITORY, Kea, hook
from rig.recorder import Printer, write_script
from rig.wait import quiet, wait_until

BLOCKED = "02:00:5e:10:00:0a"
BURST = 40
EIGHT = {"multi-threading": {"enable-multi-threading": True, "thread-pool-size": 8, "packet-queue-size": 64}}
# Its turn may not come in time: that is what is tried.
SLOW = f'sleep 0.2; [ "$KEA_QUERY4_HWADDR$KEA_QUERY6_HWADDR" != {BLOCKED} ] || exit 20'


def guard(tmp_path, point, **parameters):
    script = Printer(tmp_path, "$KEA_QUERY4_HWADDR$KEA_QUERY6_HWADDR", SLOW, "guard").script
    library = hook(script, timeout=1000, hook_points=[point])
    library["parameters"] |= {"answers": True, "concurrency": 8, **parameters}
    return library


def test_a_guard_that_names_no_on_failure_is_refused(link, tmp_path):
    """With the default it let the burst below in, 26 to 30 times."""
    kea = Kea(4, {**SUBNET4, **EIGHT}, tmp_path, [guard(tmp_path, "pkt4_receive")])
    kea.expect_refusal()
    [line] = kea.said("LOAD_REFUSED")
    for said in '"on-failure" is missing', '"drop" or "skip" if it guards', '"continue" if its answer may be missed':
        assert said in line


def only_one_offer(kea):
    """Kea counts one a moment after it was sent."""
    wait_until(lambda: offers(kea) > 0, "Kea's count of offers")
    assert offers(kea) == 1


@pytest.mark.parametrize("verdict", ["drop", "skip"])
def test_a_burst_of_a_blocked_client(link, tmp_path, verdict):
    with Kea(4, {**SUBNET4, **EIGHT}, tmp_path, [guard(tmp_path, "pkt4_receive", **{"on-failure": verdict})]) as kea:
        blocked = Client4(link, BLOCKED)
        for _ in range(BURST):
            blocked.send(blocked.message(DISCOVER))
        wait_until(lambda: seen(kea) >= BURST, "the burst")
        quiet(kea)
        assert stranger(link).discover().type == OFFER
        only_one_offer(kea)


def test_a_burst_that_is_too_much_for_the_guard(link, tmp_path):
    """Packets that do not crowd each other out: for each a turn that does not come in time."""
    library = guard(tmp_path, "pkt4_receive", **{"on-failure": "drop", "concurrency": 1})
    with Kea(4, {**SUBNET4, **EIGHT}, tmp_path, [library]) as kea:
        for n in range(BURST):
            blocked = Client4(link, BLOCKED, client_id=bytes([0, n]))
            blocked.send(blocked.message(DISCOVER))
        wait_until(lambda: seen(kea) == BURST, "the burst")
        quiet(kea)
        assert kea.status()["timeouts"] > 0
        assert stranger(link).discover().type == OFFER
        only_one_offer(kea)


def test_a_burst_of_a_blocked_client_of_dhcpv6(link, tmp_path):
    library = guard(tmp_path, "pkt6_receive", **{"on-failure": "drop"})
    with Kea(6, {**SUBNET6, **EIGHT}, tmp_path, [library]) as kea, Client6(link, BLOCKED) as blocked, Client6(link) as other:
        for _ in range(BURST):
            blocked.port.send(Message6(SOLICIT, [(DUID, blocked.duid), blocked.ias[0].option(), *blocked.options]))
        wait_until(lambda: seen(kea) >= BURST, "the burst")
        quiet(kea)
        assert other.solicit().leases
        only_one_offer(kea)


def seen(kea):
    """How many packets have come to the guard, or to where they are dropped before it."""
    return kea.status()["events"] + kea.status()["crowded"]


def offers(kea):
    name = "pkt4-offer-sent" if kea.family == 4 else "pkt6-advertise-sent"
    return kea.command("statistic-get", {"name": name})["arguments"][name][0][0]


# What the docs show

def shown(page, kind, at=0):
    """A snippet of a page."""
    text = (REPOSITORY / "docs" / page).read_text()
    return re.findall(rf"^```{kind}\n(.*?)^```$", text, re.M | re.S)[at]


def configured(snippet, script):
    """The library with the parameters that a page shows, and this script."""
    return {"library": str(HOOK), "parameters": {**json.loads("{" + snippet + "}"), "script": str(script)}}


KNOWN = "02:00:5e:10:00:01"


def has_lease(link, mac, **how):
    try:
        return Client4(link, mac, **how).dora(timeout=0.7).type == ACK
    except NoAnswer:
        return False


@pytest.mark.parametrize("known", [f"{KNOWN}\n", f"\n\n{KNOWN}\n", ""], ids=["a client", "empty lines", "nobody"])
def test_the_first_script_of_answers_md(link, tmp_path, known):
    (tmp_path / "known").write_text(known)
    script = write_script(tmp_path / "mine.sh", shown("answers.md", "sh").replace("/etc/kea/known", f"{tmp_path}/known"))
    with Kea(4, SUBNET4, tmp_path, [configured(shown("answers.md", "json"), script)]) as kea:
        assert has_lease(link, KNOWN) == (KNOWN in known)
        assert not has_lease(link, "02:00:5e:10:00:02")
        assert not has_lease(link, "", client_id=b"\0nameless")
        assert kea.status()["failures"] == 0


def test_the_first_daemon_of_lines_md(link, tmp_path):
    script = write_script(tmp_path / "mine.py", shown("lines.md", "python"))
    with Kea(4, SUBNET4, tmp_path, [configured(shown("lines.md", "json"), script)]) as kea:
        assert has_lease(link, KNOWN)
        assert not has_lease(link, "02:00:00:00:00:02")
        assert not has_lease(link, "", client_id=b"\0nameless")
        assert kea.status()["failures"] == 0
