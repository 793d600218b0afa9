"""What the peer's users' scripts see today, they see from us: its recorded calls, one by one."""

import time

import pytest

from rig.kea import Kea, hook
from rig.net import Link
from rig.recorded import CASES, PEER, differences, is_timer
from rig.replay4 import Replay4
from rig.replay6 import Replay6


@pytest.fixture(scope="module")
def recorded_link():
    """The interface as it was in the recording."""
    with Link(server="vs", index=101, server4="10.4.0.1/16", client4="10.4.0.2/16") as link:
        yield link


# The peer cannot be loaded with threads, and does not keep its calls in order where Kea does not wait for them.
@pytest.mark.parametrize("threads", [False] if PEER else [False, True], ids=lambda on: "threads" if on else "single")
@pytest.mark.parametrize("wait", [True] if PEER else [True, False], ids=lambda on: "wait" if on else "nowait")
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"v{case.family}-{case.name}")
def test_recorded_calls(recorded_link, recorder, tmp_path, case, wait, threads):
    config = case.config
    config["multi-threading"]["enable-multi-threading"] = threads
    with Kea(case.family, config, tmp_path, [hook(recorder.script, wait=wait, debug=True)]):
        since = time.time()
        replay = (Replay4 if case.family == 4 else Replay6)(recorded_link, case, recorder)
        try:
            calls = play(replay, case, recorder)
        finally:
            replay.close()
    different = differences(case.records, calls, since, replay.vendor_class)
    assert not different, "\n".join(different)


def play(replay, case, recorder):
    """Sends the case's packets, each when the calls of the one before are there; returns the calls."""
    replay.prepare()
    first = awaited = len(recorder.calls())
    for step in case.steps():
        if not is_timer(step):
            replay.send(step)
        awaited += len(step)
        recorder.wait(awaited, timeout=20)
    # A call too many would come before this one.
    replay.send_mark()
    recorder.wait(awaited + 1)
    calls = recorder.calls()[first:]
    return calls[:-1] if replay.is_mark(calls[-1]) else calls
