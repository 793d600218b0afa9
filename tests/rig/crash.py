"""kill -9 of a server under load, of its runner, of both: what became of each event whose answer was seen."""

import os
import random
import secrets
import subprocess
import time
from bisect import bisect
from dataclasses import dataclass

from . import intervals, processes
from .configs import THREADS
from .kea import Kea, hook
from .load import CONFIG, Load
from .programs import compiled
from .service import Service
from .wait import quiet, wait_until

VICTIMS = ["kea", "runner", "both"]
CONCURRENCY = 16
POINTS = {4: ["leases4_committed", "lease4_release"], 6: ["leases6_committed", "lease6_release"]}


def seed():
    """Another one each time, unless SEED= repeats what failed."""
    chosen = int(os.environ.get("SEED", 0)) or secrets.randbits(32)
    print(f"SEED={chosen}")
    return chosen


def spool(directory):
    """The parameter, for a spool in this directory. SPOOL=default leaves it out; with SPOOL=off nothing is spooled, and a test
    is to see what is lost."""
    chosen = os.environ.get("SPOOL")
    if chosen in ("default", "off"):
        return {} if chosen == "default" else {"spool": False}
    (directory / "spool").mkdir(exist_ok=True)
    return {"spool": str(directory / "spool")}


@dataclass(frozen=True)
class Setting:
    """What a trial is of."""

    mode: str = "exec"          # exec, daemon, socket; serve or serve-daemon: those two behind a service
    threads: bool = False
    victim: str = "kea"
    milliseconds: int = 0       # that a handler takes
    family: int = 4
    kills: int = 2

    @classmethod
    def drawn(cls, dice):
        """One at random."""
        mode = dice.choice(["exec", "daemon", "socket", "serve", "serve-daemon"])
        return cls(mode, dice.random() < 0.5, "kea" if mode == "socket" else dice.choice(VICTIMS),
                   dice.choice([0, 200]), dice.choice([4, 6]), dice.randint(1, 3))


def kill(kea, victim, dice):
    """kill -9; Kea is started again at once."""
    if victim == "runner":
        at_random(dice)
        processes.kill_runners()
        return
    deeds = [kea.kill] + ([processes.kill_runners] if victim == "both" else [])
    for deed in dice.sample(deeds, len(deeds)):
        at_random(dice)
        deed()
    kea.start()


def at_random(dice):
    """Lets some time pass: what comes next comes at no particular moment of what the others do."""
    time.sleep(dice.uniform(0, 0.02))


class Trial:
    """One server, its clients and its handler; `play` kills, starts again and lets all come to an end."""

    def __init__(self, link, directory, setting, seed):
        self.setting, self.dice = setting, random.Random(seed)
        self.log, self.socket = directory / "log", directory / "socket"
        self.program = compiled("intervals", directory)
        self.args = [str(self.log), str(setting.milliseconds)]
        self.server = self.service = None
        if setting.mode.startswith("serve"):
            mode = "daemon" if "daemon" in setting.mode else "exec"
            self.service = Service(directory, self.program, mode=mode, args=self.args, concurrency=CONCURRENCY)
        self.load = Load(link, setting.family, seed)
        threads = THREADS if setting.threads else {}
        self.kea = Kea(setting.family, {**CONFIG[setting.family], **threads}, directory, [self.hook(spool(directory))])
        self.kills = []     # when, and when Kea served again

    def hook(self, more):
        parameters = {"wait": False, "concurrency": CONCURRENCY, "hook_points": POINTS[self.setting.family], **more}
        if self.service:
            return self.service.hook(**parameters)
        if self.setting.mode == "socket":
            return hook(socket=str(self.socket), **parameters)
        return hook(self.program, mode=self.setting.mode, args=self.args, **parameters)

    def __enter__(self):
        if self.service:
            self.service.__enter__()
        if self.setting.mode == "socket":
            self.server = subprocess.Popen([self.program, "--listen", self.socket, *self.args])
            wait_until(self.socket.exists, "the server's socket")
        return self

    def __exit__(self, *failure):
        if self.kea.process:
            self.kea.kill()
        if self.service:
            self.service.__exit__(*failure)
        if self.server:
            self.server.kill()
            self.server.wait()

    def play(self, more=20):
        """Returns itself when all kills have been, so many answers more have been seen, and no event is pending."""
        self.kea.start()
        for _ in range(self.setting.kills):
            with self.load:
                self.load.wait(self.dice.randint(10, 60))
                self.kill()
        with self.load:
            self.load.wait(more)
        quiet(self.kea, 60)
        self.kea.stop()
        left = 1 if self.service else 0
        wait_until(lambda: len(processes.runners()) == left, "the end of the runners", 30)
        return self

    def kill(self):
        moment = time.monotonic_ns()
        kill(self.kea, self.setting.victim, self.dice)
        self.kills.append((moment, time.monotonic_ns()))

    # What came of it

    def survivors(self):
        """Tries that had begun when Kea was killed and were not yet over when it served again."""
        return [one for one in intervals.read(self.log) for killed, again in self.kills if one.start < killed and again < one.end]

    def lives(self, tries):
        """The tries by the life of Kea to which order holds: a server on a socket is still at work on lines of a Kea that was
        killed when the next one sends them again."""
        if self.setting.mode != "socket":
            return [tries]
        moments = [moment for moment, _ in self.kills]
        return [[one for one in tries if bisect(moments, one.since) == life] for life in range(len(moments) + 1)]

    def verdict(self):
        """Fails if anything was lost or out of its turn; returns counts."""
        tries, answers = intervals.read(self.log), self.load.answers
        faults = intervals.lasting_faults(answers, tries)
        for life in self.lives(tries):
            for name, found in intervals.faults_of_order(answers, life).items():
                faults.setdefault(name, []).extend(found)
        counts = {"kills": len(self.kills), **intervals.counts(answers, tries),
                  "leases without an event": intervals.unheard(self.kea.lease_file, tries)}
        print("counted", self.setting, counts, {name: len(found) for name, found in faults.items()})
        intervals.complain(faults)
        return counts
