"""Products in LUTs with the roles turned: AND rows of the weights, taken by the bits of the activations.

As many planes as an activation has bits, where RowsForm has as many as a weight has: for activations that are
narrower than the weights.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from amaranth.hdl import Cat, Module, Value

from hwgen.hw.product.form import Levels, ProductForm, Sum, bits_of, range_of, span
from hwgen.hw.product.rows import RowsForm
from hwgen.numeric.ranges import Range
from hwgen.targets import ECP5, Target
from hwgen.targets.resources import Resources


class ActivationRowsForm(ProductForm):
    """RowsForm with weights for activations and activations for weights; its latency and cost."""

    name = "lut_x"

    def __init__(self, weights: np.ndarray, *, value: Range, target: Target) -> None:
        super().__init__(weights, value=value, target=target)
        self.weight = range_of(self.weights, self.weights)
        every = np.arange(value.lo, value.hi + 1)[None, :, None].repeat(self.simd, axis=2)
        self.rows = RowsForm(every, value=self.weight, target=target)

    @classmethod
    def suits(cls, levels: Levels, value: Range, simd: int, pe: int, target: Target) -> bool:
        weight = span(levels)
        return value.width < weight.width and RowsForm.suits((value.lo, value.hi), weight, simd, pe, target)

    @classmethod
    def cost(
        cls, simd: int, levels: Levels, value: Range, accumulator: Range, *, target: Target = ECP5
    ) -> Resources:
        return RowsForm.cost(simd, (value.lo, value.hi), span(levels), accumulator, target=target)

    @classmethod
    def code_bits(cls, simd: int, levels: Levels, value: Range) -> int:
        return simd * span(levels).width

    @property
    def latency(self) -> int:
        return self.rows.latency

    @property
    def word_bits(self) -> int:
        return self.simd * self.weight.width

    def encode(self, weights: np.ndarray) -> np.ndarray:
        return bits_of(weights[0], self.weight.width).reshape(weights.shape[1], -1)

    def build(self, m: Module, lanes: Sequence[Value], word: Value) -> list[Sum]:
        bits = self.weight.width
        weights = [word[at : at + bits] for at in range(0, len(word), bits)]
        if self.weight.signed:
            weights = [each.as_signed() for each in weights]
        return self.rows.build(m, weights, Cat(lanes))
