"""The packets of a recorded case, one after the other."""

from .kea_versions import in_order
from .recorded import is_timer


def play(player, steps, recorder):
    """Sends the packets of the steps, each when the calls of the one before are there; returns the calls."""
    player.prepare()
    first = awaited = len(recorder.calls())
    for step in steps:
        if not is_timer(step):
            player.send(step)
        awaited += len(step)
        recorder.wait(awaited, timeout=20)
    # A call too many would come before this one.
    player.send_mark()
    recorder.wait(awaited + 1)
    calls = in_order(steps, recorder.calls()[first:])
    return calls[:-1] if player.is_mark(calls[-1]) else calls
