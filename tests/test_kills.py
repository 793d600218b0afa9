"""kill -9 of Kea, of its runner, of both, under load: the event of each answer that a client has seen is handled, in its turn."""

import os
import random

import pytest

from rig.crash import VICTIMS, Setting, Trial, seed

# How many trials test_many_kills makes.
KILLS = int(os.environ.get("KILLS", 20))


def tried(link, directory, setting, seed, **how):
    with Trial(link, directory, setting, seed) as trial:
        return trial.play(**how), trial.verdict()


@pytest.mark.pairs
@pytest.mark.parametrize("family", [4, 6], ids=["v4", "v6"])
@pytest.mark.parametrize("milliseconds", [0, 200])
@pytest.mark.parametrize("victim", VICTIMS)
@pytest.mark.parametrize("threads", [False, True], ids=["single", "threads"])
@pytest.mark.parametrize("mode", ["exec", "daemon"])
def test_a_kill(link, tmp_path, mode, threads, victim, milliseconds, family):
    tried(link, tmp_path, Setting(mode, threads, victim, milliseconds, family), seed())


@pytest.mark.parametrize("victim", VICTIMS)
@pytest.mark.parametrize("mode, threads, milliseconds, family",
                         [("serve", True, 200, 4), ("serve", False, 0, 6), ("serve-daemon", False, 200, 6)])
def test_a_kill_beside_a_service(link, tmp_path, mode, threads, milliseconds, family, victim):
    """Order holds across each kill here, too."""
    tried(link, tmp_path, Setting(mode, threads, victim, milliseconds, family), seed())


@pytest.mark.parametrize("threads, milliseconds, family", [(False, 200, 4), (True, 0, 6)],
                         ids=["single-slow-v4", "threads-quick-v6"])
def test_a_kill_beside_a_server_on_a_socket(link, tmp_path, threads, milliseconds, family):
    tried(link, tmp_path, Setting("socket", threads, "kea", milliseconds, family), seed())


@pytest.mark.parametrize("mode", ["exec", "daemon"])
def test_what_the_old_runner_is_at_work_on_is_not_begun_beside_it(link, tmp_path, mode):
    trial, _ = tried(link, tmp_path, Setting(mode, milliseconds=1000, kills=1), seed())
    assert trial.survivors(), "no script of before the kill was still at work when Kea served again"


@pytest.mark.long
@pytest.mark.parametrize("number", range(KILLS))
def test_many_kills(link, tmp_path, number):
    chosen = seed()
    tried(link, tmp_path, Setting.drawn(random.Random(chosen)), chosen)


def test_without_a_kill(link, tmp_path):
    """That the trial finds fault with nothing if nothing happens."""
    trial, counts = tried(link, tmp_path, Setting(milliseconds=20, kills=0, threads=True), seed(), more=300)
    assert counts["repeats"] == counts["cut short"] == counts["leases without an event"] == 0
