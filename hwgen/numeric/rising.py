"""Staircase rows as rising functions onto levels, and what a line must satisfy to follow them.

z = levels[y - lowest] of a rising row (of the mirrored row, where it falls). Levels are 0, 1, 2 .. for a
plain requantisation. Where a staircase is two in a row, a line and then a coarser or finer map that all rows
share, the line's own levels show in the distances of the steps; the map becomes a table behind the line.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hwgen.numeric.rounding import Ints
from hwgen.numeric.staircase import Staircase

MAX_LEVELS = 1024  # entries of a table behind a line
_MOST_LEVELS_BETWEEN = 8  # tried in the narrowest gap between two steps
_SPREAD = 3  # how far steps may lie from even places: two roundings


@dataclass(frozen=True, eq=False)
class Rising:
    """Rows that rise over `levels`: levels[k] is reached with the k-th step, counted from the lowest output.

    steps, reachable: (rows, K). first_step: (rows,) outputs below the row's own first one. count: (rows,)
    steps of the row. levels: (top + 2,), the last one beyond all. lo, hi: the row's inputs.
    """

    steps: Ints
    reachable: np.ndarray
    first_step: Ints
    count: Ints
    lo: Ints
    hi: Ints
    levels: Ints

    @property
    def first(self) -> Ints:
        """(rows,) z at x = lo."""
        return self.levels[self.first_step]

    @property
    def last(self) -> Ints:
        """(rows,) z at x = hi, or lower: a level of the same output."""
        return self.levels[self.first_step + self.count]

    @property
    def top(self) -> int:
        """Highest level."""
        return int(self.levels[-2])

    @property
    def moves(self) -> np.ndarray:
        """(rows,) whether a row has any step."""
        return self.count > 0

    def window_need(self) -> tuple[Ints, Ints]:
        """Least and greatest x of each row that no clamp explains (least > greatest: none)."""
        highest = self.steps[np.arange(len(self.count)), np.maximum(self.count - 1, 0)] - 1
        low = np.where(self.first > 0, self.lo, np.where(self.moves, self.steps[:, 0], self.hi + 1))
        high = np.where(self.last < self.top, self.hi, np.where(self.moves, highest, self.lo - 1))
        return low, np.where(self.moves, np.maximum(high, low), high)  # one place between under and over

    def constraints(self) -> Bounds:
        """Two inequalities a step, and two for the ends of the row where no clamp holds them."""
        rows, count = self.steps.shape
        reached = np.minimum(self.first_step[:, None] + np.arange(1, count + 1), len(self.levels) - 1)
        value = self.levels[reached]
        ends_x = np.stack([self.lo, self.hi], axis=1)
        ends_value = np.stack([self.first, self.levels[self.first_step + self.count + 1]], axis=1)
        ends_used = np.stack([self.first > 0, self.last < self.top], axis=1)
        lower = np.concatenate([np.ones(count, bool), np.zeros(count, bool), [True, False]])
        return Bounds(
            np.concatenate([self.steps, self.steps - 1, ends_x], axis=1),
            np.concatenate([value, value, ends_value], axis=1),
            np.broadcast_to(lower, (rows, lower.size)),
            np.concatenate([self.reachable, self.reachable, ends_used], axis=1),
        )

    def half_height(self) -> Ints | None:
        """(rows,) the step to half of `top`: the middle of the most even signed window."""
        k = (len(self.levels) - 1) // 2 - self.first_step - 1
        if len(self.levels) < 4 or np.any((k < 0) | (k >= self.count)):
            return None
        return self.steps[np.arange(len(k)), k]

    def common_level(self, at: Ints) -> int | None:
        """The level that the rows have around the inputs `at`: of all that move there, if it is one."""
        step = self.first_step + np.sum(self.reachable & (self.steps <= at[:, None]), axis=1)
        known = self.moves & (at > self.lo) & (at <= self.hi)
        low, high = self.levels[step[known]], self.levels[step[known] + 1] - 1
        if not low.size or low.max() > high.min():
            return None
        if low.max() == high.min():
            return int(low.max())
        return self._between(at)

    def _between(self, at: Ints) -> int | None:
        """The level at the inputs `at`, inside a gap between levels that outputs show."""
        r = int(np.argmax(self.count))
        steps = self.steps[r, : self.count[r]]
        levels = self.levels[self.first_step[r] + 1 + np.arange(self.count[r])]
        if not steps[0] <= at[r] < steps[-1]:
            return None
        return int(np.floor(np.interp(float(at[r]), steps, levels)))

    def symmetry(self) -> int | None:
        """The level about which the row with the most steps is odd: T[k] + T[k'] = const where z_k + z_k' is.

        Looked for nearest to its half height first; only where each step is one level.
        """
        if len(self.levels) != self.top + 2:
            return None
        r = int(np.argmax(self.count))
        n = int(self.count[r])
        steps = self.steps[r, :n]
        for at in sorted(range(2, n - 1), key=lambda at: -min(at, n - at)):  # steps[at]: first above it
            span = min(at, n - at)
            if np.ptp(steps[at : at + span] + steps[at - span : at][::-1]) == 0:
                return int(self.first[r]) + at
        return None

    def sums_around(self, middle: int) -> tuple[Ints, np.ndarray]:
        """(rows,) sum of the steps beside `middle` (1 - 2 * centre in an odd row), and where both exist."""
        above = middle - self.first
        rows, last = np.arange(len(above)), self.steps.shape[1] - 1
        upper = self.steps[rows, np.clip(above, 0, last)]
        lower = self.steps[rows, np.clip(above - 1, 0, last)]
        return upper + lower, (above >= 1) & (above < self.count)


@dataclass(frozen=True, eq=False)
class Bounds:
    """Constraints (rows, n) on M and A: value*2^s <= M*x + A where lower, else M*x + A < value*2^s."""

    x: Ints
    value: Ints
    lower: np.ndarray
    used: np.ndarray

    def shifted(self, centre: Ints) -> Bounds:
        """The same in d = x + centre."""
        return replace(self, x=self.x + centre[:, None])

    def mirrored(self, middle: int) -> Bounds:
        """Those at x < 0 turned about x = 0, z = middle + 1/2, so that they bind the offset above."""
        under = self.x < 0
        return Bounds(
            np.where(under, -self.x, self.x),
            np.where(under, 2 * middle + 1 - self.value, self.value),
            self.lower ^ under,
            self.used,
        )


def rising(stair: Staircase, levels: Ints | None = None) -> Rising:
    """The rows over `levels`, or 0, 1, 2 .. ."""
    reachable = stair.steps <= stair.hi[:, None]
    clamp = stair.range
    first = np.where(stair.sign > 0, stair.base - clamp.lo, clamp.hi - stair.base)
    if levels is None:
        levels = np.arange(clamp.hi - clamp.lo + 2, dtype=np.int64)
    return Rising(stair.steps, reachable, first, reachable.sum(axis=1), stair.lo, stair.hi, levels)


def hidden_levels(rows: Rising) -> Ints | None:
    """The levels of a line behind which a table makes the outputs; None where the steps show no such line.

    Told from the row that spans all outputs with the most different steps: their distances are whole
    multiples of one unit, but for rounding. Whether the other rows follow is the fit's business.
    """
    spans = np.flatnonzero((rows.first_step == 0) & (rows.first_step + rows.count == len(rows.levels) - 2))
    if not spans.size:
        return None
    r = max(spans, key=lambda r: len(np.unique(rows.steps[r, : rows.count[r]])))
    places, at = np.unique(rows.steps[r, : rows.count[r]], return_inverse=True)
    if len(places) < 3:
        return None
    gaps = np.diff(places)
    for between in range(1, _MOST_LEVELS_BETWEEN + 1):
        unit = float(gaps.min()) / between
        for _ in range(3):  # refine the unit with all steps
            position = np.concatenate([[0], np.cumsum(np.rint(gaps / unit))])
            unit = float(places[-1] - places[0]) / max(position[-1], 1.0)
        if np.ptp(places - unit * position) <= _SPREAD and np.all(np.diff(position) > 0):
            levels = np.concatenate([[0], 1 + position[at], [2 + position[-1]]]).astype(np.int64)
            plain = len(levels) == levels[-1] + 1
            shown = np.searchsorted(levels[1:-1], levels[rows.first_step], side="right")
            odd = np.any(~rows.moves & (shown != rows.first_step))  # a constant that the table never gives
            return None if plain or odd or levels[-1] > MAX_LEVELS else levels
    return None
