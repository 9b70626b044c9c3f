"""XNOR-Net's K against QONNX's executor: binary convolutions times means of |activations| around a pixel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.random import Generator
from numpy.typing import NDArray
from qonnx_runtime import QBuilder, Run

import hwgen
from hwgen.frontend.qonnx import load
from hwgen.support.errors import UnsupportedError


def strength(net: QBuilder, x: str, box: str, size: int, channels: int, pad: int = 1) -> str:
    """K: by AveragePool, by a Conv with weights 2^-3, by ones and a division; or of one pixel."""
    x = net.node("Abs", x)
    if box == "sum":
        mean = net.node("ReduceSum", x, axes=[1], keepdims=1)
    else:
        mean = net.node("ReduceMean", x, axes=[1], keepdims=1)
    if box == "pixel":
        return mean
    pads = [pad] * 4
    if box == "pool":
        return net.node("AveragePool", mean, kernel_shape=[size, size], pads=pads, count_include_pad=1)
    weight = 0.125 if box == "box" else 1.0
    k = net.node("Conv", mean, net.const(np.full((1, 1, size, size), weight), "float32"), pads=pads)
    return net.node("Div", k, net.const(size * size * channels, "float32")) if box == "sum" else k


def xnor_net(rng: Generator, box: str, channels: int = 4) -> QBuilder:
    """Two blocks of batch normalisation, sign, binary convolution, alpha and K, pooling; a dense layer."""
    net = QBuilder()
    x = net.quant(net.input((1, 3, 8, 8)), 0.25, 5)
    w = net.bipolar(net.const(rng.normal(0, 1, (channels, 3, 3, 3)), "float32"))
    x = net.batch_norm(net.node("Conv", x, w, pads=[1, 1, 1, 1]), channels, rng, size=2.0)
    size = 1 if box == "pixel" else 3
    pad = size // 2
    for outputs in (6, 5):
        x = net.quant(x, 0.25, 4)
        inputs = channels if outputs == 6 else 6
        w = net.bipolar(net.const(rng.normal(0, 1, (outputs, inputs, size, size)), "float32"))
        y = net.node("Conv", net.bipolar(x), w, pads=[pad] * 4)
        y = net.node("Mul", y, net.const(rng.uniform(0.02, 0.3, (1, outputs, 1, 1)), "float32"))
        kind = "sum" if box in ("box", "pool") and outputs == 5 else box  # a mean of 6 channels is rounded
        y = net.node("Mul", y, strength(net, x, kind, size, inputs, pad))
        x = net.batch_norm(y, outputs, rng, size=1.5)
        if outputs == 6:
            x = net.node("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    x = net.node("Flatten", net.quant(x, 0.5, 3))
    net.node("MatMul", x, net.const(rng.choice([-1.0, 1.0], (80, 4)), "float32"))
    return net


def run(net: QBuilder, x: NDArray) -> Run:
    return Run(net.qonnx(net.nodes[-1].output[0]), x.astype(np.float32))


@pytest.mark.parametrize("box", ["sum", "pool", "box", "pixel"])
def test_net(box: str) -> None:
    rng = np.random.default_rng(1)
    done = run(xnor_net(rng, box), rng.normal(0, 1.5, (40, 3, 8, 8)))
    done.assert_equal(least=3)
    kinds = [node.kind for node in done.graph.nodes]
    assert kinds.count("scale") == kinds.count("abssum") == 2
    assert kinds.count("sumpool") == (0 if box == "pixel" else 2)
    assert done.graph.notes == []
    assert all(len(np.unique(done.values[n.output])) > 2 for n in done.graph.nodes if n.kind == "scale")


ALPHA = np.float32(0.1)


def pixel_products(thresholds: NDArray) -> QBuilder:
    """z * 0.1 * K of one pixel with three channels, z = -3, -1, 1 or 3, against thresholds."""
    net = QBuilder()
    x = net.quant(net.input((1, 3, 3, 3)), 0.25, 4)
    y = net.node("Conv", net.bipolar(x), net.const([[[[1.0]], [[1.0]], [[-1.0]]]], "float32"))
    y = net.node("Mul", y, net.const(ALPHA, "float32"))
    y = net.node("Mul", y, strength(net, x, "pixel", 1, 3))
    fields = {"domain": "qonnx.custom_op.general", "out_dtype": "UINT4"}
    net.node("MultiThreshold", y, net.const(np.sort(thresholds)[None, :], "float32"), **fields)
    return net


def floats_of(product: int) -> list[np.float32]:
    """What float32 makes of all pairs with a product."""
    pairs = [(z, product // z) for z in (1, 3) if product % z == 0]
    return [np.float32(z) * ALPHA * (np.float32(s) * np.float32(0.25) / np.float32(3)) for z, s in pairs]


def test_thresholds_on_the_float_of_a_product_itself() -> None:
    """Both pairs of each product are tried, as float32 computes them: the least of them is not below."""
    rng = np.random.default_rng(2)
    assert any(len(set(floats_of(product))) > 1 for product in (3, 6, 9, 12, 15, 18, 21))
    thresholds = np.array([min(floats_of(product)) for product in (3, 5, 6, 9, 12, 15, 18, 21)])
    x = rng.integers(-8, 8, (300, 3, 3, 3)) / 4
    done = run(pixel_products(thresholds), x)
    done.assert_equal()
    assert len(np.unique(done.y)) == 9


def test_pairs_of_one_product_on_both_sides_of_a_threshold_are_named() -> None:
    product = next(p for p in (3, 6, 9, 12, 15, 18, 21) if len(set(floats_of(p))) > 1)
    net = pixel_products(np.array([max(floats_of(product))]))
    refused(net, rf"MultiThreshold: the product with K: .* both {product}, on different sides .*channel 0")


def refused(net: QBuilder, message: str) -> None:
    with pytest.raises(UnsupportedError, match=message):
        load(net.qonnx(net.nodes[-1].output[0]).SerializeToString(), "test")


def block(
    *, channels: int = 4, alpha: float = 1.0, box: str = "pool", bias: bool = False, border: int = 1
) -> QBuilder:
    """A block with whatever makes its sums inexact."""
    rng = np.random.default_rng(3)
    net = QBuilder()
    x = net.quant(net.input((1, channels, 6, 6)), 0.25, 4)
    w = net.bipolar(net.const(rng.normal(0, 1, (2, channels, 3, 3)), "float32"), alpha)
    y = net.node("Conv", net.bipolar(x), w, pads=[1, 1, 1, 1])
    if bias:
        y = net.node("Add", y, net.const(0.3, "float32"))
    mean = net.node("ReduceMean", net.node("Abs", x), axes=[1], keepdims=1)
    if box == "pool":
        k = net.node("AveragePool", mean, kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=border)
    else:
        values = np.full((1, 1, 3, 3), 1 / 9)
        values[0, 0, 1, 1] *= 2 if box == "peak" else 1
        k = net.node("Conv", mean, net.const(values, "float32"), pads=[1, 1, 1, 1])
    net.quant(net.node("Mul", y, k), 0.7, 4)
    return net


def test_what_float32_adds_in_no_certain_order_is_refused() -> None:
    refused(block(alpha=0.3), "Mul: a product of float32 sums that round in an order of the runtime's own")
    refused(block(channels=3), "AveragePool: adds up means that float32 has rounded already")
    refused(block(box="ninth"), "Conv: adds up floats that round in float32.*AveragePool divides after")
    refused(block(box="peak"), "Conv: a convolution of K with weights that differ")
    refused(block(border=0), "AveragePool: an average of K that leaves out the border")
    refused(block(bias=True), "Mul: a bias between the convolution and its product with K")
    net = block()
    load(net.qonnx(net.nodes[-1].output[0]).SerializeToString(), "test")


@pytest.mark.sim
@pytest.mark.parametrize("box", ["pool", "pixel"])
def test_hardware(box: str, tmp_path: Path) -> None:
    """Every layer's integers in RTL, under gaps and back-pressure."""
    rng = np.random.default_rng(1)
    net = xnor_net(rng, box)
    (tmp_path / "net.onnx").write_bytes(net.qonnx(net.nodes[-1].output[0]).SerializeToString())
    design = hwgen.compile(hwgen.load(tmp_path / "net.onnx"), board="ulx3s-85f", fps=20_000, out=tmp_path)
    result = design.verify(rng.normal(0, 1.5, (5, 3, 8, 8)).astype(np.float32), stages=True)
    assert result["exact"]["mismatches"] == 0 and result["exact"]["samples"] == 5
