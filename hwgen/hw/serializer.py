"""Serializer: a vector of results once a group becomes words of `lanes` values, one a clock."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Shape, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwgen.hw.counters import LoopNest
from hwgen.hw.flow import FlowSignature
from hwgen.hw.stream import lanes_layout
from hwgen.numeric.ranges import Range


class Serializer(wiring.Component):
    """o[t + 1 + k] = i[t][k*lanes : (k+1)*lanes] for k = 0 .. words - 1, words = pe / lanes.

    i: flow of `pe` values, at least `words` clocks from one valid word to the next (the planner sees to
    it); its first and last are not used. o: flow of `lanes` values; first and last bound the vector.
    Latency `latency`: 1 clock to the first word; with pe == lanes the unit is a wire. No stalls.

    Errors: ValueError unless lanes divides pe. Cost: a shift register, (pe - lanes) * width LUT4.
    """

    def __init__(self, *, shape: Range | Shape, pe: int, lanes: int) -> None:
        if lanes < 1 or pe < lanes or pe % lanes:
            raise ValueError(f"serializer: lanes must divide pe = {pe}, not {lanes}")
        self.words = pe // lanes
        self.latency = int(self.words > 1)
        super().__init__(
            {
                "i": In(FlowSignature(lanes_layout(shape, pe))),
                "o": Out(FlowSignature(lanes_layout(shape, lanes))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        vector = self.i.payload.as_value()
        if self.words == 1:
            m.d.comb += [
                self.o.payload.eq(vector),
                self.o.valid.eq(self.i.valid),
                self.o.first.eq(1),
                self.o.last.eq(1),
            ]
            return m
        width = len(vector) // self.words
        held = Signal(len(vector), reset_less=True)
        busy = Signal()
        first = Signal()
        loop = LoopNest(m, [self.words], busy, "word")
        m.d.sync += [busy.eq(self.i.valid | (busy & ~loop.ends)), first.eq(self.i.valid)]
        with m.If(self.i.valid):
            m.d.sync += held.eq(vector)
        with m.Else():
            m.d.sync += held.eq(Cat(held[width:], held[-width:]))
        m.d.comb += [
            self.o.payload.eq(held[:width]),
            self.o.valid.eq(busy),
            self.o.first.eq(first),
            self.o.last.eq(loop.ends),
        ]
        return m
