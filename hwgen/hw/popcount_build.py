"""Hardware of plans (popcount_plan): carry slots of the ECP5, or long additions that any synthesis maps.

An addition does the work of a linked chain where carries are inferred: the operands of all its adders stand
side by side, and the bit that starts an adder is in both operands, so that bit + bit + carry puts it on the
carry and shows the carry that came. Yosys makes one carry cell and one LUT of each column of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from amaranth.hdl import C, Cat, Module, Signal, Value

from hwgen.hw.popcount_plan import Adder, Bit, Gate, Lane, Plan, Wire, chains, slots
from hwgen.targets import Target
from hwgen.targets.ecp5 import CARRY_ONE, CARRY_ZERO, Slot, carry_chain, truth_table
from hwgen.targets.resources import Resources


@dataclass(frozen=True)
class Inputs:
    """a and w of all lanes; values of wires that come from elsewhere, by number.

    both: a lane's product is a & w instead of a ^ w.
    """

    a: Value
    w: Value
    wires: Mapping[int, Value]
    both: bool = False

    def product(self, lane: int) -> Value:
        """Of one lane, as an expression."""
        return self.a[lane] & self.w[lane] if self.both else self.a[lane] ^ self.w[lane]


def spaced(depth: int, levels: int) -> tuple[int, ...]:
    """Which of `depth` levels a register follows: the last, and others at even distances of `levels` or less.

    levels: 0 for no register at all. ValueError: negative.
    """
    if levels < 0:
        raise ValueError(f"popcount: levels between registers must not be negative, not {levels}")
    count = -(-depth // levels) if levels else 0
    return tuple((stage + 1) * depth // count - 1 for stage in range(count))


def build_plan(
    m: Module, plan: Plan, inputs: Inputs, *, stages: Sequence[int], longest: int, target: Target
) -> Value:
    """The result's bits. stages: levels behind which registers stand, the last level's too if the result is
    to be held; they count in latency. longest: slots of a chain."""
    known = dict(inputs.wires)
    for gate in plan.gates:
        known[gate.wire] = _gate(gate, inputs)
    for level, adders in enumerate(plan.levels):
        for chain in chains(adders, longest):
            known |= (_slots if target.instances else _addition)(m, chain, inputs, known)
        if level in stages:
            known = {wire: _held(m, known[wire]) for wire in plan.live_after(level)}
    if not plan.levels and 0 in stages:
        known = {wire: _held(m, value) for wire, value in known.items()}
    return Cat(_value(bit, inputs, known) for bit in plan.result)


def plan_cost(plan: Plan, *, stages: Sequence[int], longest: int, target: Target) -> Resources:
    """LUT4 sites and flip-flops of `build_plan`: exact for gates, slots and registers."""
    pair = 2 if target.instances else 1
    every = [slots(chain) for adders in plan.levels for chain in chains(adders, longest)]
    luts = sum(-(-size // pair) * pair for size in every) + len(plan.gates)
    complemented = len({bit.number for bit in plan.result if isinstance(bit, Wire) and bit.inverted})
    held = sum(len(plan.live_after(level)) for level in stages if plan.levels or level == 0)
    return Resources(lut4=luts + complemented, ff=held)


def _held(m: Module, value: Value) -> Signal:
    held = Signal(name="held", reset_less=True)
    m.d.sync += held.eq(value)
    return held


def _gate(gate: Gate, inputs: Inputs) -> Value:
    differ = [inputs.product(lane) for lane in gate.lanes]
    if len(differ) == 1:
        return differ[0]
    return differ[0] & differ[1] if gate.both else differ[0] ^ differ[1]


def _value(bit: Bit | None, inputs: Inputs, known: Mapping[int, Value]) -> Value:
    """The bit as a plain expression of one bit."""
    if bit is None:
        return C(0, 1)
    if isinstance(bit, Lane):
        return inputs.product(bit.number)
    if isinstance(bit, Wire):
        value = known[bit.number]
        return ~value if bit.inverted else value
    return C(1, 1)


def _named(chain: Sequence[Adder], total: Value) -> dict[int, Value]:
    """The wires of a chain's sum bits; bit 0 of the first adder's first row is bit 0 of `total`."""
    known, at = {}, 0
    for adder in chain:
        for wire in (*adder.sums, adder.out):
            if wire is not None:
                known[wire] = total[at]
            at += 1
    return known


def _addition(
    m: Module, chain: Sequence[Adder], inputs: Inputs, known: Mapping[int, Value]
) -> dict[int, Value]:
    left: list[Value] = []
    right: list[Value] = []
    for adder in chain:

        def operand(bit: Bit | None, flip: bool = adder.flip) -> Value:
            value = _value(bit, inputs, known)
            return ~value if flip else value

        start = operand(adder.carry)
        left.append(start)
        right.append(start)
        spill: tuple[Value, Value] | None = None
        for row in adder.rows:
            if len(row) == 4:
                a, b, c, d = (operand(bit) for bit in row)
                pair, spill = (a ^ b, c ^ d), (a & b, c & d)
            elif spill is not None:
                pair, spill = spill, None
            else:
                pair = operand(row[0] if row else None), operand(row[1] if len(row) > 1 else None)
            left.append(pair[0])
            right.append(pair[1])
    total = Signal(len(left) + 1, name="chain")
    m.d.comb += total.eq(Cat(left) + Cat(right))
    return _named(chain, total[1:])


def _slots(m: Module, chain: Sequence[Adder], inputs: Inputs, known: Mapping[int, Value]) -> dict[int, Value]:
    slots_of = [slot for adder in chain for slot in _adder_slots(adder, inputs, known)]
    if chain[-1].out is not None:
        slots_of.append(CARRY_ZERO)
    return _named(chain, carry_chain(m, slots_of[1:], slots_of[0]))


def _adder_slots(adder: Adder, inputs: Inputs, known: Mapping[int, Value]) -> list[Slot]:
    result = [_start(adder.carry, adder.flip, inputs, known)]
    spill: Slot | None = None
    for row in adder.rows:
        if spill is not None:
            result.append(spill)
            spill = None
        elif len(row) == 4:
            own, spill = _four(row, known)
            result.append(own)
        else:
            result.append(_two(row, adder.flip, inputs, known))
    return result


def _start(bit: Bit | None, flip: bool, inputs: Inputs, known: Mapping[int, Value]) -> Slot:
    """A slot that shows the carry and sets the next one, from A and B alone."""
    if isinstance(bit, Lane):
        one = 0x0008 if inputs.both else 0x0006
        return Slot(one ^ 0x000F if flip else one, a=inputs.a[bit.number], b=inputs.w[bit.number])
    if isinstance(bit, Wire):
        return Slot(0x0005 if bit.inverted != flip else 0x000A, a=known[bit.number])
    return CARRY_ONE if (bit is not None) != flip else CARRY_ZERO


def _two(row: Sequence[Bit], flip: bool, inputs: Inputs, known: Mapping[int, Value]) -> Slot:
    """A slot that adds up to two bits."""
    if all(isinstance(bit, Lane) for bit in row) and len(row) == 2:
        pins = [source[bit.number] for bit in row if isinstance(bit, Lane) for source in (inputs.a, inputs.w)]
        return Slot(truth_table(lambda a, b, c, d: (a & b) ^ (c & d)) if inputs.both else 0x6996, *pins)
    pins, offsets = [], []
    for bit in (*row, None, None)[:2]:
        constant = not isinstance(bit, Wire)
        pins.append(C(0, 1) if not isinstance(bit, Wire) else known[bit.number])
        offsets.append(flip != (bit is not None if constant else isinstance(bit, Wire) and bit.inverted))
    p, q = offsets
    return Slot(truth_table(lambda a, b, c, d: (a ^ p) ^ (b ^ q) if d else a ^ p), pins[0], pins[1])


def _four(row: Sequence[Bit], known: Mapping[int, Value]) -> tuple[Slot, Slot]:
    """(A^B) + (C^D), and its spill (A&B) + (C&D). With C = D = 0 both are their first term, as they must."""
    wires = [bit for bit in row if isinstance(bit, Wire)]
    p, q = (wire.inverted for wire in wires[:2])
    pins = [known[wire.number] for wire in wires]
    return (
        Slot(truth_table(lambda a, b, c, d: a ^ p ^ b ^ q ^ c ^ d), *pins),
        Slot(truth_table(lambda a, b, c, d: ((a ^ p) & (b ^ q)) ^ (c & d)), *pins),
    )
