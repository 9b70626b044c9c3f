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
from hwgen.runtime.link import Counters, Engine, Identity, Response, Status, UnitCounters
from hwgen.support.errors import UsageError

BIT, IDLE = 4, 1000
ID = 0xC0DE1234


def _about(**fields):
    known = {"clock": 25_000_000, "design_id": ID, "inputs": 0, "outputs": 0, "board": "board-of-sixteen+"}
    return Identity(Engine.STREAM, (1, 22, 255), **{**known, **fields})


def _system(core, inputs, outputs, bit=BIT, **about):
    m = Module()
    m.submodules.core = core
    m.submodules.link = link = Link(
        core.i.payload.shape(), core.o.payload.shape(), _about(**about), inputs=inputs, outputs=outputs,
        clocks_per_bit=bit, idle_clocks=IDLE,
    )  # fmt: skip
    wiring.connect(m, link.o, core.i)
    wiring.connect(m, link.i, core.o)
    return Host(m, link.rx, link.tx, bit), link


def _ok(values, width, sequence=0):
    return Response(Status.OK, host.pack_tensor(np.asarray(values), width), sequence)


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
        for sequence, x in enumerate(frames, 254):
            await bench.send(ctx, host.run_request(x, width, sequence % 256))
            answer = await bench.answer(ctx)
            assert answer.sequence == sequence % 256
            payload = answer.checked()
            expected = (x + 1 - low) % (1 << width) + low
            assert host.unpack_tensor(payload, width, signed).tolist() == expected.tolist()
            assert payload == host.pack_tensor(expected, width)  # extension bits too

    bench.run(script)


@pytest.mark.parametrize("queue", [1, 2])
def test_output_of_another_size_and_identify(queue):
    bench, link = _system(Fold(Range(-128, 127), 2, 8), 8, 1, queue=queue)
    x = np.array([100, -3, 5, 7, -128, 127, 1, 90])

    async def script(ctx):
        for _ in range(2):
            await bench.send(ctx, host.identify_request())
            seen = Identity.from_bytes((await bench.answer(ctx)).checked())
            assert seen == _about(inputs=8, outputs=2, board="board-of-sixteen", queue=queue)
            await bench.send(ctx, host.run_request(x, 8))
            assert host.unpack_tensor((await bench.answer(ctx)).checked(), 12, True).tolist() == [x.sum()]
        await ctx.delay(20e-6)
        assert ctx.get(link.busy) == 0 and ctx.get(link.error) == 0

    bench.run(script)


@pytest.mark.parametrize("queue", [1, 2])
def test_every_damaged_byte_is_noticed(queue):
    """A flipped bit behind the sync bytes: an error, the core sees nothing, the next frame works."""
    core = Increment(Range(-128, 127), 1)
    bench, link = _system(core, 4, 4, queue=queue)
    x = np.array([1, -2, 3, 127])
    frame = host.run_request(x, 8, 0x5A)
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
            expected = Status.BAD_REQUEST if at in (2, 4, 5, 6) else Status.BAD_CRC
            assert answer == Response(expected, b"", damaged[3]), (at, answer)
            assert ctx.get(link.error) == 1
        assert sum(beats) == 0
        await bench.send(ctx, frame)
        assert await bench.answer(ctx) == _ok([2, -1, 4, -128], 8, 0x5A)

    bench.run(script)


@pytest.mark.parametrize("kept", [1, 2, 3, 6, 9, 14])
def test_truncated_frame(kept):
    bench, _ = _system(Increment(Range(-128, 127), 1), 4, 4)
    frame = host.run_request(np.array([1, 2, 3, 4]), 8)
    assert len(frame) == 15 == host.frame_bytes(4)

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


def test_counters_and_reset():
    bench, link = _system(Fold(Range(-128, 127), 2, 8), 8, 1)
    good = host.run_request(np.arange(8), 8)
    moves, resets = [], []

    async def watch(ctx):
        beats = (link.o.valid, link.o.ready, link.i.valid, link.i.ready, link.reset)
        clock = 0
        async for _, _, go, ready, come, taken, reset in ctx.tick().sample(*beats):
            clock += 1
            resets.append(reset)
            if go & ready | come & taken:
                moves.append(clock)

    bench.sim.add_testbench(watch, background=True)

    async def status(ctx):
        await bench.send(ctx, host.encode_frame(host.Request.STATUS))
        return Counters.from_bytes((await bench.answer(ctx)).checked())

    async def script(ctx):
        assert await status(ctx) == Counters(True, False, 0, 0, 0)
        for runs in (1, 2):
            moves.clear()
            await bench.send(ctx, good)
            assert (await bench.answer(ctx)).checked()
            assert len(moves) == 5
            assert await status(ctx) == Counters(True, False, runs, 0, moves[-1] - moves[0] + 1)
        clocks = moves[-1] - moves[0] + 1
        await bench.send(ctx, good[:-1] + b"x")
        assert (await bench.answer(ctx)).status is Status.BAD_CRC
        assert await status(ctx) == Counters(True, True, 2, 1, clocks)
        assert await status(ctx) == Counters(True, False, 2, 1, clocks)
        await bench.send(ctx, host.encode_frame(host.Request.RESET, sequence=9))
        assert await bench.answer(ctx) == Response(Status.OK, b"", 9)
        assert sum(resets) == 1
        assert await status(ctx) == Counters(True, False, 0, 0, 0)
        await bench.send(ctx, host.encode_frame(host.Request.STATUS, b"x"))
        assert (await bench.answer(ctx)).status is Status.BAD_REQUEST

    bench.run(script)


def test_words_of_a_profile():
    bench, link = _system(Increment(Range(-128, 127), 1), 4, 4, words=10)
    units = tuple(UnitCounters(at << 20 | 7, at, ~at & 0xFFFFFFFF) for at in range(2))

    async def profile(ctx):
        words = [word for unit in units for word in (unit.busy, unit.starved, unit.blocked)]
        async for _, _, unit in ctx.tick().sample(link.unit):
            ctx.set(link.unit_word, words[unit] if unit < 6 else 0)

    bench.sim.add_testbench(profile, background=True)

    async def script(ctx):
        await bench.send(ctx, host.encode_frame(host.Request.STATUS))
        found = Counters.from_bytes((await bench.answer(ctx)).checked())
        assert found == Counters(True, False, 0, 0, 0, units)

    bench.run(script)


def test_two_requests_under_way():
    """The next request comes while one is computed and answered; all are answered, in their order."""
    bench, _ = _system(Increment(Range(-128, 127), 1), 4, 4, queue=2)
    inputs = [[k, 2 * k, -k, 100 - k] for k in range(12)]

    async def script(ctx):
        sent = 0
        for k, x in enumerate(inputs):
            while sent < len(inputs) and sent < k + 2:
                frame = host.run_request(np.array(inputs[sent]), 8, sent)
                if sent % 5 == 3:
                    frame = frame[:-1] + bytes([frame[-1] ^ 1])
                await bench.send(ctx, frame)
                sent += 1
                if sent % 4 == 0:
                    break
            answer = await bench.answer(ctx)
            wanted = [v + 1 for v in x]
            assert answer == (Response(Status.BAD_CRC, b"", k) if k % 5 == 3 else _ok(wanted, 8, k)), k

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
    ]:
        with pytest.raises(UsageError, match=message):
            Link(layout, layout, **{**good, key: value})
    with pytest.raises(UsageError, match="more than 32 bits"):
        Link(layout, layout, _about(design_id=1 << 32), **good)
    for wrong in ({"words": 3}, {"words": 5}, {"queue": 3}):
        with pytest.raises(ValueError, match=r"words|queue"):
            Link(layout, layout, _about(**wrong), **good)
