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

MAX_EXCEPTIONS = 6
_SHIFTS = range(20, 41)
_EXTRA_SHIFTS = 3  # tried beyond the smallest
_FINEST = 22  # fraction bits of the offset
_CANDIDATES = 21  # multipliers tried around the best slope
_FAR = np.int64(1) << 60

Solution = tuple[int, int, int, Ints, Ints, Ints]
"""Number of the centre, shift, zeros, multiplier and offset (rows,), exceptions (rows, count) in d."""


def solutions(bounds: Bounds, slope: np.ndarray, steps: Ints, centres: Sequence[Ints]) -> Iterator[Solution]:
    """Lines with exceptions for every centre, those with the fewest exceptions in any row first.

    bounds, slope: of the rows in x. steps: (rows,) how many a row has. Rows that stand still get M = A = 0.
    """
    known: dict[int, _Lines] = {}

    def lines(shift: int) -> _Lines:
        if shift not in known:
            known[shift] = _Lines(bounds, _multipliers(slope, steps, shift), shift)
        return known[shift]

    for count in range(1, MAX_EXCEPTIONS + 1):
        low, high = _SHIFTS.start, _SHIFTS.stop
        while low < high:  # what is feasible stays so with more bits, but for the candidates' chance
            middle = (low + high) // 2
            low, high = (low, middle) if lines(middle).feasible(count) else (middle + 1, high)
        for shift in range(low, min(low + _EXTRA_SHIFTS + 1, _SHIFTS.stop)):
            for number, centre in enumerate(centres):
                solved = lines(shift).solve(centre, count)
                if solved is not None:
                    yield number, shift, *solved


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

    def __init__(self, bounds: Bounds, multipliers: Ints, shift: int) -> None:
        self.multipliers, self.shift, count = multipliers, shift, MAX_EXCEPTIONS
        lower, upper = (np.flatnonzero(kind) for kind in (bounds.lower[0], ~bounds.lower[0]))
        value = bounds.value << shift
        high, edges, their = [], [], []
        for m in multipliers:
            edge = value[:, upper] - m[:, None] * bounds.x[:, upper] - 1
            high.append(np.where(bounds.used[:, upper], edge, _FAR).min(axis=1))
            edge = value[:, lower] - m[:, None] * bounds.x[:, lower]
            edge = np.where(bounds.used[:, lower], edge, -_FAR)
            edge = np.pad(edge, ((0, 0), (0, count)), constant_values=-_FAR)  # rows of few steps
            places = np.pad(bounds.x[:, lower], ((0, 0), (0, count)))
            top = np.argpartition(-edge, count, axis=1)[:, : count + 1]
            order = np.argsort(-np.take_along_axis(edge, top, axis=1), axis=1, kind="stable")
            top = np.take_along_axis(top, order, axis=1)
            edges.append(np.take_along_axis(edge, top, axis=1))
            their.append(np.take_along_axis(places, top, axis=1))
        # by candidate and row: the least upper bound, the highest lower bounds (highest first), their x
        self.high, self.edges, self.places = np.stack(high), np.stack(edges), np.stack(their)

    def feasible(self, count: int) -> bool:
        """Whether each row has a line whose lower bounds but for `count` are met."""
        return bool(np.any(self.edges[:, :, count] <= self.high, axis=0).all())

    def solve(self, centre: Ints, count: int) -> tuple[int, Ints, Ints, Ints] | None:
        """(zeros, M, A, exceptions) with the most zeros; None if no number of zeros will do."""
        moved = self.multipliers * centre
        edges, high = self.edges[:, :, : count + 1] - moved[:, :, None], self.high - moved
        for zeros in range(self.shift - 8, max(self.shift - _FINEST, 0) - 1, -1):
            low = np.maximum(edges[:, :, count], edges[:, :, 0] - (1 << zeros))
            a = np.where(high >= _FAR // 2, -((-low) >> zeros) << zeros, high >> zeros << zeros)
            missed = np.where(low <= a, (edges[:, :, :count] > a[:, :, None]).sum(axis=2), count + 1)
            best = missed.argmin(axis=0)[None, :]
            if np.any(np.take_along_axis(missed, best, axis=0) > count):
                continue
            multiplier, offset = (np.take_along_axis(each, best, axis=0)[0] for each in (self.multipliers, a))
            edge, place = (
                np.take_along_axis(each[:, :, :count], best[:, :, None], axis=0)[0]
                for each in (edges, self.places)
            )
            exceptions = np.where(edge > offset[:, None], place + centre[:, None], _FAR)
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
