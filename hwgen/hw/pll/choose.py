"""What choosing a PLL's dividers has in common for all families."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Protocol, TypeVar

from hwgen.support.errors import UsageError

Limits = tuple[int, int]


class Dividers(Protocol):
    """Exact frequencies of the phase detector, the oscillator in the loop and the output, in Hz."""

    @property
    def pfd_hz(self) -> Fraction: ...
    @property
    def vco_hz(self) -> Fraction: ...
    @property
    def output_hz(self) -> Fraction: ...


_Found = TypeVar("_Found", bound=Dividers)


def check_limits(input_hz: int, wanted_hz: float, inputs: Limits, outputs: Limits) -> None:
    """UsageError when either frequency is outside the PLL's range."""
    for what, value, (low, high) in (("input", input_hz, inputs), ("output", wanted_hz, outputs)):
        if not low <= value <= high:
            limits = f"{low / 1e6:g}..{high / 1e6:g} MHz"
            raise UsageError(f"{what} clock of {value / 1e6:g} MHz is outside {limits}", where="PLL")


def fastest(found: Iterable[_Found], input_hz: int, wanted_hz: float) -> _Found:
    """The highest output frequency of those found; UsageError if there are none.

    Among equals: the fastest phase detector, then the fastest VCO (both lower the jitter).
    """
    best = max(found, key=lambda each: (each.output_hz, each.pfd_hz, each.vco_hz), default=None)
    if best is None:
        raise UsageError(f"no dividers for {wanted_hz / 1e6:g} MHz from {input_hz / 1e6:g} MHz", where="PLL")
    return best
