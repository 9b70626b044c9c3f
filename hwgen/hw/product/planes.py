"""Weights of signs only times integers, one bit plane after the other: XNOR-popcounts.

With u = x + 2**(n-1) for signed activations (their top bit inverted), else u = x, bits u_k of u, and weights
w = sum_i 2**i s_i of `signs` signs s_i in {-1, 1} (one for bipolar weights, more for odd ones):

    sum_l w_l u_l = sum_i,k 2**(i + k) * sum_l s_l,i u_l,k
    sum_l s_l,i u_l,k = popcount(s_i < 0 xor u_k) - #(s_i < 0)

Courbariaux et al., "Binarized Neural Networks", 2016, algorithm 4, there for the 8-bit inputs of a first
layer; cheapest for activations of 2 and 3 bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from amaranth.hdl import Cat, Module, Value

from hwgen.hw.product.counts import add_counts, counts_cost, counts_depth
from hwgen.hw.product.form import Levels, ProductForm, Sum, bits_of
from hwgen.hw.product.join import join, join_cost, join_depth
from hwgen.numeric.ranges import Range
from hwgen.targets import ECP5, Target
from hwgen.targets.resources import Resources


class PlanesForm(ProductForm):
    """A popcount for each power of two, joined; sums = W @ x + offset.

    Latency: that of the popcounts and log2 of their number. ECP5: about 1.6 LUT4 for each sign and bit of a
    lane.
    """

    name = "planes"
    signs: ClassVar[int] = 1

    def __init__(self, weights: np.ndarray, *, value: Range, target: Target) -> None:
        super().__init__(weights, value=value, target=target)
        if not self._holds(self.weights):
            raise ValueError(
                f"{self.name}: weights must be odd and below {1 << self.signs}, not "
                f"{self.weights.min()} .. {self.weights.max()}"
            )

    @classmethod
    def _holds(cls, weights: np.ndarray) -> bool:
        return bool((weights & 1).all() and (abs(weights) < 1 << cls.signs).all())

    @classmethod
    def suits(cls, levels: Levels, value: Range, simd: int, pe: int, target: Target) -> bool:
        fewer = all(abs(level) < 1 << (cls.signs - 1) for level in levels)
        plain = value.width == 1 and cls.signs == 1  # xnor
        return not plain and not fewer and cls._holds(np.array(levels))

    @classmethod
    def code_bits(cls, simd: int, levels: Levels, value: Range) -> int:
        return simd * cls.signs

    @classmethod
    def _scales(cls, value: Range) -> list[int]:
        return [i + k for i in range(cls.signs) for k in range(value.width)]

    @classmethod
    def cost(
        cls, simd: int, levels: Levels, value: Range, accumulator: Range, *, target: Target = ECP5
    ) -> Resources:
        width, scales = accumulator.width, cls._scales(value)
        total = Resources(lut4=target.adder_luts(width, "accumulate"), ff=width)
        counts, groups = counts_cost(simd, scales, counts_depth(simd, scales, target), target)
        return total + counts + join_cost(groups, target)

    @classmethod
    def offset(cls, weights: np.ndarray, value: Range) -> np.ndarray:
        weights = np.asarray(weights)
        moved = (weights.sum(axis=-1) << (value.width - 1)) if value.signed else 0
        negative = (((1 << cls.signs) - 1 - weights) >> 1).sum(axis=-1)  # sum of 2**i over the s_i < 0
        return moved + negative * ((1 << value.width) - 1)

    @property
    def latency(self) -> int:
        scales = self._scales(self.value)
        return counts_depth(self.simd, scales, self.target) + join_depth(len(set(scales)))

    @property
    def word_bits(self) -> int:
        return self.simd * self.signs

    def encode(self, weights: np.ndarray) -> np.ndarray:
        """Of each lane: 1 for each sign that is -1, the lowest first."""
        negative = ((1 << self.signs) - 1 - weights[0]) >> 1
        return bits_of(negative, self.signs).reshape(weights.shape[1], -1)

    def build(self, m: Module, lanes: Sequence[Value], word: Value) -> list[Sum]:
        signs = [Cat(word[at] for at in range(i, len(word), self.signs)) for i in range(self.signs)]
        planes = bit_planes(lanes, self.value)
        pairs = [(i + k, plane, sign) for i, sign in enumerate(signs) for k, plane in enumerate(planes)]
        depth = counts_depth(self.simd, self._scales(self.value), self.target)
        groups = add_counts(m, pairs, depth=depth, both=False, target=self.target)
        return [Sum(join(m, groups, target=self.target).term.value)]


class TwoSignsForm(PlanesForm):
    """The same for weights -3, -1, 1, 3."""

    name = "planes2"
    signs = 2


class ThreeSignsForm(PlanesForm):
    """The same for odd weights up to 7."""

    name = "planes3"
    signs = 3


def bit_planes(lanes: Sequence[Value], value: Range) -> list[Value]:
    """Bits of all lanes' u, the lowest first."""
    top = value.width - 1 if value.signed else None
    return [Cat(~x[at] if at == top else x[at] for x in lanes) for at in range(value.width)]
