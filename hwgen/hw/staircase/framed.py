"""A line whose structure does not depend on its steps: adder, multiplier, adder, clamp; the rest: a table."""

from __future__ import annotations

from math import ceil

import numpy as np
from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value

from hwgen.hw import carry
from hwgen.hw.product.form import register
from hwgen.hw.product.rows import RowsForm
from hwgen.hw.staircase.form import NoForm, StaircaseForm
from hwgen.hw.staircase.multiply import WideProduct
from hwgen.hw.staircase.rows import Field
from hwgen.hw.stream import shape_of
from hwgen.numeric.frame import LineFrame
from hwgen.numeric.framed import FramedLine, NoLine, fit_into
from hwgen.numeric.ranges import Range
from hwgen.numeric.rounding import Ints
from hwgen.numeric.staircase import Staircase
from hwgen.targets import Target
from hwgen.targets.resources import Resources

MOST_DSPS = 2  # hard multipliers of one product: where it took more, there are few of them


class RowsProduct:
    """d * M for d in `d` and M in `multiplier` (M >= 0) in LUTs alone."""

    def __init__(self, d: Range, multiplier: Range, target: Target) -> None:
        ends = np.array([multiplier.lo, multiplier.hi], dtype=np.int64).reshape(1, 2, 1)
        self.form = RowsForm(ends, value=d, target=target)
        self.range = d * multiplier
        self.latency = self.form.latency

    def cost(self) -> Resources:
        """The form's, which has an accumulator that is not built."""
        ends = int(self.form.weights.min()), int(self.form.weights.max())
        target, bit = self.form.target, Range(0, 1)
        spent = RowsForm.cost(1, ends, self.form.value, bit, target=target)
        return Resources(lut4=max(0, spent.lut4 - target.adder_luts(1, "accumulate")), ff=spent.ff)

    def build(self, m: Module, d: Value, multiplier: Value) -> Value:
        """The product, `latency` clocks later, as a signed value."""
        (total,) = self.form.build(m, [d], multiplier)
        return total.value


def _product(frame: LineFrame, target: Target) -> RowsProduct | WideProduct:
    """In hard multipliers where few are enough."""
    try:
        hard = WideProduct(frame.inside, frame.slopes, target)
    except ValueError:
        return RowsProduct(frame.inside, frame.slopes, target)
    few = target.dsp is not None and hard.cost().dsp <= MOST_DSPS
    return hard if few or target.inferred else RowsProduct(frame.inside, frame.slopes, target)


class FramedForm(StaircaseForm):
    """The arithmetic of `hwgen.numeric.framed`; every width is the frame's or that of `value`.

    Stages: centre | product, 2 and more | offset | clamp | the lowest output (where it is not a flipped bit).
    Whether d left the window is told by its upper bits and waits beside the multiplier.
    """

    name = "framed"

    def __init__(self, stair: Staircase, value: Range, target: Target, zero_at: Ints | None) -> None:
        super().__init__(stair, value, target)
        if not isinstance(stair.frame, LineFrame):
            raise NoForm("no frame of a line is given")
        self.frame = stair.frame
        zeros = np.zeros(stair.rows, dtype=np.int64) if zero_at is None else zero_at
        try:
            self.line: FramedLine = fit_into(stair, zeros, self.frame)
        except NoLine as reason:
            raise NoForm(str(reason)) from None
        self.product = _product(self.frame, target)
        self.centres = Range.bits(max(value.width, self.frame.window) + 1)
        self.d = value + self.centres
        total = self.product.range + self.frame.offsets * (1 << self.frame.zeros)
        self.z = Range(total.lo >> self.frame.shift, total.hi >> self.frame.shift)

    @property
    def _add_stage(self) -> int:
        return 1 + self.product.latency

    @property
    def _based(self) -> bool:
        """Whether the lowest output is added in a stage of its own: it is neither 0 nor a flipped bit."""
        out = self.frame.out
        return not (out.lo == 0 or (out.lo == -(1 << (out.width - 1)) and self.frame.top < 1 << out.width))

    @property
    def latency(self) -> int:
        return self._add_stage + 2 + self._based

    @property
    def fields(self) -> list[Field]:
        line, frame, flag = self.line, self.frame, Range(0, 1)
        if Range.of(line.centre) not in self.centres:
            raise NoForm(f"biases of {Range.of(line.centre)} are beyond {self.centres}")
        return [
            Field("centre", line.centre, 0, self.centres),
            Field("multiplier", line.multiplier, 1, frame.slopes),
            Field("still", line.still.astype(np.int64), 1, flag),
            Field("mirrored", line.mirrored.astype(np.int64), 1, flag),
            Field("offset", line.offset >> frame.zeros, self._add_stage - 1, frame.offsets),
        ]

    def build(self, m: Module, x: Value, row: dict[str, Value], lane: int = 0) -> Value:
        frame = self.frame
        d = register(m, carry.add(m, x, row["centre"], self.d.width, target=self.target), self.d)
        used = frame.window - 1
        upper, sign, moves = d[used:], d[-1], ~row["still"]
        flags = [
            sign & ~upper.all() & moves,
            ~sign & upper.any() & moves,
            sign & row["mirrored"],
        ]
        product = self.product.build(m, d[: frame.window].as_signed(), row["multiplier"])
        for _ in range(1, self._add_stage - 1):
            flags = [register(m, flag, name="flag") for flag in flags]
        under, over, turned = flags
        cut = frame.shift - frame.zeros
        offset = row["offset"]
        held = register(m, Cat(offset[:cut] ^ turned.replicate(cut), offset[cut:]), frame.offsets, "offset")
        under, over = (register(m, register(m, flag), name="flag") for flag in (under, over))
        term = carry.floored(product, frame.zeros)
        total = carry.add(m, term, held, self.z.width + cut, target=self.target)
        return self._clamp(m, register(m, total[cut:], self.z, name="z"), under, over)

    def _clamp(self, m: Module, z: Value, under: Value, over: Value) -> Value:
        top, out = self.frame.top, self.frame.out
        bits = max(1, top.bit_length())
        held = Signal(bits, name="clamped")
        low, high = under | z[-1], over | (self._beyond(m, z) & ~under)
        m.d.comb += held.eq(Mux(over, top, Mux(low, 0, Mux(high, top, z[:bits]))))
        if not self._based:
            whole = Cat(held, Const(0, max(0, out.width - bits)))[: out.width]
            return register(m, whole ^ (out.lo & ((1 << out.width) - 1)), out, name="y")
        y = Signal(shape_of(out), name="y", reset_less=True)
        m.d.sync += y.eq(out.lo + register(m, held, name="clamped"))
        return y

    def _beyond(self, m: Module, z: Value) -> Value:
        """z > top for z >= 0: its upper bits, or the sign of top - z."""
        top = self.frame.top
        if top & (top + 1) == 0:
            return z[top.bit_length() : -1].any()
        return carry.subtract(m, Const(top, top.bit_length()), z, len(z) + 2, target=self.target)[-1]

    def cost(self) -> Resources:
        """As `LinearForm`, whose arithmetic it is."""
        frame, out = self.frame, self.frame.out.width
        cut = frame.shift - frame.zeros
        lut = self.d.width + 1 + self.z.width + cut + 1 + frame.offsets.width + out + ceil(self.z.width / 3)
        ff = self.d.width + self.z.width + frame.offsets.width + out
        total = self.product.cost() + self.target.delay(3 * (self.product.latency + 1))
        return total + Resources(lut4=lut + 8 + out * self._based, ff=ff + out * self._based)


__all__ = ["FramedForm"]
