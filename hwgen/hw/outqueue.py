"""Output queue: the end of a free-running pipeline, where results wait for the next unit."""

from __future__ import annotations

from amaranth.hdl import Module, Shape, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from hwgen.hw.counters import LoopNest
from hwgen.hw.flow import FlowSignature
from hwgen.hw.stream import lanes_layout, lanes_stream
from hwgen.numeric.ranges import Range


class OutQueue(wiring.Component):
    """Queue of `depth` words with credits: a flow becomes a stream, and never overflows.

    i: flow, `reserve` words a group. o: stream of the same words. permit: room for one more group.
    start: a group was begun. A group may begin in any clock with permit = 1 and is announced by start
    one clock later; its words may follow at any time.

    Credits count groups: depth // reserve at first, one less for each start, one more when the last word
    of a group has left the memory. permit is a register and knows all starts but the one that may be
    coming: after a clock with permit = 1 it needs two free places, after a clock with permit = 0 one.
    Hence the words in the memory and those announced never exceed `depth`.

    Latency: 2 clocks through an empty queue; a word a clock. Errors: ValueError unless
    1 <= reserve <= depth. Cost: distributed RAM and two small counters.
    """

    def __init__(self, *, shape: Range | Shape, lanes: int, depth: int, reserve: int = 1) -> None:
        if not 1 <= reserve <= depth:
            raise ValueError(f"output queue: reserve must be in 1..depth = {depth}, not {reserve}")
        self.depth = depth
        self.reserve = reserve
        self.groups = depth // reserve
        self.level = Signal(range(depth + 1))  # words in the memory
        super().__init__(
            {
                "i": In(FlowSignature(lanes_layout(shape, lanes))),
                "o": Out(lanes_stream(shape, lanes)),
                "permit": Out(1),
                "start": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        word = self.i.payload.as_value()
        places = 1 << max(1, (self.depth - 1).bit_length())
        m.submodules.memory = mem = memory.Memory(
            shape=len(word), depth=places, init=[], attrs={"ram_style": "distributed"}
        )
        write, read = mem.write_port(), mem.read_port(domain="comb")
        fetch = Signal()
        fetched = Signal()
        some = Signal()  # level != 0
        tail = Signal(range(places))
        head = Signal(range(places))
        m.d.comb += [
            write.en.eq(self.i.valid), write.addr.eq(tail), write.data.eq(word), read.addr.eq(head),
            fetch.eq(some & (~self.o.valid | self.o.ready)),
        ]  # fmt: skip
        m.d.sync += [
            tail.eq(tail + self.i.valid),
            head.eq(head + fetch),
            self.level.eq(self.level + self.i.valid - fetch),
            some.eq(self.i.valid | (self.level > 1) | ((self.level == 1) & ~fetch)),
            self.o.valid.eq(some | (self.o.valid & ~self.o.ready)),
            fetched.eq(fetch),  # credits are kept elsewhere: a register on the way
        ]
        with m.If(fetch):
            m.d.sync += self.o.payload.eq(read.data)

        credits = Signal(range(self.groups + 1), init=self.groups)
        after = Signal.like(credits)
        returned = Signal()
        loop = LoopNest(m, [self.reserve], fetched, "group")
        m.d.comb += after.eq(credits + returned - self.start)
        m.d.sync += [
            returned.eq(fetched & loop.ends),
            credits.eq(after),
            self.permit.eq((after > 1) | ((after == 1) & ~self.permit)),
        ]
        return m
