"""examples/demo, which `make demo` runs."""

import os
import subprocess

from rig.examples import EXAMPLES


def demo(**environment):
    return subprocess.run([EXAMPLES / "demo"], env={**os.environ, **environment}, capture_output=True, text=True,
                          timeout=60)


def test_the_demo_shows_what_it_promises():
    done = demo()
    assert done.returncode == 0, done.stdout + done.stderr
    shown = "lease4_select", "DHCPACK", "leases6_committed", "via fe80::5eff:fe00:2 dev vs", "(none)"
    assert [text for text in shown if text not in done.stdout] == []


def test_the_demo_says_what_is_missing():
    done = demo(HOOK_UNDER_TEST="/nowhere.so")
    assert done.returncode == 1 and "/nowhere.so is missing: make build" in done.stderr
