"""Which bits are added where: plans that count ones with linked carry chains, no hardware yet.

A heap is a list of columns; column j holds bits of weight 2**j. Level by level, *adders* take bits from
neighbouring columns and put fewer back, until one bit a column is left. An adder is a run of carry slots, one
for each column that it spans, and one slot before them that puts a bit of its first column on the carry:

    slot of 2 bits                     the full adder:  2 bits and the carry  ->  1 bit and a carry
    slot of 4 bits, and its spill      (A^B) + (C^D) in column j, then (A&B) + (C&D) in column j + 1

so w slots take at most 2w + 1 bits, give w + 1, and cost w + 1: what a count costs is the bits that vanish,
one slot each, plus one slot for each adder. Four bits in a slot let five bits leave a column with one start
instead of two starts; they need a LUT before the adder (ECP5) and are left out where there is none (iCE40).
Products a ^ w enter in the first level, three to an adder, two of them inside the LUT of one slot; on iCE40
in pairs, as half adders of two LUTs. The slot before an adder also reads the carry that the adder before it
left, hence adders of one level stand in one chain, at no cost but a longer path.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache


@dataclass(frozen=True)
class Wire:
    """The bit with this number, or its complement."""

    number: int
    inverted: bool = False


@dataclass(frozen=True)
class Lane:
    """a ^ w of a lane."""

    number: int


#: A wire, a product of the first level, or the constant 1.
Bit = Wire | Lane | int


@dataclass(frozen=True)
class Adder:
    """Adds `rows` and `carry` from `column` on; each row is 0, 1, 2 or 4 bits of its column.

    The row after one of 4 bits has none: the slot holds the spill. sums: the wire of each row. out: the wire
    of the last carry, or None where it cannot be 1. flip: all bits enter and leave complemented, which a full
    adder does not notice; then neither lanes nor rows of 4 bits are among them.
    """

    column: int
    carry: Bit | None
    rows: tuple[tuple[Bit, ...], ...]
    sums: tuple[int, ...]
    out: int | None
    flip: bool = False

    @property
    def bits(self) -> list[Bit]:
        """All bits that enter."""
        carry = [] if self.carry is None else [self.carry]
        return carry + [bit for row in self.rows for bit in row]


@dataclass(frozen=True)
class Gate:
    """wire = parity of one or two lanes, or their AND."""

    wire: int
    lanes: tuple[int, ...]
    both: bool = False


@dataclass(frozen=True)
class Plan:
    """gates, then adders level by level; result: the bit of each column, or None where it is 0."""

    gates: tuple[Gate, ...]
    levels: tuple[tuple[Adder, ...], ...]
    result: tuple[Bit | None, ...]

    def live_after(self, level: int) -> list[int]:
        """Wires that levels after this one, or the result, read."""
        bits = [bit for adders in self.levels[level + 1 :] for adder in adders for bit in adder.bits]
        made = {gate.wire for gate in self.gates}
        for adders in self.levels[: level + 1]:
            made.update(wire for adder in adders for wire in (*adder.sums, adder.out) if wire is not None)
        wires = {bit.number for bit in (*bits, *self.result) if isinstance(bit, Wire)}
        inputs = wires - self._made()
        return sorted((wires & made) | inputs)

    def _made(self) -> set[int]:
        every = {gate.wire for gate in self.gates}
        for adder in itertools.chain.from_iterable(self.levels):
            every.update(wire for wire in (*adder.sums, adder.out) if wire is not None)
        return every


def chains(adders: Sequence[Adder], longest: int) -> list[list[Adder]]:
    """Adders of one level linked into chains of at most `longest` slots (one adder alone may have more)."""
    result: list[list[Adder]] = []
    used = longest
    for adder in adders:
        size = 1 + len(adder.rows)
        if used + size + (adder.out is not None) > longest:
            result.append([])
            used = 0
        result[-1].append(adder)
        used += size
    return result


def slots(chain: Sequence[Adder]) -> int:
    """Carry slots of a chain: one before each adder, and one that reads the last carry."""
    return sum(1 + len(adder.rows) for adder in chain) + (chain[-1].out is not None)


@dataclass(frozen=True)
class _Policy:
    """How a level is filled. fours: a row takes 4 bits where its column has that many more than the next
    (None: never). least: rows of an adder, except where nothing else would be done."""

    fours: int | None
    least: int


@dataclass
class _Draft:
    """Adders of a level under construction."""

    heap: list[list[Bit]]
    width: int
    wires: Iterator[int]
    adders: list[Adder] = field(default_factory=list)

    def add(self, column: int, policy: _Policy, *, last: bool, least: int, flip: bool) -> bool:
        """One adder from `column` on, as long as the heap allows; False (nothing taken) if under `least`."""
        taken: list[tuple[int, Bit]] = []

        def take(at: int) -> Bit:
            taken.append((at, self.heap[at].pop()))
            return taken[-1][1]

        carry = take(column) if len(self.heap[column]) >= 3 else None
        rows: list[tuple[Bit, ...]] = []
        at = column
        while at < self.width:
            if not last and policy.fours is not None and self._four(at, policy.fours):
                rows += [tuple(take(at) for _ in range(4)), ()]
                at += 2
                continue
            if len(self.heap[at]) < 2 and not (last and any(self.heap[at : self.width])):
                break
            rows.append(tuple(take(at) for _ in range(min(2, len(self.heap[at])))))
            at += 1
        if len(rows) < least:
            for place, bit in reversed(taken):
                self.heap[place].append(bit)
            return False
        sums = tuple(next(self.wires) for _ in rows)
        out = next(self.wires) if at < self.width else None
        self.adders.append(Adder(column, carry, tuple(rows), sums, out, flip))
        return True

    def _four(self, at: int, excess: int) -> bool:
        """Whether a row can take four wires of column `at`; brings them to the end of the column, the two
        that must not be inverted (the last that are popped) before the others."""
        here = self.heap[at]
        if at + 1 >= self.width or len(here) < 4 or len(here) < len(self.heap[at + 1]) + excess:
            return False
        plain: list[int] = []
        rest: list[int] = []
        for place in range(len(here) - 1, -1, -1):
            bit = here[place]
            if isinstance(bit, Wire):
                full = len(plain) == 2
                if bit.inverted or full:
                    rest.append(place)
                else:
                    plain.append(place)
                if len(plain) == 2 and len(rest) >= 2:
                    break
        if len(plain) < 2 or len(rest) < 2:
            return False
        places = [*plain, *rest[:2]]
        bits = [here[place] for place in places]
        for place in sorted(places, reverse=True):
            del here[place]
        here += bits
        return True


def _level(heap: list[list[Bit]], width: int, policy: _Policy, wires: Iterator[int], flip: bool) -> _Draft:
    """One level of adders over a heap that has a column of 2 or more bits."""
    high = [len(bits) for bits in heap]
    lowest = next(column for column in range(width) if high[column] > 1)
    draft = _Draft([list(bits) for bits in heap], width, wires)
    if high[lowest] <= 3 and all(count <= 2 for count in high[lowest + 1 :]):
        draft.add(lowest, policy, last=True, least=1, flip=flip)
        return draft
    for least in sorted({policy.least, 1}, reverse=True):
        column = 0
        while column < width:
            least_here = least if any(draft.heap[column + 1 :]) else 1
            if len(draft.heap[column]) >= 3 and draft.add(
                column, policy, last=False, least=least_here, flip=False
            ):
                continue
            column += 1
        if draft.adders:
            return draft
    # two bits in several columns and three in one of the upper: ripple through what is there
    column = next(column for column in range(width) if high[column] > 1)
    draft.add(column, policy, last=True, least=1, flip=False)
    return draft


def _reduced(
    heap: list[list[Bit]], width: int, policy: _Policy, wires: Iterator[int], flip: bool
) -> tuple[list[tuple[Adder, ...]], tuple[Bit | None, ...]]:
    levels = []
    while any(len(bits) > 1 for bits in heap):
        draft = _level(heap, width, policy, wires, flip)
        levels.append(tuple(draft.adders))
        heap = draft.heap
        for adder in draft.adders:
            for column, wire in enumerate((*adder.sums, adder.out), adder.column):
                if wire is not None:
                    heap[column].append(Wire(wire, adder.flip))
    return levels, tuple(bits[0] if bits else None for bits in heap)


_REGISTER = 0.15  # what a bit that waits a level counts beside a slot when plans are compared


def reduce_heap(
    heap: Sequence[Sequence[Bit]], first_wire: int, *, fours: bool, flip: bool = False
) -> tuple[list[tuple[Adder, ...]], tuple[Bit | None, ...]]:
    """Levels of adders and the result of a heap whose sum fits its columns.

    first_wire: number of the first new wire. flip: the adder that ends it all gives complements.
    """
    policy = _cheapest(tuple(len(bits) for bits in heap), fours)
    columns = [list(bits) for bits in heap]
    return _reduced(columns, len(columns), policy, itertools.count(first_wire), flip)


@cache
def _cheapest(heights: tuple[int, ...], fours: bool) -> _Policy:
    """The policy that gives the cheapest plan for columns of these heights."""
    excesses: tuple[int | None, ...] = (None, -4, 0, 1, 4) if fours else (None,)
    policies = [_Policy(excess, least) for excess in excesses for least in (1, 2, 3)]
    costs = []
    for policy in policies:
        wires = itertools.count()
        heap: list[list[Bit]] = [[Wire(next(wires)) for _ in range(height)] for height in heights]
        levels, _ = _reduced(heap, len(heights), policy, wires, False)
        waiting, cost = sum(heights), 0.0
        for adders in levels:
            cost += sum(1 + len(adder.rows) for adder in adders)
            waiting += sum(len(adder.sums) + (adder.out is not None) - len(adder.bits) for adder in adders)
            cost += _REGISTER * waiting
        costs.append(cost)
    return policies[costs.index(min(costs))]


@cache
def _split(count: int) -> tuple[float, int, int, int]:
    """(cost, n1, n2, carry) of the cheapest tree of adders; LUTs take lanes one by one or in pairs."""
    if count < 3:
        return count, 0, 0, 0
    options = []
    for carry in (1, 0):
        for second in range(max(1, (count - carry) // 4), (count - carry) // 2 + 1):
            first = count - carry - second
            adder = first.bit_length() + 1 + _LEVEL
            options.append((_split(first)[0] + _split(second)[0] + carry + adder, first, second, carry))
    return min(options)


_LEVEL = 0.1  # what an adder counts beside its slots, so that trees of equal cost are not deeper than need be


class _Tree:
    """A tree of adders of two counts and a lane: cheapest where products cost a LUT each anyway."""

    def __init__(self, lanes: int, wires: Iterator[int]) -> None:
        self.wires = wires
        self.lanes = iter(range(lanes))
        self.gates: list[Gate] = []
        self.levels: list[list[Adder]] = []
        self.root, _ = self._count(lanes)

    def _gate(self, lanes: Sequence[int], both: bool = False) -> Wire:
        self.gates.append(Gate(next(self.wires), tuple(lanes), both))
        return Wire(self.gates[-1].wire)

    def _count(self, lanes: int) -> tuple[list[Wire], int]:
        """Bits of the count of that many lanes, and the levels below them."""
        if lanes < 3:
            group = [next(self.lanes) for _ in range(lanes)]
            return [self._gate(group, both) for both in (False, True)[:lanes]], 0
        _, n1, n2, late = _split(lanes)
        (first, below), (second, beside) = self._count(n1), self._count(n2)
        carry = self._gate([next(self.lanes)]) if late else None
        rows = tuple(
            tuple(bit for bit in pair if bit is not None) for pair in itertools.zip_longest(first, second)
        )
        sums = tuple(next(self.wires) for _ in rows)
        out = next(self.wires) if lanes >> len(rows) else None
        level = max(below, beside)
        self.levels += [[] for _ in range(level + 1 - len(self.levels))]
        self.levels[level].append(Adder(0, carry, rows, sums, out))
        return [Wire(wire) for wire in (*sums, out) if wire is not None], level + 1


@cache
def popcount_plan(lanes: int, *, fours: bool, matches: bool) -> Plan:
    """Plan that counts the lanes with a != w, or with a == w (`matches`).

    fours: logic before a slot's adder is free, as on ECP5; else a tree of plain adders.
    Matches are lanes - count: the constant 2**width - 1 - lanes is added, and the sum complemented.
    """
    width = lanes.bit_length()
    wires = itertools.count()
    gates: list[Gate] = []
    first: list[Adder] = []
    heap: list[list[Bit]] = [[] for _ in range(width)]
    if fours:
        for at in range(0, lanes - lanes % 3, 3):
            rows = ((Lane(at), Lane(at + 1)),)
            first.append(Adder(0, Lane(at + 2), rows, (next(wires),), next(wires)))
            for column, wire in enumerate((first[-1].sums[0], first[-1].out)):
                assert wire is not None
                heap[column].append(Wire(wire))
        for lane in range(lanes - lanes % 3, lanes):
            gates.append(Gate(next(wires), (lane,)))
            heap[0].append(Wire(gates[-1].wire))
    else:
        tree = _Tree(lanes, wires)
        gates = tree.gates
        below = [tuple(level) for level in tree.levels]
        for column, bit in enumerate(tree.root):
            heap[column].append(bit)
    if matches:
        for column in range(width):
            if ((1 << width) - 1 - lanes) >> column & 1:
                heap[column].append(1)
    levels, result = reduce_heap(heap, next(wires), fours=fours, flip=matches)
    if fours:
        below = [tuple(first)] if first else []
    if matches:
        result = tuple(_complement(bit) for bit in result)
    return Plan(tuple(gates), tuple(below + levels), result)


def _complement(bit: Bit | None) -> Bit | None:
    if isinstance(bit, Wire):
        return Wire(bit.number, not bit.inverted)
    return 1 if bit is None else None
