"""Roundings that random models meet once in a million: built so that a wrong one shows."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx_runtime import Builder, Run, session

from hwgen.layers.requantize_onnx import batch_norm

EVERY_PAIR = np.stack(np.meshgrid(np.arange(256), np.arange(256)))[None].astype(np.uint8)

# (sa, sb, sc, za, zb, zc) at which another order of the multiply-adds, or a product rounded before
# it is added, changes one of the 65,536 outputs.
DELICATE = [
    (0.15790149569511414, 0.11577572673559189, 0.19463379681110382, 141, 22, 61),
    (0.1616802215576172, 0.17422962188720703, 0.136503204703331, 232, 175, 196),
    (0.06804422289133072, 0.045860592275857925, 0.05615139752626419, 77, 62, 184),
    (0.08080776780843735, 0.19950515031814575, 0.2040151208639145, 207, 22, 162),
]


def picked(net: Builder, x: str) -> list[str]:
    """Both channels of an image as integers of their own, through 1x1 convolutions."""
    found = []
    for weights in ([[1, 0]], [[0, 1]]):
        unit = net.params(1.0, 0, "uint8")
        kernel = net.const(np.reshape(weights, (1, 2, 1, 1)), "uint8")
        found.append(net.node("QLinearConv", x, *unit, kernel, *unit, *unit))
    return found


@pytest.mark.parametrize("case", DELICATE)
def test_qlinear_add_multiplies_and_adds_in_the_runtimes_order(case: tuple[float, ...]) -> None:
    sa, sb, sc, za, zb, zc = case
    net = Builder()
    a, b = picked(net, net.input((1, 2, 256, 256), "uint8"))
    parts = [a, *net.params(sa, za, "uint8"), b, *net.params(sb, zb, "uint8"), *net.params(sc, zc, "uint8")]
    net.node("QLinearAdd", *parts, domain="com.microsoft")
    Run(net.model("t2"), EVERY_PAIR).assert_equal()


@pytest.mark.parametrize("seed", range(6))
def test_float_addition_on_every_pair(seed: int) -> None:
    """Equal scales make ties of many pairs, which float32's roundings decide."""
    rng = np.random.default_rng(seed)
    sa = rng.uniform(0.01, 0.2)
    sb, sy = [(sa, 2 * sa), (sa, sa), (2 * sa, 4 * sa), (rng.uniform(0.01, 0.2), sa)][seed % 4]
    net = Builder()
    a, b = picked(net, net.input((1, 2, 256, 256), "uint8"))
    y = net.node("Add", net.dequantize(a, sa, 7, "uint8"), net.dequantize(b, sb, 200, "uint8"))
    y = net.quantize(y, sy, 131, "uint8")
    Run(net.model(y), EVERY_PAIR).assert_equal()


@pytest.mark.parametrize("seed", range(5))
def test_batch_norm_rounds_every_step(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 3, (50, 40)).astype(np.float32)
    scale, bias, mean, var = (rng.uniform(-1, 2, 40).astype(np.float32) for _ in range(4))
    constants = [scale, bias, mean, np.abs(var) + np.float32(0.01)]
    net = Builder()
    name = net.input(("n", 40))
    y = net.node("BatchNormalization", name, *(net.const(c) for c in constants), epsilon=1e-3)
    m, b = batch_norm(*constants, 1e-3)
    assert np.array_equal(session(net.model(y)).run(None, {name: x})[0], x * m + b)


def sums_near_ties() -> list[tuple[int, np.float32]]:
    """(sum, sy) with sum / sy a tie in float32 although not in exact arithmetic."""
    rng = np.random.default_rng(3)
    found = []
    while len(found) < 8:
        total, k = int(rng.integers(3000, 8000)), int(rng.integers(20, 110))
        sy = np.float32(total / (k + 0.5))
        if np.float32(total) / sy == k + 0.5 and float(total) / float(sy) != k + 0.5:
            found.append((total, sy))
    return found


@pytest.mark.parametrize(("total", "sy"), sums_near_ties())
@pytest.mark.parametrize("form", ["qdq", "qlinear"])
def test_division_rounds_before_the_tie(total: int, sy: np.float32, form: str) -> None:
    """Scales of 1 make the sum exact; the division (or the multiplication by 1/sy) alone rounds."""
    sums = np.arange(total - 40, total + 40)
    x = np.zeros((len(sums), 64), dtype=np.uint8)
    for row, value in zip(x, sums, strict=True):
        row[: value // 255] = 255
        row[value // 255] = value % 255
    ones: NDArray = np.ones((64, 1), dtype=np.uint8)
    net = Builder()
    name = net.input((1, 64), "uint8")
    unit = net.params(1.0, 0, "uint8")
    if form == "qlinear":
        net.node("QLinearMatMul", name, *unit, net.const(ones), *unit, *net.params(sy, 0, "uint8"))
    else:
        y = net.node("MatMul", net.node("DequantizeLinear", name, *unit), net.weights(ones, 1.0))
        net.quantize(y, sy, 0, "uint8")
    Run(net.model(net.nodes[-1].output[0]), x).assert_equal()
