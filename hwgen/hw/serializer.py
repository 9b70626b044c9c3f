"""Serializer: a vector of results once a group becomes words of `lanes` values, one a clock."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwgen.hw import carry
from hwgen.hw.counters import LoopNest
from hwgen.hw.flow import FlowSignature
from hwgen.hw.stream import lanes_layout
from hwgen.numeric.ranges import Range
from hwgen.targets import GENERIC, Target


class Serializer(wiring.Component):
    """o[t + latency + k] = i[t][k*lanes : (k+1)*lanes] for k = 0 .. words - 1, words = pe / lanes.

    i: flow of `pe` values, at least `words` clocks from one valid word to the next (the planner sees to
    it); its first and last are not used. o: flow of `lanes` values; first and last bound the vector.
    shared: i has one value more, which is subtracted from all others, modulo the width of `shape`.
    Latency `latency`: 1 clock to the first word, one more if shared; with pe == lanes and nothing shared the
    unit is a wire. No stalls.

    Errors: ValueError unless lanes divides pe. Cost: a shift register, (pe - lanes) * width LUT4, and `lanes`
    carry chains if shared.
    """

    def __init__(
        self, *, shape: Range, pe: int, lanes: int, shared: bool = False, target: Target = GENERIC
    ) -> None:
        if lanes < 1 or pe < lanes or pe % lanes:
            raise ValueError(f"serializer: lanes must divide pe = {pe}, not {lanes}")
        self.words, self.shape, self.shared, self.target = pe // lanes, shape, shared, target
        self.latency = int(self.words > 1) + shared
        super().__init__(
            {
                "i": In(FlowSignature(lanes_layout(shape, pe + shared))),
                "o": Out(FlowSignature(lanes_layout(shape, lanes))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        vector = self.i.payload.as_value()
        bits = len(vector) - self.shape.width * self.shared
        vector, common = vector[:bits], vector[bits:]
        if self.words == 1:
            self._put(m, vector, common, self.i.valid, 1, 1)
            return m
        width = bits // self.words
        held = Signal(bits, reset_less=True)
        held_common = Signal(len(common), reset_less=True)
        busy = Signal()
        first = Signal()
        loop = LoopNest(m, [self.words], busy, "word")
        m.d.sync += [busy.eq(self.i.valid | (busy & ~loop.ends)), first.eq(self.i.valid)]
        with m.If(self.i.valid):
            m.d.sync += [held.eq(vector), held_common.eq(common)]
        with m.Else():
            m.d.sync += held.eq(Cat(held[width:], held[-width:]))
        self._put(m, held[:width], held_common, busy, first, loop.ends)
        return m

    def _put(
        self, m: Module, word: Value, common: Value, valid: Value, first: Value | int, last: Value | int
    ) -> None:
        """Drive `o`, one clock later if something is to be subtracted."""
        domain = m.d.comb
        if self.shared:
            width = self.shape.width
            word = Cat(
                carry.subtract(m, word[at : at + width], common, width, target=self.target)
                for at in range(0, len(word), width)
            )
            domain = m.d.sync
        domain += [
            self.o.payload.eq(word),
            self.o.valid.eq(valid),
            self.o.first.eq(first),
            self.o.last.eq(last),
        ]
