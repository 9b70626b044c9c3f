"""Exact narrow arithmetic for the addition of two small integers with scales of their own.

The wanted function is z(a, b) = act(ta[a] + tb[b]) on a few thousand to 65,536 pairs, so every claim is
checked on all of them. Two forms:

    linear   z = clip((Ka*a + Kb*b + K0 + A) >> shift, 0, top),  A inverted where Ka*a + Kb*b + K0 < 0
    tables   z = act(Ta[a] + Tb[b]) with the narrowest tables for which the sum still decides the output

In the first, Ka*a is a sum of tables of a's nibbles, a LUT4 for each bit of the result.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hwgen.numeric.linear import LinearFit
from hwgen.numeric.ranges import Range
from hwgen.numeric.rounding import Ints, ints
from hwgen.numeric.staircase import Staircase

MAX_SHIFT = 30
_FAR = 1 << 60


@dataclass(frozen=True, eq=False)
class AddFit:
    """y = act(table_a[a - offsets[0]] + table_b[b - offsets[1]]) for the pairs of the given ranges.

    factors: (Ka, Kb) where both tables are K * a + constant; then line is the sum's LinearFit with M = 1.
    act: the staircase of the sum in any case.
    """

    tables: tuple[Ints, Ints]
    offsets: tuple[int, int]
    act: Staircase
    factors: tuple[int, int] | None = None
    line: LinearFit | None = None

    @property
    def sum_range(self) -> Range:
        """Range of the sum of the two tables."""
        a, b = (Range.of(table) for table in self.tables)
        return a + b

    def __call__(self, a: Ints, b: Ints) -> Ints:
        """The hardware's arithmetic on arrays."""
        total = self.tables[0][a - self.offsets[0]] + self.tables[1][b - self.offsets[1]]
        return self.line.row(0, total.ravel()).reshape(total.shape) if self.line else self.act.row(0, total)


def fit_add(
    tables: tuple[Ints, Ints],
    offsets: tuple[int, int],
    act: Staircase,
    a: Range,
    b: Range,
    *,
    linear: bool = True,
) -> AddFit:
    """The cheaper exact form over a in `a`, b in `b`; proven on all pairs.

    tables, offsets: as in the `add` operation. act: one rising or falling row. linear: try factors first.
    """
    if act.rows != 1:
        raise ValueError(f"add: its activation has one row, not {act.rows}")
    ta = ints(tables[0])[a.lo - offsets[0] : a.hi - offsets[0] + 1]
    tb = ints(tables[1])[b.lo - offsets[1] : b.hi - offsets[1] + 1]
    y = act.row(0, ta[:, None] + tb[None, :])
    pairs = _Pairs(ta, tb, y, act, a, b)
    fit = (_linear(pairs) if linear else None) or _narrow(pairs)
    grid = np.meshgrid(np.arange(a.lo, a.hi + 1), np.arange(b.lo, b.hi + 1), indexing="ij")
    if not np.array_equal(fit(*grid), y):
        raise AssertionError(
            "a fitted addition differs from its tables"
        )  # cannot happen: solved on all pairs
    return fit


@dataclass(frozen=True, eq=False)
class _Pairs:
    ta: Ints
    tb: Ints
    y: Ints  # (na, nb)
    act: Staircase
    a: Range
    b: Range

    @property
    def rising(self) -> bool:
        return bool(self.act.sign[0] > 0)


def _linear(pairs: _Pairs) -> AddFit | None:
    """Least shift at which some factors beside the tables' own slopes follow all pairs."""
    act = pairs.act
    steps = act.steps[0][act.steps[0] <= act.hi[0]]
    if len(pairs.ta) < 2 or len(pairs.tb) < 2 or len(steps) < 2 or not pairs.rising:
        return None
    unit = (steps[-1] - steps[0]) / (len(steps) - 1)  # of the sum, for one output step
    if unit <= 0:
        return None
    slopes = [(t[-1] - t[0]) / (len(t) - 1) / unit for t in (pairs.ta, pairs.tb)]
    zero = _zeros(pairs)
    for shift in range(MAX_SHIFT + 1):
        nearest = [round(float(slope) * (1 << shift)) for slope in slopes]
        for ka in (nearest[0] + j for j in (0, 1, -1)):
            for kb in (nearest[1] + j for j in (0, 1, -1)):
                fit = _with_factors(pairs, ka, kb, shift, zero)
                if fit is not None:
                    return fit
    return None


def _zeros(pairs: _Pairs) -> tuple[int, int] | None:
    """(a, b) at which both tables are zero: the zero points."""
    at = [np.flatnonzero(table == 0) for table in (pairs.ta, pairs.tb)]
    if not all(places.size for places in at):
        return None
    return pairs.a.lo + int(at[0][0]), pairs.b.lo + int(at[1][0])


def _with_factors(pairs: _Pairs, ka: int, kb: int, shift: int, zero: tuple[int, int] | None) -> AddFit | None:
    """A fit with these factors: one offset, or one mirrored about the zero points."""
    a = np.arange(pairs.a.lo, pairs.a.hi + 1, dtype=np.int64)
    b = np.arange(pairs.b.lo, pairs.b.hi + 1, dtype=np.int64)
    line = ka * a[:, None] + kb * b[None, :]
    lo, hi = int(pairs.y.min()), int(pairs.y.max())
    z = pairs.y - lo
    found = _interval(line, z, hi - lo, shift)
    if found is not None:
        return _assembled(pairs, (ka, kb), (0, _roundest(*found)), shift, None)
    if zero is None:
        return None
    origin = -ka * zero[0] - kb * zero[1]
    middle = int(z[zero[0] - pairs.a.lo, zero[1] - pairs.b.lo])
    found = _mirrored(line + origin, z, hi - lo, shift, middle)
    return _assembled(pairs, (ka, kb), (origin, _roundest(*found)), shift, middle) if found else None


def _interval(line: Ints, z: Ints, top: int, shift: int) -> tuple[int, int] | None:
    """Offsets A with clip((line + A) >> shift, 0, top) == z for all pairs; a sample of the pairs first."""
    for part in (np.s_[::9, ::5], np.s_[:, :]):
        p, v = line[part], z[part]
        least = (v << shift) - p
        low = int(least.max(initial=-_FAR, where=v > 0))
        high = int(least.min(initial=_FAR, where=v < top)) + (1 << shift) - 1
        if low > high:
            return None
    return low, high


def _mirrored(p: Ints, z: Ints, top: int, shift: int, middle: int) -> tuple[int, int] | None:
    """u with A = middle*2^s + u for p >= 0 and middle*2^s + (2^s - 1 - u) for p < 0, like `_interval`."""
    full = (1 << shift) - 1
    for part in (np.s_[::9, ::5], np.s_[:, :]):
        v, above = z[part], p[part] >= 0
        least = ((v - middle) << shift) - p[part]  # of A - middle * 2^s
        low = max(
            0,
            int(least.max(initial=-_FAR, where=(v > 0) & above)),
            -int(least.min(initial=_FAR, where=(v < top) & ~above)),
        )
        high = min(
            full,
            int(least.min(initial=_FAR, where=(v < top) & above)) + full,
            full - int(least.max(initial=-_FAR, where=(v > 0) & ~above)),
        )
        if low > high:
            return None
    return low, high


def _assembled(
    pairs: _Pairs, factors: tuple[int, int], offset: tuple[int, int], shift: int, middle: int | None
) -> AddFit:
    """Tables, line and staircase. Constants join the second table; a mirrored offset stays in the line."""
    a = np.arange(pairs.a.lo, pairs.a.hi + 1, dtype=np.int64)
    b = np.arange(pairs.b.lo, pairs.b.hi + 1, dtype=np.int64)
    constant = offset[0] + (offset[1] if middle is None else 0)
    table_a, table_b = factors[0] * a, factors[1] * b + constant
    total = Range.of(table_a) + Range.of(table_b)
    clamp = Range(int(pairs.y.min()), int(pairs.y.max()))
    one = np.ones(1, dtype=np.int64)
    above = below = 0 * one
    if middle is not None:
        base = np.int64(middle) << shift
        above = base + offset[1] * one
        below = base + (((np.int64(1) << shift) - 1) - offset[1]) * one
    line = LinearFit(
        centre=0 * one,
        multiplier=one,
        offset=above,
        below=below,
        falling=np.zeros(1, dtype=bool),
        still=np.zeros(1, dtype=bool),
        table=None,
        exceptions=None,
        window=Range.bits(total.width, total.signed),
        shift=shift,
        zeros=0,
        middle=middle,
        clamp=clamp,
        x=total,
    )
    act = _steps_of(table_a[:, None] + table_b[None, :], pairs.y, total)
    assert act is not None
    return AddFit((table_a, table_b), (pairs.a.lo, pairs.b.lo), act, factors, line)


def _narrow(pairs: _Pairs) -> AddFit:
    """Tables without as many low bits as the output can do without."""
    for cut in range(60, -1, -1):
        half = (1 << cut) >> 1
        table_a, table_b = (pairs.ta + half) >> cut, (pairs.tb + half) >> cut
        total = Range.of(table_a) + Range.of(table_b)
        act = _steps_of(table_a[:, None] + table_b[None, :], pairs.y, total)
        if act is not None:
            return AddFit((table_a, table_b), (pairs.a.lo, pairs.b.lo), act)
    raise AssertionError("an addition's own tables decide its output")  # cut = 0 is the given function


def _steps_of(total: Ints, y: Ints, reach: Range) -> Staircase | None:
    """The staircase y = f(total), with each step where it is most central; None if y is no such function."""
    order = np.argsort(y, axis=None, kind="stable")
    levels, starts = np.unique(y.ravel()[order], return_index=True)
    sums = total.ravel()[order]
    least, most = np.minimum.reduceat(sums, starts), np.maximum.reduceat(sums, starts)
    lo, hi = ints([reach.lo]), ints([reach.hi])
    if len(levels) == 1:
        return Staircase(hi[:, None] + 1, ints([levels[0]]), ints([1]), lo, hi)
    if np.all(most[:-1] < least[1:]):
        sign, before, after = 1, most[:-1], least[1:]
    elif np.all(most[1:] < least[:-1]):
        sign, before, after = -1, most[1:][::-1], least[:-1][::-1]
    else:
        return None
    gaps = np.diff(levels) if sign > 0 else np.diff(levels)[::-1]
    steps = np.repeat((before + after + 1) >> 1, gaps)
    base = levels[0] if sign > 0 else levels[-1]
    return Staircase(steps[None, :], ints([base]), ints([sign]), lo, hi)


def _roundest(low: int, high: int) -> int:
    """The multiple of the largest power of two in [low, high]."""
    if low <= 0 <= high:
        return 0
    for exponent in range(max(abs(low), abs(high)).bit_length(), -1, -1):
        value = -(-low >> exponent) << exponent
        if value <= high:
            return value
    return low
