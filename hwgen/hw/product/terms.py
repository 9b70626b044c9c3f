"""Products without a multiplier: a weight is a sum of a few terms, each 0 or +-2**k.

A term of a lane is its activation, shifted by a few multiplexers, kept or complemented and kept or dropped in
the carry slots that add it to its neighbour (hw/termadder.py); a register after every adder. A complement is
-value - 1. Where a weight's value says how many of its terms are negative, the ones missing are a constant of
the weights and left to `offset`; else they ride in the adders' carries.

Activations without a sign are moved to the middle of their range first, x' = x - 2**(n-1), which inverts
their top bit only and saves one bit in every sum; sum w x = sum w x' + 2**(n-1) sum w, a constant again.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from amaranth.hdl import C, Cat, Module, Mux, Value

from hwgen.hw.product.form import (
    Levels,
    ProductForm,
    Sum,
    Term,
    bits_of,
    product_bounds,
    range_of,
    register,
    sum_tree,
    tree_cost,
    tree_depth,
)
from hwgen.hw.product.join import Scaled, join, join_cost, join_depth
from hwgen.hw.termadder import Masked, add_terms, dropped, fits
from hwgen.numeric.ranges import Range
from hwgen.targets import ECP5, Target
from hwgen.targets.resources import Resources

#: A weight as the terms that add up to it, each 0 or +-2**k; as many for every weight of a layer.
Terms = tuple[int, ...]


@dataclass(frozen=True)
class Digit:
    """One term's code: which shift, whether any, whether negative, from the lowest bit on.

    shifts: the k in use, ascending. zero: 0 is one of the term's values. negative: so is some -2**k.
    The shift is written as the bits of k - shifts[0] that are not always 0. Zero takes a pattern that no
    shift has, the highest one, or else a bit of its own, 0 for zero.
    """

    shifts: tuple[int, ...]
    zero: bool
    negative: bool

    @classmethod
    def of(cls, values: set[int]) -> Digit:
        """The code for these values of a term; ValueError if one is not 0 or +-2**k."""
        shifts = set()
        for value in values - {0}:
            if abs(value) & (abs(value) - 1):
                raise ValueError(f"{value} is not a power of two")
            shifts.add(abs(value).bit_length() - 1)
        return cls(tuple(sorted(shifts)) or (0,), 0 in values, min(values) < 0)

    @cached_property
    def steps(self) -> tuple[int, ...]:
        """Exponents of the multiplexers: 2**step positions each."""
        used = 0
        for shift in self.shifts:
            used |= shift - self.shifts[0]
        return tuple(at for at in range(used.bit_length()) if used >> at & 1)

    def _select(self, shift: int) -> int:
        return sum((shift - self.shifts[0] >> step & 1) << at for at, step in enumerate(self.steps))

    @cached_property
    def free(self) -> int | None:
        """The pattern of shift bits that says zero, if there is one."""
        taken = {self._select(shift) for shift in self.shifts}
        left = [code for code in range(1 << len(self.steps)) if code not in taken]
        return left[-1] if self.zero and left else None

    @property
    def own_zero(self) -> bool:
        """Whether a bit of its own says zero."""
        return self.zero and self.free is None

    @property
    def bits(self) -> int:
        """Bits of the code."""
        return len(self.steps) + self.own_zero + self.negative

    def encode(self, values: np.ndarray) -> np.ndarray:
        """Codes of a term's values."""
        table = {0: self.free or 0}
        for shift in self.shifts:
            positive = self._select(shift) | self.own_zero << len(self.steps)
            table[1 << shift] = positive
            table[-(1 << shift)] = positive | self.negative << (self.bits - self.negative)
        return np.vectorize(table.__getitem__, otypes=[np.int64])(values)

    @property
    def span(self) -> int:
        """Bits by which the multiplexers widen an activation."""
        return self.shifts[-1] - self.shifts[0]

    @property
    def kind(self) -> str:
        """Masks left for the adder (see hw/termadder.py): multiplexers drop by themselves."""
        return "f" * self.negative + "t" * (self.zero and not self.steps)

    def luts(self, width: int) -> int:
        """LUT4s before the adder for an activation of `width` bits."""
        if len(self.steps) == 1:
            return width + (1 << self.steps[0])
        total = 0
        for step in self.steps:  # the outer bits of a row merge with the row before
            total += width
            width += 1 << step
        return total

    def term(self, x: Value, code: Value) -> Masked:
        """x times the term of `code`, divided by 2**shifts[0]."""
        at = len(self.steps)
        take = None
        if self.zero:
            take = code[at] if self.own_zero else code[:at] != self.free
        flip = code[self.bits - 1] if self.negative else None
        if not self.steps:
            return Masked(x, flip, take)
        for number, step in enumerate(self.steps):
            moved = Cat(C(0, 1 << step), x).as_signed()
            x = Mux(code[number], moved, x)
            if take is not None and number == 0:
                x = dropped(x, take)
        return Masked(x, flip, None)


class TermsForm(ProductForm):
    """sum_l w_l * x_l as the sum of all terms of all lanes, added two by two.

    Lanes first, each of the terms for itself, at the terms' own powers of two; then these sums are joined.
    Latency: 1 + log2(lanes / 2) + log2(terms), with one register more behind two multiplexers and more.
    """

    #: whether a weight's value alone says how many of its terms are negative
    canonical: ClassVar[bool] = True

    def __init__(self, weights: np.ndarray, *, value: Range, target: Target) -> None:
        super().__init__(weights, value=value, target=target)
        self.table = self.split(tuple(int(each) for each in np.unique(self.weights)))
        self.digits = digits_of(self.table)
        if not self.lane_bits:
            raise ValueError(f"{self.name}: all weights are equal and need no code")
        self.terms = apart(self.weights[0], self.table)
        self.centred = centred(value)

    @classmethod
    @abstractmethod
    def split(cls, levels: Levels) -> dict[int, Terms]:
        """The terms of every level; ValueError if one has none of the kind."""

    @classmethod
    def _split(cls, levels: Levels) -> tuple[Digit, ...]:
        return digits_of(cls.split(levels))

    @classmethod
    def suits(cls, levels: Levels, value: Range, simd: int, pe: int, target: Target) -> bool:
        try:
            return cls.code_bits(simd, levels, value) > 0
        except ValueError:
            return False

    @classmethod
    def code_bits(cls, simd: int, levels: Levels, value: Range) -> int:
        return simd * sum(digit.bits for digit in cls._split(levels))

    @classmethod
    def cost(
        cls, simd: int, levels: Levels, value: Range, accumulator: Range, *, target: Target = ECP5
    ) -> Resources:
        sums = target.adder_luts(accumulator.width, "accumulate")
        total = Resources(lut4=sums, ff=accumulator.width)
        return total + cls.sums_cost(simd, levels, value, target)

    @classmethod
    def sums_cost(cls, simd: int, levels: Levels, value: Range, target: Target) -> Resources:
        """`cost` without the accumulator."""
        digits, x, total = cls._split(levels), centred(value).width, Resources()
        groups = []
        for digit, scale in zip(digits, cls._scales(digits)):
            cost, group = row_cost(digit, x, simd, scale, registered(digits), cls.canonical, target)
            total += cost
            groups.append(group)
        return total + join_cost(groups, target)

    @classmethod
    def _scales(cls, digits: Sequence[Digit]) -> list[int]:
        """Exponents at which the lanes' sums are formed; the lowest is 0, for a complement lacks that."""
        scales = [digit.shifts[0] for digit in digits]
        scales[scales.index(min(scales))] = 0
        return scales

    @classmethod
    def offset(cls, weights: np.ndarray, value: Range) -> np.ndarray:
        middle = value.lo - centred(value).lo
        missing = middle * weights.sum(axis=-1)
        if cls.canonical:
            table = cls.split(tuple(int(each) for each in np.unique(weights)))
            missing = missing + (apart(weights, table) < 0).sum(axis=(-1, -2))
        return -missing

    @property
    def latency(self) -> int:
        lanes = 1 + tree_depth(-(-self.simd // 2))
        return registered(self.digits) + lanes + join_depth(len(self.digits))

    @property
    def lane_bits(self) -> int:
        return sum(digit.bits for digit in self.digits)

    @property
    def word_bits(self) -> int:
        return self.simd * self.lane_bits

    def encode(self, weights: np.ndarray) -> np.ndarray:
        return write(weights[0], self.table, self.digits).reshape(weights.shape[1], -1)

    def build(self, m: Module, lanes: Sequence[Value], word: Value) -> list[Sum]:
        lanes = lanes if self.value.signed else [Cat(x[:-1], ~x[-1]).as_signed() for x in lanes]
        groups: list[Scaled] = []
        at = 0
        for number, (digit, scale) in enumerate(zip(self.digits, self._scales(self.digits))):
            row = []
            for lane, x in enumerate(lanes):
                first = lane * self.lane_bits + at
                masked = self._masked(m, digit, x, word[first : first + digit.bits], scale)
                row.append(Bounded(masked, *self._bounds(lane, number, scale)))
            at += digit.bits
            carries: list[Value] = []
            terms = added(m, row, None if self.canonical else carries, target=self.target)
            root, spare = sum_tree(m, terms, target=self.target, carries=carries)
            groups.append(Scaled(root, scale, spare[0] if spare else None))
        whole = join(m, groups, target=self.target)
        return [Sum(whole.term.value, 0 if whole.carry is None else whole.carry)]

    def _masked(self, m: Module, digit: Digit, x: Value, code: Value, scale: int) -> Masked:
        term = digit.term(x, code)
        flip, take, value = term.flip, term.take, term.value
        if registered(self.digits):
            flip = flip if flip is None else register(m, flip, name="flip")
            take = take if take is None else register(m, take, name="take")
            value = register(m, value, name="moved")
        return Masked(Cat(C(0, digit.shifts[0] - scale), value).as_signed(), flip, take)

    def _bounds(self, lane: int, number: int, scale: int) -> tuple[np.ndarray, np.ndarray]:
        """Of a term for each word, with complements for negatives."""
        factors = self.terms[:, lane, number] >> scale
        low, high = product_bounds(factors, self.centred)
        return low - (factors < 0), high - (factors < 0)


@dataclass(frozen=True)
class Bounded:
    """A lane's term and its bounds for each word."""

    term: Masked
    low: np.ndarray
    high: np.ndarray


def added(m: Module, row: Sequence[Bounded], carries: list[Value] | None, *, target: Target) -> list[Term]:
    """Sums of neighbours, one clock later. carries: gets the ones that complements lack, but for those that
    an adder takes itself; None where `offset` has them."""
    terms = [_pair(m, *pair, carries, target) for pair in zip(row[::2], row[1::2])]
    return terms + [_single(m, each, carries) for each in row[len(row) // 2 * 2 :]]


def _pair(m: Module, a: Bounded, b: Bounded, carries: list[Value] | None, target: Target) -> Term:
    """Two terms in one chain; the one with fewer masks first, in a row of LUTs where both have two."""
    first, second = sorted((a.term, b.term), key=lambda term: len(term.kind))
    carry = None
    if carries is not None:
        flips = [each.flip for each in (first, second) if each.flip is not None]
        carry = flips.pop() if flips else None
        carries += [register(m, each, name="one") for each in flips]
    if not fits(first.kind, second.kind):
        first = Masked(first.plain())
    low, high = a.low + b.low, a.high + b.high + (carry is not None)
    shape = range_of(low, high)
    total = add_terms(m, first, second, shape.width, target=target, carry=carry)
    return Term(register(m, total, shape, "terms"), low, high)


def _single(m: Module, a: Bounded, carries: list[Value] | None) -> Term:
    if carries is not None and a.term.flip is not None:
        carries.append(register(m, a.term.flip, name="one"))
    value = a.term.plain()[: range_of(a.low, a.high).width]
    return Term(register(m, value, range_of(a.low, a.high), "row"), a.low, a.high)


def registered(digits: Sequence[Digit]) -> int:
    """Registers between multiplexers and adders."""
    return int(max(len(digit.steps) for digit in digits) > 1)


def row_cost(
    digit: Digit, x: int, simd: int, scale: int, held: int, canonical: bool, target: Target
) -> tuple[Resources, tuple[int, int]]:
    """Estimate of a term of `simd` lanes, `x` bits wide, and of their sum; (width, scale) of that."""
    count, width, masks = -(-simd // 2), x + digit.shifts[-1] - scale, len(digit.kind)
    total = Resources(lut4=digit.luts(x), ff=(x + digit.span + masks) * held) * simd
    row = 0 if fits(digit.kind, digit.kind) else width
    masked = min(masks, 1) if row else 2 * min(masks, 1)
    adder = target.adder_luts(width + 1, ("add", "accumulate", "add_rows")[masked])
    total += Resources(lut4=row + adder, ff=width + 1) * (simd // 2)
    total += Resources(lut4=width if masks else 0, ff=width) * (simd % 2)
    total += tree_cost(count, width + (simd > 1), target)
    total += Resources(ff=0 if canonical else simd)
    return total, (width + (simd > 1) + tree_depth(count), scale)


def centred(value: Range) -> Range:
    """`value` less the weight of its top bit, unless it has a sign."""
    if value.signed:
        return value
    middle = 1 << (value.width - 1)
    return Range(value.lo - middle, value.hi - middle)


def digits_of(table: dict[int, Terms]) -> tuple[Digit, ...]:
    """The code of each of the terms."""
    return tuple(Digit.of(set(values)) for values in zip(*table.values()))


def apart(weights: np.ndarray, table: dict[int, Terms]) -> np.ndarray:
    """Weights as their terms along a new last axis."""
    levels = np.array(sorted(table))
    terms = np.array([table[level] for level in levels.tolist()], dtype=np.int64)
    return terms[np.searchsorted(levels, weights)]


def write(weights: np.ndarray, table: dict[int, Terms], digits: Sequence[Digit]) -> np.ndarray:
    """Code bits of weights along a new last axis, the first term's lowest."""
    terms = apart(weights, table)
    fields = [bits_of(digit.encode(terms[..., at]), digit.bits) for at, digit in enumerate(digits)]
    return np.concatenate(fields, axis=-1)
