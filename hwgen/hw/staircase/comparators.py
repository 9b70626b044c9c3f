"""One comparator a step: y = base +- (how many steps x has reached)."""

from __future__ import annotations

import numpy as np
from amaranth.hdl import Const, Module, Mux, Signal, Value

from hwgen.hw import carry
from hwgen.hw.product.form import register
from hwgen.hw.staircase.form import NoForm, StaircaseForm
from hwgen.hw.staircase.rows import Field
from hwgen.hw.stream import shape_of
from hwgen.numeric.ranges import Range
from hwgen.numeric.staircase import Staircase
from hwgen.targets import Target
from hwgen.targets.resources import Resources

MAX_STEPS = 15


class ComparatorForm(StaircaseForm):
    """All steps of a row at once; exact for anything, sensible for few steps.

    Stages: compare | count (two stages beyond 4 steps) | base and sign. A row with fewer steps than others
    fills up with one that x never reaches.
    """

    name = "comparators"

    def __init__(self, stair: Staircase, value: Range, target: Target) -> None:
        super().__init__(stair, value, target)
        reachable = stair.steps <= np.minimum(stair.hi, value.hi)[:, None]
        self.count = int(reachable.sum(axis=1).max())
        if self.count > MAX_STEPS:
            raise NoForm(f"{self.count} steps are more than {MAX_STEPS} comparators")
        self.steps = np.where(reachable, stair.steps, value.hi + 1)[:, : self.count]
        self.alike = stair.rows == 1 or (np.ptp(stair.base) == 0 and np.ptp(stair.sign) == 0)

    @property
    def latency(self) -> int:
        return 1 if self.count == 0 else 3 + (self.count > 4)

    @property
    def fields(self) -> list[Field]:
        fields = [Field(f"step{k}", self.steps[:, k], 0) for k in range(self.count)]
        if not self.alike:
            fields.append(Field("base", self.stair.base, self.latency - 1))
            fields.append(Field("falling", (self.stair.sign < 0).astype(np.int64), self.latency - 1))
        return fields

    def build(self, m: Module, x: Value, row: dict[str, Value]) -> Value:
        reached: list[Value] = [
            register(m, at_least(m, x, row[f"step{k}"], self.target)) for k in range(self.count)
        ]
        groups = [reached[at : at + 4] for at in range(0, self.count, 4)]
        counts = [register(m, _count(group)) for group in groups]
        if len(counts) > 1:
            counts = [register(m, _count(counts))]
        count: Value = counts[0] if counts else Const(0, 1)
        base = row.get("base", Const(int(self.stair.base[0]), shape_of(Range.of(self.stair.base))))
        falling = row.get("falling", Const(int(self.stair.sign[0] < 0), 1))
        y = Signal(shape_of(self.stair.range), name="y", reset_less=True)
        m.d.sync += y.eq(Mux(falling, base - count, base + count))
        return y

    def cost(self) -> Resources:
        each = self.value.width + 1
        width = self.stair.range.width
        count = self.count + (self.count > 4) * 6
        lut = self.count * each + count + width + (0 if self.alike else width)
        return Resources(lut4=lut, ff=self.count + count + width)


def at_least(m: Module, x: Value, step: Value, target: Target) -> Value:
    """x >= step, as the sign of one carry chain (a comparison of signed values would take two)."""
    width = max(len(value) + (not value.shape().signed) for value in (x, step)) + 1
    return ~carry.subtract(m, x, step, width, target=target)[-1]


def _count(flags: list[Value]) -> Value:
    """Sum of a few small values."""
    total = flags[0]
    for flag in flags[1:]:
        total = total + flag
    return total


__all__ = ["MAX_STEPS", "ComparatorForm", "at_least"]
