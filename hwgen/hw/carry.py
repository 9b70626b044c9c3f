"""Additions that fill a carry slot's LUT: masked, row-pair and accumulating adders, the same on every target.

On ECP5 a slot adds any two functions of its four inputs as long as one of the terms can be told from A and B
alone (see `hwgen.targets.ecp5.Slot`); each adder here costs `width` + 1 LUT4 sites, the logic before the sum
included. Elsewhere, and for fast simulation, the same value is an expression.
Every result is `width` bits, two's complement, combinational.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from amaranth.hdl import C, Module, Mux, Shape, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwgen.hw.leaf import Leaf
from hwgen.targets import GENERIC, Target
from hwgen.targets.ecp5 import Slot, carry_chain, truth_table


@dataclass(frozen=True)
class _Kind:
    """One adder: the table of a slot whose A and B are bits of the first two operands, and its start.

    C and D of a slot are `take_a` and `take_b`, or 1. first: carry into bit 0 ("in": a port).
    """

    table: int
    first: int | str = 0


# Terms in the comments; the generate row (C = D = 0) must give one of them wherever the two agree.
_KINDS = {
    "add": _Kind(truth_table(lambda a, b, c, d: a ^ b if d else a)),  # A + B
    "add_carry": _Kind(truth_table(lambda a, b, c, d: a ^ b if d else a), "in"),
    "subtract": _Kind(truth_table(lambda a, b, c, d: a ^ b ^ 1 if d else a), 1),  # A + ~B
    "accumulate": _Kind(truth_table(lambda a, b, c, d: a ^ (b & c) if d else a)),  # A + (B & C)
    "accumulate_carry": _Kind(truth_table(lambda a, b, c, d: a ^ (b & c) if d else a), "in"),
    "add_rows": _Kind(truth_table(lambda a, b, c, d: (a & b) ^ (c & d))),  # (A & B) + (C & D)
    "subtract_rows": _Kind(truth_table(lambda a, b, c, d: (a & b) ^ (c & (1 - d)))),  # (A & B) + (C & ~D)
}
_TAKES = {"accumulate": 1, "accumulate_carry": 1, "add_rows": 2, "subtract_rows": 2}


class Adder(wiring.Component):
    """y = a, b and the masks combined as `kind` says (see the functions below), combinational."""

    def __init__(self, kind: str, a: Shape, b: Shape, width: int, *, target: Target) -> None:
        self.kind, self.width, self.target, self.shapes = kind, width, target, (a, b)
        ports = {"a": In(a.width), "b": In(b.width), "y": Out(width)}
        ports |= {name: In(1) for name in ("take_a", "take_b")[: _TAKES.get(kind, 0)]}
        if _KINDS[kind].first == "in":
            ports["carry"] = In(1)
        super().__init__(ports)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += self.y.eq(self._slots(m) if self.target.instances else self._expression())
        return m

    def _expression(self) -> Value:
        a, b = self._operands()
        match self.kind:
            case "add":
                return a + b
            case "add_carry":
                return a + b + self.carry
            case "subtract":
                return a - b
            case "accumulate":
                return a + Mux(self.take_a, b, 0)
            case "accumulate_carry":
                return a + Mux(self.take_a, b, 0) + self.carry
            case "add_rows":
                return Mux(self.take_a, a, 0) + Mux(self.take_b, b, 0)
            case _:
                return Mux(self.take_a, a, 0) - Mux(self.take_b, b, 0)

    def _operands(self) -> list[Value]:
        """Ports are plain bits: Yosys reads a Verilog leaf twice where signed ports meet a primitive."""
        return [
            value.as_signed() if shape.signed else value
            for value, shape in zip((self.a, self.b), self.shapes)
        ]

    def _slots(self, m: Module) -> Value:
        kind, bits = _KINDS[self.kind], range(self.width)
        a, b = self._operands()
        first: Value | int = self.carry if kind.first == "in" else int(kind.first)
        if self.kind == "add_rows":
            pins = [(bit(a, i), self.take_a, bit(b, i), self.take_b) for i in bits]
        elif self.kind == "subtract_rows":
            first = self.take_b
            pins = [(bit(a, i), self.take_a, self.take_b, bit(b, i)) for i in bits]
        else:
            third = self.take_a if self.kind in _TAKES else C(1, 1)
            pins = [(bit(a, i), bit(b, i), third, C(1, 1)) for i in bits]
        return carry_chain(m, [Slot(kind.table, *each) for each in pins], first)


@cache
def adder_leaf(kind: str, a: Shape, b: Shape, width: int, target: Target) -> Leaf:
    """The shared module of an adder on a target with carry primitives."""
    hardware, model = (Adder(kind, a, b, width, target=family) for family in (target, GENERIC))
    return Leaf(hardware, f"{kind}_{width}", clocked=False, model=model)


def _adder(m: Module, kind: str, a: Value, b: Value, width: int, target: Target, **masks: Value) -> Value:
    y = Signal(signed(width), name=kind)
    if target.instances:
        leaf = adder_leaf(kind, a.shape(), b.shape(), width, target)
        m.submodules += leaf.instance(a=a, b=b, y=y, **masks)
    else:
        m.submodules += (adder := Adder(kind, a.shape(), b.shape(), width, target=target))
        m.d.comb += [adder.a.eq(a), adder.b.eq(b), y.eq(adder.y)]
        m.d.comb += [getattr(adder, name).eq(value) for name, value in masks.items()]
    return y


def add(m: Module, a: Value, b: Value, width: int, *, target: Target, carry: Value | int = 0) -> Value:
    """a + b + carry."""
    if isinstance(carry, Value):
        return _adder(m, "add_carry", a, b, width, target, carry=carry)
    return _adder(m, "add", a, b, width, target)


def subtract(m: Module, a: Value, b: Value, width: int, *, target: Target) -> Value:
    """a - b."""
    return _adder(m, "subtract", a, b, width, target)


def accumulate(
    m: Module, term: Value, total: Value, keep: Value, width: int, *, target: Target, carry: Value | int = 0
) -> Value:
    """term + carry + (total if keep else 0): an accumulator with its clear in one carry chain."""
    if isinstance(carry, Value):
        return _adder(m, "accumulate_carry", term, total, width, target, take_a=keep, carry=carry)
    return _adder(m, "accumulate", term, total, width, target, take_a=keep)


def add_rows(
    m: Module, a: Value, take_a: Value, b: Value, take_b: Value, width: int, *, target: Target
) -> Value:
    """(a if take_a else 0) + (b if take_b else 0): two partial-product rows in one carry chain."""
    return _adder(m, "add_rows", a, b, width, target, take_a=take_a, take_b=take_b)


def subtract_rows(
    m: Module, a: Value, take_a: Value, b: Value, take_b: Value, width: int, *, target: Target
) -> Value:
    """(a if take_a else 0) - (b if take_b else 0), as rows of a and ~b with `take_b` for the first carry."""
    return _adder(m, "subtract_rows", a, b, width, target, take_a=take_a, take_b=take_b)


def bit(value: Value, at: int) -> Value:
    """Bit `at` of the sign- or zero-extended `value`."""
    if at < len(value):
        return value[at]
    return value[-1] if value.shape().signed else C(0, 1)


def floored(value: Value, shift: int) -> Value:
    """value // 2**shift, as wires."""
    if shift >= len(value):
        return value[-1].as_signed() if value.shape().signed else C(0, 1)
    upper = value[shift:]
    return upper.as_signed() if value.shape().signed else upper
