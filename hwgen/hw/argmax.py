"""Index of the largest channel."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwgen.hw.stream import lanes_stream, shape_of
from hwgen.numeric.ranges import Range


class ArgMaxUnit(wiring.Component):
    """o = the smallest c for which i[c] is the largest of a pixel's `channels` values.

    i: stream of one channel a beat. o: stream, one index a pixel, one clock after its last channel.
    Interval: `channels` clocks a pixel while o is taken. Cost: a comparator, two registers, a counter.
    """

    def __init__(self, *, channels: int, value: Range) -> None:
        if channels < 1:
            raise ValueError(f"argmax: needs a channel, not {channels}")
        self.channels, self.value = channels, value
        self.out = Range(0, channels - 1)
        super().__init__({"i": In(lanes_stream(value, 1)), "o": Out(lanes_stream(self.out, 1))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        at, best = Signal(range(max(self.channels, 2))), Signal(range(max(self.channels, 2)))
        largest = Signal(shape_of(self.value))
        x, last = self.i.payload[0], Signal()
        better = Signal()
        m.d.comb += [
            last.eq(at == self.channels - 1),
            better.eq((at == 0) | (x > largest)),
            self.i.ready.eq(~(last & self.o.valid)),
        ]
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += at.eq(Mux(last, 0, at + 1))
            with m.If(better):
                m.d.sync += [largest.eq(x), best.eq(at)]
            with m.If(last):
                m.d.sync += [self.o.valid.eq(1), self.o.payload[0].eq(Mux(better, at, best))]
        return m
