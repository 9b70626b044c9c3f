"""A border of constant pixels around every frame of a stream."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Const, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwgen.hw.counters import LoopNest
from hwgen.hw.stream import lanes_layout, lanes_stream
from hwgen.numeric.ranges import Range


class Pad(wiring.Component):
    """o: frames of i, shape (H, W, C), with `pad` = (top, bottom, left, right) pixels of `constant` around.

    Latency 1 clock, a beat a clock; i waits while the border is made, and the border for its frame.
    Interval: (top + H + bottom) * (left + W + right) * C/lanes clocks a frame.
    Cost: three counters, a register a bit.
    Errors: ValueError unless lanes divides the channels and no border is negative.
    """

    def __init__(
        self,
        *,
        shape: tuple[int, int, int],
        value: Range,
        pad: tuple[int, int, int, int],
        constant: int,
        lanes: int,
    ) -> None:
        if lanes < 1 or shape[2] % lanes or min(pad) < 0:
            raise ValueError(
                f"pad: lanes must divide the {shape[2]} channels, and the border {pad} not be negative"
            )
        self.shape, self.pad, self.constant, self.lanes = shape, pad, constant, lanes
        self.out = value | Range(constant, constant)
        super().__init__({"i": In(lanes_stream(value, lanes)), "o": Out(lanes_stream(self.out, lanes))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        height, width, channels = self.shape
        top, bottom, left, right = self.pad
        columns = [left <= x < left + width for x in range(left + width + right)]
        rows = [top <= y < top + height for y in range(top + height + bottom)]
        go = Signal()
        free = Signal()
        loop = LoopNest(m, [channels // self.lanes, len(columns), len(rows)], go)
        pixel_end = go & loop.last[0]
        in_row = self._next_is_inside(m, columns, loop.remaining[1], pixel_end, "in_row")
        in_column = self._next_is_inside(m, rows, loop.remaining[2], pixel_end & loop.last[1], "in_column")
        inside = in_row & in_column
        fresh = Signal(init=1)  # a frame's border waits for the frame
        ready = (~inside & ~fresh) | self.i.valid
        m.d.comb += [
            free.eq(~self.o.valid | self.o.ready),
            go.eq(free & ready),
            self.i.ready.eq(inside & free),
        ]
        with m.If(go):
            m.d.sync += fresh.eq(loop.ends)
        with m.If(free):
            m.d.sync += self.o.valid.eq(ready)
        word = Signal(lanes_layout(self.out, self.lanes), reset_less=True)
        with m.If(go):
            for lane in range(self.lanes):
                m.d.sync += word[lane].eq(self.i.payload[lane])
            with m.If(~inside):
                m.d.sync += [word[lane].eq(self.constant) for lane in range(self.lanes)]
        m.d.comb += self.o.payload.eq(word)
        return m

    @staticmethod
    def _next_is_inside(m: Module, places: Sequence[bool], remaining: Value, step: Value, name: str) -> Value:
        """Whether the loop's place is inside; found one place ahead, so that a register holds it."""
        if all(places):
            return Const(1)
        flag = Signal(init=places[0], name=name)
        following = [*places[1:], places[0]]
        with m.If(step), m.Switch(remaining):
            with m.Case(*[len(places) - 1 - place for place, value in enumerate(following) if value]):
                m.d.sync += flag.eq(1)
            with m.Default():
                m.d.sync += flag.eq(0)
        return flag
