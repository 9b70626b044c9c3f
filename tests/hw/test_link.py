"""The small protocol end to end: UART waveforms in, a core behind it, UART waveforms out."""

from __future__ import annotations

import random

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from link_host import Fold, Host, Increment

from hwgen.hw.link.link import Link
from hwgen.numeric.ranges import Range
from hwgen.runtime import link as host
from hwgen.runtime.link import Response, Status
from hwgen.support.errors import UsageError

BIT, IDLE = 4, 1000
ID = 0xC0DE1234


def _system(core, inputs, outputs, bit=BIT):
    m = Module()
    m.submodules.core = core
    m.submodules.link = link = Link(
        core.i.payload.shape(), core.o.payload.shape(), inputs=inputs, outputs=outputs,
        clocks_per_bit=bit, idle_clocks=IDLE, design_id=ID,
    )  # fmt: skip
    wiring.connect(m, link.o, core.i)
    wiring.connect(m, link.i, core.o)
    return Host(m, link.rx, link.tx, bit), link


def _ok(values, width):
    return Response(Status.OK, host.pack_tensor(np.asarray(values), width))


@pytest.mark.parametrize(
    ("value", "lanes", "elements"),
    [
        (Range(-128, 127), 1, 5),
        (Range(-128, 127), 4, 12),
        (Range(0, 1), 3, 6),  # bits travel a byte each
        (Range(-4, 3), 2, 8),  # narrow and signed: extended on the way out
        (Range(0, 1000), 1, 3),  # two bytes an element
        (Range(-300, 70000), 2, 4),  # three
        (Range(0, 255), 1, 1),
    ],
)
def test_good_frames(value, lanes, elements):
    width, signed = Increment(value, lanes).layout.elem_shape.width, value.lo < 0
    generator = np.random.default_rng(1)
    frames = [generator.integers(value.lo, value.hi + 1, elements) for _ in range(3)]
    low = -(1 << width - 1) if signed else 0
    bench, _ = _system(Increment(value, lanes), elements, elements)

    async def script(ctx):
        for x in frames:
            await bench.send(ctx, host.run_request(x, width))
            payload = (await bench.answer(ctx)).checked()
            expected = (x + 1 - low) % (1 << width) + low
            assert host.unpack_tensor(payload, width, signed).tolist() == expected.tolist()
            assert payload == host.pack_tensor(expected, width)  # extension bits too

    bench.run(script)


def test_output_of_another_size_and_identify():
    bench, link = _system(Fold(Range(-128, 127), 2, 8), 8, 1)
    x = np.array([100, -3, 5, 7, -128, 127, 1, 90])

    async def script(ctx):
        for _ in range(2):
            await bench.send(ctx, host.identify_request())
            assert host.unpack_id((await bench.answer(ctx)).checked()) == ID
            await bench.send(ctx, host.run_request(x, 8))
            assert host.unpack_tensor((await bench.answer(ctx)).checked(), 12, True).tolist() == [x.sum()]
        await ctx.delay(20e-6)
        assert ctx.get(link.busy) == 0 and ctx.get(link.error) == 0

    bench.run(script)


def test_every_damaged_byte_is_noticed():
    """A flipped bit behind the sync bytes: an error, the core sees nothing, the next frame works."""
    core = Increment(Range(-128, 127), 1)
    bench, link = _system(core, 4, 4)
    x = np.array([1, -2, 3, 127])
    frame = host.run_request(x, 8)
    generator = random.Random(2)
    beats = []

    async def watch(ctx):
        async for _, _, valid in ctx.tick().sample(core.i.valid):
            beats.append(valid)

    bench.sim.add_testbench(watch, background=True)

    async def script(ctx):
        for at in range(2, len(frame)):
            damaged = bytearray(frame)
            damaged[at] ^= 1 << generator.randrange(8)
            await bench.send(ctx, bytes(damaged))
            answer = await bench.answer(ctx)
            expected = Status.BAD_REQUEST if at < 6 else Status.BAD_CRC
            assert answer == Response(expected, b""), (at, answer)
            assert ctx.get(link.error) == 1
        assert sum(beats) == 0
        await bench.send(ctx, frame)
        assert await bench.answer(ctx) == _ok([2, -1, 4, -128], 8)

    bench.run(script)


@pytest.mark.parametrize("kept", [1, 2, 3, 6, 9, 11])
def test_truncated_frame(kept):
    bench, _ = _system(Increment(Range(-128, 127), 1), 4, 4)
    frame = host.run_request(np.array([1, 2, 3, 4]), 8)
    assert len(frame) == 12

    async def script(ctx):
        await bench.send(ctx, frame[:kept])
        answer = await bench.answer(ctx, within_bits=IDLE / BIT + 200)
        assert answer == (Response(Status.TRUNCATED, b"") if kept >= 2 else None)
        await bench.send(ctx, frame)
        assert await bench.answer(ctx) == _ok([2, 3, 4, 5], 8)

    bench.run(script)


def test_pauses_shorter_than_the_idle_time_are_fine():
    bench, _ = _system(Increment(Range(-128, 127), 1), 4, 4)

    async def script(ctx):
        await bench.send(ctx, host.run_request(np.array([1, 2, 3, 4]), 8), gap_bits=0.9 * IDLE / BIT)
        assert await bench.answer(ctx) == _ok([2, 3, 4, 5], 8)

    bench.run(script)


def test_back_to_back_and_noise():
    """Frames follow answers at once; line noise and sync bytes as data do not confuse the receiver."""
    bench, _ = _system(Increment(Range(-128, 127), 1), 6, 6)
    tricky = np.array([0xA5 - 256, 0x5A, 0xA5 - 256, 0x5A, 1, 0])

    async def script(ctx):
        await bench.send(ctx, b"\x00\xff\x5a\xa5\xa5")  # ends with what may be a sync byte
        for _ in range(5):
            await bench.send(ctx, host.run_request(tricky, 8))
            assert await bench.answer(ctx) == _ok(tricky + 1, 8)

    bench.run(script)


def test_a_frame_sent_before_the_answer_is_lost_not_mixed_up():
    bench, _ = _system(Increment(Range(-128, 127), 1), 4, 4)
    first, second = (host.run_request(np.array(x), 8) for x in ([1, 2, 3, 4], [5, 6, 7, 8]))

    async def script(ctx):
        await bench.send(ctx, first + second)
        assert await bench.answer(ctx) == _ok([2, 3, 4, 5], 8)
        assert await bench.answer(ctx, within_bits=2 * IDLE / BIT) is None
        await bench.send(ctx, second)
        assert await bench.answer(ctx) == _ok([6, 7, 8, 9], 8)

    bench.run(script)


@pytest.mark.parametrize("rate", [0.98, 1.02])
def test_baud_rates_that_differ(rate):
    bench, _ = _system(Increment(Range(-128, 127), 1), 4, 4, bit=16)

    async def script(ctx):
        bench.bit = 16 * rate
        await bench.send(ctx, host.run_request(np.array([1, -2, 85, 4]), 8))
        bench.bit = 16
        assert await bench.answer(ctx) == _ok([2, -1, 86, 5], 8)

    bench.run(script)


def test_stop_bit_of_zero_drops_the_byte():
    bench, _ = _system(Increment(Range(-128, 127), 1), 4, 4, bit=8)
    frame = host.run_request(np.array([1, 2, 3, 4]), 8)

    async def script(ctx):
        ctx.set(bench.rx, 0)  # a break: the host's cable is pulled
        await ctx.delay(500e-6)
        ctx.set(bench.rx, 1)
        await ctx.delay(500e-6)
        await bench.send(ctx, frame)
        assert await bench.answer(ctx) == _ok([2, 3, 4, 5], 8)

    bench.run(script)


def test_wrong_arguments():
    core = Increment(Range(-128, 127), 4)
    layout = core.i.payload.shape()
    good = {"inputs": 4, "outputs": 4, "clocks_per_bit": 8, "idle_clocks": 99}
    for key, value, message in [
        ("inputs", 5, "5 elements are no whole number of beats of 4"),
        ("outputs", 0, "no whole number"),
        ("inputs", 1 << 24, "does not fit a frame"),
        ("design_id", 1 << 32, "more than 32 bits"),
    ]:
        with pytest.raises(UsageError, match=message):
            Link(layout, layout, **{**good, key: value})
