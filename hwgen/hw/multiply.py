"""One product or two with registers on both sides: a hard multiplier as a shared module with a fast model."""

from __future__ import annotations

from functools import cache

from amaranth.hdl import Module, Shape, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwgen.hw.leaf import Leaf
from hwgen.targets import GENERIC, Target
from hwgen.targets.base import Pair


class Multiplier(wiring.Component):
    """y(t + 2) = a(t) * b(t) modulo 2**width; the ports are plain bits, read as the shapes a and b."""

    latency = 2

    def __init__(self, a: Shape, b: Shape, width: int, *, target: Target) -> None:
        self.width, self.target, self.shapes = width, target, (a, b)
        super().__init__({"a": In(a.width), "b": In(b.width), "y": Out(width)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        a, b = (
            value.as_signed() if shape.signed else value
            for value, shape in zip((self.a, self.b), self.shapes)
        )
        m.d.comb += self.y.eq(self.target.product(m, a, b, self.width))
        return m


@cache
def multiplier_leaf(a: Shape, b: Shape, width: int, target: Target) -> Leaf:
    """The shared module of a multiplier on a target with such a primitive."""
    hardware, model = (Multiplier(a, b, width, target=family) for family in (target, GENERIC))
    return Leaf(hardware, f"product_{a.width}x{b.width}", model=model)


def multiply(m: Module, a: Value, b: Value, width: int, *, target: Target) -> Value:
    """a * b, two clocks later, modulo 2**`width`."""
    y = Signal(signed(width), name="product")
    if target.dsp:
        m.submodules += multiplier_leaf(a.shape(), b.shape(), width, target).instance(a=a, b=b, y=y)
    else:
        m.submodules += (multiplier := Multiplier(a.shape(), b.shape(), width, target=target))
        m.d.comb += [multiplier.a.eq(a), multiplier.b.eq(b), y.eq(multiplier.y)]
    return y


class TwoProducts(wiring.Component):
    """y0(t + 2) = a0(t) * b0(t), y1(t + 2) = a1(t) * b1(t); total: only y1(t + 3) = a0 b0 + a1 b1.

    All modulo 2**width; the ports are plain bits, read as the shapes a (a0 and a1) and b.
    """

    def __init__(self, a: Shape, b: Shape, width: int, *, total: bool, target: Target) -> None:
        self.width, self.total, self.target, self.shapes = width, total, target, (a, b)
        ports = {"a0": In(a.width), "a1": In(a.width), "b0": In(b.width), "b1": In(b.width)}
        super().__init__(ports | {"y1": Out(width)} | ({} if total else {"y0": Out(width)}))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        pairs = ((self.a0, self.a1), (self.b0, self.b1))
        (a0, a1), (b0, b1) = (
            [value.as_signed() if shape.signed else value for value in pair]
            for pair, shape in zip(pairs, self.shapes)
        )
        if self.total:
            m.d.comb += self.y1.eq(self.target.product_sum(m, (a0, a1), (b0, b1), self.width))
        else:
            first, second = self.target.two_products(m, (a0, a1), (b0, b1), self.width)
            m.d.comb += [self.y0.eq(first), self.y1.eq(second)]
        return m


@cache
def two_products_leaf(a: Shape, b: Shape, width: int, total: bool, target: Target) -> Leaf:
    """The shared module of a multiplier that does two products."""
    hardware, model = (TwoProducts(a, b, width, total=total, target=family) for family in (target, GENERIC))
    return Leaf(hardware, f"two_products_{a.width}x{b.width}", model=model)


def multiply_two(
    m: Module, a: Pair, b: Pair, width: int, *, total: bool = False, target: Target
) -> list[Signal]:
    """a[0] * b[0] and a[1] * b[1], two clocks later, or, `total`, their sum, three clocks later."""
    results = {name: Signal(signed(width), name=name) for name in (["y1"] if total else ["y0", "y1"])}
    shapes, pins = (a[0].shape(), b[0].shape()), {"a0": a[0], "a1": a[1], "b0": b[0], "b1": b[1]}
    if target.halves:
        m.submodules += two_products_leaf(*shapes, width, total, target).instance(**pins, **results)
    else:
        m.submodules += (unit := TwoProducts(*shapes, width, total=total, target=target))
        m.d.comb += [getattr(unit, name).eq(value) for name, value in pins.items()]
        m.d.comb += [value.eq(getattr(unit, name)) for name, value in results.items()]
    return list(results.values())
