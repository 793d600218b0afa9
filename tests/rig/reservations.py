"""A server with the commands for reservations: those of our second library, or where Kea has its own (3.0) of ISC's."""

import json

from .configs import SUBNETS
from .kea import REPOSITORY, Kea, version
from .others import together

OURS = REPOSITORY / "build" / "kea-hook-reservations.so"
ISCS = "libdhcp_host_cmds.so"
IS_ISCS = version() >= (3,)
# One that stands in the configuration.
CONFIGURED = {4: {"hw-address": "02:00:00:00:0f:01", "ip-address": "192.0.2.201", "hostname": "conf1"},
              6: {"duid": "00:03:00:01:02:00:00:00:0f:01", "ip-addresses": ["2001:db8::f01"], "hostname": "conf1"}}


class Reserving(Kea):
    """`hosts` is a database for reservations, as Kea's configuration has it, with the libraries that takes."""

    def __init__(self, family, directory, hosts=None, libraries=lambda hooks: [], library=None, reserved=(), **config):
        directory.mkdir(exist_ok=True)
        hooks = directory / "hooks"
        hooks = hooks if hooks.exists() else together(directory, OURS)
        library = library or (ISCS if IS_ISCS else OURS.name)
        everything = [*libraries(hooks), {"library": f"{hooks}/{library}"}]
        whole = json.loads(json.dumps(SUBNETS[family]))
        subnet = whole[f"subnet{family}"][0]
        subnet["reservations"] = [CONFIGURED[family], *reserved]
        subnet["reservations-global"] = True
        if hosts:
            whole["hosts-database"] = hosts
        super().__init__(family, {**whole, **config}, directory, everything, environment={"KEA_HOOKS_PATH": str(hooks)})

    def reserve(self, verb, reservation, **more):
        """The answer to reservation-add or -update."""
        return self.command(f"reservation-{verb}", {"reservation": reservation, **more})
