"""From a sum to an activation: bias, scaling, rounding shift, limits."""

from __future__ import annotations

from amaranth.hdl import C, Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwgen.hw.product.form import register
from hwgen.hw.systolic.heldram import held_ram
from hwgen.hw.systolic.scaling import scaling
from hwgen.program.array import GROUP, Array
from hwgen.program.instructions import BIAS_BITS, MULTIPLIER_BITS, SHIFT_BITS
from hwgen.targets import Target

HALF = 32  # a column's parameters are two such words
FRONT = 2  # clocks from a sum to it with its bias; one more of a steady geometry, to it clipped
BLOCKS = 4  # whose parameters there is room for: those of the next may come while two others are under way
BACK, MORE = 5, 2  # clocks from the scaled sum to the activation; more of them for a steady geometry
REACH = 10  # signed bits that an activation has at most before its zero point is added


class Quantiser(wiring.Component):
    """value = requantised(acc) of hwgen.program.instructions, `latency` clocks later, one a clock.

    Holds the parameters of BLOCKS blocks of GROUP columns: write puts word `write_word` (low and high half of
    column 0, of column 1, ...) of block `write_bank`; it is there for sums of the next clock on, and must not
    be written earlier than `reads` clocks after the last sum that uses it. valid, bank, column, acc: a sum
    and which parameters are meant. output_valid, value: the activation. zero, lo, hi, twice, away: see there;
    constant during a RUN.

    UP5K: 4 SB_RAM40_4K and 1,200 logic cells, no multiplier; see tests/synth/test_systolic_cost.py.
    """

    def __init__(self, *, geometry: Array, target: Target) -> None:
        self.geometry, self.target = geometry, target
        self.scaling = scaling(operand=geometry.operand, multiplier=geometry.multiplier, target=target)
        self.front = FRONT + geometry.steady
        self.latency = self.front + self.scaling.latency + BACK + MORE * geometry.steady
        self.reads = self.front + self.scaling.late
        super().__init__(
            {
                "write": In(1),
                "write_bank": In(range(BLOCKS)),
                "write_word": In(range(2 * GROUP)),
                "write_data": In(HALF),
                "valid": In(1),
                "bank": In(range(BLOCKS)),
                "column": In(range(GROUP)),
                "acc": In(signed(geometry.accumulator)),
                "zero": In(signed(8)),
                "lo": In(signed(8)),
                "hi": In(signed(8)),
                "twice": In(1),
                "away": In(1),
                "output_valid": Out(1),
                "value": Out(8),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        product, bits = self.scaling, self.geometry.operand
        place = Cat(self.column, self.bank)
        high = self._parameters(m, 1, place)
        low = self._parameters(m, 0, _later(m, place, self.front - 1 + product.late))
        spare = MULTIPLIER_BITS + SHIFT_BITS - HALF  # bits of the shift in the high half
        bias = high[spare : spare + BIAS_BITS][: self.geometry.bias].as_signed()
        multiplier = low[: self.geometry.multiplier]

        biased = register(m, register(m, self.acc, name="acc") + bias, name="biased")
        clipped = _later(m, _clipped(biased, bits), self.front - FRONT)
        scaled = product.build(m, clipped, multiplier, self.twice)
        rest = product.latency - product.late  # clocks from the low half to the scaled sum
        upper = _later(m, high[:spare], self.front - 1 + product.late)
        shift = _later(m, Cat(low[MULTIPLIER_BITS:], upper), rest)
        m.d.comb += self.value.eq(self._rounded(m, scaled, shift))

        running = self.valid
        for _ in range(self.latency):
            following = Signal(name="valid")
            m.d.sync += following.eq(running)
            running = following
        m.d.comb += self.output_valid.eq(running)
        return m

    def _parameters(self, m: Module, half: int, place: Value) -> Value:
        """Low or high halves of all columns of all blocks; one clock after `place`."""
        return held_ram(
            m, depth=BLOCKS * GROUP, write_en=self.write & (self.write_word[0] == half),
            write_addr=Cat(self.write_word[1:], self.write_bank), write_data=self.write_data, read_addr=place,
            style="distributed" if self.target.instances else "block", target=self.target,
        )  # fmt: skip

    def _rounded(self, m: Module, q: Value, shift: Value) -> Value:
        """(q + 2^(shift-1) - (q < 0 and away)) >> shift with zero point, within the limits; BACK clocks.

        With the one off already taken off q, what is shifted out last is what the rest must be raised by.
        """
        steady = self.geometry.steady
        less = (q < 0) & self.away & shift.any()
        value: Value = register(m, (q - less)[: len(q) + 1].as_signed(), name="less")
        value = Cat(C(0, 1), value).as_signed()
        held = register(m, shift, name="shift")
        for level in (4, 3, 2):
            value = Mux(held[level], value >> (1 << level), value).as_signed()
        value, held = register(m, value, name="coarse"), register(m, held[:2], name="shift")
        for level in (1, 0):
            value = Mux(held[level], value >> (1 << level), value).as_signed()
        rounds, value = register(m, value[0], name="rounds"), value[1:].as_signed()
        zero, lo, hi = self.zero, self.lo, self.hi
        if steady:
            rounds, value = register(m, rounds, name="rounds"), register(m, value, name="whole")
            zero, lo, hi = (register(m, limit, name="limit") for limit in (zero, lo, hi))
        value = register(m, _clipped(value, REACH), name="fine")
        total = (Cat(C(1, 1), value).as_signed() + Cat(rounds, zero).as_signed()) >> 1
        value = register(m, total[: REACH + 1].as_signed(), name="moved")
        low, high = value < lo, value > hi
        if steady:
            low, high = (
                register(m, (value - lo)[-1], name="below"),
                register(m, (hi - value)[-1], name="above"),
            )
            value = register(m, value, name="compared")
        inside = Mux(low, lo, Mux(high, hi, value))
        return register(m, inside[:8], name="value")


def _clipped(value: Value, bits: int) -> Value:
    """The nearest number of `bits` signed bits."""
    if len(value) <= bits:
        return value.as_signed()
    sign, upper = value[-1], value[bits - 1 :]
    fits = upper.all() | ~upper.any()
    return Mux(fits, value[:bits], Cat((~sign).replicate(bits - 1), sign)).as_signed()


def _later(m: Module, value: Value, clocks: int) -> Value:
    for _ in range(clocks):
        value = register(m, value, name="later")
    return value
