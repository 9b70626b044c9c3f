"""Products with activations that are powers of two: the weight, shifted by the activation's code.

The roles of hw/product/terms.py turned: there a weight's code shifts the activation, here an activation's
code the weight, which comes from the ROM as the binary number it is. What the multiplexers want of a code
(shift, zero, sign) is looked up once a lane for all outputs. Miyashita, Lee, Murmann, "Convolutional Neural
Networks using Logarithmic Data Representation", 2016, method 1.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from amaranth.hdl import C, Cat, Module, Value

from hwgen.hw.product.binary import BinaryWeights
from hwgen.hw.product.decoded import decoding_cost
from hwgen.hw.product.form import (
    Levels,
    Sum,
    product_bounds,
    register,
    span,
    sum_tree,
    tree_depth,
)
from hwgen.hw.product.terms import Bounded, Digit, added, registered, row_cost
from hwgen.hw.termadder import Masked
from hwgen.numeric.codes import Coded
from hwgen.numeric.ranges import Range
from hwgen.targets import ECP5, Target
from hwgen.targets.resources import Resources

MAX_SHIFT = 15


class ShiftForm(BinaryWeights):
    """sum_l w_l * values[code_l], each value 0 or +-2**k: multiplexers, then adders, never a multiplier.

    A negative value complements its term in the slot that adds it, and the one that this lacks rides in an
    adder's carry. Latency: 1 + log2(lanes / 2), with one register more behind two multiplexers and more.
    """

    name = "shift"
    coded = True

    def __init__(self, weights: np.ndarray, *, value: Range, target: Target) -> None:
        super().__init__(weights, value=value, target=target)
        assert isinstance(value, Coded)
        self.values = value.values
        self.digit = _digit(value)

    @classmethod
    def suits(cls, levels: Levels, value: Range, simd: int, pe: int, target: Target) -> bool:
        try:
            return _digit(value).shifts[-1] <= MAX_SHIFT
        except ValueError:
            return False

    @classmethod
    def cost(
        cls, simd: int, levels: Levels, value: Range, accumulator: Range, *, target: Target = ECP5
    ) -> Resources:
        digit, width = _digit(value), accumulator.width
        sums = Resources(lut4=target.adder_luts(width, "accumulate"), ff=width)
        weight, held = _signed(levels).width, registered([digit])
        row, _ = row_cost(digit, weight, simd, 0, held, not digit.negative, target)
        return sums + row

    @classmethod
    def shared_cost(cls, simd: int, value: Range, accumulator: Range, *, target: Target = ECP5) -> Resources:
        return decoding_cost(simd, value, _digit(value).bits)

    @property
    def lane(self) -> Range:
        return Range.bits(self.digit.bits, signed=False)

    def translated(self) -> np.ndarray:
        return self.digit.encode(np.array(self.values, dtype=np.int64))

    @property
    def latency(self) -> int:
        return registered([self.digit]) + 1 + tree_depth(-(-self.simd // 2))

    def build(self, m: Module, lanes: Sequence[Value], word: Value) -> list[Sum]:
        (weights,), row = self.decoded(word), []
        for lane, (code, w) in enumerate(zip(lanes, weights)):
            masked = self._masked(m, w if self.weight.signed else Cat(w, C(0, 1)), code)
            low, high = product_bounds(self.weights[0, :, lane], self.value)
            row.append(Bounded(masked, low - self.digit.negative, high))
        carries: list[Value] = []
        terms = added(m, row, carries, target=self.target)
        root, spare = sum_tree(m, terms, target=self.target, carries=carries)
        return [Sum(root.value, spare[0] if spare else 0)]

    def _masked(self, m: Module, w: Value, code: Value) -> Masked:
        """The weight times the value of `code`, less 1 if that is negative."""
        term = self.digit.term(w.as_signed(), code)
        flip, take, value = term.flip, term.take, term.value
        if registered([self.digit]):
            flip = flip if flip is None else register(m, flip, name="flip")
            value = register(m, value, name="moved")
        return Masked(Cat(C(0, self.digit.shifts[0]), value).as_signed(), flip, take)


def _signed(levels: Levels) -> Range:
    """Range of the weights, with a sign bit in any case."""
    return span(levels) | Range(-1, -1)


def _digit(value: Range) -> Digit:
    """How values of codes are written for the multiplexers; ValueError unless each is 0 or +-2**k."""
    if not isinstance(value, Coded):
        raise ValueError("shift: activations must carry codes")
    return Digit.of(set(value.values))
