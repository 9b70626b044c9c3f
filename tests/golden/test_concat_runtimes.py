"""Concatenation of channels in every file format against its runtime, and refused where it would change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx_runtime
import pytest
import qonnx_runtime
from tflite_runtimes import assert_equal_to

from hwgen.compress.tflite_writer import Quantization, TfliteWriter
from hwgen.frontend.tflite import load as load_tflite
from hwgen.support.errors import UnsupportedError


def tflite_net(seed: int, second: float = 0.1, parts: int = 3, activation: str = "NONE") -> bytes:
    """Branches of one input, one of them the input itself, put together, and a convolution of all."""
    rng = np.random.default_rng(seed)
    net = TfliteWriter()
    out = Quantization(0.1, -7)
    x = net.input((1, 5, 6, 3), out)
    branches = [x]
    for width in (4, 5)[: parts - 1]:
        kernel = rng.integers(-127, 128, (width, 3, 3, 3))
        scale = Quantization(second, -7) if len(branches) == 1 else out
        bias = rng.integers(-300, 300, width)
        branches.append(net.conv(x, kernel, [0.01], bias, scale, padding="SAME"))
    joined = net.concat(branches, activation=activation)
    weights = rng.integers(-127, 128, (6, 1, 1, joined.shape[3]))
    net.output(net.conv(joined, weights, [0.01], rng.integers(-300, 300, 6), Quantization(0.3, 4)))
    return net.finish()


@pytest.mark.parametrize("runtime", ["tflm", "litert"])
@pytest.mark.parametrize("parts", [1, 2, 3])
def test_tflite(parts: int, runtime: str) -> None:
    x = np.random.default_rng(parts).integers(-128, 128, (8, 5, 6, 3)).astype(np.int8)
    assert_equal_to(runtime, tflite_net(parts, parts=parts), x)


def test_tflite_of_other_scales_is_refused() -> None:
    with pytest.raises(UnsupportedError, match=r"scale 0[.]2 and zero point -7, its output 0[.]1 and -7"):
        load_tflite(tflite_net(1, second=0.2), "test")


def test_tflite_with_an_activation_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="a fused activation, which the runtime does not take"):
        load_tflite(tflite_net(1, activation="RELU"), "test")


def qdq(scales: tuple[float, float], out: float, relu: bool, convolve: bool) -> tuple[Any, np.ndarray]:
    rng = np.random.default_rng(3)
    net = onnx_runtime.Builder()
    x = net.qdq(net.input(("batch", 4, 6, 5)), 0.0625, 3, "int8")
    sides = []
    for width, scale in zip((4, 2), scales):
        kernel = net.weights(rng.integers(-63, 64, (width, 4, 3, 3)).astype(np.int8), np.float32(2**-7))
        side = net.node("Conv", x, kernel, pads=[1, 1, 1, 1]) if convolve else x
        sides.append(net.qdq(side, scale, -5, "int8"))
    joined = net.node("Concat", *sides, axis=1)
    joined = net.qdq(net.node("Relu", joined) if relu else joined, out, -5, "int8")
    if convolve:
        kernel = net.weights(rng.integers(-63, 64, (3, 6, 1, 1)).astype(np.int8), np.float32(2**-7))
        net.qdq(net.node("Conv", joined, kernel), 0.5, 0, "int8")
    return net, rng.normal(0, 2, (10, 4, 6, 5)).astype(np.float32)


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize(
    ("scales", "out", "convolve"),
    [((0.25, 0.25), 0.25, True), ((0.25, 0.125), 0.25, True), ((0.071, 0.031), 0.053, False)],
)
def test_qdq(scales: tuple[float, float], out: float, relu: bool, convolve: bool) -> None:
    """Of equal scales the integers stay what they are; of others QuantizeLinear makes new ones of each."""
    net, x = qdq(scales, out, relu, convolve)
    run = onnx_runtime.Run(net.model(net.nodes[-1].output[0]), x)
    (node,) = [node for node in run.graph.nodes if node.kind == "concat"]
    assert run.graph.tensors[node.output].shape == (6, 5, 6 if convolve else 8)
    run.assert_equal()


@pytest.mark.parametrize("scales", [(0.1, 0.1), (0.1, 0.023)])
def test_qlinear(scales: tuple[float, float]) -> None:
    rng = np.random.default_rng(5)
    net = onnx_runtime.Builder()
    x = net.quantize(net.input(("batch", 4, 3, 2)), 0.1, 7, "uint8")
    one = net.params(0.1, 7, "uint8")
    other = net.params(scales[1], 100 if scales[1] != 0.1 else 7, "uint8")
    y = net.node("QLinearGlobalAveragePool", x, *one, *other, domain="com.microsoft", channels_last=0)
    pooled = net.node("MaxPool", x, kernel_shape=[3, 2])
    net.node("QLinearConcat", *one, pooled, *one, y, *other, domain="com.microsoft", axis=1)
    run = onnx_runtime.Run(
        net.model(net.nodes[-1].output[0]), rng.normal(0, 8, (30, 4, 3, 2)).astype(np.float32)
    )
    assert any(node.kind == "concat" for node in run.graph.nodes)
    run.assert_equal()


def qonnx_net(kind: str) -> tuple[Any, np.ndarray]:
    rng = np.random.default_rng(7)
    net = qonnx_runtime.QBuilder()
    x = net.quant(net.input((1, 3, 6, 5)), 0.25, 4)
    quantisers: dict[str, Callable[[str], str]] = {
        "equal": lambda y: net.quant(y, 0.5, 4),
        "scales": lambda y: net.quant(y, 0.5 if y.endswith("5") else 0.125, 4),
        "bits": lambda y: net.quant(net.node("Relu", y), 0.5, 2 if y.endswith("5") else 4, signed=False),
    }
    sides = []
    for width in (4, 6):
        kernel = net.quant(net.const(rng.normal(0, 1, (width, 3, 3, 3)), "float32"), 0.25, 3)
        sides.append(quantisers[kind](net.node("Conv", x, kernel, pads=[1, 1, 1, 1])))
    joined = net.node("Concat", *sides, axis=1)
    joined = net.quant(joined, 0.25, 5) if kind == "scales" else joined
    kernel = net.quant(net.const(rng.normal(0, 1, (3, 10, 1, 1)), "float32"), 0.25, 3)
    net.quant(net.node("Conv", joined, kernel), 0.5, 6)
    return net, rng.normal(0, 1, (6, 3, 6, 5)).astype(np.float32)


@pytest.mark.parametrize("kind", ["equal", "scales", "bits"])
def test_qonnx(kind: str) -> None:
    net, x = qonnx_net(kind)
    run = qonnx_runtime.Run(net.qonnx(net.nodes[-1].output[0]), x)
    assert any(node.kind == "concat" for node in run.graph.nodes)
    run.assert_equal()


def test_vectors() -> None:
    rng = np.random.default_rng(9)
    net = onnx_runtime.Builder()
    x = net.qdq(net.input(("batch", 6)), 0.125, 0, "int8")
    sides = []
    for width in (3, 5):
        weights = net.weights(rng.integers(-63, 64, (width, 6)).astype(np.int8), np.float32(2**-7))
        sides.append(net.qdq(net.node("Gemm", x, weights, transB=1), 0.25, 0, "int8"))
    net.qdq(net.node("Concat", *sides, axis=-1), 0.25, 0, "int8")
    run = onnx_runtime.Run(net.model(net.nodes[-1].output[0]), rng.normal(0, 2, (20, 6)).astype(np.float32))
    run.assert_equal()
