"""From full accumulator banks to words of activations: reads sums, quantises them, packs their bytes."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwgen.hw.systolic.delay import later
from hwgen.hw.systolic.issue import BLOCK_BITS
from hwgen.hw.systolic.nest import COUNT_BITS, LATE, Nest
from hwgen.program.array import GROUP, Array


class Drain(wiring.Component):
    """Reads what is stored of every complete block: GROUP clocks an output, the groups side by side.

    filled: number, modulo 4, of complete blocks; drained: of those read out. d0, d1: counts less one and
    index moves, constant during a RUN. read, index, bank: of the accumulators, whose word is there `latency`
    clocks later, for GROUP clocks; column, block: of the sum that goes to each quantiser in a clock `valid`.

    A block begins one clock after it is filled or after the one before it has been read out. A steady
    geometry's reads leave LATE clocks later, which `late` says and `latency` includes.
    """

    def __init__(self, *, geometry: Array, latency: int) -> None:
        self.geometry = geometry
        self.late = LATE if geometry.steady else 0
        self.latency = self.late + latency
        super().__init__(
            {
                "filled": In(BLOCK_BITS), "drained": Out(BLOCK_BITS),
                "d0_count": In(COUNT_BITS), "d1_count": In(COUNT_BITS),
                "d0_index": In(COUNT_BITS), "d1_index": In(COUNT_BITS),
                "read": Out(1), "index": Out(COUNT_BITS), "bank": Out(1),
                "valid": Out(1), "column": Out(range(GROUP)), "block": Out(BLOCK_BITS),
            }
        )  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.nest = nest = Nest(levels=2, width=COUNT_BITS, pipelined=self.geometry.steady)
        active = Signal()
        phase = Signal(range(GROUP))
        ended = Signal()
        m.d.comb += [
            nest.count0.eq(self.d0_count),
            nest.count1.eq(self.d1_count),
            nest.delta0.eq(self.d0_index),
            nest.delta1.eq(self.d1_index),
            Cat(self.read, self.bank).eq(later(m, Cat(active & (phase == 0), self.drained[0]), self.late)),
            self.index.eq(nest.address),
            ended.eq(active & (phase == GROUP - 1)),
        ]
        about = Cat(active, phase, self.drained)
        m.d.comb += Cat(self.valid, self.column, self.block).eq(later(m, about, self.latency))
        with m.If(active):
            m.d.sync += phase.eq(phase + 1)
            with m.If(ended):
                m.d.comb += nest.advance.eq(~nest.final)
                with m.If(nest.final):
                    m.d.sync += [active.eq(0), self.drained.eq(self.drained + 1)]
        with m.Elif(self.filled != self.drained):
            m.d.comb += nest.begin.eq(1)
            m.d.sync += active.eq(1)
        return m


class Store(wiring.Component):
    """Words for the activations: where they go, and which of three sources they come from.

    begin: an instruction that writes begins (address o, loops d0, d1 and, with `blocks`, b, t). quantised: a
    byte of each group, GROUP of them in as many clocks (not necessarily one after the other) make a word.
    filling: words of `value`, one a clock. put, word: a word of the input stream (neither `blocks` nor
    `filling`).
    write, address, data: of the memory, always taken at once. busy: words remain to be written; ending: the
    next one is the last. Of a steady geometry `word` comes LATE clocks after `put`, words are written
    2 * LATE clocks later, and `busy` falls LATE clocks later.
    """

    def __init__(self, *, geometry: Array) -> None:
        self.geometry = geometry
        width = 8 * geometry.columns
        super().__init__(
            {
                "begin": In(1), "blocks": In(1), "o": In(16),
                "d0_count": In(COUNT_BITS), "d0_delta": In(16),
                "d1_count": In(COUNT_BITS), "d1_delta": In(16),
                "b_count": In(COUNT_BITS), "ob_delta": In(16), "t_count": In(COUNT_BITS), "ot_delta": In(16),
                "valid": In(1), "quantised": In(8 * geometry.groups),
                "filling": In(1), "value": In(8),
                "put": In(1), "word": In(width),
                "write": Out(1), "address": Out(16), "data": Out(width), "busy": Out(1), "ending": Out(1),
            }
        )  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m = Module()
        steady = self.geometry.steady
        m.submodules.nest = nest = Nest(levels=4, width=16, pipelined=steady, calm=2)
        loops = (("d0", "d0"), ("d1", "d1"), ("b", "ob"), ("t", "ot"))
        for number, (count, delta) in enumerate(loops):
            m.d.comb += [
                getattr(nest, f"count{number}").eq(getattr(self, f"{count}_count")),
                getattr(nest, f"delta{number}").eq(getattr(self, f"{delta}_delta")),
            ]
        groups = [
            Signal(8 * GROUP, name=f"packed{group}", reset_less=True) for group in range(self.geometry.groups)
        ]
        bytes_in = Signal(range(GROUP))
        whole, data = Signal(), Signal.like(self.data)
        behind = LATE if steady else 0  # clocks from the event that completes a word to its data
        with m.If(self.valid):
            m.d.sync += bytes_in.eq(bytes_in + 1)
        quantised = later(m, self.quantised, behind, reset=False)
        with m.If(later(m, self.valid, behind)):
            for group, packed in enumerate(groups):
                m.d.sync += packed.eq(Cat(packed[8:], quantised.word_select(group, 8)))
        m.d.sync += whole.eq(self.valid & (bytes_in == GROUP - 1))
        m.d.comb += [
            nest.start.eq(self.o),
            nest.begin.eq(self.begin),
            nest.advance.eq(self.busy & later(m, whole | self.filling | self.put, behind)),
            self.address.eq(nest.address),
            data.eq(Cat(groups)),
            self.write.eq(later(m, nest.advance, behind)),
            self.data.eq(later(m, data, behind, reset=False)),
        ]
        with m.If(self.filling):
            m.d.comb += data.eq(self.value.replicate(self.geometry.columns))
        with m.Elif(~self.blocks):
            m.d.comb += data.eq(self.word)
        lasts = nest.lasts()
        m.d.comb += self.ending.eq(lasts[0] & lasts[1] & (~self.blocks | (lasts[2] & lasts[3])))
        with m.If(self.begin):
            m.d.sync += self.busy.eq(1)
        with m.Elif(nest.advance & self.ending):
            m.d.sync += self.busy.eq(0)
        return m
