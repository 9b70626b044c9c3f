"""Products in LUTs alone: rows of AND gates that sit in the carry slots that add them.

Weights are read bit plane by bit plane. For two lanes a slot adds (x_i & w_i,k) + (x_j & w_j,k); the sums of
all lanes of plane k are formed first, almost at their narrowest, and the planes are joined once for all:
sum_l w_l x_l = sum_k +-2**k S_k, negative for the sign plane only. A lane without a partner pairs its own
planes k and k + 1 instead. Every slot outside the first row adds one bit more, so the cost is near the number
of partial-product bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from amaranth.hdl import C, Cat, Module, Value

from hwgen.hw import carry
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
from hwgen.targets import ECP5, Target
from hwgen.targets.resources import Resources


@dataclass(frozen=True)
class _Planes:
    """(-1 if negative) * value: the planes first..last-1 of the weights, scaled by 2**-first."""

    value: Value
    first: int
    last: int
    negative: bool


class RowsForm(BinaryWeights):
    """sum_l w_l * x_l from AND rows in carry chains, a register after every adder.

    Latency: 1 + log2(lane pairs) + log2(weight bits); a single lane: log2(weight bits) (each rounded up).
    """

    name = "lut"

    def __init__(self, weights: np.ndarray, *, value: Range, target: Target) -> None:
        super().__init__(weights, value=value, target=target)
        self.planes = self.weight.width
        self.paired = self.simd - self.simd % 2

    @classmethod
    def suits(cls, levels: Levels, value: Range, simd: int, pe: int, target: Target) -> bool:
        return not target.inferred

    @classmethod
    def cost(
        cls, simd: int, levels: Levels, value: Range, accumulator: Range, *, target: Target = ECP5
    ) -> Resources:
        weight = span(levels)
        planes, paired, width = weight.width, simd - simd % 2, accumulator.width
        total = Resources(lut4=target.adder_luts(width, "accumulate"), ff=width)
        if paired:
            row = value.width + 1
            total += Resources(lut4=target.adder_luts(row, "add_rows"), ff=row) * (planes * paired // 2)
            total += tree_cost(paired // 2, row, target) * planes
            total += _join_cost(planes, row + tree_depth(paired // 2), 1, weight.signed, target)
        if simd % 2:
            row = value.width + 2
            total += Resources(lut4=target.adder_luts(row - 1, "add_rows") + 1, ff=row) * (-(-planes // 2))
            total += _join_cost(-(-planes // 2), row, 2, False, target)
        if paired and simd % 2:
            total += tree_cost(2, (weight * value).width + tree_depth(paired), target)
        return total

    @property
    def latency(self) -> int:
        single = self._single_latency if self.simd % 2 else 0
        together = self._paired_latency if self.paired else 0
        return max(single, together) + (1 if single and together else 0)

    @property
    def _paired_latency(self) -> int:
        return 1 + tree_depth(self.paired // 2) + self._join_latency(self.planes)

    @property
    def _single_latency(self) -> int:
        return 1 + self._join_latency(-(-self.planes // 2))

    def _join_latency(self, count: int) -> int:
        """Levels that join `count` groups of planes; one more where a lone sign plane must be negated."""
        return tree_depth(count) + (1 if self.planes == 1 and self.weight.signed else 0)

    def build(self, m: Module, lanes: Sequence[Value], word: Value) -> list[Sum]:
        (codes,) = self.decoded(word)
        sums: list[tuple[Term, int]] = []
        if self.paired:
            span = range(self.paired)
            groups = [self._plane(m, lanes, codes, plane) for plane in range(self.planes)]
            sums.append((self._join(m, groups, span), self._paired_latency))
        if self.simd % 2:
            span = range(self.simd - 1, self.simd)
            groups = self._own_planes(m, lanes[-1], codes[-1])
            sums.append((self._join(m, groups, span), self._single_latency))
        terms = []
        for term, latency in sums:
            for _ in range(max(each for _, each in sums) - latency):
                term = term.delayed(m)
            terms.append(term)
        root, _ = sum_tree(m, terms, target=self.target)
        return [Sum(root.value)]

    def _plane(self, m: Module, lanes: Sequence[Value], codes: Sequence[Value], plane: int) -> _Planes:
        """Sum over the paired lanes of x & (bit `plane` of w)."""
        bits = (self.weights[0] >> plane) & 1
        terms = []
        for a in range(0, self.paired, 2):
            bounds = [product_bounds(bits[:, lane], self.value) for lane in (a, a + 1)]
            low, high = bounds[0][0] + bounds[1][0], bounds[0][1] + bounds[1][1]
            shape = range_of(low, high)
            rows = carry.add_rows(
                m,
                lanes[a],
                codes[a][plane],
                lanes[a + 1],
                codes[a + 1][plane],
                shape.width,
                target=self.target,
            )
            terms.append(Term(register(m, rows, shape, "rows"), low, high))
        root, _ = sum_tree(m, terms, target=self.target)
        return _Planes(root.value, plane, plane + 1, self._negative(plane))

    def _negative(self, plane: int) -> bool:
        return self.weight.signed and plane == self.planes - 1

    def _own_planes(self, m: Module, x: Value, code: Value) -> list[_Planes]:
        """x times pairs of its own weight's bits; bit 0 of the lower row needs no adder."""
        groups = []
        lane = range(self.simd - 1, self.simd)
        for plane in range(0, self.planes - 1, 2):
            shape = self._range(lane, plane, plane + 2)
            combine = carry.subtract_rows if self._negative(plane + 1) else carry.add_rows
            rows = carry.floored(x, 1), code[plane], x, code[plane + 1]
            top = combine(m, *rows, max(1, shape.width - 1), target=self.target)
            value = register(m, Cat(x[0] & code[plane], top), shape, "rows")
            groups.append(_Planes(value, plane, plane + 2, False))
        if self.planes % 2:
            plane = self.planes - 1
            row = Cat(bit & code[plane] for bit in x)
            value = register(m, row.as_signed() if x.shape().signed else row, name="row")
            groups.append(_Planes(value, plane, plane + 1, self._negative(plane)))
        return groups

    def _range(self, lanes: range, first: int, last: int) -> Range:
        """Range of the planes first..last-1 of these lanes' dot product, scaled by 2**-first."""
        low, high = self._bounds(lanes, first, last)
        return range_of(low, high)

    def _bounds(self, lanes: range, first: int, last: int) -> tuple[np.ndarray, np.ndarray]:
        weights = self.weights[0][:, lanes.start : lanes.stop] >> first
        if last < self.planes:
            weights = weights & ((1 << (last - first)) - 1)
        low, high = product_bounds(weights, self.value)
        return low.sum(axis=1), high.sum(axis=1)

    def _join(self, m: Module, groups: list[_Planes], lanes: range) -> Term:
        """Neighbouring groups added until one is left; a register after every level."""
        while len(groups) > 1:
            following = [self._joined(m, low, high, lanes) for low, high in zip(groups[::2], groups[1::2])]
            if len(groups) % 2:
                last = groups[-1]
                following.append(_Planes(register(m, last.value), last.first, last.last, last.negative))
            groups = following
        group = groups[0]
        value = group.value
        if group.negative:
            shape = self._range(lanes, 0, self.planes)
            value = register(m, carry.subtract(m, C(0, 1), value, shape.width, target=self.target), shape)
        return Term(value, *self._bounds(lanes, 0, self.planes))

    def _joined(self, m: Module, low: _Planes, high: _Planes, lanes: range) -> _Planes:
        shift = high.first - low.first
        shape = self._range(lanes, low.first, high.last)
        value = low.value
        passed = Cat(carry.bit(value, at) for at in range(shift))
        combine = carry.subtract if high.negative else carry.add
        upper = carry.floored(value, shift)
        total = combine(m, upper, high.value, max(1, shape.width - shift), target=self.target)
        return _Planes(register(m, Cat(passed, total), shape, "joined"), low.first, high.last, False)


def _join_cost(count: int, width: int, shift: int, signed: bool, target: Target) -> Resources:
    """`count` groups of `width` bits, `shift` apart, joined two by two; signed: the last is subtracted."""
    total = Resources()
    while count > 1:
        pairs, passed = divmod(count, 2)
        last = signed and not passed  # a group that passes is the last one
        adders = (pairs - last) * target.adder_luts(width + 1)
        adders += last * target.adder_luts(width + 1, "subtract")
        total += Resources(lut4=adders, ff=pairs * (width + shift + 1) + passed * width)
        signed = signed and not last
        width, count, shift = width + shift + 1, pairs + passed, 2 * shift
    return total
