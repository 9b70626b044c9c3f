"""Per-row parameters of an activation, delivered in step with the words of a flow.

Words come in a fixed order, so the parameters are read ahead: each clock with a word moves the table on.
Tables in LUTs keep the next row's parameters in a register (no latency); tables in block RAM are read when
the word comes, and the word waits for them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from amaranth.hdl import C, Cat, Module, Mux, Shape, Signal, Value
from amaranth.lib import memory

from hwgen.hw.product.form import bits_of, register
from hwgen.hw.rom import Rom, rom_cost
from hwgen.hw.stream import shape_of
from hwgen.numeric.ranges import Range
from hwgen.numeric.rounding import Ints
from hwgen.numeric.staircase import Staircase
from hwgen.targets import Target
from hwgen.targets.resources import Resources


@dataclass(frozen=True)
class RowOrder:
    """Which row each lane of each word needs: rows[entry, lane], each entry for `repeat` words in turn."""

    rows: Ints
    repeat: int = 1

    @property
    def lanes(self) -> int:
        """Values in a word."""
        return int(self.rows.shape[1])

    @property
    def depth(self) -> int:
        """Words until the order begins anew, divided by `repeat`."""
        return int(self.rows.shape[0])


def row_order(stair: Staircase, lanes: int, channels: int) -> RowOrder:
    """The order of a tensor's words: H, W, then blocks of `lanes` channels."""
    if lanes < 1 or channels % lanes:
        raise ValueError(f"staircase: lanes must divide {channels} channels, not {lanes}")
    if stair.pixel_rows is not None:
        rows = np.repeat(stair.pixel_rows.reshape(-1, 1), lanes, axis=1)
        if np.all(rows == rows[0]):
            return RowOrder(rows[:1])
        return RowOrder(rows, channels // lanes)
    if stair.rows == 1:
        return RowOrder(np.zeros((1, lanes), dtype=np.int64))
    if stair.rows != channels:
        raise ValueError(f"staircase: {stair.rows} rows do not serve {channels} channels")
    return RowOrder(np.arange(channels).reshape(-1, lanes))


@dataclass(frozen=True, eq=False)
class Field:
    """A parameter: its value in each row, and the pipeline stage at which it is needed.

    reach: what it may be in other contents of the table, where they are exchanged later.
    """

    name: str
    values: Ints
    stage: int
    reach: Range | None = None

    def __post_init__(self) -> None:
        if self.reach is not None and Range.of(self.values) not in self.reach:
            raise ValueError(f"staircase: {self.name} {Range.of(self.values)} is not within {self.reach}")

    @property
    def range(self) -> Range:
        """Range of the values."""
        return Range.of(self.values) if self.reach is None else self.reach


_ZERO, _ONE = -1, -2  # places of columns that are the same in all words: not stored


@dataclass(eq=False)
class _Columns:
    """Bits of all fields of one stage, (depth, n): equal columns stored once."""

    stage: int
    place: dict[bytes, int] = field(default_factory=dict)
    stored: list[np.ndarray] = field(default_factory=list)

    def add(self, column: np.ndarray, own: bool = False) -> int:
        """Where a column is stored. own: even if there is an equal one."""
        key = column.tobytes() + bytes(own * len(self.stored))
        if key not in self.place:
            self.place[key] = len(self.stored)
            self.stored.append(column)
        return self.place[key]

    @property
    def content(self) -> np.ndarray:
        return np.stack(self.stored, axis=1)


class RowTable:
    """Parameters `fields` for every lane, in the order of the words.

    form: "lut", "bram", "auto", or "exchange" where the contents are exchanged later: then every bit of every
    field is stored. latency: clocks that a word must wait before stage 0.
    """

    def __init__(self, fields: list[Field], order: RowOrder, *, target: Target, form: str = "auto") -> None:
        self.fields, self.order, self.target = fields, order, target
        self._stages: dict[int, _Columns] = {}
        self._bits: dict[str, list[list[int]]] = {}
        for each in fields:
            columns = self._stages.setdefault(each.stage, _Columns(each.stage))
            lanes = bits_of(each.values, each.range.width)[order.rows]  # (depth, lanes, width)
            places = np.where(lanes[0], _ONE, _ZERO)
            kept = form == "exchange"
            for lane, bit in np.argwhere(np.any(lanes != lanes[0], axis=0) | kept):
                places[lane, bit] = columns.add(lanes[:, lane, bit], own=kept)
            self._bits[each.name] = places.tolist()
        self.width = sum(len(stage.stored) for stage in self._stages.values())
        if form not in ("auto", "lut", "bram", "exchange"):
            raise ValueError(f"staircase: table must be auto, lut, bram or exchange, not {form!r}")
        self.form = form if form != "auto" else self._cheapest()

    @property
    def latency(self) -> int:
        """Clocks that a word must wait before stage 0."""
        return Rom.latency if self.form in ("bram", "exchange") and self.width else 0

    def _cheapest(self) -> str:
        if not self.width or self.order.depth == 1:
            return "lut"
        lut, _ = rom_cost(self.width, self.order.depth, self.target, "lut")
        mux, blocks = rom_cost(self.width, self.order.depth, self.target, "bram")
        return "lut" if lut <= mux + blocks * self.target.bram_luts else "bram"

    def cost(self, form: str | None = None) -> Resources:
        """Table and counter."""
        if not self.width:
            return Resources()
        index = (self.order.depth - 1).bit_length() + (self.order.repeat - 1).bit_length()
        lut, blocks = rom_cost(self.width, self.order.depth, self.target, form or self.form)
        stages = max(self._stages) + 1
        if self.latency:
            late = sum(len(stage.stored) * stage.stage for stage in self._stages.values())
            return Resources(lut4=lut + 2 * index, ff=index, bram=blocks) + self.target.delay(late)
        late = index * (stages - 1)
        if not self.target.instances:  # a register that starts as 1 is one of 0 with an inverter behind
            lut += sum(int(column[0]) for stage in self._stages.values() for column in stage.stored)
        return Resources(lut4=lut + 2 * index, ff=self.width + index) + self.target.delay(late)

    def build(self, m: Module, valid: Value) -> dict[str, list[Value]]:
        """Adds the table; parameters by field and lane, right at the field's stage after the word's valid."""
        stored: dict[int, Value] = {stage: C(0, 0) for stage in self._stages}
        if self.width:
            stored = self._blocks(m, valid) if self.latency else self._registers(m, valid)
        result: dict[str, list[Value]] = {}
        for each in self.fields:
            bits = stored[each.stage]
            result[each.name] = []
            for places in self._bits[each.name]:
                result[each.name].append(_assembled(bits, places, shape_of(each.range)))
        return result

    def _index(self, m: Module, valid: Value, init: int) -> tuple[Signal, Value]:
        """Entry counter, and when it moves on."""
        advance = valid
        if self.order.repeat > 1:
            left = Signal(range(self.order.repeat), init=self.order.repeat - 1, name="repeat")
            advance = valid & (left == 0)
            with m.If(valid):
                m.d.sync += left.eq(Mux(left == 0, self.order.repeat - 1, left - 1))
        depth = self.order.depth
        index = Signal(range(depth), init=init % depth, name="row")
        with m.If(advance):
            m.d.sync += index.eq(
                index + 1 if depth & (depth - 1) == 0 else Mux(index == depth - 1, 0, index + 1)
            )
        return index, advance

    def _registers(self, m: Module, valid: Value) -> dict[int, Value]:
        """One table a stage, one row ahead: the register holds what the next word needs."""
        index, advance = self._index(m, valid, init=1)
        stored: dict[int, Value] = {}
        for stage in range(max(self._stages) + 1):
            columns = self._stages.get(stage)
            if columns is not None and columns.stored:
                words = _words(columns.content)
                m.submodules[f"rows_{stage}"] = table = memory.Memory(
                    shape=len(columns.stored), depth=len(words), init=words, attrs={"rom_style": "logic"}
                )
                read = table.read_port(domain="comb")
                held = Signal(len(columns.stored), init=words[0], name=f"row_{stage}")
                m.d.comb += read.addr.eq(index)
                with m.If(advance):
                    m.d.sync += held.eq(read.data)
                stored[stage] = held
            else:
                stored[stage] = C(0, 0)
            if stage < max(self._stages):
                later, index_later = Signal(name="advance"), Signal.like(index, name="row")
                m.d.sync += [later.eq(advance), index_later.eq(index)]
                advance, index = later, index_later
        return stored

    def _blocks(self, m: Module, valid: Value) -> dict[int, Value]:
        """One block RAM for all stages; later stages are delayed."""
        index, _ = self._index(m, valid, init=0)
        content = np.concatenate([s.content for s in self._stages.values() if s.stored], axis=1)
        m.submodules.rows = rom = Rom(content, form=self.form, target=self.target)
        m.d.comb += rom.addr.eq(index)
        stored: dict[int, Value] = {}
        at = 0
        for stage, columns in self._stages.items():
            value: Value = rom.data[at : at + len(columns.stored)]
            at += len(columns.stored)
            for _ in range(stage):
                value = register(m, value, name=f"row_{stage}")
            stored[stage] = value
        return stored


def _assembled(bits: Value, places: list[int], shape: Shape) -> Value:
    """A parameter from its stored columns; a Const where no column is stored."""
    if max(places) < 0:
        word = sum((_ZERO - at) << bit for bit, at in enumerate(places))
        return C(word - (word >> (shape.width - 1) << shape.width if shape.signed else 0), shape)
    value = Cat(C(_ZERO - at, 1) if at < 0 else bits[at] for at in places)
    return value.as_signed() if shape.signed else value


def _words(content: np.ndarray) -> list[int]:
    packed = np.packbits(content, axis=1, bitorder="little")
    return [int.from_bytes(row.tobytes(), "little") for row in packed]
