"""The whole design on a board: clock, link, core. What is placed and routed is what works.

oscillator ─ PLL ─▶ sync        uart_rx ─▶ link ─▶ core ─▶ link ─▶ uart_tx        leds: on, busy, error
"""

from __future__ import annotations

import gc
from typing import Any

from amaranth.back import rtlil
from amaranth.hdl import Cat, ClockDomain, Const, Elaboratable, Fragment, Module, Signal
from amaranth.hdl._ir import PortDirection
from amaranth.lib import wiring

from hwgen.emit.verilog import rtlil_to_verilog
from hwgen.flow.board import Board
from hwgen.hw.leaf import with_leaves
from hwgen.hw.link.link import Link
from hwgen.hw.link.uart import divisor
from hwgen.hw.pll import pll as clock_source
from hwgen.runtime.link import BAUD, IDLE_SECONDS

TOP = "top"


class BoardTop(Elaboratable):
    """A core behind the board's UART, with the port names that the board's pin constraints use.

    core: component with input stream `i` and output stream `o` of ArrayLayout(shape, lanes).
    clock_hz: wanted; `self.clock_hz` is what the PLL gives, the nearest that is not above it.
    inputs, outputs: elements of one input and one output tensor. design_id: what IDENTIFY answers.
    pll: False leaves clock and reset to the caller (ports `clk` and `rst` in Verilog, domain `sync` in
    Amaranth's simulator); clock_hz then only sets the UART's divisor. For simulation.

    Ports: clk, uart_rx (in), uart_tx, leds (out). LED 0: configured, 1: busy, 2: the last answer was an
    error (as many as there are). UsageError: a clock that the PLL or the UART cannot make, or tensors that
    the link cannot hold.
    """

    def __init__(
        self,
        core: Any,
        board: Board,
        clock_hz: float,
        *,
        inputs: int,
        outputs: int,
        design_id: int = 0,
        baud: float = BAUD,
        idle_seconds: float = IDLE_SECONDS,
        pll: bool = True,
    ) -> None:
        self.core, self.board = core, board
        self.pll: Any = None
        if pll:
            self.pll = clock_source(board.family, board.clock_hz, clock_hz, pad=board.clock_on_pll_pad)
        self.clock_hz = float(self.pll.output_hz) if pll else float(clock_hz)
        self.link = Link(
            core.i.payload.shape(),
            core.o.payload.shape(),
            inputs=inputs,
            outputs=outputs,
            clocks_per_bit=divisor(self.clock_hz, baud),
            idle_clocks=max(1, round(self.clock_hz * idle_seconds)),
            design_id=design_id,
        )
        self.clk = Signal()
        self.uart_rx = Signal(init=1)
        self.uart_tx = Signal(init=1)
        self.leds = Signal(len(board.leds.pins))

    def ports(self) -> dict[str, tuple[Signal, PortDirection]]:
        """Top ports by name."""
        inward, outward = PortDirection.Input, PortDirection.Output
        clock = {"clk": (self.clk, inward)} if self.pll else {}
        return {
            **clock,
            "uart_rx": (self.uart_rx, inward),
            "uart_tx": (self.uart_tx, outward),
            "leds": (self.leds, outward),
        }

    def elaborate(self, platform: object) -> Module:
        m = Module()
        if self.pll is not None:
            m.submodules.pll = pll = self.pll
            # every register starts with its initial value, and the clock only when it is stable: no reset
            m.domains.sync = sync = ClockDomain("sync", reset_less=True)
            m.d.comb += [pll.clk_in.eq(self.clk), sync.clk.eq(pll.clk_out)]
        m.submodules.core = self.core
        m.submodules.link = link = self.link
        wiring.connect(m, link.o, self.core.i)
        wiring.connect(m, self.core.o, link.i)
        states = Signal(len(self.leds))
        m.d.comb += [
            link.rx.eq(self.uart_rx),
            self.uart_tx.eq(link.tx),
            states.eq(Cat(Const(1, 1), link.busy, link.error)),
            self.leds.eq(~states if self.board.leds_active == "low" else states),
        ]
        return m


def to_rtlil(top: BoardTop, *, source_lines: bool = False) -> str:
    """RTLIL with the module `top` and all leaves; straight into `flow.synth.synthesise` as an `.il` file."""
    collecting = gc.isenabled()
    gc.disable()  # as in emit.verilog: nothing of what elaboration makes is garbage
    try:
        text, _ = rtlil.convert_fragment(Fragment.get(top, None), top.ports(), TOP, emit_src=source_lines)
    finally:
        if collecting:
            gc.enable()
    return with_leaves(text)


def to_verilog(top: BoardTop) -> str:
    """Verilog with the module `top`. ToolError if Yosys fails."""
    return rtlil_to_verilog(to_rtlil(top), TOP)
