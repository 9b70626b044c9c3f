"""Two banks of partial sums: one is filled while the other is read out."""

from __future__ import annotations

from amaranth.hdl import C, Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hwgen.hw.ram import Ram
from hwgen.hw.systolic.heldram import held_ram
from hwgen.hw.systolic.pe import CODES
from hwgen.program.array import Array
from hwgen.program.instructions import WIDEN
from hwgen.targets import Target


class Accumulators(wiring.Component):
    """acc[bank][index] = base + sums, in the clocks with `step` and `valid`, all columns at once.

        base = 0 if first, acc << 7 if widen, else acc          modulo 2^accumulator
        with `maximum` (if the geometry has it): max(acc, sums), or sums if first

    The new word is written whatever follows. distance: an index may come again as many steps later, sooner
    is wrong. settled: in the clock as many after an update, its bank may be read.
    Reading: data is acc[read_bank][read_index] of `read_enable`, `read_latency` clocks later, and stays until
    the next one's; column 0 lowest. The bank must be another one than that being filled.

    read_latency: 1; or 2 for block RAMs with a register behind them and one more before the adders (twice as
    fast on ECP5); or 4, with one more before them and one for what is read out, where columns are many.
    UP5K, 4 x 24 bits: 12 SB_RAM40_4K and 510 logic cells; see tests/synth/test_systolic_cost.py.
    """

    def __init__(self, *, geometry: Array, target: Target, read_latency: int = 1) -> None:
        if read_latency not in (1, 2, 4):
            raise ValueError(f"accumulators: read_latency is 1, 2 or 4, not {read_latency}")
        self.geometry, self.target, self.read_latency = geometry, target, read_latency
        self.after = read_latency == 4  # a register for what is read out
        self.ram = read_latency - self.after  # clocks from an update to its word
        self.spread = int(read_latency > 1)  # registers between what is read and the adders
        #: A register between the adders and the choice of the larger one.
        self.apart = int(self.spread and geometry.maximum)
        self.distance = self.settled = self.ram + self.spread + self.apart + 2
        total = (CODES[geometry.code].product * geometry.rows).width
        if geometry.dataflow == "output":  # its sums are those of all passes
            total = geometry.accumulator
        self.width = geometry.columns * geometry.accumulator
        index = range(geometry.depth)
        ports = {
            "step": In(1),
            "valid": In(1),
            "bank": In(1),
            "index": In(index),
            "first": In(1),
            "widen": In(1),
            "sums": In(data.ArrayLayout(signed(total), geometry.columns)),
            "read_bank": In(1),
            "read_index": In(index),
            "read_enable": In(1),
            "data": Out(self.width),
        }
        super().__init__(ports | ({"maximum": In(1)} if geometry.maximum else {}))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        fill = Signal()
        m.d.comb += fill.eq(self.step & self.valid)
        maximum = self.maximum if self.geometry.maximum else C(0, 1)
        about = Cat(self.bank, self.index, self.first, self.widen, maximum)
        there = self.ram + self.spread  # clocks from an update to its adders
        fills = [fill, *_later(m, fill, there + self.apart + 1, reset=True)]
        abouts = [about, *_later(m, about, there + self.apart + 1)]
        sums = [self.sums.as_value(), *_later(m, self.sums.as_value(), there)][-1]
        word = Signal(self.width, name="updated", reset_less=True)
        words = [self._bank(m, number, fills, abouts, word) for number in range(2)]

        # which bank's word is the base, or neither: selects of their own, for a LUT a bit
        bank, _, first, *_ = self._parts(abouts[self.ram - 1])
        selects = [Signal(name=f"base_{number}", reset_less=True) for number in range(2)]
        m.d.sync += [selects[0].eq(~first & ~bank), selects[1].eq(~first & bank)]
        # signals, for what a word of many bits is made of would be written out anew for each of its bits
        acc, base = Signal(self.width, name="acc"), Signal(self.width, name="base")
        m.d.comb += acc.eq(
            (words[0] & selects[0].replicate(self.width)) | (words[1] & selects[1].replicate(self.width))
        )
        *_, widen, _ = self._parts(abouts[self.ram])
        m.d.comb += base.eq(self._widened(acc, widen))
        base = [base, *_later(m, base, self.spread)][-1]
        _, _, first, *_ = self._parts(abouts[there])
        *_, maximum = self._parts(abouts[there + self.apart])
        m.d.sync += word.eq(self._updated(m, base, sums, first, maximum))

        chosen = Signal(reset_less=True)  # bank of the last read
        with m.If(self.read_enable):
            m.d.sync += chosen.eq(self.read_bank)
        chosen = [chosen, *_later(m, chosen, self.ram - 1)][-1]
        data = Mux(chosen, words[1], words[0])
        m.d.comb += self.data.eq([data, *_later(m, data, int(self.after))][-1])
        return m

    def _parts(self, about: Value) -> tuple[Value, Value, Value, Value, Value]:
        return about[0], about[1:-3], about[-3], about[-2], about[-1]

    def _widened(self, word: Value, widen: Value) -> Value:
        """acc << 7 if widen, else acc."""
        bits = self.geometry.accumulator
        columns = [word.word_select(column, bits) for column in range(self.geometry.columns)]
        return Cat(Mux(widen, Cat(C(0, WIDEN), acc)[:bits], acc) for acc in columns)

    def _updated(self, m: Module, word: Value, sums: Value, first: Value, maximum: Value) -> Value:
        """The columns after an update; word: 0 if `first`."""
        bits, columns = self.geometry.accumulator, self.geometry.columns
        result = []
        for column in range(columns):
            base = word.word_select(column, bits).as_signed()
            each = sums.word_select(column, len(sums) // columns).as_signed()
            total: Value = Signal(bits, name="total")
            m.d.comb += total.eq(base + each)
            if self.geometry.maximum:
                larger = first | (base < each)
                parts = Cat(larger, total, base, each)
                parts = [parts, *_later(m, parts, self.apart)][-1]
                larger, total = parts[0], parts[1 : 1 + bits]
                base, each = parts[1 + bits : 1 + 2 * bits].as_signed(), parts[1 + 2 * bits :].as_signed()
                total = Mux(maximum, Mux(larger, each, base), total)[:bits]
            result.append(total)
        return Cat(result)

    def _bank(self, m: Module, number: int, fills: list[Value], abouts: list[Value], word: Value) -> Value:
        """A bank; its one read port serves updates or reads. What it reads, `ram` clocks later.

        fills, abouts: updates and what is known of them, by their age; word: what the oldest becomes.
        """
        mine = Signal(name=f"fills_{number}")
        asked = Signal(name=f"reads_{number}")
        _, index, *_ = self._parts(abouts[-1])
        m.d.comb += [
            mine.eq(fills[0] & (self.bank == number)),
            asked.eq(self.read_enable & (self.read_bank == number)),
        ]
        address = Mux(mine, self.index, self.read_index)
        at = -2 if self.after else -1
        ours = fills[at] & (self._parts(abouts[at])[0] == number)
        ours = [ours, *_later(m, ours, int(self.after), reset=True)][-1]
        depth = self.geometry.depth
        if self.ram > 1:
            m.submodules[f"bank_{number}"] = ram = Ram(
                width=self.width, depth=depth, form="block", target=self.target
            )
            held = Signal.like(self.index, name=f"held_{number}", reset_less=True)
            following = Mux(mine | asked, address, held)
            m.d.sync += held.eq(following)
            m.d.comb += [
                ram.write_en.eq(ours),
                ram.write_addr.eq(index),
                ram.write_data.eq(word),
                ram.read_addr.eq(held if self.ram == 3 else following),
            ]
            return ram.read_data
        return held_ram(
            m, depth=depth, write_en=ours, write_addr=index, write_data=word,
            read_en=mine | asked, read_addr=address, target=self.target,
        )  # fmt: skip


def _later(m: Module, value: Value, clocks: int, *, reset: bool = False) -> list[Value]:
    """The value 1, 2 ... `clocks` clocks later."""
    result: list[Value] = []
    for _ in range(clocks):
        held = Signal(len(value), name="later", reset_less=not reset)
        m.d.sync += held.eq(value)
        result.append(value := held)
    return result
