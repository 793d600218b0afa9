"""Scripts that answer (parameter `answers`)."""

import json
import shlex
from pathlib import Path

from .kea import hook
from .recorder import write_script


def says(answer):
    """Shell code: a map is printed as JSON, a string as it is, a number is the exit status."""
    if isinstance(answer, int):
        return f"exit {answer}"
    return f"printf %s {shlex.quote(answer if isinstance(answer, str) else json.dumps(answer))}"


def answering(directory, answers, name="answerer"):
    """A script that says at each hook point what `answers` has for it."""
    Path(directory).mkdir(parents=True, exist_ok=True)
    cases = "".join(f"{point}) {says(answer)} ;;\n" for point, answer in answers.items())
    return write_script(Path(directory) / name, f'#!/bin/sh\ncase $1 in\n{cases}esac\n')


def answerer(directory, answers, **parameters):
    """The library with such a script, called at those hook points."""
    return hook(answering(directory, answers), answers=True, hook_points=list(answers), **parameters)
