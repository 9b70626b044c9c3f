"""One option for each layer, the least price together, within two counted resources: exact.

Dynamic programming over the layers. best[d, b] is the least price of the layers so far with at most d and b
units of the two resources; a layer's option of (d', b') makes it best[d - d', b - b'] + price, for all d and
b at once. Of a layer's options only those are tried that no other beats in price and both resources.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Option(NamedTuple):
    """Price and use of both resources; name: the caller's number for it."""

    price: float
    first: int
    second: int
    name: int


def choose(layers: Sequence[Sequence[Option]], first: int, second: int) -> list[int] | None:
    """Name of the option of each layer, or None where nothing fits within `first` and `second`.

    Cost: layers x options x `first` x `second` additions, in NumPy.
    """
    if first < 0 or second < 0:
        return None
    cheapest = [min(options) for options in layers]
    if sum(o.first for o in cheapest) <= first and sum(o.second for o in cheapest) <= second:
        return [option.name for option in cheapest]
    kept = [undominated(options) for options in layers]
    first = min(first, sum(max(o.first for o in options) for options in kept))
    second = min(second, sum(max(o.second for o in options) for options in kept))
    best, taken = np.zeros((first + 1, second + 1)), []
    for options in kept:
        following = np.full_like(best, np.inf)
        which = np.zeros(best.shape, dtype=np.int16)
        for at, option in enumerate(options):
            if option.first > first or option.second > second:
                continue
            price = best[: first + 1 - option.first, : second + 1 - option.second] + option.price
            room = following[option.first :, option.second :]
            better = price < room
            room[better] = price[better]
            which[option.first :, option.second :][better] = at
        best = following
        taken.append(which)
    if not np.isfinite(best[first, second]):
        return None
    result = []
    for options, which in zip(reversed(kept), reversed(taken)):
        option = options[which[first, second]]
        result.append(option.name)
        first, second = first - option.first, second - option.second
    return result[::-1]


def undominated(options: Sequence[Option]) -> list[Option]:
    """The options without those that another one beats or equals in everything; by price."""
    kept: list[Option] = []
    for option in sorted(options):
        if not any(o.first <= option.first and o.second <= option.second for o in kept):
            kept.append(option)
    return kept
