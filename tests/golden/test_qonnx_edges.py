"""The edge of QONNX models: the model's own types in and out, clear errors, notes for a person."""

from __future__ import annotations

import bisect
import json
from pathlib import Path

import numpy as np
import pytest
from qonnx_runtime import QBuilder

import hwgen
from hwgen.emit.edges import EdgeEntry
from hwgen.golden.run import execute
from hwgen.net import Net
from hwgen.report import render_model
from hwgen.support.errors import UsageError


def saved(net: QBuilder, folder: Path, annotations: dict[str, str] | None = None) -> Net:
    path = folder / "net.onnx"
    path.write_bytes(net.qonnx(net.nodes[-1].output[0], annotations).SerializeToString())
    return hwgen.load(path)


def dense(net: QBuilder, x: str, scale: float = 1.0) -> str:
    w = net.bipolar(net.const(np.random.default_rng(0).normal(0, 1, (6, 4)), "float32"), scale)
    return net.node("MatMul", x, w)


def test_annotated_inputs_take_integers_of_any_type_and_nothing_else(tmp_path: Path) -> None:
    net = QBuilder()
    net.bipolar(dense(net, net.input((1, 6))))
    model = saved(net, tmp_path, {"x": "INT4"})
    x = np.random.default_rng(1).integers(-8, 8, (5, 6))
    y = model.run(x.astype(np.float32))
    assert y.dtype == np.float32
    assert np.array_equal(y, model.run(x))
    with pytest.raises(UsageError, match="no integers"):
        model.run(x + 0.25)
    with pytest.raises(UsageError, match="no integers"):
        model.run(np.full((1, 6), np.nan, np.float32))
    with pytest.raises(UsageError, match=r"-8\.\.8 leave \[-8, 7\]"):
        model.run(np.array([[-8, 8, 0, 0, 0, 0]]))


def test_float_inputs_in_steps_must_be_finite_floats(tmp_path: Path) -> None:
    net = QBuilder()
    x = net.quant(net.node("Mul", net.input((1, 6)), net.const(3.0, "float32")), 0.5, 3)
    net.bipolar(dense(net, x))
    model = saved(net, tmp_path)
    with pytest.raises(UsageError, match="floating point"):
        model.run(np.zeros((1, 6), np.int64))
    with pytest.raises(UsageError, match="not finite"):
        model.run(np.full((1, 6), np.inf, np.float32))
    assert model.run(np.zeros((2, 6), np.float32)).shape == (2, 4)


def test_inspect_shows_the_notes(tmp_path: Path) -> None:
    net = QBuilder()
    x = net.quant(net.input((1, 6)), 0.3, 2, narrow=True)
    net.quant(dense(net, x, 0.1), np.float32(0.3) * np.float32(0.1) * 4, 4)
    facts = saved(net, tmp_path).inspect()
    (note,) = facts["notes"]
    assert "lie within float32 rounding of a tie" in note
    assert f"note: {note}" in render_model(facts)
    assert "exact to qonnx" in render_model(facts)


def test_a_host_that_knows_only_the_manifest(tmp_path: Path) -> None:
    """Normalised floats in, one channel too small for some steps; a scale a channel out: the same numbers."""
    net = QBuilder()
    mean, spread = net.const([0.1, -0.2, 0.7], "float32"), net.const([0.3, 0.2, -3e38], "float32")
    x = net.node("Div", net.node("Sub", net.input((1, 3)), mean), spread)
    w = net.quant(net.const(np.random.default_rng(0).normal(0, 1, (3, 4)), "float32"), 0.1, 4)
    y = net.node("MatMul", net.quant(x, 0.5, 3), w)
    net.node(
        "Add", net.node("Mul", y, net.const([0.3, 3.0, -0.1, 1.7], "float32")), net.const(0.7, "float32")
    )
    model = saved(net, tmp_path)
    (entering,), (leaving,) = (
        [json.loads(json.dumps(EdgeEntry(None, edge).to_dict(), allow_nan=False)) for edge in edges]
        for edges in (model.graph.inputs, model.graph.outputs)
    )
    x = np.random.default_rng(1).normal(0, 1, (200, 3)).astype(np.float32)
    steps, chain = entering["steps"], leaving["chain"]
    q = [
        [
            base + sign * bisect.bisect_right(row, value)
            for row, base, sign, value in zip(*steps.values(), map(float, sample), strict=True)
        ]
        for sample in x
    ]
    inside = model.enter(x)[entering["tensor"]]
    assert np.array_equal(np.array(q), inside.reshape(200, 3))
    values = execute(model.graph, {entering["tensor"]: inside})
    y = ((values[leaving["tensor"]].reshape(200, 4) + chain["shift"]) * chain["scale"]).astype(np.float32)
    for name, constant in chain["steps"]:
        y = {"add": np.add, "mul": np.multiply}[name](y, np.array(constant, np.float32))
    assert np.array_equal(y, model.run(x))
