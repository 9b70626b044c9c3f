"""StreamFifo, Fork, WidthConverter and Pad: the same values come out, in order, at any back-pressure."""

from __future__ import annotations

import numpy as np
import pytest
from streambench import Bench, beats

from hwgen.hw.columns import Columns
from hwgen.hw.fifo import StreamFifo
from hwgen.hw.fork import Fork
from hwgen.hw.pad import Pad
from hwgen.hw.ram import Ram
from hwgen.hw.width import WidthConverter
from hwgen.numeric.ranges import Range

INT8 = Range(-128, 127)


def values(count: int, seed: int = 5) -> np.ndarray:
    return np.random.default_rng(seed).integers(INT8.lo, INT8.hi + 1, count)


def pass_through(dut, data, lanes_in, lanes_out, sent, taken, seed=1):
    """Sends `data` and returns the bench after all of it came out, equal."""
    bench = Bench(dut, seed=seed)
    bench.send(dut.i, beats(data, lanes_in), gaps=sent)
    got = bench.receive(dut.o, len(data) // lanes_out, gaps=taken)
    bench.run()
    assert got == beats(data, lanes_out)
    return bench


PRESSURE = [(0, 0), (0.5, 0.5), (0, 0.8), (0.8, 0)]


def block_fifo(depth: int) -> StreamFifo:
    """One in block RAM whatever its size."""
    fifo = StreamFifo(shape=INT8, lanes=2, depth=1024)
    fifo.depth, fifo.ring = depth, Ram(width=16, depth=depth, form="block")
    return fifo


@pytest.mark.parametrize("depth", [1, 2, 3, 4, 7, 16, 40])
@pytest.mark.parametrize("sent, taken", PRESSURE)
def test_fifo(depth, sent, taken):
    dut = StreamFifo(shape=INT8, lanes=2, depth=depth)
    assert (dut.ring is None) == (depth <= 16)
    pass_through(dut, values(200), 2, 2, sent, taken)


@pytest.mark.parametrize("depth", [2, 4, 16])
@pytest.mark.parametrize("sent, taken", PRESSURE)
def test_fifo_in_block_ram(depth, sent, taken):
    pass_through(block_fifo(depth), values(200), 2, 2, sent, taken)


@pytest.mark.parametrize("make", [lambda: StreamFifo(shape=INT8, lanes=2, depth=4), lambda: block_fifo(16)])
def test_fifo_full_pace_and_latency(make):
    dut = make()
    bench = Bench(dut)
    first = []

    async def accepted(ctx):
        await ctx.tick().until(dut.i.valid & dut.i.ready)
        first.append(bench._now)

    bench.add(accepted)
    bench.send(dut.i, beats(values(200), 2), gaps=0)
    bench.receive(dut.o, 100, gaps=0)
    bench.run()
    clocks = bench.clocks["o"]
    assert clocks[-1] - clocks[0] == 99
    assert clocks[0] - first[0] == dut.latency


def held_back(dut, clocks: int = 80) -> tuple[int, bool]:
    """Beats that go in, and valid at the end, while nothing is ever taken out."""
    bench = Bench(dut)
    taken = []

    async def source(ctx):
        ctx.set(dut.i.valid, 1)
        for _ in range(clocks):
            _, _, ready = await ctx.tick().sample(dut.i.ready)
            taken.append(ready)

    bench.add(source)
    seen = bench.never_ready(dut.o, clocks)
    bench.run()
    return sum(taken), seen[-1]


@pytest.mark.parametrize("depth", [1, 2, 5, 9, 16])
def test_fifo_holds_its_depth(depth):
    taken, valid = held_back(StreamFifo(shape=INT8, lanes=2, depth=depth))
    assert max(depth, 5) <= taken <= max(depth, 5) + 1 and valid
    taken, valid = held_back(block_fifo(1 << depth.bit_length()))
    assert taken >= depth and valid


def test_valid_comes_without_ready():
    for lanes in ((1, 4), (4, 1), (2, 3), (3, 2)):
        dut = WidthConverter(shape=INT8, lanes_in=lanes[0], lanes_out=lanes[1])
        assert held_back(dut)[1]
    assert held_back(Pad(shape=(1, 1, 2), value=INT8, pad=(1, 0, 1, 0), constant=3, lanes=2)) == (0, True)


def test_fifo_large_uses_block_ram():
    assert StreamFifo(shape=INT8, lanes=8, depth=500).ring is not None


@pytest.mark.parametrize("n", [2, 3])
@pytest.mark.parametrize("sent, taken", PRESSURE)
def test_fork(n, sent, taken):
    dut = Fork(shape=INT8, lanes=2, n=n)
    data = values(120)
    bench = Bench(dut)
    bench.send(dut.i, beats(data, 2), gaps=sent)
    got = [bench.receive(dut.o[k], 60, gaps=taken * (k + 1) / n, name=str(k)) for k in range(n)]
    bench.run()
    assert all(g == beats(data, 2) for g in got)
    if sent == taken == 0:
        assert bench.clocks["0"][-1] - bench.clocks["0"][0] == 59


def test_fork_serves_one_while_another_waits():
    dut = Fork(shape=INT8, lanes=1, n=2)
    bench = Bench(dut)
    bench.send(dut.i, [[7], [8]], gaps=0)
    first = bench.receive(dut.o[0], 1, gaps=0)
    idle = bench.never_ready(dut.o[1], 10)

    async def release(ctx):
        await ctx.tick().repeat(12)
        assert not ctx.get(dut.i.ready)
        ctx.set(dut.o[1].ready, 1)
        ctx.set(dut.o[0].ready, 1)
        await ctx.tick().repeat(3)

    bench.add(release)
    bench.run()
    assert first == [[7]] and idle[-1]


@pytest.mark.parametrize(
    "ratio", [(1, 1), (1, 4), (4, 1), (2, 6), (6, 2), (2, 3), (3, 2), (4, 6), (1, 2), (2, 1)]
)
@pytest.mark.parametrize("sent, taken", PRESSURE)
def test_width(ratio, sent, taken):
    lanes_in, lanes_out = ratio
    dut = WidthConverter(shape=INT8, lanes_in=lanes_in, lanes_out=lanes_out)
    data = values(240)
    bench = pass_through(dut, data, lanes_in, lanes_out, sent, taken)
    if sent == taken == 0:
        clocks = bench.clocks["o"]
        narrow = min(lanes_in, lanes_out)
        assert clocks[-1] - clocks[0] <= (240 - lanes_out) // narrow + 2


@pytest.mark.parametrize("border", [(1, 1, 1, 1), (0, 2, 0, 0), (0, 0, 3, 0), (2, 0, 0, 1), (0, 0, 0, 0)])
@pytest.mark.parametrize("shape, lanes", [((2, 3, 4), 2), ((1, 1, 2), 2), ((3, 1, 1), 1)])
@pytest.mark.parametrize("sent, taken", [(0.5, 0.5), (0, 0)])
def test_pad(border, shape, lanes, sent, taken):
    dut = Pad(shape=shape, value=Range(-8, 7), pad=border, constant=100, lanes=lanes)
    frames = np.random.default_rng(2).integers(-8, 8, (3, *shape))
    top, bottom, left, right = border
    want = np.pad(frames, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=100)
    bench = Bench(dut)
    bench.send(dut.i, beats(frames, lanes), gaps=sent)
    got = bench.receive(dut.o, want.size // lanes, gaps=taken)
    bench.run()
    assert got == beats(want, lanes)
    if sent == taken == 0:
        assert bench.clocks["o"][-1] - bench.clocks["o"][0] == len(got) - 1


@pytest.mark.parametrize(
    "shape, width, stride",
    [
        ((3, 7, 2), 3, 1),
        ((2, 8, 1), 4, 2),
        ((3, 9, 1), 2, 3),
        ((2, 4, 3), 4, 1),
        ((2, 5, 1), 1, 1),
        ((2, 6, 1), 1, 2),
    ],
)
@pytest.mark.parametrize("sent, taken", PRESSURE)
def test_columns(shape, width, stride, sent, taken):
    frames = np.random.default_rng(2).integers(-8, 8, (3, *shape))
    places = range(0, shape[1] - width + 1, stride)
    want = np.stack([frames[:, :, x : x + width].reshape(3, shape[0], -1) for x in places], axis=2)
    bench = Bench(dut := Columns(shape=shape, value=Range(-8, 7), width=width, stride=stride))
    bench.send(dut.i, beats(frames, shape[2]), gaps=sent)
    got = bench.receive(dut.o, want.size // (width * shape[2]), gaps=taken)
    bench.run()
    assert got == beats(want, width * shape[2])
    if sent == taken == 0:
        skipped = bench.clocks["o"][0]
        assert bench.clocks["o"][-1] <= skipped + 3 * shape[0] * shape[1]


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: StreamFifo(shape=INT8, lanes=1, depth=0), "depth"),
        (lambda: Fork(shape=INT8, lanes=1, n=1), "2 outputs"),
        (lambda: WidthConverter(shape=INT8, lanes_in=0, lanes_out=1), "lanes"),
        (lambda: Columns(shape=(1, 4, 1), value=INT8, width=5, stride=1), "columns: 5 every 1"),
        (lambda: Pad(shape=(1, 1, 4), value=INT8, pad=(0, 0, 0, 0), constant=0, lanes=3), "lanes"),
    ],
)
def test_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()
