"""The systolic array: rows x columns elements that keep a weight each while activations go past them."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hwgen.hw.systolic.delay import later
from hwgen.hw.systolic.pe import BITS, CODES
from hwgen.numeric.ranges import Range
from hwgen.program.array import Array
from hwgen.targets import Target

#: Hard multipliers of a large chip that the array takes; rows beyond are in LUTs. An LFE5U-85F has 156, of
#: which its four quantisers take 16.
MULTIPLIERS = 128


class SystolicArray(wiring.Component):
    """Sums of products of the activations at `x`, one word a step, with the weights that the elements hold.

    With x_n the word of step n, lane r its byte r, w the active weights:

        dense       sums[c] = sum over r of w[r][c] * x_n[r]
        depthwise   sums[c] = sum over r of w[r][c] * x_{n+r}[c]

    step: everything but the shadow weights moves in the clocks with `step` only. depthwise: constant from
    the first step of a RUN (of a steady geometry, `rows` clocks sooner) until its last sums are out. swap:
    with the first word of a pass: from this word on the weights in the shadow registers count. The change
    goes through the array as a wave: row r takes its shadow weights in the step `spread` + r after; it may be
    loaded again in the same clock, and must have been loaded in the clock before. load, load_row, w: write a
    row of shadow registers, whatever `step` is; column 0 in the low byte.
    sums: those of x_n are there in the clock of step n + `latency`, before its edge. They are not registered:
    the taker has a register at its input.
    total: range of a sum.

    A chain of adders runs down each column, one register a row. Dense: row r gets lane r of r steps before;
    depthwise: column c of every row gets lane c at once. So the same chain serves both.

    UP5K, 4x4, code int8: 8 SB_MAC16, the first two rows' adders in them, and 460 logic cells; see
    tests/synth/test_systolic_cost.py.
    """

    def __init__(self, *, geometry: Array, target: Target, multipliers: int = MULTIPLIERS) -> None:
        self.geometry = geometry
        self.code = CODES[geometry.code](target)
        self.rows, self.columns = geometry.rows, geometry.columns
        self.multipliers = multipliers
        #: A register for the word that comes in, where it goes to many places.
        self.spread = int(target.instances)
        self.total = self._total(self.rows)
        self.latency = self.spread + self.code.latency + self.rows - 1
        super().__init__(
            {
                "step": In(1),
                "x": In(self.rows * BITS),
                "depthwise": In(1),
                "swap": In(1),
                "load": In(1),
                "load_row": In(range(self.rows)),
                "w": In(self.columns * BITS),
                "sums": Out(data.ArrayLayout(signed(self.total.width), self.columns)),
            }
        )

    @property
    def hard_rows(self) -> int:
        """Rows that are made of hard multipliers."""
        each = self.code.multipliers(self.columns)
        return min(self.rows, self.multipliers // each) if each else 0

    def _total(self, rows: int) -> Range:
        return self.code.product * rows

    def elaborate(self, platform: object) -> Module:
        m = Module()
        x, swap = _delayed(m, [self.x, self.swap], self.spread, self.step)
        lanes = _bytes(x)
        depthwise: Value = self.depthwise
        sums: list[Value] | None = None
        for row in range(self.rows):
            weights = self._shadow(m, row)
            own = lanes[row]
            (own,) = _delayed(m, [own], row, self.step)
            if row:
                (swap,) = _delayed(m, [swap], 1, self.step)
            if self.geometry.steady:  # not one register for hundreds of elements
                depthwise = later(m, depthwise, 1, reset=False)
            operands = [own if lane is own else Mux(depthwise, lane, own)
                        for lane in lanes[: self.columns]]  # fmt: skip
            sums = self.code.sums(
                m, operands, weights, sums, self._total(row + 1), step=self.step, swap=swap,
                hard=row < self.hard_rows, last=row == self.rows - 1,
            )  # fmt: skip
        assert sums is not None
        m.d.comb += [self.sums[column].eq(value) for column, value in enumerate(sums)]
        return m

    def _shadow(self, m: Module, row: int) -> list[Value]:
        """The weights that the row takes over next."""
        shadow = Signal(len(self.w), name=f"shadow_{row}", reset_less=True)
        with m.If(self.load & (self.load_row == row)):
            m.d.sync += shadow.eq(self.w)
        return _bytes(shadow)


def _bytes(word: Value) -> list[Value]:
    return [word[at : at + BITS] for at in range(0, len(word), BITS)]


def _delayed(m: Module, values: list[Value], steps: int, step: Value) -> list[Value]:
    """The values `steps` steps later."""
    for _ in range(steps):
        held = [Signal(len(value), name="late", reset_less=True) for value in values]
        with m.If(step):
            m.d.sync += [late.eq(value) for late, value in zip(held, values)]
        values = list(held)
    return values
