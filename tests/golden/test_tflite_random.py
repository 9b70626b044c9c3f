"""Random small models of every supported operation against the real runtimes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.random import Generator
from tflite_runtimes import assert_equal_to

from hwgen.compress.tflite_writer import Quantization, TensorRef, TfliteWriter

BOTH = ("tflm", "litert")
EVERY = np.arange(-128, 128, dtype=np.int8).reshape(1, 256)
ACTIVATIONS = ("NONE", "RELU", "RELU6", "RELU_N1_TO_1")


def some(rng: Generator) -> Quantization:
    """Any scale and zero point."""
    return Quantization(float(rng.uniform(0.01, 0.3)), int(rng.integers(-128, 128)))


def images(rng: Generator, shape: tuple[int, ...], count: int = 6) -> np.ndarray:
    return rng.integers(-128, 128, (count, *shape)).astype(np.int8)


def scales(rng: Generator, outputs: int, seed: int) -> list[float]:
    """Per channel for odd seeds, per tensor for even ones."""
    return rng.uniform(0.001, 0.02, outputs if seed % 2 else 1).tolist()


def compare(net: TfliteWriter, out: TensorRef, x: np.ndarray, runtimes: tuple[str, ...] = BOTH) -> None:
    net.output(out)
    data = net.finish()
    for runtime in runtimes:
        assert_equal_to(runtime, data, x)


@pytest.mark.parametrize("seed", range(12))
def test_conv(seed: int) -> None:
    rng = np.random.default_rng(seed)
    net = TfliteWriter()
    x = net.input((1, 7, 9, 4), some(rng))
    dilated = seed % 3 == 2
    y = net.conv(
        x,
        rng.integers(-127, 128, (6, 3, 2, 2 if seed % 4 == 3 else 4)),
        scales(rng, 6, seed),
        rng.integers(-3000, 3000, 6) if seed != 5 else None,
        some(rng),
        stride=(1, 1) if dilated else (1 + seed % 2, 1 + seed // 2 % 2),
        padding=("SAME", "VALID")[seed // 3 % 2],
        activation=ACTIVATIONS[seed % 4],
        dilation=(1, 2) if dilated else (1, 1),
    )
    compare(net, y, images(rng, (7, 9, 4)), BOTH if seed != 5 else ("tflm",))  # LiteRT wants a bias


@pytest.mark.parametrize("seed", range(8))
def test_depthwise(seed: int) -> None:
    rng = np.random.default_rng(seed)
    net = TfliteWriter()
    x = net.input((1, 7, 9, 4), some(rng))
    outputs = 4 * (1 + seed // 4)
    y = net.depthwise(
        x,
        rng.integers(-127, 128, (3, 2, outputs)),
        scales(rng, outputs, seed),
        rng.integers(-3000, 3000, outputs),
        some(rng),
        stride=((2, 2), (1, 1))[seed % 2],
        padding=("SAME", "VALID")[seed // 2 % 2],
        activation=ACTIVATIONS[seed % 4],
        dilation=(2, 1) if seed == 3 else (1, 1),
    )
    compare(net, y, images(rng, (7, 9, 4)))


@pytest.mark.parametrize("seed", range(6))
def test_dense(seed: int) -> None:
    rng = np.random.default_rng(seed)
    net = TfliteWriter()
    x = net.input((1, 30), some(rng))
    y = net.dense(
        x,
        rng.integers(-127, 128, (50, 30)),
        scales(rng, 50, seed),
        rng.integers(-3000, 3000, 50) if seed else None,
        some(rng),
        activation=ACTIVATIONS[seed % 4],
    )
    compare(net, y, images(rng, (30,), 40))


def test_dense_keeps_dimensions_or_flattens() -> None:
    rng = np.random.default_rng(3)
    for keep, depth in ((True, 3), (False, 90)):
        net = TfliteWriter()
        x = net.input((1, 5, 6, 3), some(rng))
        weights = rng.integers(-127, 128, (5, depth))
        y = net.dense(x, weights, [0.01], None, Quantization(1.1, 3), keep_dims=keep)
        compare(net, y, images(rng, (5, 6, 3)))


@pytest.mark.parametrize("kind", ["AVERAGE", "MAX"])
@pytest.mark.parametrize("seed", range(4))
def test_pool(kind: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    net = TfliteWriter()
    x = net.input((1, 8, 9, 3), some(rng))
    stride = ((2, 2), (1, 1))[seed % 2]
    y = net.pool(kind, x, (3, 2), stride, ("SAME", "VALID")[seed // 2], ACTIVATIONS[seed])
    compare(net, y, images(rng, (8, 9, 3)))


@pytest.mark.parametrize("seed", range(8))
def test_mean(seed: int) -> None:
    rng = np.random.default_rng(seed)
    net = TfliteWriter()
    x = net.input((1, 8, 9, 3), some(rng))
    assert x.quantization is not None
    out = x.quantization if seed % 2 else some(rng)
    axes = ((1, 2), (2, 1), (1,), (-2,))[seed // 2]
    compare(net, net.mean(x, out, axes, keep=seed % 3 == 0), images(rng, (8, 9, 3)))


@pytest.mark.parametrize("kind", ["RELU", "RELU6", "RELU_N1_TO_1", "QUANTIZE", "LOGISTIC", "TANH"])
@pytest.mark.parametrize("seed", range(4))
def test_elementwise_on_all_inputs(kind: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    net = TfliteWriter()
    x = net.input((1, 256), some(rng))
    fixed = {"LOGISTIC": Quantization(1 / 256, -128), "TANH": Quantization(1 / 128, 0)}
    out = fixed.get(kind) or (x.quantization if seed % 2 else some(rng))
    assert out is not None
    runtimes = ("litert",) if kind == "RELU_N1_TO_1" else BOTH  # TFLite Micro has no kernel for it
    compare(net, net.elementwise(kind, x, out), EVERY, runtimes)


@pytest.mark.parametrize("scale", [2.0**-26, 1e-4, 0.9, 7.9])
@pytest.mark.parametrize("kind", ["LOGISTIC", "TANH"])
def test_sigmoids_at_extreme_scales(kind: str, scale: float) -> None:
    net = TfliteWriter()
    x = net.input((1, 256), Quantization(scale, -3))
    out = Quantization(1 / 256, -128) if kind == "LOGISTIC" else Quantization(1 / 128, 0)
    compare(net, net.elementwise(kind, x, out), EVERY)


@pytest.mark.parametrize("seed", range(6))
def test_add(seed: int) -> None:
    rng = np.random.default_rng(seed)
    net = TfliteWriter()
    x = net.input((1, 3, 4, 5), some(rng))
    a = net.pool("MAX", x, (1, 1), (1, 1))
    b = net.elementwise("QUANTIZE", x, some(rng))
    compare(net, net.add(a, b, some(rng), ACTIVATIONS[seed % 4]), images(rng, (3, 4, 5), 30))


@pytest.mark.parametrize("shape", [(1,), (5,), (1, 1, 1, 5)])
def test_add_of_a_constant(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(len(shape))
    net = TfliteWriter()
    x = net.input((1, 3, 4, 5), some(rng))
    constant = net.constant(rng.integers(-128, 128, shape), "int8", some(rng))
    compare(net, net.add(x, constant, some(rng)), images(rng, (3, 4, 5), 30))


@pytest.mark.parametrize("scale", [0.001, 0.05, 0.2, 3.0])
def test_softmax(scale: float) -> None:
    rng = np.random.default_rng(7)
    net = TfliteWriter()
    x = net.input((1, 20), Quantization(scale, 5))
    compare(net, net.softmax(x, beta=1.0 if scale < 1 else 0.5), images(rng, (20,), 50))


def test_pad_argmax_and_the_lowest_index_of_a_tie() -> None:
    rng = np.random.default_rng(8)
    for value in (None, 7):
        net = TfliteWriter()
        x = net.input((1, 3, 4, 5), some(rng))
        compare(net, net.pad(x, [[0, 0], [1, 2], [0, 3], [0, 0]], value), images(rng, (3, 4, 5)))
    net = TfliteWriter()
    x = net.input((1, 3, 4, 5), some(rng))
    compare(net, net.argmax(x), rng.integers(-1, 1, (9, 3, 4, 5)).astype(np.int8))


def test_float_edges_round_halves_away() -> None:
    net = TfliteWriter()
    x = net.input((1, 300), None, "float32")
    y = net.elementwise(
        "RELU", net.elementwise("QUANTIZE", x, Quantization(0.25, -7)), Quantization(0.25, -7)
    )
    values = np.arange(-150, 150).astype(np.float32)[None] * np.float32(0.125)
    compare(net, net.dequantize(y), values)


def test_uint8_edges_of_an_int8_model() -> None:
    net = TfliteWriter()
    x = net.input((1, 256), Quantization(0.1, 120), "uint8")
    inner = net.elementwise(
        "RELU", net.elementwise("QUANTIZE", x, Quantization(0.1, -8)), Quantization(0.07, -9)
    )
    out = net.elementwise("QUANTIZE", inner, Quantization(0.07, 119), "uint8")
    compare(net, out, np.arange(256, dtype=np.uint8)[None])


def uint8_conv(net: TfliteWriter, x: TensorRef, rng: Generator) -> TensorRef:
    weights = rng.integers(0, 256, (6, 3, 3, 4))
    bias = rng.integers(-3000, 3000, 6)
    return net.conv(x, weights, [0.01], bias, Quantization(2.1, 90), weight_zero_point=117)


def uint8_depthwise(net: TfliteWriter, x: TensorRef, rng: Generator) -> TensorRef:
    weights = rng.integers(0, 256, (3, 3, 4))
    bias = rng.integers(-3000, 3000, 4)
    return net.depthwise(x, weights, [0.01], bias, Quantization(1.1, 90), weight_zero_point=117)


def uint8_dense(net: TfliteWriter, x: TensorRef, rng: Generator) -> TensorRef:
    weights = rng.integers(0, 256, (40, 252))
    return net.dense(x, weights, [0.01], None, Quantization(4.1, 90), weight_zero_point=117)


def uint8_average(net: TfliteWriter, x: TensorRef, rng: Generator) -> TensorRef:
    return net.pool("AVERAGE", x, (3, 2), (2, 2), "SAME", "RELU6")


def uint8_maximum(net: TfliteWriter, x: TensorRef, rng: Generator) -> TensorRef:
    return net.pool("MAX", x, (3, 2), (2, 2), "SAME", "RELU")


def uint8_mean(net: TfliteWriter, x: TensorRef, rng: Generator) -> TensorRef:
    return net.mean(x, Quantization(0.11, 30))


def uint8_softmax(net: TfliteWriter, x: TensorRef, rng: Generator) -> TensorRef:
    return net.softmax(x)


def uint8_pad(net: TfliteWriter, x: TensorRef, rng: Generator) -> TensorRef:
    return net.pad(x, [[0, 0], [1, 2], [0, 3], [0, 0]])


def uint8_add(net: TfliteWriter, x: TensorRef, rng: Generator) -> TensorRef:
    other = net.elementwise("QUANTIZE", x, Quantization(0.2, 30))
    return net.add(x, other, Quantization(0.3, 60))


UINT8 = [
    uint8_conv, uint8_depthwise, uint8_dense, uint8_average, uint8_maximum,
    uint8_mean, uint8_softmax, uint8_pad, uint8_add,
]  # fmt: skip


@pytest.mark.parametrize("layer", UINT8)
def test_uint8(layer: Callable[[TfliteWriter, TensorRef, Generator], TensorRef]) -> None:
    """TFLite Micro has no uint8 kernels for most of these: LiteRT is the runtime."""
    rng = np.random.default_rng(9)
    net = TfliteWriter("uint8")
    x = net.input((1, 7, 9, 4), Quantization(0.1, 128))
    compare(net, layer(net, x, rng), rng.integers(0, 256, (5, 7, 9, 4)).astype(np.uint8), ("litert",))


@pytest.mark.parametrize("kind", ["conv", "depthwise", "dense"])
def test_int4_weights(kind: str) -> None:
    rng = np.random.default_rng(10)
    net = TfliteWriter("int8", "int4")
    if kind == "dense":
        x = net.input((1, 31), some(rng))
        y = net.dense(x, rng.integers(-7, 8, (5, 31)), [0.1], rng.integers(-300, 300, 5), some(rng))
        compare(net, y, images(rng, (31,), 20), ("tflm",))
        return
    x = net.input((1, 5, 5, 3), some(rng))
    if kind == "conv":
        y = net.conv(x, rng.integers(-7, 8, (5, 3, 3, 3)), [0.1] * 5, None, some(rng))
    else:
        y = net.depthwise(x, rng.integers(-7, 8, (3, 3, 3)), [0.1] * 3, rng.integers(-9, 9, 3), some(rng))
    compare(net, y, images(rng, (5, 5, 3), 20), ("tflm",))
