"""Sums at different powers of two put together, low bits passing by the adders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from amaranth.hdl import C, Cat, Module, Value

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


def difference_depth(plus: int, minus: int) -> int:
    """Registers in `difference` of so many sums."""
    return max(join_depth(plus), join_depth(minus)) + 1 if minus else join_depth(plus)


def difference(m: Module, plus: Sequence[Scaled], minus: Sequence[Scaled], *, target: Target) -> Term:
    """Sum of `plus` less the sum of `minus`, none of which has a carry; at scale 0."""
    depth = max(join_depth(len(plus)), join_depth(len(minus)))
    wholes = []
    for groups in (plus, minus):
        if not groups:
            nothing = np.zeros(1, dtype=np.int64)
            wholes.append(Term(C(0, 1), nothing, nothing))
            continue
        whole = join(m, groups, target=target)
        for _ in range(depth - join_depth(len(groups)) if minus else 0):
            whole = whole.delayed(m)
        value = Cat(C(0, whole.scale), whole.term.value)
        value = value.as_signed() if whole.term.value.shape().signed else value
        wholes.append(Term(value, whole.term.low << whole.scale, whole.term.high << whole.scale))
    first, second = wholes
    if not minus:
        return first
    bounds = first.low - second.high, first.high - second.low
    shape = range_of(*bounds)
    total = carry.subtract(m, first.value, second.value, shape.width, target=target)
    return Term(register(m, total, shape, "difference"), *bounds)


def difference_cost(
    plus: Sequence[tuple[int, int]], minus: Sequence[tuple[int, int]], target: Target
) -> Resources:
    """Estimate of `difference`; (width, scale) of each sum."""
    total = join_cost(plus, target) + join_cost(minus, target)
    if not minus:
        return total
    width = max(wide + scale for wide, scale in (*plus, *minus))
    late = abs(join_depth(len(plus)) - join_depth(len(minus))) * width
    return total + Resources(lut4=target.adder_luts(width + 1, "subtract"), ff=width + 1 + late)


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
