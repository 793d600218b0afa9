"""What a client sends cannot pass for what Kea or an administrator says: a name of a list, a line of a value."""

import pytest

from rig.configs import SUBNET4, SUBNET6
from rig.dhcp4 import VENDOR_CLASS, stranger
from rig.dhcp6 import VENDOR_CLASS as VENDOR_CLASS6
from rig.dhcp6 import Client6
from rig.kea import Kea, hook


ENDS = [b"\0", b"\n", b"\r\n", b"\xe2\x80\xa8", b"\x0b", b"\xc2\x85", b"\x1e"]


@pytest.mark.parametrize("end", ENDS, ids=[end.hex() for end in ENDS])
def test_a_class4(link, tmp_path, recorder, end):
    with Kea(4, SUBNET4, tmp_path, [hook(recorder.script, hook_points=["subnet4_select"])]):
        stranger(link, options=[(VENDOR_CLASS, b"x" + end + b"REGISTERED")]).discover()
        [call] = recorder.wait(1)
    told_no_class(call["KEA_QUERY4_CLASSES"], end)


@pytest.mark.parametrize("end", ENDS, ids=[end.hex() for end in ENDS])
def test_a_class6(link, tmp_path, recorder, end):
    name = b"x" + end + b"REGISTERED"
    value = (4491).to_bytes(4, "big") + len(name).to_bytes(2, "big") + name
    with Kea(6, SUBNET6, tmp_path, [hook(recorder.script, hook_points=["subnet6_select"])]):
        Client6(link, options=[(VENDOR_CLASS6, value)]).solicit()
        [call] = recorder.wait(1)
    told_no_class(call["KEA_QUERY6_CLASSES"], end)


def told_no_class(classes, end):
    """Kea makes one class of what the client says."""
    escaped = "".join(f"\\x{byte:02x}" for byte in end)
    assert f"VENDOR_CLASS_x{escaped}REGISTERED" in classes.split("\n")
    assert "REGISTERED" not in classes.splitlines()
