"""Closed integer ranges: the only source of widths in hwgen."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Range:
    """The integers lo..hi, both included."""

    lo: int
    hi: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "lo", int(self.lo))
        object.__setattr__(self, "hi", int(self.hi))
        if self.lo > self.hi:
            raise ValueError(f"Range must have lo <= hi, not {self.lo} > {self.hi}")

    @property
    def signed(self) -> bool:
        """Whether a two's complement sign bit is needed."""
        return self.lo < 0

    @property
    def width(self) -> int:
        """Bits that hold every value (two's complement where signed); at least 1."""
        if self.signed:
            return max((~self.lo).bit_length(), self.hi.bit_length() if self.hi > 0 else 0) + 1
        return max(self.hi.bit_length(), 1)

    def __contains__(self, value: object) -> bool:
        if isinstance(value, Range):
            return self.lo <= value.lo and value.hi <= self.hi
        return isinstance(value, int) and self.lo <= value <= self.hi

    def __add__(self, other: Range | int) -> Range:
        if isinstance(other, int):
            return Range(self.lo + other, self.hi + other)
        return Range(self.lo + other.lo, self.hi + other.hi)

    def __sub__(self, other: Range | int) -> Range:
        if isinstance(other, int):
            return Range(self.lo - other, self.hi - other)
        return Range(self.lo - other.hi, self.hi - other.lo)

    def __neg__(self) -> Range:
        return Range(-self.hi, -self.lo)

    def __mul__(self, other: Range | int) -> Range:
        others = (other, other) if isinstance(other, int) else (other.lo, other.hi)
        corners = [a * b for a in (self.lo, self.hi) for b in others]
        return Range(min(corners), max(corners))

    def __or__(self, other: Range) -> Range:
        """Smallest range that holds both."""
        return Range(min(self.lo, other.lo), max(self.hi, other.hi))

    def __str__(self) -> str:
        return f"[{self.lo}, {self.hi}]"

    @classmethod
    def of(cls, values: Iterable[int]) -> Range:
        """Smallest range that holds all `values`."""
        items = [int(v) for v in values]
        return cls(min(items), max(items))

    @classmethod
    def bits(cls, width: int, signed: bool = True) -> Range:
        """Full range of a `width`-bit integer."""
        if signed:
            return cls(-(1 << (width - 1)), (1 << (width - 1)) - 1)
        return cls(0, (1 << width) - 1)
