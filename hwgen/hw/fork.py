"""Fork: one stream to several readers."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwgen.hw.stream import lanes_stream
from hwgen.numeric.ranges import Range


class Fork(wiring.Component):
    """Every o[k] gets every beat of i; a beat is done when all have taken it, each in its own time.

    No latency, a beat a clock. valid never waits for ready: o[k] offers the beat until it is taken. Cost: one
    flip-flop and a few LUTs an output. Errors: ValueError for n below 2.
    """

    def __init__(self, *, shape: Range, lanes: int, n: int) -> None:
        if n < 2:
            raise ValueError(f"fork: needs at least 2 outputs, not {n}")
        self.n = n
        signature = lanes_stream(shape, lanes)
        super().__init__({"i": In(signature), "o": Out(signature).array(n)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        done = Signal(self.n)
        finished = Signal(self.n)
        m.d.comb += self.i.ready.eq(finished.all())
        for k in range(self.n):
            m.d.comb += [
                self.o[k].payload.eq(self.i.payload),
                self.o[k].valid.eq(self.i.valid & ~done[k]),
                finished[k].eq(done[k] | self.o[k].ready),
            ]
        with m.If(self.i.valid):
            m.d.sync += done.eq(Cat(bit & ~finished.all() for bit in finished))
        return m
