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
MOST_COLUMNS = 4

# What each table means, in the order in which they are shown; others come after these.
TABLES = {
    "Exchanges a second": """\
The highest rate of whole exchanges (DISCOVER to ACK, SOLICIT to REPLY, each of a new client) at which less than 1 % is dropped. perfdhcp
tries each rate for 1.2 seconds, or for up to five where that makes fewer than 200 exchanges; an answer counts as dropped if it takes longer than a tenth of a second (three times the interval between exchanges, if that is longer).
Where Kea does not wait, a high rate counts for little if most events are dropped: see *Events dropped* below.
Clients, Kea and programs share the cores. The program is one in C that does next to nothing: this is the cost of the library, not of a
program of yours. *A library that does nothing* shows what Kea itself pays for calling any at the same hook points. The leases are those in memory at the start.""",
    "Exchanges, beside Kea without a hook": """\
The same, divided by what Kea without a hook has served shortly before and after: the machine is now faster, now slower.
Where this and the table above disagree, believe this one; differences below a fifth are noise.""",
    "Events handled a second, at the highest rate": """\
By the program, where Kea does not wait, from perfdhcp's start to its end, which is longer than the exchanges take. Of our library alone: others do not count.""",
    "Events dropped, at the highest rate": """\
Where Kea does not wait, it may be faster than the program: of events in memory, more than `queue-limit` (10000), the oldest are dropped; those in the spool are not.""",
    "Latency of an exchange at 20 a second": """\
How long a client waits for both answers together, on average, at a server that has little else to do (at half its highest rate, if that is
lower).""",
    "Renewals a second": """\
The highest rate of DHCPv4 renewals, of 500 clients behind a relay, at which less than 1 % is dropped. The daemon is called at the default hook points.""",
    "Kea's processor time of a renewal": """\
Of Kea alone, at 500 a second: what the daemon takes, and the time that Kea waits for it, are not in it.""",
    "Renewals, beside a library that does nothing": """\
The same, divided by what Kea with *a library that does nothing* has served in the same round. `keep-for`: the daemon's answers hold for an hour.""",
    "New clients, beside a library that does nothing": """\
The same of whole exchanges of new clients, of whom nothing is kept: what it costs to keep their answers.""",
    "Events of known clients that were answered from memory": """\
Of 500 clients who renew beside and after a flood of new ones, with room for 10,000 answers.""",
    "Latency of the others while one client of a hundred is slow": """\
DHCPv4 renewals at an even rate, while the program, which is called at `leases4_committed` alone, takes 200 ms for one client of a hundred: how
long the other ninety-nine wait. What is never answered is not in it, but in the next table.""",
    "Renewals lost while one client of a hundred is slow": """\
Of all clients, the slow ones too: what was still unanswered when all had been sent and no answer had come for two seconds.""",
    "Time of a callout, in Kea's thread": """\
How long one call at one hook point keeps the thread of Kea that made it. Each value is the median of 200 calls, half a millisecond apart, by a
program that loads the library as Kea does.""",
    "A waiting exec event against posix_spawn and wait": """\
A call for which Kea waits, beside the least that it costs to start a process and wait for it, and to send the variables to another process and
have its answer (*round trip*).""",
    "Cost of an event by leases in memory": "Whether a call keeps Kea's thread longer when Kea holds more leases.",
    "Instructions of a callout": """\
Those of Kea's thread, counted by valgrind, so that the noise of the machine is not in them. What the kernel does, such as a fork, is not either.""",
    "Memory of Kea (VmRSS)": """\
After 200 exchanges; pages of shared libraries are counted whole. + is the difference to Kea without a hook; we
allow ourselves 8 MB at most.""",
    "Memory of Kea (anonymous)": "The part of it that is no file's: heap and stacks.",
    "Memory of the runner (VmRSS)": "`kea-runscript-runner`, likewise; we allow ourselves 10 MB at most.",
    "Memory of the runner (anonymous)": "The part of it that is no file's.",
}

HEAD = """\
# Benchmarks

{system}, {day}. Medians of {rounds} rounds, lowest and highest in
brackets. All subjects take turns within each round, *no hook* several times, so compare within a table; another machine, or another day, has other figures.

`make bench` makes all this anew, in an hour and a half, with DHCPv4 and 6: single-threaded with 1,000 leases and with a million, multi-threaded with 1,000; a
setting that is not shown was not part of this run. Some of it, in a minute or in a quarter of an hour, for a page of its own, and another library beside ours:

    make bench BENCH='-k lease4_renew' BENCH_REPORT=/tmp/benchmarks
    make bench BENCH='-k v4-single-small' BENCH_REPORT=/tmp/benchmarks
    make bench PEER=/path/to/library.so PEER_NAME=theirs PEER_PARAMETERS='{{"script": "{{script}}", "wait": true}}'

`exec` starts the program once per event, `daemon` has it running; *waiting*, *not waiting* and *park* are the parameter
[`wait`](../parameters.md): `true`, `false` and `"park"`. Exchanges and memory are measured with the nineteen default hook points, which make eight
events of an exchange in DHCPv4, or with one hook point *alone*, which makes one. The daemon's hello says `"ahead": 32`
(see [lines.md](../lines.md#many-events)), unless it is one *without ahead*; that has an effect only where Kea does not wait. `libdhcp_run_script` is Kea's
own library: it is called at other hook points, never waits, keeps no order, and sets no limit to the processes that it starts. A library beside
these, `PEER`, has the script and `"wait": true`, or `PEER_PARAMETERS`.
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
        cells = [shown(by_place.get((subject, setting)), by_place.get((figures.BARE, setting))) for setting in settings]
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
