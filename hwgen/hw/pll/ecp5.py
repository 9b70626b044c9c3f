"""Clock from the ECP5's PLL: dividers for a wanted frequency, and a clock that starts when it is stable.

    f_pfd = f_in / CLKI_DIV          f_vco = f_pfd * CLKFB_DIV * CLKOP_DIV          f_out = f_vco / CLKOS_DIV

CLKOP closes the loop inside the PLL (FEEDBK_PATH INT_OP) and goes nowhere else; the design's clock is
CLKOS with a divider of its own. That gives many more frequencies than taking the clock from the loop,
where only multiples of f_pfd exist. Limits: Lattice FPGA-DS-02012, sysCLOCK PLL timing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from amaranth.hdl import ClockDomain, ClockSignal, Const, Instance, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwgen.hw.pll.choose import check_limits, fastest

INPUT_HZ = (8_000_000, 400_000_000)
OUTPUT_HZ = (3_125_000, 400_000_000)
PFD_HZ = (10_000_000, 400_000_000)
VCO_HZ = (400_000_000, 800_000_000)
_CLKI_DIVS, _CLKFB_DIVS, _OUTPUT_DIVS = range(1, 129), range(1, 81), range(1, 129)


@dataclass(frozen=True)
class Settings:
    """Dividers of an EHXPLLL, and the exact frequencies they give in Hz."""

    clki_div: int
    clkfb_div: int
    clkop_div: int
    clkos_div: int
    input_hz: int

    @property
    def pfd_hz(self) -> Fraction:
        return Fraction(self.input_hz, self.clki_div)

    @property
    def vco_hz(self) -> Fraction:
        return self.pfd_hz * self.clkfb_div * self.clkop_div

    @property
    def output_hz(self) -> Fraction:
        return self.vco_hz / self.clkos_div


def settings(input_hz: int, wanted_hz: float) -> Settings:
    """Dividers for the highest frequency that is not above `wanted_hz`; UsageError if there are none."""
    check_limits(input_hz, wanted_hz, INPUT_HZ, OUTPUT_HZ)
    return fastest(_candidates(input_hz, Fraction(wanted_hz)), input_hz, wanted_hz)


def _candidates(input_hz: int, wanted: Fraction) -> Iterator[Settings]:
    """For every frequency of the VCO the least output divider that does not exceed `wanted`."""
    for clki_div in _CLKI_DIVS:
        pfd = Fraction(input_hz, clki_div)
        if not PFD_HZ[0] <= pfd <= PFD_HZ[1]:
            continue
        for multiple in range(-(-VCO_HZ[0] // pfd), VCO_HZ[1] // pfd + 1):
            loop = _loop_dividers(multiple, pfd)
            clkos_div = max(-(-pfd * multiple // wanted), _OUTPUT_DIVS[0])
            if loop is not None and clkos_div in _OUTPUT_DIVS:
                yield Settings(clki_div, *loop, int(clkos_div), input_hz)


def _loop_dividers(multiple: int, pfd: Fraction) -> tuple[int, int] | None:
    """(CLKFB_DIV, CLKOP_DIV) with that product; the loop's own output stays within an output's limits."""
    for clkop_div in _OUTPUT_DIVS:
        clkfb_div, rest = divmod(multiple, clkop_div)
        if rest == 0 and clkfb_div in _CLKFB_DIVS and OUTPUT_HZ[0] <= pfd * clkfb_div <= OUTPUT_HZ[1]:
            return clkfb_div, clkop_div
    return None


class Ecp5Pll(wiring.Component):
    """A clock from the board's oscillator.

    clk_in: the oscillator (In). clk_out: the clock (Out). locked: high while it runs (Out,
    synchronous to clk_in).

    clk_out stands still until the PLL has locked, and two oscillator clocks more, so that the gate's
    enable is clean. The domain that it drives needs no reset then: every register starts with its
    initial value from the bitstream. A reset net to every register would cost routing and speed.
    Cost: one EHXPLLL, one DCCA clock gate, two flip-flops.
    """

    def __init__(self, config: Settings) -> None:
        self.config = config
        self.output_hz = config.output_hz
        super().__init__({"clk_in": In(1), "clk_out": Out(1), "locked": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.domains.pll_input = ClockDomain("pll_input", local=True, reset_less=True)
        raw, lock, waiting, enable = Signal(), Signal(), Signal(), Signal()
        m.d.comb += [ClockSignal("pll_input").eq(self.clk_in), self.locked.eq(enable)]
        m.d.pll_input += [waiting.eq(lock), enable.eq(waiting)]
        config = self.config
        m.submodules.pll = Instance(
            "EHXPLLL",
            a_FREQUENCY_PIN_CLKI=f"{config.input_hz / 1e6:.6f}",
            a_FREQUENCY_PIN_CLKOS=f"{float(config.output_hz) / 1e6:.6f}",
            a_ICP_CURRENT="12",
            a_LPF_RESISTOR="8",
            a_MFG_ENABLE_FILTEROPAMP="1",
            a_MFG_GMCREF_SEL="2",
            p_PLLRST_ENA="DISABLED",
            p_INTFB_WAKE="DISABLED",
            p_STDBY_ENABLE="DISABLED",
            p_DPHASE_SOURCE="DISABLED",
            p_FEEDBK_PATH="INT_OP",
            p_CLKI_DIV=config.clki_div,
            p_CLKFB_DIV=config.clkfb_div,
            p_CLKOP_ENABLE="ENABLED",
            p_CLKOP_DIV=config.clkop_div,
            p_CLKOP_CPHASE=config.clkop_div - 1,
            p_CLKOP_FPHASE=0,
            p_CLKOS_ENABLE="ENABLED",
            p_CLKOS_DIV=config.clkos_div,
            p_CLKOS_CPHASE=config.clkos_div - 1,
            p_CLKOS_FPHASE=0,
            i_CLKI=self.clk_in,
            i_RST=Const(0),
            i_STDBY=Const(0),
            i_PHASESEL0=Const(0),
            i_PHASESEL1=Const(0),
            i_PHASEDIR=Const(0),
            i_PHASESTEP=Const(0),
            i_PHASELOADREG=Const(0),
            i_PLLWAKESYNC=Const(0),
            i_ENCLKOP=Const(0),
            i_ENCLKOS=Const(0),
            o_CLKOS=raw,
            o_LOCK=lock,
        )
        m.submodules.gate = Instance("DCCA", i_CLKI=raw, i_CE=enable, o_CLKO=self.clk_out)
        return m
