"""The pins of a quad SPI flash: what `hw.systolic.flash.FlashPins` says, through a family's pads.

Every pad has registers, so that timing is that of the pads whatever the placement. `late` counts the clocks
that they, and the way to the flash and back, add (see `FlashReader`); `divide` is how many clocks a nibble
must take at a clock frequency.
"""

from __future__ import annotations

from math import ceil

from amaranth.hdl import ClockSignal, Const, Instance, IOPort, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from hwgen.hw.systolic.flash import LONGEST_WAY, FlashPins
from hwgen.support.errors import UsageError

LINES = 4
_PAD_REGISTERS = 2  # on the way out, on the way in

# SB_IO's PIN_TYPE (Lattice, iCE40 Technology Library), highest bit first
_OUTPUT = 0b0101_01  # registered
_DOUBLE = 0b0100_01  # registered, the second half of a clock from D_OUT_1
_BOTH = 0b1101_00  # output, its enable and input registered


class Ice40FlashPads(wiring.Component):
    """iCE40: SB_IO with registers; SCK = ~clk & clock_enable from a DDR output.

    pins: see `FlashPins`. ports: the pins' IOPorts by the names of a board's constraints.

    SCK's rise has half a clock before and behind it. From its fall, at the pad's clock edge, a nibble has a
    clock to come: SCK's pad and the flash's tCLQV (W25Q128JV: 7 ns) and an input's setup, some 15 ns on UP5K.
    /CS is low from configuration to the first clock, which without SCK is no command.
    """

    max_hz = 48e6  # of nibbles

    def __init__(self, clock_hz: float) -> None:
        self.divide = ceil(clock_hz / self.max_hz)
        self.late = _PAD_REGISTERS
        self.ports = {
            "flash_cs_n": IOPort(1, name="flash_cs_n"),
            "flash_io": IOPort(LINES, name="flash_io"),
            "flash_clk": IOPort(1, name="flash_clk"),
        }
        super().__init__({"pins": In(FlashPins())})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        pins, ports = self.pins, self.ports
        clock = ClockSignal()
        enable = Signal()
        m.d.sync += enable.eq(pins.clock_enable)  # as late as the lines' registers are
        m.submodules.clk = Instance(
            "SB_IO", p_PIN_TYPE=Const(_DOUBLE, 6), io_PACKAGE_PIN=ports["flash_clk"],
            i_OUTPUT_CLK=clock, i_D_OUT_0=Const(0), i_D_OUT_1=enable,
        )  # fmt: skip
        m.submodules.cs = Instance(
            "SB_IO", p_PIN_TYPE=Const(_OUTPUT, 6), io_PACKAGE_PIN=ports["flash_cs_n"],
            i_OUTPUT_CLK=clock, i_D_OUT_0=pins.cs_n,
        )  # fmt: skip
        for line in range(LINES):
            m.submodules[f"io{line}"] = Instance(
                "SB_IO", p_PIN_TYPE=Const(_BOTH, 6), io_PACKAGE_PIN=ports["flash_io"][line],
                i_INPUT_CLK=clock, i_OUTPUT_CLK=clock, i_OUTPUT_ENABLE=pins.d_oe[line],
                i_D_OUT_0=pins.d_o[line], o_D_IN_0=pins.d_i[line],
            )  # fmt: skip
        return m


class Ecp5FlashPads(wiring.Component):
    """ECP5: SCK through the configuration clock's pin (USRMCLK), the others through BB.

    pins: see `FlashPins`. ports: the pins' IOPorts by the names of a board's constraints.

    USRMCLK has no register of its own, so SCK comes from one of the fabric: a nibble takes two clocks or
    more, in the last of which SCK is high; lines change when it falls. From its fall a nibble has `divide`
    clocks (at most three) to come, 23 ns or more: some 10 ns to the pin, 7 ns tCLQV in the flash, 3 ns back.
    """

    max_hz = 42e6  # of nibbles
    fastest_hz = (LONGEST_WAY - _PAD_REGISTERS + 1) * max_hz

    def __init__(self, clock_hz: float) -> None:
        self.divide = max(2, ceil(clock_hz / self.max_hz))
        self.late = min(_PAD_REGISTERS + self.divide - 1, LONGEST_WAY)
        if clock_hz > self.fastest_hz:
            raise UsageError(
                f"a system clock of {clock_hz / 1e6:g} MHz is above {self.fastest_hz / 1e6:g} MHz",
                where="flash",
            )
        self.ports = {
            "flash_cs_n": IOPort(1, name="flash_cs_n"),
            "flash_io": IOPort(LINES, name="flash_io"),
        }
        super().__init__({"pins": In(FlashPins())})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        pins, ports = self.pins, self.ports
        sck, cs_n, into = Signal(), Signal(init=1), Signal(LINES)
        out, open_ = Signal(LINES), Signal(LINES, init=-1)
        m.d.sync += [
            sck.eq(pins.clock_enable),
            cs_n.eq(pins.cs_n),
            out.eq(pins.d_o),
            open_.eq(~pins.d_oe),
            pins.d_i.eq(into),
        ]
        m.submodules.clk = Instance("USRMCLK", i_USRMCLKI=sck, i_USRMCLKTS=Const(0))
        m.submodules.cs = Instance("OB", i_I=cs_n, io_O=ports["flash_cs_n"])
        for line in range(LINES):
            m.submodules[f"io{line}"] = Instance(
                "BB", i_I=out[line], i_T=open_[line], o_O=into[line], io_B=ports["flash_io"][line]
            )
        return m


def flash_pads(family: str, clock_hz: float) -> Ice40FlashPads | Ecp5FlashPads:
    """The pads for a family. UsageError: a clock at which no data come back in time, or a family without."""
    match family:
        case "ice40" | "ice40up":
            return Ice40FlashPads(clock_hz)
        case "ecp5":
            return Ecp5FlashPads(clock_hz)
    raise UsageError(f"no flash pads for the family {family!r}", where="flash")
