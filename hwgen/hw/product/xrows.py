"""Products in LUTs with the roles turned: AND rows of the weights, taken by the bits of the activations.

As many planes as an activation has bits, where RowsForm has as many as a weight has: for activations that are
narrower than the weights.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from amaranth.hdl import Cat, Module, Value

from hwgen.hw.product.binary import BinaryWeights
from hwgen.hw.product.form import Levels, Sum, span
from hwgen.hw.product.rows import RowsForm
from hwgen.numeric.ranges import Range
from hwgen.targets import ECP5, Target
from hwgen.targets.resources import Resources


class ActivationRowsForm(BinaryWeights):
    """RowsForm with weights for activations and activations for weights; its latency and cost."""

    name = "lut_x"

    def __init__(self, weights: np.ndarray, *, value: Range, target: Target) -> None:
        super().__init__(weights, value=value, target=target)
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

    @property
    def latency(self) -> int:
        return self.rows.latency

    def build(self, m: Module, lanes: Sequence[Value], word: Value) -> list[Sum]:
        (weights,) = self.decoded(word)
        return self.rows.build(m, weights, Cat(lanes))
