"""Exact linear form of a staircase: y = clamp((M[r]*x + B[r]) >> shift, lo, hi).

For a row with steps T_k to the values q_k the integers M, B, s give the very same function iff

    M*T_k + B >= q_k * 2^s      and      M*(T_k - 1) + B < q_k * 2^s      for every reachable step k,

so B must lie between max_k(q_k*2^s - M*T_k) and min_k(q_k*2^s - 1 - M*(T_k - 1)). The size of
that interval is concave in M with its maximum at 2^s * m for one real slope m of the row, so the
smallest s with an integer solution is found by trying the two integers beside 2^s * m.
Rounding that goes away from zero (TFLite rounds twice that way) bends the line at zero: a second
offset B below `split` keeps M, as only the offset differs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hwgen.numeric.ranges import Range
from hwgen.numeric.rounding import Ints
from hwgen.numeric.staircase import Staircase

MAX_SHIFT = 40
_FAR = np.int64(1) << 60


@dataclass(frozen=True, eq=False)
class LinearFit:
    """y = clamp((M[r]*x + (x >= split[r] ? B[r] : B_below[r])) >> shift, clamp.lo, clamp.hi).

    Without `split` (None) B_below equals B. All arrays are (rows,).
    """

    multiplier: Ints
    offset: Ints
    offset_below: Ints
    split: Ints | None
    shift: int
    clamp: Range

    @property
    def multiplier_range(self) -> Range:
        """Range of M over the rows."""
        return Range.of(self.multiplier)

    @property
    def offset_range(self) -> Range:
        """Range of both offsets over the rows."""
        return Range.of(self.offset) | Range.of(self.offset_below)

    def row(self, r: int, x: Ints) -> Ints:
        """Row r on an array; the hardware's arithmetic, in int64."""
        offset = self.offset[r]
        if self.split is not None:
            offset = np.where(x >= self.split[r], self.offset[r], self.offset_below[r])
        return np.clip((self.multiplier[r] * x + offset) >> self.shift, self.clamp.lo, self.clamp.hi)


@dataclass(frozen=True, eq=False)
class _Bounds:
    """Constraints of every row: value*2^s <= M*x + B (lower), M*x + B <= value*2^s - 1 (upper)."""

    x: Ints  # (rows, 2n)
    value: Ints
    is_lower: np.ndarray
    used: np.ndarray


def fit_linear(stair: Staircase, split_at: Ints | None = None) -> LinearFit | None:
    """The exact linear form with the smallest shift, or None if there is none up to MAX_SHIFT.

    split_at: (rows,) inputs at which the offset may change; tried only if one offset is not enough.
    The result is checked at every step of every row before it is returned.
    """
    clamp = stair.range
    bounds = _constraints(stair, clamp)
    everything = np.zeros(stair.rows, dtype=np.int64)
    fit = _solve(stair, bounds, [bounds.used], None, clamp, everything)
    if fit is None and split_at is not None:
        above = bounds.x >= split_at[:, None]
        fit = _solve(stair, bounds, [bounds.used & above, bounds.used & ~above], split_at, clamp, everything)
    if fit is not None and not is_exact(stair, fit):
        raise AssertionError("a fitted staircase differs from its steps")  # cannot happen: solved above
    return fit


def is_exact(stair: Staircase, fit: LinearFit) -> bool:
    """Whether fit equals stair at the ends of every step and of every row, hence everywhere between."""
    for r in range(stair.rows):
        lo, hi = stair.lo[r], stair.hi[r]
        steps = stair.steps[r][stair.steps[r] <= hi]
        x = np.concatenate([steps, steps - 1, [lo, hi]])
        if fit.split is not None:
            split = np.clip([fit.split[r] - 1, fit.split[r]], lo, hi)
            x = np.concatenate([x, split])
        if np.any(fit.row(r, x) != stair.row(r, x)):
            return False
    return True


def _constraints(stair: Staircase, clamp: Range) -> _Bounds:
    """Two inequalities a step, and two for the ends of the row where no clamp holds them."""
    rows, count = stair.steps.shape
    sign = stair.sign[:, None]
    k = np.arange(1, count + 1, dtype=np.int64)[None, :]
    reachable = stair.steps <= stair.hi[:, None]
    after = stair.base[:, None] + sign * k  # value from the step on
    high = np.maximum(after, after - sign)  # the larger of the values on both sides
    rising = sign > 0
    lower_x = np.where(rising, stair.steps, stair.steps - 1)
    upper_x = np.where(rising, stair.steps - 1, stair.steps)
    ends_x = np.stack([stair.lo, stair.hi], axis=1)
    ends_y = np.stack([stair.base, stair.top], axis=1)
    x = np.concatenate([lower_x, upper_x, ends_x, ends_x], axis=1)
    value = np.concatenate([high, high, ends_y, ends_y + 1], axis=1)
    is_lower = np.concatenate([np.ones(count, bool), np.zeros(count, bool), [True, True, False, False]])
    used = np.concatenate([reachable, reachable, ends_y > clamp.lo, ends_y < clamp.hi], axis=1)
    return _Bounds(x, value, np.broadcast_to(is_lower, (rows, is_lower.size)), used)


def _solve(
    stair: Staircase, bounds: _Bounds, groups: list[np.ndarray], split: Ints | None, clamp: Range, zero: Ints
) -> LinearFit | None:
    slope = _best_slope(stair, bounds, groups)
    for shift in range(MAX_SHIFT + 1):
        scaled = slope * float(1 << shift)
        best: tuple[Ints, list[Ints]] | None = None
        done = np.zeros(stair.rows, dtype=bool)
        multiplier = zero.copy()
        offsets = [zero.copy() for _ in groups]
        for candidate in (np.floor(scaled), np.ceil(scaled)):
            m = candidate.astype(np.int64)
            ends = [_interval(bounds, group, m, shift) for group in groups]
            ok = np.logical_and.reduce([low <= high for low, high in ends]) & ~done
            multiplier[ok] = m[ok]
            for offset, (low, high) in zip(offsets, ends, strict=True):
                offset[ok] = _roundest(low, high)[ok]
            done |= ok
        if done.all():
            best = (multiplier, offsets)
            return LinearFit(best[0], best[1][0], best[1][-1], split, shift, clamp)
    return None


def _interval(bounds: _Bounds, group: np.ndarray, m: Ints, shift: int) -> tuple[Ints, Ints]:
    """Smallest and largest offset that satisfies a group of constraints for multiplier m."""
    edge = (bounds.value << shift) - m[:, None] * bounds.x
    low = np.where(group & bounds.is_lower, edge, -_FAR).max(axis=1)
    high = np.where(group & ~bounds.is_lower, edge - 1, _FAR).min(axis=1)
    return low, high


def _roundest(low: Ints, high: Ints) -> Ints:
    """Zero where it is allowed, else an end of [low, high] (a free end is far away)."""
    inside = np.clip(np.zeros_like(low), low, np.maximum(low, high))
    return np.where(np.abs(inside) >= _FAR, 0, inside)


def _best_slope(stair: Staircase, bounds: _Bounds, groups: list[np.ndarray]) -> np.ndarray:
    """(rows,) the real slope with the widest offset interval, by ternary search on a concave function."""

    def slack(m: np.ndarray) -> np.ndarray:
        edge = bounds.value - m[:, None] * bounds.x
        parts = []
        for group in groups:
            low = np.where(group & bounds.is_lower, edge, -1e30).max(axis=1)
            high = np.where(group & ~bounds.is_lower, edge, 1e30).min(axis=1)
            parts.append(np.minimum(high - low, 1e20))
        return np.minimum.reduce(parts)

    span = np.maximum(stair.hi - stair.lo, 1).astype(np.float64)
    reachable = stair.steps <= stair.hi[:, None]
    count = reachable.sum(axis=1)
    first = np.where(count > 0, stair.steps[:, 0], 0).astype(np.float64)
    last = stair.steps[np.arange(stair.rows), np.maximum(count - 1, 0)].astype(np.float64)
    gap = np.maximum(last - first, 1.0)
    middle = np.where(count > 1, (count - 1) / gap, 0.0)
    reach = np.where(count > 1, 2.0 / gap, 2.0)  # a feasible line passes within one unit of each step
    left = np.where(count > 0, np.maximum(middle - reach, 0.0), 0.0)
    right = np.where(count > 0, middle + reach, 1.0 / span)
    sign = stair.sign.astype(np.float64)
    for _ in range(120):
        third = (right - left) / 3
        a, b = left + third, right - third
        worse = slack(sign * a) < slack(sign * b)
        left, right = np.where(worse, a, left), np.where(worse, right, b)
    return np.where(count == 0, 0.0, sign * (left + right) / 2)
