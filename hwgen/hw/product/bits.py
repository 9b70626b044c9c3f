"""Integers times integers, bit plane by bit plane: popcounts of weights' bits AND activations' bits.

With u = x + 2**(n-1) for signed activations (their top bit inverted), else u = x:

    sum_l w_l u_l = sum_i,k +-2**(i + k) * popcount(w_i AND u_k)      - for the sign's plane i only

As the popcount of a binary network (hw/popcount.py), its product AND for XNOR, at the same cost.
Zhou et al., "DoReFa-Net", 2016, equation 3.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from amaranth.hdl import Cat, Module, Value

from hwgen.hw.product.binary import BinaryWeights
from hwgen.hw.product.counts import add_counts, counts_cost, counts_depth
from hwgen.hw.product.form import Levels, Sum, span
from hwgen.hw.product.join import difference, difference_cost, difference_depth
from hwgen.hw.product.planes import bit_planes
from hwgen.numeric.ranges import Range
from hwgen.targets import ECP5, Target
from hwgen.targets.resources import Resources

MAX_COUNTS = 8


class BitsForm(BinaryWeights):
    """A popcount for each sign and power of two, joined; sums = W @ x + offset.

    Latency: that of the popcounts, log2 of their number, and 1 where there are both signs. ECP5: about 1.6
    LUT4 a lane for each pair of planes.
    """

    name = "bits"

    @classmethod
    def suits(cls, levels: Levels, value: Range, simd: int, pe: int, target: Target) -> bool:
        return value.width * span(levels).width <= MAX_COUNTS

    @classmethod
    def cost(
        cls, simd: int, levels: Levels, value: Range, accumulator: Range, *, target: Target = ECP5
    ) -> Resources:
        weight, width = span(levels), accumulator.width
        total = Resources(lut4=target.adder_luts(width, "accumulate"), ff=width)
        depth = _depth(simd, weight, value, target)
        (plus, added), (minus, taken) = (
            counts_cost(simd, [scale for *_, scale in part], depth, target)
            for part in _planes(weight, value.width)
        )
        return total + plus + minus + difference_cost(added, taken, target)

    @classmethod
    def offset(cls, weights: np.ndarray, value: Range) -> np.ndarray:
        moved = 1 << (value.width - 1) if value.signed else 0
        return moved * np.asarray(weights).sum(axis=-1)

    @property
    def latency(self) -> int:
        parts = [{scale for *_, scale in part} for part in _planes(self.weight, self.value.width)]
        counted = _depth(self.simd, self.weight, self.value, self.target)
        return counted + difference_depth(*map(len, parts))

    def build(self, m: Module, lanes: Sequence[Value], word: Value) -> list[Sum]:
        bits, planes = self.weight.width, bit_planes(lanes, self.value)
        weights = [Cat(word[at] for at in range(first, len(word), bits)) for first in range(bits)]
        depth, parts = _depth(self.simd, self.weight, self.value, self.target), []
        for part in _planes(self.weight, self.value.width):
            pairs = [(scale, planes[of_x], weights[of_weight]) for of_weight, of_x, scale in part]
            parts.append(add_counts(m, pairs, depth=depth, both=True, target=self.target))
        return [Sum(difference(m, *parts, target=self.target).value)]


def _depth(simd: int, weight: Range, value: Range, target: Target) -> int:
    """Clocks of all popcounts."""
    parts = [[scale for *_, scale in part] for part in _planes(weight, value.width)]
    return max(counts_depth(simd, part, target) for part in parts if part)


def _planes(weight: Range, bits: int) -> tuple[list[tuple[int, int, int]], list[tuple[int, int, int]]]:
    """(plane of the weights, plane of x, their scale) of what is added and of what is subtracted."""
    pairs = [(i, k, i + k) for i in range(weight.width) for k in range(bits)]
    sign = weight.width - 1 if weight.signed else None
    return [each for each in pairs if each[0] != sign], [each for each in pairs if each[0] == sign]
