"""Weights from memory to the array, parameters to the quantisers, one pass ahead of the steps."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwgen.hw.systolic.issue import BLOCK_BITS
from hwgen.program.array import PARAMETER_WORDS, Array


class Feeder(wiring.Component):
    """Reads a RUN's weight stream: PARAMETER_WORDS words, then `rows` words a pass, block by block.

    begin: a RUN begins at weight word `w`. took: the array begins a pass (`Issue.swap`) now; pass_last,
    block_last, tile_last, hold go with it. step: the array makes a step; swapped: with the weights of `took`.
    blocked: the memory is taken in this clock. read, address: of the weight memory; its word comes `latency`
    clocks later, with `load` and `row` (a row of the array's shadow registers), or `parameter` and `word` of
    block `block` (modulo 4).
    full: the next pass's weights are in the shadow registers or will be before the step that is issued now.

    Row r of the shadow registers is free again `spread` + r + 1 steps after the pass before it began.
    """

    def __init__(self, *, geometry: Array, latency: int, spread: int) -> None:
        self.geometry, self.latency, self.spread = geometry, latency, spread
        super().__init__(
            {
                "begin": In(1), "w": In(16), "hold": In(1), "blocked": In(1),
                "took": In(1), "pass_last": In(1), "block_last": In(1), "tile_last": In(1),
                "step": In(1), "swapped": In(1),
                "read": Out(1), "address": Out(16),
                "load": Out(1), "row": Out(range(geometry.rows)),
                "parameter": Out(1), "word": Out(range(PARAMETER_WORDS)), "block": Out(BLOCK_BITS),
                "full": Out(1),
            }
        )  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m = Module()
        rows = self.geometry.rows
        number = Signal(range(max(rows, PARAMETER_WORDS)))
        oldest = rows + self.spread
        age = Signal(range(oldest + 1), init=oldest)
        armed = Signal(init=1)
        block = Signal(BLOCK_BITS)
        parameters, weights = Signal(), Signal()
        m.d.comb += [parameters.eq(0), weights.eq(0), self.read.eq(parameters | weights)]
        with m.If(self.took):
            m.d.sync += [age.eq(0), armed.eq(0)]
        with m.Elif(self.step & (armed | self.swapped) & (age != oldest)):
            m.d.sync += [age.eq(age + 1), armed.eq(1)]
        with m.If(self.read):
            m.d.sync += [self.address.eq(self.address + 1), number.eq(number + 1)]
        with m.FSM():
            with m.State("IDLE"), m.If(self.begin):
                m.d.sync += [self.address.eq(self.w), number.eq(0)]
                m.next = "PARAMETERS"
            with m.State("PARAMETERS"):
                m.d.comb += parameters.eq(~self.blocked)
                with m.If(parameters & (number == PARAMETER_WORDS - 1)):
                    m.d.sync += [number.eq(0), block.eq(block + 1)]
                    m.next = "ROWS"
            with m.State("ROWS"):
                m.d.comb += weights.eq((age > number + self.spread) & ~self.blocked)
                with m.If(weights & (number == rows - 1)):
                    m.d.sync += number.eq(0)
                    m.next = "FULL"
            with m.State("FULL"):
                m.d.comb += self.full.eq(1)
                with m.If(self.took):
                    m.next = "ROWS"
                    with m.If(self.hold | self.pass_last):
                        m.next = "PARAMETERS"
                        with m.If(self.block_last):
                            m.d.sync += self.address.eq(self.w)
                            with m.If(self.tile_last):
                                m.next = "IDLE"
        place, kind_p, kind_w, of = number, parameters, weights, block
        for _ in range(self.latency):
            later = [Signal.like(each) for each in (place, kind_p, kind_w, of)]
            m.d.sync += [a.eq(b) for a, b in zip(later, (place, kind_p, kind_w, of))]
            place, kind_p, kind_w, of = later
        m.d.comb += [
            self.load.eq(kind_w), self.row.eq(place),
            self.parameter.eq(kind_p), self.word.eq(place), self.block.eq(of),
        ]  # fmt: skip
        return m
