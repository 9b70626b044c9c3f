"""The whole design on a board: clock, link, core. What is placed and routed is what works.

oscillator ─ PLL ─▶ sync        uart_rx ─▶ link ─▶ core ─▶ link ─▶ uart_tx        leds: on, busy, error
"""

from __future__ import annotations

import gc
from typing import Any

from amaranth.back import rtlil
from amaranth.hdl import Elaboratable, Fragment, Module
from amaranth.lib import wiring

from hwgen.emit.board_frame import BoardFrame
from hwgen.emit.verilog import rtlil_to_verilog
from hwgen.flow.board import Board
from hwgen.hw.leaf import with_leaves
from hwgen.hw.link.link import Link
from hwgen.hw.link.uart import divisor
from hwgen.runtime.link import BAUD, IDLE_SECONDS, WORDS, Engine
from hwgen.targets import target as target_of
from hwgen.targets.resources import Resources

TOP = "top"
PLENTY_OF_BRAMS = 50  # any ECP5 has them; the iCE40 chips do not


class BoardTop(BoardFrame, Elaboratable):
    """A core behind the board's UART, with the port names that the board's pin constraints use.

    core: component with input stream `i` and output stream `o` of ArrayLayout(shape, lanes); with a profile
    also profile_words, profile_index, profile_word (see `hwgen.engines.stream.StreamCore`).
    clock_hz: wanted; `self.clock_hz` is what the PLL gives, the nearest that is not above it.
    inputs, outputs: elements of one input and one output tensor. design_id: what IDENTIFY answers. queue: 2
    lets the next input arrive while one is computed, for a second input buffer; None where that costs little.
    pll: False leaves clock and reset to the caller (ports `clk` and `rst` in Verilog, domain `sync` in
    Amaranth's simulator); clock_hz then only sets the UART's divisor. For simulation.
    patchable: design_id is in a block RAM, as another design's weights have another one.

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
        queue: int | None = None,
        baud: float = BAUD,
        idle_seconds: float = IDLE_SECONDS,
        pll: bool = True,
        patchable: bool = False,
    ) -> None:
        super().__init__(board, clock_hz, pll=pll)
        self.core = core
        self.profile_words: int = getattr(core, "profile_words", 0)
        if queue is None:
            queue = queue_of(board.budget)
        self.link = Link(
            core.i.payload.shape(),
            core.o.payload.shape(),
            self.identity(
                Engine.STREAM, design_id=design_id, queue=queue, words=WORDS + self.profile_words
            ),
            inputs=inputs,
            outputs=outputs,
            clocks_per_bit=divisor(self.clock_hz, baud),
            idle_clocks=max(1, round(self.clock_hz * idle_seconds)),
            exchanged=target_of(board.family) if patchable else None,
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.core = self.core
        m.submodules.link = link = self.link
        wiring.connect(m, link.o, self.core.i)
        wiring.connect(m, self.core.o, link.i)
        if self.profile_words:
            m.d.comb += [self.core.profile_index.eq(link.unit), link.unit_word.eq(self.core.profile_word)]
        self.connect(m, link, busy=link.busy, error=link.error)
        return m


def queue_of(budget: Resources) -> int:
    """Requests that the link of a board takes at a time: two where its block RAMs are many."""
    return 2 if budget.bram >= PLENTY_OF_BRAMS else 1


def to_rtlil(top: Any, *, source_lines: bool = False) -> str:
    """RTLIL of a board's top as the module `top`, and all leaves; straight into `flow.synth.synthesise` as an
    `.il` file. top: an elaboratable with `ports()`."""
    collecting = gc.isenabled()
    gc.disable()  # as in emit.verilog: nothing of what elaboration makes is garbage
    try:
        text, _ = rtlil.convert_fragment(Fragment.get(top, None), top.ports(), TOP, emit_src=source_lines)
    finally:
        if collecting:
            gc.enable()
    return with_leaves(text)


def to_verilog(top: Any) -> str:
    """Verilog with the module `top`. ToolError if Yosys fails."""
    return rtlil_to_verilog(to_rtlil(top), TOP)
