"""A script whose answers hold for a time, and say of whom they were said: a wrong one would be seen."""

from pathlib import Path

from .kea import hook
from .recorder import write_script

WHO = {4: ["TYPE", "HWADDR", "CLIENT_ID", "GIADDR", "OPTION_82", "OPTION_60", "OPTION_77", "OPTION_93"],
       6: ["TYPE", "DUID", "HWADDR", "RELAY0_LINK_ADDRESS", "RELAY0_PEER_ADDRESS", "RELAY0_OPTION_18", "RELAY0_OPTION_37",
           "OPTION_16", "OPTION_15", "OPTION_61"]}
# An option of the answer that holds text, by name and by code.
TOLD = {4: ("merit-dump", 14), 6: ("bootfile-url", 59)}


class Keeper:
    """It notes each call, and then runs `then`: shell code, in which $said is whom the event is of."""

    def __init__(self, directory, then, family=4, name="keeper"):
        self.notes = Path(directory) / f"{name}.asked"
        said = "|".join(f"$KEA_QUERY{family}_{variable}" for variable in WHO[family])
        # One write each: calls come side by side.
        note = f"printf '%s\\n' \"$1 $said\" >>{self.notes}"
        self.script = write_script(Path(directory) / name, f'#!/bin/sh\nsaid="{said}"\n{note}\n{then}\n')

    def asked(self, point=""):
        """Whom it was asked about so far, at a hook point."""
        notes = self.notes.read_text().splitlines() if self.notes.exists() else []
        return [note.partition(" ")[2] for note in notes if note.startswith(point)]


def says(*words, time=60):
    """Shell code: the script answers with these words of kea-runscript answer, for so many seconds."""
    quoted = "".join(f' "{word}"' for word in words)
    return f'exec "$KEA_RUNSCRIPT" answer keep-for={time}{quoted}'


def tells(family):
    """The same: the client is told whom the answer was said of."""
    return says(f"option-data:{TOLD[family][0]}=$said")


def keeping(script, points, **parameters):
    """The library with this script, whose answers count, called at these hook points."""
    return hook(script, answers=True, hook_points=points, **{"wait": True, **parameters})
