"""Scaling unit: a stream of pixels times a stream of one number a pixel."""

from __future__ import annotations

import numpy as np
from amaranth.hdl import Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwgen.hw.outqueue import OutQueue
from hwgen.hw.product import DspForm, GenericForm, ProductForm, RowsForm
from hwgen.hw.staircase import StaircaseUnit
from hwgen.hw.stream import lanes_stream
from hwgen.numeric.ranges import Range
from hwgen.targets import Target
from hwgen.targets.resources import Resources

FORMS: dict[str, type[ProductForm]] = {form.name: form for form in (DspForm, RowsForm, GenericForm)}
"""Product forms that take any second factor, one lane of which is a multiplier of two variables."""


class ScaleUnit(wiring.Component):
    """o[c] = activation(a[c] * b) for the `channels` values of every pixel.

    a: stream of `lanes` values a beat. b: stream of one value a pixel, taken with its last beat of a. o:
    stream of `lanes` values in `out`. form: multiplier, whose weight is b. activation: StaircaseUnit of the
    products, or None. A beat a clock, `latency` clocks and two through an empty queue; the pipeline runs
    freely and a beat enters only when the queue has room for it. Errors: ValueError where lanes do not divide
    channels, b can be negative, or the ranges do not fit the form.
    """

    def __init__(
        self,
        *,
        a: Range,
        b: Range,
        channels: int,
        lanes: int,
        form: type[ProductForm],
        activation: StaircaseUnit | None,
        out: Range,
        target: Target,
    ) -> None:
        if channels % lanes:
            raise ValueError(f"scale: {lanes} lanes must divide {channels} channels")
        if b.signed:
            raise ValueError(f"scale: factors must not be negative, not {b}")
        self.beats, self.lanes, self.activation, self.out = channels // lanes, lanes, activation, out
        ends = Range.bits(b.width, signed=False)  # forms look at each bit of their weights
        self.form = form(np.array([[[ends.lo], [ends.hi]]]), value=a, target=target)
        self.latency = self.form.latency + (activation.latency if activation else 0)
        super().__init__(
            {
                "a": In(lanes_stream(a, lanes)),
                "b": In(lanes_stream(b, 1)),
                "o": Out(lanes_stream(out, lanes)),
            }
        )

    @property
    def depth(self) -> int:
        """Words of the queue: those in the pipeline, those on the way to it and back."""
        return self.latency + 6

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.queue = queue = OutQueue(shape=self.out, lanes=self.lanes, depth=self.depth)
        wiring.connect(m, queue.o, wiring.flipped(self.o))
        enter, started, last = Signal(), Signal(), Signal()
        m.d.comb += [
            enter.eq(self.a.valid & self.b.valid & queue.permit),
            self.a.ready.eq(enter),
            self.b.ready.eq(enter & last),
            queue.start.eq(started),
        ]
        m.d.sync += started.eq(enter)
        left = Signal(range(self.beats), init=self.beats - 1)
        m.d.comb += last.eq(left == 0)
        with m.If(enter):
            m.d.sync += left.eq(left - 1)
            with m.If(last):
                m.d.sync += left.eq(self.beats - 1)
        valid: Value = enter
        for _ in range(self.form.latency):
            late = Signal(name="valid")
            m.d.sync += late.eq(valid)
            valid = late
        word = Value.cast(self.b.payload)
        products = []
        for lane in range(self.lanes):
            (product,) = self.form.build(m, [self.a.payload[lane]], word)
            products.append(product.value)
        entry = self.activation.i if self.activation else queue.i
        m.d.comb += [entry.valid.eq(valid), entry.first.eq(1), entry.last.eq(1)]
        m.d.comb += [entry.payload[lane].eq(product) for lane, product in enumerate(products)]
        if self.activation is not None:
            m.submodules.activation = self.activation
            wiring.connect(m, self.activation.o, queue.i)
        return m


def scale_cost(
    form: type[ProductForm], *, a: Range, b: Range, lanes: int, out: Range, target: Target
) -> Resources:
    """Estimate of a ScaleUnit without its activation."""
    levels = 0, Range.bits(b.width, signed=False).hi
    product = a * b
    each = form.cost(1, levels, a, product, target=target)
    sums = target.adder_luts(product.width, "accumulate")  # there is no accumulator
    each = Resources(lut4=max(each.lut4 - sums, 0), ff=max(each.ff - product.width, 0), dsp=each.dsp)
    bits = out.width * lanes
    return each * lanes + target.small_ram(bits, 16) + Resources(lut4=30, ff=bits + 35)
