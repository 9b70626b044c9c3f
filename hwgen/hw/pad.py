"""A border of constant pixels around every frame of a stream."""

from __future__ import annotations

from amaranth.hdl import Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwgen.hw.stream import lanes_stream, shape_of
from hwgen.numeric.ranges import Range


class Pad(wiring.Component):
    """o: frames of i, shape (H, W, C), with `pad` = (top, bottom, left, right) pixels of `constant` around.

    No latency beyond the output register, a beat a clock; i waits while the border is made. Cost: two
    counters, comparisons, one register a bit. Errors: ValueError unless lanes divides the channels.
    """

    def __init__(
        self,
        *,
        shape: tuple[int, int, int],
        value: Range,
        pad: tuple[int, int, int, int],
        constant: int,
        lanes: int,
    ) -> None:
        if lanes < 1 or shape[2] % lanes or min(pad) < 0:
            raise ValueError(f"pad: lanes must divide the {shape[2]} channels, and the border {pad} not be negative")
        self.shape, self.pad, self.constant, self.lanes = shape, pad, constant, lanes
        self.out = value | Range(constant, constant)
        super().__init__({"i": In(lanes_stream(value, lanes)), "o": Out(lanes_stream(self.out, lanes))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        height, width, channels = self.shape
        top, bottom, left, right = self.pad
        rows, columns, blocks = height + top + bottom, width + left + right, channels // self.lanes
        y, x, block = Signal(range(rows + 1)), Signal(range(columns + 1)), Signal(range(blocks + 1))
        inside, go = Signal(), Signal()
        m.d.comb += [
            inside.eq((y >= top) & (y < top + height) & (x >= left) & (x < left + width)),
            go.eq((~self.o.valid | self.o.ready) & (~inside | self.i.valid)),
            self.i.ready.eq(inside & (~self.o.valid | self.o.ready)),
        ]
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(go):
            m.d.sync += self.o.valid.eq(1)
            for lane in range(self.lanes):
                border = Const(self.constant, shape_of(self.out))
                m.d.sync += self.o.payload[lane].eq(Mux(inside, self.i.payload[lane], border))
            m.d.sync += block.eq(block + 1)
            with m.If(block == blocks - 1):
                m.d.sync += [block.eq(0), x.eq(x + 1)]
                with m.If(x == columns - 1):
                    m.d.sync += [x.eq(0), y.eq(y + 1)]
                    with m.If(y == rows - 1):
                        m.d.sync += y.eq(0)
        return m
