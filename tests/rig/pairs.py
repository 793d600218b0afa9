"""Pairs instead of products: most faults of several settings need two of them, and a product grows with each."""

from collections import Counter, defaultdict
from itertools import combinations

import pytest


def mark_products(items):
    """Of each test with the mark `pairs`, gives the mark `product` to the combinations that show no pair of values anew."""
    tests = defaultdict(list)
    for item in items:
        if item.get_closest_marker("pairs"):
            tests[item.parent, item.originalname].append(item)
    for combined in tests.values():
        shown = chosen({item: pairs(item.callspec.params) for item in combined})
        for item in combined:
            if item not in shown:
                item.add_marker(pytest.mark.product)


def pairs(values):
    """Of a mapping, each two of its items; the one, should there be no other."""
    rows = [(name, repr(values[name])) for name in sorted(values)]
    return set(combinations(rows, min(2, len(rows))))


def chosen(shows):
    """Keys that together show all that is to be shown: each time one that shows most of what is left, and least of the rest."""
    left, times, keys = set().union(*shows.values()), Counter(), []
    while left:
        keys.append(max(shows, key=lambda key: (len(shows[key] & left), -sum(times[shown] for shown in shows[key]))))
        left -= shows[keys[-1]]
        times.update(shows[keys[-1]])
    return keys
