"""Processing elements: what a weight and an activation of 8 bits make, one class a code.

An element holds the active weight. It takes over the weight at its input in the steps with `swap`, together
with the first activation that the new weight meets. Nothing moves without `step`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cache
from typing import ClassVar

import numpy as np
from amaranth.hdl import C, Cat, EnableInserter, Module, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwgen.hw.leaf import Leaf
from hwgen.hw.product.rows import RowsForm
from hwgen.numeric.ranges import Range
from hwgen.targets import GENERIC, Target
from hwgen.targets.ecp5_mac import LATENCY as MULTIPLIER_LATENCY
from hwgen.targets.ecp5_mac import stepped_multiplier
from hwgen.targets.ice40_mac import HALF_BITS, SUM_BITS, two_elements

BITS = 8  # of an activation, of a weight
INT8 = Range.bits(BITS)


class Code(ABC):
    """What an element computes. product: range of its result."""

    name: ClassVar[str]
    product: ClassVar[Range]

    def __init__(self, target: Target) -> None:
        self.target = target

    @property
    @abstractmethod
    def latency(self) -> int:
        """Steps from an activation to its product: after 2, it is there in the second step after."""

    def multipliers(self, elements: int) -> int:
        """Hard multipliers that a row of `elements` takes, where it may."""
        return 0

    @abstractmethod
    def products(
        self, m: Module, x: Sequence[Value], w: Sequence[Value], *, step: Value, swap: Value, hard: bool
    ) -> list[Value]:
        """A row of elements; hard: in hard multipliers, where `multipliers` names any."""

    def sums(
        self, m: Module, x: Sequence[Value], w: Sequence[Value], before: list[Value] | None, total: Range,
        *, step: Value, swap: Value, hard: bool, last: bool,
    ) -> list[Value]:  # fmt: skip
        """`products` with the partial sums from the row above added (None: above is nothing), a step later.

        total: range of the result. last: not registered, whoever takes the sums has a register of his own.
        """
        result = []
        for column, value in enumerate(self.products(m, x, w, step=step, swap=swap, hard=hard)):
            total_value = Signal(_shape(total), name="total", reset_less=True)
            following = value if before is None else before[column] + value
            if last:
                m.d.comb += total_value.eq(following)
            else:
                with m.If(step):
                    m.d.sync += total_value.eq(following)
            result.append(total_value)
        return result


class Int8(Code):
    """The product of two signed bytes.

    iCE40 UltraPlus: two elements in an SB_MAC16, which also adds as long as sums fit its 16 bits. ECP5: an
    element in a MULT18X18D or, in LUTs, in rows of carry chains (hwgen.hw.product.rows). Else inferred.
    """

    name = "int8"
    product = INT8 * INT8

    @property
    def _paired(self) -> bool:
        return self.target.halves >= HALF_BITS

    @property
    def latency(self) -> int:
        return Element.latency if self.target.instances else Pair.latency

    def multipliers(self, elements: int) -> int:
        if self._paired:
            return elements // 2
        return elements if self.target.dsp else 0

    def products(
        self, m: Module, x: Sequence[Value], w: Sequence[Value], *, step: Value, swap: Value, hard: bool
    ) -> list[Value]:
        result: list[Value] = []
        if self._paired and hard:
            for pair in range(0, len(x), 2):
                result += _pair(m, x[pair : pair + 2], w[pair : pair + 2], None, step, swap, self.target)
        elif self.target.instances:
            for each_x, each_w in zip(x, w):
                y = Signal(signed(self.product.width), name="product")
                leaf = _element_leaf(hard, self.target)
                m.submodules += leaf.instance(x=each_x, w=each_w, step=step, swap=swap, y=y)
                result.append(y)
        else:
            for each_x, each_w in zip(x, w):
                result.append(_inferred(m, each_x, each_w, step, swap, self.latency))
        return result

    def sums(
        self, m: Module, x: Sequence[Value], w: Sequence[Value], before: list[Value] | None, total: Range,
        *, step: Value, swap: Value, hard: bool, last: bool,
    ) -> list[Value]:  # fmt: skip
        if last or not (self._paired and hard) or total.hi - total.lo >> SUM_BITS:
            return super().sums(m, x, w, before, total, step=step, swap=swap, hard=hard, last=last)
        above: list[Value] = list(before) if before else [C(0, SUM_BITS) for _ in x]
        above = [_extended(value, SUM_BITS) for value in above]
        result: list[Value] = []
        for pair in range(0, len(x), 2):
            span = slice(pair, pair + 2)
            bits = _pair(m, x[span], w[span], above[span], step, swap, self.target)
            result += [_widened(each, total) for each in bits]
        return result


class Xnor(Code):
    """Eight products of signs in a byte, summed: a bit is +1 or, 0, -1. 2 * (bits that agree) - 8."""

    name = "xnor"
    product = Range(-BITS, BITS)

    @property
    def latency(self) -> int:
        return 2

    def products(
        self, m: Module, x: Sequence[Value], w: Sequence[Value], *, step: Value, swap: Value, hard: bool
    ) -> list[Value]:
        result: list[Value] = []
        for each_x, each_w in zip(x, w):
            held, active = _operands(m, each_x, each_w, step, swap)
            agree = Signal(range(BITS + 1), name="agree", reset_less=True)
            halves = [(~(held ^ active))[at : at + BITS // 2] for at in (0, BITS // 2)]
            with m.If(step):
                m.d.sync += agree.eq(_count(halves[0]) + _count(halves[1]))
            # 2 * agree - 8: the 4 comes off as gates, agree being 8 at most
            result.append(Cat(C(0, 1), agree[:2], ~agree[2], ~(agree[2] | agree[3])).as_signed())
        return result


CODES: dict[str, type[Code]] = {each.name: each for each in (Int8, Xnor)}


class Element(wiring.Component):
    """y = x * w, `latency` steps later; w as it was in the last step with `swap`. ECP5.

    hard: in a MULT18X18D; else in carry chains. A register before either keeps them apart from what drives
    them. Without target instances (the model) the product is inferred.
    """

    latency = 1 + MULTIPLIER_LATENCY

    def __init__(self, *, hard: bool, target: Target) -> None:
        self.hard, self.target = hard, target
        ports = {"x": In(BITS), "w": In(BITS), "step": In(1), "swap": In(1)}
        super().__init__({**ports, "y": Out(Int8.product.width)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        if not self.target.instances:
            m.d.comb += self.y.eq(_inferred(m, self.x, self.w, self.step, self.swap, self.latency))
            return m
        x, w = _operands(m, self.x, self.w, self.step, self.swap)
        if self.hard:
            m.d.comb += self.y.eq(stepped_multiplier(m, x, w, len(self.y), self.step))
        else:
            m.submodules.rows = EnableInserter(self.step)(rows := _Rows(target=self.target))
            m.d.comb += [rows.x.eq(x), rows.w.eq(w), self.y.eq(rows.y)]
        return m


class _Rows(wiring.Component):
    """y = x * w of two signed bytes in carry chains, as many clocks later as the multiplier takes."""

    def __init__(self, *, target: Target) -> None:
        self.form = RowsForm(np.array([[[INT8.lo], [INT8.hi]]]), value=INT8, target=target)
        assert self.form.latency == MULTIPLIER_LATENCY
        super().__init__({"x": In(signed(BITS)), "w": In(BITS), "y": Out(Int8.product.width)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        (total,) = self.form.build(m, [self.x], self.w)
        m.d.comb += self.y.eq(total.value)
        return m


class Pair(wiring.Component):
    """y_k = x_k * w_k, two elements of iCE40 UltraPlus in one SB_MAC16, two steps later.

    summed: y_k = z_k + x_k * w_k modulo 2^16, three steps later, with z in the step between. Without target
    instances (the model) the same is inferred.
    """

    latency = 2

    def __init__(self, *, summed: bool, target: Target) -> None:
        self.summed, self.target = summed, target
        ports = {f"{name}{k}": In(BITS) for name in "xw" for k in range(2)}
        ports |= {f"z{k}": In(SUM_BITS) for k in range(2)} if summed else {}
        ports |= {f"y{k}": Out(SUM_BITS) for k in range(2)}
        super().__init__({**ports, "step": In(1), "swap": In(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        x, w = (self.x0, self.x1), (self.w0, self.w1)
        z = (self.z0, self.z1) if self.summed else None
        if self.target.halves:
            y = two_elements(m, x=x, w=w, step=self.step, swap=self.swap, before=z)
            m.d.comb += [self.y0.eq(y[0]), self.y1.eq(y[1])]
            return m
        for k, result in enumerate((self.y0, self.y1)):
            product = _inferred(m, x[k], w[k], self.step, self.swap, self.latency)
            if z is None:
                m.d.comb += result.eq(product)
            else:
                total = Signal(SUM_BITS, name="total", reset_less=True)
                with m.If(self.step):
                    m.d.sync += total.eq(z[k] + product)
                m.d.comb += result.eq(total)
        return m


@cache
def _element_leaf(hard: bool, target: Target) -> Leaf:
    hardware, model = (Element(hard=hard, target=family) for family in (target, GENERIC))
    return Leaf(hardware, "element_dsp" if hard else "element_lut", model=model)


@cache
def _pair_leaf(summed: bool, target: Target) -> Leaf:
    hardware, model = (Pair(summed=summed, target=family) for family in (target, GENERIC))
    return Leaf(hardware, "elements_summed" if summed else "elements", model=model)


def _pair(
    m: Module, x: Sequence[Value], w: Sequence[Value], above: Sequence[Value] | None,
    step: Value, swap: Value, target: Target,
) -> list[Value]:  # fmt: skip
    results = {f"y{k}": Signal(signed(SUM_BITS), name="pair") for k in range(2)}
    pins = {f"{name}{k}": values[k] for name, values in (("x", x), ("w", w)) for k in range(2)}
    pins |= {f"z{k}": above[k] for k in range(2)} if above else {}
    leaf = _pair_leaf(above is not None, target)
    m.submodules += leaf.instance(**pins, **results, step=step, swap=swap)
    return list(results.values())


def _operands(m: Module, x: Value, w: Value, step: Value, swap: Value) -> tuple[Signal, Signal]:
    """Registers of the activation and of the active weight."""
    held, active = (Signal(signed(BITS), name=name, reset_less=True) for name in ("held", "active"))
    with m.If(step):
        m.d.sync += held.eq(x)
        with m.If(swap):
            m.d.sync += active.eq(w)
    return held, active


def _inferred(m: Module, x: Value, w: Value, step: Value, swap: Value, latency: int) -> Value:
    held, active = _operands(m, x, w, step, swap)
    value: Value = held * active
    for _ in range(latency - 1):
        product = Signal(signed(Int8.product.width), name="product", reset_less=True)
        with m.If(step):
            m.d.sync += product.eq(value)
        value = product
    return value


def _count(bits: Value) -> Value:
    """How many of four bits are 1; a table of as many LUTs as the count has bits."""
    ones = bits.as_unsigned()
    return (ones[0] + ones[1]) + (ones[2] + ones[3])


def _shape(total: Range) -> object:
    return signed(total.width) if total.signed else total.width


def _extended(value: Value, width: int) -> Value:
    """The lowest `width` bits, sign-extended."""
    return value[:width] if len(value) >= width else Cat(value, value[-1].replicate(width - len(value)))


def _widened(bits: Value, total: Range) -> Value:
    """The number in `total` that is equal to `bits` modulo 2^16, where `total` has no more than 2^16 numbers.

    Where it needs a 17th bit, that is 1 for what begins at the bits of total.lo.
    """
    if total.width <= SUM_BITS:
        return bits[: total.width].as_signed()
    spare = total.lo + (1 << SUM_BITS) - (1 << SUM_BITS - 1)  # above the sign bit's own value
    if spare <= 0 or spare & (spare - 1):
        raise ValueError(f"sums of {total} take more than a gate to widen")
    low = spare.bit_length() - 1
    return Cat(bits, bits[-1] & bits[low:-1].any()).as_signed()
