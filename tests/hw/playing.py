"""Amaranth-simulator bench for pipelines without handshakes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from amaranth.sim import Simulator


def clocked(dut: Any, output: str, words: Sequence[dict[str, int]]) -> list[int]:
    """`output` for each of the words, one of which enters in every clock; combinational if `dut.levels` is 0.

    words: values of the input ports. dut.latency: clocks until a word's output.
    """
    seen = []

    async def bench(ctx):  # type: ignore[no-untyped-def]
        for clock in range(len(words) + dut.latency):
            for port, value in words[min(clock, len(words) - 1)].items():
                ctx.set(getattr(dut, port), value)
            await ctx.delay(1e-8)
            seen.append(ctx.get(getattr(dut, output)))
            if dut.levels:
                await ctx.tick()

    simulator = Simulator(dut)
    if dut.levels:
        simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return seen[dut.latency :]
