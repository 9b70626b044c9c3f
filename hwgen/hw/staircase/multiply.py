"""Pipelined product of operands wider than the hard multiplier: partial products and carry chains.

d = rest * 2^p + low (only where d needs more than p + 1 signed bits), M = upper * 2^p + lower, for
multipliers of p + 1 signed bits (18 on ECP5, 16 on iCE40). A rest of one or two bits becomes rows of a carry
chain, else hard multipliers; the sums skip the bits that only pass.
"""

from __future__ import annotations

from math import ceil

from amaranth.hdl import C, Cat, Module, Value

from hwgen.hw import carry
from hwgen.hw.multiply import multiply
from hwgen.hw.product.form import register
from hwgen.hw.stream import shape_of
from hwgen.numeric.ranges import Range
from hwgen.targets import Target
from hwgen.targets.resources import Resources


def signed_digits(value: int) -> list[tuple[int, int]]:
    """(shift, +1 or -1) of the powers of two that add up to `value` > 0, as few as possible (CSD)."""
    digits, shift = [], 0
    while value:
        if value & 1:
            digit = 2 - (value & 3)
            digits.append((shift, digit))
            value -= digit
        value >>= 1
        shift += 1
    return digits


class ConstantProduct:
    """d * M for one M > 0: shifts and carry chains, a register after every level of the tree."""

    def __init__(self, d: Range, multiplier: int, target: Target) -> None:
        if multiplier < 1:
            raise ValueError(f"constant product by {multiplier}")
        self.target = target
        self.digits = signed_digits(multiplier)
        self.shape = d
        self.range = d * multiplier

    @property
    def latency(self) -> int:
        """Clocks from d to the product: 0 for a power of two."""
        return (len(self.digits) - 1).bit_length()

    def cost(self) -> Resources:
        """A chain as wide as its result for each digit but one; its low bits pass where they only pass."""
        width = self.range.width + 1
        adders = len(self.digits) - 1
        return Resources(lut4=adders * width, ff=(adders + self.latency) * width)

    def build(self, m: Module, d: Value, multiplier: Value | None = None) -> Value:
        """The product, `latency` clocks later."""
        terms = [
            (
                Cat(C(0, shift), d).as_signed() if d.shape().signed else Cat(C(0, shift), d),
                shift,
                sign,
                self.shape * (1 << shift),
            )
            for shift, sign in self.digits
        ]
        while len(terms) > 1:
            following = []
            for low, high in zip(terms[::2], terms[1::2]):
                following.append(self._add(m, low, high))
            if len(terms) % 2:
                value, shift, sign, reach = terms[-1]
                following.append((register(m, value), shift, sign, reach))
            terms = following
        value, _, sign, reach = terms[0]
        assert sign > 0  # the highest digit of a positive number
        return value

    def _add(self, m: Module, low: _Term, high: _Term) -> _Term:
        """high +- low with the sign of `high`; bits below high's lowest one only pass, unless negated."""
        (a, a_shift, a_sign, a_reach), (b, b_shift, b_sign, b_reach) = low, high
        same = a_sign == b_sign
        reach = b_reach + a_reach if same else b_reach - a_reach
        shape = shape_of(reach)
        if same:
            cut = b_shift
            total = carry.add(
                m, carry.floored(a, cut), carry.floored(b, cut), shape.width - cut, target=self.target
            )
            whole = Cat(*(carry.bit(a, i) for i in range(cut)), total)
        else:
            cut = a_shift
            total = carry.subtract(
                m, carry.floored(b, cut), carry.floored(a, cut), shape.width - cut, target=self.target
            )
            whole = Cat(C(0, cut), total)
        return register(m, whole, reach, name="sum"), a_shift, b_sign, reach


_Term = tuple[Value, int, int, Range]


class WideProduct:
    """d * M for d in `d` and M in `multiplier` (M >= 0). latency: 2, and 1 for each level of sums.

    rows: d has one or two bits more than an operand. wide: it has even more, and its upper part takes hard
    multipliers too. Raises ValueError where d or M is wider than 2p bits.
    """

    def __init__(self, d: Range, multiplier: Range, target: Target) -> None:
        self.d, self.multiplier, self.target = d, multiplier, target
        self.part = target.operand - 1
        self.chunks = ceil(multiplier.width / self.part)
        spare = max(0, d.width + (not d.signed) - target.operand)
        self.rows = 0 < spare <= 2 - d.signed
        self.wide = spare > 2 - d.signed
        if multiplier.lo < 0 or self.chunks > 2 or spare > self.part - 1:
            raise ValueError(f"product of {d} and {multiplier} is too wide")
        self.range = d * multiplier

    @property
    def latency(self) -> int:
        """Clocks from the operands to the product."""
        return 2 + (self.chunks > 1) + (self.rows or self.wide) + (self.wide and self.chunks > 1)

    def cost(self) -> Resources:
        """Hard multipliers, sums, and the registers beside them."""
        low = min(self.d.width, self.part + self.d.signed)
        upper = max(0, self.multiplier.width - self.part) + low
        lut = (self.chunks > 1) * (upper + 1)
        ff, late = (self.chunks > 1) * upper, (self.chunks > 1) * self.part
        if self.rows:
            row = self.multiplier.width + 3
            masks = self.target.adder_luts(row, "subtract_rows") - self.target.adder_luts(row)
            lut, ff, late = lut + 2 * row + masks, ff + 2 * row, late + row + upper
        elif self.wide:
            width = self.range.width - self.part
            lut, ff, late = lut + 2 * width, ff + 2 * width, late + 2 * self.part
        dsp = self.chunks * (1 + self.wide)
        return Resources(lut4=lut, ff=ff, dsp=dsp) + self.target.delay(late)

    def build(self, m: Module, d: Value, multiplier: Value) -> Value:
        """The product, `latency` clocks later, as a signed value."""
        parts = [multiplier[at : at + self.part] for at in range(0, len(multiplier), self.part)]
        if not (self.rows or self.wide):
            return self._shifted_sum(m, *self._products(m, d, parts))
        lower = self._products(m, d[: self.part], parts)
        rest = d[self.part :].as_signed() if self.d.signed else d[self.part :]
        if self.rows:
            lower[-1], passed = self._plus(m, lower[-1], self._rows(m, rest, multiplier), self.chunks == 1)
            if passed is not None:
                return Cat(passed, lower[-1]).as_signed()
            return self._shifted_sum(m, register(m, lower[0]), lower[1])
        upper = self._products(m, rest, parts)
        if self.chunks == 1:
            return self._shifted_sum(m, lower[0], upper[0])
        # lower[0] + (lower[1] + upper[0]) * 2^p + upper[1] * 2^2p
        cross, _ = self._plus(m, lower[1], upper[0], False)
        cross = self._shifted_sum(m, cross, register(m, upper[1]))
        return self._shifted_sum(m, register(m, register(m, lower[0])), cross)

    def _products(self, m: Module, d: Value, parts: list[Value]) -> list[Value]:
        width = len(d) + (not d.shape().signed)
        return [multiply(m, d, part, width + len(part), target=self.target) for part in parts]

    def _shifted_sum(self, m: Module, low: Value, high: Value | None = None) -> Value:
        """low + high * 2^p, registered; low alone passes."""
        if high is None:
            return low
        width = max(len(low) - self.part, len(high)) + 1
        width = min(width, shape_of(self.range).width + 1 - self.part)
        total = carry.add(m, carry.floored(low, self.part), high, width, target=self.target)
        return Cat(register(m, low[: self.part]), register(m, total)).as_signed()

    def _plus(self, m: Module, a: Value, b: Value, cut: bool) -> tuple[Value, Value | None]:
        """a + b, or with `cut` (a >> p) + b and the bits that pass; registered."""
        base = carry.floored(a, self.part) if cut else a
        width = min(max(len(base), len(b)) + 1, shape_of(self.range).width + 1 - self.part)
        total = register(m, carry.add(m, base, b, width, target=self.target))
        return total, register(m, a[: self.part]) if cut else None

    def _rows(self, m: Module, high: Value, multiplier: Value) -> Value:
        """(the one or two bits of d from bit p) * M, two clocks later; a sign counts -2."""
        held, m_held = register(m, high), register(m, multiplier)
        if len(held) == 1:
            return register(m, Cat(bit & held[0] for bit in m_held))
        rows = carry.subtract_rows if self.d.signed else carry.add_rows
        double, width = Cat(C(0, 1), m_held), len(multiplier) + 3
        return register(m, rows(m, m_held, held[0], double, held[1], width, target=self.target))
