"""The fastest clock that timing allows: for which clock a design is routed next, and which routing is kept.

A usable clock is one that the board's PLL makes and of which a whole number of clocks is a bit of the serial
line, to 2 %. Routing a design for another clock gives another placement, so what the first one allows is a
goal for the second one, not a fact: if it misses, a third one is routed for what the second allowed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import TypeVar

from hwgen.flow.board import Board
from hwgen.hw.link.uart import divisor
from hwgen.hw.pll import output_hz, output_limits
from hwgen.support.errors import UsageError

MARGIN = 0.01  # of Fmax, left between it and the clock that is tried next
WORTH = 0.01  # a clock that gains less is not tried
TRIALS = 3  # routings at most


@dataclass(frozen=True)
class Trial:
    """A routing: the clock that its PLL makes, and the one that it reaches, Hz."""

    clock_hz: float
    fmax_hz: float

    @property
    def met(self) -> bool:
        """Whether it works at its clock."""
        return self.fmax_hz >= self.clock_hz


Outcome = TypeVar("Outcome")


def usable(board: Board, limit_hz: float, baud: float) -> float:
    """The highest usable clock not above `limit_hz`, rounded up to whole Hz: asked for, the PLL makes it.

    UsageError if there is none.
    """
    limit = Fraction(min(limit_hz, output_limits(board.family)[1]))
    while True:
        try:
            clock = output_hz(board.family, board.clock_hz, float(limit))
        except UsageError as error:  # below all that it makes
            what = f"no clock of {limit_hz / 1e6:.4g} MHz or less that its PLL makes serves {baud:g} baud"
            raise UsageError(what, where=board.name) from error
        try:
            divisor(float(clock), baud)
        except UsageError:
            limit = clock - 1
        else:
            return float(ceil(clock))


def proposal(trials: Sequence[Trial], board: Board, baud: float) -> float | None:
    """The clock, Hz, that is worth another routing after `trials` (one at least); None: no more.

    After a first trial that meets its clock: what it allows. After one that misses: what that one allows,
    unless an earlier one is as good.
    """
    last = trials[-1]
    if len(trials) >= TRIALS or (last.met and len(trials) > 1):
        return None
    try:
        clock = usable(board, last.fmax_hz * (1 - MARGIN), baud)
    except UsageError:
        return None
    kept = best(trials)
    return clock if kept is None or clock > kept.clock_hz * (1 + WORTH) else None


def best(trials: Sequence[Trial]) -> Trial | None:
    """The fastest of those that met their clock."""
    return max((trial for trial in trials if trial.met), key=lambda trial: trial.clock_hz, default=None)


def search(
    route: Callable[[float], tuple[Trial, Outcome]], start_hz: float, board: Board, baud: float
) -> tuple[Trial, Outcome]:
    """Route until no other clock is worth it; the best routing, or the last where all missed their clocks.

    route: routes the design for a clock, Hz. start_hz: the first one.
    """
    trials: list[Trial] = []
    outcomes: list[Outcome] = []
    clock: float | None = start_hz
    while clock is not None:
        trial, outcome = route(clock)
        trials.append(trial)
        outcomes.append(outcome)
        clock = proposal(trials, board, baud)
    kept = best(trials) or trials[-1]
    return kept, outcomes[trials.index(kept)]
