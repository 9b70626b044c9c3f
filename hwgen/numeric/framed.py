"""A line of fixed widths for steps that are not known yet: what a staircase is in a design whose weights are
exchanged after it was routed.

    d = x + centre[r]
    z = 0 where d < window.lo, top where d > window.hi, else clip((M[r]*d + A) >> shift, 0, top)
    A = offset[r], or where d < 0 and mirrored[r], offset[r] with its bits below `shift` inverted
    y = clamp.lo + z                                                       with top = clamp.hi - clamp.lo

All arrays are (rows,) and come from a table; everything else is the `LineFrame`, which the first weights
choose with room for others (`frame_for`), and into which the next ones are fitted (`fit_into`). The inverted
offset mirrors the line at d = 0: rounding away from zero (see `fit.py`). Rows that stand still have `still`
set, d = 0 and M = 0.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hwgen.numeric.fit import best_slope, offset_interval
from hwgen.numeric.frame import LineFrame
from hwgen.numeric.ranges import Range
from hwgen.numeric.rising import Rising, rising
from hwgen.numeric.rounding import Ints, ints
from hwgen.numeric.staircase import Staircase

MAX_SHIFT = 38
SPARE_SHIFT = 3  # bits of precision beyond what the first weights need, in hard multipliers
SPARE_IN_LUTS = 1  # where each is a row of LUTs
LEAST_IN_LUTS, MOST_IN_LUTS = 8, 36
SPARE_SLOPE = 2  # bits by which a slope may grow
SPARE_WINDOW = 1  # bits by which the inputs that are not clamped may grow
SPARE_ZEROS = 3  # bits of the offsets beyond what the first weights need


class NoLine(ValueError):
    """The steps do not follow a line of this frame; the message says which row, and why."""


@dataclass(frozen=True, eq=False)
class FramedLine:
    """The rows of a table for a frame; see the module's equations."""

    frame: LineFrame
    centre: Ints
    multiplier: Ints
    offset: Ints
    mirrored: np.ndarray
    still: np.ndarray

    def on(self, x: Ints) -> Ints:
        """The hardware's arithmetic on x of shape (rows, n)."""
        frame = self.frame
        centre, multiplier, offset, mirrored, still = (
            a[:, None] for a in (self.centre, self.multiplier, self.offset, self.mirrored, self.still)
        )
        d = np.where(still, 0, x + centre)
        mask = (np.int64(1) << frame.shift) - (np.int64(1) << frame.zeros)
        total = multiplier * np.clip(d, frame.inside.lo, frame.inside.hi)
        total = total + np.where(mirrored & (d < 0), offset ^ mask, offset)
        z = np.clip(total >> frame.shift, 0, frame.top)
        z = np.where(d < frame.inside.lo, 0, np.where(d > frame.inside.hi, frame.top, z))
        return frame.clamp[0] + z


def frame_for(stair: Staircase, zero_at: Ints, clamps: list[Range], operand: int | None = 18) -> LineFrame:
    """The frame that follows `stair` with some room for other steps of the kind. NoLine if none does.

    zero_at: (rows,) the accumulator's zero. clamps: ranges of y to try, the preferred first. operand: signed
    bits of a hard multiplier's operands: M takes two at most, and fills one. None: each bit of M is a row of
    LUTs.
    """
    reasons: list[str] = []
    for clamp in clamps:
        try:
            return _roomy(stair, zero_at, clamp, operand)
        except NoLine as reason:
            reasons.append(str(reason))
    raise NoLine(reasons[0])


def _roomy(stair: Staircase, zero_at: Ints, clamp: Range, operand: int | None) -> LineFrame:
    """Grows from the smallest shift at which every row has a line."""
    rows = _rows(stair, clamp)
    need = _need(rows, -ints(zero_at))
    widest = LineFrame((clamp.lo, clamp.hi), 0, 62, need.width + SPARE_WINDOW, 0)
    lines = _Lines(rows, -ints(zero_at))
    least = next((s for s in range(MAX_SHIFT + 1) if lines.solved(replace(widest, shift=s))), None)
    if least is None:
        row = lines.worst(replace(widest, shift=MAX_SHIFT))
        raise NoLine(f"channel {row}: its steps follow no line")

    def bits(shift: int) -> int:
        found = lines.solved(replace(widest, shift=shift))
        return int(found.multiplier.max()).bit_length() + SPARE_SLOPE if found is not None else 64

    part = LEAST_IN_LUTS if operand is None else operand - 1
    most, spare_shift = (MOST_IN_LUTS, SPARE_IN_LUTS) if operand is None else (2 * part, SPARE_SHIFT)
    spare = next((spare for spare in range(spare_shift, -1, -1) if bits(least + spare) <= most), None)
    if spare is None:
        raise NoLine(f"a line that follows its steps needs a multiplier of more than {most} bits")
    shift = least + spare
    while bits(shift + 1) <= part:
        shift += 1
    multiplier = max(bits(shift), part)
    frame = replace(widest, shift=shift, multiplier=multiplier)
    zeros = next(z for z in range(shift, -1, -1) if z == 0 or lines.solved(replace(frame, zeros=z)))
    return replace(frame, zeros=max(0, zeros - SPARE_ZEROS))


def fit_into(stair: Staircase, zero_at: Ints, frame: LineFrame) -> FramedLine:
    """The rows of `stair` in `frame`, checked at every step. NoLine where they do not fit.

    zero_at: (rows,) the accumulator's zero.
    """
    rows, centre = _rows(stair, frame.out), -ints(zero_at)
    need = _need(rows, centre)
    if need not in frame.inside:
        raise NoLine(f"inputs of {need.width} bits move the outputs; the line takes {frame.window}")
    lines = _Lines(rows, centre)
    line = lines.solved(frame)
    if line is None:
        row = lines.worst(frame)
        raise NoLine(f"channel {row}: no line of {frame.multiplier} bits follows its steps")
    if not is_exact(stair, line):
        raise NoLine("the line misses a step")
    return line


def is_exact(stair: Staircase, line: FramedLine) -> bool:
    """Whether line equals stair at both sides of every step and of every corner of the form.

    Both are monotone between those places, so they are then equal for every input of every row.
    """
    lo, hi = stair.lo[:, None], stair.hi[:, None]
    inside = line.frame.inside
    corners = np.array([0, inside.lo, inside.hi + 1], dtype=np.int64)[None, :] - line.centre[:, None]
    places = np.concatenate([stair.steps, corners], axis=1)
    x = np.clip(np.concatenate([places, places - 1, lo, hi], axis=1), lo, hi)
    wanted = np.stack([stair.row(r, x[r]) for r in range(stair.rows)])
    return bool(np.all(line.on(x) == wanted))


def _rows(stair: Staircase, clamp: Range) -> Rising:
    """The rows over all levels of `clamp`."""
    if np.any((stair.sign < 0) & np.any(stair.steps <= stair.hi[:, None], axis=1)):
        raise NoLine(f"channel {int(np.argmax(stair.sign < 0))}: its steps fall")
    if stair.reached not in clamp:
        raise NoLine(f"outputs are {stair.reached}, not within {clamp}")
    wide = rising(replace(stair, frame=None), np.arange(clamp.hi - clamp.lo + 2, dtype=np.int64))
    return replace(wide, first_step=stair.base - clamp.lo)


def _need(rows: Rising, centre: Ints) -> Range:
    """d where no clamp explains the outputs."""
    low, high = (end + centre for end in rows.window_need())
    some = rows.moves & (low <= high)
    return Range(min(int(low[some].min()), -1), max(int(high[some].max()), 0)) if some.any() else Range(-1, 0)


class _Lines:
    """Integer M and A of all rows, straight or mirrored, for one frame after the other."""

    def __init__(self, rows: Rising, centre: Ints) -> None:
        self.rows, self.centre = rows, np.where(rows.moves, centre, 0)
        self.still = ~rows.moves
        bounds = rows.constraints().shifted(self.centre)
        bounds = replace(bounds, used=bounds.used & rows.moves[:, None])
        # the level at d = 0, within what the line can have there
        step = rows.first_step + np.sum(rows.reachable & (rows.steps + self.centre[:, None] <= 0), axis=1)
        self.middle = step.astype(np.int64)
        straight = best_slope(rows, bounds, None)
        turned = bounds.mirrored(self.middle[:, None])
        self.kinds = ((bounds, straight), (turned, best_slope(rows, turned, straight)))

    def _found(self, frame: LineFrame) -> tuple[np.ndarray, Ints, Ints, np.ndarray]:
        """(found, M, A, mirrored) of each row."""
        count, unit = len(self.middle), np.int64(1) << frame.zeros
        found, mirrored = self.still.copy(), np.zeros(count, dtype=bool)
        multiplier = np.zeros(count, dtype=np.int64)
        offset = np.where(self.still, self.rows.first << frame.shift, 0)
        for kind, (bounds, slope) in enumerate(self.kinds):
            start = np.floor(slope * float(1 << frame.shift)).astype(np.int64)
            for near in (0, 1, -1, 2):
                m = np.maximum(start + near, 0)
                low, high = offset_interval(bounds, m, frame.shift)
                if kind:
                    base = self.middle << frame.shift
                    low = np.maximum(low, base)
                    high = np.minimum(high - (unit - 1), base + (np.int64(1) << frame.shift) - 1)
                middle = (low + high) >> 1  # farthest from both ends, if its low bits may be dropped
                a = np.where((middle & -unit) >= low, middle & -unit, -(-low // unit) * unit)
                good = (low <= a) & (a <= high) & (m <= frame.slopes.hi)
                good &= (a >> frame.zeros >= frame.offsets.lo) & (a >> frame.zeros <= frame.offsets.hi)
                new = good & ~found
                multiplier, offset = np.where(new, m, multiplier), np.where(new, a, offset)
                mirrored |= new & bool(kind)
                found |= good
        return found, multiplier, offset, mirrored

    def solved(self, frame: LineFrame) -> FramedLine | None:
        """All rows, or None if one has no line."""
        found, multiplier, offset, mirrored = self._found(frame)
        if not found.all():
            return None
        return FramedLine(frame, self.centre, multiplier, offset, mirrored, self.still)

    def worst(self, frame: LineFrame) -> int:
        """A row that has none."""
        return int(np.argmin(self._found(frame)[0]))
