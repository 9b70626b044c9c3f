"""Reducer: sum of absolute values over the lanes and words of a group."""

from __future__ import annotations

import numpy as np
from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwgen.hw.flow import FlowSignature
from hwgen.hw.product.form import Term, register, sum_tree, tree_cost, tree_depth
from hwgen.hw.stream import lanes_layout, shape_of
from hwgen.numeric.ranges import Range
from hwgen.targets import Target
from hwgen.targets.resources import Resources


class AbsSumReducer(wiring.Component):
    """o = sum over a group's words and their `lanes` values of |i - zero|; a word a clock, gaps are free.

    value: range of i. total: range of o, which every partial sum is in. Latency: 2 + log2(lanes) clocks from
    a group's last word. Cost: two adders a lane, one where i - zero has no sign.
    """

    def __init__(self, *, value: Range, zero: int, lanes: int, total: Range, target: Target) -> None:
        if lanes < 1:
            raise ValueError(f"abssum: needs at least 1 lane, not {lanes}")
        self.value, self.zero, self.lanes, self.total, self.target = value, zero, lanes, total, target
        self.latency = 2 + tree_depth(lanes)
        super().__init__(
            {
                "i": In(FlowSignature(lanes_layout(value, lanes))),
                "o": Out(FlowSignature(lanes_layout(total, 1))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        most = magnitude(self.value, self.zero)
        bounds = np.array([0]), np.array([most.hi])
        terms = []
        for lane in range(self.lanes):
            apart = self.i.payload[lane] - self.zero
            terms.append(Term(register(m, Mux(apart < 0, -apart, apart)[: most.width], most), *bounds))
        root, _ = sum_tree(m, terms, target=self.target)
        valid: Value = self.i.valid
        first: Value = self.i.first
        last: Value = self.i.last
        for _ in range(self.latency - 1):
            late = Signal(name="valid")
            m.d.sync += late.eq(valid)
            valid, first, last = late, register(m, first, name="first"), register(m, last, name="last")
        running = Signal(shape_of(self.total), reset_less=True)
        with m.If(valid):
            m.d.sync += running.eq(Mux(first, 0, running) + root.value)
        m.d.sync += self.o.valid.eq(valid & last)
        m.d.comb += [self.o.payload[0].eq(running), self.o.first.eq(1), self.o.last.eq(1)]
        return m


def magnitude(value: Range, zero: int) -> Range:
    """Range of |x - zero|, from 0 on."""
    return Range(0, max(abs(value.lo - zero), abs(value.hi - zero)))


def abssum_cost(*, value: Range, zero: int, lanes: int, width: int, target: Target) -> Resources:
    """Estimate of an AbsSumReducer whose total has `width` bits."""
    each = magnitude(value, zero).width
    adders = (zero != 0) + ((value - zero).signed)
    total = Resources(lut4=adders * target.adder_luts(each + 1), ff=each) * lanes
    total += tree_cost(lanes, each, target)
    return total + Resources(lut4=target.adder_luts(width, "accumulate"), ff=width)
