"""Reducers of pooling: maximum and sum over the words of a group, lane by lane."""

from __future__ import annotations

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwgen.hw.compare import greater
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
            self._lane(m, self.i.payload[lane], self.o.payload[lane])
        m.d.sync += self.o.valid.eq(self.i.valid & self.i.last)
        m.d.comb += [self.o.first.eq(1), self.o.last.eq(1)]
        return m

    def _lane(self, m: Module, x: Value, result: Value) -> None:
        raise TypeError("a reducer says how")


class MaxReducer(_Reducer):
    """Maximum. Cost: a comparator a lane; it drives the clock enable of the lane's register."""

    def __init__(self, *, value: Range, lanes: int) -> None:
        super().__init__(value=value, lanes=lanes, result=value)

    def _lane(self, m: Module, x: Value, result: Value) -> None:
        most = Signal(shape_of(self.value), name="most", reset_less=True)
        with m.If(self.i.valid & (self.i.first | greater(x, most))):
            m.d.sync += most.eq(x)
        m.d.comb += result.eq(most)


class SumReducer(_Reducer):
    """Sum, whose range is `total`. Cost: an adder a lane.

    The running sum restarts by the flip-flops' own reset after a group's last word (so `first` needs no
    look-up table), and the result has a register of its own.
    """

    def __init__(self, *, value: Range, lanes: int, total: Range) -> None:
        super().__init__(value=value, lanes=lanes, result=total | value | Range(0, 0))

    def _lane(self, m: Module, x: Value, result: Value) -> None:
        shape = shape_of(self.result)
        running = Signal(shape, name="running")
        total = Signal(shape, name="total")
        held = Signal(shape, name="held", reset_less=True)
        m.d.comb += [total.eq(running + x), result.eq(held)]
        with m.If(self.i.valid):
            m.d.sync += [running.eq(total), held.eq(total)]
        with m.If(self.i.valid & self.i.last):  # outermost, so that Yosys sees a synchronous reset
            m.d.sync += running.eq(0)
