"""QLinear operations on random small models: equal to onnxruntime, integer for integer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.random import Generator
from numpy.typing import NDArray
from onnx_runtime import Builder, Run

TYPES = [("uint8", "uint8"), ("int8", "int8"), ("uint8", "int8")]


def integers(rng: Generator, dtype: str, shape: Any) -> NDArray:
    """The type's whole range."""
    info = np.iinfo(dtype)
    return rng.integers(info.min, info.max, shape, endpoint=True).astype(dtype)


def weight_integers(rng: Generator, dx: str, dw: str, shape: Any) -> NDArray:
    """Whole range; for uint8 x int8 half of it, as onnxruntime saturates on x86 before VNNI."""
    q = integers(rng, dw, shape)
    return q // 2 if (dx, dw) == ("uint8", "int8") else q


def scale(rng: Generator, low: float = 0.002, high: float = 0.3) -> np.float32:
    return np.float32(rng.uniform(low, high))


def weight_params(rng: Generator, dw: str, outputs: int) -> tuple[NDArray, NDArray]:
    """Per-tensor with a zero point, or per-channel without."""
    if rng.random() < 0.5:
        return rng.uniform(0.001, 0.05, outputs).astype(np.float32), np.zeros(outputs, dtype=dw)
    return np.float32(rng.uniform(0.001, 0.05)), integers(rng, dw, ())


def output_scale(sx: np.float32, sw: NDArray, taps: int) -> np.float32:
    """So that most outputs are inside the range."""
    return np.float32(float(sx) * float(np.mean(sw)) * np.sqrt(taps) * 70)


@pytest.mark.parametrize("seed", range(24))
def test_qlinear_conv(seed: int) -> None:
    rng = np.random.default_rng(seed)
    dx, dw = TYPES[seed % 3]
    groups = int(rng.integers(2, 7)) if seed % 2 else 1
    inner = 1 if seed % 4 == 1 else int(rng.integers(1, 6))
    per_group = 1 if seed % 4 == 1 else int(rng.integers(1, 5))
    channels, outputs = groups * inner, groups * per_group
    kernel = [int(k) for k in rng.integers(1, 5, 2)]
    attributes: dict[str, Any] = {"strides": [int(s) for s in rng.integers(1, 3, 2)], "group": groups}
    if seed % 5 == 0:
        attributes["auto_pad"] = ["SAME_UPPER", "SAME_LOWER", "VALID"][seed // 5 % 3]
    else:
        attributes["pads"] = [int(rng.integers(0, k)) for k in kernel * 2]
        attributes["dilations"] = [int(d) for d in rng.integers(1, 3, 2)]
    x = integers(rng, dx, (3, channels, *(int(s) for s in rng.integers(8, 13, 2))))
    w = weight_integers(rng, dx, dw, (outputs, inner, *kernel))
    sx, (sw, zw) = scale(rng), weight_params(rng, dw, outputs)
    net = Builder()
    name = net.input((1, *x.shape[1:]), dx)
    net.node(
        "QLinearConv",
        name,
        *net.params(sx, integers(rng, dx, ()), dx),
        net.const(w),
        *net.params(sw, zw, dw),
        *net.params(output_scale(sx, sw, w[0].size), integers(rng, dx, ()), dx),
        net.const(rng.integers(-9000, 9000, outputs), "int32"),
        **attributes,
    )
    Run(net.model("t0"), x).assert_equal()


@pytest.mark.parametrize("seed", range(12))
def test_qlinear_matmul_and_qgemm(seed: int) -> None:
    rng = np.random.default_rng(100 + seed)
    dx, dw = TYPES[seed % 3]
    rows, outputs = int(rng.integers(1, 200)), int(rng.integers(1, 30))
    x = integers(rng, dx, (6, rows))
    w = weight_integers(rng, dx, dw, (rows, outputs))
    sx, (sw, zw), out = scale(rng), weight_params(rng, dw, outputs), integers(rng, dx, ())
    sy = output_scale(sx, sw, rows)
    zx = integers(rng, dx, ())
    for kind in ("QLinearMatMul", "QGemm"):
        net = Builder()
        transposed = kind == "QGemm" and seed % 2 == 0
        operands = [net.input((1, rows), dx), *net.params(sx, zx, dx)]
        operands += [net.const(w.T if transposed else w), *net.params(sw, zw, dw)]
        if kind == "QGemm":
            operands.append(net.const(rng.integers(-9000, 9000, outputs), "int32"))
        operands += net.params(sy, out, dx)
        more = {"transB": int(transposed), "alpha": [1.0, 0.7][seed % 2]} if kind == "QGemm" else {}
        net.node(kind, *operands, domain="com.microsoft" if kind == "QGemm" else "", **more)
        Run(net.model("t0"), x).assert_equal()


@pytest.mark.parametrize("seed", range(8))
def test_qlinear_add_on_every_pair(seed: int) -> None:
    """x is split by two requantising stairs into all 65,536 pairs of values."""
    rng = np.random.default_rng(200 + seed)
    dtype = ["uint8", "int8"][seed % 2]
    info = np.iinfo(dtype)
    sa, sb = scale(rng, 0.01), scale(rng, 0.01)
    sc = np.float32((sa + sb) * rng.uniform(0.4, 1.0))
    if seed in (2, 3):  # ties
        sb, sc = sa, sa * np.float32(2)
    if seed in (4, 5):
        sb, sc = sa, sa
    za, zb, zc = integers(rng, dtype, 3)
    # A 1x1 convolution with weights (1, 0) and (0, 1) picks a and b out of one two-channel image.
    net = Builder()
    x = net.input((1, 2, 256, 256), dtype)
    picked = []
    for weights in ([[1, 0]], [[0, 1]]):
        same = net.params(1.0, 0, dtype)
        w = net.const(np.array(weights, dtype=dtype).reshape(1, 2, 1, 1))
        picked.append(net.node("QLinearConv", x, *same, w, *net.params(1.0, 0, dtype), *same))
    net.node(
        "QLinearAdd",
        picked[0],
        *net.params(sa, za, dtype),
        picked[1],
        *net.params(sb, zb, dtype),
        *net.params(sc, zc, dtype),
        domain="com.microsoft",
    )
    values = np.arange(info.min, info.max + 1, dtype=dtype)
    image = np.stack(np.meshgrid(values, values))[None]
    run = Run(net.model("t2"), image)
    run.assert_equal()
    if seed not in (2, 3, 4, 5):
        (add,) = [node for node in run.graph.nodes if node.kind == "add"]
        assert len(np.unique(np.diff(add.act.steps[0]))) == 1, "steps must lie evenly: a plain shift"


@pytest.mark.parametrize("seed", range(8))
def test_qlinear_global_average_pool(seed: int) -> None:
    rng = np.random.default_rng(300 + seed)
    dtype = ["uint8", "int8"][seed % 2]
    x = integers(rng, dtype, (20, int(rng.integers(1, 9)), *(int(s) for s in rng.integers(2, 10, 2))))
    sx = scale(rng, 0.01)
    sy = sx if seed % 4 < 2 else np.float32(sx * rng.uniform(0.2, 1))
    net = Builder()
    net.node(
        "QLinearGlobalAveragePool",
        net.input((1, *x.shape[1:]), dtype),
        *net.params(sx, integers(rng, dtype, ()), dtype),
        *net.params(sy, integers(rng, dtype, ()), dtype),
        domain="com.microsoft",
        channels_last=0,
    )
    Run(net.model("t0"), x).assert_equal()


def average_pool(rng: Generator, dtype: str, zero: int, sx: float, sy: float, **attributes: Any) -> Run:
    x = integers(rng, dtype, (40, 4, 9, 11))
    net = Builder()
    net.node(
        "QLinearAveragePool",
        net.input((1, *x.shape[1:]), dtype),
        *net.params(sx, zero, dtype),
        *net.params(sy, zero, dtype),
        domain="com.microsoft",
        **attributes,
    )
    return Run(net.model("t0"), x)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("include", [0, 1])
def test_qlinear_average_pool_is_exact_with_scales_of_few_bits(seed: int, include: int) -> None:
    rng = np.random.default_rng(400 + seed)
    dtype = ["uint8", "int8"][seed % 2]
    kernel = [int(k) for k in rng.integers(2, 5, 2)]
    pads = [int(rng.integers(0, k)) for k in kernel * 2]
    scale_of_few_bits = float(rng.integers(1, 16)) / 64
    zero = int(integers(rng, dtype, ()))
    average_pool(
        rng,
        dtype,
        zero,
        scale_of_few_bits,
        scale_of_few_bits,
        kernel_shape=kernel,
        pads=pads,
        count_include_pad=include,
    ).assert_equal()


@pytest.mark.parametrize("seed", range(6))
def test_qlinear_average_pool_differs_only_at_ties(seed: int) -> None:
    """The runtime adds rounded float32 values: within that noise of a tie it may fall either way."""
    rng = np.random.default_rng(500 + seed)
    sx = float(scale(rng, 0.01))
    sy = sx if seed % 2 else float(np.float32(sx * rng.uniform(0.3, 1)))
    run = average_pool(rng, "uint8", 100, sx, sy, kernel_shape=[2, 3], strides=[2, 2])
    (node,) = run.graph.nodes
    pixels = run.values[run.graph.inputs[0].tensor] - 100
    sums = np.add.reduce([tap for _, _, tap in node.window.taps(pixels, 0)]).transpose(0, 3, 1, 2)
    mean = sums * sx / 6 / sy
    wrong = run.y != run.y_expected
    assert np.all(np.abs(mean - np.floor(mean) - 0.5)[wrong] < 1e-4)
    assert np.all(np.abs(run.y.astype(int) - run.y_expected)[wrong] == 1)
    assert wrong.mean() < (0.1 if seed % 2 else 1e-3)


@pytest.mark.parametrize("dtype", ["uint8", "int8"])
def test_qlinear_softmax_at_the_end(dtype: str) -> None:
    """The host's work, with the runtime's own table of exponentials: equal."""
    rng = np.random.default_rng(600)
    zero = int(integers(rng, dtype, ()))
    net = Builder()
    x = net.input((1, 12), dtype)
    w = np.eye(12, dtype=dtype)
    y = net.node(
        "QLinearMatMul",
        x,
        *net.params(0.1, zero, dtype),
        net.const(w),
        *net.params(1.0, 0, dtype),
        *net.params(0.05, zero, dtype),
    )
    low = net.params(1 / 256, np.iinfo(dtype).min, dtype)
    y = net.node(
        "QLinearSoftmax", y, *net.params(0.05, zero, dtype), *low, domain="com.microsoft", axis=1, opset=13
    )
    net.node("DequantizeLinear", y, *low)
    Run(net.model("t2"), integers(rng, dtype, (3000, 12))).assert_equal()
