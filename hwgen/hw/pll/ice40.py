"""Clock from the iCE40's PLL: dividers for a wanted frequency, and a clock that starts when it is stable.

    f_pfd = f_in / (DIVR + 1)          f_vco = f_pfd * (DIVF + 1)          f_out = f_vco / 2**DIVQ

The loop is closed at the VCO (FEEDBACK_PATH SIMPLE). Limits: Lattice FPGA-TN-02052, iCE40 sysCLOCK PLL, and
the family data sheets.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

from amaranth.hdl import ClockDomain, ClockSignal, Const, Instance, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwgen.hw.pll.choose import check_limits, fastest

INPUT_HZ = (10_000_000, 133_000_000)
OUTPUT_HZ = (16_000_000, 275_000_000)
PFD_HZ = (10_000_000, 133_000_000)
VCO_HZ = (533_000_000, 1_066_000_000)
_DIVRS, _DIVFS, _DIVQS = range(16), range(128), range(1, 7)
#: FILTER_RANGE for phase detectors below these frequencies; 6 above
_FILTERS = ((17_000_000, 1), (26_000_000, 2), (44_000_000, 3), (66_000_000, 4), (101_000_000, 5))

#: Block RAMs read as zero for some microseconds after configuration (Lattice's errata; 3 us and a margin).
RAM_SECONDS = 15e-6


@dataclass(frozen=True)
class Settings:
    """Dividers of an SB_PLL40, and the exact frequencies they give in Hz."""

    divr: int
    divf: int
    divq: int
    input_hz: int

    @property
    def pfd_hz(self) -> Fraction:
        return Fraction(self.input_hz, self.divr + 1)

    @property
    def vco_hz(self) -> Fraction:
        return self.pfd_hz * (self.divf + 1)

    @property
    def output_hz(self) -> Fraction:
        return self.vco_hz / (1 << self.divq)

    @property
    def filter_range(self) -> int:
        """FILTER_RANGE of the loop filter."""
        return next((value for limit, value in _FILTERS if self.pfd_hz < limit), 6)


def settings(input_hz: int, wanted_hz: float) -> Settings:
    """Dividers for the highest frequency that is not above `wanted_hz`; UsageError if there are none."""
    check_limits(input_hz, wanted_hz, INPUT_HZ, OUTPUT_HZ)
    return fastest(_candidates(input_hz, Fraction(wanted_hz)), input_hz, wanted_hz)


def _candidates(input_hz: int, wanted: Fraction) -> Iterator[Settings]:
    """For every frequency of the phase detector and output divider the largest DIVF that exceeds no limit."""
    for divr in _DIVRS:
        pfd = Fraction(input_hz, divr + 1)
        if not PFD_HZ[0] <= pfd <= PFD_HZ[1]:
            continue
        for divq in _DIVQS:
            vco = min(wanted * (1 << divq), Fraction(VCO_HZ[1]))
            multiple = min(vco // pfd, len(_DIVFS))
            found = Settings(divr, multiple - 1, divq, input_hz)
            if multiple >= 1 and found.vco_hz >= VCO_HZ[0] and found.output_hz >= OUTPUT_HZ[0]:
                yield found


class Start(wiring.Component):
    """enable: from `wait` clocks after `lock` on, while it stays; changes while the clock `raw` is low."""

    def __init__(self, wait: int) -> None:
        self.wait = wait
        super().__init__({"raw": In(1), "lock": In(1), "enable": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.domains.pll_clock = ClockDomain("pll_clock", local=True, reset_less=True)
        m.domains.pll_low = low = ClockDomain("pll_low", local=True, reset_less=True, clk_edge="neg")
        locked, ready = Signal(2), Signal()
        left = Signal(range(self.wait + 1), init=self.wait)
        m.d.comb += [ClockSignal("pll_clock").eq(self.raw), low.clk.eq(self.raw)]
        m.d.pll_clock += [
            locked.eq(self.lock << 1 | locked[1]),
            left.eq(Mux(locked[0], Mux(left == 0, 0, left - 1), self.wait)),
            ready.eq(left == 0),
        ]
        m.d.pll_low += self.enable.eq(ready)  # half a clock: no logic on the way
        return m


class Ice40Pll(wiring.Component):
    """A clock from the board's oscillator.

    clk_in: the oscillator (In). clk_out: the clock (Out). locked: high while it runs (Out, in that clock).
    pad: clk_in is the PLL's own pin (SB_PLL40_PAD); the fabric cannot see it then.

    clk_out stands still until the PLL has locked and the block RAMs hold their contents (RAM_SECONDS later);
    its gate opens while the clock is low, so that no pulse is short. What it drives needs no reset.
    Cost: one SB_PLL40, one LUT4 in the clock's way, a counter.
    """

    def __init__(self, config: Settings, *, pad: bool = False) -> None:
        self.config, self.pad = config, pad
        self.output_hz = config.output_hz
        super().__init__({"clk_in": In(1), "clk_out": Out(1), "locked": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        raw, lock = Signal(), Signal()
        m.submodules.start = start = Start(ceil(RAM_SECONDS * self.output_hz))
        m.d.comb += [start.raw.eq(raw), start.lock.eq(lock), self.locked.eq(start.enable)]
        config = self.config
        m.submodules.pll = Instance(
            "SB_PLL40_PAD" if self.pad else "SB_PLL40_CORE",
            p_FEEDBACK_PATH="SIMPLE",
            p_DIVR=Const(config.divr, 4),
            p_DIVF=Const(config.divf, 7),
            p_DIVQ=Const(config.divq, 3),
            p_FILTER_RANGE=Const(config.filter_range, 3),
            i_RESETB=Const(1),
            i_BYPASS=Const(0),
            o_PLLOUTGLOBAL=raw,
            o_LOCK=lock,
            **{"i_PACKAGEPIN" if self.pad else "i_REFERENCECLK": self.clk_in},
        )
        m.submodules.gate = Instance(
            "SB_LUT4",
            p_LUT_INIT=Const(0x8888, 16),  # I0 and I1
            i_I0=raw,
            i_I1=start.enable,
            i_I2=Const(0),
            i_I3=Const(0),
            o_O=self.clk_out,
        )
        return m
