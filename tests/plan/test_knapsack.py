"""The knapsack against every combination, and what it leaves out."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from hwgen.plan.knapsack import Option, choose, undominated


def best(layers: list[list[Option]], first: int, second: int) -> float | None:
    """Least price over all combinations that fit."""
    prices = [
        sum(o.price for o in each)
        for each in itertools.product(*layers)
        if sum(o.first for o in each) <= first and sum(o.second for o in each) <= second
    ]
    return min(prices, default=None)


@pytest.mark.parametrize("seed", range(12))
def test_cheapest_of_all_combinations(seed: int) -> None:
    rng = np.random.default_rng(seed)
    layers = [
        [Option(int(rng.integers(1, 99)), *rng.integers(0, 7, 2).tolist(), name) for name in range(5)]
        for _ in range(4)
    ]
    for first, second in ((0, 0), (3, 5), (8, 8), (13, 4), (99, 99)):
        found, least = choose(layers, first, second), best(layers, first, second)
        assert (found is None) == (least is None)
        if found is not None:
            taken = [options[index] for options, index in zip(layers, found)]
            assert sum(o.price for o in taken) == least
            assert sum(o.first for o in taken) <= first and sum(o.second for o in taken) <= second


def test_layers_differ_where_one_rule_for_all_would_not_fit() -> None:
    """Two layers, three block RAMs: the one that pays least for it gives its own back."""
    dear, cheap = [Option(10, 0, 2, 0), Option(500, 0, 0, 1)], [Option(10, 0, 2, 0), Option(60, 0, 0, 1)]
    assert choose([dear, cheap], 0, 4) == [0, 0]
    assert choose([dear, cheap], 0, 3) == [0, 1]
    assert choose([dear, cheap], 0, 1) == [1, 1]
    assert choose([dear, [Option(1, 1, 0, 0)]], 0, 9) is None
    assert choose([dear], -1, 9) is None


def test_options_that_never_win_are_left_out() -> None:
    good = [Option(1, 2, 2, 0), Option(2, 1, 2, 1), Option(3, 2, 0, 2)]
    assert undominated([Option(2, 2, 2, 3), *good, Option(3, 2, 1, 4)]) == good
