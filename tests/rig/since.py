"""The mark of tests of what only newer versions of Kea have."""

import pytest

from .kea import version


def since(*oldest):
    """E.g. since(2, 6): an older Kea skips the test."""
    wanted, ours = (".".join(map(str, numbers)) for numbers in (oldest, version()))
    return pytest.mark.skipif(version() < oldest, reason=f"it takes Kea {wanted}, and this is {ours}")
