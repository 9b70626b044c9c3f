"""Width converter: the same values, another number of lanes."""

from __future__ import annotations

from math import lcm

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwgen.hw.stream import lanes_stream
from hwgen.numeric.ranges import Range


class WidthConverter(wiring.Component):
    """o = i with `lanes_out` instead of `lanes_in` values a beat, order kept, lowest lane first.

    Ratios that are not whole go through their least common multiple, so that neither side waits for the
    other more than the ratio asks for. Ready never depends on the other side's ready in the same clock
    (equal numbers of lanes are a wire). Interval: a beat a clock on the narrow side. Latency: 1 clock to
    gather, 2 to take apart. Cost: two registers for every bit of the wide side.
    Errors: ValueError for lanes below 1.
    """

    def __init__(self, *, shape: Range, lanes_in: int, lanes_out: int) -> None:
        if min(lanes_in, lanes_out) < 1:
            raise ValueError(f"width: lanes must be at least 1, not {lanes_in} and {lanes_out}")
        self.shape, self.lanes_in, self.lanes_out = shape, lanes_in, lanes_out
        super().__init__({"i": In(lanes_stream(shape, lanes_in)), "o": Out(lanes_stream(shape, lanes_out))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        if self.lanes_in == self.lanes_out:
            wiring.connect(m, wiring.flipped(self.i), wiring.flipped(self.o))
        elif self.lanes_out % self.lanes_in == 0:
            self._gather(m, self.lanes_out // self.lanes_in)
        elif self.lanes_in % self.lanes_out == 0:
            self._scatter(m, self.lanes_in // self.lanes_out)
        else:
            common = lcm(self.lanes_in, self.lanes_out)
            m.submodules.up = up = WidthConverter(shape=self.shape, lanes_in=self.lanes_in, lanes_out=common)
            m.submodules.down = down = WidthConverter(
                shape=self.shape, lanes_in=common, lanes_out=self.lanes_out
            )
            wiring.connect(m, wiring.flipped(self.i), up.i)
            wiring.connect(m, up.o, down.i)
            wiring.connect(m, down.o, wiring.flipped(self.o))
        return m

    def _gather(self, m: Module, count: int) -> None:
        """`count` beats into one: all but the last wait in `held`."""
        beat, out = Value.cast(self.i.payload), Value.cast(self.o.payload)
        held = Signal(len(beat) * (count - 1), reset_less=True)
        left = Signal(range(count), init=count - 1)
        m.d.comb += self.i.ready.eq((left != 0) | ~self.o.valid)
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += held.eq(Cat(held, beat)[len(beat) :])
            with m.If(left == 0):
                m.d.sync += [left.eq(count - 1), out.eq(Cat(held, beat)), self.o.valid.eq(1)]
            with m.Else():
                m.d.sync += left.eq(left - 1)

    def _scatter(self, m: Module, count: int) -> None:
        """One beat into `count`: the next one waits in `held` while `out` is shifted."""
        beat, out = Value.cast(self.i.payload), Value.cast(self.o.payload)
        held, shifted = Signal(len(beat), reset_less=True), Signal(len(beat), reset_less=True)
        waiting = Signal()
        left = Signal(range(count))  # parts after the one on o
        m.d.comb += [self.i.ready.eq(~waiting), out.eq(shifted[: len(out)])]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [held.eq(beat), waiting.eq(1)]
        with m.If(self.o.valid & self.o.ready & (left != 0)):
            m.d.sync += [shifted.eq(Cat(shifted[len(out) :], shifted[-len(out) :])), left.eq(left - 1)]
        with m.Elif(~self.o.valid | self.o.ready):
            m.d.sync += [shifted.eq(held), self.o.valid.eq(waiting), left.eq(count - 1)]
            with m.If(waiting):
                m.d.sync += waiting.eq(0)
