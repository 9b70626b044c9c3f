"""AXI4-Stream around small cores, under gaps and back-pressure: data, TLAST, and misplaced TLAST."""

from __future__ import annotations

import random

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.sim import Simulator
from link_host import Fold, Increment

from hwgen.hw.link.axi_stream import AxiStream
from hwgen.numeric.ranges import Range
from hwgen.runtime.link import pack_tensor
from hwgen.support.errors import UsageError


def wrapped(core, inputs: int, outputs: int) -> tuple[Module, AxiStream]:
    m = Module()
    m.submodules.core = core
    m.submodules.axis = axis = AxiStream(
        inward=core.i.payload.shape(), outward=core.o.payload.shape(), inputs=inputs, outputs=outputs
    )
    wiring.connect(m, axis.i, core.i)
    wiring.connect(m, axis.o, core.o)
    return m, axis


def transfers(values: np.ndarray, width: int, lanes: int) -> list[bytes]:
    """The bytes of each transfer."""
    data = pack_tensor(values, width)
    size = -(-width // 8) * lanes
    return [data[at : at + size] for at in range(0, len(data), size)]


def play(m, axis, sent, count, busy=0.5, seed=1):
    """Sends (bytes, last); returns `count` received (bytes, last) and whether there was an error."""
    rng = random.Random(seed)
    got = []

    async def bench(ctx):
        left, offered, held = list(sent), False, None
        for _ in range(20_000):
            offered = bool(left) and (offered or rng.random() < busy)
            ready = rng.random() < busy
            noise = rng.randbytes(axis.s_axis.signature.bytes), rng.random() < 0.5
            data, last = left[0] if offered else noise
            ctx.set(axis.s_axis.tvalid, offered)
            ctx.set(axis.s_axis.tdata, int.from_bytes(data, "little"))
            ctx.set(axis.s_axis.tlast, last)
            ctx.set(axis.m_axis.tready, ready)
            now = (
                ctx.get(axis.m_axis.tdata).to_bytes(axis.m_axis.signature.bytes, "little"),
                ctx.get(axis.m_axis.tlast),
            )
            valid = ctx.get(axis.m_axis.tvalid)
            assert held is None or (valid and held == now), "an offer was changed or withdrawn"
            held = now if valid and not ready else None
            taken = offered and ctx.get(axis.s_axis.tready)
            if valid and ready:
                got.append(now)
            await ctx.tick()
            if taken:
                left.pop(0)
                offered = False
            if len(got) == count and not left:
                return
        raise AssertionError("it does not come to an end")

    errors = []

    async def after(ctx):
        async for _, _, error in ctx.tick().sample(axis.error):
            errors.append(error)

    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(after, background=True)
    simulator.add_testbench(bench)
    simulator.run()
    return got, bool(errors and errors[-1])


def framed(values, width, lanes):
    parts = transfers(values, width, lanes)
    return [(part, at == len(parts) - 1) for at, part in enumerate(parts)]


@pytest.mark.parametrize("busy", [1.0, 0.4])
@pytest.mark.parametrize(
    ("value", "lanes", "elements"),
    [
        (Range(-128, 127), 1, 5),
        (Range(-128, 127), 4, 12),
        (Range(0, 1), 3, 6),
        (Range(-4, 3), 2, 8),
        (Range(-300, 70_000), 2, 4),  # 18 bits in three bytes
        (Range(0, 255), 1, 1),  # a frame of one transfer
        (Range(0, 255), 1, 2),
    ],
)
def test_values_and_last(value: Range, lanes: int, elements: int, busy: float) -> None:
    core = Increment(value, lanes)
    m, axis = wrapped(core, elements, elements)
    width, signed = core.layout.elem_shape.width, value.lo < 0
    generator = np.random.default_rng(1)
    frames = [generator.integers(value.lo, value.hi, elements, endpoint=True) for _ in range(6)]
    low = -(1 << width - 1) if signed else 0
    sent = [each for frame in frames for each in framed(frame, width, lanes)]
    results = [(frame + 1 - low) % (1 << width) + low for frame in frames]
    wanted = [each for result in results for each in framed(result, width, lanes)]
    got, error = play(m, axis, sent, len(wanted), busy)
    assert got == wanted and not error


def test_output_frames_of_another_length() -> None:
    core = Fold(Range(-128, 127), 2, 8)
    m, axis = wrapped(core, 8, 1)
    frames = [np.random.default_rng(2).integers(-128, 127, 8, endpoint=True) for _ in range(4)]
    sent = [each for frame in frames for each in framed(frame, 8, 2)]
    got, error = play(m, axis, sent, 4)
    assert got == [(pack_tensor(np.array([frame.sum()]), 12), 1) for frame in frames] and not error


@pytest.mark.parametrize("wrong", range(8))
def test_misplaced_last_is_an_error(wrong: int) -> None:
    core = Increment(Range(-128, 127), 2)
    m, axis = wrapped(core, 8, 8)
    frames = [np.arange(8), np.arange(8) + 50]
    sent = [each for frame in frames for each in framed(frame, 8, 2)]
    sent[wrong] = (sent[wrong][0], not sent[wrong][1])
    # another two transfers, so that the flag is there when the last one has come
    got, error = play(m, axis, sent + sent[:2], 10)
    assert error and [data for data, _ in got[:8]] == [d for f in frames for d in transfers(f + 1, 8, 2)]


def test_whole_beats() -> None:
    with pytest.raises(UsageError, match="no whole number of beats"):
        wrapped(Increment(Range(0, 1), 4), 6, 8)
