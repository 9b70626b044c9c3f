"""What every design on a board has: its clock, a serial line, LEDs."""

from __future__ import annotations

import re
from typing import Any

from amaranth.hdl import Cat, ClockDomain, Const, IOPort, Module, Signal, Value
from amaranth.hdl._ir import PortDirection

from hwgen.emit.manifest import version
from hwgen.flow.board import Board
from hwgen.hw.pll import pll as clock_source
from hwgen.runtime.link import WORDS, Engine, Identity


class BoardFrame:
    """Ports clk, uart_rx (in), uart_tx, leds (out), with the names that the board's pin constraints use.

    clock_hz: wanted; `self.clock_hz` is what the PLL gives, the nearest that is not above it.
    pll: False leaves clock and reset to the caller (ports `clk` and `rst` in Verilog, domain `sync` in
    Amaranth's simulator). For simulation. UsageError: a clock that the PLL cannot make.
    has_flash: the board's flash is among the ports.
    """

    has_flash = False

    def __init__(self, board: Board, clock_hz: float, *, pll: bool = True) -> None:
        self.board = board
        self.pll: Any = None
        if pll:
            self.pll = clock_source(board.family, board.clock_hz, clock_hz, pad=board.clock_on_pll_pad)
        self.clock_hz = float(self.pll.output_hz) if pll else float(clock_hz)
        self.clk = Signal()
        self.uart_rx = Signal(init=1)
        self.uart_tx = Signal(init=1)
        self.leds = Signal(len(board.leds.pins))

    def identity(
        self, engine: Engine, *, design_id: int = 0, queue: int = 1, words: int = WORDS
    ) -> Identity:
        """What the board says of itself; the link adds the sizes of its tensors."""
        return Identity(
            engine,
            version_numbers(),
            clock=round(self.clock_hz),
            design_id=design_id,
            inputs=0,
            outputs=0,
            board=self.board.name,
            queue=queue,
            words=words,
        )

    def ports(self) -> dict[str, tuple[Signal | IOPort, PortDirection]]:
        """Top ports by name."""
        inward, outward = PortDirection.Input, PortDirection.Output
        clock: dict[str, tuple[Signal | IOPort, PortDirection]] = (
            {"clk": (self.clk, inward)} if self.pll else {}
        )
        return {
            **clock,
            "uart_rx": (self.uart_rx, inward),
            "uart_tx": (self.uart_tx, outward),
            "leds": (self.leds, outward),
        }

    def connect(self, m: Module, link: Any, *, busy: Value, error: Value) -> None:
        """The clock domain `sync`, the link's serial lines, and the LEDs: 0 on, 1 busy, 2 error."""
        if self.pll is not None:
            m.submodules.pll = pll = self.pll
            # every register starts with its initial value, and the clock only when it is stable: no reset
            m.domains.sync = sync = ClockDomain("sync", reset_less=True)
            m.d.comb += [pll.clk_in.eq(self.clk), sync.clk.eq(pll.clk_out)]
        states = Signal(len(self.leds))
        m.d.comb += [
            link.rx.eq(self.uart_rx),
            self.uart_tx.eq(link.tx),
            states.eq(Cat(Const(1, 1), busy, error)),
            self.leds.eq(~states if self.board.leds_active == "low" else states),
        ]


def version_numbers() -> tuple[int, int, int]:
    """hwgen's version as three numbers, zeros where it is not known."""
    numbers = [int(part) for part in re.findall(r"\d+", version())[:3]]
    major, minor, patch = (*(min(number, 255) for number in numbers), 0, 0, 0)[:3]
    return major, minor, patch
