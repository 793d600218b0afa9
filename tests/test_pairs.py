"""What `make check` leaves out of a product of settings has each pair of values elsewhere."""

from itertools import product

import pytest

from rig.pairs import chosen, pairs


@pytest.mark.parametrize("sizes, most", [([31, 2, 2], 62), ([2, 2, 2], 4), ([2, 2, 2, 2], 6), ([4, 3, 3], 14), ([5, 2], 10),
                                         ([3], 3)], ids=str)
def test_each_pair_is_shown(sizes, most):
    everything = {numbers: pairs(dict(enumerate(numbers))) for numbers in product(*map(range, sizes))}
    shown = chosen(everything)
    assert set().union(*map(everything.get, shown)) == set().union(*everything.values())
    assert len(shown) == len(set(shown)) <= most
