"""Reduction over a whole image without a line buffer: running totals, one for each channel."""

from __future__ import annotations

from typing import Literal

from amaranth.hdl import Const, Module, Mux, Signal, Value
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from hwgen.hw.compare import greater
from hwgen.hw.counters import LoopNest
from hwgen.hw.flow import FlowSignature
from hwgen.hw.stream import lanes_layout, lanes_stream
from hwgen.numeric.ranges import Range

Op = Literal["sum", "max"]


class GlobalSum(wiring.Component):
    """o[c] = sum (or maximum) over the image's pixels of i[c], block by block of `lanes` channels.

    i: stream, order pixel, channel. o: flow of single words (first = last = 1), the totals of the last
    pixel's blocks as they come. permit: room for one more word behind; a total is taken up only with it,
    and `start` announces it one clock later (the protocol of `OutQueue` with a reserve of 1).

    The totals travel in a ring that moves by one with every word, so that each meets its channel's next
    value: `blocks` words long, of which one is the sum register, one the operand register and the rest a
    memory. Latency 2 clocks from the last pixel's word. Interval: pixels*blocks clocks, no bubbles.

    total: range of the result, at least that of every partial one; the default holds any image.
    Errors: ValueError unless lanes divides channels. Cost: distributed RAM and an adder a lane.
    """

    latency = 2

    def __init__(
        self,
        *,
        pixels: int,
        channels: int,
        lanes: int,
        value: Range,
        op: Op = "sum",
        total: Range | None = None,
    ) -> None:
        if lanes < 1 or channels % lanes:
            raise ValueError(f"globalpool: lanes must divide the {channels} channels, not {lanes}")
        if pixels < 1:
            raise ValueError(f"globalpool: needs at least 1 pixel, not {pixels}")
        if op not in ("sum", "max"):
            raise ValueError(f"globalpool: op must be sum or max, not {op!r}")
        self.pixels, self.blocks, self.lanes, self.value, self.op = (
            pixels,
            channels // lanes,
            lanes,
            value,
            op,
        )
        self.total = total or (value if op == "max" else value * pixels | value)
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
        word = Signal()
        loop = LoopNest(m, [self.blocks, self.pixels], word)
        closing = loop.last[1]
        opening = Signal(init=1)  # this word belongs to the first pixel
        opens_next = Signal()
        m.d.comb += [
            self.i.ready.eq(~closing | self.permit),
            word.eq(self.i.valid & self.i.ready),
            opens_next.eq(loop.ends | (opening & ~loop.last[0])),
        ]
        with m.If(word):
            m.d.sync += opening.eq(opens_next)

        x = Signal(lanes_layout(self.value, self.lanes), reset_less=True)
        step = Signal()
        closes = Signal()
        fresh = Signal()  # the word after this one finds no total yet
        layout = lanes_layout(self.total, self.lanes)
        total = Signal(layout, reset_less=True)
        m.d.sync += [step.eq(word), closes.eq(word & closing), fresh.eq(opens_next), x.eq(self.i.payload)]
        m.d.sync += [self.start.eq(word & closing), self.o.valid.eq(closes)]
        m.d.comb += [self.o.payload.eq(total), self.o.first.eq(1), self.o.last.eq(1)]
        if self.pixels == 1:
            for lane in range(self.lanes):
                m.d.sync += total[lane].eq(x[lane])
        elif self.blocks == 1:
            starts = Signal(init=1)
            with m.If(step):
                m.d.sync += starts.eq(fresh)
            self._reduce(m, step, total, x, total, starts)
        else:
            self._reduce(m, step, total, x, self._ring(m, layout, step, fresh, total), Const(0))
        return m

    def _reduce(
        self, m: Module, step: Signal, total: data.View, x: data.View, before: data.View, starts: Value
    ) -> None:
        with m.If(step):
            for lane in range(self.lanes):
                if self.op == "max":
                    reduced: Value = Mux(greater(x[lane], before[lane]), x[lane], before[lane])
                else:
                    reduced = before[lane] + x[lane]
                m.d.sync += total[lane].eq(Mux(starts, x[lane], reduced))

    def _ring(
        self, m: Module, layout: data.ArrayLayout, step: Signal, fresh: Signal, total: data.View
    ) -> data.View:
        """The total that meets the next word: `blocks` - 1 words behind the sum register."""
        neutral = self.value.lo if self.op == "max" else 0
        before = Signal(layout, init=[neutral] * self.lanes)
        source: Value = total.as_value()
        distance = self.blocks - 2
        if distance:
            places = 1 << max(1, distance.bit_length())
            m.submodules.totals = ring = memory.Memory(
                shape=len(source), depth=places, init=[], attrs={"ram_style": "distributed"}
            )
            write, read = ring.write_port(), ring.read_port(domain="comb")
            head = Signal(range(places))
            tail = Signal(range(places), init=distance)
            m.d.comb += [
                write.en.eq(step), write.addr.eq(tail), write.data.eq(source), read.addr.eq(head),
            ]  # fmt: skip
            with m.If(step):
                m.d.sync += [head.eq(head + 1), tail.eq(tail + 1)]
            source = read.data
        with m.If(step):
            m.d.sync += before.eq(source)
            with m.If(fresh):
                m.d.sync += before.eq(layout.const([neutral] * self.lanes))
        return before
