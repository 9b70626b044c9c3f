"""Adders whose operands may be complemented or dropped on the way in, still one carry slot a bit.

A term is (value ^ flip) if take else 0, where `flip` complements: a flipped term is -value - 1. A slot has
four pins; two terms fit if they need no more of them than that:

    first    A, and B if it is flipped or dropped, not both
    second   C, and D for one of the two; a first term without masks leaves B for the other

The row of the slot's LUT with C = D = 0 is the *generate* function (see hwgen.targets.ecp5.Slot); every
second term is 0 there, so it is the first term, as it must be.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from amaranth.hdl import C, Cat, Module, Mux, Shape, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwgen.hw.carry import bit
from hwgen.hw.leaf import Leaf
from hwgen.targets import GENERIC, Target
from hwgen.targets.ecp5 import Slot, carry_chain, truth_table


@dataclass(frozen=True)
class Masked:
    """(value ^ flip) if take else 0; a mask that is left out does nothing."""

    value: Value
    flip: Value | None = None
    take: Value | None = None

    @property
    def kind(self) -> str:
        """Which masks there are: "", "f", "t" or "ft"."""
        return "f" * (self.flip is not None) + "t" * (self.take is not None)

    def plain(self) -> Value:
        """The term as a value: a LUT a bit, a sign bit more if an unsigned value is flipped."""
        value = self.value
        if self.flip is not None:
            value = _signed(value)
            value = (value.as_unsigned() ^ self.flip.replicate(len(value))).as_signed()
        return value if self.take is None else dropped(value, self.take)


def dropped(value: Value, take: Value) -> Value:
    """value if take else 0, a LUT a bit."""
    kept = value.as_unsigned() & take.replicate(len(value))
    return kept.as_signed() if value.shape().signed else kept


_FIRST: dict[str, Callable[[int, int], int]] = {
    "": lambda a, b: a,
    "f": lambda a, b: a ^ b,
    "t": lambda a, b: a & b,
}
_SECOND: dict[str, Callable[[int, int, int], int]] = {
    "": lambda b, c, d: c & d,
    "f": lambda b, c, d: c ^ d,
    "t": lambda b, c, d: c & d,
    "ft": lambda b, c, d: b & (c ^ d),
}


def fits(first: str, second: str) -> bool:
    """Whether terms of these kinds go into one slot."""
    return (first in ("f", "t") and second != "ft") or first == ""


class TermAdder(wiring.Component):
    """y = first + second + carry, `width` bits, combinational; the masks' ports are those of the kinds."""

    def __init__(
        self, kinds: tuple[str, str], a: Shape, b: Shape, width: int, carry: bool, *, target: Target
    ) -> None:
        if not fits(*kinds):
            raise ValueError(f"terms of the kinds {kinds} do not fit a carry slot")
        self.kinds, self.shapes, self.width, self.target = kinds, (a, b), width, target
        ports = {"a": In(a.width), "b": In(b.width), "y": Out(width)}
        for name, kind in zip("ab", kinds):
            ports |= {f"flip_{name}": In(1)} if "f" in kind else {}
            ports |= {f"take_{name}": In(1)} if "t" in kind else {}
        if carry:
            ports["carry"] = In(1)
        super().__init__(ports)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += self.y.eq(self._slots(m) if self.target.instances else self._expression())
        return m

    def _expression(self) -> Value:
        total: Value = getattr(self, "carry", C(0, 1))
        for name, shape in zip("ab", self.shapes):
            value = _signed(self._operand(name, shape))
            flip, take = (getattr(self, f"{mask}_{name}", None) for mask in ("flip", "take"))
            value = value if flip is None else Mux(flip, ~value, value)
            total = total + (value if take is None else Mux(take, value, 0))
        return total

    def _operand(self, name: str, shape: Shape) -> Value:
        value = getattr(self, name)
        return value.as_signed() if shape.signed else value

    def _slots(self, m: Module) -> Value:
        first, second = self.kinds
        a, b = (self._operand(name, shape) for name, shape in zip("ab", self.shapes))
        masks = [getattr(self, f"{'flip' if 'f' in kind else 'take'}_{name}", C(1, 1))
                 for name, kind in zip("ab", self.kinds)]  # fmt: skip
        pin_b, pin_d = masks
        if second == "ft":
            pin_b = self.take_b
        table = truth_table(lambda a, b, c, d: _FIRST[first](a, b) ^ _SECOND[second](b, c, d))
        slots = [Slot(table, bit(a, at), pin_b, bit(b, at), pin_d) for at in range(self.width)]
        return carry_chain(m, slots, getattr(self, "carry", 0))


@cache
def term_adder_leaf(
    kinds: tuple[str, str], a: Shape, b: Shape, width: int, carry: bool, target: Target
) -> Leaf:
    """The shared module of an adder on a target with carry primitives."""
    hardware, model = (TermAdder(kinds, a, b, width, carry, target=family) for family in (target, GENERIC))
    return Leaf(hardware, f"terms_{width}", clocked=False, model=model)


def add_terms(
    m: Module, first: Masked, second: Masked, width: int, *, target: Target, carry: Value | None = None
) -> Value:
    """first + second + carry as `width` bits, two's complement; one carry chain of `width` + 1 slots."""
    kinds = first.kind, second.kind
    shapes = first.value.shape(), second.value.shape()
    pins: dict[str, Value] = {"a": first.value, "b": second.value}
    for name, term in zip("ab", (first, second)):
        pins |= {f"flip_{name}": term.flip} if term.flip is not None else {}
        pins |= {f"take_{name}": term.take} if term.take is not None else {}
    if carry is not None:
        pins["carry"] = carry
    y = Signal(signed(width), name="terms")
    if target.instances:
        leaf = term_adder_leaf(kinds, *shapes, width, carry is not None, target)
        m.submodules += leaf.instance(y=y, **pins)
    else:
        m.submodules += (adder := TermAdder(kinds, *shapes, width, carry is not None, target=target))
        m.d.comb += [getattr(adder, name).eq(value) for name, value in pins.items()]
        m.d.comb += y.eq(adder.y)
    return y


def _signed(value: Value) -> Value:
    return value if value.shape().signed else Cat(value, C(0, 1)).as_signed()
