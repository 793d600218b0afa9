"""Reloads under load, each with other settings: no event is lost, doubled or out of turn, and Kea stands still no longer than
without the library."""

import os
import random
import signal
import time
from contextlib import contextmanager
from statistics import median

import pytest

from rig import intervals, processes
from rig.crash import seed, spool
from rig.kea import Kea, hook
from rig.load import CONFIG, Load
from rig.programs import compiled
from rig.wait import quiet, wait_until

CLIENTS = 150
PENDING = 40            # events, at most, while clients ask for more
RATE = 20               # answers a second, which is about what that makes
SHORT, LONG = 8, 60     # reloads, one a second
LIMIT = 0.2             # seconds that a reload may take longer than without the library
HELLO = 0.2             # seconds that daemons may need until they have said hello
MODES = pytest.mark.parametrize("mode", ["exec", "daemon"])


def timed(kea):
    start = time.monotonic()
    kea.reload()
    return time.monotonic() - start


def each_second(kea, reloads, prepare=lambda number: None):
    """Reloads so often, after `prepare(number)`; returns how long each has taken."""
    start, took = time.monotonic(), []
    for number in range(1, reloads + 1):
        wait_until(lambda: time.monotonic() - start >= number, "the next second")
        prepare(number)
        took.append(timed(kea))
    return took


def without_the_library(link, directory, reloads):
    """How long reloads take then, under such a load."""
    start = time.monotonic()
    load = Load(link, 4, 1, CLIENTS, room=lambda: len(load.answers) < RATE * (time.monotonic() - start))
    with Kea(4, CONFIG[4], directory) as kea, load:
        return each_second(kea, reloads)


class Settings:
    """The library with a handler that takes 0 to 3 s, as the client decides; `draw` gives it other parameters each time."""

    def __init__(self, directory, mode, dice):
        self.program, self.log = compiled("intervals", directory), directory / "log"
        self.mode, self.dice, self.spool = mode, dice, spool(directory)
        self.drawn = 0

    def draw(self):
        self.drawn += 1
        also = self.dice.sample(["lease4_release", "lease4_renew"], self.dice.randint(0, 2))
        return hook(self.program, mode=self.mode, wait=False, hook_points=["leases4_committed", *also],
                    args=[str(self.log), "0-3000", f"configuration {self.drawn}"],
                    timeout=self.dice.choice([20_000, 40_000, 60_000]), concurrency=self.dice.choice([16, 32, 64]), **self.spool)

    def verdict(self, kea, answers):
        wait_until(lambda: not processes.runners(), "the end of the runners", 60)
        tries = intervals.read(self.log)
        print("counted", intervals.counts(answers, tries))
        intervals.complain({**intervals.lasting_faults(answers, tries), **intervals.faults_of_order(answers, tries),
                            "twice": intervals.twice(tries)})
        assert not [line for message in ("EVENT_FAILED", "EVENT_LOST", "HANDLER_LOST") for line in kea.said(message)]


@contextmanager
def stopped(runners):
    """SIGSTOP, and SIGCONT afterwards."""
    for pid in runners:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in runners:
            if processes.alive(pid):
                os.kill(pid, signal.SIGCONT)


def play(link, directory, mode, reloads, plain):
    """Reloads with other settings each time; returns how long each has taken, and compares it with the time without us."""
    settings = Settings(directory, mode, random.Random(seed()))
    kea = Kea(4, CONFIG[4], directory, [settings.draw()])
    load = Load(link, 4, 1, CLIENTS, room=lambda: kea.status()["pending"] < PENDING)
    with kea:
        with load:
            load.wait(PENDING)
            took = each_second(kea, reloads, lambda _: kea.configure(CONFIG[4], [settings.draw()]))
        quiet(kea, 120)
    report(took, plain)
    settings.verdict(kea, load.answers)
    return took


def report(took, plain):
    def told(times):
        return f"{median(times):.3f} s, at most {max(times):.3f} s"
    print(f"a reload takes {told(took)}; without the library {told(plain)}")


def test_other_settings_each_second(link, tmp_path):
    plain = without_the_library(link, tmp_path / "plain", 3)
    play(link, tmp_path, "daemon", SHORT, plain)


@pytest.mark.long
@pytest.mark.alone
@MODES
def test_other_settings_each_second_for_a_minute(link, tmp_path, mode):
    plain = without_the_library(link, tmp_path / "plain", 10)
    took = play(link, tmp_path, mode, LONG, plain)
    assert max(took) < max(plain) + LIMIT + (HELLO if mode == "daemon" else 0)


@pytest.mark.long
@pytest.mark.alone
@MODES
def test_a_reload_while_the_runner_is_stopped(link, tmp_path, mode):
    """Nothing is lost either, and it takes no longer. The settings stay: no daemon has to be started."""
    plain = without_the_library(link, tmp_path / "plain", 10)
    settings, took = Settings(tmp_path, mode, random.Random(seed())), []
    kea = Kea(4, CONFIG[4], tmp_path, [settings.draw()])
    load = Load(link, 4, 1, CLIENTS, room=lambda: kea.status()["pending"] < PENDING)
    with kea:
        with load:
            for _ in range(5):
                load.wait(PENDING // 2)
                with stopped(processes.runners()):
                    took.append(timed(kea))
        quiet(kea, 120)
    report(took, plain)
    settings.verdict(kea, load.answers)
    assert max(took) < max(plain) + LIMIT
