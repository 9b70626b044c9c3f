"""Pooling reducers and global totals against NumPy."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from amaranth.hdl import Module, Signal, signed
from streambench import Bench, beats

from hwgen.hw.compare import greater
from hwgen.hw.globalpool import GlobalSum
from hwgen.hw.pool import MaxReducer, SumReducer
from hwgen.numeric.ranges import Range

INT8 = Range(-128, 127)


@pytest.mark.parametrize("value", [INT8, Range(0, 255), Range(-9, -2)])
@pytest.mark.parametrize("gaps", [0, 0.5])
@pytest.mark.parametrize("words", [1, 2, 9])
@pytest.mark.parametrize("kind", ["max", "sum"])
def test_reducers(kind, words, gaps, value):
    lanes = 3
    if kind == "max":
        dut = MaxReducer(value=value, lanes=lanes)
    else:
        dut = SumReducer(value=value, lanes=lanes, total=value * words)
    groups = np.random.default_rng(words).integers(value.lo, value.hi + 1, (8, words, lanes))
    groups[0], groups[1] = value.lo, value.hi
    want = groups.max(1) if kind == "max" else groups.sum(1)
    bench = Bench(dut, gaps=gaps)
    bench.drive(dut.i, [(w.tolist(), k == 0, k == words - 1) for g in groups for k, w in enumerate(g)])
    got = bench.watch(dut.o, 8)
    bench.run()
    assert got == [(w, 1, 1) for w in want.tolist()]


@pytest.mark.parametrize("shape", [1, 2, 3, 5, signed(1), signed(2), signed(4), signed(5)])
def test_greater(shape):
    a, b = Signal(shape), Signal(shape)
    result = Signal()
    m = Module()
    m.d.comb += result.eq(greater(a, b))
    low, high = (
        (-(1 << (a.shape().width - 1)), 1 << (a.shape().width - 1)) if a.shape().signed else (0, 1 << len(a))
    )
    bench = Bench(m)

    async def all_pairs(ctx):
        for x, y in itertools.product(range(low, high), repeat=2):
            ctx.set(a, x)
            ctx.set(b, y)
            assert ctx.get(result) == (x > y), (x, y)

    bench.add(all_pairs)
    bench.run()


@pytest.mark.parametrize("op", ["sum", "max"])
@pytest.mark.parametrize(
    "pixels, channels, lanes", [(4, 2, 2), (4, 4, 2), (5, 6, 2), (3, 5, 1), (1, 4, 2), (2, 9, 1), (1, 1, 1)]
)
@pytest.mark.parametrize("gaps, permits", [(0.5, 0.5), (0, 0), (0, 0.7)])
def test_totals(op, pixels, channels, lanes, gaps, permits):
    value = Range(-128, 90)
    dut = GlobalSum(pixels=pixels, channels=channels, lanes=lanes, value=value, op=op)
    frames = np.random.default_rng(pixels).integers(value.lo, value.hi + 1, (4, pixels, channels))
    frames[0], frames[1] = value.lo, value.hi
    want = frames.sum(1) if op == "sum" else frames.max(1)
    bench = Bench(dut, gaps=gaps)
    bench.send(dut.i, beats(frames, lanes))
    starts = bench.permit(dut, permits)
    got = bench.watch(dut.o, 4 * channels // lanes)
    bench.run()
    assert got == [(w, 1, 1) for w in beats(want, lanes)]
    assert len(starts) == len(got)
    assert all(word - start == 1 for start, word in zip(starts, bench.clocks["o"]))
    if gaps == permits == 0:
        assert (
            bench.clocks["o"][-1] - bench.clocks["o"][channels // lanes - 1] == 3 * pixels * channels // lanes
        )


@pytest.mark.parametrize(
    "fields, message", [(dict(lanes=3), "lanes"), (dict(pixels=0), "pixel"), (dict(op="min"), "op")]
)
def test_errors(fields, message):
    with pytest.raises(ValueError, match=message):
        GlobalSum(**dict(pixels=4, channels=4, lanes=2, value=INT8) | fields)
