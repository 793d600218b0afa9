"""What tests of `wait: "park"` have in common."""

import re

import pytest

from .configs import SUBNETS, THREADS
from .dhcp4 import REQUEST, REQUESTED_ADDRESS, SERVER_ID, NoAnswer, address_bytes
from .kea import HOOK, Kea, hook

THREADING = pytest.mark.parametrize("threads", [{}, THREADS], ids=["single", "threads"])
MOMENT = 0.2
# Errors of Kea's own: of a packet that finds no subnet; and of any frame, be it a neighbour solicitation, that comes at a
# reload between the opening of a raw socket and its filter.
OF_KEA = re.compile(r"\.bad-packets/|DHCP[46]_BUFFER_RECEIVE_FAIL")


def parking(script, *points, **parameters):
    """An entry of "scripts"; with `answers`, the script's answer may be missed."""
    missed = {"on-failure": "continue"} if parameters.get("answers") else {}
    return {"script": str(script), "wait": "park", "hook-points": list(points or ["leases4_committed"]), **missed,
            **parameters}


def serve(tmp_path, *scripts, family=4, hooks=None, first=(), last=(), **config):
    """A server with the library, and with others before or after it, from a directory `hooks`."""
    subnets = SUBNETS[family]
    ours = hook(scripts=list(scripts))
    hooks = hooks or HOOK.parent
    ours["library"] = f"{hooks}/{HOOK.name}"
    return Kea(family, {**subnets, **config}, tmp_path, [*first, ours, *last], environment={"KEA_HOOKS_PATH": str(hooks)})


def ask_for(client, offer):
    """Sends a DHCPREQUEST; returns a function that waits for its answer."""
    chosen = [(REQUESTED_ADDRESS, address_bytes(offer.yiaddr)), (SERVER_ID, offer.option(SERVER_ID))]
    message = client.message(REQUEST, chosen)
    client.send(message)
    return lambda timeout=5: client.wire.receive(message.xid, timeout)


def silent(answer):
    with pytest.raises(NoAnswer):
        answer(timeout=MOMENT)


def nothing_wrong(kea):
    assert kea.status()["refused"] == kea.status()["failures"] == 0, kea.said("(?:ANSWER_REFUSED|EVENT_FAILED)")
    errors = [line for line in kea.log().splitlines() if " ERROR " in line and not OF_KEA.search(line)]
    assert not errors, errors
