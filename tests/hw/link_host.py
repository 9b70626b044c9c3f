"""A host for link tests: bytes as 8N1 waveforms and back, without the hardware's UART; small cores."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Elaboratable, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

from hwgen.hw.stream import lanes_layout
from hwgen.numeric.ranges import Range
from hwgen.runtime import link as host


class Increment(wiring.Component):
    """The trivial core: every element plus one, wrapped to its width."""

    def __init__(self, value: Range, lanes: int) -> None:
        self.layout = lanes_layout(value, lanes)
        super().__init__({"i": In(stream.Signature(self.layout)), "o": Out(stream.Signature(self.layout))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += self.i.ready.eq(~self.o.valid | self.o.ready)
        with m.If(self.i.ready):
            m.d.sync += self.o.valid.eq(self.i.valid)
            for lane in range(self.layout.length):
                m.d.sync += self.o.payload[lane].eq(self.i.payload[lane] + 1)
        return m


class Fold(wiring.Component):
    """A core whose output is smaller than its input: one element, the sum of all `count` (modulo 2**12)."""

    def __init__(self, value: Range, lanes: int, count: int) -> None:
        self.layout, self.count = lanes_layout(value, lanes), count
        self.sums = lanes_layout(Range(-2048, 2047), 1)
        super().__init__({"i": In(stream.Signature(self.layout)), "o": Out(stream.Signature(self.sums))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        beats = self.count // self.layout.length
        seen = Signal(range(beats + 1))
        total = self.o.payload[0]
        m.d.comb += [self.i.ready.eq(seen != beats), self.o.valid.eq(seen == beats)]
        with m.If(self.i.valid & self.i.ready):
            lanes = [self.i.payload[k] for k in range(self.layout.length)]
            m.d.sync += [seen.eq(seen + 1), total.eq(sum(lanes, total))]
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += [seen.eq(0), total.eq(0)]
        return m


class Host:
    """Drives `rx` and listens to `tx` of a design; a bit takes `bit` clocks (need not be whole)."""

    def __init__(self, design: Elaboratable, rx: Any, tx: Any, bit: float, *, clock: float = 1e-6) -> None:
        self.rx, self.tx, self.bit, self.clock = rx, tx, bit, clock
        self.received = bytearray()
        self.sim = Simulator(design)
        self.sim.add_clock(clock)
        self.sim.add_testbench(self._listen, background=True)

    def run(self, script: Any) -> None:
        self.sim.add_testbench(script)
        self.sim.run()

    async def send(self, ctx: Any, data: bytes, gap_bits: float = 0) -> None:
        for byte in data:
            for level in (0, *((byte >> k) & 1 for k in range(8)), 1):
                ctx.set(self.rx, level)
                await ctx.delay(self.bit * self.clock)
            if gap_bits:
                await ctx.delay(gap_bits * self.bit * self.clock)

    async def _listen(self, ctx: Any) -> None:
        while True:
            await ctx.negedge(self.tx)
            await ctx.delay(1.5 * self.bit * self.clock)
            byte = 0
            for k in range(8):
                byte |= ctx.get(self.tx) << k
                await ctx.delay(self.bit * self.clock)
            assert ctx.get(self.tx) == 1, "stop bit is 0"
            self.received.append(byte)

    async def answer(self, ctx: Any, within_bits: float = 3000) -> host.Response | None:
        """The next whole answer, or None when none comes in time."""
        for _ in range(int(within_bits)):
            response, rest = host.decode_response(bytes(self.received))
            if response is not None:
                assert bytes(self.received[:2]) == host.SYNC, "noise before the answer"
                self.received = bytearray(rest)
                return response
            await ctx.delay(self.bit * self.clock)
        return None
