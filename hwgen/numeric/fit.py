"""Finds the narrowest exact linear form of a staircase (`linear.py` has the form).

For a rising row with steps T_k to the values z_k the integers M, A, s give the very same function iff

    M*T_k + A >= z_k * 2^s      and      M*(T_k - 1) + A < z_k * 2^s      for every reachable step k,

so A must lie between max_k(z_k*2^s - M*T_k) and min_k(z_k*2^s - 1 - M*(T_k - 1)). The size of that
interval is concave in M with its maximum at 2^s * m for one real slope m of the row, so the smallest
s with an integer solution is found by trying the integers beside 2^s * m.

Rounding away from zero (TFLite rounds twice that way) is odd about the accumulator's zero: the function
below is the mirror image of the one above. With d = 0 there, the constraints below, mirrored, become
constraints on the same offset, and the hardware inverts the offset's bits where d < 0.

A larger shift than the smallest widens M but leaves A more freedom, hence fewer significant bits: shifts
are weighed by `Weights`, which says what a bit of adder, of table and a hard multiplier are worth.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from math import ceil

import numpy as np

from hwgen.numeric.exceptions import solutions, with_unused
from hwgen.numeric.linear import LinearFit, is_exact
from hwgen.numeric.ranges import Range
from hwgen.numeric.rising import Bounds, Rising, hidden_levels, rising
from hwgen.numeric.rounding import Ints, ints
from hwgen.numeric.staircase import Staircase

MAX_SHIFT = 40
EXTRA_SHIFTS = 8  # tried beyond the smallest
_SECTIONS = 42  # narrow the slope to 2^-29 of its first interval
_FAR = np.int64(1) << 60
_ROUND = np.int64(1) << 52


@dataclass(frozen=True)
class Weights:
    """What the fit minimises, in LUT4: a bit of an adder counts 1.

    table: a bit of the per-row table. part: a product of `operand` signed bits each.
    """

    table: float = 1.0
    part: float = 100.0
    operand: int = 18


def fit_linear(
    stair: Staircase, split_at: Ints | None = None, weights: Weights = Weights()
) -> LinearFit | None:
    """The cheapest exact linear form, or None if there is none up to MAX_SHIFT.

    split_at: (rows,) the accumulator's zero where it is known (minus the bias); a good place for d = 0 and
    the point of symmetry of rounding away from zero. Found by itself where the function shows it.
    The result is checked at every step of every row before it is returned.
    """
    rows = rising(stair)
    best = _fit_rows(stair, rows, split_at, weights)
    if best is None:
        levels = hidden_levels(rows)
        finer = None if levels is None else rising(stair, levels)
        if finer is not None:
            best = _fit_rows(stair, finer, split_at, weights)
        for kind in (rows, finer):
            if best is None and kind is not None:
                best = _fit_exceptional(stair, kind, split_at, weights)
    return best


def _fit_rows(stair: Staircase, rows: Rising, split_at: Ints | None, weights: Weights) -> LinearFit | None:
    bounds = rows.constraints()
    slope = best_slope(rows, bounds, None)
    straight = _Solver(rows, bounds, slope, None)
    tries = [(centre, straight) for centre in _centres(rows, bounds, slope, split_at)]
    for centre, middle in _mirrors(rows, bounds, slope, split_at):
        mirrored = bounds.shifted(centre).mirrored(middle)
        tries.append((centre, _Solver(rows, mirrored, best_slope(rows, mirrored, slope), middle)))
    fits = [fit for centre, solver in tries for fit in _fits_around(stair, rows, centre, solver, weights)]
    fits.sort(key=lambda fit: weigh(fit, weights))
    return next((fit for fit in fits if is_exact(stair, fit)), None)


def _fit_exceptional(
    stair: Staircase, rows: Rising, split_at: Ints | None, weights: Weights
) -> LinearFit | None:
    """The cheapest line with the fewest exceptions that will do."""
    bounds = rows.constraints()
    slope = best_slope(rows, bounds, None)
    moving = replace(bounds, used=bounds.used & rows.moves[:, None])
    centres, windows = [], []
    for place in _centres(rows, bounds, slope, split_at):
        centre, window = _windowed(rows, place)
        if window.width <= 2 * weights.operand - 2:
            centres.append(centre)
            windows.append(window)
    best: LinearFit | None = None
    for number, shift, zeros, multiplier, offset, exceptions in solutions(moving, slope, rows.count, centres):
        if best is not None and best.exceptions is not None and best.exceptions.shape < exceptions.shape:
            break
        where = centres[number], windows[number]
        fit = _assembled(stair, rows, where, shift, zeros, multiplier, offset, None, exceptions)
        whole = with_unused(fit) if _holds(fit) else None
        if whole is None or (best is not None and weigh(whole, weights) >= weigh(best, weights)):
            continue
        if is_exact(stair, whole):
            best = whole
    return best


def weigh(fit: LinearFit, weights: Weights) -> float:
    """LUT4 equivalents of a fit: products by parts of the operand's width, rows of LUTs for the rest of d."""
    multiplier = int(fit.multiplier.max()).bit_length()
    parts = ceil(multiplier / (weights.operand - 1))
    adders = fit.sum_range.width - fit.zeros + fit.operand.width * bool(np.any(fit.centre))
    adders += (parts - 1) * multiplier
    if fit.operand.width + (not fit.operand.signed) > weights.operand:  # d is wider than one operand
        adders += 2 * multiplier
        parts *= 1 if fit.operand.width <= weights.operand + 1 else 2
    table = sum(varying_bits(a) for a in (fit.centre, fit.multiplier, fit.offset)) + bool(fit.still.any())
    if fit.exceptions is not None:
        table += fit.operand.width * fit.exceptions.shape[1]
        adders += fit.operand.width * fit.exceptions.shape[1]
    return weights.part * parts + weights.table * table + adders


def varying_bits(values: Ints) -> int:
    """Two's complement bit columns that are not the same in all rows."""
    return (
        int(np.bitwise_or.reduce(values ^ values[0])).bit_count()
        if np.all(values >= 0)
        else Range.of(values).width
    )


def _crossing(rows: Rising, bounds: Bounds, slope: np.ndarray, z: float) -> Ints:
    """(rows,) the input nearest to where each row's line passes z; 0 in rows without a slope."""
    low, high = offset_interval(bounds, slope, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        at = np.rint((z - (low + high) / 2) / slope)
    known = rows.moves & np.isfinite(at) & (np.abs(at) < 1 << 40)
    return np.where(known, at, 0).astype(np.int64)


def _centres(rows: Rising, bounds: Bounds, slope: np.ndarray, split_at: Ints | None) -> Iterator[Ints]:
    """Centres worth trying with one offset: none at all, the line's own zero, half height, the given one."""
    yield np.zeros(len(rows.first), dtype=np.int64)
    zero = _crossing(rows, bounds, slope, 0.5)  # rounding to nearest: the accumulator's zero has z = 1/2
    yield from (-zero + j for j in (-1, 0, 1))
    half = rows.half_height()
    if half is not None:
        yield -half
    if split_at is not None:
        yield -ints(split_at)


def _mirrors(
    rows: Rising, bounds: Bounds, slope: np.ndarray, split_at: Ints | None
) -> Iterator[tuple[Ints, int]]:
    """Centres about which the function may be odd, with the value there."""
    middle = rows.symmetry()
    if middle is not None:
        twice, known = rows.sums_around(middle)
        nearby = -_crossing(rows, bounds, slope, middle + 0.5)
        if not np.any(known & ((twice - 1) & 1 == 1)):
            yield np.where(known, -((twice - 1) >> 1), nearby), middle
    if split_at is not None:
        middle = rows.common_level(ints(split_at))
        if middle is not None:
            yield -ints(split_at), middle


def _fits_around(
    stair: Staircase, rows: Rising, centre: Ints, solver: _Solver, weights: Weights
) -> Iterator[LinearFit]:
    """Exact fits with d = x + centre."""
    centre, window = place = _windowed(rows, centre)
    smallest = solver.smallest_shift
    if smallest is None or window.width > 2 * weights.operand - 2:
        return
    for shift in range(smallest, smallest + EXTRA_SHIFTS + 1):
        solved = solver.solve(shift, centre)
        if solved is not None:
            multiplier, offset, zeros = solved
            fit = _assembled(stair, rows, place, shift, zeros, multiplier, offset, solver.middle, None)
            if _holds(fit):
                yield fit


def _windowed(rows: Rising, centre: Ints) -> tuple[Ints, Range]:
    """The centres, those of rows that stand still kept from widening d, and the window of d."""
    moves = rows.moves
    low, high = rows.window_need()
    window = _window((low + centre)[moves], (high + centre)[moves])
    if moves.any():
        centre = np.where(moves, centre, np.clip(0, centre[moves].min(), centre[moves].max()))
    return centre, window


def _assembled(
    stair: Staircase,
    rows: Rising,
    place: tuple[Ints, Range],
    shift: int,
    zeros: int,
    multiplier: Ints,
    offset: Ints,
    middle: int | None,
    exceptions: Ints | None,
) -> LinearFit:
    """The fit with its mirrored offset, its table, and rows that stand still."""
    moves = rows.moves
    multiplier, offset = np.where(moves, multiplier, 0), np.where(moves, offset, rows.first << shift)
    below = offset
    if middle is not None:
        base = np.int64(middle) << shift
        mask = (np.int64(1) << shift) - (np.int64(1) << zeros)
        below = np.where(moves, base + (~(offset - base) & mask), offset)
    return LinearFit(
        centre=place[0],
        multiplier=multiplier,
        offset=offset,
        below=below,
        falling=stair.sign < 0,
        still=~moves,
        table=None if rows.top == stair.range.hi - stair.range.lo else _table(rows),
        exceptions=exceptions,
        window=place[1],
        shift=shift,
        zeros=zeros,
        middle=middle,
        clamp=stair.range,
        x=stair.input_range,
    )


def _table(rows: Rising) -> Ints:
    """Outputs, counted from the lowest, by level."""
    return np.searchsorted(rows.levels[1:-1], np.arange(rows.top + 1), side="right").astype(np.int64)


def _holds(fit: LinearFit) -> bool:
    """Whether the sums stay inside int64, so that the check means something."""
    return fit.sum_range.width <= 62


def _window(low: Ints, high: Ints) -> Range:
    """Smallest power-of-two range, signed or not, that holds low..high of every row."""
    need = low <= high
    if not need.any():
        return Range(0, 1)
    reach = Range(int(low[need].min()), int(high[need].max()))
    return Range.bits(reach.width, reach.signed)


class _Solver:
    """Integer M and A of all rows for one shift. bounds: in x, or mirrored in d."""

    def __init__(self, rows: Rising, bounds: Bounds, slope: np.ndarray, middle: int | None) -> None:
        self.bounds = replace(bounds, used=bounds.used & rows.moves[:, None])
        self.slope = slope
        self.middle = middle
        self._lines: dict[int, list[tuple[Ints, Ints, Ints]]] = {}

    @cached_property
    def smallest_shift(self) -> int | None:
        """Least shift that has a solution."""
        return next((shift for shift in range(MAX_SHIFT + 1) if self._feasible(shift)), None)

    def _candidates(self, shift: int) -> list[Ints]:
        floor = np.floor(self.slope * float(1 << shift)).astype(np.int64)
        return [np.maximum(floor + j, 0) for j in (0, 1, -1, 2)]

    def _feasible(self, shift: int) -> bool:
        done = np.zeros(len(self.slope), dtype=bool)
        for m in self._candidates(shift)[:2]:
            low, high = offset_interval(self.bounds, m, shift)
            if self.middle is not None:
                low, high = self._between(low, high, shift, 0)
            done |= low <= high
        return bool(done.all())

    def _between(self, low: Ints, high: Ints, shift: int, zeros: int) -> tuple[Ints, Ints]:
        """Interval of u = offset - middle * 2^shift with `zeros` low bits zero on both sides of d = 0.

        Above, u misses nothing; below, the inverted offset misses its `zeros` low ones: keep that distance.
        """
        base = np.int64(self.middle or 0) << shift
        return np.maximum(low - base, 0), np.minimum(
            high - base - ((1 << zeros) - 1), (np.int64(1) << shift) - 1
        )

    def solve(self, shift: int, centre: Ints) -> tuple[Ints, Ints, int] | None:
        """(M, A, zeros) with as many trailing zeros in all offsets as there can be; None if infeasible."""
        if shift not in self._lines:
            self._lines[shift] = [
                (m, *offset_interval(self.bounds, m, shift)) for m in self._candidates(shift)
            ]
        lines = self._lines[shift]
        if self.middle is None:
            solved = [(m, *_roundest(low - m * centre, high - m * centre, 0)) for m, low, high in lines]
            zeros = int(np.max([e for _, _, e in solved], axis=0).min())
            return None if zeros < 0 else (*_pick(solved), min(zeros, shift))
        for zeros in range(shift, -1, -1):
            solved = [
                (m, *_roundest(*self._between(low, high, shift, zeros), zeros)) for m, low, high in lines
            ]
            if np.all(np.max([e for _, _, e in solved], axis=0) >= zeros):
                m, u = _pick(solved)
                return m, u + (np.int64(self.middle) << shift), zeros
        return None


def _pick(solved: list[tuple[Ints, Ints, np.ndarray]]) -> tuple[Ints, Ints]:
    """Multiplier and offset of the candidate with the roundest offset, row by row."""
    best = np.argmax([e for _, _, e in solved], axis=0)[None, :]
    return tuple(np.take_along_axis(np.stack([s[i] for s in solved]), best, axis=0)[0] for i in (0, 1))  # type: ignore[return-value]


def offset_interval(bounds: Bounds, m: np.ndarray, shift: int) -> tuple[np.ndarray, np.ndarray]:
    """Smallest and largest offset that satisfies the constraints for multiplier m (real m: open interval)."""
    exact = m.dtype == np.int64
    edge = (bounds.value << shift) - m[:, None] * bounds.x
    far = _FAR if exact else 1e18
    upper = edge - 1 if exact else edge - m[:, None] * 0
    low = np.where(bounds.used & bounds.lower, edge, -far).max(axis=1)
    high = np.where(bounds.used & ~bounds.lower, upper, far).min(axis=1)
    return low, high


def _roundest(low: Ints, high: Ints, least: int) -> tuple[Ints, np.ndarray]:
    """The multiple of the largest power of two in [low, high] and its exponent (-1: none down to 2^least).

    Above zero it is `high` without the bits below the highest one in which it differs from low - 1.
    """
    below = high < 0
    first, last = np.where(below, -high, low), np.where(below, -low, high)
    inside = (first <= 0) & (last >= 0)
    last = np.minimum(last, _ROUND)  # floats tell the highest bit
    differing = np.where(inside | (first > last), 1, (first - 1) ^ last)
    exponent = np.frexp(differing.astype(np.float64))[1].astype(np.int64) - 1
    value = np.where(inside, 0, last >> exponent << exponent)
    exponent = np.where(inside, 62, exponent)
    exponent = np.where((low > high) | (first > last) | (exponent < least), -1, exponent)
    return np.where(below, -value, value), exponent


def best_slope(rows: Rising, bounds: Bounds, near: np.ndarray | None) -> np.ndarray:
    """(rows,) the real slope with the widest offset interval, by golden section on a concave function.

    near: a slope of a subset of the constraints, to search around.
    """
    count = rows.count
    index = np.arange(len(count))
    gap = rows.steps[index, np.maximum(count - 1, 0)] - rows.steps[:, 0]
    gap = np.maximum(gap, 1).astype(np.float64)
    climb = rows.last - rows.levels[np.minimum(rows.first_step + 1, len(rows.levels) - 1)]
    middle = np.where(count > 1, climb / gap, 0.0)
    widest = float(np.diff(rows.levels).max())  # a feasible line passes within one level of each step
    reach = np.where(count > 1, 2.0 * widest / gap, 2.0 * widest)
    if near is not None:
        middle = near
    left, right = np.maximum(middle - reach, 0.0), middle + reach
    used_lower, used_upper = bounds.used & bounds.lower, bounds.used & ~bounds.lower
    x, value = bounds.x.astype(np.float64), bounds.value.astype(np.float64)
    low_value = np.where(used_lower, value, -1e30)
    high_value = np.where(used_upper, value, 1e30)

    def slack(m: np.ndarray) -> np.ndarray:
        line = m[:, None] * x
        return np.minimum((high_value - line).min(axis=1) - (low_value - line).max(axis=1), 1e20)

    ratio = (np.sqrt(5) - 1) / 2
    a, b = right - ratio * (right - left), left + ratio * (right - left)
    at_a, at_b = slack(a), slack(b)
    for _ in range(_SECTIONS):  # golden section: one new place a time
        worse = at_a < at_b
        left, right = np.where(worse, a, left), np.where(worse, right, b)
        new = np.where(worse, left + ratio * (right - left), right - ratio * (right - left))
        at_new = slack(new)
        a, b = np.where(worse, b, new), np.where(worse, new, a)
        at_a, at_b = np.where(worse, at_b, at_new), np.where(worse, at_new, at_a)
    return np.where(count == 0, 0.0, (left + right) / 2)
