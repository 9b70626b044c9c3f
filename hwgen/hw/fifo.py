"""Stream FIFO of any depth."""

from __future__ import annotations

from amaranth.hdl import Module, Value
from amaranth.lib import wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out

from hwgen.hw.stream import lanes_stream
from hwgen.numeric.ranges import Range


class StreamFifo(wiring.Component):
    """o = i, up to `depth` beats later. Latency 2 clocks, a beat a clock. Errors: ValueError for depth < 1.

    Cost: block RAM or distributed RAM as synthesis finds fit, two counters.
    """

    def __init__(self, *, shape: Range, lanes: int, depth: int) -> None:
        if depth < 1:
            raise ValueError(f"fifo: depth must be at least 1, not {depth}")
        self.depth = depth
        signature = lanes_stream(shape, lanes)
        super().__init__({"i": In(signature), "o": Out(signature)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        beat = Value.cast(self.i.payload)
        m.submodules.fifo = fifo = SyncFIFOBuffered(width=len(beat), depth=max(self.depth, 2))
        m.d.comb += [
            fifo.w_data.eq(beat),
            fifo.w_en.eq(self.i.valid),
            self.i.ready.eq(fifo.w_rdy),
            Value.cast(self.o.payload).eq(fifo.r_data),
            self.o.valid.eq(fifo.r_rdy),
            fifo.r_en.eq(self.o.ready),
        ]
        return m
