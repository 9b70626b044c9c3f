"""OutQueue behind an eager pipeline: nothing lost, never overfull, no room wasted."""

from __future__ import annotations

from collections import deque

import pytest
from streambench import Bench

from hwgen.hw.outqueue import OutQueue
from hwgen.numeric.ranges import Range

VALUE = Range(-128, 127)


def run(*, depth, reserve, groups, gaps, latency=3, lanes=2, eager=1.0, seed=3):
    """Plays a producer that starts a group whenever permitted and delivers it `latency` clocks later."""
    dut = OutQueue(shape=VALUE, lanes=lanes, depth=depth, reserve=reserve)
    bench = Bench(dut, seed=seed, gaps=gaps)
    words = [[bench.random.randrange(-128, 128) for _ in range(lanes)] for _ in range(groups * reserve)]
    levels, begun = [], []

    async def producer(ctx):
        pipe: deque[list[int] | None] = deque([None] * latency)
        busy = sent = announced = 0
        decided = False
        for clock in range(3000):
            ctx.set(dut.start, decided)
            announced += decided
            word = pipe.popleft()
            ctx.set(dut.i.valid, word is not None)
            if word is not None:
                ctx.set(dut.i.payload, word)
            _, _, permit, level = await ctx.tick().sample(dut.permit, dut.level)
            levels.append(level)
            decided = bool(permit) and busy == 0 and len(begun) < groups and bench.random.random() < eager
            if decided:
                begun.append(clock)
                busy = reserve
            if busy:
                pipe.append(words[sent])
                sent += 1
                busy -= 1
            else:
                pipe.append(None)
            if sent == len(words) and not any(w is not None for w in pipe):
                ctx.set(dut.i.valid, 0)
                return

    bench.add(producer)
    got = bench.receive(dut.o, len(words))
    bench.run()
    assert got == words
    assert max(levels) <= depth
    return bench, begun, levels


@pytest.mark.parametrize(
    "depth, reserve", [(1, 1), (2, 1), (5, 1), (16, 1), (2, 2), (8, 2), (9, 4), (4, 4), (24, 8)]
)
@pytest.mark.parametrize("gaps", [0, 0.3, 0.8])
@pytest.mark.parametrize("eager", [1.0, 0.5])
def test_words(depth, reserve, gaps, eager):
    run(depth=depth, reserve=reserve, groups=24 // reserve + 6, gaps=gaps, eager=eager)


def test_fills_completely():
    """With the sink held, exactly depth // reserve groups (and what the output register holds) begin."""
    for depth, reserve in ((4, 1), (8, 4), (7, 2), (3, 3)):
        dut = OutQueue(shape=VALUE, lanes=1, depth=depth, reserve=reserve)
        bench = Bench(dut)
        starts = []

        async def producer(ctx, dut=dut, reserve=reserve, starts=starts):
            decided, owed = False, 0
            for _ in range(80):
                ctx.set(dut.start, decided)
                ctx.set(dut.i.valid, owed > 0)
                owed -= owed > 0
                _, _, permit, level = await ctx.tick().sample(dut.permit, dut.level)
                assert level <= dut.depth
                decided = bool(permit) and owed == 0
                if decided:
                    starts.append(1)
                    owed = reserve

        bench.add(producer)
        seen = bench.never_ready(dut.o, 80)
        bench.run()
        in_register = 1 if reserve == 1 else 0
        assert len(starts) == depth // reserve + in_register
        assert seen[-1], "valid must not wait for ready"


@pytest.mark.parametrize("reserve, depth", [(1, 12), (4, 16)])
def test_full_pace(reserve, depth):
    """Deep enough for the pipeline's latency, the queue passes a word a clock."""
    bench, _, _ = run(depth=depth, reserve=reserve, groups=40, gaps=0)
    clocks = bench.clocks["o"]
    assert clocks[-1] - clocks[0] == len(clocks) - 1


@pytest.mark.parametrize("depth, reserve", [(4, 5), (4, 0)])
def test_errors(depth, reserve):
    with pytest.raises(ValueError, match="reserve"):
        OutQueue(shape=VALUE, lanes=1, depth=depth, reserve=reserve)
