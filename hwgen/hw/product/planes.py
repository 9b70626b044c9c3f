"""Weights -1 and +1 times integers, one bit plane of the activations after the other: XNOR-popcounts.

With u = x + 2**(n-1) for signed activations (their top bit inverted), else u = x, and bits u_k of u:

    sum_l w_l u_l = sum_k 2**k * sum_l w_l u_l,k      sum_l w_l u_l,k = popcount(w < 0 xor u_k) - #(w < 0)

Courbariaux et al., "Binarized Neural Networks", 2016, algorithm 4, there for the 8-bit inputs of a first
layer; cheapest for activations of 2 and 3 bits.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from amaranth.hdl import Cat, Module, Signal, Value

from hwgen.hw.popcount import add_popcount, popcount_cost, popcount_latency
from hwgen.hw.product.form import Levels, ProductForm, Sum, Term
from hwgen.hw.product.join import Scaled, join, join_cost, join_depth
from hwgen.numeric.ranges import Range
from hwgen.targets import ECP5, Target
from hwgen.targets.resources import Resources


class PlanesForm(ProductForm):
    """A popcount for each bit of the activations, joined; sums = W @ x + offset.

    Latency: that of the popcount and log2(bits). ECP5: about 1.6 LUT4 for each bit of a lane.
    """

    name = "planes"

    def __init__(self, weights: np.ndarray, *, value: Range, target: Target) -> None:
        super().__init__(weights, value=value, target=target)
        if not np.isin(self.weights, (-1, 1)).all():
            raise ValueError(f"planes: weights must be -1 or 1, not {np.unique(self.weights)}")

    @classmethod
    def suits(cls, levels: Levels, value: Range, simd: int, pe: int, target: Target) -> bool:
        return value.width > 1 and set(levels) <= {-1, 1}

    @classmethod
    def code_bits(cls, simd: int, levels: Levels, value: Range) -> int:
        return simd

    @classmethod
    def cost(
        cls, simd: int, levels: Levels, value: Range, accumulator: Range, *, target: Target = ECP5
    ) -> Resources:
        width = accumulator.width
        total = Resources(lut4=target.adder_luts(width, "accumulate"), ff=width)
        total += popcount_cost(simd, matches=False, target=target) * value.width
        groups = [(simd.bit_length(), plane) for plane in range(value.width)]
        return total + join_cost(groups, target)

    @classmethod
    def offset(cls, weights: np.ndarray, value: Range) -> np.ndarray:
        weights = np.asarray(weights)
        moved = (weights.sum(axis=-1) << (value.width - 1)) if value.signed else 0
        return moved + (weights < 0).sum(axis=-1) * ((1 << value.width) - 1)

    @property
    def latency(self) -> int:
        counted = popcount_latency(self.simd, matches=False, target=self.target)
        return counted + join_depth(self.value.width)

    @property
    def word_bits(self) -> int:
        return self.simd

    def encode(self, weights: np.ndarray) -> np.ndarray:
        return (weights[0] < 0).astype(np.uint8)

    def build(self, m: Module, lanes: Sequence[Value], word: Value) -> list[Sum]:
        least, most = np.zeros(1, dtype=np.int64), np.full(1, self.simd)
        groups = []
        for plane in range(self.value.width):
            bits = Cat(lane[plane] for lane in lanes)
            if self.value.signed and plane == self.value.width - 1:
                bits = ~bits
            count = Signal(self.simd.bit_length(), name="count")
            add_popcount(m, bits, word, count, matches=False, target=self.target)
            groups.append(Scaled(Term(count, least, most), plane))
        return [Sum(join(m, groups, target=self.target).term.value)]
