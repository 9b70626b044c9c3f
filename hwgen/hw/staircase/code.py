"""A staircase as cuts of its input: the common ground of the forms that compare.

    index = #{j : (x >= at[r, j]) xor falling[r]},  j = 1 .. n
    y = values[index]  on a ladder that all rows share, or  y = base[r] + index

The n flags of a row are sorted (flag j implies flag j - 1) whether the row rises or falls, so a binary search
works, and each bit of y is the exclusive or of the flags at which that bit changes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hwgen.numeric.ranges import Range
from hwgen.numeric.rounding import Ints
from hwgen.numeric.staircase import Staircase


@dataclass(frozen=True, eq=False)
class StepCode:
    """See the module's equations.

    at: (rows, n). always, never: (rows,) a row's lowest input and its highest plus 1, cuts that all inputs or
    none reach. values: (n + 1,) rising, or None; base: (rows,) where values is None.
    """

    at: Ints
    always: Ints
    never: Ints
    falling: np.ndarray
    values: Ints | None
    base: Ints

    @property
    def count(self) -> int:
        """Cuts a row has."""
        return int(self.at.shape[1])

    @property
    def bits(self) -> int:
        """Bits of the index."""
        return self.count.bit_length()

    def padded(self, count: int) -> Ints:
        """`at` with further cuts behind, whose flags are never up."""
        ends = np.where(self.falling, self.always, self.never)
        more = np.repeat(ends[:, None], count - self.count, axis=1)
        return np.concatenate([self.at, more], axis=1)


def step_codes(stair: Staircase, value: Range) -> tuple[StepCode, StepCode]:
    """(on a common ladder, with a base for each row) of a staircase whose inputs lie in `value`."""
    low, high = np.maximum(stair.lo, value.lo), np.minimum(stair.hi, value.hi)
    counts = np.sum(stair.steps <= high[:, None], axis=1)
    falling = stair.sign < 0
    reached = np.arange(stair.steps.shape[1] + 1)[None, :]
    # a count is taken where the next step comes later than the one that leads to it
    edges = np.concatenate([low[:, None], np.clip(stair.steps, low[:, None], high[:, None] + 1)], axis=1)
    ahead = np.concatenate([edges[:, 1:], high[:, None] + 1], axis=1)
    outputs = stair.base[:, None] + stair.sign[:, None] * reached
    values = np.unique(outputs[ahead > edges])
    ladder = _needed(stair, values[None, 1:])
    most = max(int(counts.max()), 0)
    base = np.where(falling, stair.base - most, stair.base)
    own = _needed(stair, base[:, None] + np.arange(1, most + 1)[None, :])
    return (
        StepCode(_cuts(stair, ladder, low, high), low, high + 1, falling, values, base),
        StepCode(_cuts(stair, own, low, high), low, high + 1, falling, None, base),
    )


def _needed(stair: Staircase, y: Ints) -> Ints:
    """How many steps x must have reached for (not falling) y or more, (falling) less than y."""
    base = stair.base[:, None]
    return np.where(stair.sign[:, None] > 0, y - base, base - y + 1)


def _cuts(stair: Staircase, needed: Ints, low: Ints, high: Ints) -> Ints:
    """The inputs at which the rows reach so many steps."""
    last = stair.steps.shape[1]
    never = high[:, None] + 1
    index = np.clip(needed - 1, 0, max(last - 1, 0))
    steps = np.take_along_axis(stair.steps, index, axis=1) if last else np.broadcast_to(never, needed.shape)
    cuts = np.where(needed > last, never, np.where(needed < 1, low[:, None], steps))
    return np.clip(cuts, low[:, None], never)
