"""Activations that carry a code in place of their value: few bits for values that lie far apart.

Powers of two (Miyashita, Lee, Murmann, "Convolutional Neural Networks using Logarithmic Data Representation",
2016) are the case in point: 0, 1, 2, 4 .. 64 are seven bits as integers and three as codes.
"""

from __future__ import annotations

from dataclasses import dataclass

from hwgen.numeric.ranges import Range


@dataclass(frozen=True)
class Coded(Range):
    """Codes lo..hi; code c stands for values[c - lo], and the values rise with their codes.

    Widths are the codes'. `reach` is the range of the values, which is what sums are made of.
    """

    values: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.values) != self.hi - self.lo + 1:
            raise ValueError(f"{len(self.values)} values for the codes {self.lo}..{self.hi}")
        if any(a >= b for a, b in zip(self.values, self.values[1:])):
            raise ValueError(f"the values of codes must rise, not {self.values}")

    @property
    def reach(self) -> Range:
        """Range of the values."""
        return Range(self.values[0], self.values[-1])


def reach(value: Range) -> Range:
    """What a tensor's elements stand for: themselves, or the values of their codes."""
    return value.reach if isinstance(value, Coded) else value
