"""floor((M * d + rounding) / 2^bits of M): the quantiser's product, in adders alone or in hard multipliers.

In adders: d is written in digits of base four of -1 to 2 (the highest of -2 to 2), so that a digit times M is
a multiplexer before an adder. With C = 1 + 4 + 16 + ..., the digits are those of (d below the top two bits) +
C, less one each; the carry out goes to the top. Rows are added lowest first; the two bits that no later row
reaches are cut off, for only the carries out of them count.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from amaranth.hdl import C, Cat, Module, Mux, Signal, Value, signed

from hwgen.hw.product.form import register
from hwgen.hw.staircase.multiply import WideProduct
from hwgen.numeric.ranges import Range
from hwgen.targets import Target

ROWS = 3  # adders between two registers


class Scaling(ABC):
    """d: signed bits; multiplier: unsigned bits. latency: clocks from d. late: clocks from d to its M."""

    latency: int
    late: int

    def __init__(self, *, operand: int, multiplier: int, target: Target) -> None:
        self.operand, self.multiplier, self.target = operand, multiplier, target

    @abstractmethod
    def build(self, m: Module, d: Value, multiplier: Value, half: Value) -> Value:
        """floor((M * d + half * 2^(bits of M - 1)) / 2^(bits of M)), `operand` signed bits, registered.

        half: one bit, constant.
        """


class Digits(Scaling):
    """A row of multiplexers and one of adders for every two bits of d."""

    late = 1

    def __init__(self, *, operand: int, multiplier: int, target: Target) -> None:
        super().__init__(operand=operand, multiplier=multiplier, target=target)
        self.rows = (operand + 1) // 2
        if multiplier < 2 * self.rows or operand < 4:
            raise ValueError(f"no scaling of {operand} bits by {multiplier}")
        self.latency = 1 - (-self.rows // ROWS)

    def build(self, m: Module, d: Value, multiplier: Value, half: Value) -> Value:
        low = 2 * (self.rows - 1)
        wide = Cat(d, d[-1])[: low + 2]
        ones = ((1 << low) - 1) // 3
        digits: Value = register(m, Cat((wide[:low] + ones)[: low + 1], wide[low:]), name="digits")
        factor: Value = multiplier
        total: Value = C(0, 1)
        for row in range(self.rows):
            total = self._row(m, row, digits, factor, total, half)
            digits = digits[2:]
            if row == self.rows - 1:
                break
            if row % ROWS == ROWS - 1:
                total, factor, digits = (
                    register(m, value, name=name)
                    for value, name in ((total, "partial"), (factor, "factor"), (digits, "digits"))
                )
        q = total[self.multiplier - low :][: self.operand]
        return register(m, q.as_signed(), name="scaled")

    def _row(self, m: Module, row: int, digits: Value, factor: Value, total: Value, half: Value) -> Value:
        """total / 4 + the lowest of `digits` * factor."""
        width = self.multiplier + 3
        single, double = (Cat(C(0, shift), factor, C(0, width))[: width - 1] for shift in (0, 1))
        multiple, minus = Signal(width - 1, name="multiple"), Signal(name="minus")
        if row < self.rows - 1:
            m.d.comb += minus.eq(digits[:2] == 0)
            with m.Switch(digits[:2]):
                with m.Case(0):
                    m.d.comb += multiple.eq(~single)
                with m.Case(2):
                    m.d.comb += multiple.eq(single)
                with m.Case(3):
                    m.d.comb += multiple.eq(double)
        else:
            carry, top = digits[0], digits[1:3]
            size = Signal(2, name="size")  # 1: single, 2: double, 0: nothing
            # -2..1 + carry
            m.d.comb += [
                minus.eq(top[1] & ~(top[0] & carry)),
                size.eq(Mux(top[0] ^ carry, 1, Mux((top[1] ^ top[0]), 2, 0))),
                multiple.eq(
                    ((single & size[0].replicate(width - 1)) | (double & size[1].replicate(width - 1)))
                    ^ minus.replicate(width - 1)
                ),
            ]
        if row == 0:
            rest, carry_in = Cat(minus, C(0, self.multiplier - 2), half).as_unsigned(), None
        else:
            rest, carry_in = total.as_signed()[2:].as_signed(), minus
        result = Signal(signed(width), name="row")
        if carry_in is None:
            m.d.comb += result.eq(multiple.as_signed() + rest)
        else:  # the carry comes out of a place below
            m.d.comb += result.eq((Cat(C(1, 1), multiple).as_signed() + Cat(carry_in, rest).as_signed()) >> 1)
        return result


class Multiplied(Scaling):
    """The whole product in hard multipliers, then the rounding."""

    late = 0

    def __init__(self, *, operand: int, multiplier: int, target: Target) -> None:
        super().__init__(operand=operand, multiplier=multiplier, target=target)
        self.product = WideProduct(Range.bits(operand), Range.bits(multiplier, signed=False), target)
        self.latency = self.product.latency + 1

    def build(self, m: Module, d: Value, multiplier: Value, half: Value) -> Value:
        product = self.product.build(m, d, multiplier)
        # as 2 * (product >> bits) + the bit below, + half, / 2
        rounded = (product[self.multiplier - 1 :].as_signed() + Cat(half, C(0, 1)).as_signed()) >> 1
        return register(m, rounded[: self.operand].as_signed(), name="scaled")


def scaling(*, operand: int, multiplier: int, target: Target) -> Scaling:
    """What suits the family: multipliers are the array's own where there are few."""
    kind = Multiplied if target.instances else Digits
    return kind(operand=operand, multiplier=multiplier, target=target)
