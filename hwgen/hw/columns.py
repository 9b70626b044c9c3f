"""The last pixels of a row side by side: a horizontal window for images of few channels."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwgen.hw.counters import LoopNest
from hwgen.hw.stream import lanes_stream
from hwgen.numeric.ranges import Range


class Columns(wiring.Component):
    """o[y, x] = pixels i[y, x * stride .. x * stride + width - 1] in one beat, the leftmost lowest.

    shape: (H, W, C) of i, a pixel of all C channels a beat. Latency 1 clock; a pixel a clock, and W pixels in
    for every (W - width) // stride + 1 out. Cost: 2 * width - 1 pixels of flip-flops and two counters.
    Errors: ValueError unless 1 <= width <= W and stride >= 1.
    """

    def __init__(self, *, shape: tuple[int, int, int], value: Range, width: int, stride: int) -> None:
        if not 1 <= width <= shape[1] or stride < 1:
            raise ValueError(f"columns: {width} every {stride} of a row of {shape[1]}")
        self.shape, self.width, self.stride = shape, width, stride
        super().__init__(
            {
                "i": In(lanes_stream(value, shape[2])),
                "o": Out(lanes_stream(value, shape[2] * width)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        pixel = self.i.payload.as_value()
        free, go = Signal(), Signal()
        word = Signal(len(pixel) * self.width, reset_less=True)
        held = Signal(len(pixel) * (self.width - 1), reset_less=True)
        emits = self._emits(m, go)
        following = Cat(held, pixel)
        m.d.comb += [
            free.eq(~self.o.valid | self.o.ready),
            self.i.ready.eq(free),
            go.eq(free & self.i.valid),
            self.o.payload.eq(word),
        ]
        with m.If(free):
            m.d.sync += self.o.valid.eq(self.i.valid & emits)
        with m.If(go):
            m.d.sync += [word.eq(following), held.eq(following[len(pixel) :])]
        return m

    def _emits(self, m: Module, go: Value) -> Value:
        """Whether the pixel at the input ends a window; `wait` counts those that do not."""
        seen = (self.shape[1] - self.width) // self.stride + 1
        rest = self.shape[1] - self.width - (seen - 1) * self.stride  # pixels after the row's last window
        gaps = [self.width - 1, *[self.stride - 1] * (seen - 1)]
        if rest == 0 and set(gaps) == {0}:
            return Const(1)
        longest = max(*gaps, self.width - 1 + rest)
        wait = Signal(range(longest + 1), init=self.width - 1)
        emits = Signal(init=self.width == 1)
        row = LoopNest(m, [seen], go & emits, "seen")
        start = self.width - 1 + rest  # the next row's first window
        following = Mux(row.ends, start, self.stride - 1)
        with m.If(go):
            m.d.sync += [
                wait.eq(Mux(emits, following, wait - 1)),
                emits.eq(Mux(emits, following == 0, wait == 1)),
            ]
        return emits
