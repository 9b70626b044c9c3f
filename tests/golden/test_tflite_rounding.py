"""Requantisation at its edges: accumulators (biases) exactly where one rule or another takes a step.

Random models meet such an accumulator once in 10^5 outputs; here every one is such a place, so that
a multiplier that is off by its last bit, or another rounding, cannot pass.
"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.random import Generator
from tflite_runtimes import assert_equal_to, run_hwgen

from hwgen.compress.tflite_writer import Quantization, TensorRef, TfliteWriter
from hwgen.layers.requantize import requantize
from hwgen.numeric.ranges import Range
from hwgen.numeric.rounding import Ints

REACH = 1 << 28
INPUT_SCALE = 0.07


def stepping_points(weight_scale: float, out: Quantization, clamp: Range) -> Ints:
    """Accumulators just below and at each step, under every rule and way to multiply the scales."""
    sx, sw, sy = np.float32(INPUT_SCALE), np.float32(weight_scale), np.float32(out.scale)
    points = []
    for product in (np.float64(sx) * np.float64(sw), np.float64(sx * sw)):
        for rounding in ("fixed", "real"):
            real = product / np.float64(sy)
            steps = requantize([-REACH], [REACH], [real], out.zero_point, clamp, rounding).steps[0]
            points += [steps, steps - 1]
    found = np.unique(np.concatenate(points))
    return found[np.abs(found) < REACH]


def model(kind: str, dtype: str, per_channel: bool, rng: Generator) -> tuple[bytes, np.ndarray]:
    """A layer whose accumulators are its biases: weights equal to their zero point."""
    clamp = Range(0, 255) if dtype == "uint8" else Range(-128, 127)
    scale = float(rng.uniform(0.001, 0.1))
    out_scale = INPUT_SCALE * scale * (1 << 20) * float(rng.uniform(0.5, 1))
    out = Quantization(out_scale, int(rng.integers(clamp.lo, clamp.hi)))
    bias = stepping_points(scale, out, clamp)
    count = len(bias)
    zero = 3 if dtype == "uint8" else 0
    weights = np.full(count, zero)
    scales = [scale] * count if per_channel else [scale]
    net = TfliteWriter(dtype)
    q = Quantization(INPUT_SCALE, clamp.lo + 5)
    y: TensorRef
    if kind == "dense":
        x = net.input((1, 1), q)
        y = net.dense(x, weights[:, None], scales, bias, out, weight_zero_point=zero)
    elif kind == "conv":
        x = net.input((1, 1, 1, 1), q)
        y = net.conv(x, weights[:, None, None, None], scales, bias, out, weight_zero_point=zero)
    else:
        x = net.input((1, 1, 1, 1), q)
        y = net.depthwise(x, weights[None, None], scales, bias, out, weight_zero_point=zero)
    net.output(y)
    return net.finish(), np.zeros(x.shape, dtype)


@pytest.mark.parametrize("runtime", ["tflm", "litert"])
@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("kind", ["dense", "conv", "depthwise"])
@pytest.mark.parametrize("seed", range(2))
def test_int8(kind: str, per_channel: bool, runtime: str, seed: int) -> None:
    data, x = model(kind, "int8", per_channel, np.random.default_rng(seed))
    assert_equal_to(runtime, data, x)


@pytest.mark.parametrize("kind", ["dense", "conv", "depthwise"])
@pytest.mark.parametrize("seed", range(2))
def test_uint8(kind: str, seed: int) -> None:
    data, x = model(kind, "uint8", False, np.random.default_rng(seed))
    assert_equal_to("litert", data, x)


def test_the_two_rules_differ_here() -> None:
    data, x = model("dense", "int8", False, np.random.default_rng(0))
    assert np.any(run_hwgen(data, x, "tflm") != run_hwgen(data, x, "litert"))


@pytest.mark.parametrize("runtime", ["tflm", "litert"])
@pytest.mark.parametrize("scale", [2.0, 8.0])
def test_exact_halves(runtime: str, scale: float) -> None:
    net = TfliteWriter()
    x = net.input((1, 1), Quantization(1.0, 0))
    bias = np.arange(-200, 200)
    net.output(net.dense(x, np.zeros((400, 1)), [1.0], bias, Quantization(scale, 0)))
    assert_equal_to(runtime, net.finish(), np.zeros((1, 1), np.int8))
