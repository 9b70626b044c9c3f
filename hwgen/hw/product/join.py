"""Sums at different powers of two put together, low bits passing by the adders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from amaranth.hdl import Cat, Module, Value

from hwgen.hw import carry
from hwgen.hw.product.form import Term, range_of, register, tree_depth
from hwgen.targets import Target
from hwgen.targets.resources import Resources


@dataclass(frozen=True)
class Scaled:
    """(term + carry) * 2**scale; a carry is 0 or 1."""

    term: Term
    scale: int
    carry: Value | None = None

    def delayed(self, m: Module) -> Scaled:
        """The same one clock later."""
        return Scaled(self.term.delayed(m), self.scale, _held(m, self.carry))


def join_depth(count: int) -> int:
    """Registers in `join` of `count` sums."""
    return tree_depth(count)


def join(m: Module, groups: Sequence[Scaled], *, target: Target) -> Scaled:
    """Sum of all groups at the lowest one's scale, neighbours first, a register after every level.

    The upper group's carry goes into the adder; the lowest one's is left over.
    """
    row = sorted(groups, key=lambda group: group.scale)
    while len(row) > 1:
        following = [_joined(m, low, high, target) for low, high in zip(row[::2], row[1::2])]
        if len(row) % 2:
            following.append(row[-1].delayed(m))
        row = following
    return row[0]


def _joined(m: Module, low: Scaled, high: Scaled, target: Target) -> Scaled:
    shift = high.scale - low.scale
    one = high.carry is not None
    bounds = low.term.low + (high.term.low << shift), low.term.high + (high.term.high + one << shift)
    shape, value = range_of(*bounds), low.term.value
    passed = Cat(carry.bit(value, at) for at in range(shift))
    bit = 0 if high.carry is None else high.carry
    upper, width = carry.floored(value, shift), max(1, shape.width - shift)
    total = carry.add(m, upper, high.term.value, width, target=target, carry=bit)
    result = register(m, Cat(passed, total), shape, "joined")
    return Scaled(Term(result, *bounds), low.scale, _held(m, low.carry))


def _held(m: Module, value: Value | None) -> Value | None:
    return None if value is None else register(m, value, name="one")


def join_cost(groups: Sequence[tuple[int, int]], target: Target) -> Resources:
    """Estimate of `join`; groups: (width, scale) of each."""
    row, total = sorted(groups, key=lambda group: group[1]), Resources()
    while len(row) > 1:
        following = []
        for (low, at), (high, scale) in zip(row[::2], row[1::2]):
            upper = max(low - (scale - at), high) + 1
            total += Resources(lut4=target.adder_luts(upper), ff=upper + scale - at)
            following.append((upper + scale - at, at))
        if len(row) % 2:
            total += Resources(ff=row[-1][0])
            following.append(row[-1])
        row = following
    return total
