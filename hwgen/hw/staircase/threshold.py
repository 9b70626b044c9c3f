"""x >= cut in one carry chain, or in look-up tables where the cut is a constant.

Tables hold a cut's `complement`: all ones minus the cut in offset binary, so that the comparison is the carry
out of x + complement (+ 1) and no cut needs inverting on any family. An ECP5 slot also chooses between two
cuts and turns the result around at no cost: bits + 1 slots, with a choice bits + 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from amaranth.hdl import C, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwgen.hw.leaf import Leaf
from hwgen.hw.stream import shape_of
from hwgen.numeric.ranges import Range
from hwgen.numeric.rounding import Ints
from hwgen.targets import GENERIC, Target
from hwgen.targets.ecp5 import Slot, carry_chain, truth_table


@dataclass(frozen=True)
class CutCode:
    """How x and its cuts are written: offset binary of `width` bits from `low`.

    inclusive: a cut stands for itself (x >= cut), else for the input below it (x > cut - 1).
    """

    value: Range
    width: int
    inclusive: bool

    @property
    def low(self) -> int:
        """The input written as 0."""
        return -(1 << (self.width - 1)) if self.value.signed else 0

    def complements(self, cuts: Ints) -> Ints:
        """What tables hold, 0 .. 2^width - 1."""
        return (1 << self.width) - 1 - (cuts - (not self.inclusive) - self.low)

    def extended(self, x: Value) -> Value:
        """x in `width` bits."""
        return Cat(x, x[-1] if self.value.signed else C(0, 1))[: self.width]


def cut_code(cuts: Ints, value: Range) -> CutCode:
    """The narrowest code that can write all cuts, which lie in [value.lo, value.hi + 1]."""
    shape = shape_of(value)
    for width, inclusive in ((shape.width, True), (shape.width, False), (shape.width + 1, True)):
        code = CutCode(value, width, inclusive)
        written = code.complements(cuts)
        if not cuts.size or (written.min() >= 0 and written.max() < 1 << width):
            return code
    raise ValueError(f"cuts {Range.of(cuts)} do not belong to inputs {value}")


class Compare(wiring.Component):
    """y = (offset binary of x + cut + inclusive carries out) xor turn; cut is `other` where `select` is up.

    x: two's complement if the code is signed. Combinational.
    """

    def __init__(self, code: CutCode, *, choice: bool, target: Target) -> None:
        self.width, self.inclusive, self.signed = code.width, code.inclusive, code.value.signed
        self.choice, self.target = choice, target
        ports = {"x": In(self.width), "cut": In(self.width), "turn": In(1), "y": Out(1)}
        super().__init__(ports | ({"other": In(self.width), "select": In(1)} if choice else {}))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        if self.target.instances:
            m.d.comb += self.y.eq(self._slots(m)[-1])
        else:
            x = self.x ^ (self.signed << (self.width - 1))
            cut = Mux(self.select, self.other, self.cut) if self.choice else self.cut
            m.d.comb += self.y.eq((x + cut + int(self.inclusive))[self.width] ^ self.turn)
        return m

    def _slots(self, m: Module) -> Value:
        """A slot passes the carry on where x and the complement differ; x decides elsewhere.

        Without a choice the first slot has no carry to pass: D = 1 makes it 0 there.
        """
        chain = [self._slot(at) for at in range(0 if self.choice else 1, self.width)]
        chain.append(Slot(truth_table(lambda a, b, c, d: a), a=self.turn))
        if self.choice:
            return carry_chain(m, chain, int(self.inclusive))
        flip, inclusive = self._flip(0), self.inclusive
        table = truth_table(lambda a, b, c, d: ((a ^ flip) | b if inclusive else (a ^ flip) & b) & (1 - d))
        return carry_chain(m, chain, Slot(table, a=self.x[0], b=self.cut[0]))

    def _flip(self, at: int) -> int:
        return int(self.signed and at == self.width - 1)

    def _slot(self, at: int) -> Slot:
        flip = self._flip(at)
        if not self.choice:
            return Slot(truth_table(lambda a, b, c, d: a ^ flip ^ c), a=self.x[at], c=self.cut[at])
        table = truth_table(lambda a, b, c, d: a ^ flip ^ (d if b else c))
        return Slot(table, a=self.x[at], b=self.select, c=self.cut[at], d=self.other[at])


@cache
def compare_leaf(code: CutCode, choice: bool, target: Target) -> Leaf:
    """The shared module of a comparison on a target with carry primitives."""
    hardware, model = (Compare(code, choice=choice, target=family) for family in (target, GENERIC))
    return Leaf(hardware, f"compare_{code.width}", clocked=False, model=model)


def reaches(
    m: Module, code: CutCode, x: Value, cut: Value, turn: Value, target: Target, *others: Value
) -> Value:
    """(x >= cut) xor turn, a flag. cut: as `code.complements` writes it. others: (select, other cut)."""
    if isinstance(cut, Const) and not others:
        return _with_constant(code, x, cut.value) ^ turn
    y = Signal(name="reached")
    pins = {"x": code.extended(x), "cut": _filled(cut, code.width), "turn": turn}
    if others:
        pins |= {"select": others[0], "other": _filled(others[1], code.width)}
    if target.instances:
        m.submodules += compare_leaf(code, bool(others), target).instance(**pins, y=y)
    else:
        compare = Compare(code, choice=bool(others), target=target)
        m.submodules += compare
        m.d.comb += [getattr(compare, name).eq(value) for name, value in pins.items()]
        m.d.comb += y.eq(compare.y)
    return y


def _filled(cut: Value, width: int) -> Value:
    """A table's column with the upper bits that are 0 in all its rows."""
    return Cat(cut, C(0, width - len(cut)))


def _with_constant(code: CutCode, x: Value, complement: int) -> Value:
    """The carry of x + constant as a ladder of and/or, of which a LUT4 takes three rungs."""
    carried: Value = C(int(code.inclusive), 1)
    wide = code.extended(x)
    for at, bit in enumerate(Cat(wide[:-1], ~wide[-1]) if code.value.signed else wide):
        carried = bit | carried if complement >> at & 1 else bit & carried
    return carried


def compare_cost(code: CutCode, target: Target, *, choice: bool = False) -> int:
    """LUT4s of one comparison; without slots that take four inputs the choice has LUTs of its own."""
    if not target.instances:
        return code.width * (1 + choice) + 1
    slots = code.width + 1 + choice
    return slots + slots % 2


def constant_cost(code: CutCode, cuts: Ints) -> float:
    """LUT4s of comparisons with constants: three rungs each, none for low bits that decide nothing."""
    carry = (1 << code.width) - 1 if code.inclusive else 0
    written = code.complements(cuts) ^ carry  # the carry passes trailing zeros unchanged
    lowest = np.where(written == 0, 1 << code.width, written & -written)
    rungs = code.width - np.log2(lowest)
    return float(np.sum(np.where(rungs > 1, (rungs + 1) / 3, 0)))
