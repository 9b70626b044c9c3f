"""One product with registers on both sides: the hard multiplier as a shared module with a fast model."""

from __future__ import annotations

from functools import cache

from amaranth.hdl import Module, Shape, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwgen.hw.leaf import Leaf
from hwgen.targets import GENERIC, Target


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
