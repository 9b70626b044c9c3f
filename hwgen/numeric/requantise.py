"""The systolic engine's form of a staircase: one multiplier, shift and bias a row, checked at every step.

d = clip(gain * x + bias[r]) to `operand` signed bits
q = (multiplier[r] * d + twice * 2^(pre-1)) >> pre                              pre = bits of the multiplier
y = (q + 2^(shift[r]-1) - (q < 0 and away)) >> shift[r]                         q where shift[r] is 0
clip(y + zero, lo, hi)

gain, zero, lo, hi, twice and away are the layer's, the rest the row's. With a multiplier M >= 0 the function
rises, and "y at d is v or more" means M * d >= V(v) for a number V that M is not part of: every step of the
staircase bounds M from both sides. Where the row's own zero is the wrong place for d = 0 (steps beyond the
operand, rows without steps), the bias is searched for too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwgen.numeric.ranges import Range
from hwgen.numeric.rounding import Ints
from hwgen.numeric.staircase import Staircase

MAX_SHIFT = 22  # q has no more bits than the operand
_NEVER = 1 << 61


@dataclass(frozen=True)
class Form:
    """Bits of the engine's numbers: multiplier unsigned, operand and bias signed."""

    multiplier: int = 28
    operand: int = 22
    bias: int = 28


@dataclass(frozen=True, eq=False)
class Requantised:
    """See the module. multiplier, shift, bias: (rows,). unfit: rows for which nothing was found (zeros)."""

    form: Form
    multiplier: Ints
    shift: Ints
    bias: Ints
    zero: int
    lo: int
    hi: int
    twice: bool
    away: bool
    gain: int = 1
    unfit: tuple[int, ...] = ()

    def on(self, x: Ints, rows: Ints | slice = slice(None)) -> Ints:
        """The arithmetic on x of shape (rows, n)."""
        m, s, b = (a[rows][:, None] for a in (self.multiplier, self.shift, self.bias))
        top, pre = 1 << (self.form.operand - 1), self.form.multiplier
        d = np.clip(self.gain * x + b, -top, top - 1)
        q = (m * d + (int(self.twice) << (pre - 1))) >> pre
        half = np.where(s > 0, np.int64(1) << np.maximum(s - 1, 0), 0)
        y = (q + half - ((q < 0) & self.away & (s > 0))) >> s
        return np.clip(y + self.zero, self.lo, self.hi)


def is_exact(stair: Staircase, fit: Requantised, row: int) -> bool:
    """Whether a row is equal at both ends and at both sides of every step: then everywhere, as both rise."""
    lo, hi = int(stair.lo[row]), int(stair.hi[row])
    steps = stair.steps[row][stair.steps[row] <= hi]
    x = np.clip(np.concatenate([steps, steps - 1, [lo, hi]]), lo, hi)
    return bool(np.array_equal(fit.on(x[None, :], np.array([row]))[0], stair.row(row, x)))


def fit_requantised(
    stair: Staircase, form: Form, base: Ints | int = 0, gain: int = 1, zero: int | None = None
) -> Requantised:
    """The form of a rising staircase whose values lie within int8.

    base: added to every bias (what the engine's accumulator lacks of gain * x), counted in the bias's range.
    gain: what the engine's sums are more than x, so that steeper rows fit. zero: y at x = 0, where known.
    Rows that nothing fits are listed in `unfit`, as is every falling row that has a step.
    """
    offset = np.broadcast_to(np.asarray(base, dtype=np.int64), (stair.rows,))
    limits = stair.range
    best: Requantised | None = None
    for origin in _zeros(stair, zero):
        for twice, away in ((True, True), (False, False), (True, False), (False, True)):
            rule = _Rule(form, origin, limits, twice, away, gain)
            found = _fit(stair, rule, offset)
            if best is None or len(found.unfit) < len(best.unfit):
                best = found
            if not best.unfit:
                return best
    assert best is not None
    return best


def _zeros(stair: Staircase, known: int | None) -> list[int]:
    """What y at x = 0 is: as known, then in most rows, then in others, then where a row's line leads."""
    inside = (stair.lo <= 0) & (stair.hi >= 0)
    at_zero = stair.base + stair.sign * np.sum(stair.steps <= 0, axis=1)
    values, counts = np.unique(at_zero[inside], return_counts=True)
    found = values[np.argsort(-counts, kind="stable")].tolist()[:3]
    if not found and known is None:
        row = int(np.argmax(np.sum(stair.steps <= stair.hi[:, None], axis=1)))
        steps = stair.steps[row][stair.steps[row] <= stair.hi[row]]
        if len(steps) > 1 and steps[-1] > steps[0]:
            line = np.polyfit(steps, stair.base[row] + 0.5 + np.arange(len(steps)), 1)
            found = [round(float(line[1])) + change for change in (0, 1, -1)]
    found = ([] if known is None else [known]) + found + [stair.range.lo]
    return list(dict.fromkeys(int(each) for each in found if -128 <= each <= 127))


@dataclass(frozen=True)
class _Rule:
    """What a layer's rows share."""

    form: Form
    zero: int
    limits: Range
    twice: bool
    away: bool
    gain: int

    @property
    def top(self) -> int:
        """One above the largest operand."""
        return 1 << (self.form.operand - 1)

    def bound(self, value: NDArray, shift: NDArray) -> Ints:
        """V: y(d) >= value means M * d >= V."""
        z = (value - self.zero).astype(np.int64) << shift
        half = np.where(shift > 0, np.int64(1) << np.maximum(shift - 1, 0), 0)
        t = z - half
        q = np.where((t < 0) & (shift > 0) & self.away, t + 1, t)
        return (q << self.form.multiplier) - (int(self.twice) << (self.form.multiplier - 1))

    def holds(self, found: Requantised, stair: Staircase, row: int, offset: int) -> bool:
        """Whether the row is exact and its bias, with the part that x lacks, is in range."""
        edge = 1 << (self.form.bias - 1)
        return -edge <= int(found.bias[row]) + offset < edge and is_exact(stair, found, row)


def _fit(stair: Staircase, rule: _Rule, offset: Ints) -> Requantised:
    """All rows with their own zero, then the remaining ones with other biases."""
    rows = stair.rows
    result = Requantised(
        rule.form, np.zeros(rows, np.int64), np.zeros(rows, np.int64), np.zeros(rows, np.int64),
        rule.zero, rule.limits.lo, rule.limits.hi, rule.twice, rule.away,
        rule.gain,
    )  # fmt: skip
    open_rows = np.ones(rows, dtype=bool)
    zero_bias = np.zeros(rows, dtype=np.int64)
    start = _shifts(stair, rule.gain)
    for change in (0, 1, -1):
        shift = np.clip(start + change, 0, MAX_SHIFT)
        low, high = interval(stair, rule, shift, zero_bias)
        for row in np.flatnonzero(open_rows & (low <= high)):
            result.multiplier[row] = (low[row] + high[row]) >> 1
            result.shift[row] = shift[row]
            result.bias[row] = 0
            if rule.holds(result, stair, int(row), int(offset[row])):
                open_rows[row] = False
    unfit = []
    for row in np.flatnonzero(open_rows):
        if not _moved(stair, rule, result, int(row), int(offset[row])):
            unfit.append(int(row))
            result.multiplier[row] = result.shift[row] = result.bias[row] = 0
    if unfit:
        result = Requantised(**{**vars(result), "unfit": tuple(unfit)})
    return result


def _shifts(stair: Staircase, gain: int) -> Ints:
    """The shift at which a row's multiplier would use all its bits."""
    reach = stair.steps <= stair.hi[:, None]
    count = reach.sum(axis=1)
    first = stair.steps[:, 0]
    last = np.take_along_axis(stair.steps, np.maximum(count - 1, 0)[:, None], axis=1)[:, 0]
    span = np.where(count > 1, np.maximum(last - first, 1), np.maximum(2 * np.abs(first), 1))
    slope = np.where(count > 1, np.maximum(count - 1, 1), 1) / (gain * span)
    return np.clip(np.floor(-np.log2(slope)), 0, MAX_SHIFT).astype(np.int64)


def interval(stair: Staircase, rule: _Rule, shift: Ints, bias: Ints) -> tuple[Ints, Ints]:
    """(lowest, highest) multiplier of every row with this shift and bias; lowest > highest where none."""
    k = np.arange(stair.steps.shape[1], dtype=np.int64)[None, :]
    value = stair.base[:, None] + k + 1
    d, under = rule.gain * stair.steps + bias[:, None], rule.gain * (stair.steps - 1) + bias[:, None]
    reach = (stair.steps <= stair.hi[:, None]) & (stair.sign[:, None] > 0)
    s = np.broadcast_to(shift[:, None], d.shape)
    v = rule.bound(value, s)
    low, high = np.zeros(stair.rows, np.int64), np.full(stair.rows, (1 << rule.form.multiplier) - 1)
    for least, places in ((True, d), (False, under)):
        low, high = _meet(low, high, places, v, reach, least)
    outside = reach & ((d > rule.top - 1) | (under < -rule.top))
    falling = (stair.sign < 0) & (stair.steps[:, 0] <= stair.hi)
    top, bottom = stair.top, stair.base
    ends = (
        np.minimum(rule.gain * stair.hi + bias, rule.top - 1),
        np.maximum(rule.gain * stair.lo + bias, -rule.top),
    )
    over = rule.bound(top + 1, shift)
    low, high = _meet(low, high, ends[0][:, None], over[:, None], (top < rule.limits.hi)[:, None], False)
    under = rule.bound(bottom, shift)
    low, high = _meet(low, high, ends[1][:, None], under[:, None], (bottom > rule.limits.lo)[:, None], True)
    low = np.where(outside.any(axis=1) | falling, _NEVER, low)
    return low, high


def _meet(low: Ints, high: Ints, d: Ints, v: Ints, use: NDArray, least: bool) -> tuple[Ints, Ints]:
    """The multipliers with M * d >= v (not `least`: M * d < v) wherever `use`."""
    bound = v if least else v - 1
    some = np.where(d == 0, 1, d)
    floor, ceiling = bound // some, -((-bound) // some)
    raises = (d > 0) if least else (d < 0)  # M has to be large enough
    lower = np.where(use & raises & (d != 0), ceiling, 0)
    upper = np.where(use & ~raises & (d != 0), floor, _NEVER)
    never = use & (d == 0) & ((v > 0) if least else (v <= 0))
    low = np.maximum(low, lower.max(axis=1, initial=0))
    high = np.minimum(high, upper.min(axis=1, initial=_NEVER))
    return np.where(never.any(axis=1), _NEVER, low), high


def _moved(stair: Staircase, rule: _Rule, result: Requantised, row: int, offset: int) -> bool:
    """Search a row's bias as well; writes it into `result`."""
    steps = stair.steps[row][stair.steps[row] <= stair.hi[row]]
    if len(steps) and stair.sign[row] < 0:
        return False
    tries = _biased(stair, rule, row, steps) if len(steps) else _constant(stair, rule, row)
    for multiplier, shift, bias in tries:
        if not 0 <= multiplier < 1 << rule.form.multiplier:
            continue
        result.multiplier[row], result.shift[row], result.bias[row] = multiplier, shift, bias
        if rule.holds(result, stair, row, offset):
            return True
    return False


def _constant(stair: Staircase, rule: _Rule, row: int) -> list[tuple[int, int, int]]:
    """(multiplier, shift, bias) that make the row's one value: none of d, or all of a saturated d."""
    wanted = int(stair.base[row]) - rule.zero
    lo, hi, top = rule.gain * int(stair.lo[row]), rule.gain * int(stair.hi[row]), rule.top
    if wanted == 0:
        return [(0, 0, -lo), (0, 0, 0)]
    d, bias = (top - 1, top - 1 - lo) if wanted > 0 else (-top, -top - hi)
    exact = (abs(wanted) << rule.form.multiplier) // abs(d)
    return [(exact + change, 0, bias) for change in (0, 1, -1, 2, 64)]


def _biased(stair: Staircase, rule: _Rule, row: int, steps: Ints) -> list[tuple[int, int, int]]:
    """(multiplier, shift, bias) whose bias puts the middle step where it has to be."""
    count = len(steps)
    pre, middle = rule.form.multiplier, count // 2
    if count > 1 and steps[-1] > steps[0]:
        slope = (count - 1) / (rule.gain * int(steps[-1] - steps[0]))
        spread = max(2.0 / int(steps[-1] - steps[0]), 1e-7)
        slopes = [slope * (1 + spread * (i / 24 - 1)) for i in range(49)]
    else:
        slopes = [2.0**-e for e in range(1, MAX_SHIFT + 6)]
    tries = []
    value = int(stair.base[row]) + middle + 1
    for slope in slopes:
        best = int(np.clip(np.floor(-np.log2(slope)), 0, MAX_SHIFT))
        for shift in {best, max(best - 1, 0)}:
            multiplier = round(slope * 2.0 ** (pre + shift))
            if 0 < multiplier < 1 << pre:
                v = int(rule.bound(np.array(value), np.array(shift)))
                tries.append((multiplier, shift, -(-v // multiplier) - rule.gain * int(steps[middle])))
    return tries


def fit_gaps(
    values: Ints, below: Ints, reached: Ints, form: Form, zero: int, limits: Range, base: int = 0
) -> Requantised | None:
    """One row known only in places: y(x) < values[i] at x = below[i], y(x) >= values[i] at x = reached[i].

    values, below and reached rise; y = zero at x = 0. base as above. None if no shift and rounding fit.
    """
    if not -(1 << (form.bias - 1)) <= base < 1 << (form.bias - 1):
        return None
    slope = (len(values) - 1) / max(int(reached[-1] - reached[0]), 1) if len(values) > 1 else 1.0
    start = int(np.clip(np.floor(-np.log2(slope)), 0, MAX_SHIFT))
    for twice, away in ((True, True), (False, False), (True, False), (False, True)):
        rule = _Rule(form, zero, limits, twice, away, 1)
        if len(values) and (reached.max() >= rule.top or below.min() < -rule.top):
            continue
        for shift in (start, start + 1, start - 1):
            s = np.full((1, 1), min(max(shift, 0), MAX_SHIFT), dtype=np.int64)
            v, use = rule.bound(values[None, :], s), np.ones((1, len(values)), dtype=bool)
            low, high = np.zeros(1, np.int64), np.full(1, (1 << form.multiplier) - 1)
            low, high = _meet(low, high, reached[None, :], v, use, True)
            low, high = _meet(low, high, below[None, :], v, use, False)
            if low[0] > high[0]:
                continue
            bias = np.zeros(1, np.int64)
            found = Requantised(
                form, (low + high) >> 1, s[0], bias, zero, limits.lo, limits.hi, twice, away
            )  # fmt: skip
            at, under = found.on(reached[None, :])[0], found.on(below[None, :])[0]
            if np.all(at >= values) and np.all(under < values):
                return found
    return None
