"""Amaranth-simulator bench for stream and flow components: drivers with random gaps, protocol checks."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from amaranth.hdl import ClockDomain, Module
from amaranth.lib import data
from amaranth.sim import Simulator


def pack(values: Sequence[int], width: int) -> int:
    """Word of lanes, lane 0 in the low bits."""
    mask = (1 << width) - 1
    return sum((int(v) & mask) << (k * width) for k, v in enumerate(values))


def beats(array: np.ndarray, lanes: int) -> list[list[int]]:
    """Values in stream order, `lanes` a beat."""
    return np.asarray(array).reshape(-1, lanes).tolist()


def lanes_of(value: Any) -> list[int]:
    """Plain integers of a payload sampled in the simulator."""
    return [int(v) for v in value] if isinstance(value, data.Const) else [int(value)]


class Bench:
    """Runs one component: `send` and `receive` streams, watch flows, play the consumer's permit.

    gaps: probability that a source pauses or a sink is not ready in a clock; 0 for full speed.
    """

    def __init__(self, dut: Any, *, seed: int = 1, gaps: float = 0.5, limit: int = 20_000) -> None:
        self.dut, self.gaps, self.limit = dut, gaps, limit
        self.random = random.Random(seed)
        self.clocks: dict[str, list[int]] = {}
        top = Module()
        top.domains += ClockDomain("sync")  # also for components that are mere wires
        top.submodules.dut = dut
        self._sim = Simulator(top)
        self._sim.add_clock(1e-6)
        self._now = 0
        self._open = 0
        self._sim.add_testbench(self._count, background=True)

    async def _count(self, ctx: Any) -> None:
        while True:
            await ctx.tick()
            self._now += 1
            assert self._now < self.limit, f"still waiting after {self.limit} clocks"

    def _chance(self, gaps: float | None) -> bool:
        gaps = self.gaps if gaps is None else gaps
        return gaps == 0 or self.random.random() >= gaps

    def send(self, port: Any, words: Iterable[Any], gaps: float | None = None) -> None:
        """Offers the words in turn; once offered, a word stays until it is taken."""

        async def process(ctx: Any) -> None:
            for word in words:
                while not self._chance(gaps):
                    await ctx.tick()
                ctx.set(port.payload, word)
                ctx.set(port.valid, 1)
                await ctx.tick().until(port.ready)
                ctx.set(port.valid, 0)

        self._sim.add_testbench(process)

    def receive(self, port: Any, count: int, gaps: float | None = None, name: str = "o") -> list[list[int]]:
        """Takes `count` words into the list that is returned; checks the stream protocol on the way."""
        taken: list[list[int]] = []
        clocks = self.clocks.setdefault(name, [])

        async def process(ctx: Any) -> None:
            held = None
            while len(taken) < count:
                ctx.set(port.ready, ready := self._chance(gaps))
                _, _, valid, payload = await ctx.tick().sample(port.valid, port.payload)
                if held is not None:
                    assert valid, "valid fell although the word was not taken"
                    assert lanes_of(payload) == held, "payload changed although the word was not taken"
                held = lanes_of(payload) if valid and not ready else None
                if valid and ready:
                    taken.append(lanes_of(payload))
                    clocks.append(self._now)
            ctx.set(port.ready, 0)

        self._sim.add_testbench(process)
        return taken

    def never_ready(self, port: Any, clocks: int) -> list[bool]:
        """Holds ready low and records valid: a source must come up with valid nevertheless."""
        seen: list[bool] = []

        async def process(ctx: Any) -> None:
            for _ in range(clocks):
                _, _, valid = await ctx.tick().sample(port.valid)
                seen.append(bool(valid))

        self._sim.add_testbench(process)
        return seen

    def watch(self, port: Any, count: int, name: str = "o") -> list[tuple[list[int], int, int]]:
        """Collects `count` words of a flow as (lanes, first, last)."""
        seen: list[tuple[list[int], int, int]] = []
        clocks = self.clocks.setdefault(name, [])

        async def process(ctx: Any) -> None:
            while len(seen) < count:
                _, _, valid, payload, first, last = await ctx.tick().sample(
                    port.valid, port.payload, port.first, port.last
                )
                if valid:
                    seen.append((lanes_of(payload), int(first), int(last)))
                    clocks.append(self._now)

        self._sim.add_testbench(process)
        return seen

    def drive(self, port: Any, words: Sequence[tuple[Any, int, int]], gaps: float | None = None) -> None:
        """Sends (payload, first, last) into a flow, with gaps."""

        async def process(ctx: Any) -> None:
            for payload, first, last in words:
                ctx.set(port.valid, 0)
                while not self._chance(gaps):
                    await ctx.tick()
                ctx.set(port.payload, payload)
                ctx.set(port.first, first)
                ctx.set(port.last, last)
                ctx.set(port.valid, 1)
                await ctx.tick()
            ctx.set(port.valid, 0)

        self._sim.add_testbench(process)

    def permit(self, dut: Any, gaps: float | None = None) -> list[int]:
        """Plays a consumer that permits at random; records the clocks of `start`.

        Fails where a group starts that no permit of the clock before allowed.
        """
        starts: list[int] = []

        async def process(ctx: Any) -> None:
            allowed = False
            while True:
                permit = self._chance(gaps)
                ctx.set(dut.permit, permit)
                _, _, start = await ctx.tick().sample(dut.start)
                if start:
                    assert allowed, "a group started without a permit"
                    starts.append(self._now)
                allowed = permit

        self._sim.add_testbench(process, background=True)
        return starts

    def run(self) -> None:
        """Runs until all foreground processes have ended."""
        self._sim.run()

    def add(self, process: Callable[[Any], Any], background: bool = False) -> None:
        """A process of the test's own."""
        self._sim.add_testbench(process, background=background)


def chunks(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    """Consecutive parts of `size` items."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
