"""Serializer against NumPy, with the closest and with random spacing."""

from __future__ import annotations

import numpy as np
import pytest
from streambench import Bench

from hwgen.hw.serializer import Serializer
from hwgen.numeric.ranges import Range

ACC = Range(-5000, 3000)


@pytest.mark.parametrize("pe, lanes", [(1, 1), (4, 4), (4, 1), (6, 2), (2, 1), (12, 4)])
@pytest.mark.parametrize("gaps", [0, 0.6])
def test_words(pe, lanes, gaps):
    dut = Serializer(shape=ACC, pe=pe, lanes=lanes)
    vectors = np.random.default_rng(pe).integers(ACC.lo, ACC.hi + 1, (12, pe))
    bench = Bench(dut)
    words = pe // lanes

    async def source(ctx):
        for vector in vectors:
            ctx.set(dut.i.payload, vector.tolist())
            ctx.set(dut.i.valid, 1)
            await ctx.tick()
            ctx.set(dut.i.valid, 0)
            ctx.set(dut.i.payload, [0] * pe)
            for _ in range(words - 1):
                await ctx.tick()
            while bench.random.random() < gaps:
                await ctx.tick()

    bench.add(source)
    got = bench.watch(dut.o, 12 * words)
    bench.run()
    assert [g[0] for g in got] == vectors.reshape(-1, lanes).tolist()
    assert [g[1:] for g in got] == [(int(k == 0), int(k == words - 1)) for k in range(words)] * 12
    if gaps == 0:
        clocks = bench.clocks["o"]
        assert clocks[-1] - clocks[0] == 12 * words - 1


@pytest.mark.parametrize("pe, lanes", [(1, 1), (4, 4), (4, 2), (6, 1)])
def test_shared_value_is_taken_off(pe, lanes):
    dut = Serializer(shape=ACC, pe=pe, lanes=lanes, shared=True)
    random = np.random.default_rng(pe)
    wanted = random.integers(ACC.lo, ACC.hi + 1, (9, pe))
    common = random.integers(-(1 << 13), 1 << 13, (9, 1))
    sums = (wanted + common + (1 << 13)) % (1 << 14) - (1 << 13)  # modulo the width
    bench = Bench(dut)

    async def source(ctx):
        for vector, shared in zip(sums, common):
            ctx.set(dut.i.payload, [*vector.tolist(), int(shared[0])])
            ctx.set(dut.i.valid, 1)
            await ctx.tick()
            ctx.set(dut.i.valid, 0)
            for _ in range(pe // lanes - 1):
                await ctx.tick()

    bench.add(source)
    got = bench.watch(dut.o, 9 * pe // lanes)
    bench.run()
    assert [g[0] for g in got] == wanted.reshape(-1, lanes).tolist()


def test_latency():
    for pe, lanes in ((4, 4), (4, 2)):
        dut = Serializer(shape=ACC, pe=pe, lanes=lanes)
        bench = Bench(dut)
        bench.drive(dut.i, [([1] * pe, 1, 1)], gaps=0)
        bench.watch(dut.o, 1)
        bench.watch(dut.i, 1, "i")
        bench.run()
        assert bench.clocks["o"][0] - bench.clocks["i"][0] == dut.latency


@pytest.mark.parametrize("pe, lanes", [(4, 3), (2, 4), (4, 0)])
def test_errors(pe, lanes):
    with pytest.raises(ValueError, match="lanes must divide"):
        Serializer(shape=ACC, pe=pe, lanes=lanes)
