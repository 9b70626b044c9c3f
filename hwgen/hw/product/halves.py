"""Two products in one hard multiplier that splits into halves, each with its operands of 8 bits (SB_MAC16).

Either two outputs share a multiplier, lane by lane, or two lanes of one output do. The sum of two lanes comes
out of the multiplier's own adder where it fits its 16 bits, which saves the first level of the adder tree.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from amaranth.hdl import C, Module, Value

from hwgen.hw.multiply import multiply_two
from hwgen.hw.product.binary import BinaryWeights
from hwgen.hw.product.dsp import DspForm
from hwgen.hw.product.form import (
    Levels,
    ProductForm,
    Sum,
    Term,
    product_bounds,
    range_of,
    span,
    sum_tree,
    tree_cost,
    tree_depth,
)
from hwgen.numeric.ranges import Range
from hwgen.targets import ECP5, Target
from hwgen.targets.resources import Resources

HALF_BITS = 8
SUM_BITS = 16


class HalvesForm(BinaryWeights):
    """Two outputs, `simd` multipliers: x_l times the weights of both. Latency: 2 + log2(simd)."""

    name = "dsp8"
    outputs = 2
    single: ClassVar[type[ProductForm] | None] = DspForm

    def __init__(self, weights: np.ndarray, *, value: Range, target: Target) -> None:
        super().__init__(weights, value=value, target=target)
        if max(value.width, self.weight.width) > HALF_BITS:
            raise ValueError(f"{self.name}: {value} times {self.weight} takes more than {HALF_BITS} bits")

    @classmethod
    def suits(cls, levels: Levels, value: Range, simd: int, pe: int, target: Target) -> bool:
        fits = max(value.width, span(levels).width) <= target.halves
        return fits and pe % cls.outputs == 0

    @classmethod
    def cost(
        cls, simd: int, levels: Levels, value: Range, accumulator: Range, *, target: Target = ECP5
    ) -> Resources:
        width = accumulator.width
        each = tree_cost(simd, (span(levels) * value).width, target)
        each += Resources(lut4=target.adder_luts(width, "accumulate"), ff=width)
        return each * 2 + Resources(dsp=simd)

    @property
    def latency(self) -> int:
        return 2 + tree_depth(self.simd)

    def build(self, m: Module, lanes: Sequence[Value], word: Value) -> list[Sum]:
        first, second = self.decoded(word)
        terms: tuple[list[Term], list[Term]] = ([], [])
        for lane, (x, *codes) in enumerate(zip(lanes, first, second)):
            products = multiply_two(m, (x, x), (codes[0], codes[1]), SUM_BITS, target=self.target)
            for row, product in enumerate(products):
                terms[row].append(self._term(product, row, slice(lane, lane + 1)))
        return [Sum(sum_tree(m, each, target=self.target)[0].value) for each in terms]

    def _term(self, value: Value, row: int, lanes: slice) -> Term:
        """The sum of the products of these lanes, `value` in no more bits than it takes."""
        low, high = (each.sum(axis=1) for each in product_bounds(self.weights[row, :, lanes], self.value))
        bounds = range_of(low, high)
        part = value[: bounds.width]
        return Term(part.as_signed() if bounds.signed else part, low, high)


class HalvesOfLanesForm(HalvesForm):
    """One output, two lanes a multiplier. Latency: 3 + log2(simd / 2), 2 + log2(simd) for wide sums."""

    name = "dsp8_lanes"
    outputs = 1
    single = None

    @classmethod
    def suits(cls, levels: Levels, value: Range, simd: int, pe: int, target: Target) -> bool:
        return simd > 1 and super().suits(levels, value, simd, pe, target)

    @classmethod
    def cost(
        cls, simd: int, levels: Levels, value: Range, accumulator: Range, *, target: Target = ECP5
    ) -> Resources:
        width, product = accumulator.width, span(levels) * value
        pairs = (simd + 1) // 2
        total = Resources(lut4=target.adder_luts(width, "accumulate"), ff=width, dsp=pairs)
        if _fits(product):
            return total + tree_cost(pairs, product.width + 1, target)
        return total + tree_cost(simd, product.width, target)

    def __init__(self, weights: np.ndarray, *, value: Range, target: Target) -> None:
        super().__init__(weights, value=value, target=target)
        self.summed = _fits(self.weight * value)

    @property
    def latency(self) -> int:
        return 3 + tree_depth((self.simd + 1) // 2) if self.summed else super().latency

    def build(self, m: Module, lanes: Sequence[Value], word: Value) -> list[Sum]:
        (codes,) = self.decoded(word)
        terms = []
        for lane in range(0, self.simd, 2):
            x, w = list(lanes[lane : lane + 2]), codes[lane : lane + 2]
            if len(x) == 1:  # nothing in the other half
                x, w = [*x, C(0, x[0].shape())], [*w, C(0, w[0].shape())]
            pairs = (x[0], x[1]), (w[0], w[1])
            products = multiply_two(m, *pairs, SUM_BITS, total=self.summed, target=self.target)
            for at, product in enumerate(products[: self.simd - lane]):
                width = 2 if self.summed else 1
                terms.append(self._term(product, 0, slice(lane + at, lane + at + width)))
        root, _ = sum_tree(m, terms, target=self.target)
        return [Sum(root.value)]


def _fits(product: Range) -> bool:
    """Whether the sum of two such products fits the multiplier's adder, signed or not."""
    return Range(2 * product.lo, 2 * product.hi).width <= SUM_BITS
