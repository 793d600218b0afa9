"""Lease events: a server whose script hears of them, clients of either family, and what the script was told."""

import json
from dataclasses import dataclass

from .configs import SUBNETS
from .dhcp4 import Client4, stranger
from .dhcp6 import Client6
from .kea import HOOK, Kea, hook
from .others import together
from .wait import quiet

POINT = {4: "lease4_changed", 6: "lease6_changed"}
# A lease that has ended is noticed at once, and deleted.
PROMPT = {"expired-leases-processing": {"reclaim-timer-wait-time": 1, "hold-reclaimed-time": 0}}


class Listening(Kea):
    """A server with lease_cmds, and a script of ours that hears of leases; `also` are other hook points of its."""

    database_libraries = staticmethod(lambda hooks: [])

    def __init__(self, family, tmp_path, recorder, also=(), parameters=None, replay=False, directory=None, libraries=(),
                 **config):
        directory = directory or tmp_path
        hooks = directory / "hooks"
        hooks = hooks if hooks.exists() else together(directory)
        # Behind lease_cmds: commands are heard all the same.
        ours = {**hook(recorder.script, hook_points=[POINT[family], *also], replay=replay, **(parameters or {})),
                "library": f"{hooks}/{HOOK.name}"}
        everything = [*self.database_libraries(hooks), {"library": f"{hooks}/libdhcp_lease_cmds.so"}, ours,
                      *({**one, "library": f"{hooks}/{one['library']}"} for one in libraries)]
        # Kea 3.0 gives a lease once more from its cache, unless told otherwise.
        cache = {} if "cache-threshold" in config else {"cache-max-age": 0}
        super().__init__(family, {**SUBNETS[family], **cache, **config}, directory, everything,
                         environment={"KEA_HOOKS_PATH": str(hooks)})
        self.recorder = recorder

    def done(self, command, arguments=None):
        answer = self.command(command, arguments)
        assert answer["result"] == 0, answer
        return answer.get("arguments")

    def changed(self, subnet=(), **config):
        """Reads a configuration with these entries, of the subnet or beside it."""
        [whole] = json.loads(self.config_file.read_text()).values()
        whole[f"subnet{self.family}"][0].update(subnet)
        whole.update(config)
        self.configure(whole)
        self.reload()

    def before(self, libraries):
        """Has these libraries stand before all others; Kea reads that if it serves."""
        [whole] = json.loads(self.config_file.read_text()).values()
        own = [one for one in whole["hooks-libraries"] if "still" not in one["library"]]
        self.configure({**whole, "hooks-libraries": [*libraries, *own]})
        if self.alive():
            self.reload()

    def told(self):
        """What the script has been told when nothing is left to be told."""
        quiet(self)
        return told(self.recorder, self.family)


@dataclass(frozen=True)
class Told:
    """An event, in short: e.g. `add 192.0.2.10`, or `del:released 2001:db8:8000::/56`."""

    text: str
    call: object

    def __getitem__(self, variable):
        return self.call[variable]

    def get(self, variable, default=None):
        return self.call.get(variable, default)


def told(recorder, family):
    return [one(call, family) for call in recorder.calls(POINT[family])]


def one(call, family):
    action = ":".join(filter(None, [call["KEA_ACTION"], call.get("KEA_REASON")]))
    lease = call.get(f"KEA_LEASE{family}_DELEGATED_PREFIX") or call.get(f"KEA_LEASE{family}_ADDRESS", "")
    return Told(f"{action} {lease}".rstrip(), call)


def texts(events):
    return [event.text for event in events]


class Customer:
    """A client of either family, for one address."""

    def __init__(self, link, family, mac=None, **how):
        self.family = family
        self.client = self.make(link, mac, how)

    def make(self, link, mac, how):
        if self.family == 6:
            return Client6(link, *([mac] if mac else []), **how)
        return Client4(link, mac, **how) if mac else stranger(link, **how)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.family == 6:
            self.client.port.close()

    def ask(self):
        """Is only offered an address."""
        return self.client.discover() if self.family == 4 else self.client.solicit()

    def get(self):
        """Is given one, or the same again; returns it."""
        self.client.dora() if self.family == 4 else self.client.sarr()
        return self.address

    @property
    def address(self):
        return self.client.address if self.family == 4 else self.client.leases[0]

    def renew(self):
        self.client.renew()
        return self.address

    def release(self):
        self.client.release()

    def decline(self):
        self.client.decline()

    @property
    def identity(self):
        """As a command names it."""
        if self.family == 4:
            return {"hw-address": self.client.mac}
        return {"duid": self.client.duid.hex(":"), "iaid": 1}
