"""Clock from the board's oscillator through the family's PLL.

Every family's component has the ports clk_in (the oscillator) and clk_out (stands still until the PLL runs
stably, so that what it drives needs no reset) and the attribute output_hz (exact).
"""

from __future__ import annotations

from fractions import Fraction
from types import ModuleType

from amaranth.lib import wiring

from hwgen.hw.pll import ecp5, ice40
from hwgen.support.errors import UsageError

__all__ = ["output_hz", "output_limits", "pll"]


def pll(family: str, input_hz: int, wanted_hz: float, *, pad: bool = False) -> wiring.Component:
    """A PLL that gives the highest frequency not above `wanted_hz`.

    pad: the oscillator's pin belongs to the PLL (iCE40). UsageError: frequencies that it cannot make, or a
    family without a PLL.
    """
    if _module(family) is ecp5:
        return ecp5.Ecp5Pll(ecp5.settings(input_hz, wanted_hz))
    return ice40.Ice40Pll(ice40.settings(input_hz, wanted_hz), pad=pad)


def output_hz(family: str, input_hz: int, wanted_hz: float) -> Fraction:
    """What `pll` would give, exactly; errors as there."""
    return _module(family).settings(input_hz, wanted_hz).output_hz


def output_limits(family: str) -> tuple[int, int]:
    """Lowest and highest frequency that a PLL of the family may give, Hz."""
    return _module(family).OUTPUT_HZ


def _module(family: str) -> ModuleType:
    if family not in _MODULES:
        raise UsageError(f"no PLL for the family {family!r}", where="PLL")
    return _MODULES[family]


_MODULES = {"ecp5": ecp5, "ice40": ice40, "ice40up": ice40}
