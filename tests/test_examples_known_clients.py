"""examples/known-clients: clients of a list get leases of their own; a guest gets a short one of another pool."""

from rig.dhcp4 import Client4
from rig.examples import example
from rig.kea import Kea

FRIEND, GUEST = "02:00:5e:10:00:0A", "02:00:5e:10:00:0b"


def config(tmp_path, **overrides):
    whole = example("known-clients", "kea-dhcp4.conf", **overrides)
    whole["hooks-libraries"][0]["parameters"]["args"] = [str(tmp_path / "list")]
    return whole


def lease(link, mac):
    """The pool that the client's address is of, by its last byte's hundreds, and its time."""
    ack = Client4(link, mac).dora()
    return int(ack.yiaddr.rpartition(".")[2]) // 200, ack.lease_time


def test_friends_and_guests(link, tmp_path):
    (tmp_path / "list").write_text(f"02:00:00:00:00:01\n{FRIEND}\n")
    with Kea(4, config(tmp_path), tmp_path) as kea:
        assert lease(link, FRIEND) == (0, 7200)
        assert lease(link, GUEST) == (1, 600)
        assert (kea.status()["failures"], kea.status()["refused"]) == (0, 0)
        # The list may change at any time.
        (tmp_path / "list").write_text("02:00:5e:10:00:0c\n")
        assert lease(link, "02:00:5e:10:00:0c") == (0, 7200)


def test_without_the_list_everybody_is_a_guest(link, tmp_path):
    with Kea(4, config(tmp_path), tmp_path) as kea:
        assert lease(link, FRIEND) == (1, 600)
        assert "exit status 1" in kea.said("EVENT_FAILED")[0]
        assert "No such file" in kea.said("ERROR_OUTPUT")[0]
