"""Binary search in pipelined tables of steps: exact for every staircase, at the price of its tables."""

from __future__ import annotations

import numpy as np
from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value

from hwgen.hw.product.form import bits_of, register
from hwgen.hw.rom import Rom, rom_cost
from hwgen.hw.staircase.comparators import at_least
from hwgen.hw.staircase.form import StaircaseForm
from hwgen.hw.staircase.rows import Field
from hwgen.hw.stream import shape_of
from hwgen.numeric.ranges import Range
from hwgen.numeric.staircase import Staircase
from hwgen.targets import Target
from hwgen.targets.resources import Resources

_LEVEL = Rom.latency + 1  # clocks: ROM, then compare


class SearchForm(StaircaseForm):
    """A level for each bit of the number of steps reached: bit = x >= T[row, bits so far, 1, 0 .. 0].

    Level j reads a table of rows * 2^j steps. Latency 3 clocks a level and one for base and sign.
    """

    name = "search"

    def __init__(self, stair: Staircase, value: Range, target: Target) -> None:
        super().__init__(stair, value, target)
        reachable = stair.steps <= np.minimum(stair.hi, value.hi)[:, None]
        count = max(1, int(reachable.sum(axis=1).max()))
        self.levels = count.bit_length()
        self.row_bits = (stair.rows - 1).bit_length()
        size = (1 << self.levels) - 1
        self.steps = np.full((1 << self.row_bits, size), value.hi + 1, dtype=np.int64)
        used = min(size, stair.steps.shape[1])
        self.steps[: stair.rows, :used] = np.where(reachable, stair.steps, value.hi + 1)[:, :used]
        self.step = Range(int(self.steps.min()), int(self.steps.max()))
        self.roms = [
            Rom(bits_of(self._table(level), self.step.width), target=target) for level in range(self.levels)
        ]

    def _table(self, level: int) -> np.ndarray:
        """Steps of a level, address = bits found so far, then the row in the low bits."""
        span = 1 << (self.levels - level)
        return self.steps[:, span // 2 - 1 :: span].T.reshape(-1)

    @property
    def latency(self) -> int:
        return _LEVEL * self.levels + 1

    @property
    def fields(self) -> list[Field]:
        stair = self.stair
        return [
            Field("row", np.arange(stair.rows), 0),
            Field("base", stair.base, self.latency - 1),
            Field("falling", (stair.sign < 0).astype(np.int64), self.latency - 1),
        ]

    def build(self, m: Module, x: Value, row: dict[str, Value]) -> Value:
        found: Value = Const(0, 0)
        index: Value = row["row"][: self.row_bits]
        for rom in self.roms:
            table = Rom(rom.content, form=rom.form, target=self.target)
            m.submodules += table
            m.d.comb += table.addr.eq(Cat(index, found))
            for _ in range(Rom.latency):
                x, found, index = register(m, x), register(m, found), register(m, index)
            step = table.data.as_signed() if self.step.signed else table.data
            found = register(m, Cat(at_least(m, x, step, self.target), found))
            x, index = register(m, x), register(m, index)
        y = Signal(shape_of(self.stair.range), name="y", reset_less=True)
        m.d.sync += y.eq(Mux(row["falling"], row["base"] - found, row["base"] + found))
        return y

    def cost(self) -> Resources:
        total = Resources()
        for level, rom in enumerate(self.roms):
            lut, blocks = rom_cost(rom.width, rom.depth, self.target, "lut" if rom.form == "lut" else "bram")
            wide = self.value.width + self.row_bits + level
            total += Resources(lut4=lut + self.step.width + 2, ff=_LEVEL * wide + rom.width, bram=blocks)
        return total + Resources(lut4=2 * self.stair.range.width, ff=self.stair.range.width)
