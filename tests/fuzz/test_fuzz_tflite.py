"""Damaged .tflite files: only hwgen's own errors (or success) come out, quickly and in little memory."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.random import Generator
from survival import megabytes, outcome, outcomes

from hwgen.compress.tflite_writer import Quantization, TfliteWriter
from hwgen.frontend import tflite
from hwgen.support.errors import ModelError

MUTATIONS, MEGABYTES = 4000, 400
INTERESTING = [
    0,
    1,
    -1,
    2,
    4,
    127,
    128,
    255,
    256,
    0x7FFF,
    0xFFFF,
    0x7FFFFFFF,
    -0x80000000,
    1 << 24,
    0x7F800000,
]


def small_model() -> bytes:
    """Most operations in 3 kB."""
    rng = np.random.default_rng(0)
    q = Quantization(0.05, -3)
    net = TfliteWriter()
    x = net.input((1, 6, 6, 2), None, "float32")
    y = net.elementwise("QUANTIZE", x, q)
    y = net.conv(
        y, rng.integers(-9, 9, (4, 3, 3, 2)), [0.01] * 4, rng.integers(-9, 9, 4), q, activation="RELU"
    )
    z = net.depthwise(y, rng.integers(-9, 9, (3, 3, 4)), [0.01], None, q, dilation=(2, 2))
    y = net.add(z, y, q, "RELU6")
    y = net.pool("AVERAGE", net.pad(y, [[0, 0], [1, 1], [0, 2], [0, 0]]), (3, 3), (2, 2), "SAME")
    y = net.elementwise("LOGISTIC", y, Quantization(1 / 256, -128))
    y = net.pool("MAX", y, (2, 2), (2, 2))
    y = net.reshape(net.mean(y, q), (1, 4))
    y = net.softmax(net.dense(y, rng.integers(-9, 9, (3, 4)), [0.02], rng.integers(-9, 9, 3), q))
    net.output(net.dequantize(y))
    return net.finish()


def mutations(data: bytes, rng: Generator) -> Iterator[bytes]:
    """Endless: flipped bytes, spliced 32-bit numbers, truncations, moved blocks."""
    while True:
        damaged = bytearray(data)
        kind = rng.integers(0, 6)
        if kind == 0:
            yield bytes(damaged[: rng.integers(0, len(data))])
            continue
        if kind == 1:
            start, length = rng.integers(0, len(data)), rng.integers(1, 64)
            to = rng.integers(0, len(data))
            damaged[to : to + length] = data[start : start + length]
        for _ in range(rng.integers(1, 6)):
            at = int(rng.integers(0, max(len(damaged) - 4, 1)))
            if kind == 2:
                damaged[at] = int(rng.integers(0, 256))
            elif kind == 3:
                damaged[at] ^= 1 << int(rng.integers(0, 8))
            else:
                value = INTERESTING[rng.integers(0, len(INTERESTING))]
                damaged[at & ~3 : (at & ~3) + 4] = (value & 0xFFFFFFFF).to_bytes(4, "little")
        yield bytes(damaged)


def test_damaged_files(models: Path) -> None:
    real = ["tflite_micro/hello_world_int8.tflite", "mltk/keyword_spotting_on_off.tflite"]
    sources = [small_model(), small_model(), *((models / name).read_bytes() for name in real)]
    run(sources, MUTATIONS)


def test_damaged_small_model() -> None:
    run([small_model()], 600)


def run(sources: list[bytes], count: int) -> None:
    rng = np.random.default_rng(1)
    streams = itertools.cycle([mutations(data, rng) for data in sources])
    found = outcomes(read, (next(stream) for stream in streams), count)
    assert {"ok", "ModelError", "UnsupportedError"} <= set(found), found


def read(data: bytes) -> None:
    tflite.load(data, "fuzz")


def test_memory_stays_bounded() -> None:
    assert megabytes(read, mutations(small_model(), np.random.default_rng(2)), 150) < MEGABYTES


@pytest.mark.parametrize("length", [0, 3, 7, 8, 12, 100])
def test_truncations(length: int) -> None:
    with pytest.raises(ModelError):
        tflite.load(small_model()[:length], "cut")


def test_every_truncation_of_the_small_model() -> None:
    data = small_model()
    for length in range(0, len(data), 37):
        outcome(read, data[:length])
