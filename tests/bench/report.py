"""Makes docs/benchmarks of the figures that the measurements have kept: tables, charts, and figures.json.

    python3 tests/bench/report.py
"""

import json
import os
import platform
import re
import sys
from collections import Counter, defaultdict
from dataclasses import asdict
from datetime import date
from pathlib import Path

import figures

sys.path.insert(0, str(figures.REPOSITORY / "tests"))
import charts  # noqa: E402
from rig.kea import version  # noqa: E402

TARGET = Path(os.environ.get("BENCH_REPORT", figures.REPOSITORY / "docs" / "benchmarks"))
BARE = "no hook"
MOST_COLUMNS = 4

# What each table means, in the order in which they are shown; others come after these.
TABLES = {
    "Exchanges a second": """\
The highest rate of whole exchanges (DISCOVER to ACK, SOLICIT to REPLY, each of a new client) at which less than 1 % is dropped, as perfdhcp
sees it in 1.2 seconds, or five where that is too few; what is not answered within a tenth of a second (three times the interval between exchanges, if that is longer) counts as dropped.
Where Kea does not wait, look at what is dropped, two tables further, too.
Clients, Kea and programs share the cores. The program is one in C that does next to nothing: this is the cost of the library, not of a
program of yours. *A library that does nothing* is what Kea itself pays for calling any at the same hook points. *Leases* are those in memory at the start.""",
    "Exchanges, beside Kea without a hook": """\
The same, each divided by what Kea without a hook has served right before and after it: the machine is now faster, now slower.
Where this and the table above disagree, believe this one; differences below a tenth are noise.""",
    "Events handled a second, at the highest rate": """\
What reached the program meanwhile, where Kea does not wait, from perfdhcp's start to its end, which is longer than the exchanges take.""",
    "Events dropped, at the highest rate": """\
Where Kea does not wait, it may be faster than the program: what `queue-limit` (10000 events) does not hold is dropped, the oldest first.
A high rate above counts for little where most events are dropped.""",
    "Latency of an exchange at 20 a second": """\
What a client waits for both answers together, on average, at a server that has little else to do (at half its highest rate, if that is
lower).""",
    "Latency of the others while one client of a hundred is slow": """\
Renewals at an even rate, while the program takes 200 ms for one client of a hundred: what the other ninety-nine wait.""",
    "Renewals lost while one client of a hundred is slow": "Of all clients; what was not answered within two seconds after the last one.",
    "Time of a callout, in Kea's thread": "How long one call at one hook point keeps the thread of Kea that made it.",
    "A waiting exec event against posix_spawn and wait": """\
An event for which Kea waits, beside the least that it costs to start a process and wait for it.""",
    "Cost of an event by leases in memory": "Whether an event costs more when Kea holds more leases.",
    "Instructions of a callout": "Counted by valgrind, so that the noise of the machine is not in them.",
    "Memory of Kea (VmRSS)": """\
After the same 200 exchanges; pages of shared libraries are counted whole. + is the difference to Kea without a hook: at most 8 MB are
what we allow ourselves.""",
    "Memory of Kea (anonymous)": "The part of it that is no file's: heap and stacks.",
    "Memory of the runner (VmRSS)": "`kea-runscript`, likewise: at most 10 MB are what we allow ourselves.",
    "Memory of the runner (anonymous)": "The part of it that is no file's.",
}

HEAD = """\
# Benchmarks

{system}, {day}. Medians of {rounds} rounds, lowest and highest in
brackets; no hook has more turns than the others. All subjects take turns within each round, so compare within a table; another machine, or another day, has other figures.

`make bench` makes all this anew, in some two and a half hours, with DHCPv4 and 6, with multi-threading and without, with 1,000 leases and a million; a
setting that is not shown was not part of this run. Some of it, and another library beside ours:

    make bench BENCH='-k "v4 and single"'
    make bench PEER=/path/to/library.so PEER_NAME=theirs PEER_PARAMETERS='{{"script": "{{script}}", "wait": true}}'

`exec` starts the program once per event, `daemon` has it running; *waiting*, *not waiting* and *park* are the parameter
[`wait`](../parameters.md). The program is called at the nineteen default hook points, unless it says *alone*. `libdhcp_run_script` is Kea's
own library: it is called at other hook points, never waits, keeps no order, and sets no limit to the processes that it starts. The daemon's
hello says `"ahead": 32` (see [lines.md](../lines.md#many-events)), which counts where Kea does not wait. An exchange makes eight events in
DHCPv4 at the default hook points, one at `leases*_committed`. Other libraries than ours and Kea's have the parameters that they were given, with
`wait` on unless said otherwise.
All values are in [figures.json](figures.json).

{images}
"""

CHARTS = {"Exchanges a second": "exchange-rate.svg", "Time of a callout, in Kea's thread": "callout.svg"}


def main():
    found = [figure for measurement in figures.kept().values() for figure in measurement]
    found.sort(key=place)
    assert found, f"no figures in {figures.FIGURES}: make bench"
    TARGET.mkdir(parents=True, exist_ok=True)
    tables = defaultdict(list)
    for figure in found:
        tables[figure.table].append(figure)
    images = [f"![{name}]({file})" for name, file in CHARTS.items() if name in tables]
    for name, file in CHARTS.items():
        if name in tables:
            charts.draw(name, tables[name], TARGET / file)
    order = sorted(tables, key=lambda name: ([*TABLES, name].index(name), name))
    head = HEAD.format(system=system(), day=date.today(), rounds=rounds(found), images="\n\n".join(images))
    (TARGET / "README.md").write_text("\n".join([head, *(section(name, tables[name]) for name in order)]))
    (TARGET / "figures.json").write_text(json.dumps([asdict(figure) for figure in found], indent=1) + "\n")


def place(figure):
    """Small settings before large ones, one thread before several."""
    numbers = re.findall(r"\d[\d,]*", figure.setting)
    return [int(number.replace(",", "")) for number in numbers], "multi" in figure.setting


def system():
    """What was measured on: no names of machines, no paths."""
    cpu = re.search(r"^model name\s*: (.*)", Path("/proc/cpuinfo").read_text(), re.M)
    release = platform.freedesktop_os_release()["PRETTY_NAME"]
    kea = ".".join(map(str, version()))
    cores = f"{os.cpu_count()} cores of {cpu[1] if cpu else platform.machine()}"
    return f"Kea {kea}, {release}, Linux {platform.release().partition('-')[0]}, {cores}"


def rounds(found):
    """How often a subject had its turn; no hook has more, and what does not vary was measured once."""
    return Counter(len(figure.values) for figure in found if len(figure.values) > 1).most_common(1)[0][0]


def section(name, cells):
    """A table with its heading; in several parts, by the first word of the settings, if it would be too wide."""
    settings = unique(cell.setting for cell in cells)
    parts = [settings]
    if len(settings) > MOST_COLUMNS:
        first = unique(setting.split(", ")[0] for setting in settings)
        parts = [[setting for setting in settings if setting.split(", ")[0] == word] for word in first]
    text = TABLES.get(name)
    return "\n".join([f"## {name}\n", *([text + "\n"] if text else []), *(grid(cells, part) for part in parts)])


def grid(cells, settings):
    """Subjects below each other, settings beside each other."""
    by_place = {(cell.subject, cell.setting): cell for cell in cells if cell.setting in settings}
    subjects = unique(subject for subject, _ in by_place)
    unit = unique(cell.unit for cell in by_place.values())
    rows = [[", ".join(unit), *settings], ["---", *("---:" for _ in settings)]]
    for subject in subjects:
        cells = [shown(by_place.get((subject, setting)), by_place.get((BARE, setting))) for setting in settings]
        rows.append([subject, *cells])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def shown(cell, bare):
    """Median, lowest and highest, and how that compares to no hook."""
    if not cell:
        return ""
    text = f"**{number(cell.middle)}**"
    if len(set(cell.values)) > 1:
        text += f" ({number(min(cell.values))} to {number(max(cell.values))})"
    if bare and bare is not cell and cell.unit == "MB":
        text += f" {cell.middle - bare.middle:+.1f}"
    return text


def number(value):
    """Three digits that count, or all that are whole."""
    if value == 0:
        return "0"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def unique(items):
    return list(dict.fromkeys(items))


if __name__ == "__main__":
    main()
