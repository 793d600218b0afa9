"""Figures of the benchmarks: each measurement keeps its own below build/bench, report.py makes docs/benchmarks of them."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

REPOSITORY = Path(__file__).resolve().parents[2]
FIGURES = Path(os.environ.get("BENCH_FIGURES", REPOSITORY / "build" / "bench"))
BARE = "no hook"    # the subject that all others are compared with


@dataclass(frozen=True)
class Figure:
    """One cell of a table: what one subject showed in one setting, a value for each round."""

    table: str      # e.g. "Exchanges a second"
    unit: str       # e.g. "exchanges/s"
    setting: str    # e.g. "DHCPv4, one thread, 1,000 leases, default hook points"
    subject: str    # e.g. "no hook", "daemon, waiting"
    values: tuple

    @property
    def middle(self):
        return median(self.values)


def keep(name, figures):
    """Writes what a measurement has found, in place of what it found the last time."""
    FIGURES.mkdir(parents=True, exist_ok=True)
    (FIGURES / f"{name}.json").write_text(json.dumps([asdict(figure) for figure in figures], indent=1) + "\n")


def kept():
    """All figures that there are, by measurement."""
    return {path.stem: [Figure(**one) for one in json.loads(path.read_text())] for path in sorted(FIGURES.glob("*.json"))}
