"""What the peer's users' scripts see today, they see from us: its recorded calls, one by one.

A newer Kea makes other calls for some packets: those that rig/kea_versions.py makes of the recorded ones, no others.
"""

import json
import re
import time

import pytest

from rig.dhcp4 import Client4
from rig.dhcp6 import Client6
from rig.kea import REPOSITORY, Kea, hook, version
from rig.kea_versions import CHANGES, expected
from rig.recorded import CASES, PEER, differences
from rig.replay import play
from rig.replay4 import Replay4
from rig.replay6 import Replay6, wait_past

PAGE = REPOSITORY / "docs" / "kea-versions.md"
CHANGES_HERE = [change for change in CHANGES if change.since <= version()]
SWITCHED = [pytest.param(case, change, id=f"v{case.family}-{case.name}-{'-'.join(change.switch)}")
            for change in CHANGES if change.switch for case in CASES if change.concerns(case)]


@pytest.mark.pairs
# The peer cannot be loaded with threads, and does not keep its calls in order where Kea does not wait for them.
@pytest.mark.parametrize("threads", [False] if PEER else [False, True], ids=lambda on: "threads" if on else "single")
@pytest.mark.parametrize("wait", [True] if PEER else [True, False], ids=lambda on: "wait" if on else "nowait")
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"v{case.family}-{case.name}")
def test_recorded_calls(recorded_link, recorder, tmp_path, case, wait, threads):
    config = case.config
    config["multi-threading"]["enable-multi-threading"] = threads
    replay(recorded_link, recorder, tmp_path, case, expected(case, CHANGES_HERE), config, wait)


@pytest.mark.parametrize("case, change", SWITCHED)
def test_with_the_switch_nothing_changes(recorded_link, recorder, tmp_path, case, change):
    """On no version of Kea, be it older or newer than the change."""
    wanted = expected(case, [other for other in CHANGES_HERE if other != change])
    replay(recorded_link, recorder, tmp_path, case, wanted, change.switched(case.config))


def replay(link, recorder, directory, case, wanted, config, wait=True):
    """Sends the case's packets, and compares the calls with the wanted ones."""
    with Kea(case.family, config, directory, [hook(recorder.script, wait=wait, debug=True)]):
        since = time.time()
        player = (Replay4 if case.family == 4 else Replay6)(link, case, recorder)
        try:
            calls = play(player, wanted.steps(), recorder)
        finally:
            player.close()
    different = differences(wanted.records, calls, since, player.vendor_class)
    assert not different, "\n".join(different)


def test_each_change_is_met():
    """What a rule makes of the record has to be seen in the replays above: a rule that makes nothing is none."""
    assert [change.title for change in CHANGES if not any(map(change.concerns, CASES))] == []


def test_the_page_explains_each_change():
    _, *sections = re.split(r"^## ", PAGE.read_text(), flags=re.M)
    assert [section.partition("\n")[0] for section in sections] == [change.heading for change in CHANGES]
    for section, change in zip(sections, CHANGES):
        assert json.dumps(change.switch)[1:-1] in section


@pytest.mark.skipif(PEER, reason="the peer knows no leases4_committed")
@pytest.mark.parametrize("max_age", [None, 0, 1000])
@pytest.mark.parametrize("family", [4, 6])
def test_lease_caching(recorded_link, recorder, tmp_path, family, max_age):
    """What is not written is not committed: no recorded call tells that. By the switch each Kea does either."""
    reused = version() >= (3,) if max_age is None else max_age > 0
    config = next(case.config for case in CASES if case.family == family)
    config |= {} if max_age is None else {"cache-max-age": max_age}
    points = [f"lease{family}_renew", f"leases{family}_committed"]
    with Kea(family, config, tmp_path, [hook(recorder.script, hook_points=points)]):
        client = (Client4 if family == 4 else Client6)(recorded_link)
        given = lifetime(client.dora() if family == 4 else client.sarr())
        [first] = recorder.wait(1)
        written = first[f"KEA_LEASES{family}_AT0_CLIENT_LAST_TRANSMISSION"]
        wait_past(written)
        left = lifetime(client.renew())
        _, renewed, committed = recorder.wait(3)
        # The script is told of a renewal like any other.
        assert renewed[f"KEA_LEASE{family}_VALID_LIFETIME"] == str(given)
        assert renewed[f"KEA_LEASE{family}_CLIENT_LAST_TRANSMISSION"] > written
        assert (left < given, committed[f"KEA_LEASES{family}_SIZE"]) == ((True, "0") if reused else (False, "1"))


def lifetime(answer):
    return answer.ias[0].leases[0].valid if hasattr(answer, "ias") else answer.lease_time
