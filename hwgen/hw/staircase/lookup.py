"""The whole function in a ROM, where x has few bits and all rows are one."""

from __future__ import annotations

import numpy as np
from amaranth.hdl import Module, Value

from hwgen.hw.product.form import bits_of
from hwgen.hw.rom import Rom, rom_cost
from hwgen.hw.staircase.form import NoForm, StaircaseForm
from hwgen.hw.staircase.rows import Field
from hwgen.hw.stream import shape_of
from hwgen.numeric.ranges import Range
from hwgen.numeric.staircase import Staircase
from hwgen.targets import Target
from hwgen.targets.resources import Resources

MAX_BITS = 11


class LookupForm(StaircaseForm):
    """y = ROM[x], addressed by x's own bits. Latency: the ROM's 2 clocks."""

    name = "table"

    def __init__(self, stair: Staircase, value: Range, target: Target) -> None:
        super().__init__(stair, value, target)
        if stair.rows != 1:
            raise NoForm(f"{stair.rows} rows do not share one table")
        if value.width > MAX_BITS:
            raise NoForm(f"a table for {value.width} bits is too large")
        x = np.arange(1 << value.width)
        if value.signed:
            x = np.where(x >> (value.width - 1), x - (1 << value.width), x)
        y = stair.row(0, np.clip(x, stair.lo[0], stair.hi[0]))
        self.rom = Rom(bits_of(y, stair.range.width), target=target)

    @property
    def latency(self) -> int:
        return Rom.latency

    @property
    def fields(self) -> list[Field]:
        return []

    def build(self, m: Module, x: Value, row: dict[str, Value], lane: int = 0) -> Value:
        rom = Rom(self.rom.content, form=self.rom.form, target=self.target)
        m.submodules += rom
        m.d.comb += rom.addr.eq(x)
        return rom.data.as_signed() if shape_of(self.stair.range).signed else rom.data

    def cost(self) -> Resources:
        form = "bram" if self.rom.form != "lut" else "lut"
        lut, blocks = rom_cost(self.rom.width, self.rom.depth, self.target, form)
        return Resources(lut4=lut, ff=(self.rom.width + self.value.width) * (form == "lut"), bram=blocks)
