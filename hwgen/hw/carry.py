"""Additions that fill a carry slot's LUT: masked, row-pair and accumulating adders, the same on every target.

On ECP5 a slot adds any two functions of its four inputs as long as one of the terms can be told from A and B
alone (see `hwgen.targets.ecp5.Slot`); each adder here costs `width` + 1 LUT4 sites, the logic before the sum
included. Elsewhere the same value is written as an expression and left to synthesis.
Every result is `width` bits, two's complement, combinational.
"""

from __future__ import annotations

from amaranth.hdl import C, Module, Mux, Signal, Value, signed

from hwgen.targets import Target
from hwgen.targets.ecp5 import Slot, carry_chain, truth_table

# A slot's two terms are named in the comment; the generate row (C = D = 0) must give one of them.
_ADD = truth_table(lambda a, b, c, d: a ^ b if d else a)  # A + B
_SUB = truth_table(lambda a, b, c, d: a ^ b ^ 1 if d else a)  # A + ~B
_KEEP = truth_table(lambda a, b, c, d: a ^ (b & c) if d else a)  # A + (B & C)
_ROWS = truth_table(lambda a, b, c, d: (a & b) ^ (c & d))  # (A & B) + (C & D)
_ROWS_NOT = truth_table(lambda a, b, c, d: (a & b) ^ (c & (1 - d)))  # (A & B) + (C & ~D)


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


def _signed(m: Module, value: Value, width: int, name: str) -> Value:
    result = Signal(signed(width), name=name)
    m.d.comb += result.eq(value)
    return result


def add(m: Module, a: Value, b: Value, width: int, *, target: Target, carry: Value | int = 0) -> Value:
    """a + b + carry."""
    if not target.instances:
        return _signed(m, a + b + carry, width, "sum")
    slots = [Slot(_ADD, bit(a, i), bit(b, i)) for i in range(width)]
    return carry_chain(m, slots, carry).as_signed()


def subtract(m: Module, a: Value, b: Value, width: int, *, target: Target) -> Value:
    """a - b."""
    if not target.instances:
        return _signed(m, a - b, width, "difference")
    slots = [Slot(_SUB, bit(a, i), bit(b, i)) for i in range(width)]
    return carry_chain(m, slots, 1).as_signed()


def accumulate(
    m: Module, term: Value, total: Value, keep: Value, width: int, *, target: Target, carry: Value | int = 0
) -> Value:
    """term + carry + (total if keep else 0): an accumulator with its clear in one carry chain."""
    if not target.instances:
        return _signed(m, term + carry + Mux(keep, total, 0), width, "accumulated")
    slots = [Slot(_KEEP, bit(term, i), bit(total, i), keep) for i in range(width)]
    return carry_chain(m, slots, carry).as_signed()


def add_rows(
    m: Module, a: Value, take_a: Value, b: Value, take_b: Value, width: int, *, target: Target
) -> Value:
    """(a if take_a else 0) + (b if take_b else 0): two partial-product rows in one carry chain."""
    if not target.instances:
        return _signed(m, Mux(take_a, a, 0) + Mux(take_b, b, 0), width, "rows")
    slots = [Slot(_ROWS, bit(a, i), take_a, bit(b, i), take_b) for i in range(width)]
    return carry_chain(m, slots).as_signed()


def subtract_rows(
    m: Module, a: Value, take_a: Value, b: Value, take_b: Value, width: int, *, target: Target
) -> Value:
    """(a if take_a else 0) - (b if take_b else 0), as rows of a and ~b with `take_b` for the first carry."""
    if not target.instances:
        return _signed(m, Mux(take_a, a, 0) - Mux(take_b, b, 0), width, "rows")
    slots = [Slot(_ROWS_NOT, bit(a, i), take_a, take_b, bit(b, i)) for i in range(width)]
    return carry_chain(m, slots, take_b).as_signed()
