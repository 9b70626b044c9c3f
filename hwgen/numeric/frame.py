"""What of an activation's hardware is fixed before its steps are known.

A `LineFrame` is for many levels (`framed.py` has the equations), a `StepFrame` for few: a comparison a step.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from hwgen.numeric.ranges import Range


@dataclass(frozen=True)
class LineFrame:
    """The structure of a line's hardware.

    clamp: lo and hi of the outputs. multiplier: bits of M, unsigned. window: bits of d, signed, where it is
    multiplied. zeros: low bits that are 0 in all offsets.
    """

    clamp: tuple[int, int]
    shift: int
    multiplier: int
    window: int
    zeros: int

    @property
    def out(self) -> Range:
        """Range of y."""
        return Range(*self.clamp)

    @property
    def top(self) -> int:
        """Largest z."""
        return self.clamp[1] - self.clamp[0]

    @property
    def inside(self) -> Range:
        """d where it is multiplied."""
        return Range.bits(self.window)

    @property
    def slopes(self) -> Range:
        """M."""
        return Range.bits(self.multiplier, signed=False)

    @property
    def offsets(self) -> Range:
        """A >> zeros: any level at d = 0 from well below 0 to well above `top`."""
        levels = Range.bits(max(self.top.bit_length(), 1) + 2)
        return Range.bits(levels.width + self.shift - self.zeros)

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self) | {"clamp": list(self.clamp)}

    @classmethod
    def of(cls, facts: dict[str, Any]) -> LineFrame:
        """From `as_dict`."""
        return cls(**{**facts, "clamp": (facts["clamp"][0], facts["clamp"][1])})


@dataclass(frozen=True)
class StepFrame:
    """y = clamp.lo + #{k : x >= steps[r, k]}, in falling rows clamp.hi - #..; all steps are a table's."""

    clamp: tuple[int, int]

    @property
    def out(self) -> Range:
        """Range of y."""
        return Range(*self.clamp)

    @property
    def top(self) -> int:
        """Steps of a row."""
        return self.clamp[1] - self.clamp[0]

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {"clamp": list(self.clamp)}


Frame = LineFrame | StepFrame


def frame_of(facts: dict[str, Any]) -> Frame:
    """From `as_dict`."""
    if "shift" in facts:
        return LineFrame.of(facts)
    return StepFrame((facts["clamp"][0], facts["clamp"][1]))
