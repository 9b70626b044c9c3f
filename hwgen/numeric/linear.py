"""The linear form of a staircase as the hardware computes it, and the check that it is the same function.

d = x + centre[r]
z = 0 where d < window.lo, top where d > window.hi, else clip((M[r]*d + A) >> shift, 0, top)
A = offset[r], or below[r] where d < 0
y = clamp.lo + z, in falling rows clamp.hi - z                          with top = clamp.hi - clamp.lo
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hwgen.numeric.ranges import Range
from hwgen.numeric.rounding import Ints
from hwgen.numeric.staircase import Staircase


@dataclass(frozen=True, eq=False)
class LinearFit:
    """See the module's equations. All arrays are (rows,), M >= 0.

    zeros: trailing zero bits common to all offsets, so that the product's low bits only truncate.
    middle: None where one offset serves both sides of d = 0 (below equals offset); else the value z that the
    function has around d = 0, and the offsets are mirror images: offset = middle * 2^shift + u and
    below = middle * 2^shift + ((~u mod 2^shift), its low `zeros` bits zero), 0 <= u < 2^shift.
    exceptions: None or (rows, n) values of d. x: range of the inputs that the rows can meet.
    """

    centre: Ints
    multiplier: Ints
    offset: Ints
    below: Ints
    falling: np.ndarray
    still: np.ndarray
    table: Ints | None
    exceptions: Ints | None
    window: Range
    shift: int
    zeros: int
    middle: int | None
    clamp: Range
    x: Range

    @property
    def top(self) -> int:
        """Largest z."""
        return self.clamp.hi - self.clamp.lo if self.table is None else len(self.table) - 1

    @cached_property
    def d_range(self) -> Range:
        """Range of x + centre."""
        return Range(self.x.lo + int(self.centre.min()), self.x.hi + int(self.centre.max()))

    @cached_property
    def operand(self) -> Range:
        """Range of d limited to the window: the multiplier's operand."""
        low, high = (
            min(max(end, self.window.lo), self.window.hi) for end in (self.d_range.lo, self.d_range.hi)
        )
        return Range(low, high)

    @cached_property
    def sum_range(self) -> Range:
        """Range of M*d + A over the operand."""
        operand = self.operand
        low = self.multiplier * operand.lo + np.minimum(self.offset, self.below)
        high = self.multiplier * operand.hi + np.maximum(self.offset, self.below)
        if self.exceptions is not None:
            high = high + (1 << self.zeros)
        return Range(int(low.min()), int(high.max()))

    def on(self, x: Ints, rows: Ints | slice = slice(None)) -> Ints:
        """The hardware's arithmetic on x of shape (rows, n)."""
        fields = (self.centre, self.multiplier, self.offset, self.below, self.falling, self.still)
        centre, multiplier, offset, below, falling, still = (a[rows][:, None] for a in fields)
        d = np.where(still, 0, x + centre)
        inside = np.clip(d, self.window.lo, self.window.hi)
        total = multiplier * inside + np.where(d < 0, below, offset)
        if self.exceptions is not None:
            total += np.any(d[:, :, None] == self.exceptions[rows][:, None, :], axis=2) * (1 << self.zeros)
        z = total >> self.shift
        z = np.clip(z, 0, self.top)
        z = np.where(d < self.window.lo, 0, np.where(d > self.window.hi, self.top, z))
        if self.table is not None:
            z = self.table[z]
        return np.where(falling, self.clamp.hi - z, self.clamp.lo + z)

    def row(self, r: int, x: Ints) -> Ints:
        """Row r on an array."""
        return self.on(np.asarray(x, dtype=np.int64)[None, :], np.array([r]))[0]


def is_exact(stair: Staircase, fit: LinearFit) -> bool:
    """Whether fit equals stair at both sides of every step and of every corner of the form.

    Both are monotone between those places, so they are then equal for every input of every row.
    """
    k = np.arange(stair.steps.shape[1], dtype=np.int64)[None, :]
    lo, hi = stair.lo[:, None], stair.hi[:, None]
    steps = stair.steps
    opens = np.ones_like(steps, dtype=bool)
    opens[:, 1:] = steps[:, 1:] != steps[:, :-1]  # several steps may lie at one input
    closes = np.ones_like(opens)
    closes[:, :-1] = opens[:, 1:]
    before = np.maximum.accumulate(np.where(opens, k, 0), axis=1)
    after = np.minimum.accumulate(np.where(closes, k, k.size)[:, ::-1], axis=1)[:, ::-1] + 1
    base, sign = stair.base[:, None], stair.sign[:, None]
    reachable = steps <= hi
    at_step = fit.on(steps) == base + sign * after
    under_step = fit.on(steps - 1) == base + sign * before
    if not np.all((at_step & under_step) | ~reachable):
        return False
    corner = np.array([0, fit.window.lo, fit.window.hi + 1], dtype=np.int64)[None, :] - fit.centre[:, None]
    if fit.exceptions is not None:  # places of their own, and where the line takes over again
        special = fit.exceptions - fit.centre[:, None]
        corner = np.concatenate([corner, special, special + 1, special + 2], axis=1)
    x = np.clip(np.concatenate([corner, corner - 1, lo, hi], axis=1), lo, hi)
    count = np.sum(steps[:, None, :] <= x[:, :, None], axis=2)
    return bool(np.all(fit.on(x) == base + sign * count))
