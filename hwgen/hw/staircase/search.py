"""Binary search through a row's cuts: a comparison for each bit of the index instead of one for each step."""

from __future__ import annotations

from functools import cached_property
from math import ceil

import numpy as np
from amaranth.hdl import C, Cat, Module, Signal, Value
from amaranth.lib import memory

from hwgen.hw.product.form import bits_of, register
from hwgen.hw.rom import Rom, cheapest_rom, rom_cost
from hwgen.hw.staircase.code import step_codes
from hwgen.hw.staircase.form import StaircaseForm
from hwgen.hw.staircase.rows import Field, RowOrder
from hwgen.hw.staircase.threshold import compare_cost, constant_cost, cut_code, reaches
from hwgen.hw.stream import shape_of
from hwgen.numeric.ranges import Range
from hwgen.numeric.staircase import Staircase
from hwgen.targets import Target
from hwgen.targets.resources import Resources

_SHARED = 2  # levels whose cuts come with the row, for all lanes from one table


class SearchForm(StaircaseForm):
    """Level j finds bit b - 1 - j of the index: flag of cut (bits so far, 1, 0 .. 0).

    The first cut and the two of the second level are parameters of the row, the latter chosen between within
    the comparison; deeper levels read a table of their own, addressed by the row and the bits so far.
    Stages: a comparison a level, before it from the third level on a table (1 clock in look-up tables, 2 in
    block RAM) | values (where y is not the index) | base (rows without a common ladder).
    """

    name = "search"

    def __init__(self, stair: Staircase, value: Range, target: Target, order: RowOrder) -> None:
        super().__init__(stair, value, target)
        ladder, own = step_codes(stair, value)
        self.code = ladder if ladder.bits <= own.bits else own
        self.levels = max(1, self.code.bits)
        self.cuts = self.code.padded((1 << self.levels) - 1)
        self.cut = cut_code(self.cuts, value)
        self.lanes = order.lanes
        self.constant = order.depth == 1
        self.own = [np.unique(order.rows[:, lane]) for lane in range(order.lanes)]  # rows that a lane meets
        self.index = np.zeros(stair.rows, dtype=np.int64)
        for rows in self.own:
            self.index[rows] = np.arange(len(rows))
        self.row_bits = (len(self.own[0]) - 1).bit_length()

    def _level(self, level: int) -> np.ndarray:
        """(2^level, rows) complements, entry = bits found so far."""
        span = 1 << (self.levels - level)
        return self.cut.complements(self.cuts[:, span // 2 - 1 :: span].T)

    def _depth(self, level: int) -> int:
        return 1 << (level + self.row_bits)

    def _in_blocks(self, level: int) -> bool:
        return cheapest_rom(self.cut.width, self._depth(level), self.target) == "bram"

    @cached_property
    def _starts(self) -> list[int]:
        """Stage at which each level begins, and the one after the last."""
        starts = [0]
        for level in range(self.levels):
            table = 0 if level < _SHARED else Rom.latency if self._in_blocks(level) else 1
            starts.append(starts[-1] + table + 1)
        return starts

    @property
    def _values(self) -> np.ndarray | None:
        """(2^levels,) y by index where it is not the index itself."""
        values = self.code.values
        if values is None or np.array_equal(values, np.arange(len(values))):
            return None
        return np.concatenate([values, np.repeat(values[-1:], (1 << self.levels) - len(values))])

    @property
    def latency(self) -> int:
        return self._starts[-1] + (self._values is not None) + (self.code.values is None)

    @property
    def fields(self) -> list[Field]:
        fields = [Field("falling", self.code.falling.astype(np.int64), 0)]
        for level in range(min(_SHARED, self.levels)):
            for number, cuts in enumerate(self._level(level)):
                fields.append(Field(f"cut{level}{number}", cuts, self._starts[level]))
        if self.levels > _SHARED:
            fields.append(Field("index", self.index, self._starts[_SHARED]))
        if self.code.values is None:
            fields.append(Field("base", self.code.base, self.latency - 1))
        return fields

    def build(self, m: Module, x: Value, row: dict[str, Value], lane: int = 0) -> Value:
        found: Value = C(0, 0)
        turn = row["falling"]
        index = row["index"][: self.row_bits] if "index" in row else C(0, 0)
        for level in range(self.levels):
            if level < _SHARED:
                cut = row[f"cut{level}0"]
                others = (found, row["cut11"]) if level else ()
            else:
                clocks = self._starts[level + 1] - self._starts[level] - 1
                cut, others = self._read(m, level, lane, Cat(index, found)), ()
                x, found, index, turn = (_late(m, value, clocks) for value in (x, found, index, turn))
            flag = reaches(m, self.cut, x, cut, turn, self.target, *others)
            found = register(m, Cat(flag, found), name="found")
            x, turn = register(m, x, name="x"), _late(m, turn, 1)
            index = _late(m, index, 1) if level >= _SHARED else index
        return self._output(m, found, row)

    def _read(self, m: Module, level: int, lane: int, address: Value) -> Value:
        """The cut of a deeper level, one or two clocks after its address."""
        table = self._level(level)[:, self.own[lane]]  # the row in the low bits of the address
        words = np.zeros((len(table), 1 << self.row_bits), dtype=np.int64)
        words[:, : table.shape[1]] = table
        if self._in_blocks(level):
            m.submodules += (rom := Rom(_bits(words, self.cut.width), form="bram", target=self.target))
            m.d.comb += rom.addr.eq(address)
            return rom.data
        return _looked_up(m, words.ravel(), self.cut.width, address)

    def _output(self, m: Module, found: Value, row: dict[str, Value]) -> Value:
        values = self._values
        if values is not None:
            reach = Range.of(values)
            y = _looked_up(m, values & ((1 << reach.width) - 1), reach.width, found)
            return y.as_signed() if reach.signed else y
        if self.code.values is not None:
            return found
        y = Signal(shape_of(self.stair.range), name="y", reset_less=True)
        m.d.sync += y.eq(row["base"] + found)
        return y

    def cost(self) -> Resources:
        width, out = self.cut.width, self.stair.range.width
        total = Resources()
        for level in range(self.levels):
            clocks = self._starts[level + 1] - self._starts[level]
            lut = compare_cost(self.cut, self.target, choice=level == 1)
            if self.constant and level == 0:
                lut = ceil(constant_cost(self.cut, self.cuts[:, self.cuts.shape[1] // 2]) / self.stair.rows)
            carried, looked_up = clocks * (self.value.width * (level + 1 < self.levels) + level), 0
            if level >= _SHARED:
                form = "bram" if self._in_blocks(level) else "lut"
                table, blocks = rom_cost(width, self._depth(level), self.target, form)
                carried += (clocks - 1) * self.value.width * (level + 1 == self.levels)
                looked_up = width * (not blocks)
                total += Resources(lut4=table, bram=blocks)
            total += Resources(lut4=lut, ff=1 + looked_up) + self.target.delay(carried)
        if self._values is not None:
            total += Resources(lut4=out * max(1, (1 << self.levels) // 16), ff=out)
        return total + (Resources(lut4=out, ff=out) if self.code.values is None else Resources())


def _late(m: Module, value: Value, clocks: int) -> Value:
    """The value some clocks later; constants stay wires."""
    if isinstance(value, C) or not len(value):
        return value
    for _ in range(clocks):
        value = register(m, value)
    return value


def _bits(words: np.ndarray, width: int) -> np.ndarray:
    return bits_of(words.ravel(), width)


def _looked_up(m: Module, words: np.ndarray, width: int, address: Value) -> Signal:
    """A table in look-up tables, then a register."""
    table = memory.Memory(
        shape=width, depth=len(words), init=[int(word) for word in words], attrs={"rom_style": "logic"}
    )
    m.submodules += table
    read = table.read_port(domain="comb")
    m.d.comb += read.addr.eq(address)
    return register(m, read.data, name="looked_up")
