"""Popcounts of one word against many constant rows: what rows have in common is computed once.

Column 0. The parity of three bits is the same for all rows, up to a complement that is known now; it goes
back to column 0. Their carry, maj(x ^ s), has four variants, up to a complement again (a majority is
self-dual), and these serve all rows. So n inputs become one bit in column 0 and n / 2 bits in column 1 of
each row, for 2.5 n LUTs in all.
Column 1. Seven inputs give three carries; where few of their 64 combinations occur for the number of rows,
each combination is added once, in two LUTs, for a bit in column 1 and one in column 2.
What then is left of each row, other bits in each row, is added in carry chains (popcount_plan).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from amaranth.hdl import Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwgen.hw.popcount import LONGEST, MAX_LANES, usual_levels
from hwgen.hw.popcount_build import Inputs, build_plan, plan_cost, spaced
from hwgen.hw.popcount_plan import Adder, Bit, Plan, Wire, reduce_heap
from hwgen.targets import Target
from hwgen.targets.resources import Resources

#: LUTs in a row between registers, before the chains.
LUT_LEVELS = 2
#: Slots that a bit costs in a row's chains: one, and a share of what starts an adder and a chain.
_BIT_SLOTS = 1.35


@dataclass(frozen=True)
class _Node:
    """A LUT: parity, majority or conjunction of two or three wires. level: LUTs in a row up to it."""

    kind: str
    inputs: tuple[Wire, ...]
    level: int


@dataclass
class _Shared:
    """LUTs that rows share, each once; inputs 0 .. n-1 are the first wires."""

    count: int
    nodes: dict[int, _Node] = field(default_factory=dict)
    known: dict[tuple[str, tuple[Wire, ...]], int] = field(default_factory=dict)

    def level(self, wire: int) -> int:
        return self.nodes[wire].level if wire in self.nodes else 0

    def _node(self, kind: str, inputs: Sequence[Wire]) -> int:
        key = kind, tuple(sorted(inputs, key=lambda bit: bit.number))
        if key not in self.known:
            wire = self.count + len(self.nodes)
            self.nodes[wire] = _Node(*key, 1 + max(self.level(bit.number) for bit in inputs))
            self.known[key] = wire
        return self.known[key]

    def parity(self, bits: Sequence[Wire]) -> Wire:
        plain = [Wire(bit.number) for bit in bits]
        return Wire(self._node("parity", plain), sum(bit.inverted for bit in bits) % 2 == 1)

    def carry(self, bits: Sequence[Wire]) -> Wire:
        """Whether at least two of two or three bits are 1."""
        if len(bits) == 2:
            return Wire(self._node("and", bits))
        if sum(bit.inverted for bit in bits) < 2:
            return Wire(self._node("majority", bits))
        others = [Wire(bit.number, not bit.inverted) for bit in bits]
        return Wire(self._node("majority", others), True)

    def missing(self, triples: set[tuple[Wire, ...]]) -> int:
        """How many LUTs parities and carries of these triples take."""
        parities = {tuple(sorted(bit.number for bit in each)) for each in triples}
        carries = set()
        for each in triples:
            flip = sum(bit.inverted for bit in each) >= 2
            carries.add(tuple(sorted((bit.number, bit.inverted != flip) for bit in each)))
        return len(parities) + len(carries)


@dataclass(frozen=True)
class _MatrixPlan:
    """nodes: LUTs in the order of their levels; plan: chains of all rows, over inputs and nodes."""

    nodes: dict[int, _Node]
    plan: Plan
    width: int


def _matrix_plan(signs: np.ndarray, fours: bool) -> _MatrixPlan:
    """signs: (rows, n), true where the weight is -1; the rows are different. fours: as in popcount_plan."""
    rows, count = signs.shape
    width = count.bit_length()
    shared = _Shared(count)
    heaps: list[list[list[Bit]]] = [[[] for _ in range(width)] for _ in range(rows)]
    # column 0: for each of its bits, the same wire in all rows, with their complements
    column = [[Wire(at, bool(sign)) for sign in signs[:, at]] for at in range(count)]

    def added(bits: Sequence[list[Wire]]) -> tuple[list[Wire], list[Wire]]:
        each = list(zip(*bits))
        return [shared.parity(row) for row in each], [shared.carry(row) for row in each]

    def put(at: int, bits: Sequence[Wire]) -> None:
        for heap, bit in zip(heaps, bits):
            heap[at].append(bit)

    while len(column) > 1:
        following, left = [], column
        while len(left) >= 7:
            group, left = left[:7], left[7:]
            (first, one), (second, two) = added(group[:3]), added(group[3:6])
            parity, three = added([first, second, group[6]])
            following.append(parity)
            triples = list(zip(one, two, three))
            if shared.missing(set(triples)) < _BIT_SLOTS * rows:
                put(1, [shared.parity(triple) for triple in triples])
                put(2, [shared.carry(triple) for triple in triples])
            else:
                for carries in (one, two, three):
                    put(1, carries)
        while len(left) >= 3 or (len(left) == 2 and not following):
            parity, carries = added(left[:3])
            following.append(parity)
            put(1, carries)
            left = left[3:]
        column = following + left
    put(0, column[0])

    levels: list[list[Adder]] = []
    result: list[Bit | None] = []
    wire = count + len(shared.nodes)
    for heap in heaps:
        own, bits = reduce_heap(heap, wire, fours=fours)
        wire += sum(len(adder.sums) + (adder.out is not None) for adders in own for adder in adders)
        for level, adders in enumerate(own):
            levels += [[] for _ in range(level + 1 - len(levels))]
            levels[level].extend(adders)
        result += bits
    return _MatrixPlan(shared.nodes, Plan((), tuple(map(tuple, levels)), tuple(result)), width)


class ConstantXnorMatrix(wiring.Component):
    """counts[r] = popcount(xnor(a, weights[r] > 0)) for every row.

    weights: integers -1 and 1, (rows, n), n up to 4096. a: n bits. counts: rows * n.bit_length() bits, row 0
    lowest. levels: levels of adders between registers, `usual_levels` if not given; 0: none.
    Latency: `latency` clocks; a new word in every clock; registers have no reset.
    ECP5, LUT4 for each weight: 0.83 for 64 inputs and 16 rows, 0.67 for 64 and 64, 0.70 for 256 and 64; a
    single row has nothing to share and takes 1.7.
    ValueError: other weights than -1 and 1, or no matrix.
    """

    def __init__(
        self, weights: np.ndarray, *, levels: int | None = None, longest: int = LONGEST, target: Target
    ) -> None:
        self.weights = _checked(weights)
        self.levels = usual_levels(target) if levels is None else levels
        self.longest, self.target = longest, target
        self.distinct, self.row_of = np.unique(self.weights < 0, axis=0, return_inverse=True)
        self.plan = _matrix_plan(self.distinct, fours=not target.name.startswith("ice40"))
        self.stages = spaced(len(self.plan.plan.levels), self.levels)
        depth = max((node.level for node in self.plan.nodes.values()), default=0)
        self.shared_stages = -(-max(depth, 1) // LUT_LEVELS) if self.levels else 0
        self.latency = self.shared_stages + len(self.stages)
        rows, count = self.weights.shape
        super().__init__({"a": In(count), "counts": Out(rows * count.bit_length())})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        wires = self._shared(m)
        inputs = Inputs(self.a, self.a, wires)
        found = build_plan(
            m, self.plan.plan, inputs, stages=self.stages, longest=self.longest, target=self.target
        )
        width = self.plan.width
        for row, own in enumerate(self.row_of):
            m.d.comb += self.counts[row * width : (row + 1) * width].eq(
                found[own * width : (own + 1) * width]
            )
        return m

    def _stage(self, wire: int) -> int:
        """Registers between the inputs and the wire."""
        node = self.plan.nodes.get(wire)
        return (node.level - 1) // LUT_LEVELS if node and self.levels else 0

    def _shared(self, m: Module) -> dict[int, Value]:
        """All wires that rows read, at the end of the shared stages."""
        at: dict[tuple[int, int], Value] = {}

        def value(wire: int, stage: int) -> Value:
            if (wire, stage) not in at:
                if stage > self._stage(wire):
                    held = Signal(name="shared", reset_less=True)
                    m.d.sync += held.eq(value(wire, stage - 1))
                    at[wire, stage] = held
                elif wire in self.plan.nodes:
                    node = self.plan.nodes[wire]
                    bits = [(value(bit.number, stage), bit.inverted) for bit in node.inputs]
                    at[wire, stage] = _lut(node.kind, [~bit if flip else bit for bit, flip in bits])
                else:
                    at[wire, stage] = self.a[wire]
            return at[wire, stage]

        return {wire: value(wire, self.shared_stages) for wire in self._read()}

    def _read(self) -> list[int]:
        """Wires of the shared part that chains or results read."""
        bits = itertools.chain(
            self.plan.plan.result,
            *(adder.bits for adders in self.plan.plan.levels for adder in adders),
        )
        limit = self.weights.shape[1] + len(self.plan.nodes)
        return sorted({bit.number for bit in bits if isinstance(bit, Wire) and bit.number < limit})

    def cost(self) -> Resources:
        """LUT4 and flip-flops; near synthesis, which joins some of the shared LUTs."""
        total = plan_cost(self.plan.plan, stages=self.stages, longest=self.longest, target=self.target)
        waits: dict[int, int] = {}
        for wire in self._read():
            waits[wire] = self.shared_stages
        for number, node in self.plan.nodes.items():
            for bit in node.inputs:
                waits[bit.number] = max(waits.get(bit.number, 0), self._stage(number))
        held = sum(max(0, until - self._stage(wire)) for wire, until in waits.items())
        return total + Resources(lut4=len(self.plan.nodes), ff=held)


def matrix_cost(
    weights: np.ndarray, *, levels: int | None = None, longest: int = LONGEST, target: Target
) -> Resources:
    """Estimate of a ConstantXnorMatrix with these arguments."""
    return ConstantXnorMatrix(weights, levels=levels, longest=longest, target=target).cost()


def _lut(kind: str, bits: Sequence[Value]) -> Value:
    if kind == "parity":
        return bits[0] ^ bits[1] ^ bits[2] if len(bits) == 3 else bits[0] ^ bits[1]
    if kind == "and":
        return bits[0] & bits[1]
    a, b, c = bits
    return (a & b) | (c & (a | b))


def _checked(weights: np.ndarray) -> np.ndarray:
    result = np.asarray(weights)
    if result.ndim != 2 or not result.size or not np.isin(result, (-1, 1)).all():
        raise ValueError("xnor matrix: weights must be a matrix of -1 and 1")
    if result.shape[1] > MAX_LANES:
        raise ValueError(f"xnor matrix: {MAX_LANES} inputs at most, not {result.shape[1]}")
    return result
