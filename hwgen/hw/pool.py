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

    The running value restarts from `neutral` after a group's last word (by the flip-flops' own reset, so
    that `first` costs nothing), and the result has a register of its own.
    value: range of the words, padding included. result: range of every partial reduction.
    """

    latency = 1

    def __init__(self, *, value: Range, lanes: int, result: Range, neutral: int) -> None:
        if lanes < 1:
            raise ValueError(f"pool: needs at least 1 lane, not {lanes}")
        self.value, self.lanes, self.result, self.neutral = (
            value,
            lanes,
            result | Range(neutral, neutral),
            neutral,
        )
        super().__init__(
            {
                "i": In(FlowSignature(lanes_layout(value, lanes))),
                "o": Out(FlowSignature(lanes_layout(result, lanes))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        closing = Signal()
        m.d.comb += closing.eq(self.i.valid & self.i.last)
        for lane in range(self.lanes):
            running = Signal(shape_of(self.result), init=self.neutral, name=f"running_{lane}")
            reduced = Signal.like(running, name=f"reduced_{lane}")
            result = Signal.like(running, name=f"result_{lane}", reset_less=True)
            m.d.comb += [
                reduced.eq(self._reduced(running, self.i.payload[lane])),
                self.o.payload[lane].eq(result),
            ]
            with m.If(self.i.valid):
                m.d.sync += running.eq(reduced)
            with m.If(closing):
                m.d.sync += [running.eq(self.neutral), result.eq(reduced)]
        m.d.sync += self.o.valid.eq(closing)
        m.d.comb += [self.o.first.eq(1), self.o.last.eq(1)]
        return m

    def _reduced(self, running: Value, x: Value) -> Value:
        raise TypeError("a reducer says how")


class MaxReducer(_Reducer):
    """Maximum. Cost: a comparator and a multiplexer a lane."""

    def __init__(self, *, value: Range, lanes: int) -> None:
        super().__init__(value=value, lanes=lanes, result=value, neutral=value.lo)

    def _reduced(self, running: Value, x: Value) -> Value:
        return Mux(x > running, x, running)


class SumReducer(_Reducer):
    """Sum, whose range is `total`. Cost: an adder a lane."""

    def __init__(self, *, value: Range, lanes: int, total: Range) -> None:
        super().__init__(value=value, lanes=lanes, result=total | value, neutral=0)

    def _reduced(self, running: Value, x: Value) -> Value:
        return running + x
