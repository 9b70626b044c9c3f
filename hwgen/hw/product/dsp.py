"""One hard multiplier for every product."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from amaranth.hdl import Module, Value

from hwgen.hw.multiply import multiply
from hwgen.hw.product.form import (
    Levels,
    ProductForm,
    Sum,
    Term,
    bits_of,
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


class DspForm(ProductForm):
    """sum_l w_l * x_l on `simd` multipliers with registered inputs and outputs, then a pipelined adder tree.

    Latency: 3 + log2(simd). ECP5: simd MULT18X18D and about 18 LUT4 for each adder of the tree.
    """

    name = "dsp"

    def __init__(self, weights: np.ndarray, *, value: Range, target: Target) -> None:
        super().__init__(weights, value=value, target=target)
        self.weight = range_of(self.weights, self.weights)
        limit = target.dsp
        if limit and (_signed_width(value) > limit[0] or _signed_width(self.weight) > limit[1]):
            raise ValueError(f"dsp: {value} times {self.weight} does not fit the {target.name} multiplier")

    @classmethod
    def code_bits(cls, simd: int, levels: Levels, value: Range) -> int:
        return simd * span(levels).width

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

    @property
    def word_bits(self) -> int:
        return self.simd * self.weight.width

    def encode(self, weights: np.ndarray) -> np.ndarray:
        return bits_of(weights[0], self.weight.width).reshape(weights.shape[1], -1)

    def build(self, m: Module, lanes: Sequence[Value], word: Value) -> list[Sum]:
        width = self.weight.width
        terms = []
        for lane, x in enumerate(lanes):
            low, high = product_bounds(self.weights[0, :, lane], self.value)
            code = word[lane * width : (lane + 1) * width]
            bounds = range_of(low, high)
            weight = code.as_signed() if self.weight.signed else code
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
