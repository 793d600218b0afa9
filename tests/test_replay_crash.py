"""Kea is killed between its lease file and the hook point that would tell of it: replay tells, at the next start."""

import pytest

from rig.lease_events import Customer, Listening, texts
from rig.programs import library
from rig.wait import wait_until


@pytest.mark.parametrize("family", [4, 6])
def test_kea_is_killed_before_it_has_told(link, tmp_path, recorder, family):
    with Listening(family, tmp_path, recorder, replay=True) as kea, Customer(link, family) as client:
        wait_until(lambda: len(kea.told()) == 2, "the first replay")
        # A library before ours stands still where a lease has just been written.
        still = library("still", tmp_path / "hooks")
        kea.before([{"library": str(still)}])
        already = len(kea.told())
        with pytest.raises(AssertionError):
            client.client.dora(timeout=0.5) if family == 4 else client.client.sarr(timeout=0.5)
        written = wait_until(lambda: leased(kea), "the lease in Kea's file")
        kea.kill()
        kea.before([])
        kea.start()
        wait_until(lambda: "replay-end" in texts(kea.told())[already:], "the replay")
        assert texts(kea.told())[already:] == ["replay-begin", f"replay {written}", "replay-end"]


def leased(kea):
    """The address of the one lease that Kea has written."""
    lines = kea.lease_file.read_text().splitlines()
    return lines[1].partition(",")[0] if len(lines) > 1 else None
