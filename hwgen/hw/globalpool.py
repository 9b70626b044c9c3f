"""Sum over a whole image without a line buffer: running totals, one for each channel."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from hwgen.hw.flow import FlowSignature
from hwgen.hw.stream import lanes_layout, lanes_stream, shape_of
from hwgen.numeric.ranges import Range


class GlobalSum(wiring.Component):
    """o[c] = sum over the image's pixels of i[c], the blocks of `lanes` channels one after the other.

    A total leaves with the word of the last pixel that completes it: that word is taken only with `permit`,
    and `start` tells of it one clock later (so the queue behind needs a reserve of one word). o comes one
    clock after start. Interval: pixels*channels/lanes clocks. Cost: distributed RAM for the totals, an adder
    a lane. Errors: ValueError unless lanes divides channels.
    """

    latency = 2

    def __init__(self, *, pixels: int, channels: int, lanes: int, value: Range) -> None:
        if lanes < 1 or channels % lanes:
            raise ValueError(f"globalpool: lanes must divide the {channels} channels, not {lanes}")
        self.pixels, self.blocks, self.lanes, self.value = pixels, channels // lanes, lanes, value
        self.total = value * pixels | value
        super().__init__(
            {
                "i": In(lanes_stream(value, lanes)),
                "o": Out(FlowSignature(lanes_layout(self.total, lanes))),
                "permit": In(1),
                "start": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        shape = shape_of(self.total)
        block, left = Signal(range(max(self.blocks, 2))), Signal(range(max(self.pixels, 2)), init=self.pixels - 1)
        opening, closing, allowed, word = Signal(init=1), Signal(init=self.pixels == 1), Signal(), Signal()
        # permit may not be used twice in a row: the count behind it is one clock late
        m.d.comb += [allowed.eq(self.permit), self.i.ready.eq(~closing | allowed), word.eq(self.i.valid & self.i.ready)]
        with m.If(word):
            m.d.sync += block.eq(Mux(block == self.blocks - 1, 0, block + 1))
            with m.If(block == self.blocks - 1):
                m.d.sync += [
                    left.eq(Mux(left == 0, self.pixels - 1, left - 1)),
                    opening.eq(left == 0),
                    closing.eq(left == (1 if self.pixels > 1 else 0)),
                ]
        m.submodules.totals = totals = memory.Memory(shape=shape.width * self.lanes, depth=self.blocks, init=[])
        write, read = totals.write_port(), totals.read_port(domain="comb")
        sums = []
        for lane in range(self.lanes):
            before = read.data[lane * shape.width : (lane + 1) * shape.width]
            before = before.as_signed() if shape.signed else before
            total = Signal(shape, name=f"total_{lane}")
            m.d.comb += total.eq(Mux(opening, 0, before) + self.i.payload[lane])
            sums.append(total)
        held = Signal(shape.width * self.lanes, reset_less=True)
        done = Signal()
        m.d.comb += [
            read.addr.eq(block),
            write.addr.eq(block),
            write.data.eq(Cat(sums)),
            write.en.eq(word),
            self.start.eq(done),
            self.o.first.eq(1),
            self.o.last.eq(1),
        ]
        m.d.sync += [
            held.eq(Cat(sums)),
            done.eq(word & closing),
            Value.cast(self.o.payload).eq(held),
            self.o.valid.eq(done),
        ]
        return m
