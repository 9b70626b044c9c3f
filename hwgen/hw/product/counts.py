"""Popcounts of many pairs of bit planes, one for each power of two that they stand at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from amaranth.hdl import Cat, Module, Signal, Value

from hwgen.hw.popcount import add_popcount, popcount_cost, popcount_latency
from hwgen.hw.product.form import Term
from hwgen.hw.product.join import Scaled
from hwgen.targets import Target
from hwgen.targets.resources import Resources


def add_counts(
    m: Module, pairs: Sequence[tuple[int, Value, Value]], *, depth: int, both: bool, target: Target
) -> list[Scaled]:
    """Number of ones in a ^ w (a & w if `both`) of the (scale, a, w) of each scale, `depth` clocks later.

    depth: `counts_depth` of these or more scales.
    """
    groups = []
    for scale in sorted({scale for scale, *_ in pairs}):
        a = Cat(bits for at, bits, _ in pairs if at == scale)
        w = Cat(bits for at, _, bits in pairs if at == scale)
        count = Signal(len(a).bit_length(), name="count")
        add_popcount(m, a, w, count, matches=False, both=both, target=target)
        group = Scaled(Term(count, np.zeros(1, dtype=np.int64), np.full(1, len(a))), scale)
        for _ in range(depth - popcount_latency(len(a), matches=False, target=target)):
            group = group.delayed(m)
        groups.append(group)
    return groups


def counts_depth(simd: int, scales: Sequence[int], target: Target) -> int:
    """Clocks that the slowest popcount takes."""
    return max(
        popcount_latency(simd * count, matches=False, target=target) for count in Counter(scales).values()
    )


def counts_cost(
    simd: int, scales: Sequence[int], depth: int, target: Target
) -> tuple[Resources, list[tuple[int, int]]]:
    """Estimate of `add_counts` for pairs of `simd` lanes at these scales; (width, scale) of each count."""
    total, groups = Resources(), []
    for scale, count in Counter(scales).items():
        lanes = simd * count
        late = depth - popcount_latency(lanes, matches=False, target=target)
        total += popcount_cost(lanes, matches=False, target=target)
        total += Resources(ff=late * lanes.bit_length())
        groups.append((lanes.bit_length(), scale))
    return total, groups
