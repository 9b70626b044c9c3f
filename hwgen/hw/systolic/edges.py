"""The engine's two streams: bytes in become words with fill bytes between them, words out become bytes."""

from __future__ import annotations

from collections.abc import Callable

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hwgen.hw.product.form import register
from hwgen.hw.systolic.delay import later
from hwgen.program.array import Array


class Packer(wiring.Component):
    """Words of `columns` bytes: over and over `lead` bytes of `fill`, `take` of `i`, `trail` of `fill`.

    begin: words are wanted from now on; ending: the word that is being collected is the last. put, word: a
    word, for one clock (of a steady geometry, the clock after `put`). One byte a clock.
    """

    def __init__(self, *, geometry: Array) -> None:
        self.columns, self.steady = geometry.columns, geometry.steady
        super().__init__(
            {
                "i": In(stream.Signature(8)),
                "begin": In(1), "ending": In(1),
                "lead": In(8), "take": In(16), "trail": In(8), "fill": In(8),
                "put": Out(1), "word": Out(8 * geometry.columns),
            }
        )  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m = Module()
        left = Signal(16)  # bytes of this part
        count = Signal(range(self.columns))
        filling, taking = Signal(), Signal()
        moves, whole = Signal(), Signal()
        byte: Value = Signal(8)
        word = Signal.like(self.word, reset_less=True)
        leads: Value = self.lead != 0
        trails: Value = self.trail != 0
        singles: dict[str, Value] = {name: getattr(self, name) == 1 for name in ("lead", "take", "trail")}
        if self.steady:  # they are there long before they are needed
            leads, trails = register(m, leads, name="leads"), register(m, trails, name="trails")
            singles = {name: register(m, single, name="single") for name, single in singles.items()}
        m.d.comb += [
            self.i.ready.eq(taking),
            moves.eq(filling | (taking & self.i.valid)),
            byte.eq(Mux(taking, self.i.payload, self.fill)),
            whole.eq(moves & (count == self.columns - 1)),
        ]
        m.d.sync += self.put.eq(whole)
        with m.If(moves):
            m.d.sync += [count.eq(count + 1), left.eq(left - 1)]
        m.d.comb += self.word.eq(word)
        shifts, byte = later(m, moves, int(self.steady)), later(m, byte, int(self.steady), reset=False)
        with m.If(shifts):
            m.d.sync += word.eq(Cat(word[8:], byte))

        ends = Signal()  # the part's last byte comes
        if self.steady:
            with m.If(moves):
                m.d.sync += ends.eq(left == 2)
        else:
            m.d.comb += ends.eq(left == 1)

        def part(name: str) -> None:
            length = getattr(self, name)
            m.d.sync += left.eq(length)
            if self.steady:
                m.d.sync += ends.eq(singles[name])
            m.next = name.upper()

        def cycle() -> None:
            with m.If(leads):
                part("lead")
            with m.Else():
                part("take")

        def leave(after: Callable[[], None]) -> None:
            with m.If(moves & ends):
                after()
            with m.If(whole & self.ending):
                m.next = "IDLE"

        def taken() -> None:
            with m.If(trails):
                part("trail")
            with m.Else():
                cycle()

        with m.FSM():
            with m.State("IDLE"), m.If(self.begin):
                m.d.sync += count.eq(0)
                cycle()
            with m.State("LEAD"):
                m.d.comb += filling.eq(1)
                leave(lambda: part("take"))
            with m.State("TAKE"):
                m.d.comb += taking.eq(1)
                leave(taken)
            with m.State("TRAIL"):
                m.d.comb += filling.eq(1)
                leave(cycle)
        return m


class Unpacker(wiring.Component):
    """Bytes of words, for n1, n0: the word at the loops' address; of a round of n1 the first `take` bytes.

    begin: starts, as the loops do; busy: until the last byte is taken. advance: of the loops; ending:
    they are in the last round. read: of the memory at the loops' address, whose word comes `latency`
    clocks later. A byte a clock, and latency + 1 clocks a word.
    """

    def __init__(self, *, geometry: Array, latency: int) -> None:
        self.columns, self.latency = geometry.columns, latency
        super().__init__(
            {
                "begin": In(1), "busy": Out(1), "take": In(16), "advance": Out(1), "ending": In(1),
                "read": Out(1), "word": In(8 * geometry.columns),
                "o": Out(stream.Signature(8)),
            }
        )  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m = Module()
        left = Signal(16)  # bytes of this round of n1, less one
        count = Signal(range(self.columns))
        word = Signal(8 * self.columns, reset_less=True)
        wait = Signal(range(self.latency + 1))
        m.d.comb += self.o.payload.eq(word[:8])
        with m.If(self.begin):
            m.d.sync += self.busy.eq(1)
        with m.FSM():
            with m.State("IDLE"):
                m.d.sync += left.eq(self.take - 1)
                with m.If(self.begin):
                    m.next = "READ"
            with m.State("READ"):
                m.d.comb += self.read.eq(1)
                m.d.sync += wait.eq(self.latency - 1)
                m.next = "WAIT"
            with m.State("WAIT"):
                m.d.sync += [wait.eq(wait - 1), word.eq(self.word), count.eq(0)]
                with m.If(wait == 0):
                    m.next = "GIVE"
            with m.State("GIVE"):
                m.d.comb += self.o.valid.eq(1)
                with m.If(self.o.ready):
                    m.d.sync += [word.eq(word >> 8), count.eq(count + 1), left.eq(left - 1)]
                    with m.If((count == self.columns - 1) | (left == 0)):
                        m.d.comb += self.advance.eq(1)
                        m.next = "READ"
                        with m.If(left == 0):
                            m.d.sync += left.eq(self.take - 1)
                        with m.If(self.ending):
                            m.d.sync += self.busy.eq(0)
                            m.next = "IDLE"
        return m
