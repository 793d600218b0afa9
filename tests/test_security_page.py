"""Each protection that SECURITY.md claims has its test."""

import re

import pytest

from rig.kea import REPOSITORY

PAGE = (REPOSITORY / "SECURITY.md").read_text()
CLAIMS = sorted(set(re.findall(r"`((?:tests|src|omapi)/[\w/]+\.(?:py|rs)(?:::\w+)?)`", PAGE)))


@pytest.mark.parametrize("claim", CLAIMS)
def test_it_is_there(claim):
    file, _, name = claim.partition("::")
    text = (REPOSITORY / file).read_text()
    assert re.search(rf"^ *(?:def|fn) {name + chr(92) + 'b' if name else ''}", text, re.M)


def test_each_row_of_its_tables_names_one():
    rows = [row for row in PAGE.split("\n") if row.startswith("| ") and not row.startswith("| ---")]
    without = [row for row in rows if not re.search("`(tests|src|omapi)/", row)]
    assert len(rows) > 20 and all(row.rstrip("| ").endswith("test") for row in without), without


def test_the_targets_of_make_are_there():
    makefile = (REPOSITORY / "Makefile").read_text()
    for target in set(re.findall(r"`make ([a-z]+)`", PAGE)):
        assert re.search(rf"^{target}:", makefile, re.M), target
