"""The counters of a profile against a count of the same events, one by one."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from amaranth.hdl import Signal
from amaranth.sim import Simulator

from hwgen.hw.profile import STATES, WORD_BITS, Profile, Watched


def stream() -> SimpleNamespace:
    return SimpleNamespace(valid=Signal(), ready=Signal())


@dataclass
class Actor:
    """A unit without insides, whose input stream the test moves: busy when valid and ready, blocked when
    valid only. It works `cycles` clocks of a frame, begun as often as `pace` says."""

    cycles: int
    pace: float
    seed: int
    i: Any = field(default_factory=stream)

    def script(self, clocks: int, rng: random.Random) -> tuple[list[tuple[int, int]], list[int]]:
        """Its (valid, ready) of every clock of a frame, and what is to be counted."""
        moves, counts, left = [], [0, 0, 0], self.cycles
        for clock in range(clocks):
            idle = clocks - clock  # the work has to be done by the frame's end
            works = left and (left >= idle or rng.random() < self.pace)
            state = 0 if works else rng.choice((1, 2))
            left -= state == 0
            # what is done is done: an offer that comes for the next frame counts as nothing
            if left or state == 0:
                counts[state] += 1
            valid = int(state != 1)
            moves.append((valid, int(state == 0 or (state == 1 and rng.random() < 0.5))))
        return moves, counts


class Frames:
    """Frames of the actors, one after the other; `words` of each as the component gives them."""

    def __init__(self, actors: list[Actor], lengths: list[int], pause: int | None = None) -> None:
        self.dut = Profile([Watched(actor, actor.cycles, 1) for actor in actors])
        self.actors, self.lengths, self.pause = actors, lengths, pause
        self.words: list[list[int]] = []
        self.expected: list[list[int]] = []
        simulator = Simulator(self.dut)
        simulator.add_clock(1e-6)
        simulator.add_testbench(self._play)
        simulator.run()

    async def _play(self, ctx: Any) -> None:
        rng = random.Random(3)
        await ctx.tick().repeat(self.dut.settle)
        self.words.append(await self._read(ctx))
        for length in self.lengths:
            scripts = [actor.script(length, rng) for actor in self.actors]
            ctx.set(self.dut.counting, 1)
            for clock in range(length):
                for actor, (moves, _) in zip(self.actors, scripts, strict=True):
                    ctx.set(actor.i.valid, moves[clock][0])
                    ctx.set(actor.i.ready, moves[clock][1])
                await ctx.tick()
            ctx.set(self.dut.counting, 0)
            for actor in self.actors:
                ctx.set(actor.i.valid, 0)
            self.expected.append([count for _, counts in scripts for count in counts])
            if self.pause is not None and len(self.expected) < len(self.lengths):
                await ctx.tick().repeat(self.pause)
                continue
            await ctx.tick().repeat(self.dut.settle)
            self.words.append(await self._read(ctx))

    async def _read(self, ctx: Any) -> list[int]:
        words = []
        for index in range(self.dut.words + self.dut.latency):
            ctx.set(self.dut.index, index % self.dut.words)
            _, _, word = await ctx.tick().sample(self.dut.word)
            words.append(word)
        return words[self.dut.latency :]


@pytest.mark.parametrize("units", [1, 2, 3, 4, 5, 7, 16])
def test_counts_are_those_of_the_events(units: int) -> None:
    rng = random.Random(units)
    actors = [Actor(rng.randint(1, 400), rng.choice((0.02, 0.3, 1.0)), unit) for unit in range(units)]
    frames = Frames(actors, [1500, 401, 700])
    assert frames.words[0] == [0] * (len(STATES) * units)
    assert frames.words[1:] == frames.expected
    busy = frames.words[-1][:: len(STATES)]
    assert busy == [actor.cycles for actor in actors]


def test_a_frame_right_behind_another_begins_at_zero() -> None:
    actors = [Actor(20, 0.3, 1), Actor(30, 1.0, 2), Actor(40, 0.1, 3)]
    frames = Frames(actors, [200, 150, 90, 60], pause=4)
    assert frames.words[-1] == frames.expected[-1]


def test_words_hold_still() -> None:
    frames = Frames([Actor(20, 0.3, 1), Actor(25, 0.5, 1)], [64])
    assert frames.words[-1] == frames.expected[-1]
    assert sum(frames.words[-1][:3]) <= 64


def test_a_word_saturates() -> None:
    """The adder alone, as 2^32 clocks are too many: a word that is nearly full, and counters that go on."""
    dut = Profile([Watched(Actor(1 << 40, 1.0, 1), 1 << 40, 1)])
    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    full = (1 << WORD_BITS) - 1
    seen = []

    async def play(ctx: Any) -> None:
        actor = dut.units[0].unit
        ctx.set(actor.i.valid, 1)
        ctx.set(actor.i.ready, 1)
        ctx.set(dut.counting, 1)
        await ctx.tick().repeat(4 * dut.settle)
        for _ in range(8):  # a whole turn: a word that was read before is not written after
            ctx.set(dut.memory.data[0], full - 20)
            await ctx.tick()
        await ctx.tick().repeat(4 * dut.settle)
        ctx.set(dut.counting, 0)
        await ctx.tick().repeat(dut.settle)
        ctx.set(dut.index, 0)
        await ctx.tick().repeat(dut.latency)
        seen.append(ctx.get(dut.word))

    simulator.add_testbench(play)
    simulator.run()
    assert seen == [full]


def test_no_units() -> None:
    with pytest.raises(ValueError, match="no unit"):
        Profile([])
