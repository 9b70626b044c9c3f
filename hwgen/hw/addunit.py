"""Addition unit: two streams with scales of their own become one."""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from hwgen.hw.outqueue import OutQueue
from hwgen.hw.product.form import Term, bits_of, sum_tree, tree_depth
from hwgen.hw.rom import Rom, rom_cost
from hwgen.hw.staircase.form import StaircaseForm
from hwgen.hw.staircase.linear import LinearForm
from hwgen.hw.staircase.rows import RowOrder, RowTable
from hwgen.hw.staircase.unit import DSP_PRICE, plan_staircase
from hwgen.hw.stream import lanes_stream, shape_of
from hwgen.numeric.fit_add import AddFit, fit_add
from hwgen.numeric.ranges import Range
from hwgen.numeric.rounding import Ints
from hwgen.numeric.staircase import Staircase
from hwgen.targets import Target
from hwgen.targets.resources import Resources

NIBBLE = 4  # bits that one LUT4 looks up
FORMS = ("linear", "tables")

_FITS: WeakKeyDictionary[Staircase, dict[object, AddFit]] = WeakKeyDictionary()


@dataclass(frozen=True, eq=False)
class _Piece:
    """A few bits of one input and what they add to the sum: table[bits], bits as an unsigned number."""

    at: int
    width: int
    table: Ints

    @property
    def range(self) -> Range:
        return Range.of(self.table)


def pieces(factor: int, constant: int, value: Range) -> list[_Piece]:
    """factor * x + constant as a sum of look-ups in nibbles of x; the constant joins the last one."""
    shape = shape_of(value)
    result = []
    for at in range(0, shape.width, NIBBLE):
        width = min(NIBBLE, shape.width - at)
        x = np.arange(1 << width, dtype=np.int64)
        last = at + width == shape.width
        if last and shape.signed:
            x = np.where(x >> (width - 1), x - (1 << width), x)
        result.append(_Piece(at, width, factor * (x << at) + (constant if last else 0)))
    return result


class _Sum:
    """table_a[a] + table_b[b] for one lane: nibble tables and adders, or a ROM an input and one adder."""

    def __init__(self, fit: AddFit, a: Range, b: Range, target: Target) -> None:
        self.fit, self.inputs, self.target = fit, (a, b), target
        self.pieces: list[list[_Piece]] = []
        self.roms: list[Rom] = []
        for table, value, factor in zip(fit.tables, self.inputs, fit.factors or (None, None), strict=True):
            if factor is not None:
                self.pieces.append(pieces(factor, int(table[0]) - factor * value.lo, value))
            else:
                self.roms.append(Rom(_content(table, value), target=target))

    @property
    def latency(self) -> int:
        """Clocks from the two inputs to the sum."""
        return Rom.latency + 1 if self.roms else 1 + tree_depth(sum(map(len, self.pieces)))

    def build(self, m: Module, words: tuple[Value, Value]) -> Value:
        terms = []
        if self.roms:
            for rom, table, word in zip(self.roms, self.fit.tables, words, strict=True):
                unit = Rom(rom.content, form=rom.form, target=self.target)
                m.submodules += unit
                m.d.comb += unit.addr.eq(word)
                terms.append(_term(unit.data.as_signed() if table.min() < 0 else unit.data, Range.of(table)))
        else:
            for parts, word in zip(self.pieces, words, strict=True):
                terms += [_term(_lookup(m, part, word), part.range) for part in parts]
        total, _ = sum_tree(m, terms, target=self.target)
        return total.value

    def cost(self) -> Resources:
        width = self.fit.sum_range.width
        if not self.roms:
            count = sum(map(len, self.pieces))
            looked_up = sum(part.range.width for parts in self.pieces for part in parts)
            return Resources(lut4=looked_up + (count - 1) * (width + 1), ff=looked_up + count * width)
        total = Resources(lut4=width + 1, ff=width)
        for rom in self.roms:
            lut, blocks = rom_cost(rom.width, rom.depth, self.target, "lut" if rom.form == "lut" else "bram")
            total += Resources(lut4=lut, ff=(rom.width + 8) * (rom.form == "lut"), bram=blocks)
        return total


def _content(table: Ints, value: Range) -> np.ndarray:
    """ROM bits addressed by the input's own bits."""
    x = np.arange(1 << value.width)
    if value.signed:
        x = np.where(x >> (value.width - 1), x - (1 << value.width), x)
    return bits_of(table[np.clip(x - value.lo, 0, len(table) - 1)], Range.of(table).width)


def _term(value: Value, reach: Range) -> Term:
    return Term(value, np.array([reach.lo]), np.array([reach.hi]))


def _lookup(m: Module, part: _Piece, word: Value) -> Value:
    """A LUT4 for each bit of the result, registered."""
    shape = shape_of(part.range)
    words = [int(v) & ((1 << shape.width) - 1) for v in part.table]
    table = memory.Memory(shape=shape.width, depth=len(words), init=words, attrs={"rom_style": "logic"})
    m.submodules += table
    read = table.read_port(domain="comb")
    result = Signal(shape, name="piece", reset_less=True)
    m.d.comb += read.addr.eq(word[part.at : part.at + part.width])
    m.d.sync += result.eq(read.data)
    return result


class AddUnit(wiring.Component):
    """o = act(tables[0][a - offsets[0]] + tables[1][b - offsets[1]]) for every pair of values.

    a, b: streams of `lanes` values in their ranges, in step. o: stream of `lanes` values in act.range.
    tables, offsets, act: as in the `add` operation; act has one row.
    form: "linear" (factors as nibble tables, adders, a shift), "tables" (a ROM for each input, adder,
    staircase) or "auto" for the cheaper. A beat a clock, `latency` clocks and two through an empty queue; the
    pipeline runs freely and a pair enters only when the queue has room for its sum.
    Errors: ValueError where the tables do not cover the ranges or act has more than one row.
    """

    def __init__(
        self,
        tables: tuple[Ints, Ints],
        offsets: tuple[int, int],
        act: Staircase,
        *,
        a: Range,
        b: Range,
        lanes: int,
        target: Target,
        form: str = "auto",
        dsp_price: float = DSP_PRICE,
    ) -> None:
        self.lanes, self.target, self.out = lanes, target, act.range
        self.form, self._sum, self._act = _choose(tables, offsets, act, a, b, target, form, dsp_price)
        self.latency = self._sum.latency + self._act.latency
        super().__init__(
            {
                "a": In(lanes_stream(a, lanes)),
                "b": In(lanes_stream(b, lanes)),
                "o": Out(lanes_stream(self.out, lanes)),
            }
        )

    @property
    def depth(self) -> int:
        """Words of the queue: those in the pipeline, those on the way to it and back."""
        return self.latency + 6

    @property
    def cost(self) -> Resources:
        """Estimate of what the unit takes."""
        each = self._sum.cost() + self._act.cost()
        bits = self.out.width * self.lanes
        queue = Resources(lut4=-(-bits // 4) * -(-self.depth // 16) * 6 + 30, ff=bits + 25)
        return each * self.lanes + queue + Resources(ff=self.latency)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.queue = queue = OutQueue(shape=self.out, lanes=self.lanes, depth=self.depth)
        wiring.connect(m, queue.o, wiring.flipped(self.o))
        enter = Signal()
        started = Signal()
        m.d.comb += [
            enter.eq(self.a.valid & self.b.valid & queue.permit),
            self.a.ready.eq(enter),
            self.b.ready.eq(enter),
            queue.start.eq(started),
        ]
        m.d.sync += started.eq(enter)
        valid: Value = enter
        for _ in range(self.latency):
            late = Signal(name="valid")
            m.d.sync += late.eq(valid)
            valid = late
        m.d.comb += [queue.i.valid.eq(valid), queue.i.first.eq(1), queue.i.last.eq(1)]
        constants = RowTable(self._act.fields, _ONE_ROW, target=self.target).build(m, valid)
        row = {name: values[0] for name, values in constants.items()}
        results = []
        for lane in range(self.lanes):
            total = self._sum.build(m, (self.a.payload[lane], self.b.payload[lane]))
            y = Signal(shape_of(self.out), name="y")
            m.d.comb += y.eq(self._act.build(m, total, row))
            results.append(y)
        m.d.comb += Value.cast(queue.i.payload).eq(Cat(results))
        return m


_ONE_ROW = RowOrder(np.zeros((1, 1), dtype=np.int64))


def _choose(
    tables: tuple[Ints, Ints],
    offsets: tuple[int, int],
    act: Staircase,
    a: Range,
    b: Range,
    target: Target,
    form: str,
    dsp_price: float,
) -> tuple[str, _Sum, StaircaseForm]:
    """The form, the sum and the activation behind it."""
    if form not in ("auto", *FORMS):
        raise ValueError(f"add: form must be auto or one of {', '.join(FORMS)}, not {form!r}")
    for table, offset, value in zip(tables, offsets, (a, b), strict=True):
        if value not in Range(offset, offset + len(table) - 1):
            raise ValueError(f"add: no table entry for some of {value}")
    options: list[tuple[str, _Sum, StaircaseForm]] = []
    for name in FORMS if form == "auto" else (form,):
        fit = _fit(tables, offsets, act, a, b, name == "linear")
        if fit.line is not None:
            behind: StaircaseForm = LinearForm(fit.act, fit.sum_range, target, fit.line, dsp_price)
        elif name == "linear":
            if form == "linear":
                raise ValueError("add: no two factors follow these tables")
            continue
        else:
            behind = plan_staircase(
                fit.act, lanes=1, channels=1, value=fit.sum_range, target=target, dsp_price=dsp_price
            ).form
        options.append((name, _Sum(fit, a, b, target), behind))

    def price(option: tuple[str, _Sum, StaircaseForm]) -> float:
        cost = option[1].cost() + option[2].cost()
        return cost.lut4 + cost.ff / 4 + dsp_price * cost.dsp + target.bram_luts * cost.bram

    return min(options, key=price)


def _fit(
    tables: tuple[Ints, Ints], offsets: tuple[int, int], act: Staircase, a: Range, b: Range, linear: bool
) -> AddFit:
    """`fit_add`, remembered as long as the staircase lives."""
    known = _FITS.setdefault(act, {})
    key = (tables[0].tobytes(), tables[1].tobytes(), offsets, a, b, linear)
    if key not in known:
        known[key] = fit_add(tables, offsets, act, a, b, linear=linear)
    return known[key]


def add_cost(
    tables: tuple[Ints, Ints],
    offsets: tuple[int, int],
    act: Staircase,
    *,
    a: Range,
    b: Range,
    lanes: int,
    target: Target,
) -> Resources:
    """What `AddUnit` with these arguments takes."""
    return AddUnit(tables, offsets, act, a=a, b=b, lanes=lanes, target=target).cost


__all__ = ["FORMS", "AddUnit", "add_cost"]
