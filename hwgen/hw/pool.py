"""Reducers of pooling: maximum and sum over the words of a group, lane by lane."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwgen.hw.flow import FlowSignature
from hwgen.hw.stream import lanes_layout, shape_of
from hwgen.numeric.ranges import Range


class _Reducer(wiring.Component):
    """o[l] = reduction of i[l] over each group; valid one clock after its last word, a word every clock.

    value: range of the words, padding included. result: range of every partial reduction.
    """

    latency = 1

    def __init__(self, *, value: Range, lanes: int, result: Range) -> None:
        if lanes < 1:
            raise ValueError(f"pool: needs at least 1 lane, not {lanes}")
        self.value, self.lanes, self.result = value, lanes, result
        super().__init__(
            {
                "i": In(FlowSignature(lanes_layout(value, lanes))),
                "o": Out(FlowSignature(lanes_layout(result, lanes))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for lane in range(self.lanes):
            total = Signal(shape_of(self.result), name=f"total_{lane}", reset_less=True)
            x = self.i.payload[lane]
            with m.If(self.i.valid):
                m.d.sync += total.eq(Mux(self.i.first, x, self._reduced(total, x)))
            m.d.comb += self.o.payload[lane].eq(total)
        m.d.sync += self.o.valid.eq(self.i.valid & self.i.last)
        m.d.comb += [self.o.first.eq(1), self.o.last.eq(1)]
        return m

    def _reduced(self, total: Value, x: Value) -> Value:
        raise TypeError("a reducer says how")


class MaxReducer(_Reducer):
    """Maximum. Cost: a comparator and a multiplexer a lane."""

    def __init__(self, *, value: Range, lanes: int) -> None:
        super().__init__(value=value, lanes=lanes, result=value)

    def _reduced(self, total: Value, x: Value) -> Value:
        return Mux(x > total, x, total)


class SumReducer(_Reducer):
    """Sum, whose range is `total`. Cost: an adder a lane."""

    def __init__(self, *, value: Range, lanes: int, total: Range) -> None:
        super().__init__(value=value, lanes=lanes, result=total | value)

    def _reduced(self, total: Value, x: Value) -> Value:
        return total + x
