"""Progress on a terminal: one line that moves, or one line a stage where output is a file."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TextIO

Progress = Callable[[str, float | None], None]


def silent(what: str, fraction: float | None = None) -> None:
    """Shows nothing."""


class Console:
    """progress(what, fraction): shows what is being done and how far it is, with the time so far."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._out = stream or sys.stderr
        self._live = self._out.isatty()
        self._start = time.monotonic()
        self._last = ("", -1)

    def __call__(self, what: str, fraction: float | None = None) -> None:
        tenth = -1 if fraction is None else int(fraction * (100 if self._live else 4))
        if (what, tenth) == self._last or (not self._live and what == self._last[0]):
            return
        self._last = (what, tenth)
        share = "    " if fraction is None else f"{int(fraction * 100):3d}%"
        line = f"  {time.monotonic() - self._start:6.1f} s  {share}  {what}"
        self._out.write(f"\r\x1b[K{line}" if self._live else line + "\n")
        self._out.flush()

    def done(self) -> None:
        """Leave the moving line."""
        if self._live:
            self._out.write("\r\x1b[K")
            self._out.flush()
