"""Weights from memory to the array, parameters to the quantisers, one pass ahead of the steps."""

from __future__ import annotations

from amaranth.hdl import Module, Signal, Value
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

    A steady geometry's rows are free by the clock: row 0 is read `again` clocks after `Issue.swap` (at least
    2), which comes here as `took` a clock late, and `step` and `swapped` are not looked at. `full` is there
    two clocks sooner, as far as nothing can stop the last row's read.
    """

    def __init__(self, *, geometry: Array, latency: int, spread: int, again: int = 2) -> None:
        if again < 2:
            raise ValueError(f"feeder: rows cannot be read again after {again} clocks")
        self.geometry, self.latency, self.spread, self.again = geometry, latency, spread, again
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
        block = Signal(BLOCK_BITS)
        parameters, weights = Signal(), Signal()
        m.d.comb += [parameters.eq(0), weights.eq(0), self.read.eq(parameters | weights)]
        free = self._free_by_clock(m) if self.geometry.steady else self._free_by_steps(m, number)
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
                m.d.comb += weights.eq(free & ~self.blocked)
                if self.geometry.steady and not self.geometry.shared_weights:
                    m.d.comb += self.full.eq(weights & number[1:].all())
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

    def _free_by_steps(self, m: Module, row: Value) -> Value:
        """Whether `row` may be read."""
        oldest = self.geometry.rows + self.spread
        age = Signal(range(oldest + 1), init=oldest)
        armed = Signal(init=1)
        with m.If(self.took):
            m.d.sync += [age.eq(0), armed.eq(0)]
        with m.Elif(self.step & (armed | self.swapped) & (age != oldest)):
            m.d.sync += [age.eq(age + 1), armed.eq(1)]
        return age > row + self.spread

    def _free_by_clock(self, m: Module) -> Value:
        """Whether row 0 may be read; the others are free when it is their turn."""
        free = Signal(init=1)
        freed: Value = self.took
        for _ in range(self.again - 2):
            later = Signal(name="freed")
            m.d.sync += later.eq(freed)
            freed = later
        with m.If(freed):
            m.d.sync += free.eq(1)
        with m.Elif(self.took):
            m.d.sync += free.eq(0)
        return free
