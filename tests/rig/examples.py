"""The examples as a test runs them: their own script and configuration, with our interface, paths and lifetimes."""

import json
import re
import subprocess

import pytest

from .kea import HOOK, REPOSITORY
from .recorder import write_script

EXAMPLES = REPOSITORY / "examples"

# A lease that has ended is noticed within a second.
PROMPT = {"expired-leases-processing": {"reclaim-timer-wait-time": 1}}


# How an example that comes in both ways is run.
MODES = pytest.mark.parametrize("mode", ["exec", "daemon"])


def example(folder, file, mode="exec", args=(), only=None, **overrides):
    """What stands inside "Dhcp4" or "Dhcp6" of the example; `valid_lifetime=` overrides "valid-lifetime".

    `mode` may be "daemon", for the program that stays running; `args` are other ones than the example's; of several
    scripts, `only` names the one that is wanted.
    """
    text = (EXAMPLES / folder / file).read_text().replace('"eth0"', '"vs"')
    (config,) = json.loads(re.sub(r"^ *//.*$", "", text, flags=re.M)).values()
    # The rig's is in the test's own directory.
    config.pop("control-socket", None)
    for entry in config["hooks-libraries"]:
        entry["library"] = str(HOOK)
        parameters = entry["parameters"]
        if "scripts" in parameters:
            take(parameters["scripts"], folder, only)
            continue
        if "socket" in parameters:
            # Its README.md says that Kea can start the script itself, too.
            parameters["script"] = parameters.pop("socket").replace(".sock", ".sh")
        script = parameters["script"].rpartition("/")[2]
        if mode == "daemon":
            # As the example's README.md says.
            parameters["mode"], script = mode, script.replace(".sh", ".py")
        if args:
            parameters["args"] = list(map(str, args))
        parameters["script"] = str(EXAMPLES / folder / script)
    return {**config, **{key.replace("_", "-"): value for key, value in overrides.items()}}


def take(scripts, folder, only):
    """Leaves those of an example's scripts that are wanted, from where they are here."""
    for script in scripts:
        script["script"] = str(EXAMPLES / folder / script["script"].rpartition("/")[2])
    scripts[:] = [script for script in scripts if only in (None, script["script"].rpartition("/")[2])]


def routes(family):
    """The kernel's routes that an example has made: (gateway or None, interface) by destination. Those are among them that a
    replay, such as the one at Kea's start, has yet to tell of."""
    command = ["ip", "-json", f"-{family}", "route", "show"]
    rows = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return {row["dst"]: (row.get("gateway"), row["dev"]) for row in rows if row.get("protocol") in ("67", "68")}


def forget_routes(family):
    """Removes them all, as a reboot does."""
    subprocess.run(["ip", f"-{family}", "route", "flush", "protocol", "67"], check=True)


def allowed(server, directory, *capabilities):
    """A program that starts the server with these capabilities alone, ambient ones as systemd gives them."""
    caps = ",".join(["-all", *(f"+{name}" for name in capabilities)])
    program = write_script(directory / f"{server}.allowed", f"""\
#!/bin/sh
exec setpriv --securebits +noroot --inh-caps {caps} --ambient-caps {caps} --bounding-set {caps} {server} "$@"
""")
    return str(program)
