"""Lines with exceptions: a row's line may miss its step at a few inputs, where the adder takes a carry.

Float32 requantisation (ONNX Runtime) rounds a product before it rounds to an integer: at some inputs, one in
a few hundred steps, the product becomes a tie and then an even number, which no line follows. The line is
laid such that it is never too high; where it is too low by less than 2^zeros, an input is an exception.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from hwgen.numeric.linear import LinearFit
from hwgen.numeric.rising import Bounds
from hwgen.numeric.rounding import Ints

MAX_EXCEPTIONS = 3
_SHIFTS = range(20, 41)
_EXTRA_SHIFTS = 3  # tried beyond the smallest
_FINEST = 22  # fraction bits of the offset
_CANDIDATES = 33  # multipliers tried around the best slope
_FAR = np.int64(1) << 60

Solution = tuple[int, int, int, Ints, Ints, Ints]
"""Number of the centre, shift, zeros, multiplier and offset (rows,), exceptions (rows, count) in d."""


def solutions(
    bounds: Bounds, slope: np.ndarray, steps: Ints, centres: Sequence[Ints], count: int
) -> Iterator[Solution]:
    """Lines with at most `count` exceptions a row, for every centre, from the smallest shift on.

    bounds, slope: of the rows in x. steps: (rows,) how many a row has. Rows that stand still get M = A = 0.
    """
    found = 0
    for shift in _SHIFTS:
        lines = _Lines(bounds, _multipliers(slope, steps, shift), shift, count)
        if not lines.feasible:
            continue
        found += 1
        for number, centre in enumerate(centres):
            solved = lines.solve(centre)
            if solved is not None:
                yield number, shift, *solved
        if found > _EXTRA_SHIFTS:
            return


def _multipliers(slope: np.ndarray, steps: Ints, shift: int) -> Ints:
    """(candidates, rows) integers around slope * 2^shift, as far as a line can turn within the steps."""
    scaled = slope * float(1 << shift)
    turn = 3.0 * scaled / np.maximum(steps, 1) ** 2
    spread = np.linspace(-1, 1, _CANDIDATES)[:, None]
    near = np.arange(_CANDIDATES)[:, None] - _CANDIDATES // 2
    wide = turn > _CANDIDATES // 2
    return np.maximum(np.rint(scaled + np.where(wide, turn * spread, near)).astype(np.int64), 0)


class _Lines:
    """For one shift: bounds of A for every candidate multiplier, the highest lower bounds apart."""

    def __init__(self, bounds: Bounds, multipliers: Ints, shift: int, count: int) -> None:
        self.multipliers, self.shift, self.count = multipliers, shift, count
        lower, upper = bounds.used & bounds.lower, bounds.used & ~bounds.lower
        value = bounds.value << shift
        self.high: list[Ints] = []
        self.edges: list[Ints] = []  # (rows, count + 1) the highest lower bounds, highest first
        self.places: list[Ints] = []  # their x
        for m in multipliers:
            edge = value - m[:, None] * bounds.x
            self.high.append(np.where(upper, edge - 1, _FAR).min(axis=1))
            edge = np.where(lower, edge, -_FAR)
            top = np.argpartition(-edge, count, axis=1)[:, : count + 1]
            order = np.argsort(-np.take_along_axis(edge, top, axis=1), axis=1, kind="stable")
            top = np.take_along_axis(top, order, axis=1)
            self.edges.append(np.take_along_axis(edge, top, axis=1))
            self.places.append(np.take_along_axis(bounds.x, top, axis=1))

    @property
    def feasible(self) -> bool:
        """Whether each row has a line whose lower bounds but for `count` are met."""
        return bool(np.any([e[:, -1] <= h for e, h in zip(self.edges, self.high)], axis=0).all())

    def solve(self, centre: Ints) -> tuple[int, Ints, Ints, Ints] | None:
        """(zeros, M, A, exceptions) with the most zeros; None if no number of zeros will do."""
        for zeros in range(self.shift - 8, max(self.shift - _FINEST, 0) - 1, -1):
            multiplier, offset = np.zeros_like(centre), np.zeros_like(centre)
            exceptions = np.zeros((len(centre), self.count), dtype=np.int64)
            fewest = np.full(len(centre), self.count + 1)
            for m, high, edges, places in zip(self.multipliers, self.high, self.edges, self.places):
                edges, top = edges - (m * centre)[:, None], high - m * centre
                low = np.maximum(edges[:, -1], edges[:, 0] - (1 << zeros))
                a = np.where(top >= _FAR // 2, -((-low) >> zeros) << zeros, top >> zeros << zeros)
                missed = (edges[:, : self.count] > a[:, None]).sum(axis=1)
                better = (low <= a) & (missed < fewest)
                multiplier, offset = np.where(better, m, multiplier), np.where(better, a, offset)
                fewest = np.where(better, missed, fewest)
                marked = np.where(edges > a[:, None], places + centre[:, None], _FAR)[:, : self.count]
                exceptions = np.where(better[:, None], marked, exceptions)
            if np.all(fewest <= self.count):
                return zeros, multiplier, offset, exceptions
        return None


def with_unused(fit: LinearFit) -> LinearFit | None:
    """The fit with each unused exception (marked far away) at an input where the carry changes nothing."""
    assert fit.exceptions is not None
    places = np.array([fit.window.lo, fit.window.hi, fit.window.lo + 1, fit.window.hi - 1], dtype=np.int64)
    total = fit.multiplier[:, None] * places + fit.offset[:, None]
    harmless = (total + (1 << fit.zeros)) >> fit.shift == total >> fit.shift
    if not np.all(harmless.any(axis=1)):
        return None
    place = places[np.argmax(harmless, axis=1)]
    used = np.abs(fit.exceptions) < _FAR // 2
    return replace(fit, exceptions=np.where(used, fit.exceptions, place[:, None]))
