"""Two products of one multiplication: lanes taken in pairs.

    w0 x0 + w1 x1 = (x0 + w1)(x1 + w0) - x0 x1 - w0 w1

The last term is a constant of the weights (`offset`), and x0 x1 does not depend on the output, so it is
computed once for all (`build_shared`): what is left for each output is one multiplication and two short sums
for two products. Activations without a sign are moved to the middle of their range first,
x' = x - 2**(n-1), which inverts their top bit only and keeps the sums one bit narrower;
sum w x = sum w x' + 2**(n-1) sum w.

The identity: S. Winograd, "A new algorithm for inner product", IEEE Trans. Computers C-17, 1968. In hardware:
T. Pogue, N. Nicolici, "Fast inner-product algorithms and architectures for deep neural network accelerators",
IEEE Trans. Computers, 2024.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from amaranth.hdl import Cat, Module, Value

from hwgen.hw import carry
from hwgen.hw.product.binary import BinaryWeights
from hwgen.hw.product.dsp import DspForm
from hwgen.hw.product.form import Levels, ProductForm, Sum, register, span
from hwgen.hw.product.rows import RowsForm
from hwgen.numeric.ranges import Range
from hwgen.targets import ECP5, Target
from hwgen.targets.resources import Resources


class PairForm(BinaryWeights):
    """sums = W @ x + sum x0' x1' + sum w0 w1 - 2**(n-1) sum w over the pairs, an odd lane as it is.

    Latency: that of `inner` with half the lanes, and 1. ECP5: simd / 2 multipliers and about 11 LUT4 a lane.
    """

    name = "pair"
    shared = True
    inner: ClassVar[type[ProductForm]] = DspForm

    def __init__(self, weights: np.ndarray, *, value: Range, target: Target) -> None:
        super().__init__(weights, value=value, target=target)
        if self.simd < 2:
            raise ValueError(f"{self.name}: takes two lanes or more")
        if value.width < 2:
            raise ValueError(f"{self.name}: activations of one bit need no multiplication")
        self.centred = centred(value)
        self.factor = _sum(self.centred, self.weight)
        self.products = self._inner(self.factor, (self.simd + 1) // 2)
        self.common = self._inner(self.centred, self.simd // 2)

    def _inner(self, factor: Range, lanes: int) -> ProductForm:
        """Dot products of two vectors of `factor`s, neither of them constant: its weights take all values."""
        every = np.arange(factor.lo, factor.hi + 1)[None, :, None].repeat(lanes, axis=2)
        return self.inner(every, value=factor, target=self.target)

    @classmethod
    def suits(cls, levels: Levels, value: Range, simd: int, pe: int, target: Target) -> bool:
        worth = simd > 1 and pe > 1 and value.width > 1 and span(levels).width > 2
        factor = _sum(centred(value), span(levels))
        return worth and cls.inner.suits((factor.lo, factor.hi), factor, (simd + 1) // 2, pe, target)

    @classmethod
    def cost(
        cls, simd: int, levels: Levels, value: Range, accumulator: Range, *, target: Target = ECP5
    ) -> Resources:
        factor = _sum(centred(value), span(levels))
        sums = Resources(lut4=target.adder_luts(factor.width), ff=factor.width) * simd
        ends = factor.lo, factor.hi
        return sums + cls.inner.cost((simd + 1) // 2, ends, factor, accumulator, target=target)

    @classmethod
    def shared_cost(cls, simd: int, value: Range, accumulator: Range, *, target: Target = ECP5) -> Resources:
        x = centred(value)
        held = Resources(ff=simd * x.width)
        return held + cls.inner.cost(simd // 2, (x.lo, x.hi), x, accumulator, target=target)

    @classmethod
    def offset(cls, weights: np.ndarray, value: Range) -> np.ndarray:
        middle = value.lo - centred(value).lo
        even = weights.shape[-1] // 2 * 2
        pairs = (weights[..., 0:even:2] * weights[..., 1:even:2]).sum(axis=-1)
        return pairs - middle * weights.sum(axis=-1)

    @property
    def latency(self) -> int:
        return 1 + self.products.latency

    def build(self, m: Module, lanes: Sequence[Value], word: Value) -> list[Sum]:
        (weights,), width = self.decoded(word), self.factor.width
        factors: list[Value] = []
        for lane in range(self.simd // 2 * 2):
            other = weights[lane ^ 1]  # of the pair
            factors.append(carry.add(m, self._centre(lanes[lane]), other, width, target=self.target))
        if self.simd % 2:
            factors += [self._centre(lanes[-1]), weights[-1]]
        held = [register(m, _extended(each, width), self.factor, "factor") for each in factors]
        return self.products.build(m, held[0::2], Cat(held[1::2]))

    def build_shared(self, m: Module, lanes: Sequence[Value]) -> Value:
        paired = lanes[: self.simd // 2 * 2]
        held = [register(m, self._centre(x), self.centred, "x") for x in paired]
        (total,) = self.common.build(m, held[0::2], Cat(held[1::2]))
        value = total.value
        for _ in range(self.products.latency - self.common.latency):
            value = register(m, value)
        return value

    def _centre(self, x: Value) -> Value:
        return x if self.value.signed else Cat(x[:-1], ~x[-1]).as_signed()


class PairRowsForm(PairForm):
    """The same with multiplications in LUTs."""

    name = "pair_lut"
    inner = RowsForm


def centred(value: Range) -> Range:
    """`value` less the weight of its top bit, unless it has a sign."""
    if value.signed:
        return value
    middle = 1 << (value.width - 1)
    return Range(value.lo - middle, value.hi - middle)


def _sum(a: Range, b: Range) -> Range:
    """Range of a + b and of both alone; with a sign, as it is read from plain bits again."""
    return Range(min(a.lo + b.lo, a.lo, b.lo, -1), max(a.hi + b.hi, a.hi, b.hi))


def _extended(value: Value, width: int) -> Value:
    """`value` in `width` bits."""
    return Cat(carry.bit(value, at) for at in range(width)).as_signed()
