"""The packets of the peer's recorded calls, with ISC's library beside ours: direct and relayed, declined, expired and
reclaimed, with hostile bytes among them."""

import pytest

from rig.isc import SideBySide
from rig.kea import version
from rig.kea_versions import CHANGES, expected
from rig.recorded import CASES
from rig.replay import play
from rig.replay4 import Replay4
from rig.replay6 import Replay6


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"v{case.family}-{case.name}")
def test_the_same_calls(recorded_link, recorder, tmp_path, case):
    ours = {"script": str(recorder.script), "wait": True}
    with SideBySide(case.family, case.config, tmp_path, more=[ours]) as both:
        player = (Replay4 if case.family == 4 else Replay6)(recorded_link, case, recorder)
        try:
            play(player, expected(case, [change for change in CHANGES if change.since <= version()]).steps(), recorder)
        finally:
            player.close()
        both.compare()
