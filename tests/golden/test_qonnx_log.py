"""Log-quantised activations against QONNX's executor: powers of two by code, padding, pooling, signs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.random import Generator
from numpy.typing import NDArray
from onnx_runtime import Builder
from qonnx_runtime import QBuilder, Run

import hwgen
from hwgen.frontend.qonnx import load
from hwgen.support.errors import UnsupportedError

LN2 = np.float32(0.6931472)


def exponent(net: Builder, x: str, low: float, high: float, *, multiply: bool = True) -> str:
    """Clip(Round(log2(x)))."""
    kind, factor = ("Mul", 1 / LN2) if multiply else ("Div", LN2)
    x = net.node(kind, net.node("Log", x), net.const(factor, "float32"))
    return net.node("Clip", net.node("Round", x), net.const(low, "float32"), net.const(high, "float32"))


def power(net: Builder, x: str) -> str:
    return net.node("Pow", net.const(2.0, "float32"), x)


def signed(net: Builder, x: str, low: float, high: float) -> str:
    return net.node("Mul", net.node("Sign", x), power(net, exponent(net, net.node("Abs", x), low, high)))


def weights(net: QBuilder, rng: Generator, shape: tuple[int, ...], bits: int = 4, scale: Any = 0.5) -> str:
    size = 2.0 ** (bits - 3)
    return net.quant(net.const(rng.normal(0, size, shape), "float32"), scale, bits, narrow=True)


def cnn(rng: Generator, kind: str) -> QBuilder:
    """Convolutions, one with a border of zeros, a pool and a dense layer, each after logarithms."""

    def activation(x: str, low: float, high: float) -> str:
        if kind == "signed":
            return signed(net, x, low, high)
        x = net.node("Relu", x)
        if kind == "zero":  # 0 stays 0
            return net.node("Mul", net.node("Sign", x), power(net, exponent(net, x, low, high)))
        return power(net, exponent(net, x, low, high, multiply=False))

    net = QBuilder()
    x = net.quant(net.input((1, 3, 7, 6)), 0.25, 4)
    x = net.node("Conv", x, weights(net, rng, (4, 3, 3, 3)), pads=[1, 1, 1, 1])
    x = activation(net.batch_norm(x, 4, rng, size=1.5), -3, 3)
    x = net.node("Conv", x, weights(net, rng, (6, 4, 3, 3)), pads=[1, 1, 0, 1])
    x = activation(net.batch_norm(x, 6, rng, size=8.0), -2, 2)
    x = net.node("Conv", x, weights(net, rng, (6, 1, 2, 2)), group=6)
    x = activation(net.batch_norm(x, 6, rng, size=3.0), -2, 3)
    x = net.node("Flatten", net.node("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2]))
    x = net.node("MatMul", x, weights(net, rng, (24, 5), 3))
    net.quant(x, 0.25, 8)
    return net


def run(net: QBuilder, x: NDArray) -> Run:
    return Run(net.qonnx(net.nodes[-1].output[0]), x.astype(np.float32))


@pytest.mark.parametrize("kind", ["floor", "zero", "signed"])
def test_cnn(kind: str) -> None:
    rng = np.random.default_rng(1)
    done = run(cnn(rng, kind), rng.normal(0, 1, (30, 3, 7, 6)))
    done.assert_equal()
    coded = [node for node in done.graph.nodes if getattr(node, "values", None)]
    assert [node.kind for node in coded] == ["conv", "depthwise", "conv"]
    assert len(coded[0].values) == {"floor": 8, "zero": 8, "signed": 15}[kind]  # 0 joins them for the border
    assert all(len(np.unique(done.values[node.inputs[0]])) > 3 for node in coded)
    assert done.graph.notes == []


def test_powers_behind_thresholds() -> None:
    """MultiThreshold gives the exponents, Pow the values, a scale of any size after it."""
    rng = np.random.default_rng(2)
    net = QBuilder()
    x = net.quant(net.input((1, 12)), 0.25, 5)
    t = net.const(np.sort(rng.integers(-12, 12, (12, 5)) / 4, axis=1), "float32")
    fields = {"domain": "qonnx.custom_op.general", "out_dtype": "UINT3"}
    x = net.node("Mul", power(net, net.node("MultiThreshold", x, t, **fields)), net.const(0.375, "float32"))
    net.quant(net.node("MatMul", x, weights(net, rng, (12, 6))), 0.75, 8)
    done = run(net, rng.normal(0, 1, (40, 12)))
    done.assert_equal(least=2)
    assert done.graph.nodes[-1].values == (1, 2, 4, 8, 16, 32)


def test_signs_beside_a_border_are_no_codes() -> None:
    rng = np.random.default_rng(7)
    net = QBuilder()
    x = net.bipolar(net.input((1, 2, 5, 5)))
    net.quant(net.node("Conv", x, weights(net, rng, (3, 2, 3, 3)), pads=[1, 1, 1, 1]), 1.0, 4)
    done = run(net, rng.normal(0, 1, (5, 2, 5, 5)))
    done.assert_equal()
    assert [getattr(node, "values", None) for node in done.graph.nodes] == [None] * len(done.graph.nodes)


def test_exponential_of_whole_multiples_of_ln_2() -> None:
    rng = np.random.default_rng(3)
    net = QBuilder()
    x = net.node("Relu", net.quant(net.input((1, 12)), 0.25, 8))
    x = net.node("Exp", net.node("Mul", exponent(net, x, -2, 3), net.const(LN2, "float32")))
    net.quant(net.node("MatMul", x, weights(net, rng, (12, 6))), 0.3, 6)
    done = run(net, rng.normal(0, 4, (60, 12)))
    done.assert_equal()
    assert done.graph.nodes[-1].values == (1, 2, 4, 8, 16, 32)


def test_a_float_input_quantised_in_logarithms_is_the_hosts_work() -> None:
    rng = np.random.default_rng(4)
    net = QBuilder()
    x = signed(net, net.node("Mul", net.input((1, 9)), net.const(1.7, "float32")), -4, 0)
    net.quant(net.node("MatMul", x, weights(net, rng, (9, 6))), 0.125, 6)
    done = run(net, rng.normal(0, 0.7, (200, 9)))
    done.assert_equal()
    assert [node.kind for node in done.graph.nodes] == ["conv"]
    assert done.graph.inputs[0].steps is not None


@pytest.mark.parametrize("summed", [False, True])
def test_a_threshold_at_a_tie_of_the_logarithm_is_noted(summed: bool) -> None:
    """Multiples (sums) of float32(sqrt(2)): log2 of 1, 2, 4 .. of them is a whole number and a half."""
    rng = np.random.default_rng(5)
    net = QBuilder()
    x = net.quant(net.input((1, 16)), np.float32(np.sqrt(2)), 3, signed=False)
    if summed:
        x = net.node("MatMul", x, net.const(np.ones((16, 16)), "float32"))
    net.node("MatMul", power(net, exponent(net, x, 0, 5)), net.const(rng.integers(-3, 4, (16, 5)), "float32"))
    graph = load(net.qonnx(net.nodes[-1].output[0]).SerializeToString(), "test")
    assert any("within float32 rounding of a tie" in note and "logarithm" in note for note in graph.notes)


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        (("Log", "Round"), "no numbers .a logarithm of negative ones.*put a Relu before it"),
        (("Relu", "Log", "Round"), "not finite .the logarithm of 0.*put a Clip behind it"),
        (("Relu", "Log"), "not directly dequantised; quantise and dequantise it first"),
        (
            ("Abs", "Log", "Round", "Clip"),
            "absolute value; only its product with the Sign of the same tensor",
        ),
    ],
)
def test_what_has_no_few_values_is_refused(steps: tuple[str, ...], message: str) -> None:
    rng = np.random.default_rng(6)
    net = QBuilder()
    x = net.node("MatMul", net.quant(net.input((1, 16)), 0.25, 5), weights(net, rng, (16, 5), 8))
    for step in steps:
        limits = [net.const(limit, "float32") for limit in (0.0, 3.0)] if step == "Clip" else []
        x = net.node(step, x, *limits)
    net.node("MatMul", x, weights(net, rng, (5, 3)))
    with pytest.raises(UnsupportedError, match=f"MatMul.*{message}"):
        load(net.qonnx(net.nodes[-1].output[0]).SerializeToString(), "test")


@pytest.mark.sim
@pytest.mark.parametrize("kind", ["zero", "signed"])
def test_hardware(kind: str, tmp_path: Path) -> None:
    """Every layer's integers in RTL, under back-pressure; shifts only, behind a logarithm."""
    rng = np.random.default_rng(1)
    net = cnn(rng, kind)
    (tmp_path / "net.onnx").write_bytes(net.qonnx(net.nodes[-1].output[0]).SerializeToString())
    design = hwgen.compile(hwgen.load(tmp_path / "net.onnx"), board="ulx3s-85f", fps=50_000, out=tmp_path)
    forms = [
        unit.folding.product for unit in design.plan.units.values() if getattr(unit.node, "values", None)
    ]
    assert forms == ["shift"] * 3
    result = design.verify(rng.normal(0, 1, (4, 3, 7, 6)).astype(np.float32), stages=True)
    assert result["exact"]["mismatches"] == 0 and result["exact"]["samples"] == 4
