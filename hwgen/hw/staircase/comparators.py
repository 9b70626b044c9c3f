"""One comparison a step, all at once: few steps, or constant ones."""

from __future__ import annotations

from math import ceil

import numpy as np
from amaranth.hdl import C, Cat, Module, Signal, Value

from hwgen.hw.product.form import bits_of, register
from hwgen.hw.staircase.code import step_codes
from hwgen.hw.staircase.form import NoForm, StaircaseForm
from hwgen.hw.staircase.rows import Field, RowOrder
from hwgen.hw.staircase.threshold import compare_cost, constant_cost, cut_code, reaches
from hwgen.hw.stream import shape_of
from hwgen.numeric.ranges import Range
from hwgen.numeric.staircase import Staircase
from hwgen.targets import Target
from hwgen.targets.resources import Resources

MAX_STEPS = 15


class ComparatorForm(StaircaseForm):
    """All flags of a row's code (`code.py`); each bit of y is the exclusive or of those at which it changes.

    Stages: compare | bits of y or of the index (not for one flag) | base (rows without a common ladder).
    """

    name = "comparators"

    def __init__(self, stair: Staircase, value: Range, target: Target, order: RowOrder) -> None:
        super().__init__(stair, value, target)
        ladder, own = step_codes(stair, value)
        self.code = ladder if ladder.count <= own.count else own
        if self.code.count > MAX_STEPS:
            raise NoForm(f"{self.code.count} steps are more than {MAX_STEPS} comparators")
        self.cut = cut_code(self.code.at, value)
        self.constant = order.depth == 1

    @property
    def _values(self) -> np.ndarray:
        """What the flags say: y, or the index."""
        return np.arange(self.code.count + 1) if self.code.values is None else self.code.values

    @property
    def _direct(self) -> bool:
        """Whether the flags are the answer, but for wires and inverters."""
        return self.code.count <= 1 and self.code.values is not None

    @property
    def latency(self) -> int:
        return 1 + (not self._direct) + (self.code.values is None)

    @property
    def fields(self) -> list[Field]:
        cuts = self.cut.complements(self.code.at)
        fields = [Field(f"cut{j}", cuts[:, j], 0) for j in range(self.code.count)]
        fields.append(Field("falling", self.code.falling.astype(np.int64), 0))
        if self.code.values is None:
            fields.append(Field("base", self.code.base, self.latency - 1))
        return fields

    def build(self, m: Module, x: Value, row: dict[str, Value], lane: int = 0) -> Value:
        turn = row["falling"]
        flags = [
            register(m, reaches(m, self.cut, x, row[f"cut{j}"], turn, self.target))
            for j in range(self.code.count)
        ]
        level = changes(self._values, flags)
        result = level if self._direct else register(m, level)
        if self.code.values is not None:
            return _shaped(result, Range.of(self.code.values))
        y = Signal(shape_of(self.stair.range), name="y", reset_less=True)
        m.d.sync += y.eq(row["base"] + result)
        return y

    def cost(self) -> Resources:
        if self.constant:
            compare = ceil(constant_cost(self.cut, self.code.at) / self.stair.rows)
        else:
            compare = self.code.count * compare_cost(self.cut, self.target)
        bits = changing(self._values).sum(axis=0)
        level = 0 if self._direct else sum(-(-(int(n) - 1) // 3) for n in bits if n > 1)
        width = self.stair.range.width * (self.code.values is None)
        ff = self.code.count + (0 if self._direct else len(bits)) + width
        return Resources(lut4=compare + level + width, ff=ff)


def changing(values: np.ndarray) -> np.ndarray:
    """(n, width): which bits change at each of the n flags."""
    bits = bits_of(values, Range.of(values).width)
    return bits[1:] ^ bits[:-1]


def changes(values: np.ndarray, flags: list[Value]) -> Value:
    """values[how many flags are up], for sorted flags."""
    first = bits_of(values[0], Range.of(values).width)
    turns = changing(values)
    bits = []
    for at, start in enumerate(first):
        bit: Value = C(int(start), 1)
        for flag, turn in zip(flags, turns[:, at]):
            bit = bit ^ flag if turn else bit
        bits.append(bit)
    return Cat(bits)


def _shaped(bits: Value, reach: Range) -> Value:
    return bits.as_signed() if shape_of(reach).signed else bits


__all__ = ["MAX_STEPS", "ComparatorForm"]
