"""What tests of handlers that take events ahead have in common."""

from .configs import SUBNET4
from .dhcp4 import OFFER, VENDOR_CLASS, stranger
from .kea import Kea
from .wait import wait_until

AHEAD = 8
POINT = "pkt4_receive"


def serve(tmp_path, one, concurrency=1, **parameters):
    parameters = {"hook_points": [POINT], "wait": False, **parameters}
    # Newer Keas keep a released address for its client otherwise.
    config = {**SUBNET4, "expired-leases-processing": {"hold-reclaimed-time": 0}}
    return Kea(4, config, tmp_path, [one.hook(concurrency=concurrency, **parameters)])


def tell(client, *deeds):
    """An event for each of these; one that the handler does not know it answers at once."""
    for deed in deeds:
        assert client.discover(options=[(VENDOR_CLASS, deed.encode())]).type == OFFER


def hold(link, one, lanes=1):
    """Keeps so many lanes at work until `go`: what comes meanwhile is queued."""
    for number in range(lanes):
        tell(stranger(link), "late")
        one.wait(number + 1)


def let_go(one, count, lanes=1):
    """Lets them go, and waits until so many lines more have come."""
    one.touch("go")
    wait_until(lambda: len(one.came()) == lanes + count, lambda: f"{count} lines more ({one.came()})")


def told(one):
    """The events after those that kept the lanes at work."""
    return [entry for entry in one.events() if entry.deed != "late"]


def deeds(one):
    return [entry.deed for entry in told(one)]


def lanes(one, *names):
    """The lanes on which these were handled, each once."""
    return list(dict.fromkeys((entry.pid, entry.lane) for entry in told(one) if entry.deed in names))


def counts(kea):
    status = kea.status()
    return status["failures"], status["timeouts"], status["dropped"]
