"""One hard multiplier for every product."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from amaranth.hdl import Module, Value

from hwgen.hw.multiply import multiply
from hwgen.hw.product.binary import BinaryWeights
from hwgen.hw.product.form import (
    Levels,
    Sum,
    Term,
    product_bounds,
    range_of,
    register,
    span,
    sum_tree,
    tree_cost,
    tree_depth,
)
from hwgen.numeric.ranges import Range
from hwgen.targets import ECP5, GENERIC, Target
from hwgen.targets.resources import Resources

#: Multipliers stand in few rows, far from most LUTs: a register of its own halves the way to the adders.
PRODUCT_LATENCY = 3


class DspForm(BinaryWeights):
    """sum_l w_l * x_l on `simd` multipliers with registered inputs and outputs, then a pipelined adder tree.

    Latency: 3 + log2(simd). ECP5: simd MULT18X18D and about 18 LUT4 for each adder of the tree.
    """

    name = "dsp"

    def __init__(self, weights: np.ndarray, *, value: Range, target: Target) -> None:
        super().__init__(weights, value=value, target=target)
        limit = target.dsp
        if limit and (_signed_width(value) > limit[0] or _signed_width(self.weight) > limit[1]):
            raise ValueError(f"dsp: {value} times {self.weight} does not fit the {target.name} multiplier")

    @classmethod
    def suits(cls, levels: Levels, value: Range, simd: int, pe: int, target: Target) -> bool:
        if target.dsp is None:
            return False
        return max(_signed_width(value), _signed_width(span(levels))) <= min(target.dsp)

    @classmethod
    def cost(
        cls, simd: int, levels: Levels, value: Range, accumulator: Range, *, target: Target = ECP5
    ) -> Resources:
        width = accumulator.width
        product = (span(levels) * value).width
        total = tree_cost(simd, product, target)
        sums = target.adder_luts(width, "accumulate")
        return total + target.delay(simd * product) + Resources(lut4=sums, ff=width, dsp=simd)

    @property
    def latency(self) -> int:
        return PRODUCT_LATENCY + tree_depth(self.simd)

    def build(self, m: Module, lanes: Sequence[Value], word: Value) -> list[Sum]:
        (weights,) = self.decoded(word)
        terms = []
        for lane, (x, weight) in enumerate(zip(lanes, weights)):
            low, high = product_bounds(self.weights[0, :, lane], self.value)
            bounds = range_of(low, high)
            product = multiply(m, x, weight, bounds.width, target=self.target)
            terms.append(Term(register(m, product, bounds, "near"), low, high))
        root, _ = sum_tree(m, terms, target=self.target)
        return [Sum(root.value)]


class GenericForm(DspForm):
    """The same with everything inferred, for any family."""

    name = "generic"

    @classmethod
    def suits(cls, levels: Levels, value: Range, simd: int, pe: int, target: Target) -> bool:
        return target.inferred

    def __init__(self, weights: np.ndarray, *, value: Range, target: Target) -> None:
        super().__init__(weights, value=value, target=GENERIC)


def _signed_width(value: Range) -> int:
    return value.width + (not value.signed)
