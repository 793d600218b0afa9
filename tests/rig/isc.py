"""ISC's library and ours in the same Kea, each with a script of its own."""

from .kea import HOOK, Kea, hook, version
from .others import together
from .recorded import escape
from .recorder import Recorder
from .wait import quiet, wait_until


class SideBySide:
    """What ISC's library calls, and what ours calls in its dialect: not waiting, as ISC's library does, and in order.

    `before` are entries of other libraries, which come first; `more` are further scripts of ours.
    """

    def __init__(self, family, config, directory, before=(), more=(), files=(), scripts=None):
        self.iscs, self.ours = scripts or (Recorder(directory, name="iscs"), Recorder(directory, name="ours"))
        self.ordered = Recorder(directory, name="ordered")
        hooks = together(directory, *files)
        isc = {"library": f"{hooks}/libdhcp_run_script.so", "parameters": {"name": str(self.iscs.script), "sync": False}}
        not_waited = {"script": str(self.ours.script), "dialect": "isc"}
        waited = {"script": str(self.ordered.script), "dialect": "isc", "sync": True}
        ours = {**hook(scripts=[not_waited, waited, *more]), "library": f"{hooks}/{HOOK.name}"}
        self.libraries = [*({"library": f"{hooks}/{name}"} for name in before), isc, ours]
        self.kea = Kea(family, config, directory, self.libraries, environment={"KEA_HOOKS_PATH": str(hooks)})

    def __enter__(self):
        self.kea.__enter__()
        return self

    def __exit__(self, *error):
        self.kea.__exit__(*error)

    def reconfigure(self, config):
        self.kea.configure(config, self.libraries)
        self.kea.reload()

    def settle(self, count=0):
        """Waits until all three scripts have had as many calls, `count` at least; returns how many."""
        def counts():
            return [len(recorder.calls()) for recorder in (self.iscs, self.ours, self.ordered)]
        wait_until(lambda: len(set(counts())) == 1 and counts()[0] >= count, lambda: f"as many calls ({counts()})")
        return counts()[0]

    def compare(self):
        """The calls are the same, variable by variable; ours come in Kea's order."""
        # Kea is at work on no packet when it answers a command.
        quiet(self.kea)
        iscs, ours, in_order = self.settled()
        assert sorted(ours) == sorted(iscs)
        for whose in set(map(client, ours)):
            mine, wanted = ([call for call in calls if client(call) == whose] for calls in (ours, in_order))
            assert mine == wanted
        return self.ours.calls()

    def settled(self):
        """The calls of the three; a lease may run out while they are read."""
        while True:
            self.settle()
            calls = list(map(as_ours, self.iscs.calls())), list(map(told, self.ours.calls())), list(map(told, self.ordered.calls()))
            if len(set(map(len, calls))) == 1:
                return calls


def as_ours(call):
    """A call of ISC's library as we make it: what a client has sent is escaped."""
    return call.args, sorted((name, escape(value.encode("utf-8", "surrogateescape"))) for name, value in call.env.items())


# What ISC's library tells from this version on.
SINCE = {"QUERY6_OPTION_18": (3, 0), "QUERY6_OPTION_37": (3, 0), "QUERY6_OPTION_38": (3, 0)}


def told(call):
    """A call of ours without what is at every hook point, and what ISC's library of this Kea does not tell yet."""
    return call.args, sorted((name, value) for name, value in call.env.items()
                             if not name.startswith("KEA_") and version() >= SINCE.get(name, (0,)))


def client(call):
    """Whose it is, by its packet or its lease."""
    _, variables = call
    names = "QUERY4_HWADDR", "QUERY6_CLIENT_ID", "LEASE4_HWADDR", "LEASE6_DUID"
    return next((value for name, value in variables if name in names), "")
