"""A layer unit: window, reducer, serializer, activation and queue in a row.

    i --> WindowBuffer --> reducer --> Serializer --> activation --> OutQueue --> o

Only the two ends know of waiting: the window starts a group when the queue has room for its
results, and everything between runs freely. That keeps enables off the data path and makes every
latency a constant.
"""

from __future__ import annotations

from math import ceil

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwgen.hw.globalpool import GlobalSum
from hwgen.hw.outqueue import OutQueue
from hwgen.hw.serializer import Serializer
from hwgen.hw.stream import lanes_stream
from hwgen.hw.window import WindowBuffer
from hwgen.numeric.ranges import Range

#: Groups that the queue holds beside those on their way to it.
QUEUED_GROUPS = 3


class LayerUnit(wiring.Component):
    """i: stream of `window.lanes` values. o: stream of `lanes` values in `out`.

    reducer: component with flow ports `i`, `o` and `latency` that makes `pe` results of each group; None
    where every word is a result.
    activation: the same for single words, or None. acc: range of the reducer's results.
    words: clocks of a group. shared: the reducer's last lane is to be subtracted from all others.
    Interval and latency as WindowBuffer's plus those of the parts.
    """

    def __init__(
        self,
        *,
        window: WindowBuffer,
        reducer: wiring.Component | None,
        acc: Range,
        pe: int,
        lanes: int,
        activation: wiring.Component | None,
        out: Range,
        words: int,
        shared: bool = False,
    ) -> None:
        self.window = window
        self.reducer = reducer
        self.serializer = Serializer(shape=acc, pe=pe, lanes=lanes, shared=shared, target=window.target)
        self.activation = activation
        per_group = pe // lanes
        fixed = (reducer.latency if reducer else 0) + (activation.latency if activation else 0)
        fixed += self.serializer.latency
        flight = ceil((window.latency + fixed + per_group + 7) / words)  # groups on their way at full pace
        self.queue = OutQueue(
            shape=out, lanes=lanes, depth=per_group * (flight + QUEUED_GROUPS), reserve=per_group
        )
        super().__init__(
            {"i": In(lanes_stream(window.value, window.geometry.lanes)), "o": Out(lanes_stream(out, lanes))}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.window = self.window
        m.submodules.serializer = self.serializer
        m.submodules.queue = self.queue
        wiring.connect(m, wiring.flipped(self.i), self.window.i)
        if self.reducer is not None:
            m.submodules.reducer = self.reducer
            wiring.connect(m, self.window.o, self.reducer.i)
            wiring.connect(m, self.reducer.o, self.serializer.i)
        else:
            wiring.connect(m, self.window.o, self.serializer.i)
        if self.activation is not None:
            m.submodules.activation = self.activation
            wiring.connect(m, self.serializer.o, self.activation.i)
            wiring.connect(m, self.activation.o, self.queue.i)
        else:
            wiring.connect(m, self.serializer.o, self.queue.i)
        wiring.connect(m, self.queue.o, wiring.flipped(self.o))
        m.d.comb += [self.window.permit.eq(self.queue.permit), self.queue.start.eq(self.window.start)]
        return m


class TotalsUnit(wiring.Component):
    """The same around running totals: GlobalSum, activation, queue. i and o as the layer's."""

    def __init__(self, *, totals: GlobalSum, lanes: int, activation: wiring.Component, out: Range) -> None:
        self.totals, self.activation = totals, activation
        self.queue = OutQueue(shape=out, lanes=lanes, depth=activation.latency + 8, reserve=1)
        super().__init__(
            {"i": In(lanes_stream(totals.value, totals.lanes)), "o": Out(lanes_stream(out, lanes))}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.totals = self.totals
        m.submodules.activation = self.activation
        m.submodules.queue = self.queue
        wiring.connect(m, wiring.flipped(self.i), self.totals.i)
        wiring.connect(m, self.totals.o, self.activation.i)
        wiring.connect(m, self.activation.o, self.queue.i)
        wiring.connect(m, self.queue.o, wiring.flipped(self.o))
        m.d.comb += [self.totals.permit.eq(self.queue.permit), self.queue.start.eq(self.totals.start)]
        return m
