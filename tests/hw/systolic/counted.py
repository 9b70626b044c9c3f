"""The engine's core with counters of what it moves, which the engine model counts too."""

from __future__ import annotations

from dataclasses import fields
from itertools import pairwise

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator
from preloaded import Preloaded

from hwgen.hw.systolic.core import SystolicCore
from hwgen.program.counts import Counts
from hwgen.program.image import Image
from hwgen.targets import Target

NAMES = [each.name for each in fields(Counts)]


class Counted(wiring.Component):
    """i, o: of the core. start: a RUN begins. The others count since the beginning what `Counts` says."""

    def __init__(self, image: Image, target: Target) -> None:
        self.array = image.array
        self.core = SystolicCore(geometry=image.array, target=target, loader=Preloaded(image))
        ports = {"i": In(stream.Signature(8)), "o": Out(stream.Signature(8)), "start": Out(1)}
        super().__init__(ports | {name: Out(32) for name in NAMES})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        inside = self.core.elaborate(platform)
        m.submodules.core = inside
        wiring.connect(m, wiring.flipped(self.i), self.core.i)
        wiring.connect(m, self.core.o, wiring.flipped(self.o))
        parts = inside.submodules
        array, issue, accumulators = parts.array, parts.issue, parts.accumulators
        m.d.comb += self.start.eq(parts.sequencer.start_run)
        entered, update, ran = Signal(), Signal(), Signal()
        m.d.sync += ran.eq(parts.sequencer.running)  # the last word may be written a clock later
        m.d.comb += [
            entered.eq(issue.read & issue.stepped),
            update.eq(accumulators.step & accumulators.valid),
        ]
        for name, event, amount in (
            ("steps", entered, 1),
            ("macs", entered, self.array.rows * self.array.columns),
            ("activation_reads", parts.activations.read & parts.sequencer.running, 1),
            ("weight_reads", parts.weights.read, 1),
            ("accumulator_reads", update & ~accumulators.first, 1),
            ("accumulator_writes", update, 1),
            ("stored", parts.activations.write & (parts.sequencer.running | ran), self.array.columns),
        ):
            counter = getattr(self, name)
            more = parts.drain.read if name == "accumulator_reads" else 0
            m.d.sync += counter.eq(counter + event * amount + more)
        assert len(array.sums) == self.array.columns
        return m


def simulated(
    image: Image, target: Target, x: bytes, limit: int = 100_000
) -> tuple[bytes, list[Counts], list[int]]:
    """Outputs of one inference, what was counted in each of its RUNs, and the clocks in which they began."""
    dut = Counted(image, target)
    simulator = Simulator(dut)
    simulator.add_clock(1e-8)
    given = bytearray()
    seen: list[Counts] = []  # at each start of a RUN, and at the end
    begun: list[int] = []

    async def feed(ctx):
        for byte in x:
            ctx.set(dut.i.payload, byte)
            ctx.set(dut.i.valid, 1)
            await ctx.tick().until(dut.i.ready)
        ctx.set(dut.i.valid, 0)

    async def watch(ctx):
        ctx.set(dut.o.ready, 1)
        ticks = ctx.tick().sample(dut.o.valid, dut.o.payload, dut.start, *(getattr(dut, n) for n in NAMES))
        clocks = 0
        async for _, _, valid, payload, start, *counters in ticks:
            clocks += 1
            assert clocks < limit, "no end"
            if start:
                seen.append(Counts(*counters))
                begun.append(clocks)
            if valid:
                given.append(payload)
            if len(given) == image.outputs:
                seen.append(Counts(*counters))
                return

    simulator.add_testbench(feed, background=True)
    simulator.add_testbench(watch)
    simulator.run()
    counts = [
        Counts(*(getattr(after, n) - getattr(before, n) for n in NAMES)) for before, after in pairwise(seen)
    ]
    return bytes(given), counts, begun
