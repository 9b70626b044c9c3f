"""Two products in one hard multiplier: the weights of two outputs packed into one operand.

P = x * (w1 + w2 * 2**s) = y1 + y2 * 2**s. The low s bits of P are those of y1 = x * w1. Where y1 needs
`overlap` bits more, they lie under the low bits of y2 = x * w2; these, modulo 2**overlap, are recomputed in
LUTs from the low bits of x and w2 and subtracted:

    t = (P[s : s + overlap] - x * w2) mod 2**overlap      the upper bits of y1, signed
    y1 = t * 2**s + P[0 : s]                              y2 = P[s :] - t

Sums over lanes are taken before the parts are put together, so these two lines cost once for each pair of
outputs: sum y1 = sum(t) * 2**s + sum(P[0 : s]), sum y2 = sum(P[s :]) - sum(t). With no overlap y1 = P[0 : s],
and y2 = P[s :] + (y1 < 0), where the last term is a free carry input of some adder.
The idea: Fu et al., "Deep Learning with INT8 Optimization on Xilinx Devices", WP486 (overlap-free, 27 bits).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from amaranth.hdl import C, Cat, Module, Value

from hwgen.hw import carry
from hwgen.hw.multiply import multiply
from hwgen.hw.product.dsp import PRODUCT_LATENCY, DspForm
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

OPERAND_BITS = 18
MAX_OVERLAP = 8


class PackedForm(ProductForm):
    """Two outputs, `simd` multipliers. Latency: 3 + log2(simd), 2 more where the products overlap.

    W8A8 on 18 bits: s = 10, 5 overlapping bits (6 for activations 0..255).
    """

    name = "dsp2"
    outputs = 2
    single = DspForm

    def __init__(self, weights: np.ndarray, *, value: Range, target: Target) -> None:
        super().__init__(weights, value=value, target=target)
        first, second = self.weights
        self.first = range_of(first, first)
        self.bounds = [product_bounds(each, value) for each in (first, second)]
        product = range_of(*self.bounds[0])
        self.shift = shift = _widest_shift(first, second)
        self.overlap = max(0, product.width - shift)
        if self.overlap > MAX_OVERLAP:
            raise ValueError(f"dsp2: products of {product} overlap by {self.overlap} bits; use dsp")
        upper = (first + (second << shift)) >> shift
        self.upper = range_of(upper, upper)
        self.first_product = product
        self.correction = Range(product.lo >> shift, product.hi >> shift)

    @classmethod
    def _shift_overlap(cls, weight: Range, value: Range) -> tuple[int, int]:
        ends = np.array([weight.lo, weight.hi])
        shift = _widest_shift(ends, ends)
        return shift, max(0, (weight * value).width - shift)

    @classmethod
    def suits(cls, levels: Levels, value: Range, simd: int, pe: int, target: Target) -> bool:
        wide = target.dsp is not None and min(target.dsp) >= OPERAND_BITS
        return wide and pe % 2 == 0

    @classmethod
    def code_bits(cls, simd: int, levels: Levels, value: Range) -> int:
        weight = span(levels)
        _, overlap = cls._shift_overlap(weight, value)
        return simd * (2 * weight.width + overlap)

    @classmethod
    def cost(
        cls, simd: int, levels: Levels, value: Range, accumulator: Range, *, target: Target = ECP5
    ) -> Resources:
        weight = span(levels)
        shift, overlap = cls._shift_overlap(weight, value)
        product, width = (weight * value).width, accumulator.width
        near = simd * (shift + weight.width)
        total = Resources(lut4=2 * target.adder_luts(width, "accumulate"), ff=2 * width + near, dsp=simd)
        if not overlap:
            return total + tree_cost(simd, product, target) + tree_cost(simd, product + 1, target)
        rows = [size for size in range(overlap, 0, -2)]
        low = sum(target.adder_luts(size) if size > 2 else 2 for size in rows) + max(2, 4 * overlap - 18)
        total += Resources(lut4=low + target.adder_luts(overlap), ff=sum(rows) + 3 * overlap) * simd
        for term in (product + 1, shift, overlap):
            total += tree_cost(simd, term, target)
        finished = product + tree_depth(simd)
        joined = target.adder_luts(finished - shift) if simd > 1 else 0
        return total + Resources(lut4=joined + target.adder_luts(finished), ff=4 * finished)

    @property
    def latency(self) -> int:
        return PRODUCT_LATENCY + tree_depth(self.simd) + (2 if self.overlap else 0)

    @property
    def lane_bits(self) -> int:
        return self.first.width + self.upper.width + self.overlap

    @property
    def word_bits(self) -> int:
        return self.simd * self.lane_bits

    def encode(self, weights: np.ndarray) -> np.ndarray:
        """For each lane: w1, the packed operand above bit s (w2 less a borrow), and the low bits of w2."""
        first, second = weights
        upper = (first + (second << self.shift)) >> self.shift
        fields = (
            bits_of(first, self.first.width),
            bits_of(upper, self.upper.width),
            bits_of(second, self.overlap),
        )
        return np.concatenate(fields, axis=2).reshape(first.shape[0], -1)

    def build(self, m: Module, lanes: Sequence[Value], word: Value) -> list[Sum]:
        products, lows = [], []
        for lane, x in enumerate(lanes):
            code = word[lane * self.lane_bits : (lane + 1) * self.lane_bits]
            first, upper, low = (
                code[: self.first.width],
                code[self.first.width : self.lane_bits - self.overlap],
                code[self.lane_bits - self.overlap :],
            )
            sign = first[-1] if self.first.signed else C(0, 1)
            packed = Cat(first, sign.replicate(self.shift - self.first.width), upper)
            packed = packed.as_signed() if self.upper.signed else packed
            width = self.shift + self._upper_range(lane).width
            products.append(register(m, multiply(m, x, packed, width, target=self.target), name="near"))
            if self.overlap:
                lows.append(register(m, _low_product(m, x, low, self.overlap, self.target)))
        return self._overlapped(m, products, lows) if self.overlap else self._apart(m, products)

    def _upper_bounds(self, lane: int) -> tuple[np.ndarray, np.ndarray]:
        """Bounds of P[s :] = y2 + floor(y1 / 2**s)."""
        (low1, high1), (low2, high2) = ((low[:, lane], high[:, lane]) for low, high in self.bounds)
        return low2 + (low1 >> self.shift), high2 + (high1 >> self.shift)

    def _upper_range(self, lane: int) -> Range:
        return range_of(*self._upper_bounds(lane))

    def _upper_terms(self, products: Sequence[Value]) -> list[Term]:
        terms = []
        for lane, product in enumerate(products):
            low, high = self._upper_bounds(lane)
            value = product[self.shift :]
            terms.append(Term(value.as_signed() if range_of(low, high).signed else value, low, high))
        return terms

    def _apart(self, m: Module, products: Sequence[Value]) -> list[Sum]:
        """No overlap: y1 is the low part, and its sign bit is what y2 lacks."""
        low, high = self.bounds[0]
        signed = self.first_product.signed
        parts = [product[: self.shift] for product in products]
        ones = [
            Term(part.as_signed() if signed else part, low[:, lane], high[:, lane])
            for lane, part in enumerate(parts)
        ]
        borrows = [part[-1] for part in parts] if signed else []
        first, _ = sum_tree(m, ones, target=self.target)
        second, spare = sum_tree(m, self._upper_terms(products), target=self.target, carries=borrows)
        return [Sum(first.value), Sum(second.value, spare[0] if spare else 0)]

    def _overlapped(self, m: Module, products: Sequence[Value], lows: Sequence[Value]) -> list[Sum]:
        """Three trees: upper parts, lower parts, and the corrections t, which come one clock later."""
        low, high = self.bounds[0]
        shift, target = self.shift, self.target
        corrections = []
        for lane, (product, bits) in enumerate(zip(products, lows)):
            bounds = low[:, lane] >> shift, high[:, lane] >> shift
            field = product[shift : shift + self.overlap]
            difference = carry.subtract(m, field, bits, self.overlap, target=target)
            corrections.append(Term(register(m, difference, self.correction, "correction"), *bounds))
        zero, most = np.zeros(low.shape[0], dtype=np.int64), np.full(low.shape[0], (1 << shift) - 1)
        lowers = [Term(product[:shift], zero, most) for product in products]
        correction, _ = sum_tree(m, corrections, target=target)
        upper, _ = sum_tree(m, self._upper_terms(products), target=target)
        lower, _ = sum_tree(m, lowers, target=target)
        upper, lower = upper.delayed(m), lower.delayed(m)
        first_range, second_range = (range_of(low.sum(axis=1), high.sum(axis=1)) for low, high in self.bounds)
        second = carry.subtract(m, upper.value, correction.value, second_range.width, target=target)
        first: Value = Cat(lower.value, correction.value)
        if len(lower.value) > shift:
            top_width = max(1, first_range.width - shift)
            top = carry.add(m, correction.value, lower.value[shift:], top_width, target=target)
            first = Cat(lower.value[:shift], top)
        return [
            Sum(register(m, first, first_range, "first")),
            Sum(register(m, second, second_range, "second")),
        ]


def _widest_shift(first: np.ndarray, second: np.ndarray) -> int:
    """Largest s for which every first + second * 2**s fits a signed multiplier operand; holds `first`."""
    narrowest, limit = range_of(first, first).width, 1 << (OPERAND_BITS - 1)
    for shift in range(OPERAND_BITS - 1, narrowest - 1, -1):
        packed = first + (second << shift)
        if -limit <= packed.min() and packed.max() < limit:
            return shift
    raise ValueError(f"dsp2: two weights of {narrowest} bits do not fit one operand of {OPERAND_BITS} bits")


def _low_product(m: Module, x: Value, w: Value, width: int, target: Target) -> Value:
    """x * w modulo 2**`width` (w has `width` bits), latency 2: rows two by two, then their sum."""
    pairs = []
    for row in range(0, width, 2):
        size = width - row
        x_low = Cat(carry.bit(x, at) for at in range(size))
        if size == 1:
            pairs.append(register(m, x_low & w[row]))
        else:
            shifted = Cat(C(0, 1), x_low[: size - 1])
            family = GENERIC if size <= 2 else target  # two bits are cheaper without a chain
            rows = carry.add_rows(m, x_low, w[row], shifted, w[row + 1], size, target=family)
            pairs.append(register(m, rows.as_unsigned()))
    total = pairs[0]
    for at, pair in enumerate(pairs[1:], 1):
        upper = total[2 * at :]  # four bits at most: LUTs, no carry chain
        total = Cat(total[: 2 * at], (upper + pair)[: len(upper)])
    return register(m, total)
