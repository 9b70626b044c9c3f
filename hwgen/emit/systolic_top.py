"""The systolic engine on a board: clock, link, core, flash. Its program and weights are in the flash.

oscillator ─ PLL ─▶ sync        uart_rx ─▶ link ─▶ core ─▶ link ─▶ uart_tx        leds: on, busy, error
                                                   core ◀─▶ flash
"""

from __future__ import annotations

from math import ceil

from amaranth.hdl import Elaboratable, IOPort, Module, ResetInserter, Signal
from amaranth.hdl._ir import PortDirection
from amaranth.lib import wiring

from hwgen.emit.board_frame import BoardFrame
from hwgen.flow.board import Board, required_flash
from hwgen.hw.flashpads import flash_pads
from hwgen.hw.link.stream_link import StreamLink
from hwgen.hw.link.uart import divisor
from hwgen.hw.systolic.core import SystolicCore
from hwgen.hw.systolic.loader import Loader
from hwgen.program.array import Array
from hwgen.runtime.link import BAUD, IDLE_SECONDS, Engine
from hwgen.targets import target

WAKE_SECONDS = 4e-6  # until a flash is awake: 3 us by W25Q128JV's data sheet, and a margin


class SystolicTop(BoardFrame, Elaboratable):
    """SystolicCore behind the board's UART, with the board's flash.

    Ports: those of `BoardFrame`, and flash_cs_n, flash_io (4 lines), and flash_clk where that is a pin.
    LED 1: a request is under way or the core computes; LED 2: the last answer was an error, or there is no
    good image. The design's id is the CRC-32 of the image; RESET makes the core load it again.

    geometry: the array. clock_hz, pll: see `BoardFrame`. BoardError: a board whose flash cannot be read.
    UsageError: a clock that the PLL, the UART or the flash cannot have.
    """

    has_flash = True

    def __init__(
        self,
        geometry: Array,
        board: Board,
        clock_hz: float,
        *,
        baud: float = BAUD,
        idle_seconds: float = IDLE_SECONDS,
        pll: bool = True,
    ) -> None:
        flash = required_flash(board)
        super().__init__(board, clock_hz, pll=pll)
        self.pads = flash_pads(board.family, self.clock_hz)
        self.core = SystolicCore(
            geometry=geometry,
            target=target(board.family),
            loader=Loader(
                geometry=geometry,
                base=flash.image,
                wake=ceil(self.clock_hz * WAKE_SECONDS),
                late=self.pads.late,
                divide=self.pads.divide,
            ),
        )
        self.link = StreamLink(
            self.identity(Engine.SYSTOLIC),
            clocks_per_bit=divisor(self.clock_hz, baud),
            idle_clocks=max(1, round(self.clock_hz * idle_seconds)),
        )

    def ports(self) -> dict[str, tuple[Signal | IOPort, PortDirection]]:
        """Top ports by name."""
        pads = {name: (port, PortDirection.Inout) for name, port in self.pads.ports.items()}
        return {**super().ports(), **pads}

    def elaborate(self, platform: object) -> Module:
        m = Module()
        core, restart = self.core, Signal()
        m.submodules.core = ResetInserter(restart)(core)
        m.d.sync += restart.eq(self.link.reset)
        m.submodules.link = link = self.link
        m.submodules.pads = pads = self.pads
        wiring.connect(m, link.o, core.i)
        wiring.connect(m, core.o, link.i)
        wiring.connect(m, core.flash, pads.pins)
        m.d.comb += [
            link.inputs.eq(core.inputs),
            link.outputs.eq(core.outputs),
            link.design_id.eq(core.checksum),
            link.enable.eq(core.ready),
        ]
        self.connect(m, link, busy=link.busy | core.computing, error=link.error | core.error)
        return m
