"""QDQ models against onnxruntime without optimisation: exact where float32 is, at ties' noise elsewhere."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.random import Generator
from numpy.typing import NDArray
from onnx_runtime import EXTENDED, Builder, Run, session

from hwgen.frontend.onnx_qdq import load
from hwgen.golden.edges import enter, leave
from hwgen.golden.run import execute


def floats(rng: Generator, *shape: int, size: float = 3.0) -> NDArray[np.float32]:
    return rng.normal(0, size, shape).astype(np.float32)


def small_net(rng: Generator, scale: Any, dtype: str, bias: str = "int32") -> Builder:
    """Two convolutions (dense and depthwise), pooling, a residual addition, a dense layer.

    scale(): a positive number for each tensor in turn. bias: "int32", "float32" or "" for none."""
    net = Builder()
    low = dtype == "int8"
    zero = 0 if low else 128

    def bias_of(outputs: int, s: Any) -> list[str]:
        if not bias:
            return []
        q = rng.integers(-500, 500, outputs).astype(np.int32)
        return [net.weights(q, s) if bias == "int32" else net.const((q * s).astype(np.float32))]

    def weights(*shape: int) -> NDArray:
        return rng.integers(-63, 64, shape).astype(np.int8)

    s0, s1, s2, s3, s4 = (np.float32(scale()) for _ in range(5))
    w1, w2, w3 = (np.float32(scale() / 16) for _ in range(3))
    x = net.qdq(net.input(("batch", 3, 9, 8)), s0, zero, dtype)
    y = net.node("Conv", x, net.weights(weights(6, 3, 3, 3), w1), *bias_of(6, s0 * w1), pads=[1, 1, 1, 1])
    first = net.qdq(net.node("Relu", y), s1, -128 if low else 0, dtype)
    y = net.node(
        "Conv", first, net.weights(weights(6, 1, 3, 3), w2), *bias_of(6, s1 * w2), pads=[0, 1, 2, 1], group=6
    )
    second = net.qdq(
        net.node("Clip", y, net.const(-1.5, "float32"), net.const(6.0, "float32")), s2, zero, dtype
    )
    y = net.qdq(net.node("Add", first, second), s3, zero, dtype)
    y = net.qdq(net.node("MaxPool", y, kernel_shape=[2, 2], strides=[2, 2]), s3, zero, dtype)
    y = net.qdq(net.node("Flatten", y), s3, zero, dtype)
    y = net.node("Gemm", y, net.weights(weights(5, 96), w3), *bias_of(5, s3 * w3), transB=1)
    net.qdq(y, s4, zero, dtype)
    return net


@pytest.mark.parametrize("seed", range(8))
def test_small_net_with_scales_of_two_is_exact(seed: int) -> None:
    rng = np.random.default_rng(seed)
    net = small_net(
        rng, lambda: 2.0 ** -rng.integers(3, 6), ["uint8", "int8"][seed % 2], ["int32", ""][seed // 2 % 2]
    )
    run = Run(net.model(net.nodes[-1].output[0]), floats(rng, 20, 3, 9, 8))
    run.assert_equal()
    assert sum(all_ for _, all_ in run.differences().values()) > 20_000


@pytest.mark.parametrize("seed", range(8))
def test_small_net_with_any_scales_is_exact_but_for_noise(seed: int) -> None:
    """One intermediate integer in 10^4 may differ, by one, and only where a float32 sum lies at a tie."""
    rng = np.random.default_rng(50 + seed)
    net = small_net(
        rng, lambda: rng.uniform(0.03, 0.1), ["uint8", "int8"][seed % 2], ["int32", "float32"][seed // 4]
    )
    run = Run(net.model(net.nodes[-1].output[0]), floats(rng, 20, 3, 9, 8))
    counts = run.differences()
    assert sum(bad for bad, _ in counts.values()) <= 1e-4 * sum(all_ for _, all_ in counts.values())


@pytest.mark.parametrize("seed", range(4))
def test_fused_rule_equals_the_optimiser(seed: int) -> None:
    """uint8 activations: onnxruntime's optimiser fuses every convolution, dense layer and addition."""
    rng = np.random.default_rng(80 + seed)
    net = small_net(rng, lambda: rng.uniform(0.03, 0.1), "uint8")
    model = net.model(net.nodes[-1].output[0])
    x = floats(rng, 40, 3, 9, 8)
    graph = load(model.SerializeToString(), "test", "ort-fused")
    (edge,), (out,) = graph.inputs, graph.outputs
    q = enter(edge, graph.tensors[edge.tensor], x)
    y = leave(out, graph.tensors[out.tensor], execute(graph, {edge.tensor: q})[out.tensor])
    runner = session(model, EXTENDED)
    expected = np.concatenate([runner.run(None, {"x": x[i : i + 1]})[0] for i in range(len(x))])
    assert np.array_equal(y, expected)


@pytest.mark.parametrize("seed", range(6))
def test_addition_is_exact_with_any_scales(seed: int) -> None:
    rng = np.random.default_rng(100 + seed)
    dtype = ["uint8", "int8"][seed % 2]
    sa, sb = (rng.uniform(0.01, 0.1) for _ in range(2))
    sy = (sa + sb) * rng.uniform(0.5, 1)
    if seed > 3:
        sb = sa
        sy = 2 * sa if seed == 4 else sa
    net = Builder()
    x = net.qdq(net.input((1, 4, 16, 16)), sa, 3, dtype)
    other = net.qdq(net.node("Transpose", x, perm=[0, 1, 2, 3]), sb, 5, dtype)
    y = net.node("Add", x, other)
    net.qdq(net.node("Relu", y) if seed % 3 == 0 else y, sy, 7, dtype)
    Run(net.model(net.nodes[-1].output[0]), floats(rng, 40, 4, 16, 16)).assert_equal()


@pytest.mark.parametrize("falling", [False, True])
def test_batch_norm_relu_and_arithmetic_between_are_exact(falling: bool) -> None:
    rng = np.random.default_rng(7)
    net = Builder()
    x = net.qdq(net.input((1, 5, 6, 7)), 0.05, -3, "int8")
    scale = rng.uniform(0.2, 2, 5) * (np.where(np.arange(5) % 2, -1, 1) if falling else 1)
    constants = [scale, rng.normal(0, 1, 5), rng.normal(0, 1, 5), rng.uniform(0.1, 3, 5)]
    y = net.node("BatchNormalization", x, *(net.const(c, "float32") for c in constants), epsilon=1e-3)
    y = net.node("LeakyRelu", y, alpha=0.125)
    y = net.node("Mul", net.const(rng.uniform(0.5, 2, (5, 1, 1)), "float32"), y)
    y = net.node("Sub", net.const(0.3, "float32"), y)
    y = net.node("Div", y, net.const(rng.uniform(0.5, 2, (1, 5, 1, 1)), "float32"))
    y = net.node("Add", y, net.const(0.1, "float32"))
    net.qdq(y, 0.04, 9, "uint8")
    Run(net.model(net.nodes[-1].output[0]), floats(rng, 30, 5, 6, 7)).assert_equal()


def test_batch_norm_on_a_vector_and_after_flatten() -> None:
    rng = np.random.default_rng(8)
    net = Builder()
    x = net.node("Flatten", net.qdq(net.input((1, 2, 3, 4)), 0.05, 0, "int8"))
    constants = [rng.uniform(0.2, 2, 24), *rng.normal(0, 1, (2, 24)), rng.uniform(0.1, 3, 24)]
    y = net.node("BatchNormalization", x, *(net.const(c, "float32") for c in constants))
    net.qdq(y, 0.04, 0, "int8")
    run = Run(net.model(net.nodes[-1].output[0]), floats(rng, 30, 2, 3, 4))
    assert np.array_equal(run.y, run.y_expected)


@pytest.mark.parametrize("kind", ["AveragePool", "GlobalAveragePool", "ReduceMean"])
def test_means_with_scales_of_two_are_exact(kind: str) -> None:
    rng = np.random.default_rng(9)
    attributes: dict[str, dict[str, Any]] = {
        "AveragePool": {"kernel_shape": [3, 2], "strides": [2, 1], "pads": [1, 0, 0, 1]},
        "GlobalAveragePool": {},
        "ReduceMean": {"axes": [2, 3], "keepdims": 0},
    }
    net = Builder()
    x = net.qdq(net.input((1, 4, 8, 8)), 1 / 16, 100, "uint8")
    net.qdq(net.node(kind, x, **attributes[kind]), 1 / 16, 100, "uint8")
    Run(net.model(net.nodes[-1].output[0]), floats(rng, 60, 4, 8, 8)).assert_equal()


@pytest.mark.parametrize("ceil", [0, 1])
def test_max_pool_pad_and_requantise_are_exact(ceil: int) -> None:
    rng = np.random.default_rng(10)
    net = Builder()
    x = net.qdq(net.input((1, 3, 10, 9)), 0.05, 4, "int8")
    y = net.node("Pad", x, net.const([0, 0, 1, 0, 0, 0, 2, 1], "int64"), net.const(0.0, "float32"))
    y = net.qdq(y, 0.05, 4, "int8")
    y = net.node("MaxPool", y, kernel_shape=[3, 2], strides=[2, 2], pads=[1, 1, 0, 0], ceil_mode=ceil)
    net.qdq(y, 0.031, -7, "int8")
    Run(net.model(net.nodes[-1].output[0]), floats(rng, 20, 3, 10, 9)).assert_equal()


def test_max_pool_of_a_convolution_without_quantiser_between() -> None:
    rng = np.random.default_rng(11)
    net = Builder()
    x = net.qdq(net.input((1, 2, 8, 8)), 1 / 16, 0, "int8")
    y = net.node("Conv", x, net.weights(rng.integers(-99, 99, (4, 2, 3, 3)).astype(np.int8), [1 / 64] * 4))
    y = net.node("MaxPool", net.node("Relu", y), kernel_shape=[2, 2], strides=[2, 2])
    net.qdq(y, 1 / 8, -128, "int8")
    Run(net.model(net.nodes[-1].output[0]), floats(rng, 20, 2, 8, 8)).assert_equal()


def test_channel_last_model_as_converted_from_tensorflow() -> None:
    """Transposes at the edges and before the dense layer cost nothing."""
    rng = np.random.default_rng(12)
    net = Builder()
    x = net.node("Transpose", net.input(("n", 6, 7, 2)), perm=[0, 3, 1, 2])
    x = net.qdq(x, 1 / 16, 0, "int8")
    y = net.node("Conv", x, net.weights(rng.integers(-99, 99, (4, 2, 3, 3)).astype(np.int8), 1 / 64))
    y = net.node("Transpose", net.qdq(y, 1 / 8, 0, "int8"), perm=[0, 2, 3, 1])
    y = net.node("Reshape", y, net.const([-1, 4 * 5 * 4], "int64"))
    y = net.node("MatMul", y, net.weights(rng.integers(-99, 99, (80, 3)).astype(np.int8), 1 / 64))
    net.qdq(y, 1 / 2, 0, "int8")
    run = Run(net.model(net.nodes[-1].output[0]), floats(rng, 20, 6, 7, 2))
    run.assert_equal()
    assert [node.kind for node in run.graph.nodes] == ["conv", "reshape", "conv"]


def test_image_output_in_channel_first_order() -> None:
    rng = np.random.default_rng(13)
    net = Builder()
    x = net.qdq(net.input((1, 2, 6, 7)), 1 / 16, 0, "int8")
    y = net.node("Conv", x, net.weights(rng.integers(-99, 99, (4, 2, 3, 3)).astype(np.int8), 1 / 64))
    net.qdq(y, 1 / 4, 0, "int8")
    run = Run(net.model(net.nodes[-1].output[0]), floats(rng, 5, 2, 6, 7))
    assert run.y.shape == (5, 4, 4, 5)
    run.assert_equal()


def test_integer_edges_and_argmax() -> None:
    rng = np.random.default_rng(14)
    net = Builder()
    x = net.dequantize(net.input((1, 12), "uint8"), 1 / 16, 128, "uint8")
    y = net.node("Gemm", x, net.weights(rng.integers(-99, 99, (5, 12)).astype(np.int8), 1 / 64), transB=1)
    y = net.dequantize(net.quantize(y, 1 / 4, 0, "int8"), 1 / 4, 0, "int8")
    net.node("ArgMax", y, axis=1, keepdims=0)
    run = Run(net.model(net.nodes[-1].output[0]), rng.integers(0, 256, (50, 12)).astype(np.uint8))
    assert run.y.dtype == np.int64 and len(np.unique(run.y)) > 2
    run.assert_equal()


def test_fake_quantised_weights_and_view_of_pytorch() -> None:
    """Weights are float constants behind Q and DQ; x.view(x.size(0), -1) is Shape, Gather, Concat."""
    rng = np.random.default_rng(15)
    net = Builder()
    x = net.qdq(net.input(("n", 2, 4, 4)), 1 / 16, 0, "int8")
    w = net.const(rng.normal(0, 0.5, (3, 2, 3, 3)), "float32")
    scales, zeros = net.params([1 / 64, 1 / 128, 1 / 32], [0, 0, 0], "int8")
    q = net.node("QuantizeLinear", w, scales, zeros, axis=0)
    y = net.qdq(net.node("Conv", x, net.node("DequantizeLinear", q, scales, zeros, axis=0)), 1 / 8, 0, "int8")
    size = net.node("Gather", net.node("Shape", y), net.const(0, "int64"), axis=0)
    size = net.node("Unsqueeze", size, net.const([0], "int64"))
    y = net.node("Reshape", y, net.node("Concat", size, net.const([-1], "int64"), axis=0))
    w = net.weights(rng.integers(-99, 99, (5, 12)).astype(np.int8), 1 / 64)
    y = net.node("MatMul", y, net.node("Transpose", w, perm=[1, 0]))
    net.qdq(net.node("Add", y, net.const(rng.integers(-9, 9, 5) / 64, "float32")), 1 / 4, 0, "int8")
    Run(net.model(net.nodes[-1].output[0]), floats(rng, 20, 2, 4, 4)).assert_equal()


def test_float_output_of_an_unquantised_last_layer() -> None:
    rng = np.random.default_rng(16)
    net = Builder()
    x = net.qdq(net.input((1, 12)), 1 / 16, 0, "int8")
    net.node("Gemm", x, net.weights(rng.integers(-99, 99, (5, 12)).astype(np.int8), 1 / 64), transB=1)
    Run(net.model(net.nodes[-1].output[0]), floats(rng, 20, 12)).assert_equal()


@pytest.mark.parametrize("quantised", [False, True])
def test_softmax_at_the_end_is_the_hosts(quantised: bool) -> None:
    """Integers up to the logits are equal; the probabilities to the runtime's exponential, 1 in 10^6."""
    rng = np.random.default_rng(17)
    net = Builder()
    x = net.qdq(net.input((1, 12)), 1 / 16, 0, "int8")
    y = net.node("Gemm", x, net.weights(rng.integers(-99, 99, (5, 12)).astype(np.int8), 1 / 64), transB=1)
    y = net.node("Softmax", net.qdq(y, 1 / 8, 0, "int8"), axis=1)
    y = net.qdq(y, 1 / 255, 0, "uint8") if quantised else y
    run = Run(net.model(y), floats(rng, 60, 12))
    assert all(bad == 0 for bad, _ in run.differences().values())
    if quantised:
        assert np.array_equal(run.y, run.y_expected)
    np.testing.assert_allclose(run.y, run.y_expected, rtol=1e-6, atol=1e-9)
