"""Words of one stream behind those of another, pixel by pixel."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwgen.hw.outqueue import OutQueue
from hwgen.hw.stream import lanes_stream
from hwgen.numeric.ranges import Range
from hwgen.targets.base import Target
from hwgen.targets.resources import Resources

DEPTH = 6  # of the queue: a word a clock in spite of the credits' way round


class ConcatUnit(wiring.Component):
    """o: for every pixel the words of a, then those of b; `lanes` channels a word.

    a, b: streams of `lanes` values in their ranges, channels[0] and channels[1] a pixel. o: values in `out`.
    A word a clock, 4 clocks through an empty queue; a word enters only when the queue has room for it.
    Interval: sum(channels) / lanes clocks a pixel. Errors: ValueError unless lanes divides both.
    """

    latency = 4

    def __init__(self, *, a: Range, b: Range, out: Range, channels: tuple[int, int], lanes: int) -> None:
        if lanes < 1 or any(each % lanes for each in channels):
            raise ValueError(f"concat: {lanes} lanes must divide {channels[0]} and {channels[1]} channels")
        self.words, self.lanes, self.out = tuple(each // lanes for each in channels), lanes, out
        super().__init__(
            {
                "a": In(lanes_stream(a, lanes)),
                "b": In(lanes_stream(b, lanes)),
                "o": Out(lanes_stream(out, lanes)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.queue = queue = OutQueue(shape=self.out, lanes=self.lanes, depth=DEPTH)
        wiring.connect(m, queue.o, wiring.flipped(self.o))
        second, enter = Signal(), Signal()  # b's turn; a word is taken
        left = Signal(range(max(self.words)), init=self.words[0] - 1)
        m.d.comb += [
            enter.eq(queue.permit & Mux(second, self.b.valid, self.a.valid)),
            self.a.ready.eq(queue.permit & ~second),
            self.b.ready.eq(queue.permit & second),
        ]
        with m.If(enter):
            m.d.sync += left.eq(left - 1)
            with m.If(left == 0):
                m.d.sync += [
                    second.eq(~second),
                    left.eq(Mux(second, self.words[0] - 1, self.words[1] - 1)),
                ]
        m.d.sync += [queue.start.eq(enter), queue.i.valid.eq(enter)]
        for lane in range(self.lanes):
            value = Mux(second, self.b.payload[lane], self.a.payload[lane])
            m.d.sync += queue.i.payload[lane].eq(value)
        m.d.comb += [queue.i.first.eq(1), queue.i.last.eq(1)]
        return m


def concat_cost(*, channels: tuple[int, int], lanes: int, out: Range, target: Target) -> Resources:
    """Estimate of a ConcatUnit."""
    bits = out.width * lanes
    counter = max(channels[0] // lanes - 1, channels[1] // lanes - 1, 1).bit_length()
    return Resources(lut4=24 + bits + 2 * counter, ff=22 + 2 * bits + counter) + target.small_ram(bits, 8)
