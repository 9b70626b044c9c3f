"""The output-stationary array: sums stay in the elements, activations and weights go past them."""

from __future__ import annotations

from amaranth.hdl import C, Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hwgen.hw.systolic.pe import BITS, CODES
from hwgen.program.array import Array
from hwgen.targets import Target


class OutputStationaryArray(wiring.Component):
    """What `SystolicArray` computes in dense mode, for passes of at most `rows` words, with other reuse.

    Its ports are those of `SystolicArray`, and two more, given with the word of `swap`: opening, closing: the
    pass is the first, the last of a block. sums are those of all passes of the block, in the closing one; in
    those before they are 0. So whoever adds them up gets the same. There is no depthwise mode.

    Element (n, c) keeps the sum of output n in column c. Word n of a pass is taken apart in row n, a byte a
    step from the step after; the weights of channel k enter row 0 in step k + 1 and go down a row a step. So
    all meet: x_n[k] and w[k][c] in element (n, c), n + k + 1 steps after the pass began.

    A pass may begin `rows` steps after the one before. latency: steps from x_n to its sums.
    Kung and Leiserson's arrays; "output-stationary" as in Chen et al., Eyeriss (ISCA 2016).
    """

    spread = 0

    def __init__(self, *, geometry: Array, target: Target, multipliers: int = 144) -> None:
        self.geometry = geometry
        self.code = CODES[geometry.code](target)
        self.rows, self.columns = geometry.rows, geometry.columns
        self.multipliers = multipliers
        self.total = signed(geometry.accumulator)
        self.latency = self.code.latency + self.rows + 2
        super().__init__(
            {
                "step": In(1), "x": In(self.rows * BITS), "depthwise": In(1), "swap": In(1),
                "opening": In(1), "closing": In(1),
                "load": In(1), "load_row": In(range(self.rows)), "w": In(self.columns * BITS),
                "sums": Out(data.ArrayLayout(self.total, self.columns)),
            }
        )  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m = Module()
        each = self.code.multipliers(self.columns)
        hard = self.multipliers // each if each else 0
        begun: Value = self.swap  # of row n's word, n steps after the pass's first
        weights = self._weights(m)
        opening, closing = self._flag(m, self.opening), self._flag(m, self.closing)
        result: Value = C(0, self.columns * self.total.width)
        for n in range(self.rows):
            word = Signal(self.rows * BITS, name=f"word_{n}", reset_less=True)
            with m.If(self.step):
                m.d.sync += word.eq(Mux(begun, self.x, word >> BITS))
            lane, here = word[:BITS], weights[: self.columns * BITS]
            products = self.code.products(
                m, [lane] * self.columns, [here.word_select(c, BITS) for c in range(self.columns)],
                step=self.step, swap=C(1, 1), hard=n < hard,
            )  # fmt: skip
            # the product of byte k is there code.latency steps after byte k was: when the first of them is
            first = self._later(m, begun, self.code.latency + 1)
            fresh = first & self._later(m, opening, self.code.latency + 1)
            totals = []
            for product in products:
                total = Signal(self.total, name="total", reset_less=True)
                with m.If(self.step):
                    m.d.sync += total.eq(Mux(fresh, 0, total) + product)
                totals.append(total)
            done = self._later(m, first, self.rows) & self._later(
                m, closing, self.code.latency + 1 + self.rows
            )
            result = result | Mux(done, Cat(totals), 0)
            begun, opening, closing = (self._later(m, one, 1) for one in (begun, opening, closing))
            weights = self._later(m, weights, 1)
        with m.If(self.step):
            m.d.sync += self.sums.as_value().eq(result)
        return m

    def _flag(self, m: Module, flag: Value) -> Value:
        """A pass's flag, from its first step on until the next pass's."""
        held = Signal(name="flag")
        with m.If(self.step & self.swap):
            m.d.sync += held.eq(flag)
        return Mux(self.swap, flag, held)

    def _weights(self, m: Module) -> Value:
        """Channel k's weights, k + 1 steps after the pass began."""
        place = Signal(range(self.rows))
        shadow = [
            Signal(self.columns * BITS, name=f"shadow_{row}", reset_less=True) for row in range(self.rows)
        ]
        for row, each in enumerate(shadow):
            with m.If(self.load & (self.load_row == row)):
                m.d.sync += each.eq(self.w)
        now = Mux(self.swap, 0, place)
        chosen = Signal(self.columns * BITS)
        with m.Switch(now):
            for row, each in enumerate(shadow):
                with m.Case(row):
                    m.d.comb += chosen.eq(each)
        with m.If(self.step):
            m.d.sync += place.eq(now + 1)
        return self._later(m, chosen, 1)

    def _later(self, m: Module, value: Value, steps: int) -> Value:
        for _ in range(steps):
            held = Signal(len(value), name="late")
            with m.If(self.step):
                m.d.sync += held.eq(value)
            value = held
        return value
