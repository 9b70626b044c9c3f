"""floor((M * d + rounding) / 2^bits of M): the quantiser's product, in adders alone or in hard multipliers.

In adders: d is written in digits of base four of -1 to 2 (the highest of -2 to 2), so that a digit times M is
a multiplexer before an adder. With C = 1 + 4 + 16 + ..., the digits are those of (d below the top two bits) +
C, less one each; the carry out goes to the top. Rows are added lowest first; the two bits that no later row
reaches are cut off, for only the carries out of them count.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from amaranth.hdl import C, Cat, Module, Signal, Value, signed

from hwgen.hw.product.form import register
from hwgen.hw.staircase.multiply import WideProduct
from hwgen.numeric.ranges import Range
from hwgen.targets import Target

ROWS = 3  # adders between two registers; fewer before the first


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
        self.latency = 2 + self.rows // ROWS

    def build(self, m: Module, d: Value, multiplier: Value, half: Value) -> Value:
        low = 2 * (self.rows - 1)
        wide = Cat(d, d[-1])[: low + 2]
        ones = ((1 << low) - 1) // 3
        digits: Value = register(m, Cat((wide[:low] + ones)[: low + 1], wide[low:]), name="digits")
        factor: Value = multiplier
        total: Value = C(0, 1)
        for row in range(self.rows):
            multiple, minus = self._multiple(m, row, digits, factor)
            digits = digits[2:]
            if row % ROWS == ROWS - 1:  # behind the multiplexer, whose cells have registers to spare
                named = {
                    "multiple": multiple,
                    "minus": minus,
                    "partial": total,
                    "factor": factor,
                    "digits": digits,
                }
                held = [register(m, value, name=name) for name, value in named.items()]
                multiple, minus, total, factor, digits = held
            total = self._added(m, row, multiple, minus, total, half)
        q = total[self.multiplier - low :][: self.operand]
        return register(m, q.as_signed(), name="scaled")

    def _multiple(self, m: Module, row: int, digits: Value, factor: Value) -> tuple[Value, Value]:
        """The lowest of `digits` * factor, less one where it is negative; whether it is."""
        width = self.multiplier + 2
        single, double = (Cat(C(0, shift), factor, C(0, width))[:width] for shift in (0, 1))
        multiple, minus = Signal(width, name="multiple"), Signal(name="minus")
        if row < self.rows - 1:
            m.d.comb += minus.eq(digits[:2] == 0)
            with m.Switch(digits[:2]):
                with m.Case(0):
                    m.d.comb += multiple.eq(~single)
                with m.Case(2):
                    m.d.comb += multiple.eq(single)
                with m.Case(3):
                    m.d.comb += multiple.eq(double)
        else:  # -2 to 1, and the carry
            carry, low, high = digits[0], digits[1], digits[2]
            one, two = low ^ carry, ~(low ^ carry) & (high ^ low)
            size = (single & one.replicate(width)) | (double & two.replicate(width))
            m.d.comb += [minus.eq(high & ~(low & carry)), multiple.eq(size ^ minus.replicate(width))]
        return multiple, minus

    def _added(self, m: Module, row: int, multiple: Value, minus: Value, total: Value, half: Value) -> Value:
        """total / 4 + multiple + minus; the first row begins with the rounding instead of a total."""
        result = Signal(signed(len(multiple) + 1), name="row")
        if row == 0:
            m.d.comb += result.eq(multiple.as_signed() + Cat(minus, C(0, self.multiplier - 2), half))
        else:  # the carry comes out of a place below
            below = Cat(minus, total[2:]).as_signed()
            m.d.comb += result.eq((Cat(C(1, 1), multiple).as_signed() + below) >> 1)
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
