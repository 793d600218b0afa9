"""The one way to wait: for a condition, until a deadline."""

import time

# Kea's clock is time(2), which lags a tick (4 ms, 10 ms) behind the one that Python reads.
TICK = 0.02


def wait_until(condition, what, timeout=10.0):
    """Calls `condition` until it returns something true, and returns that.

    `what` completes the sentence "... did not come within 10 s"; it may be a function that knows more by then.
    """
    deadline = time.monotonic() + timeout
    pause = 0.001
    while not (result := condition()):
        if time.monotonic() > deadline:
            text = what() if callable(what) else what
            raise AssertionError(f"{text} did not come within {timeout:g} s")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.02)
    return result


def quiet(kea, timeout=30.0):
    """Waits until no event is pending, of any script: each has been handled, given up or dropped."""
    def scripts():
        return kea.command("runscript-status")["arguments"]["scripts"]
    wait_until(lambda: not any(script["pending"] for script in scripts()),
               lambda: f"the end of the events ({scripts()})", timeout)
