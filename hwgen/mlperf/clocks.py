"""What the time of inferences is taken by: the host's clock, or the board's own count of clocks."""

from __future__ import annotations

import time
from typing import Protocol

from hwgen.runtime.link import Counters, Identity


class Clock(Protocol):
    """What the inferences' time is taken by."""

    def microseconds(self) -> int:
        """From any time on."""

    def inferred(self) -> None:
        """An inference has been run."""


class WallClock:
    """The host's time: of an inference with all that it takes, the way over the serial line included."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    def microseconds(self) -> int:
        """Since this object was made."""
        return round((time.monotonic() - self._start) * 1e6)

    def inferred(self) -> None:
        """It passes by itself."""


class Counting(Protocol):
    """A board that counts clocks: a `hwgen.Device`."""

    identity: Identity

    def status(self) -> Counters:
        """Counters, of which `clocks` is that of the last inference."""


class BoardClock:
    """The board's time: only the clocks from an inference's first input to its last output go by.

    That is what a SoC with the core in it would wait; and the only time that a simulated board has.
    """

    def __init__(self, board: Counting) -> None:
        self._board, self._clocks = board, 0

    def microseconds(self) -> int:
        """Of all inferences so far."""
        return round(self._clocks * 1e6 / self._board.identity.clock)

    def inferred(self) -> None:
        """Asks the board how long it took."""
        self._clocks += self._board.status().clocks
