"""The one activation operation: a monotone integer step function per row.

    y = base[r] + sign[r] * #{k : x >= steps[r, k]}

with steps sorted along k. A row serves a channel (rows = C), everything (rows = 1) or a class of
pixels (`pixel_rows[h, w]` names the row, e.g. average pooling whose window leaves the image).
Requantisation, clamps, ReLU, batch-norm plus quantiser, division by a pool's area are all this,
and composing two staircases gives a staircase. Exact by construction: no scale survives.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from hwgen.numeric.frame import Frame
from hwgen.numeric.ranges import Range
from hwgen.numeric.rounding import Ints, ints


@dataclass(frozen=True, eq=False)
class Staircase:
    """See the module's equation. lo, hi: (rows,) the inputs each row can meet; y is defined there.

    Steps are kept inside [lo+1, hi+1]: what lies at or below lo is in `base`, hi+1 means "never".
    frame: what hardware is given where the steps are exchanged later; its outputs are the range
    then.
    """

    steps: Ints
    base: Ints
    sign: Ints
    lo: Ints
    hi: Ints
    pixel_rows: Ints | None = None
    frame: Frame | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        rows = self.steps.shape[0]
        if self.steps.ndim != 2 or any(a.shape != (rows,) for a in (self.base, self.sign, self.lo, self.hi)):
            raise ValueError("steps must be (rows, K) and base, sign, lo, hi (rows,)")
        if np.any(np.diff(self.steps, axis=1) < 0):
            raise ValueError("steps must be sorted")
        if np.any(self.lo > self.hi) or not np.all(np.isin(self.sign, (-1, 1))):
            raise ValueError("each row needs lo <= hi and sign -1 or 1")

    @property
    def rows(self) -> int:
        """Number of different step functions."""
        return self.steps.shape[0]

    @property
    def top(self) -> Ints:
        """(rows,) y at x = hi."""
        return self.base + self.sign * np.sum(self.steps <= self.hi[:, None], axis=1)

    @property
    def range(self) -> Range:
        """Every y that can come out."""
        return self.reached if self.frame is None else self.frame.out | self.reached

    @property
    def reached(self) -> Range:
        """Every y that these steps reach."""
        ends = np.concatenate([self.base, self.top])
        return Range(int(ends.min()), int(ends.max()))

    @property
    def input_range(self) -> Range:
        """Every x that may go in."""
        return Range(int(self.lo.min()), int(self.hi.max()))

    def row(self, r: int, x: Ints) -> Ints:
        """Row r of the function on an array."""
        return self.base[r] + self.sign[r] * np.searchsorted(self.steps[r], x, side="right")

    def __call__(self, x: Ints) -> Ints:
        """y for x of shape (..., H, W, C)."""
        x = ints(x)
        if self.pixel_rows is not None:
            out = np.empty_like(x)
            for r in np.unique(self.pixel_rows):
                where = self.pixel_rows == r
                out[..., where, :] = self.row(int(r), x[..., where, :])
            return out
        if self.rows == 1:
            return self.row(0, x)
        if x.shape[-1] != self.rows:
            raise ValueError(f"x has {x.shape[-1]} channels, the staircase {self.rows} rows")
        return np.stack([self.row(r, x[..., r]) for r in range(self.rows)], axis=-1)

    def shifted(self, offset: Ints) -> Staircase:
        """The staircase of z where x = z + offset[r]: folds a bias in."""
        offset = np.broadcast_to(ints(offset), (self.rows,))
        return Staircase(
            self.steps - offset[:, None],
            self.base,
            self.sign,
            self.lo - offset,
            self.hi - offset,
            self.pixel_rows,
            frame=self.frame,
        )

    def then(self, outer: Staircase) -> Staircase:
        """outer(self(x)), both per channel or with a single row."""
        if self.pixel_rows is not None or outer.pixel_rows is not None:
            raise ValueError("only per-channel staircases compose")
        rows = max(self.rows, outer.rows)
        inner = self.expanded(rows)
        out = outer.expanded(rows)

        def composed(x: Ints) -> Ints:
            y = np.stack([inner.row(r, x[r]) for r in range(rows)])
            return np.stack([out.row(r, y[r]) for r in range(rows)])

        return from_function(composed, inner.lo, inner.hi)

    def expanded(self, rows: int) -> Staircase:
        """The same with its single row repeated."""
        if self.rows == rows:
            return self
        if self.rows != 1:
            raise ValueError(f"{self.rows} rows do not spread over {rows}")
        spread = [np.repeat(a, rows, axis=0) for a in (self.steps, self.base, self.sign, self.lo, self.hi)]
        return Staircase(*spread)


def from_function(f: Callable[[Ints], Ints], lo: Ints, hi: Ints, pixel_rows: Ints | None = None) -> Staircase:
    """Exact steps of a monotone f by bisection.

    f maps an int64 array (rows, n), row r holding inputs of row r, to outputs of the same shape;
    it must be monotone in x on [lo[r], hi[r]]. Cost: rows * K * log2(hi - lo) evaluations.
    """
    lo, hi = ints(lo), ints(hi)
    ends = f(np.stack([lo, hi], axis=1))
    first, last = ends[:, 0], ends[:, 1]
    sign = np.where(last >= first, 1, -1).astype(np.int64)
    count = np.abs(last - first)
    k = np.arange(1, max(int(count.max()), 1) + 1, dtype=np.int64)[None, :]
    wanted = first[:, None] + sign[:, None] * k
    below = np.broadcast_to(lo[:, None], wanted.shape).copy()  # f(below) is short of the wanted value
    reached = np.broadcast_to(hi[:, None] + 1, wanted.shape).copy()
    for _ in range(int((hi - lo + 1).max()).bit_length() + 1):
        middle = (below + reached) >> 1
        ok = sign[:, None] * (f(middle) - wanted) >= 0
        active = reached - below > 1
        reached = np.where(ok & active, middle, reached)
        below = np.where(~ok & active, middle, below)
    steps = np.where(k <= count[:, None], reached, hi[:, None] + 1)
    return Staircase(steps, first, sign, lo, hi, pixel_rows)


def from_thresholds(thresholds: Ints, values: Ints, lo: Ints, hi: Ints) -> Staircase:
    """y = values[r, #{k : x >= thresholds[r, k]}] on [lo[r], hi[r]]: any levels, per row rising or falling.

    thresholds: (rows, n), sorted. values: (n + 1,) or (rows, n + 1), each row monotone. A real threshold t
    is given as the integer ceil(t). Raises ValueError where a row's values both rise and fall.
    """
    lo, hi, thresholds = ints(lo), ints(hi), ints(thresholds)
    rows, count = thresholds.shape
    values = np.broadcast_to(ints(values), (rows, count + 1))
    jumps = np.diff(values, axis=1)
    if np.any((jumps.min(axis=1, initial=0) < 0) & (jumps.max(axis=1, initial=0) > 0)):
        raise ValueError("each row's values must rise or fall, not both")
    before = np.sum(thresholds <= lo[:, None], axis=1)
    within = (thresholds > lo[:, None]) & (thresholds <= hi[:, None])
    climbs = np.where(within, np.abs(jumps), 0)
    steps = np.repeat(hi[:, None] + 1, max(int(climbs.sum(axis=1).max()), 1), axis=1)
    for row, at, climb in zip(steps, thresholds, climbs):
        row[: climb.sum()] = np.repeat(at, climb)
    sign = np.where(jumps.min(axis=1, initial=0) < 0, -1, 1)
    return Staircase(steps, values[np.arange(rows), before], ints(sign), lo, hi)
