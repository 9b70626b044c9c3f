"""Stream FIFO of any depth."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwgen.hw.outqueue import OutQueue
from hwgen.hw.ram import Ram, cheapest_form
from hwgen.hw.stream import lanes_layout, lanes_stream
from hwgen.numeric.ranges import Range
from hwgen.targets import GENERIC, Target

_LEAST = 5  # words of a queue that passes a beat a clock although its permit is one clock late
_AHEAD = 8  # words of the queue behind a block RAM: more than the clocks from issue to use


class StreamFifo(wiring.Component):
    """o = i, held up to at least `depth` beats. A beat a clock; ready and valid are registers.

    Small ones are an `OutQueue` of single words (latency 2). Large ones are a ring in block RAM that
    reads ahead into such a queue, since a block RAM answers too late to be asked on demand (latency 6).

    Errors: ValueError for depth < 1. Cost: the memory, and counters of its address width.
    """

    def __init__(self, *, shape: Range, lanes: int, depth: int, target: Target = GENERIC) -> None:
        if depth < 1:
            raise ValueError(f"fifo: depth must be at least 1, not {depth}")
        self.depth = depth
        width = lanes_layout(shape, lanes).size
        places = 1 << (depth - 1).bit_length()
        self.ring = None
        ahead = max(depth, _LEAST)
        if cheapest_form(width, places, target) == "block":
            self.ring = Ram(width=width, depth=places, form="block", target=target)
            ahead = _AHEAD
        self.queue = OutQueue(shape=shape, lanes=lanes, depth=ahead)
        self.latency = 6 if self.ring else 2
        super().__init__({"i": In(lanes_stream(shape, lanes)), "o": Out(lanes_stream(shape, lanes))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.queue = queue = self.queue
        wiring.connect(m, queue.o, wiring.flipped(self.o))
        if self.ring:
            self._ring(m, self.ring)
        else:
            word = Signal()
            m.d.comb += [
                self.i.ready.eq(queue.permit),
                word.eq(self.i.valid & queue.permit),
                queue.i.valid.eq(word),
                queue.i.payload.eq(self.i.payload),
            ]
            m.d.sync += queue.start.eq(word)
        return m

    def _ring(self, m: Module, ring: Ram) -> None:
        """Fills the queue from the ring. Both flags look at the level before this clock's other side."""
        places = ring.depth
        m.submodules.ring = ring
        level = Signal(range(places + 1))
        head = Signal(range(places))
        tail = Signal(range(places))
        some = Signal()
        write = Signal()
        read = Signal()
        m.d.comb += [
            write.eq(self.i.valid & self.i.ready),
            read.eq(some & self.queue.permit),
            ring.write_en.eq(write),
            ring.write_addr.eq(tail),
            ring.write_data.eq(self.i.payload),
            ring.read_addr.eq(head),
            self.queue.i.payload.eq(ring.read_data),
        ]
        m.d.sync += [
            level.eq(level + write - read),
            some.eq((level > 1) | ((level == 1) & ~read)),
            self.i.ready.eq((level < places - 1) | ((level == places - 1) & ~write)),
            tail.eq(tail + write),
            head.eq(head + read),
            self.queue.start.eq(read),
        ]
        flag = read
        for stage in range(ring.latency):
            late = Signal(name=f"read_{stage}")
            m.d.sync += late.eq(flag)
            flag = late
        m.d.comb += self.queue.i.valid.eq(flag)
