"""Random small QONNX networks against QONNX's executor: every quantised integer, every output value."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.random import Generator
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from qonnx_runtime import QBuilder, Run

Q2 = {"bits": 2, "narrow": True}


def weights(net: QBuilder, rng: Generator, shape: tuple[int, ...], bits: int, scale: Any = 1.0) -> str:
    """A Quant (BipolarQuant for 1 bit) of float weights."""
    if bits == 1:
        return net.bipolar(net.const(rng.normal(0, 1, shape), "float32"), scale)
    size = np.asarray(scale) * 2.0 ** (bits - 2)
    return net.quant(net.const(rng.normal(0, 1, shape) * size, "float32"), scale, bits, narrow=True)


def activation(net: QBuilder, x: str, bits: int, scale: Any, signed: bool = True) -> str:
    """A Quant or BipolarQuant of `bits`."""
    return net.bipolar(x, scale) if bits == 1 else net.quant(x, scale, bits, signed=signed, narrow=signed)


def mlp(rng: Generator, w_bits: int, a_bits: int, scale: Any = lambda: 1.0, signed: bool = True) -> QBuilder:
    """Dense layers of 24, 17, 13 and 5 with batch normalisation between, as Brevitas exports them."""
    net = QBuilder()
    s = scale()
    x = net.node("Mul", net.node("Flatten", net.input(("n", 1, 4, 6))), net.const(2.0, "float32"))
    x = activation(net, net.node("Sub", x, net.const([1.0], "float32")), a_bits, s)
    for inputs, outputs in ((24, 17), (17, 13)):
        w = weights(net, rng, (outputs, inputs), w_bits, scale())
        x = net.node("MatMul", x, net.node("Transpose", w, perm=[1, 0]))
        x = net.batch_norm(x, outputs, rng, size=s * 2.0 ** (w_bits - 1) * 3)
        if not signed:
            x = net.node("Relu", x)
        x = activation(net, x, a_bits, 0.5 if a_bits > 1 else 1.0, signed)
    w = weights(net, rng, (5, 13), w_bits, scale())
    x = net.node("MatMul", x, net.node("Transpose", w, perm=[1, 0]))
    net.node("Add", net.node("Mul", x, net.const(0.37, "float32")), net.const(rng.normal(0, 1, 5), "float32"))
    return net


def run(net: QBuilder, x: NDArray) -> Run:
    return Run(net.qonnx(net.nodes[-1].output[0]), x.astype(np.float32))


@pytest.mark.parametrize("a_bits", [1, 2, 3, 4])
@pytest.mark.parametrize("w_bits", [1, 2, 3])
def test_mlp(w_bits: int, a_bits: int) -> None:
    rng = np.random.default_rng(10 * w_bits + a_bits)
    net = mlp(rng, w_bits, a_bits, signed=a_bits != 4)
    done = run(net, rng.uniform(0, 1, (12, 1, 4, 6)))
    done.assert_equal(least=2)
    assert all(len(np.unique(done.values[n.output])) > 1 for n in done.graph.nodes)
    assert np.any([np.any(n.act.sign < 0) for n in done.graph.nodes if getattr(n, "act", None)])


@pytest.mark.parametrize("w_bits", [1, 2, 4])
def test_mlp_with_any_scales(w_bits: int) -> None:
    """float32 sums round in onnxruntime's order: here no integer happens to lie at a tie."""
    rng = np.random.default_rng(70 + w_bits)
    done = run(mlp(rng, w_bits, 2, lambda: rng.uniform(0.05, 0.3)), rng.uniform(0, 1, (12, 1, 4, 6)))
    assert not any(bad for bad, _ in done.differences().values())
    np.testing.assert_allclose(done.y, done.y_expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("a_bits", [1, 2, 4])
@pytest.mark.parametrize("pad", [0, 1])
def test_cnn_with_scales_per_channel(a_bits: int, pad: int) -> None:
    """Padding: bipolar activations have no integer for 0, so they become -1, 0 and 1 there."""
    rng = np.random.default_rng(100 + 2 * a_bits + pad)
    net = QBuilder()
    x = activation(net, net.input((1, 3, 9, 8)), a_bits, 0.25)
    w = weights(net, rng, (6, 3, 3, 3), 1, 2.0 ** rng.integers(-3, 1, (6, 1, 1, 1)))
    x = net.batch_norm(net.node("Conv", x, w, pads=[pad] * 4), 6, rng, size=0.5)
    x = activation(net, x, a_bits, 0.5)
    w = weights(net, rng, (6, 1, 3, 3), 3, 2.0 ** rng.integers(-3, 1, (6, 1, 1, 1)))
    x = net.node("Conv", x, w, pads=[0, pad, pad, 0], group=6)
    x = activation(net, net.node("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2]), a_bits, 0.5)
    x = net.node("Flatten", x)
    size = 6 * ((9 - 2 + 2 * pad - 2 + pad) // 2) * ((8 - 2 + 2 * pad - 2 + pad) // 2)
    bias = net.const(rng.integers(-9, 9, 5) / 4, "float32")
    net.node("Gemm", x, weights(net, rng, (5, size), 2, 0.5), bias, transB=1)
    run(net, rng.normal(0, 0.5, (6, 3, 9, 8))).assert_equal(least=2)


def test_integer_inputs_by_annotation_thresholds_and_top_k() -> None:
    """As FINN's models are: float tensors that hold integers, integer weights, thresholds per channel."""
    rng = np.random.default_rng(1)
    net = QBuilder()
    x = net.input((1, 3, 8, 8))
    w = net.const(rng.choice([-1.0, 1.0], (6, 3, 3, 3)), "float32")
    x = net.node("Conv", x, w)
    t = net.const(np.sort(rng.integers(-900, 900, (6, 3)), axis=1), "float32")
    fields = {"domain": "qonnx.custom_op.general", "out_dtype": "INT2"}
    x = net.node("MultiThreshold", x, t, out_bias=-1.0, data_layout="NCHW", **fields)
    x = net.node("Flatten", net.node("Relu", net.node("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])))
    x = net.node("MatMul", x, net.const(rng.integers(-3, 4, (54, 7)), "float32"))
    t = net.const([[0.0]], "float32")
    x = net.node("MultiThreshold", x, t, out_scale=2.0, out_bias=-1.0, **(fields | {"out_dtype": "BIPOLAR"}))
    x = net.node("MatMul", x, net.const(rng.choice([-1.0, 1.0], (7, 4)), "float32"))
    net.nodes.append(_top_k(net, x))
    model = net.qonnx("index", {"x": "UINT8", "c0": "BIPOLAR"})
    done = Run(model, rng.choice([0.0, 255.0], (40, 3, 8, 8)).astype(np.float32))
    done.assert_equal(least=2)
    assert len(np.unique(done.y)) > 1


def _top_k(net: QBuilder, x: str) -> Any:
    return helper.make_node("TopK", [x, net.const([1], "int64")], ["value", "index"])


@pytest.mark.parametrize(
    "mode", ["ROUND", "CEIL", "FLOOR", "UP", "DOWN", "HALF_UP", "HALF_DOWN", "HALF_EVEN"]
)
def test_rounding_modes_and_zero_points(mode: str) -> None:
    """Inputs on and beside ties; the second quantiser has a zero point, the third a scale per channel."""
    rng = np.random.default_rng(2)
    net = QBuilder()
    x = net.quant(net.input((1, 4, 5, 5)), 0.25, 5, mode=mode)
    x = net.quant(net.node("Mul", x, net.const(-0.75, "float32")), 0.5, 4, signed=False, zero=6.0, mode=mode)
    w = net.quant(net.const(rng.normal(0, 2, (4, 1, 2, 2)), "float32"), 0.5, 4, mode=mode)
    x = net.node("Conv", x, w, group=4, pads=[1, 0, 0, 1])
    net.quant(x, rng.choice([0.25, 0.5, 1.0], (1, 4, 1, 1)), 4, narrow=True, mode=mode)
    run(net, rng.integers(-30, 30, (20, 4, 5, 5)) / 16).assert_equal(least=2)


@pytest.mark.parametrize("bits", [1, 2, 5, 8])
@pytest.mark.parametrize("signed", [False, True])
def test_input_quantiser_is_exact_for_floats_around_every_step(bits: int, signed: bool) -> None:
    """Normalisation and quantiser are the host's work: in steps that are right for every float32."""
    rng = np.random.default_rng(3)
    net = QBuilder()
    x = net.node("Sub", net.input((1, 3, 16, 16)), net.const(rng.uniform(0.3, 0.6, (1, 3, 1, 1)), "float32"))
    x = net.node("Div", x, net.const(rng.uniform(0.2, 0.3, (3, 1, 1)), "float32"))
    x = net.quant(net.node("Relu", x) if not signed else x, 1.7 / 2**bits, bits, signed=signed)
    net.quant(net.node("Conv", x, net.const(np.ones((1, 3, 1, 1)), "float32")), 1.0, 8)
    model = net.qonnx(net.nodes[-1].output[0])
    (edge,) = Run(model, np.zeros((1, 3, 16, 16), np.float32)).graph.inputs
    assert edge.steps is not None
    picked = rng.choice(np.concatenate([np.array(t) for t in edge.steps.thresholds]), (8, 3, 16, 16))
    x_near = picked.astype(np.float32)
    for _ in range(3):
        x_near = np.where(rng.random(x_near.shape) < 0.5, np.nextafter(x_near, np.float32(9)), x_near)
        x_near = np.where(rng.random(x_near.shape) < 0.5, np.nextafter(x_near, np.float32(-9)), x_near)
    done = Run(model, x_near.astype(np.float32))
    done.assert_equal()


@pytest.mark.parametrize("version", [1, 2])
def test_trunc_after_average_pooling(version: int) -> None:
    """Brevitas' truncating average: sums of 4-bit integers, shifted to fewer bits."""
    rng = np.random.default_rng(4)
    net = QBuilder()
    x = net.quant(net.input((1, 4, 8, 8)), 0.125, 4, signed=False)
    x = net.node("AveragePool", x, kernel_shape=[4, 4], strides=[4, 4])
    x = net.node("Mul", x, net.const(16.0, "float32"))
    params = [0.125, 0.0, 8.0] + ([2.0, 4.0] if version == 2 else [4.0])
    constants = [net.const(v, "float32") for v in params]
    more = {"signed": 0, "narrow": 0} if version == 2 else {}
    x = net.node("Trunc", x, *constants, domain="qonnx.custom_op.general", rounding_mode="FLOOR", **more)
    net.node("MatMul", net.node("Flatten", x), net.const(rng.integers(-3, 4, (16, 5)), "float32"))
    model = net.qonnx(net.nodes[-1].output[0])
    model.opset_import[-2].version = version
    Run(model, rng.uniform(0, 2, (20, 4, 8, 8)).astype(np.float32)).assert_equal()


@pytest.mark.parametrize("quantised", [False, True])
def test_residual_addition(quantised: bool) -> None:
    """Two branches on one grid; the sum is quantised, or goes into the next layer as it is."""
    rng = np.random.default_rng(5)
    net = QBuilder()
    x = net.quant(net.input((1, 4, 6, 6)), 0.25, 4)
    y = net.node("Conv", x, weights(net, rng, (4, 4, 3, 3), 2, 0.5), pads=[1, 1, 1, 1])
    y = net.quant(net.batch_norm(y, 4, rng, size=1.0), 0.5, 3)
    y = net.node("Add", x, y)
    if quantised:
        y = net.quant(net.node("Relu", y), 0.375, 3, signed=False)
    y = net.node("Conv", y, weights(net, rng, (3, 4, 3, 3), 2, 0.5), pads=[1, 1, 1, 1])
    y = net.node("GlobalAveragePool", net.quant(y, 0.5, 4))
    net.node("MatMul", net.node("Flatten", y), net.const(rng.integers(-3, 4, (3, 5)), "float32"))
    done = run(net, rng.normal(0, 0.7, (10, 4, 6, 6)))
    assert "add" in [n.kind for n in done.graph.nodes]
    assert not any(bad for bad, _ in done.differences().values())
    np.testing.assert_allclose(done.y, done.y_expected, rtol=1e-6, atol=1e-6)


def test_ties_of_float_sums_are_noted() -> None:
    """Activations of 0.3 and weights of 0.1, quantised to 0.12: every other sum is a tie but for rounding."""
    rng = np.random.default_rng(6)
    net = QBuilder()
    x = net.quant(net.input((1, 64)), 0.3, 2, narrow=True)
    x = net.node("MatMul", x, weights(net, rng, (64, 8), 1, 0.1))
    net.quant(x, np.float32(0.3) * np.float32(0.1) * 4, 4)
    done = run(net, rng.normal(0, 0.4, (4, 64)))
    (note,) = done.graph.notes
    assert "node 3 Quant: 120 of 120 thresholds lie within float32 rounding of a tie (channels 0, 1" in note
    worst = [np.abs(done.values[n.output]).max() for n in done.graph.nodes]
    assert max(worst) > 1

    net = mlp(rng, 2, 2, lambda: 0.3)  # batch normalisation in between: no ties, no note
    assert run(net, rng.uniform(0, 1, (1, 1, 4, 6))).graph.notes == []
    net = mlp(rng, 2, 2)  # all sums exact
    assert run(net, rng.uniform(0, 1, (1, 1, 4, 6))).graph.notes == []


def test_argmax_of_a_bias_per_channel_compares_floats() -> None:
    rng = np.random.default_rng(7)
    net = QBuilder()
    x = net.quant(net.input((1, 12)), 0.5, 3)
    x = net.node("Gemm", x, weights(net, rng, (12, 6), 2, 0.25), net.const(rng.normal(0, 1, 6), "float32"))
    net.nodes.append(_top_k(net, net.node("Mul", x, net.const(1e-3, "float32"))))
    done = Run(net.qonnx("index"), rng.normal(0, 1, (60, 12)).astype(np.float32))
    assert np.array_equal(done.y, done.y_expected)
    assert len(np.unique(done.y)) > 2


def test_layers_in_a_row_share_no_scale_by_accident() -> None:
    """Two quantisers of one sum, a quantiser of a quantised value, and a ReLU behind a quantiser."""
    rng = np.random.default_rng(8)
    net = QBuilder()
    x = net.quant(net.input((1, 12)), 0.5, 4)
    y = net.node("MatMul", x, weights(net, rng, (12, 9), 2))
    a = net.node("Relu", net.quant(y, 0.75, 3))
    b = net.quant(net.bipolar(y, 2.0), 2.0, 2, narrow=True)
    a = net.node("MatMul", a, weights(net, rng, (9, 4), 2))
    b = net.node("MatMul", b, weights(net, rng, (9, 4), 2))
    y = net.node("Add", net.quant(a, 1.0, 4), net.quant(b, 1.0, 4))
    net.quant(y, 1.5, 3)
    run(net, rng.normal(0, 1.5, (40, 12))).assert_equal(least=4)


def test_maximum_of_values_that_fall_while_their_integers_rise() -> None:
    rng = np.random.default_rng(9)
    net = QBuilder()
    x = net.node("Neg", net.quant(net.input((1, 3, 6, 6)), 0.5, 3))
    net.node("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    run(net, rng.normal(0, 1.5, (10, 3, 6, 6))).assert_equal(least=0)


def test_wide_bias_and_scales_that_are_constant_nodes() -> None:
    """Brevitas writes scales as initialisers or Constant nodes, biases as Quant of 32 bits."""
    rng = np.random.default_rng(10)
    net = QBuilder()
    numbers = (numpy_helper.from_array(np.float32(v)) for v in (0.25, 0.0, 4.0))
    scale, zero, bits = (net.node("Constant", value=number) for number in numbers)
    fields = {"domain": "onnx.brevitas", "signed": 1, "narrow": 0, "rounding_mode": "ROUND"}
    x = net.node("Quant", net.input((1, 12)), scale, zero, bits, **fields)
    bias = net.quant(net.const(rng.normal(0, 3, 6), "float32"), 0.0625, 32.0)
    x = net.node("Gemm", x, weights(net, rng, (12, 6), 2, 0.25), bias)
    net.quant(x, 0.25, 5, narrow=True)
    run(net, rng.normal(0, 1, (30, 12))).assert_equal()


@pytest.mark.parametrize("a_bits", [1, 3])
def test_pad_as_an_operation_of_its_own(a_bits: int) -> None:
    rng = np.random.default_rng(11)
    net = QBuilder()
    x = activation(net, net.input((1, 3, 6, 6)), a_bits, 0.5)
    x = net.node("Pad", x, net.const([0, 0, 1, 0, 0, 0, 1, 2], "int64"), net.const(0.0, "float32"))
    x = net.node("Conv", x, weights(net, rng, (4, 3, 3, 3), 2))
    activation(net, x, 3, 0.5)
    run(net, rng.normal(0, 1, (10, 3, 6, 6))).assert_equal(least=1)
