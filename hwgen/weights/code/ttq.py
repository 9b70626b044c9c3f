"""Ternary weights with two scales, -a, 0 and +b: trained ternary quantisation.

Zhu, Han, Mao, Dally, "Trained Ternary Quantization", 2017.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from amaranth.hdl import Cat, Module, Value

from hwgen.hw.product.decoded import decoded
from hwgen.hw.product.form import (
    Levels,
    ProductForm,
    Sum,
    Term,
    product_bounds,
    tree_depth,
)
from hwgen.hw.product.join import Scaled, difference, difference_cost, difference_depth
from hwgen.hw.product.terms import Terms, TermsForm, centred
from hwgen.numeric.ranges import Range
from hwgen.targets import ECP5, Target
from hwgen.targets.resources import Resources
from hwgen.weights.base import Code

MAX_BITS = 16


class _TakenForm(TermsForm):
    """Sum of the activations whose bit is set."""

    name = "taken"

    @classmethod
    def split(cls, levels: Levels) -> dict[int, Terms]:
        return {0: (0,), 1: (1,)}


class TtqForm(ProductForm):
    """b * (sum of x where w = b) - a * (sum of x where w = -a), both products of a word by shifts and adders.

    Sums are taken of AND rows, two to a carry chain, with x moved to the middle of its range as in
    `TermsForm`; a multiplication by a constant takes one adder less than its digits 1 and -1.
    Latency: that of the sums, log2 of the number of digits, and 1.
    """

    name = "ttq"

    def __init__(self, weights: np.ndarray, *, value: Range, target: Target) -> None:
        super().__init__(weights, value=value, target=target)
        self.scales = scales_of(tuple(np.unique(self.weights).tolist()))
        bits = (self.weights > 0).astype(np.int64), (self.weights < 0).astype(np.int64)
        self.taken = [_TakenForm(each, value=value, target=target) for each in bits]
        self.bounds = []
        for each in bits:
            low, high = product_bounds(each[0], centred(value))
            self.bounds.append((low.sum(axis=1), high.sum(axis=1)))

    @classmethod
    def suits(cls, levels: Levels, value: Range, simd: int, pe: int, target: Target) -> bool:
        try:
            return max(scales_of(levels)) > 1
        except ValueError:
            return False

    @classmethod
    def code_bits(cls, simd: int, levels: Levels, value: Range) -> int:
        return 2 * simd

    @classmethod
    def cost(
        cls, simd: int, levels: Levels, value: Range, accumulator: Range, *, target: Target = ECP5
    ) -> Resources:
        sums = target.adder_luts(accumulator.width, "accumulate")
        total = Resources(lut4=sums, ff=accumulator.width)
        total += _TakenForm.sums_cost(simd, (0, 1), value, target) * 2
        width = centred(value).width + tree_depth(simd)
        plus, minus = ([(width, shift) for shift, _ in part] for part in _digits(scales_of(levels)))
        return total + difference_cost(plus, minus, target)

    @classmethod
    def offset(cls, weights: np.ndarray, value: Range) -> np.ndarray:
        return (centred(value).lo - value.lo) * np.asarray(weights).sum(axis=-1)

    @property
    def latency(self) -> int:
        plus, minus = _digits(self.scales)
        return self.taken[0].latency + difference_depth(len(plus), len(minus))

    @property
    def word_bits(self) -> int:
        return 2 * self.simd

    def encode(self, weights: np.ndarray) -> np.ndarray:
        """For each lane: w > 0, then w < 0."""
        pairs = np.stack([weights[0] > 0, weights[0] < 0], axis=-1)
        return pairs.astype(np.uint8).reshape(weights.shape[1], -1)

    def build(self, m: Module, lanes: Sequence[Value], word: Value) -> list[Sum]:
        sums = []
        for which, (form, bounds) in enumerate(zip(self.taken, self.bounds)):
            (total,) = form.build(m, lanes, Cat(word[at] for at in range(which, len(word), 2)))
            sums.append(Term(total.value, *bounds))
        plus, minus = ([Scaled(sums[which], shift) for shift, which in part] for part in _digits(self.scales))
        return [Sum(difference(m, plus, minus, target=self.target).value)]


class Ttq(Code):
    """Two bits: w = b, and w = -a."""

    name = "ttq"
    forms = (TtqForm, decoded(TtqForm))

    def __init__(self, levels: Levels) -> None:
        super().__init__(levels)
        self.scales = scales_of(levels)

    @property
    def bits(self) -> int:
        return 2

    def encode(self, weights: np.ndarray) -> np.ndarray:
        weights = np.asarray(weights, dtype=np.int64)
        if not np.isin(weights, (-self.scales[1], 0, self.scales[0])).all():
            raise ValueError(f"ttq: weights must be -{self.scales[1]}, 0 or {self.scales[0]}, not {weights}")
        return (weights > 0) + 2 * (weights < 0)

    def decode(self, codes: np.ndarray) -> np.ndarray:
        codes = np.asarray(codes, dtype=np.int64)
        return (codes & 1) * self.scales[0] - (codes >> 1) * self.scales[1]

    def multiply(self, x: np.ndarray, codes: np.ndarray) -> np.ndarray:
        """x taken or not, times each of the scales digit by digit."""
        codes, x = np.asarray(codes, dtype=np.int64), np.asarray(x, dtype=np.int64)
        taken = [np.where(codes >> which & 1, x, 0) for which in (0, 1)]
        plus, minus = (
            sum((taken[which] << shift for shift, which in part), np.zeros_like(taken[0]))
            for part in _digits(self.scales)
        )
        return plus - minus


def scales_of(levels: Levels) -> tuple[int, int]:
    """(b, a) of levels out of {-a, 0, b}, 0 for one that is not there."""
    positive, negative = [w for w in levels if w > 0], [-w for w in levels if w < 0]
    if len(positive) > 1 or len(negative) > 1 or max(map(abs, levels)) >> MAX_BITS or not any(levels):
        raise ValueError(
            f"ttq: weights are -a, 0 and b of at most {MAX_BITS} bits, not {len(levels)} values "
            f"from {levels[0]} to {levels[-1]}"
        )
    return sum(positive), sum(negative)


def _digits(scales: tuple[int, int]) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """What is added and what is subtracted: (shift, 0 for the sum at b or 1 for the one at -a)."""
    plus: list[tuple[int, int]] = []
    minus: list[tuple[int, int]] = []
    for which, scale in enumerate(scales):
        shift = 0
        while scale:
            if scale & 1:
                sign = 2 - (scale & 3)  # no two neighbouring digits: the fewest there can be
                scale -= sign
                (plus if sign == (1, -1)[which] else minus).append((shift, which))
            scale >>= 1
            shift += 1
    return plus, minus
