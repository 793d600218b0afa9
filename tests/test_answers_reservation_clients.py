"""The key `reservation` of an answer, as dhcpcd sees it: from its first day, over its renewals, a reload and a restart."""

import pytest

from rig.answers import answering
from rig.clients import Dhcpcd
from rig.configs import SUBNETS, THREADS
from rig.kea import Kea, hook
from rig.wait import wait_until

# family, whether it asks for a prefix, what it is given, and so in the words of an answer
GIVEN = [(4, False, "192.0.2.5", {"ip-address": "192.0.2.5"}),
         (6, False, "2001:db8::5", {"ip-addresses": ["2001:db8::5"]}),
         (6, True, "2001:db8:ffff::/48", {"prefixes": ["2001:db8:ffff::/48"]})]


@pytest.mark.long
@pytest.mark.parametrize("threads", [{}, THREADS], ids=["single", "threads"])
@pytest.mark.parametrize("family, prefix, given, reservation", GIVEN, ids=["v4", "v6", "prefix"])
def test_a_real_client(link, tmp_path, family, prefix, given, reservation, threads):
    point = f"subnet{family}_select"
    script = answering(tmp_path, {point: {"reservation": reservation}})
    library = hook(script, answers=True, hook_points=[point])
    renewal = {"BOUND": "RENEW"} if family == 4 else {"BOUND6": "RENEW6"}
    [(first, again)] = renewal.items()
    with Kea(family, {**SUBNETS[family], **threads, "renew-timer": 1}, tmp_path, [library]) as kea:
        with Dhcpcd(link, family, tmp_path, prefix) as client:
            assert client.wait(first) == given
            told_again(client, again, given)
            kea.reload()
            told_again(client, again, given)
            # Its lease speaks for it.
            script.write_text("#!/bin/sh\nexit 1\n")
            kea.stop()
            kea.start()
            told_again(client, again, given)
        assert kea.status()["refused"] == 0


def told_again(client, reason, given):
    """A renewal from now on."""
    def renewals():
        return [call for call in client.script.calls() if call.get("reason") == reason]
    before = len(renewals())
    wait_until(lambda: len(renewals()) > before, f"{reason} in dhcpcd's script", 30)
    assert client.given.format_map(renewals()[-1].env) == given
